//! Where retrieval is tested: held-out phantom slides, and real slides and pictures.

use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::config::Field;
use super::family::{Parents, Tally, retrieve};
use super::footprint::{GRID, PARENT_MPP};
use super::retention::Bench;
use super::slides::{Split, phantom, slide_seed};
use super::watch::Watch;
use super::{EvalConfig, EvalError};
use crate::geometry::{Mpp, UmPoint};
use crate::slide::phantom::{PhantomSource, Tissue};
use crate::slide::scaled::Scaled;
use crate::slide::{SlideError, SlideSource};

/// Parents tried for each that is wanted: some lie on glass.
const TRIES_EACH: usize = 8;

/// Tiles that retrieval reads at most, in one tissue or one field.
pub fn forecast(config: &EvalConfig) -> u64 {
    (config.families * (1 + GRID * GRID)) as u64
}

/// Retrieval on held-out phantom slides of one tissue; a tally an arm.
///
/// # Errors
/// When a slide can't be made or read, or the user stops.
pub fn in_tissue(
    bench: &Bench,
    tissue: Tissue,
    watch: &mut Watch,
) -> Result<Vec<Tally>, EvalError> {
    let mut tallies = vec![Tally::default(); bench.arms.len()];
    let slides = bench.config.held_out_slides;
    for n in 0..slides {
        let slide = phantom(tissue, slide_seed(Split::HeldOut, bench.seed, n))?;
        // Parents are spread over the slides as evenly as they divide.
        let wanted = (bench.config.families + n) / slides;
        let parents = Parents {
            slide: &slide,
            mpp: PARENT_MPP,
            origins: random_origins(&slide, bench.config.tile_px, wanted * TRIES_EACH),
            wanted,
        };
        retrieve(bench, &parents, &mut tallies, watch)?;
    }
    Ok(tallies)
}

/// Places anywhere on a phantom where a parent fits.
fn random_origins(slide: &PhantomSource, tile_px: usize, count: usize) -> Vec<UmPoint> {
    let side_um = PARENT_MPP * tile_px as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(slide.spec().seed ^ 0xfa31_1135);
    let [width_um, height_um] = slide.spec().extent_um;
    let mut along = |extent_um: f64| rng.random::<f64>() * (extent_um - side_um).max(0.0);
    (0..count)
        .map(|_| UmPoint::new(along(width_um), along(height_um)))
        .collect()
}

/// A field that is open, with its scale.
pub struct OpenField {
    /// Its name, for the report.
    pub name: String,
    /// What the settings say of it.
    pub field: Field,
    /// Scale of its parents, µm/px.
    pub parent_mpp: f64,
    source: Arc<dyn SlideSource>,
}

impl OpenField {
    /// Opens a field; its children are as fine as 0.25 µm/px where it has such px, else as its
    /// finest.
    ///
    /// # Errors
    /// When the file can't be opened or has no scale.
    pub fn open(field: &Field) -> Result<Self, EvalError> {
        let source = crate::slide::open(&field.path)?;
        let source = match field.mpp.and_then(Mpp::square) {
            Some(mpp) => Arc::new(Scaled::new(source, mpp)),
            None => source,
        };
        let path = field.path.clone();
        let finest = source.finest_mpp().ok_or_else(|| SlideError::Path {
            path,
            reason: "it does not state its scale: give it as mpp in the settings".to_owned(),
        })?;
        Ok(Self {
            name: source.info().name.clone(),
            field: field.clone(),
            parent_mpp: (finest * GRID as f64).max(PARENT_MPP),
            source,
        })
    }

    /// Retrieval on the field's parents, side by side; a tally an arm.
    ///
    /// # Errors
    /// When the field can't be read or the user stops.
    pub fn retrieve(&self, bench: &Bench, watch: &mut Watch) -> Result<Vec<Tally>, EvalError> {
        let mut tallies = vec![Tally::default(); bench.arms.len()];
        let parents = Parents {
            slide: self.source.as_ref(),
            mpp: self.parent_mpp,
            origins: self.origins(bench.config),
            wanted: bench.config.families,
        };
        retrieve(bench, &parents, &mut tallies, watch)?;
        Ok(tallies)
    }

    /// Whole parents side by side, in an order that spreads the first of them over the field.
    fn origins(&self, config: &EvalConfig) -> Vec<UmPoint> {
        let info = self.source.info();
        let Some(mpp) = info.mpp else {
            return Vec::new();
        };
        let side_um = self.parent_mpp * config.tile_px as f64;
        let first = mpp.um_from_slide(info.content().min);
        let last = mpp.um_from_slide(info.content().max);
        let columns = ((last.x - first.x) / side_um + 1e-6) as usize;
        let rows = ((last.y - first.y) / side_um + 1e-6) as usize;
        let count = columns * rows;
        // A step near the golden section that shares no divisor with the count meets all once.
        let near = (count as f64 * 0.618) as usize;
        let step = (near..near + count).find(|step| divisor(*step, count) == 1);
        let at = |n: usize| {
            let place = n * step.unwrap_or(1) % count;
            let (column, row) = (place % columns, place / columns);
            let (x, y) = (column as f64 * side_um, row as f64 * side_um);
            UmPoint::new(first.x + x, first.y + y)
        };
        (0..count).map(at).collect()
    }
}

/// Greatest common divisor.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    #[test]
    fn a_field_is_covered_once_and_in_whole_parents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("field.png");
        image::RgbImage::new(1300, 1030).save(&path).unwrap();
        let field = |mpp: Option<f64>| Field {
            path: path.clone(),
            mpp,
            in_training: true,
        };
        let open = OpenField::open(&field(Some(0.5))).unwrap();
        assert_eq!(open.parent_mpp, 2.0);
        let places: BTreeSet<(u32, u32)> = open
            .origins(&EvalConfig::default())
            .iter()
            .map(|at| (at.x as u32, at.y as u32))
            .collect();
        let expected = [(0, 0), (0, 256), (256, 0), (256, 256)];
        assert_eq!(places, BTreeSet::from(expected));
        let Err(error) = OpenField::open(&field(None)) else {
            panic!("it has no scale");
        };
        assert!(error.to_string().contains("mpp"), "{error}");
        let missing = Field {
            path: PathBuf::from("no/such/field.png"),
            ..field(None)
        };
        assert!(OpenField::open(&missing).is_err());
    }
}

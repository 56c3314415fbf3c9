//! Slides that are open for sampling, and one family drawn from them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::family::{Turn, cut_turned};
use super::key::{Use, keyed};
use super::tissue::{Area, TissueMap};
use super::{Family, GRID, SamplingConfig, SamplingError, SourceConfig};
use crate::slide::SlideSource;

/// A source whose finest px are coarser than this, µm, is refused: its children would lie beyond
/// 10x, where a nucleus of 6 µm is less than 6 px wide and no detail is left that a parent lacks,
/// and its parents beyond 2.5x, far from any scale that the encoder is asked for.
pub const COARSEST_FINEST_MPP: f64 = 1.0;

/// Places tried on one slide before another is drawn, and slides drawn before giving up.
const PLACES_A_SLIDE: usize = 20;
const SLIDES_A_FAMILY: usize = 12;

/// A slide none of whose first reads succeeded in this many is given up.
const FAILURES_TO_GIVE_UP: u64 = 20;

/// A slide, where its tissue is and which scales it allows.
pub struct SampledSlide {
    name: String,
    source: Arc<dyn SlideSource>,
    area: Area,
    tissue: TissueMap,
    /// Range of the parent's scale, µm/px.
    parent_mpp: [f64; 2],
    /// Share of the draws, relative to the other slides'.
    weight: f64,
    reads: AtomicU64,
    failures: AtomicU64,
}

impl SampledSlide {
    /// Reads the overview and tries to draw a family.
    ///
    /// # Errors
    /// When the slide has no scale, is too coarse or too small for a parent, has no tissue, or
    /// can't be read.
    pub fn new(
        source: Arc<dyn SlideSource>,
        weight: f64,
        config: &SamplingConfig,
    ) -> Result<Self, SamplingError> {
        let name = source.info().name.clone();
        let refuse = |reason: String| SamplingError::source(&name, reason);
        let scale = source.finest_mpp().zip(Area::of_slide(source.as_ref()));
        let (finest, area) =
            scale.ok_or_else(|| refuse("has no scale; state its µm per px as `mpp`".to_owned()))?;
        let parent_mpp = parent_range(finest, area, config).map_err(refuse)?;
        let slide = Self {
            tissue: TissueMap::of(source.as_ref(), area)?,
            name,
            source,
            area,
            parent_mpp,
            weight,
            reads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        };
        slide.try_out(config)?;
        Ok(slide)
    }

    /// The slide's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Range of the parent's scale that families of this slide have, µm/px.
    pub fn parent_mpp(&self) -> [f64; 2] {
        self.parent_mpp
    }

    /// Share of its overview that is tissue, 0–1.
    pub fn tissue_share(&self) -> f64 {
        self.tissue.share
    }

    fn try_out(&self, config: &SamplingConfig) -> Result<(), SamplingError> {
        let mut rng = keyed(0, 0, 0, Use::Trial);
        let mut failure = None;
        for _ in 0..3 * PLACES_A_SLIDE {
            match self.try_family(config, &mut rng) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| {
            let share = 100.0 * self.tissue.share;
            let reason = format!(
                "no place with enough tissue for a parent was found ({share:.1} % of it is tissue)"
            );
            SamplingError::source(&self.name, reason)
        }))
    }

    /// One family at a random place; `None` where there is too little tissue.
    fn try_family(
        &self,
        config: &SamplingConfig,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<Family>, SamplingError> {
        let [low, high] = self.parent_mpp;
        let parent_mpp = low * (high / low).powf(rng.random::<f64>());
        let turn = Turn::numbered(rng.random_range(0..Turn::COUNT));
        let turn = if config.turn { turn } else { Turn::NONE };
        let Some(centre) = self.tissue.draw(rng) else {
            return Ok(None);
        };
        let side_um = parent_mpp * config.tile_px as f64;
        let origin = self.area.square_around(centre, side_um);
        let family = cut_turned(
            self.source.as_ref(),
            origin,
            parent_mpp,
            config.tile_px,
            turn,
        )?;
        let has_child = kept_children(&family, config).next().is_some();
        let enough = f64::from(family.parent_tissue()) >= config.min_parent_tissue && has_child;
        Ok(enough.then_some(family))
    }

    /// Counts a failed read, tells of the first, and gives the slide up when none ever succeeded.
    fn note_failure(&self, error: SamplingError) -> Result<(), SamplingError> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == 1 {
            tracing::warn!("{}: a region was left out: {error}", self.name);
        }
        if self.reads.load(Ordering::Relaxed) == 0 && failures >= FAILURES_TO_GIVE_UP {
            return Err(error);
        }
        Ok(())
    }
}

/// Children of `family` with enough tissue, as indices 0–15.
pub(super) fn kept_children<'a>(
    family: &'a Family,
    config: &'a SamplingConfig,
) -> impl Iterator<Item = usize> + 'a {
    let shares = family.tissue.iter().enumerate();
    let enough = shares.filter(|(_, share)| f64::from(**share) >= config.min_child_tissue);
    enough.map(|(child, _)| child)
}

/// The scales, µm/px, at which parents are cut from a slide whose finest px are `finest` µm.
fn parent_range(finest: f64, area: Area, config: &SamplingConfig) -> Result<[f64; 2], String> {
    if finest > COARSEST_FINEST_MPP {
        return Err(format!(
            "its finest px are {finest:.3} µm; children need {COARSEST_FINEST_MPP} µm or finer"
        ));
    }
    let [low, high] = config.parent_mpp;
    let low = low.max(GRID as f64 * finest);
    let narrow_um = area.size.width.min(area.size.height);
    let fits = narrow_um / config.tile_px as f64;
    // A picture of exactly 4 S px holds one parent, also after rounding.
    if fits < low * (1.0 - 1e-6) {
        return Err(format!(
            "it is only {narrow_um:.0} µm wide or high; a parent of {} px at {low:.3} µm/px takes \
             {:.0} µm",
            config.tile_px,
            low * config.tile_px as f64
        ));
    }
    Ok([low, high.min(fits).max(low)])
}

/// Everything that families are drawn from.
pub struct Sources {
    slides: Vec<SampledSlide>,
    provenance: Vec<String>,
}

impl Sources {
    /// Opens and checks everything that `configs` name; relative paths are relative to `folder`,
    /// that of the settings file.
    ///
    /// # Errors
    /// The first setting or source that can't be used, and why.
    pub fn open(
        configs: &[SourceConfig],
        folder: &Path,
        config: &SamplingConfig,
    ) -> Result<Self, SamplingError> {
        config.validate()?;
        let mut slides = Vec::new();
        let mut provenance = Vec::new();
        for wanted in configs {
            let opened = wanted.open(folder)?;
            let weight = wanted.weight / opened.slides.len() as f64;
            for slide in opened.slides {
                slides.push(SampledSlide::new(slide, weight, config)?);
            }
            provenance.push(opened.provenance);
        }
        Self::checked(slides, provenance)
    }

    /// Slides that are open already, each with its share of the draws (> 0).
    ///
    /// # Errors
    /// When a slide can't be used, or there is none.
    pub fn of_slides(
        sources: Vec<(Arc<dyn SlideSource>, f64)>,
        config: &SamplingConfig,
    ) -> Result<Self, SamplingError> {
        config.validate()?;
        let named = sources.iter().map(|(source, _)| {
            let info = source.info();
            format!("{} ({})", info.name, info.hash.0)
        });
        let provenance = named.collect();
        let open = |(source, weight)| SampledSlide::new(source, weight, config);
        Self::checked(
            sources.into_iter().map(open).collect::<Result<_, _>>()?,
            provenance,
        )
    }

    fn checked(slides: Vec<SampledSlide>, provenance: Vec<String>) -> Result<Self, SamplingError> {
        if slides.is_empty() {
            return Err(SamplingError::setting(
                "source",
                "none",
                "must name at least one",
            ));
        }
        Ok(Self { slides, provenance })
    }

    /// One line a source for a model card: what it is, its scale and its content's identity.
    pub fn provenance(&self) -> &[String] {
        &self.provenance
    }

    /// The slides.
    pub fn slides(&self) -> &[SampledSlide] {
        &self.slides
    }

    /// Regions that could not be read so far.
    pub fn failures(&self) -> u64 {
        let counts = self
            .slides
            .iter()
            .map(|s| s.failures.load(Ordering::Relaxed));
        counts.sum()
    }

    fn draw_slide(&self, rng: &mut ChaCha8Rng) -> &SampledSlide {
        let total: f64 = self.slides.iter().map(|slide| slide.weight).sum();
        let mut left = rng.random::<f64>() * total;
        let chosen = self.slides.iter().find(|slide| {
            left -= slide.weight;
            left < 0.0
        });
        // Rounding may leave nothing: then it is the last. There always is one.
        chosen.unwrap_or(&self.slides[self.slides.len() - 1])
    }

    /// The family that `rng` leads to: a slide by weight, a place in its tissue, a scale, a turn.
    /// Places with too little tissue or that can't be read are drawn again.
    ///
    /// # Errors
    /// When a slide could never be read, or no family was found in many tries.
    pub(super) fn draw_family(
        &self,
        config: &SamplingConfig,
        rng: &mut ChaCha8Rng,
    ) -> Result<Family, SamplingError> {
        let mut last = String::new();
        for _ in 0..SLIDES_A_FAMILY {
            let slide = self.draw_slide(rng);
            for _ in 0..PLACES_A_SLIDE {
                match slide.try_family(config, rng) {
                    Ok(Some(family)) => {
                        slide.reads.fetch_add(1, Ordering::Relaxed);
                        return Ok(family);
                    }
                    Ok(None) => {
                        slide.reads.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => slide.note_failure(error)?,
                }
            }
            last.clone_from(&slide.name);
        }
        Err(SamplingError::NoFamily {
            tries: SLIDES_A_FAMILY * PLACES_A_SLIDE,
            slide: last,
        })
    }
}

//! One step's tiles.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::key::{Use, keyed};
use super::slides::kept_children;
use super::{CHILDREN, Family, SamplingConfig, SamplingError, Sources};

/// One step's tiles, ready for tensors: sRGB 0–1, NCHW.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyBatch {
    /// Number of the step, from 0.
    pub step: u64,
    /// Families, B.
    pub families: usize,
    /// Side of a tile, S px.
    pub tile_px: usize,
    /// Two independent augmentations of the same tiles: the first for the teacher, the second for
    /// the student.
    pub views: [View; 2],
    /// For each of the C children kept: `family · 16 + row · 4 + column`, ascending. Children with
    /// too little tissue are not in the views.
    pub child_places: Vec<usize>,
    /// Scale of each parent, µm/px.
    pub parent_mpp: Vec<f64>,
}

/// One augmentation of all tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// `B · 3 · S · S` values.
    pub parents: Vec<f32>,
    /// `C · 3 · S · S` values, in the order of `child_places`.
    pub children: Vec<f32>,
}

/// Makes the batch of a step; it depends on nothing but the arguments. `None` once `still_wanted`
/// says so, which is asked before each family.
///
/// # Errors
/// As for the drawing of a family.
pub fn family_batch(
    sources: &Sources,
    config: &SamplingConfig,
    seed: u64,
    step: u64,
    still_wanted: &dyn Fn() -> bool,
) -> Result<Option<FamilyBatch>, SamplingError> {
    let view = || View {
        parents: Vec::with_capacity(config.families * values(config)),
        children: Vec::with_capacity(config.families * config.children_per_family * values(config)),
    };
    let mut batch = FamilyBatch {
        step,
        families: config.families,
        tile_px: config.tile_px,
        views: [view(), view()],
        child_places: Vec::new(),
        parent_mpp: Vec::with_capacity(config.families),
    };
    for index in 0..config.families {
        if !still_wanted() {
            return Ok(None);
        }
        let mut rng = keyed(seed, step, index as u64, Use::Place);
        let family = sources.draw_family(config, &mut rng)?;
        let children = chosen_children(&family, config, &mut rng);
        add_family(&mut batch, config, seed, (index, &family, &children));
    }
    Ok(Some(batch))
}

/// Values of one tile.
fn values(config: &SamplingConfig) -> usize {
    3 * config.tile_px * config.tile_px
}

/// The children kept, ascending: all with enough tissue, or a random choice of them.
fn chosen_children(family: &Family, config: &SamplingConfig, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut kept: Vec<usize> = kept_children(family, config).collect();
    while kept.len() > config.children_per_family {
        kept.remove(rng.random_range(0..kept.len()));
    }
    kept
}

fn add_family(
    batch: &mut FamilyBatch,
    config: &SamplingConfig,
    seed: u64,
    (index, family, children): (usize, &Family, &[usize]),
) {
    // Of each family, sample 0 is the parent; child i is sample i + 1, whichever others are kept.
    let first = (index * (CHILDREN + 1)) as u64;
    for (view, what) in batch.views.iter_mut().zip([Use::ViewA, Use::ViewB]) {
        let add = |to: &mut Vec<f32>, tile: &[u8], sample: u64| {
            let mut rng = keyed(seed, batch.step, sample, what);
            let start = to.len();
            to.resize(start + values(config), 0.0);
            config
                .augment
                .apply(tile, config.tile_px, &mut rng, &mut to[start..]);
        };
        add(&mut view.parents, &family.parent, first);
        for &child in children {
            add(
                &mut view.children,
                &family.children[child],
                first + 1 + child as u64,
            );
        }
    }
    let places = children.iter().map(|child| index * CHILDREN + child);
    batch.child_places.extend(places);
    batch.parent_mpp.push(family.parent_mpp);
}

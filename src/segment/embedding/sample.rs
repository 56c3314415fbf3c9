//! The tissue from which a slide's colours follow: a fixed number of tiles, drawn with a fixed seed.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::basis::ColourBasis;
use super::paint::{COLOUR_UM, LIKENESS_UM};
use super::patch::{Patch, reach};
use super::sheet::TokenSheet;
use crate::segment::grid::TileId;

/// Tiles with tissue that make a slide's sample.
const SAMPLE_TILES: usize = 96;

/// Of the draw.
const SEED: u64 = 0x5a3b1e;

/// Tiles yet to be looked at, and what was found.
pub struct Sample {
    /// The next one last.
    left: Vec<TileId>,
    tiles: usize,
    regions: Vec<Vec<f32>>,
    shown: Vec<Vec<f32>>,
}

impl Sample {
    /// Nothing looked at.
    pub fn of(sheet: &TokenSheet) -> Self {
        let mut left: Vec<TileId> = (0..sheet.tiles())
            .map(|number| sheet.tile(number))
            .collect();
        left.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
        Self {
            left,
            tiles: 0,
            regions: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Whether there are enough tiles or no more.
    pub fn is_over(&self) -> bool {
        self.tiles >= SAMPLE_TILES || self.left.is_empty()
    }

    /// The next tile to look at.
    pub fn next(&mut self) -> Option<TileId> {
        match self.is_over() {
            true => None,
            false => self.left.pop(),
        }
    }

    /// A tile has tissue and is about to be added.
    pub fn count(&mut self) {
        self.tiles += 1;
    }

    /// Adds the tokens of a tile's core, alone.
    pub fn add(&mut self, core: &Patch, token_um: f64) {
        let (x, y) = (&core.x, &core.y);
        let shown = core.means(x, y, COLOUR_UM / token_um);
        self.shown.extend(shown.tokens().map(<[f32]>::to_vec));
        let side = LIKENESS_UM / token_um;
        let reach = reach(side);
        // Those whose squares lie in the core; where none does, the core is small beside them.
        let inner = |px: &std::ops::Range<u32>| match px.len() as u32 > 2 * reach {
            true => px.start + reach..px.end - reach,
            false => px.clone(),
        };
        let regions = core.means(&inner(x), &inner(y), side);
        self.regions.extend(regions.tokens().map(<[f32]>::to_vec));
    }

    /// The colours that follow; `None` without tissue.
    pub fn fit(&mut self) -> Option<ColourBasis> {
        let (regions, shown) = (
            std::mem::take(&mut self.regions),
            std::mem::take(&mut self.shown),
        );
        let regions = if regions.is_empty() { &shown } else { &regions };
        ColourBasis::fit(regions, &shown)
    }
}

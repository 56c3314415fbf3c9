//! What an overlay is drawn from, and which texel is seen at a place: the rule that the shader
//! follows, once more in plain arithmetic.

use std::sync::Arc;

use crate::geometry::{SlidePoint, View};
use crate::labels::{BLOCKS, PAGE_PX, Page, PageId, Raster, Texel};

use super::style::{OverlayContent, OverlayStyle};

/// Side of a part that is current or not, px.
const BLOCK_PX: u32 = PAGE_PX / BLOCKS;

/// Names the pages of one raster among those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerKey(pub u64);

/// Where pages are looked up.
pub trait PageStore {
    /// A page, if it is in memory now, and which of its parts are what is asked for now, a bit
    /// each; see [`Page::current_blocks`].
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)>;
}

/// One label raster of an overlay.
#[derive(Clone, Copy)]
pub struct OverlayLayer<'a> {
    /// Names its pages; another raster has another key.
    pub key: LayerKey,
    /// Its level 0.
    pub raster: Raster,
    /// Its pages.
    pub pages: &'a dyn PageStore,
    /// Whether all of it is provisional.
    pub is_provisional: bool,
}

/// Everything one overlay of one view follows from.
#[derive(Clone, Copy)]
pub struct OverlayInput<'a> {
    /// What is looked at.
    pub view: &'a View,
    /// Finest first: at each place the first layer that knows something is drawn.
    pub layers: &'a [OverlayLayer<'a>],
    /// What is drawn instead to the left of a swipe; may be empty.
    pub before_layers: &'a [OverlayLayer<'a>],
    /// How it looks.
    pub style: &'a OverlayStyle,
}

impl<'a> OverlayInput<'a> {
    /// The layers of before, where a swipe shows them.
    pub(super) fn swiped_layers(&self) -> &'a [OverlayLayer<'a>] {
        match self.style.swipe {
            Some(_) => self.before_layers,
            None => &[],
        }
    }

    /// Whether nothing at all is to be drawn.
    pub(super) fn is_empty(&self) -> bool {
        let layers = self.layers.len() + self.swiped_layers().len();
        layers == 0 || !self.style.is_visible()
    }
}

/// What an overlay says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenTexel {
    /// The texel.
    pub texel: Texel,
    /// Index of its layer.
    pub layer: usize,
    /// Whether it stands in for a finer or newer one.
    pub is_provisional: bool,
}

/// What `layers` say of a place, as a view of `slide_px_per_screen_px` shows it: 0 asks for all
/// that is known. `None` where nothing is.
///
/// Of each layer, the level that suits the view counts; where its page is missing, the next coarser
/// one. Where a page is there and its texel knows nothing, the next layer counts, for a coarser
/// level would only tell of neighbours.
pub fn texel_at(
    layers: &[OverlayLayer<'_>],
    content: OverlayContent,
    at: SlidePoint,
    slide_px_per_screen_px: f64,
) -> Option<SeenTexel> {
    layers.iter().enumerate().find_map(|(index, layer)| {
        let (texel, is_stand_in) = layer.texel_at(at, slide_px_per_screen_px)?;
        content.is_known(texel).then_some(SeenTexel {
            texel,
            layer: index,
            is_provisional: is_stand_in || layer.is_provisional || index > 0,
        })
    })
}

impl OverlayLayer<'_> {
    /// The texel of the finest page at hand, and whether a better one is to come.
    fn texel_at(&self, at: SlidePoint, slide_px_per_screen_px: f64) -> Option<(Texel, bool)> {
        let whole = self
            .raster
            .slide_rect(0..self.raster.size_px.0, 0..self.raster.size_px.1);
        if !whole.contains(at) {
            return None;
        }
        let target = self.raster.level_for(slide_px_per_screen_px);
        (target..=self.raster.coarsest()).find_map(|level| {
            let (sx, sy) = self.raster.level(level).slide_px_per_px;
            let (x, y) = ((at.x / sx) as u32, (at.y / sy) as u32);
            let id = PageId {
                level,
                col: x / PAGE_PX,
                row: y / PAGE_PX,
            };
            let (page, current) = self.pages.page(id)?;
            let (x, y) = (x % PAGE_PX, y % PAGE_PX);
            let block = y / BLOCK_PX * BLOCKS + x / BLOCK_PX;
            let is_current = current >> block & 1 == 1;
            Some((page.texel(x, y), level > target || !is_current))
        })
    }
}

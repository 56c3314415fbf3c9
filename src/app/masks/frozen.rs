//! A map as it was at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use crate::gpu::overlay::{LayerKey, PageStore};
use crate::labels::{Page, PageId, Raster};

/// The pages of a map as they were; none of it changes any more.
pub struct FrozenLayer {
    /// The overlay pass's name for it.
    pub key: LayerKey,
    /// Where its px lie.
    pub raster: Raster,
    /// Number of its slide, as maps know it.
    pub slide: u64,
    pages: HashMap<PageId, Arc<Page>>,
}

impl FrozenLayer {
    /// Keeps pages; none is copied.
    pub fn new(
        key: LayerKey,
        slide: u64,
        raster: Raster,
        pages: HashMap<PageId, Arc<Page>>,
    ) -> Self {
        Self {
            key,
            raster,
            slide,
            pages,
        }
    }
}

impl PageStore for FrozenLayer {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        Some((Arc::clone(self.pages.get(&id)?), u64::MAX))
    }
}

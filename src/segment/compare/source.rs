//! Where the codes of a comparison come from.

use std::sync::Arc;

use crate::labels::{LabelError, LabelSource, Page, PageId, Raster};
use crate::segment::live::{LayerKey, SharedLayers};

/// A map of labels that is read page by page.
pub trait LabelMap {
    /// Where the px of level 0 lie.
    fn raster(&self) -> Raster;

    /// A page of any level up to `raster().coarsest()`; none where nothing is known.
    ///
    /// # Errors
    /// When it can't be read.
    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError>;

    /// The least stamp of px that are what is asked for now; 0 of maps that never change.
    fn stamp(&self) -> u64 {
        0
    }
}

impl LabelMap for Arc<dyn LabelSource> {
    fn raster(&self) -> Raster {
        self.as_ref().raster()
    }

    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError> {
        self.read_page(id).map(Some)
    }
}

/// A map of the live engine, as far as it is made.
pub struct LiveMap {
    layers: SharedLayers,
    key: LayerKey,
    raster: Raster,
}

impl LiveMap {
    /// `None` where the engine has no such map. Its codes have to be classes: not those of
    /// [`crate::segment::live::Analysis::Agreement`].
    pub fn new(layers: &SharedLayers, key: LayerKey) -> Option<Self> {
        Some(Self {
            raster: layers.raster(key)?,
            layers: layers.clone(),
            key,
        })
    }
}

impl LabelMap for LiveMap {
    fn raster(&self) -> Raster {
        self.raster
    }

    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError> {
        Ok(self.layers.peek(self.key, id))
    }

    fn stamp(&self) -> u64 {
        self.layers.stamp(self.key).unwrap_or_default()
    }
}

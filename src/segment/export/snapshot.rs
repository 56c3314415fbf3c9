//! A map as it was at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use crate::labels::{Page, PageId, Raster};
use crate::segment::live::{LayerKey, SharedLayers};

/// The pages of a map's finest level as they were at one moment, and what was asked for then. None
/// is copied: the engine goes on and leaves these as they are.
pub struct MapSnapshot {
    raster: Raster,
    stamp: u64,
    /// By column and row.
    pages: HashMap<(u32, u32), Arc<Page>>,
}

impl MapSnapshot {
    /// A map of the live engine as it is now; `None` where there is no such map.
    pub fn of(layers: &SharedLayers, key: LayerKey) -> Option<Self> {
        let layers = layers.lock();
        let pyramid = &layers.get(&key)?.pyramid;
        let pages = pyramid.pages().map(|(id, page)| (id, Arc::clone(page)));
        Some(Self::new(*pyramid.raster(), pyramid.stamp(), pages))
    }

    /// Pages of any map, of which those of level 0 are kept. Px with a lesser stamp than `stamp` are
    /// not what is asked for.
    pub fn new(
        raster: Raster,
        stamp: u64,
        pages: impl IntoIterator<Item = (PageId, Arc<Page>)>,
    ) -> Self {
        let finest = pages.into_iter().filter(|(id, _)| id.level == 0);
        Self {
            raster,
            stamp,
            pages: finest.map(|(id, page)| ((id.col, id.row), page)).collect(),
        }
    }

    /// Where its px lie on the slide.
    pub fn raster(&self) -> &Raster {
        &self.raster
    }

    /// What px are stamped with that are what is asked for, or with more.
    pub(super) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The page of a column and row of pages, if anything is known there.
    pub(super) fn page(&self, column: u32, row: u32) -> Option<&Page> {
        self.pages.get(&(column, row)).map(Arc::as_ref)
    }
}

//! What the engine shows to others: pages of colours and of likeness, and how far it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::search::SearchStatus;
use crate::labels::{LabelPyramid, Page, PageId, Raster};

/// What a map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbeddingView {
    /// Three principal components: `code`, `any` and `value` of a texel are red, green and blue,
    /// known where `extra` is not 0.
    Colours,
    /// Likeness to the spot asked for: `value` of a texel, see [`super::likeness_of`], known where
    /// `code` is 0.
    Likeness,
}

/// A map of an open slide; a px is a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EmbeddingKey {
    /// The slide, by its number in [`super::EmbeddingWish`].
    pub slide: u64,
    /// The magnification's place in [`crate::segment::live::MAGNIFICATIONS`].
    pub scale: u8,
    /// What it shows.
    pub view: EmbeddingView,
}

/// How far the engine is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingStatus {
    /// Tiles of the field that are still to be worked on.
    pub waiting: usize,
    /// Tiles embedded since the start.
    pub embedded: u64,
    /// Bytes of kept tokens.
    pub token_bytes: u64,
    /// Whether the slide's colours are settled; nothing is drawn before.
    pub has_colours: bool,
    /// The search, where a spot was asked for.
    pub search: Option<SearchStatus>,
    /// What failed last.
    pub failure: Option<String>,
}

/// The maps, shared between the engine and those who show them. Held for look-ups and for putting
/// finished px in, never while computing.
#[derive(Clone, Default)]
pub struct SharedEmbeddings(Arc<Mutex<HashMap<EmbeddingKey, LabelPyramid>>>);

impl SharedEmbeddings {
    /// All maps. A thread that panicked leaves whole pages behind.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<EmbeddingKey, LabelPyramid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page, and which of its parts are what is asked for now; see [`Page::current_blocks`].
    pub fn page(&self, key: EmbeddingKey, id: PageId) -> Option<(Arc<Page>, u64)> {
        let mut maps = self.lock();
        let pyramid = maps.get_mut(&key)?;
        let page = pyramid.page(id)?;
        let current = page.current_blocks(pyramid.stamp());
        Some((page, current))
    }

    /// Where the px of a map lie.
    pub fn raster(&self, key: EmbeddingKey) -> Option<Raster> {
        Some(*self.lock().get(&key)?.raster())
    }
}

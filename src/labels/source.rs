//! Labels that others made: read-only, page by page.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::LabelClass;
use super::error::LabelError;
use super::page::Page;
use super::pyramid::{Ranks, reduce_page};
use super::raster::{PageId, Raster};

/// Stamp of pages that never change: later than anything that is asked for.
pub(super) const READ_STAMP: u64 = u64::MAX - 1;

/// Pages that a source keeps: 64 MiB.
const KEPT_PAGES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// A label raster that does not change. Threads that read share one source.
///
/// Sources never panic on hostile files; a failed read leaves them usable.
pub trait LabelSource: Send + Sync {
    /// The classes; a page's codes are indices of these, or the codes that are no classes.
    fn classes(&self) -> &[LabelClass];

    /// Where the px of level 0 lie. Level `n` is `raster().level(n)`, up to `raster().coarsest()`.
    fn raster(&self) -> Raster;

    /// A page of any level. Px beyond the raster are [`super::UNKNOWN`].
    ///
    /// # Errors
    /// When there is no such page or the file can't be read there.
    fn read_page(&self, id: PageId) -> Result<Arc<Page>, LabelError>;
}

/// Whether a raster has a page.
pub(super) fn has_page(raster: &Raster, id: PageId) -> bool {
    let (columns, rows) = raster.level(id.level).pages();
    id.level <= raster.coarsest() && id.col < columns && id.row < rows
}

/// Makes pages of coarser levels from finer ones, by the rule of [`super::LabelPyramid`], and keeps
/// the pages that were asked for last.
pub(super) struct Coarser {
    raster: Raster,
    ranks: Ranks,
    /// By page and the level that it was made from.
    kept: Mutex<LruCache<(PageId, u8), Arc<Page>>>,
}

impl Coarser {
    pub fn new(raster: Raster, ranks: Ranks) -> Self {
        Self {
            raster,
            ranks,
            kept: Mutex::new(LruCache::new(KEPT_PAGES)),
        }
    }

    /// The page `id` made from pages of level `base`, which `read` reads.
    pub fn page(
        &self,
        id: PageId,
        base: u8,
        read: &dyn Fn(PageId) -> Result<Page, LabelError>,
    ) -> Result<Arc<Page>, LabelError> {
        if let Some(page) = self.kept().get(&(id, base)) {
            return Ok(Arc::clone(page));
        }
        let page = if id.level <= base {
            read(id)?
        } else {
            self.reduced(id, base, read)?
        };
        let page = Arc::new(page);
        self.kept().put((id, base), Arc::clone(&page));
        Ok(page)
    }

    fn reduced(
        &self,
        id: PageId,
        base: u8,
        read: &dyn Fn(PageId) -> Result<Page, LabelError>,
    ) -> Result<Page, LabelError> {
        let mut page = Page::new(READ_STAMP);
        for n in 0..4 {
            let child = PageId {
                level: id.level - 1,
                col: id.col * 2 + n % 2,
                row: id.row * 2 + n / 2,
            };
            if has_page(&self.raster, child) {
                let finer = self.page(child, base, read)?;
                reduce_page(&mut page, child, &finer, &self.ranks);
            }
        }
        Ok(page)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, LruCache<(PageId, u8), Arc<Page>>> {
        // Pages are put whole, so a poisoned cache is still sound.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Pages of a mask, read where they are looked at, by a thread of its own.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::gpu::overlay::{LayerKey, PageStore};
use crate::labels::{LabelSource, Page, PageId, Raster};

/// Pages that are kept: 64 MiB.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// Pages that wait to be read; of more, those asked for last.
const WAITING: usize = 256;

struct Inbox {
    kept: LruCache<PageId, Arc<Page>>,
    wanted: VecDeque<PageId>,
    failed: HashSet<PageId>,
    failure: Option<String>,
    closed: bool,
}

struct Shared {
    inbox: Mutex<Inbox>,
    news: Condvar,
}

impl Shared {
    /// A thread that panicked leaves whole pages behind.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mask's pages with other codes. Asking never waits: what is not there yet is read.
pub struct MaskPages {
    shared: Arc<Shared>,
    raster: Raster,
    key: LayerKey,
}

impl MaskPages {
    /// Starts the thread. `recode`: the code that is shown for each of the file's; `wake` is called
    /// when a page was read.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(
        labels: Arc<dyn LabelSource>,
        key: LayerKey,
        recode: [u8; 256],
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox {
                kept: LruCache::new(KEPT),
                wanted: VecDeque::new(),
                failed: HashSet::new(),
                failure: None,
                closed: false,
            }),
            news: Condvar::new(),
        });
        let raster = labels.raster();
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("mask-reader".to_owned())
            .spawn(move || {
                while let Some(id) = next(&for_thread) {
                    read(&for_thread, labels.as_ref(), id, &recode);
                    wake();
                }
            })?;
        Ok(Self {
            shared,
            raster,
            key,
        })
    }

    /// The overlay pass's name for it.
    pub fn key(&self) -> LayerKey {
        self.key
    }

    /// Where its px lie.
    pub fn raster(&self) -> Raster {
        self.raster
    }

    /// Why a page could not be read; told once.
    pub fn take_failure(&self) -> Option<String> {
        self.shared.lock().failure.take()
    }
}

impl PageStore for MaskPages {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        let mut inbox = self.shared.lock();
        if let Some(page) = inbox.kept.get(&id) {
            return Some((Arc::clone(page), u64::MAX));
        }
        if !inbox.failed.contains(&id) && !inbox.wanted.contains(&id) {
            inbox.wanted.push_front(id);
            inbox.wanted.truncate(WAITING);
            drop(inbox);
            self.shared.news.notify_one();
        }
        None
    }
}

impl Drop for MaskPages {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.news.notify_one();
    }
}

/// The page that was asked for last; waits for one. `None` to stop.
fn next(shared: &Shared) -> Option<PageId> {
    let idle = |inbox: &mut Inbox| inbox.wanted.is_empty() && !inbox.closed;
    let waited = shared.news.wait_while(shared.lock(), idle);
    let mut inbox = waited.unwrap_or_else(PoisonError::into_inner);
    let wanted = inbox.wanted.front().copied();
    wanted.filter(|_| !inbox.closed).inspect(|id| {
        // Stays in the list until it is read, so that nobody asks for it again.
        inbox.wanted.retain(|other| other != id);
        inbox.wanted.push_back(*id);
    })
}

fn read(shared: &Shared, labels: &dyn LabelSource, id: PageId, recode: &[u8; 256]) {
    let page = labels.read_page(id);
    let page = page.map(|page| Arc::new(recoded(&page, recode)));
    let mut inbox = shared.lock();
    inbox.wanted.retain(|other| *other != id);
    match page {
        Ok(page) => _ = inbox.kept.put(id, page),
        Err(error) => {
            inbox.failed.insert(id);
            inbox.failure = Some(error.to_string());
        }
    }
}

fn recoded(page: &Page, recode: &[u8; 256]) -> Page {
    let mut page = page.clone();
    for texel in page.texels_mut() {
        texel.code = recode[usize::from(texel.code)];
        texel.any = recode[usize::from(texel.any)];
    }
    page
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::labels::{LabelClass, LabelError, NOT_ANALYSED, Texel};

    struct Made;

    impl LabelSource for Made {
        fn classes(&self) -> &[LabelClass] {
            &[]
        }

        fn raster(&self) -> Raster {
            Raster {
                slide_px_per_px: (1.0, 1.0),
                size_px: (512, 256),
            }
        }

        fn read_page(&self, id: PageId) -> Result<Arc<Page>, LabelError> {
            if id.col == 1 {
                return Err(LabelError::new(std::path::Path::new("m.png"), "torn"));
            }
            let mut page = Page::new(1);
            page.texels_mut().fill(Texel::of(2));
            page.texels_mut()[0] = Texel::of(NOT_ANALYSED);
            Ok(Arc::new(page))
        }
    }

    #[test]
    fn pages_come_later_recoded_and_a_torn_one_is_told_once() {
        let mut recode: [u8; 256] = std::array::from_fn(|code| code as u8);
        recode[2] = 7;
        let pages = MaskPages::start(Arc::new(Made), LayerKey(1), recode, || ()).unwrap();
        let id = |col| PageId {
            level: 0,
            col,
            row: 0,
        };
        let until = Instant::now() + Duration::from_secs(5);
        let (mut page, mut failure) = (None, None);
        while (page.is_none() || failure.is_none()) && Instant::now() < until {
            page = page.or(pages.page(id(0)));
            assert!(pages.page(id(1)).is_none());
            failure = failure.or(pages.take_failure());
            std::thread::sleep(Duration::from_millis(2));
        }
        let (page, _) = page.unwrap();
        assert_eq!(
            (page.texel(0, 0).code, page.texel(1, 0).code),
            (NOT_ANALYSED, 7)
        );
        assert!(failure.unwrap().contains("torn"));
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(
            (pages.page(id(1)).is_none(), pages.take_failure()),
            (true, None)
        );
    }
}

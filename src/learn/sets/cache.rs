//! Decoded items in memory, limited in bytes; the least recently used go first.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::{Labelled, SetError};

/// Items by index. Several threads may ask at once; nothing is locked while an item is read.
pub(super) struct Cache {
    held: Mutex<Held>,
    limit_bytes: usize,
}

struct Held {
    items: LruCache<usize, Arc<Labelled>>,
    bytes: usize,
}

impl Cache {
    /// An empty cache of at most `limit_bytes`, or of one item where that is larger.
    pub fn new(limit_bytes: usize) -> Self {
        let held = Held {
            items: LruCache::unbounded(),
            bytes: 0,
        };
        Self {
            held: Mutex::new(held),
            limit_bytes,
        }
    }

    /// Item number `index`, from `read` where it is not held.
    pub fn get(
        &self,
        index: usize,
        read: impl FnOnce() -> Result<Labelled, SetError>,
    ) -> Result<Arc<Labelled>, SetError> {
        if let Some(item) = self.locked(|held| held.items.get(&index).cloned()) {
            return Ok(item);
        }
        let item = Arc::new(read()?);
        self.locked(|held| {
            held.bytes += item.bytes();
            if let Some(old) = held.items.put(index, Arc::clone(&item)) {
                held.bytes -= old.bytes();
            }
            while held.bytes > self.limit_bytes && held.items.len() > 1 {
                let gone = held.items.pop_lru();
                held.bytes -= gone.map_or(0, |(_, item)| item.bytes());
            }
        });
        Ok(item)
    }

    /// A thread that panicked leaves nothing half done here.
    fn locked<T>(&self, work: impl FnOnce(&mut Held) -> T) -> T {
        work(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_what_is_used_stays() {
        let read = |bytes: usize| {
            Ok(Labelled {
                rgb: vec![0; bytes],
                mask: Vec::new(),
                width: 0,
                height: 0,
                mpp: 1.0,
            })
        };
        let cache = Cache::new(100);
        let reads = std::cell::Cell::new(0);
        let get = |index, bytes| {
            let counted = || {
                reads.set(reads.get() + 1);
                read(bytes)
            };
            cache.get(index, counted).unwrap();
            (reads.get(), cache.locked(|held| held.bytes))
        };
        assert_eq!(get(0, 40), (1, 40));
        assert_eq!(get(1, 40), (2, 80));
        assert_eq!(get(0, 40), (2, 80));
        assert_eq!(get(2, 40), (3, 80));
        assert_eq!(get(0, 40), (3, 80));
        assert_eq!(get(1, 40), (4, 80));
        // One larger than the limit is held alone.
        assert_eq!(get(9, 400), (5, 400));
        assert_eq!(get(9, 400), (5, 400));
        assert!(cache.get(3, || Err(SetError::Cancelled)).is_err());
    }
}

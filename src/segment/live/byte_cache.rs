//! What was computed and may be computed again, limited in bytes.

use std::hash::Hash;

use lru::LruCache;

/// Values with their sizes; what was not asked for for longest goes first.
#[derive(Debug)]
pub struct ByteCache<K: Hash + Eq, V> {
    values: LruCache<K, (V, u64)>,
    bytes: u64,
    limit_bytes: u64,
}

impl<K: Hash + Eq, V> ByteCache<K, V> {
    /// An empty one.
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            values: LruCache::unbounded(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// A value, which counts as asked for.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(value, _)| value)
    }

    /// Whether there is a value; does not count as asked for.
    pub fn has(&self, key: &K) -> bool {
        self.values.contains(key)
    }

    /// A value; does not count as asked for.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.values.peek(key).map(|(value, _)| value)
    }

    /// Keeps a value of so many bytes in place of one that was there; others go to make room. One
    /// that is larger than the limit is kept alone, so that work on it can end.
    pub fn put(&mut self, key: K, value: V, bytes: u64) {
        self.bytes += bytes;
        if let Some((_, old)) = self.values.put(key, (value, bytes)) {
            self.bytes -= old;
        }
        while self.bytes > self.limit_bytes && self.values.len() > 1 {
            let gone = self.values.pop_lru();
            self.bytes -= gone.map_or(0, |(_, (_, bytes))| bytes);
        }
    }

    /// Drops those whose keys `keep` refuses.
    pub fn retain(&mut self, keep: impl Fn(&K) -> bool)
    where
        K: Clone,
    {
        let gone: Vec<K> = self.values.iter().map(|(key, _)| key.clone()).collect();
        for key in gone.into_iter().filter(|key| !keep(key)) {
            let popped = self.values.pop(&key);
            self.bytes -= popped.map_or(0, |(_, bytes)| bytes);
        }
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_what_is_used_stays() {
        let mut cache = ByteCache::new(10);
        for key in 0..3 {
            cache.put(key, key, 4);
            assert!(cache.bytes() <= 10);
        }
        assert_eq!(cache.peek(&0), None);
        assert_eq!(cache.get(&1), Some(&1));
        cache.put(3, 3, 4);
        assert_eq!((cache.peek(&1), cache.peek(&2)), (Some(&1), None));
        cache.put(1, 9, 6);
        assert_eq!((cache.bytes(), cache.peek(&1)), (10, Some(&9)));
        cache.put(7, 7, 99);
        assert_eq!((cache.bytes(), cache.peek(&7)), (99, Some(&7)));
        cache.retain(|key| *key != 7);
        assert_eq!(cache.bytes(), 0);
    }
}

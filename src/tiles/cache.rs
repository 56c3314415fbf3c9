//! Decoded tiles in memory, limited in bytes; the least recently used go first.

use std::sync::Arc;

use lru::LruCache;

use crate::slide::Rgba;

use super::{SlideId, TileKey};

/// Share of the machine's memory that tiles may take unless the settings say otherwise.
const MEMORY_SHARE: u64 = 4;

/// The most that the default takes however much memory there is.
const DEFAULT_LIMIT_MAX_BYTES: u64 = 2 << 30;

/// What one entry costs beyond its pixels; a rough figure that bounds the count of tiny tiles.
const ENTRY_OVERHEAD_BYTES: u64 = 256;

/// A quarter of the machine's memory, at most 2 GiB; 512 MiB where the memory can't be asked for.
pub fn default_limit_bytes() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else {
        return 512 << 20;
    };
    system.refresh_memory();
    (system.total_memory() / MEMORY_SHARE).clamp(64 << 20, DEFAULT_LIMIT_MAX_BYTES)
}

/// Tiles by key, never more than the limit in bytes.
pub struct TileCache {
    tiles: LruCache<TileKey, Arc<Rgba>>,
    used_bytes: u64,
    limit_bytes: u64,
}

impl TileCache {
    /// An empty cache of at most `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            tiles: LruCache::unbounded(),
            used_bytes: 0,
            limit_bytes,
        }
    }

    /// The tile, marked as just used.
    pub fn get(&mut self, key: &TileKey) -> Option<Arc<Rgba>> {
        self.tiles.get(key).cloned()
    }

    /// Whether the tile is held; does not count as use.
    pub fn contains(&self, key: &TileKey) -> bool {
        self.tiles.contains(key)
    }

    /// Adds a tile and drops the least recently used ones until the limit holds. A tile larger
    /// than the whole limit is not kept.
    pub fn insert(&mut self, key: TileKey, tile: Arc<Rgba>) {
        let bytes = cost_bytes(&tile);
        if bytes > self.limit_bytes {
            return;
        }
        if let Some(old) = self.tiles.put(key, tile) {
            self.used_bytes -= cost_bytes(&old);
        }
        self.used_bytes += bytes;
        self.shrink();
    }

    /// Drops every tile of a slide.
    pub fn remove_slide(&mut self, slide: SlideId) {
        let gone: Vec<TileKey> = self
            .tiles
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| key.slide == slide)
            .collect();
        for key in gone {
            if let Some(tile) = self.tiles.pop(&key) {
                self.used_bytes -= cost_bytes(&tile);
            }
        }
    }

    /// Changes the limit, dropping tiles at once where it shrinks.
    pub fn set_limit_bytes(&mut self, limit_bytes: u64) {
        self.limit_bytes = limit_bytes;
        self.shrink();
    }

    /// Bytes held now; never more than the limit.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The limit, bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    fn shrink(&mut self) {
        while self.used_bytes > self.limit_bytes {
            let Some((_, tile)) = self.tiles.pop_lru() else {
                break;
            };
            self.used_bytes -= cost_bytes(&tile);
        }
    }
}

fn cost_bytes(tile: &Rgba) -> u64 {
    tile.data.len() as u64 + ENTRY_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u32) -> TileKey {
        TileKey {
            slide: SlideId(n % 3),
            level: 0,
            col: n,
            row: 0,
        }
    }

    proptest! {
        #[test]
        fn the_limit_always_holds_and_the_count_of_bytes_is_true(
            limit in 0u64..60_000, steps in prop::collection::vec((0u32..40, 1u32..60, 0u8..6), 1..200),
        ) {
            let mut cache = TileCache::new(limit);
            for (n, side, action) in steps {
                match action {
                    0 => { cache.get(&key(n)); }
                    1 => cache.remove_slide(SlideId(n % 3)),
                    2 => cache.set_limit_bytes(u64::from(side) * 1000),
                    _ => cache.insert(key(n), Arc::new(Rgba::transparent(side, side))),
                }
                prop_assert!(cache.used_bytes() <= cache.limit_bytes());
                let counted: u64 = cache.tiles.iter().map(|(_, tile)| cost_bytes(tile)).sum();
                prop_assert_eq!(counted, cache.used_bytes());
            }
        }
    }

    #[test]
    fn the_least_recently_used_tile_goes_first() {
        let tile = || Arc::new(Rgba::transparent(16, 16));
        let mut cache = TileCache::new(3 * cost_bytes(&tile()));
        for n in 0..3 {
            cache.insert(key(n), tile());
        }
        cache.get(&key(0));
        cache.insert(key(3), tile());
        let held: Vec<bool> = (0..4).map(|n| cache.contains(&key(n))).collect();
        assert_eq!(held, [true, false, true, true]);
    }
}

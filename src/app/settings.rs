//! What the user chose, kept in `settings.toml`.

use serde::{Deserialize, Serialize};

use crate::gpu::DisplayAdjust;

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the desktop says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The settings file. Missing entries take their defaults; unknown ones are kept out of the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub theme: Theme,
    /// MiB of decoded tiles kept in memory; none: a quarter of the memory, at most 2048.
    pub tile_cache_mib: Option<u64>,
    /// Reader threads; none: as many as cores, 2 to 4.
    pub readers: Option<usize>,
    /// Whether the overview is shown.
    pub minimap: bool,
    /// Display adjustments.
    pub display: DisplayAdjust,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            tile_cache_mib: None,
            readers: None,
            minimap: true,
            display: DisplayAdjust::default(),
        }
    }
}

/// Least and most MiB of decoded tiles that can be asked for.
pub const CACHE_MIB: std::ops::RangeInclusive<u64> = 64..=65_536;

/// Least and most reader threads.
const READERS: std::ops::RangeInclusive<usize> = 1..=16;

impl Settings {
    /// The same with every number brought into its range: the file may have been edited by hand.
    pub fn within_bounds(mut self) -> Self {
        let cache = |mib: u64| mib.clamp(*CACHE_MIB.start(), *CACHE_MIB.end());
        self.tile_cache_mib = self.tile_cache_mib.map(cache);
        self.readers = self
            .readers
            .map(|count| count.clamp(*READERS.start(), *READERS.end()));
        let (display, default) = (&mut self.display, DisplayAdjust::default());
        let within = |value: f32, least: f32, most: f32, default: f32| {
            if value.is_finite() {
                value.clamp(least, most)
            } else {
                default
            }
        };
        display.brightness = within(display.brightness, -1.0, 1.0, default.brightness);
        display.contrast = within(display.contrast, 0.25, 4.0, default.contrast);
        display.gamma = within(display.gamma, 0.2, 5.0, default.gamma);
        self
    }
}

//! Families of tiles for Magnification-Aware Distillation: a parent at low magnification and its
//! 4 × 4 aligned children at exactly four times that, cut by microns from any slide.
//!
//! ```text
//! settings ─→ Sources (slides, where their tissue is, scales they allow)
//!                │ keyed by (seed, step, family)
//!                ▼
//!             Family (8-bit, as the slide has it) ─→ two augmented views a tile ─→ FamilyBatch
//! ```
//!
//! What a step holds depends on the settings, the seed and the step's number alone, never on how
//! many threads made it or on where a run began.

pub mod augment;
pub mod batch;
pub mod config;
pub mod error;
pub mod family;
pub(in crate::learn) mod key;
pub mod loader;
mod optics;
#[cfg(test)]
mod sheet;
pub mod slides;
pub mod source;
mod stain;
#[cfg(test)]
pub(in crate::learn) mod test_slide;
#[cfg(test)]
mod tests;
pub mod tissue;

pub use augment::AugmentConfig;
pub use batch::{FamilyBatch, View};
pub use config::SamplingConfig;
pub use error::SamplingError;
pub use family::{CHILDREN, Family, GRID, cut_family};
pub use loader::Loader;
pub use slides::Sources;
pub use source::SourceConfig;

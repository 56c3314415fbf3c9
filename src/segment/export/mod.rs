//! What was analysed of a slide, as a label map on disk: the form of `parfocal segment`, from the
//! pages of a live map.

mod origin;
mod report;
mod rows;
mod snapshot;
#[cfg(test)]
mod tests;
mod write;

pub use origin::{FusionUsed, MapOrigin};
pub use report::{LeftOut, MaskReport};
pub use snapshot::MapSnapshot;
pub use write::{MaskSubject, write_mask};

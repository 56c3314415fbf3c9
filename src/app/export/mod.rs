//! Pictures of a field that say what they show: scale bar, legend, and in the file what they follow
//! from.
//!
//! All of it works without a window, for the window's menu and for `parfocal render` alike.

mod field;
mod legend;
mod lettering;
mod paint;
pub mod png;
mod provenance;
mod strip;
mod work;
mod writing;

pub use field::{FieldOverlay, FieldPicture, FieldPng, LegendClasses};
pub use legend::{HeatScale, Legend, LegendClass, LegendKey, UNNAMED, field_codes};
pub use lettering::Lettering;
pub use paint::{Labelled, StripContent, with_strip};
pub use provenance::FieldProvenance;
pub use work::{ExportCommand, MapToWrite};
pub use writing::Writing;

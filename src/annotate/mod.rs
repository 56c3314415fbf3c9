//! What people add to a slide: strokes, verdicts, scales and presets; kept, undone, exchanged.

mod database;
mod error;
pub mod geojson;
mod geojson_read;
#[cfg(test)]
mod geojson_tests;
mod history;
mod mask_file;
mod records;
mod schema;
mod store;
#[cfg(test)]
mod store_tests;
mod stroke;
mod writer;

pub use error::{ImportError, StoreError};
pub use history::{AnnotationEdit, Edit, History, Item, Reversible};
pub use mask_file::{MaskError, MaskFile, open_mask};
pub use records::{
    Change, Decision, Preset, RecordId, Said, SlideRecords, StrokeRecord, Verdict, now_ms,
};
pub use store::{Store, StoreEvent};
pub use stroke::{Stroke, covered, touched};

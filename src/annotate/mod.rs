//! What people add to a slide: strokes, verdicts, scales and presets; kept, undone, exchanged.

mod database;
mod error;
pub mod geojson;
mod geojson_read;
#[cfg(test)]
mod geojson_tests;
mod history;
mod records;
mod schema;
mod store;
#[cfg(test)]
mod store_tests;
mod stroke;
mod writer;

pub use error::{ImportError, StoreError};
pub use history::{AnnotationEdit, Edit, History, Item, Reversible};
pub use records::{
    Change, Decision, Preset, RecordId, SlideRecords, StrokeRecord, Verdict, now_ms,
};
pub use store::{Store, StoreEvent};
pub use stroke::{Stroke, covered, touched};

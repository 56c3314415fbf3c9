//! Label rasters: a class a px, on a raster anchored to a slide, in pages and coarser levels.
//!
//! What a network says of a slide and what others said of it before come in this one form, which
//! the overlay draws and comparisons read.

mod class_table;
mod code_as_grey;
mod code_table;
mod error;
mod file;
#[cfg(test)]
mod file_tests;
mod page;
mod palette;
mod place;
mod png_codes;
mod polygon_index;
#[cfg(test)]
mod polygon_tests;
mod polygons;
mod pyramid;
mod raster;
mod source;
mod tiff_codes;

pub use class_table::{ClassTable, default_rgb};
pub use code_table::{CodeRow, CodeTable};
pub use error::LabelError;
pub use file::LabelFile;
pub use page::{BLOCKS, FAILED, NO_STAMP, NOT_ANALYSED, Page, Resident, Texel, UNKNOWN, is_class};
pub use palette::{class_colours, default_palette};
pub use polygons::{LabelPolygon, PolygonLabels, Ring};
pub use pyramid::{LabelPyramid, Ranks};
pub use raster::{PAGE_PX, PageId, Raster};
pub use source::LabelSource;

/// A class of a label raster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LabelClass {
    /// Its name, by which biases and areas are stored.
    pub name: String,
    /// Its colour, sRGB.
    pub rgb: [u8; 3],
}

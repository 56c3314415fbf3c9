//! The slide that a command works on.

use std::path::Path;
use std::sync::Arc;

use crate::geometry::Mpp;
use crate::slide::argument::open_argument;
use crate::slide::scaled::Scaled;
use crate::slide::{SlideError, SlideSource};

/// Opens what the user named, with the scale that the user stated, if any.
///
/// # Errors
/// When it can't be opened.
pub fn open(slide: &Path, mpp: Option<Mpp>) -> Result<Arc<dyn SlideSource>, SlideError> {
    let slide = open_argument(slide)?;
    Ok(match mpp {
        Some(mpp) => Arc::new(Scaled::new(slide, mpp)),
        None => slide,
    })
}

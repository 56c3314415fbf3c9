//! What a user may name a slide by: a path, or `phantom:` and a tissue.

use std::path::Path;
use std::sync::Arc;

use super::phantom::{PhantomSource, PhantomSpec, Tissue};
use super::{OPEN_TIMEOUT, SlideError, SlideSource, open_with_timeout};

/// The slide that opens when none is asked for.
pub const DEMO: &str = "phantom:brain";

/// The seed of a phantom that is named without one.
const DEFAULT_SEED: u64 = 7;

/// Opens `phantom:TISSUE` or `phantom:TISSUE?seed=N`, else a file or folder.
///
/// # Errors
/// When the phantom's name is not understood or the file can't be opened.
pub fn open_argument(argument: &Path) -> Result<Arc<dyn SlideSource>, SlideError> {
    match argument
        .to_str()
        .and_then(|text| text.strip_prefix("phantom:"))
    {
        Some(name) => open_phantom(argument, name),
        None => open_with_timeout(argument, OPEN_TIMEOUT),
    }
}

/// Whether `argument` names a phantom rather than a file.
pub fn is_phantom(argument: &Path) -> bool {
    argument
        .to_str()
        .is_some_and(|text| text.starts_with("phantom:"))
}

fn open_phantom(argument: &Path, name: &str) -> Result<Arc<dyn SlideSource>, SlideError> {
    let refuse = |reason: String| SlideError::Path {
        path: argument.to_path_buf(),
        reason,
    };
    let (tissue, seed) = match name.split_once("?seed=") {
        Some((tissue, seed)) => (
            tissue,
            seed.parse()
                .map_err(|_| refuse("the seed must be a whole number".into()))?,
        ),
        None => (name, DEFAULT_SEED),
    };
    let tissue: Tissue = tissue.parse().map_err(|_| {
        refuse("there are phantoms of brain, breast and colon, such as phantom:brain?seed=7".into())
    })?;
    let source = PhantomSource::new(PhantomSpec::preset(tissue, seed))
        .map_err(|error| refuse(error.to_string()))?;
    Ok(Arc::new(source))
}

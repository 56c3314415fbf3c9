//! What a user may name a slide by: a path, or `phantom:` and a tissue.

use std::path::{Path, PathBuf};
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
    match phantom_spec(argument)? {
        Some(spec) => {
            let source = PhantomSource::new(spec);
            let source = source.map_err(|error| refused(argument, error.to_string()))?;
            Ok(Arc::new(source))
        }
        None => open_with_timeout(argument, OPEN_TIMEOUT),
    }
}

/// Whether `argument` names a phantom rather than a file.
pub fn is_phantom(argument: &Path) -> bool {
    phantom_name(argument).is_some()
}

/// `argument`, if it is a name that can be understood: any path, or a phantom that there is.
///
/// # Errors
/// When a phantom's tissue or option is unknown, or its seed is no whole number.
pub fn understood(argument: PathBuf) -> Result<PathBuf, SlideError> {
    phantom_spec(&argument)?;
    Ok(argument)
}

fn phantom_name(argument: &Path) -> Option<&str> {
    argument.to_str()?.strip_prefix("phantom:")
}

fn phantom_spec(argument: &Path) -> Result<Option<PhantomSpec>, SlideError> {
    let Some(name) = phantom_name(argument) else {
        return Ok(None);
    };
    let (tissue, options) = name.split_once('?').unwrap_or((name, ""));
    let tissue: Tissue = tissue.parse().map_err(|_| {
        let known = "there are phantoms of brain, breast and colon, such as phantom:brain?seed=7";
        refused(argument, known.to_owned())
    })?;
    let mut seed = DEFAULT_SEED;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let Some(number) = option.strip_prefix("seed=") else {
            let name = option.split_once('=').map_or(option, |(name, _)| name);
            let reason = format!("a phantom has no option '{name}'; there is seed, as in ?seed=7");
            return Err(refused(argument, reason));
        };
        seed = number.parse().map_err(|_| {
            let reason = format!("the seed must be a whole number, not '{number}'");
            refused(argument, reason)
        })?;
    }
    Ok(Some(PhantomSpec::preset(tissue, seed)))
}

fn refused(argument: &Path, reason: String) -> SlideError {
    SlideError::Path {
        path: argument.to_path_buf(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed_of(argument: &str) -> Result<Option<u64>, String> {
        let spec = phantom_spec(Path::new(argument)).map_err(|error| error.to_string())?;
        Ok(spec.map(|spec| spec.seed))
    }

    #[test]
    fn phantoms_are_told_from_files() {
        assert_eq!(seed_of("a.svs"), Ok(None));
        assert_eq!(seed_of("brain?seed=3"), Ok(None));
        assert_eq!(seed_of("phantom:brain"), Ok(Some(DEFAULT_SEED)));
        assert_eq!(seed_of("phantom:colon?seed=12"), Ok(Some(12)));
    }

    #[test]
    fn what_is_not_understood_of_a_phantom_is_named() {
        for (argument, word) in [
            ("phantom:", "brain, breast and colon"),
            ("phantom:liver?seed=3", "brain, breast and colon"),
            ("phantom:brain?seed=x", "'x'"),
            ("phantom:brain?seed=-1", "'-1'"),
            ("phantom:brain?bogus=3", "'bogus'"),
            ("phantom:brain?seed=3&size", "'size'"),
        ] {
            let said = seed_of(argument).unwrap_err();
            assert!(said.starts_with(argument) && said.contains(word), "{said}");
        }
    }
}

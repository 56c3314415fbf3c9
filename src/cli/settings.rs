//! Settings files.

use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

/// Reads a TOML table of settings from `path`.
///
/// # Errors
/// In words that name the file, the place and what was expected there.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} can't be read", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// What is wrong with the values of the settings file at `path`, in words that name it.
///
/// # Errors
/// When `checked` is one.
pub fn sound<E>(path: &Path, checked: Result<(), E>) -> anyhow::Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    checked.with_context(|| path.display().to_string())
}

/// The folder that relative paths in a settings file are relative to.
pub fn base_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

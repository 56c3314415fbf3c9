//! What can go wrong with a set, in words a user can act on.

use std::path::PathBuf;

use super::Part;
use crate::learn::sampling::SamplingError;
use crate::slide::phantom::PhantomError;

/// A set that can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetError {
    /// A file or folder can't be read or is not what the layout says.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why, and what was expected.
        reason: String,
    },
    /// An image without its mask, or a mask without its image.
    #[error("{} has no partner: expected {}", path.display(), expected.display())]
    Unpaired {
        /// The file that is there.
        path: PathBuf,
        /// The file that is not.
        expected: PathBuf,
    },
    /// Image and mask of different sizes.
    #[error(
        "{} is {} x {} px, its image {} is {} x {} px: they must be equal",
        mask.display(), mask_px.0, mask_px.1, image.display(), image_px.0, image_px.1
    )]
    Size {
        /// The image.
        image: PathBuf,
        /// Its width and height, px.
        image_px: (usize, usize),
        /// The mask.
        mask: PathBuf,
        /// Its width and height, px.
        mask_px: (usize, usize),
    },
    /// Codes that the class table does not have.
    #[error("{}: {} no class of '{table}', which knows {known}", path.display(), counted(codes))]
    UnknownCodes {
        /// The mask.
        path: PathBuf,
        /// Each code and the number of its px, ascending by code.
        codes: Vec<(u16, u64)>,
        /// Name of the class table.
        table: String,
        /// Its codes.
        known: String,
    },
    /// A class table that can't be.
    #[error("class table '{table}': {reason}")]
    Classes {
        /// Its name or file.
        table: String,
        /// Why.
        reason: String,
    },
    /// Two of one name.
    #[error("{}: two items are called '{name}'", place.display())]
    Duplicate {
        /// The folder or file.
        place: PathBuf,
        /// The name.
        name: String,
    },
    /// A part of a split without items.
    #[error("the {} part of {set} is empty: {reason}", part.name())]
    Empty {
        /// Name of the set.
        set: String,
        /// The part.
        part: Part,
        /// Why, and what to do.
        reason: String,
    },
    /// A class that training would never see.
    #[error(
        "no px of class '{class}' in the training part of {set} ({items} items): it can't be \
         learned; change the split or leave the class out of the class table"
    )]
    NoPixels {
        /// Name of the set.
        set: String,
        /// The class.
        class: String,
        /// Number of training items.
        items: usize,
    },
    /// A group in two parts.
    #[error("group '{group}' lies in the {} and the {} part: its items must stay together", first.name(), second.name())]
    Leak {
        /// Patient, slide or region.
        group: String,
        /// One part.
        first: Part,
        /// Another.
        second: Part,
    },
    /// A setting out of its range.
    #[error("{setting} = {value}: {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A phantom that can't be made.
    #[error(transparent)]
    Phantom(#[from] PhantomError),
    /// A setting of the augmentation.
    #[error(transparent)]
    Augment(#[from] SamplingError),
    /// A loader thread could not be started, or ended before its time.
    #[error("the loader of crops stopped: {0}")]
    Loader(String),
    /// The user stopped it.
    #[error("stopped: the set was not counted to its end")]
    Cancelled,
}

impl SetError {
    /// A file that can't be used.
    pub(super) fn file(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::File {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    /// A setting that must be `expected`.
    pub(in crate::learn) fn setting(
        setting: &'static str,
        value: impl std::fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self::Setting {
            setting,
            value: format!("{value:?}"),
            expected: expected.into(),
        }
    }

    /// An item that is not in the set.
    pub(super) fn no_item(index: usize, count: usize) -> Self {
        Self::setting("item", index, format!("must be below {count}"))
    }
}

/// At most this many unknown codes are spelled out.
const MOST_CODES: usize = 5;

/// `code 22 (17 px) is` or `codes 22 (17 px), 23 (1 px) are`.
fn counted(codes: &[(u16, u64)]) -> String {
    let first = codes.iter().take(MOST_CODES);
    let named: Vec<String> = first
        .map(|(code, px)| format!("{code} ({px} px)"))
        .collect();
    let rest = match codes.len().saturating_sub(MOST_CODES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match codes.len() {
        1 => format!("code {} is", named.join(", ")),
        _ => format!("codes {}{rest} are", named.join(", ")),
    }
}

//! What a person says of a mask whose codes no file names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::joined;
use crate::app::App;
use crate::app::review::ReviewOf;
use crate::labels::{CodeTable, LabelFile, LabelSource as _};

/// What is said of one code of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeEdit {
    /// The code is called so.
    Name(u16, String),
    /// Its colour, sRGB.
    Colour(u16, [u8; 3]),
    /// Whether its px are left out.
    Ignore(u16, bool),
    /// The mask has this code too.
    Add(u16),
}

/// The codes of a mask as they are typed, and as they are applied.
pub struct UnnamedCodes {
    /// As they are typed.
    pub typed: CodeTable,
    /// With the classes that were typed last without a mistake.
    pub file: Arc<LabelFile>,
}

impl UnnamedCodes {
    /// The codes of a file that names none; `None` where it has too many to be named one by one.
    pub fn of(file: &LabelFile) -> Option<Self> {
        let typed = CodeTable::of(file)?;
        let file = Arc::new(file.with_table(&typed.class_table().ok()?));
        Some(Self { typed, file })
    }

    /// Takes an edit over. The file with the new classes, unless something that is typed is wrong
    /// or nothing is another.
    pub fn edit(&mut self, edit: CodeEdit) -> Option<Arc<LabelFile>> {
        match edit {
            CodeEdit::Add(code) => self.typed.add(code),
            CodeEdit::Name(code, name) => self.typed.row_mut(code)?.name = name,
            CodeEdit::Colour(code, rgb) => self.typed.row_mut(code)?.rgb = rgb,
            CodeEdit::Ignore(code, is_ignored) => {
                self.typed.row_mut(code)?.is_ignored = is_ignored;
            }
        }
        let file = self.file.with_table(&self.typed.class_table().ok()?);
        let is_same = file.has_pages_of(&self.file) && file.classes() == self.file.classes();
        (!is_same).then(|| Arc::new(file))
    }
}

impl App {
    /// Applies what is said of a code to all that shows the mask. Pages are made anew only where
    /// their px change.
    pub(super) fn edit_code(&mut self, edit: CodeEdit) {
        let model = self.state.overlay.model_classes();
        let Some(mask) = &mut self.state.masks.open else {
            return;
        };
        let Some(codes) = &mut mask.unnamed else {
            return;
        };
        let Some(file) = codes.edit(edit) else {
            return;
        };
        let before = std::mem::replace(&mut codes.file, Arc::clone(&file));
        mask.labels = Arc::clone(&file) as _;
        let (classes, recode) = joined(&model, file.classes());
        let names = |file: &LabelFile| -> Vec<String> {
            file.classes()
                .iter()
                .map(|class| class.name.clone())
                .collect()
        };
        let is_colour_only = file.has_pages_of(&before) && names(&file) == names(&before);
        if file.has_pages_of(&before) && recode == joined(&model, before.classes()).1 {
            mask.classes.clone_from(&classes);
            self.extend_palette(&classes, model.len());
        } else {
            self.rejoin_open_mask();
        }
        if !is_colour_only {
            self.forget_comparison_with_mask();
        }
    }

    /// What was found of the mask by other names is not so any more.
    fn forget_comparison_with_mask(&mut self) {
        let found = self.state.review.found();
        if found.is_some_and(|found| found.of == ReviewOf::Mask) {
            self.end_review();
        }
    }

    /// Writes what was said of the mask's codes.
    pub(super) fn save_codes(&mut self, path: PathBuf) {
        let mask = self.state.masks.open.as_ref();
        let Some(codes) = mask.and_then(|mask| mask.unnamed.as_ref()) else {
            return;
        };
        let text = match is_json(&path) {
            true => codes.typed.to_json(),
            false => Err("the name of the file has to end in .json".to_owned()),
        };
        match text {
            Ok(text) => self.background.write(path, text.into_bytes()),
            Err(reason) => self.tell(format!("The classes can't be saved: {reason}"), true),
        }
    }
}

/// The ending says to those who read the file what it is.
fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

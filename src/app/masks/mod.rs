//! Masks from elsewhere over an open slide, and pictures of before: what an overlay is held against.

mod codes;
mod frozen;
mod pages;
mod swipe;
mod work;

pub use codes::{CodeEdit, UnnamedCodes};
pub use frozen::FrozenLayer;
pub use pages::MaskPages;
pub use swipe::show as show_swipe;

use std::path::PathBuf;
use std::sync::Arc;

use crate::labels::{LabelClass, LabelSource, is_class};
use crate::slide::SlideHash;

/// What is asked of masks; part of [`super::command::Command`].
#[derive(Debug, Clone, PartialEq)]
pub enum MaskCommand {
    /// Open a mask of the active slide.
    Open(PathBuf),
    /// Name the codes of the open mask by a file.
    Classes(PathBuf),
    /// Say what a code of the open mask stands for, which no file names.
    Code(CodeEdit),
    /// Write what was said of the open mask's codes to a `.json` file.
    SaveClasses(PathBuf),
    /// Give the mask up.
    Close,
    /// Draw something else.
    Show(Shown),
    /// Keep the overlay as it is now, to be held against what comes.
    Keep,
    /// Draw what an overlay is held against to the left of a place of the view, 0 to 1; none: not.
    Swipe(Option<f32>, SwipeWith),
}

/// What the overlay draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shown {
    /// What the model says.
    #[default]
    Model,
    /// The mask.
    Mask,
    /// Where they differ.
    Difference,
}

/// What is drawn to the left of a swipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SwipeWith {
    /// The overlay as it was kept.
    #[default]
    Kept,
    /// The mask.
    Mask,
}

/// A mask that is open.
pub struct OpenMask {
    /// Whose.
    pub slide: SlideHash,
    /// The file.
    pub path: PathBuf,
    /// The file's name.
    pub name: String,
    /// As it is read.
    pub labels: Arc<dyn LabelSource>,
    /// Its pages with the codes of `classes`.
    pub pages: Arc<MaskPages>,
    /// The model's classes, then those that only the mask has.
    pub classes: Vec<LabelClass>,
    /// What a person says of its codes, where no file names them.
    pub unnamed: Option<UnnamedCodes>,
}

/// Masks, and what is kept of before.
#[derive(Default)]
pub struct Masks {
    /// The mask.
    pub open: Option<OpenMask>,
    /// The mask that is being opened.
    pub opening: Option<PathBuf>,
    /// What the overlay draws.
    pub shown: Shown,
    /// The overlay as it was kept.
    pub kept: Vec<Arc<FrozenLayer>>,
    /// Where model and mask differ, as far as they were compared.
    pub difference: Option<Arc<FrozenLayer>>,
    /// Where a swipe is, 0 to 1 of a view's width, and what it shows.
    pub swipe: Option<(f32, SwipeWith)>,
}

/// The classes of a model and a mask as one list, and the code in it of each of the mask's codes.
/// Classes are the same where their names are, whatever the case.
pub fn joined(model: &[LabelClass], mask: &[LabelClass]) -> (Vec<LabelClass>, [u8; 256]) {
    let mut classes = model.to_vec();
    let mut recode: [u8; 256] = std::array::from_fn(|code| code as u8);
    for (code, class) in mask.iter().enumerate() {
        let same =
            |of: &LabelClass| of.name.trim().to_lowercase() == class.name.trim().to_lowercase();
        let at = classes.iter().position(same).unwrap_or_else(|| {
            classes.push(class.clone());
            classes.len() - 1
        });
        // What is beyond the codes of classes can't be told apart from what is none.
        let code_there = u8::try_from(at).ok().filter(|at| is_class(*at));
        if let (Some(entry), Some(at)) = (recode.get_mut(code), code_there) {
            *entry = at;
        }
    }
    (classes, recode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::NOT_ANALYSED;

    #[test]
    fn classes_are_the_same_by_name() {
        let class = |name: &str, rgb| LabelClass {
            name: name.into(),
            rgb,
        };
        let model = [class("tumor", [1; 3]), class("stroma", [2; 3])];
        let mask = [
            class("Stroma ", [9; 3]),
            class("fat", [8; 3]),
            class("TUMOR", [7; 3]),
        ];
        let (classes, recode) = joined(&model, &mask);
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["tumor", "stroma", "fat"]);
        assert_eq!(recode[..3], [1, 2, 0]);
        assert_eq!(recode[usize::from(NOT_ANALYSED)], NOT_ANALYSED);
        assert_eq!(joined(&[], &mask).1[..3], [0, 1, 2]);
    }
}

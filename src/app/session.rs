//! What is kept between runs without being asked: recent files, positions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::geometry::{Mpp, SlidePoint, View};
use crate::slide::SlideHash;

/// Most recent files that are listed.
const MOST_RECENT: usize = 12;

/// Slides whose last position is kept; the ones seen longest ago are forgotten first.
const MOST_SLIDES: usize = 1000;

/// Where a slide was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastView {
    /// Centre, level-0 px.
    pub center_px: (f64, f64),
    /// Level-0 px per screen px.
    pub slide_px_per_screen_px: f64,
    /// Clockwise rotation, radians.
    pub rotation_rad: f64,
    /// Mirrored left to right.
    pub mirrored: bool,
}

/// What is remembered of one slide.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Remembered {
    last_view: Option<LastView>,
    typed_mpp: Option<Mpp>,
    /// Counts up with every use; the smallest is forgotten first.
    used: u64,
}

/// The session file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    recent: Vec<PathBuf>,
    uses: u64,
    slides: BTreeMap<String, Remembered>,
}

impl Session {
    /// Files opened lately, the latest first.
    pub fn recent(&self) -> &[PathBuf] {
        &self.recent
    }

    /// Puts a file on top of the recent ones. A name that is not Unicode can't be written to the
    /// session file and is left out.
    pub fn note_opened(&mut self, path: &Path) {
        if path.to_str().is_none() {
            return;
        }
        self.recent.retain(|other| other != path);
        self.recent.insert(0, path.to_path_buf());
        self.recent.truncate(MOST_RECENT);
    }

    /// Empties the list of recent files.
    pub fn clear_recent(&mut self) {
        self.recent.clear();
    }

    /// Where a slide was last looked at.
    pub fn last_view(&self, slide: &SlideHash) -> Option<LastView> {
        self.slides.get(&slide.0).and_then(|known| known.last_view)
    }

    /// Remembers where a slide is looked at.
    pub fn note_view(&mut self, slide: &SlideHash, view: &View) {
        let SlidePoint { x, y, .. } = view.center;
        self.remember(slide).last_view = Some(LastView {
            center_px: (x, y),
            slide_px_per_screen_px: view.slide_px_per_screen_px,
            rotation_rad: view.rotation_rad,
            mirrored: view.mirrored,
        });
    }

    /// Takes out the scale that an earlier version of the program kept here for a slide.
    pub fn take_typed_mpp(&mut self, slide: &SlideHash) -> Option<Mpp> {
        let typed = self.slides.get_mut(&slide.0)?.typed_mpp.take()?;
        // The file may have been edited by hand; a wrong scale is worse than none.
        Mpp::new(typed.x, typed.y)
    }

    fn remember(&mut self, slide: &SlideHash) -> &mut Remembered {
        if !self.slides.contains_key(&slide.0) && self.slides.len() >= MOST_SLIDES {
            // A typed scale was work; a position was not.
            let oldest = self
                .slides
                .iter()
                .min_by_key(|(_, known)| (known.typed_mpp.is_some(), known.used));
            if let Some(hash) = oldest.map(|(hash, _)| hash.clone()) {
                self.slides.remove(&hash);
            }
        }
        self.uses += 1;
        let known = self.slides.entry(slide.0.clone()).or_default();
        known.used = self.uses;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_files_are_listed_once_latest_first() {
        let mut session = Session::default();
        for name in ["a", "b", "a"] {
            session.note_opened(Path::new(name));
        }
        assert_eq!(session.recent(), [Path::new("a"), Path::new("b")]);
    }

    #[test]
    fn the_oldest_position_is_forgotten_first_and_a_typed_scale_last() {
        let mut session = Session::default();
        let hash = |n: usize| SlideHash(n.to_string());
        session.remember(&hash(0)).typed_mpp = Mpp::square(0.5);
        for n in 1..=MOST_SLIDES {
            session.remember(&hash(n));
        }
        assert_eq!(session.slides.len(), MOST_SLIDES);
        assert_eq!(session.take_typed_mpp(&hash(0)), Mpp::square(0.5));
        assert_eq!(session.take_typed_mpp(&hash(0)), None);
        assert!(!session.slides.contains_key("1"));
    }
}

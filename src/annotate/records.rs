//! What is kept, as plain values.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::stroke::Stroke;
use crate::files::hex;
use crate::geometry::{Magnification, Mpp, SlideRect};
use crate::slide::SlideHash;

/// What a record is known by, in every program on the file and in exports: a random UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// One that nothing else has.
    pub fn random() -> Self {
        let mut bytes: [u8; 16] = rand::random();
        // Version 4, variant 1 (RFC 9562): random.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for RecordId {
    /// `6423a977-ffff-48db-affc-cd11632010f0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [0..4, 4..6, 6..8, 8..10, 10..16].map(|part| hex(&self.0[part]));
        f.write_str(&parts.join("-"))
    }
}

/// Milliseconds since 1970, UTC.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// A stroke on a slide.
#[derive(Debug, Clone, PartialEq)]
pub struct StrokeRecord {
    /// Its identity.
    pub id: RecordId,
    /// What was painted.
    pub stroke: Stroke,
    /// Hash of the model that it was painted for.
    pub model_hash: String,
    /// When it was painted, ms since 1970.
    pub created_ms: i64,
}

/// What a reviewer says of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This difference needs no action.
    Accept,
    /// Someone should look at this place again.
    Flag,
}

impl Decision {
    /// `accept` or `flag`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Flag => "flag",
        }
    }
}

/// What one of two maps says of a region.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The map: `40x`, `model`, or the name of a mask's file. Empty where it was not kept.
    pub map: String,
    /// The class that it most often has there. Empty where it was not kept.
    pub class: String,
}

/// A review of one region: a judgement, a note, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Its identity.
    pub id: RecordId,
    /// The region, level-0 px.
    pub region: SlideRect,
    /// What it is about, level-0 px²: the part of the rectangle that disagrees.
    pub area_px: f64,
    /// What was scored: `agreement`, `mask`.
    pub kind: String,
    /// The score that brought the region into the list.
    pub score: f64,
    /// What each of both maps says; empty in verdicts of earlier versions.
    pub said: Box<[Said; 2]>,
    /// What the reviewer says; none: a note alone.
    pub decision: Option<Decision>,
    /// In the reviewer's words; may be empty.
    pub note: String,
    /// Hash of the model that was reviewed.
    pub model_hash: String,
    /// The two magnifications that were compared, such as 10 and 40; equal where it is one.
    pub magnifications: (f64, f64),
    /// When it was given, ms since 1970.
    pub created_ms: i64,
}

impl Verdict {
    /// `accept` or `flag`, or `note` where nothing is judged.
    pub fn word(&self) -> &'static str {
        self.decision.map_or(NOTE, Decision::word)
    }

    /// The same as what was done: `accepted`, `flagged`, `note`.
    pub fn done_word(&self) -> &'static str {
        match self.decision {
            Some(Decision::Accept) => "accepted",
            Some(Decision::Flag) => "flagged",
            None => NOTE,
        }
    }

    /// The two maps, of earlier versions' verdicts as far as the rest tells.
    pub fn maps(&self) -> [String; 2] {
        let (a, b) = self.magnifications;
        let known = match self.kind.as_str() {
            "agreement" => [Magnification(a), Magnification(b)].map(|map| map.to_string()),
            kind => ["model".to_owned(), kind.to_owned()],
        };
        let [first, second] = known;
        let of = |said: &Said, known: String| match said.map.is_empty() {
            true => known,
            false => said.map.clone(),
        };
        [of(&self.said[0], first), of(&self.said[1], second)]
    }

    /// Which map names which class, one by one with `sign` between the two: `40x: tumor` and
    /// `10x: stroma`.
    pub fn sides(&self, sign: &str) -> Vec<String> {
        let maps = self.maps();
        let said = maps.iter().zip(self.said.as_ref());
        match self.said.iter().all(|said| said.class.is_empty()) {
            true => vec![format!("{} and {} differ", maps[0], maps[1])],
            false => said
                .map(|(map, said)| format!("{map}{sign}{}", said.class))
                .collect(),
        }
    }

    /// The same in one: `40x: tumor, 10x: stroma`.
    pub fn difference(&self, sign: &str) -> String {
        self.sides(sign).join(", ")
    }
}

/// What a verdict without a judgement is called.
const NOTE: &str = "note";

/// A set of dials, by name and model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// Hash of the model that it is for.
    pub model_hash: String,
    /// JSON: class names, offsets, total.
    pub bias: String,
    /// Which stain or scanner it suits; may be empty.
    pub note: String,
    /// When it was saved, ms since 1970.
    pub created_ms: i64,
}

/// Something to be kept. What has the same identity is replaced.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A person typed a slide's scale in, or took it back.
    Scale(SlideHash, Option<Mpp>),
    /// A stroke is there: a new one, or one whose erasing is undone.
    Stroke(SlideHash, StrokeRecord),
    /// A stroke is erased; the file keeps it, marked.
    EraseStroke(RecordId),
    /// A verdict is given or changed.
    Verdict(SlideHash, Verdict),
    /// A verdict is taken back.
    RemoveVerdict(RecordId),
    /// A preset is saved.
    Preset(Preset),
    /// A preset is removed: its model's hash and its name.
    RemovePreset(String, String),
}

impl Change {
    /// What it is about, for messages.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Scale(..) => "the scale",
            Self::Stroke(..) => "a stroke",
            Self::EraseStroke(_) => "the erasing of a stroke",
            Self::Verdict(..) => "a verdict",
            Self::RemoveVerdict(_) => "the removal of a verdict",
            Self::Preset(_) => "a preset",
            Self::RemovePreset(..) => "the removal of a preset",
        }
    }
}

/// All that is kept of one slide, in the order in which it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlideRecords {
    /// The scale that was typed in.
    pub scale: Option<Mpp>,
    /// Strokes that are not erased.
    pub strokes: Vec<StrokeRecord>,
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
}

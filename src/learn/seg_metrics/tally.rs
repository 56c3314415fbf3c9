//! Pieces of images, one after another, to the figures of the whole.

use std::collections::BTreeMap;

use super::boundary::{BoundaryTally, Map};
use super::calibration::Calibration;
use super::error::check_length;
use super::report::SegReport;
use super::{IGNORE, MetricsError};
use crate::learn::metrics::Confusion;

/// A piece of an image: all of it, where memory allows (about 50 bytes a pixel for each thread), or a
/// tile, at whose edges boundaries are not seen and their partners may be missing.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// Name of the image; pieces of one name share a row of the table of images.
    pub image: &'a str,
    /// Pixels of a row.
    pub width_px: usize,
    /// Scale, µm/px.
    pub mpp: f64,
    /// Class indices, rows from the top; [`IGNORE`] where nothing is known.
    pub truth: &'a [u8],
    /// Class indices; where the truth is ignored, anything.
    pub predicted: &'a [u8],
    /// Probabilities: for each class a plane of as many values; empty where calibration is not
    /// wanted.
    pub probabilities: &'a [f32],
}

/// All pieces so far. Tallies of parts of a split, merged, give the figures of the split.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    pub(super) classes: Vec<String>,
    pub(super) tolerance_um: f64,
    pub(super) images: BTreeMap<String, ImageTally>,
    pub(super) boundaries: BoundaryTally,
    pub(super) calibration: Calibration,
}

/// All pieces of one image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ImageTally {
    pub(super) confusion: Confusion,
    pub(super) boundaries: BoundaryTally,
    pub(super) ignored_px: u64,
    pub(super) mpp: f64,
}

impl Tally {
    /// Nothing seen yet, for classes of these names in the order of their indices. A boundary is
    /// right within `tolerance_um` (see [`BoundaryTally`]).
    ///
    /// # Errors
    /// When there are not 2 to 254 classes, or the tolerance is no length.
    pub fn new(classes: &[String], tolerance_um: f64) -> Result<Self, MetricsError> {
        if !(2..usize::from(IGNORE)).contains(&classes.len()) {
            return Err(MetricsError::Classes(classes.len()));
        }
        check_length("the tolerance of boundaries, µm,", tolerance_um)?;
        Ok(Self {
            classes: classes.to_vec(),
            tolerance_um,
            images: BTreeMap::new(),
            boundaries: BoundaryTally::new(classes.len(), tolerance_um),
            calibration: Calibration::new(classes.len()),
        })
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// When arrays do not fit together, a code is no class, probabilities do not sum to 1 or the
    /// scale is none; then nothing has been added.
    pub fn add(&mut self, piece: &Piece) -> Result<(), MetricsError> {
        self.check(piece)?;
        if !piece.probabilities.is_empty() {
            self.calibration
                .add(piece.image, piece.truth, piece.probabilities)?;
        }
        let found = self.count(piece)?;
        self.boundaries.merge(&found.boundaries);
        self.put(piece.image, found);
        Ok(())
    }

    /// Adds what another tally of the same classes and tolerance saw.
    ///
    /// # Errors
    /// When classes or tolerance differ.
    pub fn merge(&mut self, other: Self) -> Result<(), MetricsError> {
        if self.classes != other.classes || self.tolerance_um != other.tolerance_um {
            return Err(MetricsError::Merge);
        }
        self.calibration.merge(&other.calibration);
        self.boundaries.merge(&other.boundaries);
        for (image, found) in other.images {
            self.put(&image, found);
        }
        Ok(())
    }

    /// The figures of all that was added; `seed` is that of the bootstrap of images.
    pub fn report(&self, seed: u64) -> SegReport {
        SegReport::of(self, seed)
    }

    fn count(&self, piece: &Piece) -> Result<ImageTally, MetricsError> {
        let classes = self.classes.len();
        let mut confusion = Confusion::new(classes);
        for (truth, predicted) in piece.truth.iter().zip(piece.predicted) {
            // What is ignored is no class, and so not counted.
            confusion.add(usize::from(*truth), usize::from(*predicted), 1);
        }
        let map = |codes| Map {
            codes,
            width_px: piece.width_px,
        };
        let mut boundaries = BoundaryTally::new(classes, self.tolerance_um);
        boundaries.add(map(piece.truth), map(piece.predicted), piece.mpp)?;
        Ok(ImageTally {
            ignored_px: piece.truth.len() as u64 - confusion.total(),
            confusion,
            boundaries,
            mpp: piece.mpp,
        })
    }

    fn put(&mut self, image: &str, found: ImageTally) {
        let found = ImageTally {
            boundaries: found.boundaries.without_bins(),
            ..found
        };
        match self.images.get_mut(image) {
            Some(there) => {
                there.confusion.merge(&found.confusion);
                there.boundaries.merge(&found.boundaries);
                there.ignored_px += found.ignored_px;
            }
            None => {
                self.images.insert(image.to_owned(), found);
            }
        }
    }

    fn check(&self, piece: &Piece) -> Result<(), MetricsError> {
        let (px, width) = (piece.truth.len(), piece.width_px);
        let rows = px.div_ceil(width.max(1));
        let wanted = [
            ("the truth", px, rows.max(1) * width.max(1)),
            ("the prediction", piece.predicted.len(), px),
        ];
        let planes = piece.probabilities.len();
        let probabilities = ("the probabilities", planes, px * self.classes.len());
        let lengths = wanted
            .into_iter()
            .chain((planes > 0).then_some(probabilities));
        for (what, found, expected) in lengths {
            if found != expected {
                return Err(MetricsError::Length {
                    image: piece.image.to_owned(),
                    what,
                    expected,
                    found,
                });
            }
        }
        check_length(&format!("{}: the scale, µm/px,", piece.image), piece.mpp)?;
        let is_class = |code: u8| usize::from(code) < self.classes.len();
        self.check_codes(piece, "truth", |truth, _| {
            (truth != IGNORE && !is_class(truth)).then_some(truth)
        })?;
        self.check_codes(piece, "prediction", |truth, predicted| {
            (truth != IGNORE && !is_class(predicted)).then_some(predicted)
        })
    }

    /// Refuses the first code that `wrong` finds in a pixel of truth and prediction.
    fn check_codes(
        &self,
        piece: &Piece,
        what: &'static str,
        wrong: impl Fn(u8, u8) -> Option<u8>,
    ) -> Result<(), MetricsError> {
        let found = || {
            let pairs = piece.truth.iter().zip(piece.predicted);
            pairs.filter_map(|(truth, predicted)| wrong(*truth, *predicted))
        };
        let Some(code) = found().next() else {
            return Ok(());
        };
        Err(MetricsError::Code {
            image: piece.image.to_owned(),
            what,
            code,
            count: found().filter(|other| *other == code).count(),
            classes: self.classes.len(),
        })
    }
}

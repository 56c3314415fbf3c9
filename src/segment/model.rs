//! What a network looks like from here: tiles in, class scores out.

use sha2::{Digest as _, Sha256};

use crate::geometry::UmPoint;
use crate::labels::{FAILED, LabelClass};
use crate::slide::tissue::over_glass;
use crate::slide::{SlideError, SlideSource};

/// Classes that a label map has room for: some codes are kept for what is no class.
pub const MOST_CLASSES: usize = FAILED as usize;

/// A square of opaque sRGB pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbTile {
    /// Side, px.
    pub side_px: u32,
    /// Red, green and blue bytes, rows from the top.
    pub rgb: Vec<u8>,
}

impl RgbTile {
    /// Reads a square of `side_px` px of `mpp` µm whose top-left corner is at `origin`, which may
    /// lie beyond the slide; what was not scanned is glass.
    ///
    /// # Errors
    /// When the slide has no px as fine as that, or can't be read there.
    pub fn read(
        slide: &dyn SlideSource,
        origin: UmPoint,
        mpp: f64,
        side_px: u32,
    ) -> Result<Self, SlideError> {
        let picture = slide.read_um(origin, mpp, side_px, side_px)?;
        let rgb = over_glass(&picture, slide.info().background_rgb);
        Ok(Self { side_px, rgb })
    }
}

/// A network that failed on a batch.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the model failed: {reason}")]
pub struct ModelError {
    /// What failed and what was expected.
    pub reason: String,
}

/// A network that tells classes px by px. Called on one thread only.
///
/// A px's scores must not depend on which other tiles are in its batch.
pub trait TileModel {
    /// Side of the tiles that it takes, S px.
    fn tile_px(&self) -> u32;

    /// Its classes, K; the order of the scores.
    fn classes(&self) -> &[LabelClass];

    /// Side of the blocks, px, into which the network cuts a tile, counted from its corner; 1 where
    /// it does not. Scores may change more from block to block than within: edges of the network's
    /// own, which are there whatever tiles there are.
    fn block_px(&self) -> u32 {
        1
    }

    /// For each tile K × S × S scores: class by class, rows from the top. Logits or
    /// log-probabilities, which are the same here: they differ by a number that all classes of a
    /// px share, and softmax does not see it, neither before blending nor after.
    ///
    /// # Errors
    /// When the network can't be run.
    fn predict(&mut self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// Runs the model and checks what it gives: the right number of finite scores.
///
/// # Errors
/// The model's own, and one that says what is wrong with its scores.
pub fn predict_checked(
    model: &mut dyn TileModel,
    tiles: &[RgbTile],
) -> Result<Vec<Vec<f32>>, ModelError> {
    let side = model.tile_px() as usize;
    let expected = model.classes().len() * side * side;
    let scores = model.predict(tiles)?;
    let refuse = |reason| Err(ModelError { reason });
    if scores.len() != tiles.len() {
        return refuse(format!(
            "{} results for {} tiles",
            scores.len(),
            tiles.len()
        ));
    }
    for tile in &scores {
        if tile.len() != expected {
            return refuse(format!("{} scores for a tile, not {expected}", tile.len()));
        }
        if !all_finite(tile) {
            return refuse("it gave scores that are not finite".to_owned());
        }
    }
    Ok(scores)
}

/// In runs without branches, which the compiler vectorises.
pub(super) fn all_finite(scores: &[f32]) -> bool {
    let run_is = |run: &[f32]| run.iter().fold(true, |so_far, v| so_far & v.is_finite());
    scores.chunks(1024).all(run_is)
}

/// SHA-256 of `bytes` in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same scores for every batch.
    struct Fixed(Vec<LabelClass>, Vec<Vec<f32>>);

    impl TileModel for Fixed {
        fn tile_px(&self) -> u32 {
            2
        }
        fn classes(&self) -> &[LabelClass] {
            &self.0
        }
        fn predict(&mut self, _: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
            Ok(self.1.clone())
        }
    }

    #[test]
    fn scores_of_another_number_or_not_finite_are_refused() {
        let class = LabelClass {
            name: "a".into(),
            rgb: [0; 3],
        };
        let tile = RgbTile {
            side_px: 2,
            rgb: vec![0; 12],
        };
        let said = |scores: Vec<Vec<f32>>| {
            let mut model = Fixed(vec![class.clone(); 2], scores);
            predict_checked(&mut model, std::slice::from_ref(&tile)).map_err(|e| e.to_string())
        };
        assert!(said(vec![vec![0.5; 8]]).is_ok());
        assert!(
            said(vec![vec![0.0; 7]])
                .unwrap_err()
                .contains("7 scores for a tile, not 8")
        );
        assert!(said(vec![]).unwrap_err().contains("0 results for 1 tiles"));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut scores = vec![0.0; 8];
            scores[5] = bad;
            assert!(said(vec![scores]).unwrap_err().contains("not finite"));
        }
    }
}

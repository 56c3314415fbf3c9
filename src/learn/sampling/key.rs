//! Random numbers by key: equal keys give equal numbers on every machine and thread.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// What the numbers are for, so that no two uses share any.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn) enum Use {
    /// Which source, which place, which scale.
    Place = 1,
    /// The first view of a tile.
    ViewA = 2,
    /// The second view.
    ViewB = 3,
    /// The trial when a source is opened.
    Trial = 4,
    /// Which item, place, scale and turn a labelled crop has.
    Crop = 5,
    /// The look of a labelled crop.
    CropLook = 6,
    /// Which items the crops of some steps are taken of.
    CropItems = 7,
    /// Where the regions of a labelled phantom lie.
    Region = 8,
    /// Which of the crops that were encoded once a step learns from.
    KeptCrops = 9,
}

/// The generator for one sample of one step.
pub(in crate::learn) fn keyed(seed: u64, step: u64, sample: u64, what: Use) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (bytes, value) in key
        .chunks_exact_mut(8)
        .zip([seed, step, sample, what as u64])
    {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

//! Work on every core of the processor.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::config::ConfigError;
use super::encoder::{Embedding, Encoder};

/// Into how many parts a batch is best cut on `device`: one a core for `flex`, whose matrix
/// products use all cores but whose other steps use one. A GPU takes the batch whole.
pub fn parts_for(device: &Device) -> usize {
    match *device == Device::flex() {
        true => rayon::current_num_threads(),
        false => 1,
    }
}

/// At most `parts` runs of equal length, but for the last, that make up `0..batch`.
pub fn runs(batch: usize, parts: usize) -> Vec<Range<usize>> {
    let each = batch.div_ceil(parts.max(1)).max(1);
    let run = |first: usize| first..(first + each).min(batch);
    (0..batch).step_by(each).map(run).collect()
}

/// Does `work` on all items at once, answers in their order. A single item is worked on by the
/// calling thread: a GPU's device is used from one thread alone.
pub fn side_by_side<T: Send, U: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> U + Send + Sync,
) -> Vec<U> {
    match items.len() {
        0 | 1 => items.into_iter().map(work).collect(),
        _ => items.into_par_iter().map(work).collect(),
    }
}

/// Embeds tiles as [`Encoder::forward`] does, in `parts` of the batch at once; see [`parts_for`].
///
/// # Errors
/// When the tiles are not square or patches do not fill them.
pub fn forward_in_parts(
    encoder: &Encoder,
    tiles: &Tensor<4>,
    parts: usize,
) -> Result<Embedding, ConfigError> {
    let runs = runs(tiles.dims()[0], parts);
    if runs.len() < 2 {
        return encoder.forward(tiles.clone());
    }
    let seen = side_by_side(runs, |run| {
        encoder.forward(tiles.clone().narrow(0, run.start, run.len()))
    });
    let seen = seen.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (cls, tokens) = seen.into_iter().map(|part| (part.cls, part.tokens)).unzip();
    Ok(Embedding {
        cls: Tensor::cat(cls, 0),
        tokens: Tensor::cat(tokens, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::EncoderConfig;
    use burn::tensor::Distribution;

    #[test]
    fn parts_are_the_whole_in_order() {
        let config = EncoderConfig {
            width: 24,
            depth: 1,
            mlp_width: 48,
            ..EncoderConfig::tiny()
        };
        let device = Device::flex();
        let encoder = Encoder::new(&config, 1, &device).unwrap();
        let tiles = Tensor::<4>::random([5, 3, 32, 32], Distribution::Default, &device);
        let whole = encoder.forward(tiles.clone()).unwrap();
        for parts in [1, 2, 3, 9] {
            let seen = forward_in_parts(&encoder, &tiles, parts).unwrap();
            let cls = (seen.cls - whole.cls.clone()).abs().max();
            let tokens = (seen.tokens - whole.tokens.clone()).abs().max();
            assert!(cls.into_scalar::<f32>() < 1e-5);
            assert!(tokens.into_scalar::<f32>() < 1e-5);
        }
    }
}

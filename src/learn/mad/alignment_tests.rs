//! The whole way from a slide to the pairs that the losses compare: cut, batched, embedded, pooled.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::network::Seen;
use super::objective::indices;
use crate::learn::sampling::batch::family_batch;
use crate::learn::sampling::test_slide::MarkedSlide;
use crate::learn::sampling::{AugmentConfig, CHILDREN, FamilyBatch, SamplingConfig, Sources};
use crate::model::{Encoder, EncoderConfig};

const WIDTH: usize = 48;

/// Families of a slide on which every child has a colour of its own; of each, six children are kept.
fn marked(families: usize) -> FamilyBatch {
    let config = SamplingConfig {
        tile_px: 64,
        families,
        children_per_family: 6,
        parent_mpp: [1.0, 1.0],
        augment: AugmentConfig::none(),
        ..SamplingConfig::default()
    };
    // Squares of the size of a child, 16 µm.
    let slide = MarkedSlide::new(4096, Some(0.25), 64);
    let sources = Sources::of_slides(vec![(Arc::new(slide), 1.0)], &config).unwrap();
    let batch = family_batch(&sources, &config, 7, 0, &|| true);
    batch.unwrap().unwrap()
}

/// What an untrained encoder sees of a batch. It has one position for all places, so that a place
/// can't be told but by what is seen there; four of a parent's patches lie under each child.
fn seen(batch: &FamilyBatch) -> Seen {
    let shape = EncoderConfig {
        width: WIDTH,
        depth: 1,
        mlp_width: 96,
        patch_px: 8,
        position_grid: 1,
        ..EncoderConfig::tiny()
    };
    let device = Device::flex();
    let encoder = Encoder::new(&shape, 1, &device).unwrap();
    let view = &batch.views[0];
    let values = [view.parents.as_slice(), &view.children].concat();
    let side = batch.tile_px;
    let tiles = values.len() / (3 * side * side);
    let data = TensorData::new(values, [tiles, 3, side, side]);
    let embedding = encoder.forward(Tensor::from_data(data, &device)).unwrap();
    Seen::new(&embedding, batch.families)
}

fn rows(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
    values.chunks_exact(WIDTH).map(<[f32]>::to_vec).collect()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// How many children lie, of all sixteen blocks of their parent, nearest to the one that is paired
/// with them when they are said to be at `places`.
fn nearest_to_their_own(seen: &Seen, places: &[usize]) -> usize {
    let blocks = rows(seen.coarse.clone());
    let device = seen.coarse.device();
    // Paired as the losses pair them.
    let paired = indices(places.iter().copied(), &device);
    let paired = rows(seen.coarse.clone().select(0, paired));
    let children = rows(seen.fine.clone());
    let right = |n: &usize| {
        let family = places[*n] / CHILDREN;
        let own = apart(&paired[*n], &children[*n]);
        let of_parent = &blocks[family * CHILDREN..(family + 1) * CHILDREN];
        let nearer = |block: &&Vec<f32>| apart(block, &children[*n]) < own;
        !of_parent.iter().any(|block| nearer(&block))
    };
    (0..places.len()).filter(right).count()
}

#[test]
fn a_child_is_paired_with_its_own_block_of_the_parent() {
    let batch = marked(6);
    let places = &batch.child_places;
    assert_eq!(places.len(), 6 * 6);
    let seen = seen(&batch);
    assert_eq!(nearest_to_their_own(&seen, places), places.len());
}

#[test]
fn children_that_are_said_to_be_elsewhere_are_noticed() {
    let batch = marked(6);
    let seen = seen(&batch);
    let moved = |by: usize| -> Vec<usize> {
        let within = |place: &usize| place / CHILDREN * CHILDREN + (place + by) % CHILDREN;
        batch.child_places.iter().map(within).collect()
    };
    // A column, a row, and the other end.
    for by in [1, 4, 15] {
        assert_eq!(nearest_to_their_own(&seen, &moved(by)), 0, "by {by}");
    }
    let mirrored = batch.child_places.iter().map(|place| place ^ 3);
    let mirrored: Vec<usize> = mirrored.collect();
    assert_eq!(nearest_to_their_own(&seen, &mirrored), 0);
}

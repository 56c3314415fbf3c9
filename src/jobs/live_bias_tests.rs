//! What the bias does on the way that the window's dials take: by class name to the engine, and on
//! the features that the engine keeps of a slide's tiles.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::live::engine_for;
use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::{PageId, Texel};
use crate::model::dfa::{BiasedLayer, ClassBias, Features};
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};
use crate::segment::Network;
use crate::segment::live::{
    Analysis, Engine, FieldWish, LayerKey, Limits, SharedLayers, Step, Wish,
};
use crate::segment::test_slide::{Painted, pattern};
use crate::slide::SlideSource;

const SLIDE: u64 = 7;
/// 10x.
const SCALE: u8 = 2;

fn slide() -> Arc<dyn SlideSource> {
    Arc::new(Painted::new(900, 420, Some(0.25), pattern))
}

/// The shipped model with a bias that a file names in another order than the model's classes.
fn model() -> ReadyModel {
    let source = WeightsSource::Shipped(shipped::BREAST);
    let own = ReadyModel::open(&source, None, None, &Device::flex()).unwrap();
    let mut names = own.card.class_names();
    names.reverse();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bias.json");
    let turned_round = own.bias.in_order_of(&names).unwrap();
    turned_round.save(&path).unwrap();
    assert_ne!(
        turned_round.total(),
        own.bias.total(),
        "an order that tells nothing"
    );
    let read = ReadyModel::open(&source, None, Some(&path), &Device::flex()).unwrap();
    assert_eq!(read.bias, own.bias);
    read
}

fn seen() -> SlideRect {
    SlideRect::new(
        SlidePoint::new(-50.0, -50.0),
        SlidePoint::new(1000.0, 500.0),
    )
}

fn settle(engine: &mut Engine<Network>, slide: &Arc<dyn SlideSource>, bias: &[f32]) {
    engine.ask(Wish {
        fields: vec![FieldWish {
            slide: Arc::clone(slide),
            slide_id: SLIDE,
            analysis: Analysis::Plain(SCALE),
            seen: seen(),
            center: seen().center(),
        }],
        bias: bias.to_vec(),
        offsets: vec![0.0; bias.len()],
        shown_class: None,
    });
    let ended = (0..10_000).any(|_| engine.step() == Step::Idle);
    assert!(ended, "it never comes to an end");
    assert_eq!(engine.status().failure, None);
}

/// All px of all pages that are what was asked for last.
fn published(layers: &SharedLayers) -> Vec<(PageId, Vec<Texel>)> {
    let layers = layers.lock();
    let key = LayerKey {
        slide: SLIDE,
        analysis: Analysis::Plain(SCALE),
    };
    let mut pages: Vec<(PageId, Vec<Texel>)> = layers[&key]
        .pyramid
        .pages()
        .map(|(id, page)| (id, page.texels().to_vec()))
        .collect();
    pages.sort_by_key(|(id, _)| (id.level, id.row, id.col));
    pages
}

/// Px that name another class, px whose values lie more than a step apart, and all.
fn apart(a: &[(PageId, Vec<Texel>)], b: &[(PageId, Vec<Texel>)]) -> (usize, usize, usize) {
    assert_eq!(a.len(), b.len());
    let (mut classes, mut values, mut all) = (0, 0, 0);
    for ((id, a), (of, b)) in a.iter().zip(b) {
        assert_eq!(id, of);
        for (a, b) in a.iter().zip(b) {
            classes += usize::from(a.code != b.code);
            values += usize::from(a.value.abs_diff(b.value) > 1);
            all += 1;
        }
    }
    (classes, values, all)
}

/// The features that the engine keeps of the field's tiles; none is encoded for this.
fn kept(engine: &mut Engine<Network>, slide: &Arc<dyn SlideSource>) -> Vec<Features> {
    let sheet = engine.sheet(slide.as_ref(), SLIDE, SCALE).unwrap();
    let (x, y) = sheet.wanted_px(&seen(), seen().center()).unwrap();
    let mut tiles = sheet.tiles(&x, &y, seen().center());
    tiles.retain(|tile| !sheet.glass.contains(tile));
    let encoded = engine.status().encoded;
    assert_eq!(encoded, tiles.len() as u64);
    let kept = engine.features_of(slide.as_ref(), SLIDE, SCALE, &tiles);
    assert_eq!(engine.status().encoded, encoded, "not from the store");
    kept.unwrap()
}

/// What every biased layer of the engine's own network sees of a tile.
fn look(engine: &Engine<Network>, features: &Features, bias: &[f32]) -> Vec<BiasedLayer> {
    let predictor = engine.model().predictor();
    let bias = Tensor::from_floats(bias, &predictor.device);
    predictor.decoder.decode_traced(features, bias).unwrap().1
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn furthest(a: &BiasedLayer, b: &BiasedLayer) -> f32 {
    let apart = a.weights.clone() - b.weights.clone();
    apart.abs().max().into_scalar()
}

/// The bias as the window sends it with the dial of one class turned; by its name.
fn turned(bias: &ClassBias, class: &str, by: f32) -> Vec<f32> {
    let mut bias = bias.clone();
    bias.set_offset(class, by).unwrap();
    bias.total()
}

#[test]
fn all_dials_by_the_same_amount_change_no_page_and_no_attention() {
    let (slide, model) = (slide(), model());
    let layers = SharedLayers::default();
    let mut engine = engine_for(&model, Limits::default(), layers.clone());
    let bias = model.bias.total();
    settle(&mut engine, &slide, &bias);
    let before = published(&layers);
    let tiles = kept(&mut engine, &slide);
    assert!(tiles.len() > 3, "{} tiles", tiles.len());
    for t in [1.75, -6.0] {
        let decoded = engine.status().decoded;
        let lifted: Vec<f32> = bias.iter().map(|b| b + t).collect();
        settle(&mut engine, &slide, &lifted);
        let again = engine.status().decoded - decoded;
        assert_eq!(again, tiles.len() as u64, "decoded anew, not left");
        // A px in ten thousand may lie so near to the border of two classes that rounding moves it.
        let (classes, values, all) = apart(&before, &published(&layers));
        assert!(
            classes * 10_000 <= all && values == 0,
            "{t}: {classes} classes and {values} values of {all}"
        );
        // Typed on every dial, as the window sends it, and as it is.
        let mut dialled = model.bias.clone();
        for name in model.bias.classes() {
            dialled.set_offset(name, t).unwrap();
        }
        let dialled = dialled.total();
        for features in &tiles {
            let then = look(&engine, features, &bias);
            assert_eq!(then.len(), 2);
            for (layer, (now, then)) in look(&engine, features, &dialled)
                .iter()
                .zip(&then)
                .enumerate()
            {
                let most = furthest(now, then);
                assert!(most < 1e-6, "{t} on all dials, layer {layer}: {most}");
            }
            let now = look(&engine, features, &lifted);
            let most = [0, 1].map(|layer| furthest(&now[layer], &then[layer]));
            // Rounding of larger numbers has come through a whole block by the second.
            assert!(most[0] < 1e-6 && most[1] < 1e-5, "{t}: {most:?}");
        }
    }
    // What is no such amount is seen.
    let one = turned(&model.bias, &model.bias.classes()[0], 6.0);
    settle(&mut engine, &slide, &one);
    let (_, values, all) = apart(&before, &published(&layers));
    assert!(values * 1000 > all, "{values} values of {all}");
    let layers = [&bias, &one].map(|bias| look(&engine, &tiles[0], bias));
    assert!(furthest(&layers[0][0], &layers[1][0]) > 1e-2);
}

#[test]
fn a_turned_dial_draws_every_image_token_of_the_kept_tiles_to_its_class_alone() {
    let (slide, model) = (slide(), model());
    let mut engine = engine_for(&model, Limits::default(), SharedLayers::default());
    let bias = model.bias.total();
    settle(&mut engine, &slide, &bias);
    let tiles = kept(&mut engine, &slide);
    let codes: Vec<String> = crate::segment::live::LiveModel::classes(engine.model())
        .iter()
        .map(|class| class.name.clone())
        .collect();
    let before: Vec<Vec<f32>> = tiles
        .iter()
        .map(|features| values(look(&engine, features, &bias)[0].weights.clone()))
        .collect();
    let gain = 0.4_f32.exp() - 1.0;
    let classes = codes.len();
    for (channel, name) in codes.iter().enumerate() {
        let raised = turned(&model.bias, name, 0.4);
        let (mut moved, mut all) = (0, 0);
        for (features, before) in tiles.iter().zip(&before) {
            let after = values(look(&engine, features, &raised)[0].weights.clone());
            // One row a head and image token.
            for (before, after) in before.chunks(classes).zip(after.chunks(classes)) {
                let share = before[channel];
                for (of, (before, after)) in before.iter().zip(after).enumerate() {
                    let lift = if of == channel { 1.0 + gain } else { 1.0 };
                    let meant = before * lift / (1.0 + gain * share);
                    let what = format!("{name}, class {of}: {before} to {after}, not {meant}");
                    assert!((after - meant).abs() < 1e-6, "{what}");
                    // Where next to all or nothing is there already, rounding hides the turn.
                    if (meant - before).abs() > 1e-6 {
                        assert_eq!(after > before, of == channel, "{what}");
                        moved += 1;
                    }
                    all += 1;
                }
            }
        }
        // Attention of trained weights is sharp: most of it is next to all or nothing.
        assert!(moved > 100, "{name}: {moved} of {all} weights move");
        // And that token makes the mask of that code.
        let decoder = &engine.model().predictor().decoder;
        let moved = decoder.masks_of_nudged(&tiles[0], channel);
        for mask in 0..classes {
            let of_mask = moved.clone().narrow(1, mask, 1);
            let most: f32 = of_mask.abs().max().into_scalar();
            assert_eq!(most > 1e-4, mask == channel, "{name}, mask {mask}: {most}");
        }
    }
}

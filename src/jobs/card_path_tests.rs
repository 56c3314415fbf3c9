//! The way of scores from burn to a page without leaving the graphics card. A software driver will
//! do; where there is none, the tests say so and pass.

use std::io::Write as _;

use burn::tensor::{Device, Tensor, TensorData};

use super::live::score_store;
use super::window_model::{SharedScores, WindowPainter, WindowScores, keep};
use super::window_tests::{FILL_UM, Noise, TILE_PX, apart, finish, fusion, slide, wish};
use crate::gpu::device::{Headless, WindowDevice};
use crate::gpu::tensor_buffer::{TensorBuffer, burn_device};
use crate::labels::Ranks;
use crate::segment::live::{Analysis, Engine, Limits, SharedLayers};

const CLASSES: usize = 3;

fn card() -> Option<Headless> {
    let found = Headless::open();
    if let Err(error) = &found {
        let _ = writeln!(std::io::stderr(), "skipped: {error:#}");
    }
    found.ok()
}

/// Scores as a tensor that burn computed on a device: `[1, K, S, S]`.
fn computed(scores: &[f32], device: &Device) -> Tensor<4> {
    let side = TILE_PX as usize;
    let halves: Vec<f32> = scores.iter().map(|score| score / 2.0).collect();
    let halves = TensorData::new(halves, [1, scores.len() / (side * side), side, side]);
    Tensor::from_data(halves, device) * 2.0
}

/// A model whose known scores are computed by burn on the window's device and kept there.
fn on_card(window: &WindowDevice, scores: &SharedScores) -> Noise<WindowScores> {
    let (device, scores) = (burn_device(window).unwrap(), scores.clone());
    let put = move |values: Vec<f32>| {
        let mut kept = keep(&scores, computed(&values, &device), 1).unwrap();
        assert_eq!(kept.len(), 1);
        kept.remove(0)
    };
    Noise::new(CLASSES, Box::new(put))
}

#[test]
fn what_burn_computes_is_painted_as_the_processor_paints_it() {
    let Some(gpu) = card() else { return };
    let (slide, ranks) = (slide(), Ranks::by_rarity(&[3.0, 1.0, 2.0]));
    for analysis in [Analysis::Plain(2), Analysis::Fused(1)] {
        let layers = [SharedLayers::default(), SharedLayers::default()];
        let plain = Noise::new(CLASSES, Box::new(|scores| scores));
        let (fusion, limits) = (fusion(), Limits::default());
        let shared = layers[1].clone();
        let mut meant = Engine::new(
            plain,
            fusion.clone(),
            ranks.clone(),
            FILL_UM,
            limits,
            shared,
        );
        let values = CLASSES * (TILE_PX * TILE_PX) as usize;
        let (scores, limits) = score_store(&gpu.shared(), values, limits).unwrap();
        let model = on_card(&gpu.shared(), &scores);
        let painter = WindowPainter::new(&gpu.shared(), CLASSES, scores).unwrap();
        let parts = (model, painter);
        let shared = layers[0].clone();
        let mut ours = Engine::painted_by(parts, fusion, ranks.clone(), FILL_UM, limits, shared);
        for lift in [0.0, 2.0] {
            let wish = wish(&slide, analysis, 1000.0, vec![0.0, lift, 0.0]);
            meant.ask(wish.clone());
            ours.ask(wish);
            finish(&mut meant);
            finish(&mut ours);
            for map in analysis.maps() {
                let (apart, all) = apart([&layers[0], &layers[1]], map);
                // Classes that are as good as equally likely.
                assert!(apart * 20_000 <= all, "{map}: {apart} of {all}");
            }
        }
        assert!(ours.status().decoded > 10);
    }
}

/// What is written to the buffer is in the tensor: it is the tensor's memory and no copy of it, in
/// the processor's memory or elsewhere.
#[test]
fn the_buffer_that_is_handed_over_is_the_tensors_own_memory() {
    let Some(gpu) = card() else { return };
    let device = burn_device(&gpu.shared()).unwrap();
    let values = vec![1.0; CLASSES * (TILE_PX * TILE_PX) as usize];
    let tensor = computed(&values, &device);
    let buffer = TensorBuffer::of(tensor.clone()).unwrap();
    assert_eq!(buffer.values(), values.len());
    let at = buffer.offset() + 4 * 5;
    let mark = 123.5_f32.to_le_bytes();
    gpu.queue.write_buffer(buffer.buffer(), at, &mark);
    gpu.queue.submit([]);
    let found: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
    assert_eq!((found[4], found[5], found[6]), (1.0, 123.5, 1.0));
}

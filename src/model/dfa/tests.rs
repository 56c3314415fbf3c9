//! The decoder as a whole: where the bias acts, and that it acts as the method says (methods 1.5).

use std::time::Instant;

use burn::module::{Module as _, ModuleMapper, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Activation, BiasedLayer, Decoded, Decoder, DecoderConfig, Features, to_tile};

const CLASSES: usize = 3;

fn little() -> DecoderConfig {
    DecoderConfig {
        name: "little".to_owned(),
        encoder_width: 12,
        width: 16,
        heads: 2,
        cross_width: 8,
        mlp_width: 24,
        depth: 2,
        activation: Activation::Gelu,
    }
}

fn decoder(classes: usize, device: &Device) -> Decoder {
    Decoder::new(&little(), classes, 7, device).unwrap()
}

/// Tokens that do not depend on the device.
fn tokens(batch: usize, grid: usize, device: &Device) -> Tensor<3> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let shape = [batch, grid * grid, little().encoder_width];
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn bias(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_floats(values, device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn furthest<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).abs().max().into_scalar()
}

fn traced(decoder: &Decoder, features: &Features, b: &[f32]) -> (Decoded, Vec<BiasedLayer>) {
    let bias = bias(b, &features.image.device());
    decoder.decode_traced(features, bias).unwrap()
}

#[test]
fn any_grid_and_any_number_of_classes() {
    let device = Device::flex();
    for (classes, grid) in [(1, 4), (1, 1), (3, 5), (3, 8), (21, 2)] {
        let decoder = decoder(classes, &device);
        assert_eq!(decoder.classes(), classes);
        let features = decoder.start(tokens(2, grid, &device)).unwrap();
        assert_eq!((features.tiles(), features.grid()), (2, grid));
        let dims = [
            2 * grid * grid * 16,
            2 * classes * 16,
            2 * 2 * grid * grid * classes,
        ];
        assert_eq!(features.bytes(), 4 * dims.iter().sum::<usize>());
        let zeros = Tensor::zeros([classes], &device);
        let seen = decoder.decode(&features, zeros).unwrap();
        assert_eq!(seen.logits.dims(), [2, classes, 4 * grid, 4 * grid]);
        assert_eq!(seen.iou.dims(), [2, classes]);
        let within = |value: &f32| (0.0..=1.0).contains(value);
        assert!(values(seen.iou).iter().all(within));
        let tile = to_tile(seen.logits, 16 * grid);
        assert!(values(tile).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn one_class_takes_all_attention_whatever_its_bias() {
    let device = Device::flex();
    let decoder = decoder(1, &device);
    let features = decoder.start(tokens(2, 3, &device)).unwrap();
    let (without, layers) = traced(&decoder, &features, &[0.0]);
    assert!(values(layers[0].weights.clone()).iter().all(|a| *a == 1.0));
    let (with, _) = traced(&decoder, &features, &[4.0]);
    assert_eq!(values(with.logits), values(without.logits));
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let says = |error: super::DecoderError, words: &[&str]| {
        let error = error.to_string();
        for word in words.iter().chain(&["'little'"]) {
            assert!(error.contains(word), "no '{word}' in: {error}");
        }
    };
    let zeros = |count, width| Tensor::<3>::zeros([1, count, width], &device);
    says(
        decoder.start(zeros(9, 13)).unwrap_err(),
        &["width 13", "width 12"],
    );
    says(
        decoder.start(zeros(8, 12)).unwrap_err(),
        &["8 tokens", "square"],
    );
    let features = decoder.start(zeros(9, 12)).unwrap();
    let short = decoder.decode(&features, Tensor::zeros([2], &device));
    says(short.unwrap_err(), &["bias of 2 classes", "one of 3"]);
    let other = self::decoder(4, &device);
    let foreign = other.decode(&features, Tensor::zeros([4], &device));
    says(foreign.unwrap_err(), &["[1, 3, 16]", "4 classes"]);
    says(
        Decoder::new(&little(), 0, 1, &device).unwrap_err(),
        &["0 classes"],
    );
}

#[test]
fn first_weights_depend_on_the_seed_alone_and_masks_begin_at_a_useful_size() {
    let device = Device::flex();
    let of = |seed| {
        let decoder = Decoder::new(&DecoderConfig::tiny().on(12), CLASSES, seed, &device).unwrap();
        let features = decoder.start(tokens(1, 4, &device)).unwrap();
        traced(&decoder, &features, &[0.0; CLASSES]).0.logits
    };
    assert_eq!(values(of(3)), values(of(3)));
    assert!(furthest(of(3), of(4)) > 0.1);
    let size: f32 = of(3).powi_scalar(2).mean().sqrt().into_scalar();
    assert!((0.05..5.0).contains(&size), "{size}");
}

#[test]
fn tiny_is_small() {
    let decoder = Decoder::new(&DecoderConfig::tiny(), 7, 1, &Device::flex()).unwrap();
    let parameters = decoder.num_params();
    println!("tiny, 7 classes: {parameters} parameters");
    assert!(parameters <= 1_400_000);
}

#[test]
fn a_tile_is_decoded_alike_in_every_batch() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let tokens = tokens(5, 4, &device);
    let b = [0.4, -0.9, 0.5];
    let features = decoder.start(tokens.clone()).unwrap();
    let (whole, _) = traced(&decoder, &features, &b);
    let alone = (0..5).map(|n| decoder.start(tokens.clone().narrow(0, n, 1)).unwrap());
    let together = Features::together(alone.collect()).unwrap();
    assert!(
        furthest(
            traced(&decoder, &together, &b).0.logits,
            whole.logits.clone()
        ) < 1e-5
    );
    let part = traced(&decoder, &together.part(1..4), &b).0;
    assert!(furthest(part.logits, whole.logits.narrow(0, 1, 3)) < 1e-5);
    assert!(furthest(part.iou, whole.iou.narrow(0, 1, 3)) < 1e-5);
    assert!(Features::together(Vec::new()).is_none());
}

#[test]
fn raw_attention_does_not_feel_a_number_added_to_the_whole_bias() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let features = decoder.start(tokens(2, 4, &device)).unwrap();
    let (seen, layers) = traced(&decoder, &features, &[0.4, -0.9, 0.5]);
    for t in [2.0, -7.5] {
        let (shifted, moved) = traced(&decoder, &features, &[0.4 + t, -0.9 + t, 0.5 + t]);
        assert_eq!(layers.len(), 2);
        for (a, b) in layers.iter().zip(&moved) {
            assert!(furthest(a.weights.clone(), b.weights.clone()) < 1e-5);
        }
        assert!(furthest(seen.logits.clone(), shifted.logits) < 1e-4);
    }
    let (other, moved) = traced(&decoder, &features, &[0.9, -1.4, 0.5]);
    assert!(furthest(layers[0].weights.clone(), moved[0].weights.clone()) > 1e-2);
    assert!(furthest(layers[1].weights.clone(), moved[1].weights.clone()) > 1e-2);
    assert!(furthest(seen.logits, other.logits) > 1e-3);
}

#[test]
fn every_layers_weights_are_its_logits_and_the_one_bias() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let features = decoder.start(tokens(1, 3, &device)).unwrap();
    let b = [1.5, -1.0, -0.5];
    let (_, layers) = traced(&decoder, &features, &b);
    assert!(furthest(layers[0].logits.clone(), features.logits.clone()) == 0.0);
    for layer in &layers {
        assert_eq!(layer.logits.dims(), [1, 2, 9, CLASSES]);
        let (logits, weights) = (values(layer.logits.clone()), values(layer.weights.clone()));
        for (logits, weights) in logits.chunks(CLASSES).zip(weights.chunks(CLASSES)) {
            let raised: Vec<f32> = logits.iter().zip(b).map(|(l, b)| (l + b).exp()).collect();
            let sum: f32 = raised.iter().sum();
            for (raised, weight) in raised.iter().zip(weights) {
                assert!((raised / sum - weight).abs() < 1e-5);
            }
        }
        assert!((values(layer.shares()).iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let offset = values(layer.effective_offset(bias(&b, &device)));
        assert!(offset.iter().sum::<f32>().abs() < 1e-5);
        let mean = values(layer.mean_logits());
        let apart = (mean[0] + b[0]) - (mean[1] + b[1]);
        assert!((offset[0] - offset[1] - apart).abs() < 1e-5);
    }
}

#[test]
fn raising_a_class_draws_every_image_token_to_the_token_of_that_class() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let features = decoder.start(tokens(2, 4, &device)).unwrap();
    let (_, before) = traced(&decoder, &features, &[0.0; CLASSES]);
    for raised in 0..CLASSES {
        let mut b = [0.0; CLASSES];
        b[raised] = 0.3;
        let (_, after) = traced(&decoder, &features, &b);
        let gain = values(after[0].weights.clone() - before[0].weights.clone());
        for (n, gain) in gain.iter().enumerate() {
            let is_raised = n % CLASSES == raised;
            assert!(
                if is_raised { *gain > 0.0 } else { *gain < 0.0 },
                "{raised} at {n}"
            );
        }
    }
}

#[test]
fn the_token_that_carries_a_class_bias_makes_that_class_mask() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let features = decoder.start(tokens(2, 4, &device)).unwrap();
    let whole = decoder
        .decode(&features, Tensor::zeros([CLASSES], &device))
        .unwrap();
    for class in 0..CLASSES {
        // Its mask head alone, found by its place among the classes.
        let changed = decoder.clone().with_mask_head_scaled(class, 0.5);
        let seen = changed
            .decode(&features, Tensor::zeros([CLASSES], &device))
            .unwrap();
        let apart = (seen.logits - whole.logits.clone()).abs();
        for channel in 0..CLASSES {
            let most: f32 = apart.clone().narrow(1, channel, 1).max().into_scalar();
            assert_eq!(
                most > 1e-3,
                channel == class,
                "head {class}, mask {channel}: {most}"
            );
        }
        // And that head reads the token whose attention the bias raised: with the image shut off
        // from it, a change of this token alone moves this mask.
        let moved = decoder.masks_of_nudged(&features, class);
        for channel in 0..CLASSES {
            let most: f32 = moved
                .clone()
                .narrow(1, channel, 1)
                .abs()
                .max()
                .into_scalar();
            assert_eq!(
                most > 1e-4,
                channel == class,
                "token {class}, mask {channel}: {most}"
            );
        }
    }
}

#[test]
fn start_and_bias_fix_what_decode_gives() {
    let device = Device::flex();
    let decoder = decoder(CLASSES, &device);
    let tokens = tokens(2, 4, &device);
    let features = decoder.start(tokens.clone()).unwrap();
    let first = traced(&decoder, &features, &[0.4, -0.9, 0.5]).0;
    // Another bias in between leaves the features as they are.
    let other = traced(&decoder, &features, &[-1.0, 2.0, -1.0]).0;
    assert!(furthest(first.logits.clone(), other.logits) > 1e-3);
    let again = traced(&decoder, &features, &[0.4, -0.9, 0.5]).0;
    assert_eq!(values(first.logits.clone()), values(again.logits));
    let whole = decoder.start(tokens).unwrap();
    let plain = decoder
        .decode(&whole, bias(&[0.4, -0.9, 0.5], &device))
        .unwrap();
    assert_eq!(values(first.logits), values(plain.logits));
}

#[test]
fn gradients_reach_every_parameter_and_the_bias() {
    let device = Device::flex().autodiff();
    let decoder = decoder(CLASSES, &device);
    let b = bias(&[0.4, -0.9, 0.5], &device).require_grad();
    let features = decoder.start(tokens(2, 4, &device)).unwrap();
    let seen = decoder.decode(&features, b.clone()).unwrap();
    let tile = to_tile(seen.logits, 20);
    let loss = tile.powi_scalar(2).sum() + seen.iou.powi_scalar(2).sum();
    let grads = loss.backward();
    let by_bias = values(b.grad(&grads).unwrap());
    assert!(by_bias.iter().all(|g| g.abs() > 1e-6), "{by_bias:?}");
    assert!(by_bias.iter().sum::<f32>().abs() < 1e-3 * by_bias[0].abs().max(1.0));
    let of_weights = burn::optim::GradientsParams::from_grads(grads, &decoder);
    let ids = burn::module::list_param_ids(&decoder);
    assert_eq!(of_weights.len(), ids.len());
}

/// A loss in which every mask pixel counts differently, in f64 so that small steps show.
/// Numbers of double precision, without gradients of their own.
struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.detach().set_require_grad(false).cast(DType::F64))
    }
}

/// In double precision, so that the two sides lie closer than the bends of ReLU.
#[test]
fn finite_differences_agree_with_the_gradient_of_the_bias() {
    let device = Device::flex().autodiff();
    let decoder = decoder(CLASSES, &device).map(&mut Double);
    let features = decoder
        .start(tokens(2, 3, &device).cast(DType::F64))
        .unwrap();
    let loss = |b: Tensor<1>| {
        let logits = decoder.decode(&features, b).unwrap().logits;
        let dims = logits.dims();
        let count: usize = dims.iter().product();
        let factors: Vec<f64> = (0..count).map(|n| (n as f64 * 0.37).sin()).collect();
        let factors = TensorData::new(factors, dims);
        (logits * Tensor::<4>::from_data(factors, (&device, DType::F64))).sum()
    };
    let bias = |values: [f64; CLASSES]| {
        let data = TensorData::new(values.to_vec(), [CLASSES]);
        Tensor::<1>::from_data(data, (&device, DType::F64))
    };
    let at = [0.4, -0.9, 0.5];
    let b = bias(at).require_grad();
    let gradient = b.grad(&loss(b.clone()).backward()).unwrap();
    let found: Vec<f64> = gradient.into_data().try_to_vec().unwrap();
    for (class, found) in found.into_iter().enumerate() {
        let moved = |by: f64| {
            let mut b = at;
            b[class] += by;
            loss(bias(b)).into_scalar::<f64>()
        };
        let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        assert!(found.abs() > 1e-2, "class {class}: {found}");
        assert!(
            (found - difference).abs() < 1e-5 * found.abs().max(0.1),
            "class {class}: gradient {found}, finite difference {difference}"
        );
    }
}

/// Most memory that this process has held, MiB; only Linux tells.
fn most_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[test]
#[ignore = "says what sam-path costs at its true size, in a process of its own"]
fn what_sam_path_costs() {
    let (classes, grid) = (7, 8);
    let config = DecoderConfig::sam_path();
    let count = |batch: usize| [batch, grid * grid, config.encoder_width];
    let say = |what: &str, begin: Instant, batch: usize| {
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        println!(
            "{what}, {batch} tiles: {ms:.0} ms, at most {:?} MiB so far",
            most_mib()
        );
    };
    let device = Device::flex();
    let decoder = Decoder::new(&config, classes, 1, &device).unwrap();
    println!("{} parameters, {:?} MiB", decoder.num_params(), most_mib());
    for batch in [1, 1, 16, 16] {
        let tokens = Tensor::ones(count(batch), &device);
        let begin = Instant::now();
        let features = decoder.start(tokens).unwrap();
        let decoded = decoder.decode(&features, Tensor::zeros([classes], &device));
        values(to_tile(decoded.unwrap().logits, 128));
        say("forward", begin, batch);
    }
    let device = device.autodiff();
    let mut decoder = Decoder::new(&config, classes, 1, &device).unwrap();
    let mut optimizer = AdamWConfig::new().init();
    for batch in [1, 1, 16, 16] {
        let tokens = Tensor::ones(count(batch), &device);
        let begin = Instant::now();
        let features = decoder.start(tokens).unwrap();
        let decoded = decoder.decode(&features, Tensor::zeros([classes], &device));
        let tile = to_tile(decoded.unwrap().logits, 128);
        let grads = GradientsParams::from_grads(tile.powi_scalar(2).mean().backward(), &decoder);
        decoder = optimizer.step(1e-4, decoder, grads);
        say("forward, backward and AdamW", begin, batch);
    }
}

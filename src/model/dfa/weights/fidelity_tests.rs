//! The decoder beside its twin in PyTorch: weights and what `make_decoder_fixtures.py` computed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;

use super::{ClassLabel, DecoderCard, FORMAT, load, names};
use crate::model::dfa::{Activation, ClassBias, Decoder, DecoderConfig, to_tile};
use crate::model::weights::tensor_file::{TensorFile, encode_f16};

const MOST_DIFFERENCE: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decoder");
    folder.join(format!("{name}.safetensors"))
}

/// All that is special about `sam-path`, in narrow.
fn little() -> DecoderConfig {
    DecoderConfig {
        name: "little".to_owned(),
        encoder_width: 24,
        width: 32,
        cross_width: 16,
        mlp_width: 256,
        activation: Activation::Gelu,
        ..DecoderConfig::sam_path()
    }
}

/// What PyTorch saw, by name.
struct Seen(TensorFile);

impl Seen {
    fn open(name: &str) -> Self {
        Self(TensorFile::open(&fixture(&format!("{name}.seen"))).unwrap())
    }

    fn tensor<const D: usize>(&mut self, name: &str, device: &Device) -> Tensor<D> {
        let shape = &self.0.entries()[name].shape;
        let shape: Vec<usize> = shape.iter().map(|axis| *axis as usize).collect();
        let values = self.0.values(name).unwrap();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn assert_like<const D: usize>(&mut self, name: &str, ours: Tensor<D>) {
        let theirs = self.tensor::<D>(name, &ours.device());
        assert_eq!(ours.dims(), theirs.dims(), "{name}");
        let apart: f32 = (ours - theirs).abs().max().into_scalar();
        println!("  {name} differs by {apart:.1e}");
        assert!(apart <= MOST_DIFFERENCE, "{name} differs by {apart}");
    }
}

/// Compares everything recorded: attention of every layer, masks, IoU, and the bias's gradient.
fn assert_as_the_twin(decoder: &Decoder, device: &Device) {
    let name = &decoder.config().name;
    println!("{name}:");
    let mut seen = Seen::open(name);
    let features = decoder.start(seen.tensor("tokens", device)).unwrap();
    let bias = seen.tensor::<1>("bias", device).require_grad();
    let (decoded, layers) = decoder.decode_traced(&features, bias.clone()).unwrap();
    assert_eq!(layers.len(), 2);
    for (n, layer) in layers.into_iter().enumerate() {
        seen.assert_like(&format!("logits_{n}"), layer.logits);
        seen.assert_like(&format!("weights_{n}"), layer.weights);
    }
    seen.assert_like("masks", decoded.logits.clone());
    seen.assert_like("iou", decoded.iou.clone());
    let side = seen.0.entries()["tile"].shape[3] as usize;
    let tile = to_tile(decoded.logits, side);
    seen.assert_like("tile", tile.clone());
    let loss = tile.powi_scalar(2).mean() + decoded.iou.powi_scalar(2).mean();
    let gradient = bias.grad(&loss.backward()).unwrap();
    seen.assert_like("bias_gradient", gradient);
}

#[test]
fn a_file_that_pytorch_wrote_gives_what_pytorch_computed() {
    let device = Device::flex().autodiff();
    let (decoder, card) = load(&fixture("little"), &device).unwrap();
    assert_eq!((decoder.config(), card.classes.len()), (&little(), 3));
    assert_as_the_twin(&decoder, &device);
}

#[test]
fn shapes_of_true_size_give_what_pytorch_computed() {
    let device = Device::flex().autodiff();
    for (config, classes) in [(DecoderConfig::tiny(), 7), (DecoderConfig::sam_path(), 2)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("by-formula.safetensors");
        fs::write(&path, file_by_formula(&config, classes, &path)).unwrap();
        assert_as_the_twin(&load(&path, &device).unwrap().0, &device);
    }
}

#[test]
fn the_formula_gives_the_weights_of_the_file() {
    let mut file = TensorFile::open(&fixture("little")).unwrap();
    for (name, shape) in names::expected(&little(), 3) {
        assert_eq!(
            file.values(&name).unwrap(),
            weight_values(&name, &shape),
            "{name}"
        );
    }
}

/// A weights file of formula weights: those of true size would be megabytes in the repository.
fn file_by_formula(config: &DecoderConfig, classes: usize, path: &Path) -> Vec<u8> {
    let tensors: Vec<_> = names::expected(config, classes)
        .into_iter()
        .map(|(name, shape)| {
            let values = weight_values(&name, &shape);
            (name, shape, values)
        })
        .collect();
    let config = serde_json::to_string(config).unwrap();
    let card = json!(card(classes)).to_string();
    let said = [
        ("format", FORMAT.to_owned()),
        ("version", "1".to_owned()),
        ("config", config),
        ("card", card),
    ];
    let metadata = said.map(|(key, text)| (key.to_owned(), text)).into();
    encode_f16(path, metadata, &tensors).unwrap()
}

fn card(classes: usize) -> DecoderCard {
    let label = |n: usize| ClassLabel {
        name: format!("class {n}"),
        code: n as u16,
        colour: [n as u8, 0, 0],
    };
    let classes: Vec<ClassLabel> = (0..classes).map(label).collect();
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    DecoderCard {
        bias: ClassBias::none(&names).unwrap(),
        classes,
        encoder_sha256: "0".repeat(64),
        tile_px: 64,
        mpp: [0.25, 2.0],
        program: DecoderCard::this_program(),
        notes: BTreeMap::new(),
    }
}

/// The script's `weight_values`: uniform numbers from a hash of name and index (FNV-1a, SplitMix64),
/// in 256 steps times a power of two, which f16 holds exactly.
fn weight_values(name: &str, shape: &[u64]) -> Vec<f32> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |seed, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let (centre, spread) = match shape {
        _ if name == "class_tokens" => (0.0, 2.0),
        [_, d_in, ..] => {
            let halves = ((*d_in as f64 / 3.0).log2() / 2.0 + 0.5).floor();
            (0.0, (-halves).exp2() as f32)
        }
        _ if name.contains("norm") && name.ends_with("weight") => (1.0, 0.25),
        _ => (0.0, 0.25),
    };
    let value = |n: u64| {
        let z = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let byte = ((z ^ (z >> 31)) >> 56) as f32;
        centre + spread * (byte - 127.5) / 128.0
    };
    (0..shape.iter().product()).map(value).collect()
}

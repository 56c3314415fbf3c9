//! The encoder beside timm's: checkpoints and activations that `make_encoder_fixtures.py` made.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};

use super::tensor_file::TensorFile;
use super::{inspect, load, load_as};
use crate::model::config::{EncoderConfig, MlpKind};
use crate::model::encoder::Encoder;

const MOST_DIFFERENCE: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/encoder/{name}.safetensors"))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

/// Compares the embeddings of every recorded tile side.
fn assert_as_timm(encoder: &Encoder, name: &str, sides: &[usize]) {
    let mut seen = TensorFile::open(&fixture(&format!("{name}.seen"))).unwrap();
    for side in sides {
        let tiles = seen.values(&format!("tiles_{side}")).unwrap();
        let shape = [tiles.len() / (3 * side * side), 3, *side, *side];
        let tiles = Tensor::from_data(TensorData::new(tiles, shape), &Device::flex());
        let ours = encoder.forward(tiles).unwrap();
        let cls = seen.values(&format!("cls_{side}")).unwrap();
        let tokens = seen.values(&format!("tokens_{side}")).unwrap();
        let cls = largest_difference(&values(ours.cls), &cls);
        let tokens = largest_difference(&values(ours.tokens), &tokens);
        println!("{name}, {side} px: cls differs by {cls:.1e}, tokens by {tokens:.1e}");
        assert!(cls <= MOST_DIFFERENCE && tokens <= MOST_DIFFERENCE);
    }
}

#[test]
fn plain_vit_is_timms_at_its_own_a_finer_and_a_coarser_grid() {
    let encoder = load(&fixture("plain"), &Device::flex()).unwrap();
    assert_as_timm(&encoder, "plain", &[32, 48, 24]);
}

#[test]
fn registers_and_layer_scale_are_timms() {
    let config = EncoderConfig {
        name: "registers".to_owned(),
        width: 32,
        depth: 2,
        heads: 2,
        mlp_width: 128,
        patch_px: 8,
        position_grid: 4,
        ..EncoderConfig::dinov2_small()
    };
    let encoder = load_as(&fixture("registers"), &config, &Device::flex()).unwrap();
    assert_as_timm(&encoder, "registers", &[32, 56]);
}

#[test]
fn dinov2s_own_names_and_swiglu_are_timms() {
    let config = EncoderConfig {
        name: "swiglu".to_owned(),
        width: 48,
        depth: 2,
        heads: 3,
        mlp_width: 64,
        mlp: MlpKind::SwiGlu,
        position_grid: 3,
        class_position: true,
        registers: 2,
        ..EncoderConfig::dinov2_small()
    };
    let encoder = load_as(&fixture("swiglu"), &config, &Device::flex()).unwrap();
    assert_as_timm(&encoder, "swiglu", &[42, 70]);
}

#[test]
fn a_foreign_shape_is_told_from_the_tensors() {
    let config = inspect(&fixture("plain")).unwrap().config.unwrap();
    let told = EncoderConfig {
        name: "vit-64x2-patch8".to_owned(),
        width: 64,
        depth: 2,
        heads: 1,
        mlp_width: 128,
        patch_px: 8,
        position_grid: 4,
        class_position: true,
        registers: 0,
        layer_scale: None,
        ..EncoderConfig::dinov2_small()
    };
    assert_eq!(config, told);
    let narrow = load(&fixture("swiglu"), &Device::flex()).unwrap_err();
    let expected = "width 48 is neither a multiple of 64";
    assert!(narrow.to_string().contains(expected), "{narrow}");
}

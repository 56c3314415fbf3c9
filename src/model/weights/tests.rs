//! What is written comes back, and every damage is told by file, tensor and expectation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Distribution, Tensor};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Checksum, WeightsError, WeightsSource, hash_of, inspect, load, names, save};
use crate::model::config::{EncoderConfig, MlpKind};
use crate::model::encoder::Encoder;
use crate::model::shipped::ENCODER;

fn little() -> EncoderConfig {
    EncoderConfig {
        name: "little".to_owned(),
        width: 24,
        depth: 2,
        heads: 3,
        mlp_width: 48,
        patch_px: 4,
        position_grid: 4,
        registers: 2,
        layer_scale: Some(0.5),
        ..EncoderConfig::tiny()
    }
}

/// A folder with a good file, and its header and data apart.
struct Written {
    folder: TempDir,
    header: Value,
    data: Vec<u8>,
}

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let encoder = Encoder::new(&little(), 1, &Device::flex()).unwrap();
        save(&encoder, &notes(), &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("w.safetensors")
    }

    /// Writes header and data as they are now and tells what loading says.
    fn complaint(&self) -> String {
        let header = serde_json::to_vec(&self.header).unwrap();
        let length = (header.len() as u64).to_le_bytes();
        let bytes = [&length[..], &header, &self.data].concat();
        complaint_about(&self.path(), &bytes)
    }
}

fn notes() -> BTreeMap<String, String> {
    BTreeMap::from([("trained-on".to_owned(), "phantom slides".to_owned())])
}

fn complaint_about(path: &Path, bytes: &[u8]) -> String {
    fs::write(path, bytes).unwrap();
    let complaint = load(path, &Device::flex()).unwrap_err().to_string();
    assert!(complaint.contains(path.to_str().unwrap()), "{complaint}");
    complaint
}

fn assert_says(complaint: &str, words: &[&str]) {
    for word in words {
        assert!(complaint.contains(word), "'{word}' is not in: {complaint}");
    }
}

#[test]
fn what_was_saved_comes_back() {
    let device = Device::flex();
    for (mlp, registers, layer_scale, class_position) in [
        (MlpKind::Gelu, 0, None, false),
        (MlpKind::SwiGlu, 3, Some(0.1), true),
    ] {
        let config = EncoderConfig {
            mlp,
            registers,
            layer_scale,
            class_position,
            ..little()
        };
        let encoder = Encoder::new(&config, 1, &device).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save(&encoder, &notes(), &path).unwrap();
        let again = load(&path, &device).unwrap();
        assert_eq!(*again.config(), config);
        let tiles = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        let before = encoder.forward(tiles.clone()).unwrap().tokens;
        let after = again.forward(tiles).unwrap().tokens;
        let most = (before - after).abs().max().into_scalar::<f32>();
        assert!(most < 5e-3, "f16 on disk, but {most} apart");
        // What is in f16 already does not change any more.
        let hash = hash_of(&path).unwrap();
        save(&again, &notes(), &path).unwrap();
        assert_eq!(hash_of(&path).unwrap(), hash);
    }
}

#[test]
fn loaded_parameters_have_ids_of_their_own_and_learn() {
    let written = Written::new();
    let device = Device::flex().autodiff();
    let first = Encoder::new(&little(), 9, &device).unwrap();
    let loaded = load(&written.path(), &device).unwrap();
    let ids = burn::module::list_param_ids(&loaded);
    assert_eq!(ids, burn::module::list_param_ids(&first));
    let tiles = Tensor::random([1, 3, 16, 16], Distribution::Default, &device);
    let loss = loaded.forward(tiles).unwrap().tokens.powi_scalar(2).sum();
    let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &loaded);
    assert_eq!(gradients.len(), ids.len());
}

#[test]
fn layout_is_timms() {
    let written = Written::new();
    let seen = inspect(&written.path()).unwrap();
    let found: BTreeMap<String, Vec<u64>> = seen
        .tensors
        .iter()
        .map(|tensor| (tensor.name.clone(), tensor.shape.clone()))
        .collect();
    assert_eq!(found, names::expected(&little()));
    assert_eq!(found["patch_embed.proj.weight"], [24, 3, 4, 4]);
    assert_eq!(found["blocks.1.attn.qkv.weight"], [72, 24]);
    assert_eq!(found["blocks.0.norm1.weight"], [24]);
    assert!(seen.tensors.iter().all(|tensor| tensor.dtype == "F16"));
}

#[test]
fn a_file_tells_what_it_is() {
    let written = Written::new();
    let seen = inspect(&written.path()).unwrap();
    assert_eq!(seen.format.as_deref(), Some("parfocal.encoder 1"));
    assert_eq!(seen.config, Some(little()));
    assert_eq!(seen.problem, None);
    assert_eq!(seen.notes, notes());
    assert_eq!(seen.parameters as usize * 2, written.data.len());
    assert_eq!(seen.sha256, hash_of(&written.path()).unwrap());
    assert_eq!(seen.sha256.len(), 64);
    assert_eq!(seen.checksum, Checksum::Good);
}

#[test]
fn one_bit_that_changed_is_told_by_the_checksum() {
    let mut written = Written::new();
    let stated = written.header["__metadata__"]["tensors_sha256"].clone();
    let stated = stated.as_str().unwrap().to_owned();
    let middle = written.data.len() / 2;
    written.data[middle] ^= 1;
    let complaint = written.complaint();
    let words = "do not match their checksum; the file was damaged or edited";
    assert_says(&complaint, &[words, &stated]);
    let seen = inspect(&written.path()).unwrap();
    assert_eq!(seen.checksum, Checksum::Wrong);
    assert_says(&seen.problem.unwrap(), &[words]);
    written.data[middle] ^= 1;
    let other = hash_of(&written.path()).unwrap();
    written.header["__metadata__"]["tensors_sha256"] = json!(other);
    assert_says(&written.complaint(), &[words, &stated, &other]);
    // Two tensors of one shape that changed places: all bytes are there, and none is where it was.
    let mut written = Written::new();
    let of = |block: usize| format!("blocks.{block}.attn.qkv.weight");
    let first = written.header[of(0)].take();
    written.header[of(0)] = written.header[of(1)].take();
    written.header[of(1)] = first;
    assert_says(&written.complaint(), &[words]);
}

#[test]
fn a_file_without_a_checksum_loads_as_ever() {
    let mut written = Written::new();
    let metadata = written.header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("tensors_sha256").unwrap();
    let header = serde_json::to_vec(&written.header).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    let path = written.path();
    fs::write(&path, [&length[..], &header, &written.data].concat()).unwrap();
    load(&path, &Device::flex()).unwrap();
    let seen = inspect(&path).unwrap();
    assert_eq!((seen.checksum, seen.problem), (Checksum::Absent, None));
    // What ships is of before there were checksums; decoders name the encoder by its file's hash.
    let shipped = inspect(WeightsSource::Shipped(ENCODER)).unwrap();
    assert_eq!(shipped.checksum, Checksum::Absent);
}

#[test]
fn what_can_not_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none.safetensors"), &Device::flex());
    assert_says(
        &missing.unwrap_err().to_string(),
        &["none.safetensors", "can't be read"],
    );
    let no_file = load(folder.path(), &Device::flex()).unwrap_err();
    assert_says(&no_file.to_string(), &["no file"]);
    assert!(hash_of(&folder.path().join("none.safetensors")).is_err());
}

#[test]
fn what_is_no_safetensors_file_is_said_to_be_none() {
    let written = Written::new();
    let path = written.path();
    let whole = fs::read(&path).unwrap();
    assert_says(&complaint_about(&path, &[]), &["0 bytes", "at least 8"]);
    let text = complaint_about(&path, b"these are no weights at all, but a text");
    assert_says(&text, &["not a whole safetensors file", "its header"]);
    for length in [4, 12, whole.len() / 2, whole.len() - 1] {
        let cut = complaint_about(&path, &whole[..length]);
        assert_says(&cut, &["not a whole safetensors file", "bytes"]);
    }
    let longer = complaint_about(&path, &[&whole[..], b"x"].concat());
    assert_says(&longer, &["its tensors need"]);
    let endless = [&u64::MAX.to_le_bytes()[..], &whole[8..]].concat();
    assert_says(&complaint_about(&path, &endless), &["18446744073709551615"]);
    let mut broken = whole.clone();
    broken[8] = b'[';
    assert_says(&complaint_about(&path, &broken), &["header can't be read"]);
}

#[test]
fn other_versions_and_other_files_of_ours_are_refused() {
    let mut written = Written::new();
    written.header["__metadata__"]["version"] = json!("2");
    assert_says(
        &written.complaint(),
        &["'parfocal.encoder 2'", "'parfocal.encoder 1'"],
    );
    written.header["__metadata__"]["format"] = json!("parfocal.decoder");
    assert_says(&written.complaint(), &["'parfocal.decoder 2'"]);
}

#[test]
fn configurations_that_can_not_be_are_refused() {
    let mut written = Written::new();
    written.header["__metadata__"]["config"] = json!("{\"width\": \"wide\"}");
    assert_says(&written.complaint(), &["configuration", "wide"]);
    let config = EncoderConfig {
        width: 1 << 40,
        ..little()
    };
    written.header["__metadata__"]["config"] = json!(serde_json::to_string(&config).unwrap());
    assert_says(&written.complaint(), &["width is 1099511627776"]);
    // Sizes that might be, but take far more memory than the file has.
    let config = EncoderConfig {
        width: 8192,
        depth: 128,
        heads: 64,
        mlp_width: 65_536,
        ..little()
    };
    written.header["__metadata__"]["config"] = json!(serde_json::to_string(&config).unwrap());
    assert_says(&written.complaint(), &["tensor", "8192"]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let mut written = Written::new();
    let tensors = written.header.as_object_mut().unwrap();
    let bias = tensors.remove("blocks.1.mlp.fc2.bias").unwrap();
    tensors.insert("blocks.1.mlp.fc9.bias".to_owned(), bias);
    assert_says(
        &written.complaint(),
        &["'blocks.1.mlp.fc9.bias'", "no place", "'little'"],
    );
    let mut written = Written::new();
    let config = EncoderConfig {
        depth: 3,
        ..little()
    };
    written.header["__metadata__"]["config"] = json!(serde_json::to_string(&config).unwrap());
    assert_says(
        &written.complaint(),
        &["no tensor 'blocks.2.attn.proj.bias'", "[24]"],
    );
    let mut written = Written::new();
    written.header["blocks.0.attn.proj.weight"]["shape"] = json!([12, 48]);
    assert_says(
        &written.complaint(),
        &["'blocks.0.attn.proj.weight'", "[12, 48]", "[24, 24]"],
    );
}

#[test]
fn sizes_that_are_not_those_of_the_bytes_are_refused() {
    for shape in [json!([24, 25]), json!([u64::MAX, u64::MAX, u64::MAX])] {
        let mut written = Written::new();
        written.header["blocks.0.attn.proj.weight"]["shape"] = shape;
        assert_says(&written.complaint(), &["'blocks.0.attn.proj.weight'"]);
    }
    for offsets in [json!([0, u64::MAX]), json!([8, 2]), json!([-1, 5])] {
        let mut written = Written::new();
        written.header["cls_token"]["data_offsets"] = offsets;
        assert_says(&written.complaint(), &["not a whole safetensors file"]);
    }
}

#[test]
fn values_that_are_no_weights_are_refused() {
    let mut written = Written::new();
    let begin = written.header["cls_token"]["data_offsets"][0]
        .as_u64()
        .unwrap() as usize;
    for (bits, name) in [(0x7e00_u16, "NaN"), (0xfc00, "-inf")] {
        written.data[begin + 6..begin + 8].copy_from_slice(&bits.to_le_bytes());
        assert_says(
            &written.complaint(),
            &["'cls_token'", name, "at 3", "finite"],
        );
        let problem = inspect(&written.path()).unwrap().problem.unwrap();
        assert_says(&problem, &["'cls_token'", name]);
    }
    let mut written = Written::new();
    written.header["cls_token"]["dtype"] = json!("I16");
    assert_says(&written.complaint(), &["'cls_token'", "I16", "F16"]);
}

#[test]
fn a_foreign_file_that_holds_no_encoder_says_what_it_lacks() {
    let mut written = Written::new();
    let tensors = written.header.as_object_mut().unwrap();
    tensors.remove("__metadata__");
    let patches = tensors.remove("patch_embed.proj.weight").unwrap();
    tensors.insert("conv1.weight".to_owned(), patches);
    assert_says(
        &written.complaint(),
        &["no vision transformer", "'patch_embed.proj.weight'"],
    );
    let seen = inspect(&written.path()).unwrap();
    assert!(seen.config.is_none() && seen.problem.is_some() && seen.format.is_none());
}

#[test]
fn weights_that_f16_can_not_hold_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let config = EncoderConfig {
        layer_scale: Some(1e6),
        ..little()
    };
    let encoder = Encoder::new(&config, 1, &Device::flex()).unwrap();
    let error = save(&encoder, &notes(), &path).unwrap_err();
    assert!(matches!(error, WeightsError::NotFinite { .. }));
    assert_says(&error.to_string(), &["ls1.gamma", "1000000", "65504"]);
    assert!(!path.exists());
    let nowhere = folder.path().join("no/such/w.safetensors");
    let encoder = Encoder::new(&little(), 1, &Device::flex()).unwrap();
    let error = save(&encoder, &notes(), &nowhere).unwrap_err();
    assert!(matches!(error, WeightsError::Write { .. }));
}

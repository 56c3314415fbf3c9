//! What is written comes back, and every damage is told by file, tensor and expectation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Distribution, Tensor};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ClassLabel, Decoder, DecoderCard, DecoderConfig, WeightsError, load, names, save};
use crate::model::dfa::bias::ClassBias;
use crate::model::weights::{self, Checksum, hash_of, inspect};
use crate::model::{Encoder, EncoderConfig};

fn little() -> DecoderConfig {
    DecoderConfig {
        name: "little".to_owned(),
        encoder_width: 12,
        width: 16,
        heads: 2,
        cross_width: 8,
        mlp_width: 24,
        ..DecoderConfig::tiny()
    }
}

fn card() -> DecoderCard {
    let label = |name: &str, code: u16| ClassLabel {
        name: name.to_owned(),
        code,
        colour: [code as u8, 20, 30],
    };
    let classes = vec![label("tumor", 1), label("stroma", 2), label("other", 9)];
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    let bias = ClassBias::new(&names, &[0.3, -0.1, -0.2]).unwrap();
    DecoderCard {
        bias: bias.trained_to(&[0.7, -0.3, -0.4]).unwrap(),
        classes,
        encoder_sha256: "0123456789abcdef".repeat(4),
        tile_px: 128,
        mpp: [0.25, 2.0],
        program: DecoderCard::this_program(),
        notes: BTreeMap::from([("trained-on".to_owned(), "phantom slides".to_owned())]),
    }
}

fn decoder() -> Decoder {
    Decoder::new(&little(), 3, 1, &Device::flex()).unwrap()
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
        let path = folder.path().join("d.safetensors");
        save(&decoder(), &card(), &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("d.safetensors")
    }

    /// A card as it is in the file, with one value changed.
    fn with_card(key: &str, value: Value) -> String {
        let mut written = Self::new();
        let mut card = serde_json::to_value(card()).unwrap();
        card[key] = value;
        written.header["__metadata__"]["card"] = json!(card.to_string());
        written.complaint()
    }

    /// Writes header and data as they are now and tells what loading says.
    fn complaint(&self) -> String {
        let header = serde_json::to_vec(&self.header).unwrap();
        let length = (header.len() as u64).to_le_bytes();
        let bytes = [&length[..], &header, &self.data].concat();
        complaint_about(&self.path(), &bytes)
    }
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
    let written = Written::new();
    let (again, read) = load(&written.path(), &device).unwrap();
    assert_eq!((again.config(), &read), (&little(), &card()));
    let tokens = Tensor::random([2, 16, 12], Distribution::Default, &device);
    let seen = |decoder: &Decoder| {
        let features = decoder.start(tokens.clone()).unwrap();
        let bias = read.bias.tensor(&device);
        decoder.decode(&features, bias).unwrap().logits
    };
    let (before, after) = (seen(&decoder()), seen(&again));
    let largest = before.clone().abs().max().into_scalar::<f32>();
    let apart = (before - after).abs().max().into_scalar::<f32>();
    assert!(
        apart < 2e-2 * largest,
        "f16 on disk, but {apart} of {largest}"
    );
    // What is in f16 already does not change any more.
    let hash = hash_of(&written.path()).unwrap();
    save(&again, &read, &written.path()).unwrap();
    assert_eq!(hash_of(&written.path()).unwrap(), hash);
}

#[test]
fn loaded_parameters_have_ids_of_their_own_and_learn() {
    let written = Written::new();
    let device = Device::flex().autodiff();
    let (loaded, _) = load(&written.path(), &device).unwrap();
    let first = Decoder::new(&little(), 3, 9, &device).unwrap();
    let ids = burn::module::list_param_ids(&loaded);
    assert_eq!(ids, burn::module::list_param_ids(&first));
    let encoder = Encoder::new(&EncoderConfig::tiny(), 1, &device).unwrap();
    let others = burn::module::list_param_ids(&encoder);
    assert!(ids.iter().all(|id| !others.contains(id)));
    let tokens = Tensor::random([2, 9, 12], Distribution::Default, &device);
    let features = loaded.start(tokens).unwrap();
    let seen = loaded
        .decode(&features, Tensor::zeros([3], &device))
        .unwrap();
    let loss = seen.logits.powi_scalar(2).sum() + seen.iou.powi_scalar(2).sum();
    let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &loaded);
    assert_eq!(gradients.len(), ids.len());
}

#[test]
fn names_are_the_fields_and_nothing_else() {
    for (classes, depth) in [(1, 1), (3, 2)] {
        let config = DecoderConfig { depth, ..little() };
        let decoder = Decoder::new(&config, classes, 1, &Device::flex()).unwrap();
        let expected = names::expected(&config, classes);
        let path = Path::new("none");
        let tensors = weights::module::tensors_of(&decoder, &expected, path).unwrap();
        let found: BTreeSet<&String> = tensors.iter().map(|(name, _, _)| name).collect();
        assert_eq!(found, expected.keys().collect());
        for (name, shape, values) in &tensors {
            assert_eq!(
                shape.iter().product::<u64>() as usize,
                values.len(),
                "{name}"
            );
        }
    }
}

#[test]
fn a_file_tells_what_it_is() {
    let written = Written::new();
    let seen = inspect(&written.path()).unwrap();
    assert_eq!(seen.format.as_deref(), Some("parfocal.decoder 1"));
    assert_eq!((seen.config, seen.problem), (None, None));
    assert_eq!(seen.decoder, Some((little(), card())));
    assert_eq!(seen.notes, card().notes);
    assert_eq!(seen.parameters as usize * 2, written.data.len());
    // Each kind of file says so to whom takes it for the other.
    let as_encoder = weights::load(&written.path(), &Device::flex()).unwrap_err();
    assert_says(
        &as_encoder.to_string(),
        &["'parfocal.decoder 1'", "'parfocal.encoder 1'"],
    );
    let config = EncoderConfig {
        width: 24,
        depth: 1,
        ..EncoderConfig::tiny()
    };
    let encoder = Encoder::new(&config, 1, &Device::flex()).unwrap();
    weights::save(&encoder, &BTreeMap::new(), &written.path()).unwrap();
    let as_decoder = load(&written.path(), &Device::flex()).unwrap_err();
    assert_says(
        &as_decoder.to_string(),
        &["'parfocal.encoder 1'", "'parfocal.decoder 1'"],
    );
}

#[test]
fn what_is_no_whole_file_is_said_to_be_none() {
    let written = Written::new();
    let path = written.path();
    let missing = load(&path.with_extension("none"), &Device::flex()).unwrap_err();
    assert_says(&missing.to_string(), &["d.none", "can't be read"]);
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 12, whole.len() / 2, whole.len() - 1] {
        let cut = complaint_about(&path, &whole[..length]);
        assert_says(&cut, &["not a whole safetensors file", "bytes"]);
    }
    let mut written = Written::new();
    written.header["__metadata__"]["version"] = json!("2");
    assert_says(
        &written.complaint(),
        &["'parfocal.decoder 2'", "'parfocal.decoder 1'"],
    );
    let problem = inspect(&written.path()).unwrap().problem.unwrap();
    assert_says(&problem, &["'parfocal.decoder 2'"]);
    let tensors = written.header.as_object_mut().unwrap();
    tensors.remove("__metadata__");
    assert_says(&written.complaint(), &["'parfocal.decoder 1'"]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let mut written = Written::new();
    let tensors = written.header.as_object_mut().unwrap();
    let norm = tensors.remove("last_norm.bias").unwrap();
    tensors.insert("last_norm.beta".to_owned(), norm);
    let complaint = written.complaint();
    assert_says(
        &complaint,
        &["'last_norm.beta'", "no place", "decoder 'little'"],
    );
    let mut written = Written::new();
    let config = DecoderConfig {
        depth: 3,
        ..little()
    };
    written.header["__metadata__"]["config"] = json!(serde_json::to_string(&config).unwrap());
    assert_says(&written.complaint(), &["no tensor 'blocks.2.", "["]);
    let mut written = Written::new();
    written.header["class_tokens"]["shape"] = json!([6, 8]);
    assert_says(
        &written.complaint(),
        &["'class_tokens'", "[6, 8]", "[3, 16]"],
    );
    let mut written = Written::new();
    let begin = written.header["class_tokens"]["data_offsets"][0].as_u64();
    let begin = begin.unwrap() as usize;
    written.data[begin + 2..begin + 4].copy_from_slice(&0x7e00_u16.to_le_bytes());
    assert_says(&written.complaint(), &["'class_tokens'", "NaN", "at 1"]);
    let problem = inspect(&written.path()).unwrap().problem.unwrap();
    assert_says(&problem, &["'class_tokens'", "NaN"]);
    // Sizes that might be, but take far more memory than the file has.
    let mut written = Written::new();
    let config = DecoderConfig {
        width: 4096,
        depth: 64,
        mlp_width: 65_536,
        ..little()
    };
    written.header["__metadata__"]["config"] = json!(serde_json::to_string(&config).unwrap());
    assert_says(&written.complaint(), &["tensor", "4096"]);
}

#[test]
fn one_bit_that_changed_is_told_by_the_checksum() {
    let mut written = Written::new();
    assert_eq!(inspect(&written.path()).unwrap().checksum, Checksum::Good);
    let last = written.data.len() - 2;
    written.data[last] ^= 1;
    let words = "do not match their checksum; the file was damaged or edited";
    assert_says(&written.complaint(), &[words]);
    let seen = inspect(&written.path()).unwrap();
    assert_eq!(seen.checksum, Checksum::Wrong);
    assert_says(&seen.problem.unwrap(), &[words]);
}

#[test]
fn cards_that_can_not_be_are_refused() {
    let says = |key: &str, value: Value, words: &[&str]| {
        assert_says(&Written::with_card(key, value), words);
    };
    says("tile_px", json!(0), &["tile_px is 0"]);
    says("mpp", json!([2.0, 1.0]), &["mpp from 2 to 1"]);
    says("mpp", json!([-1.0, 1.0]), &["mpp from -1"]);
    says("encoder_sha256", json!("abc"), &["'abc'", "64 digits"]);
    says("classes", json!([]), &["0 classes"]);
    says("colours", json!(3), &["colours"]);
    let mut classes = serde_json::to_value(card().classes).unwrap();
    classes[0]["name"] = json!("fat");
    says(
        "classes",
        classes,
        &["tumor, stroma, other", "expected fat, stroma, other"],
    );
    let mut classes = serde_json::to_value(card().classes).unwrap();
    classes[2]["code"] = json!(1);
    says("classes", classes, &["'other' has the code 1"]);
    let mut bias = serde_json::to_value(card().bias).unwrap();
    bias[0]["learned"] = json!(1e30);
    says("bias", bias, &["'tumor'", "within"]);
}

#[test]
fn what_does_not_belong_together_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.safetensors");
    let other = Decoder::new(&little(), 2, 1, &Device::flex()).unwrap();
    let error = save(&other, &card(), &path).unwrap_err();
    assert_says(&error.to_string(), &["3 classes, expected 2"]);
    let odd = DecoderCard {
        mpp: [0.0, 1.0],
        ..card()
    };
    assert!(save(&decoder(), &odd, &path).is_err() && !path.exists());
    let nowhere = folder.path().join("no/such/d.safetensors");
    let error = save(&decoder(), &card(), &nowhere).unwrap_err();
    assert!(matches!(error, WeightsError::Write { .. }));
}

#[test]
fn logits_are_adjusted_as_the_notes_say() {
    let with = |notes: &[(&str, &str)]| {
        let notes = notes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let card = DecoderCard {
            notes: notes.collect(),
            ..card()
        };
        card.logit_offsets()
    };
    let (mode, fractions) = (
        ("mode", "logit-adjusted"),
        ("class_fractions", "0.5 0.00000 0.25"),
    );
    assert_eq!(with(&[]).unwrap(), [0.0; 3]);
    assert_eq!(with(&[("mode", "dfa"), fractions]).unwrap(), [0.0; 3]);
    let found = with(&[mode, ("tau", "2"), fractions]).unwrap();
    let ln2 = std::f32::consts::LN_2;
    for (found, meant) in found.iter().zip([2.0 * ln2, 0.0, 4.0 * ln2]) {
        assert!((found - meant).abs() < 1e-6, "{found} {meant}");
    }
    assert_says(
        &with(&[mode, fractions]).unwrap_err(),
        &["'tau'", "1 numbers"],
    );
    let short = ("class_fractions", "0.5 0.5");
    let said = with(&[mode, ("tau", "1"), short]).unwrap_err();
    assert_says(&said, &["'class_fractions'", "'0.5 0.5'", "3 numbers"]);
}

//! Learning through the program itself, and on both kinds of device.

mod program;

use std::path::Path;
use std::process::{Command as Process, Output, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind, Tensor, TensorData};
use parfocal::learn::mad::{MadConfig, Trainer};
use parfocal::learn::sampling::{FamilyBatch, View};
use parfocal::model::dfa::{Activation, Decoded, Decoder, DecoderConfig, to_tile};
use parfocal::model::{Encoder, EncoderConfig};
use program::{fails, parfocal, succeeds};

const ENCODER: &str = "
[run.encoder]
name = \"little\"
width = 24
depth = 1
heads = 2
mlp_width = 48
mlp = \"gelu\"
patch_px = 16
position_grid = 4
class_position = false
registers = 0
pixel_mean = [0.7, 0.6, 0.7]
pixel_std = [0.2, 0.2, 0.2]
";

fn settings(steps: u64) -> String {
    format!(
        "[run]\nseed = 5\nsteps = {steps}\ncheckpoint_minutes = 0.0\n{ENCODER}\n\
         [run.head]\nhidden = 32\nbottleneck = 8\nprototypes = 16\n\
         [run.watch]\nleast_rank_share = 0.0\n\
         [sampling]\ntile_px = 64\nfamilies = 2\n\
         [[source]]\nphantom = \"breast\"\nseeds = [3]\nextent_mm = 1.5\n"
    )
}

fn train(folder: &Path, out: &str, more: &[&str]) -> Output {
    let base = [
        "train", "mad", "--config", "mad.toml", "--out", out, "--device", "cpu",
    ];
    parfocal(&[&base, more].concat(), folder)
}

/// Starts a run in the folder `cut` and kills it after some lines of its log, before `last` is there.
fn kill_on_the_way(folder: &Path, args: &str, last: &str) {
    let mut killed = Process::new(env!("CARGO_BIN_EXE_parfocal"))
        .current_dir(folder)
        .args(args.split(' '))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let log = folder.join("cut/log.csv");
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    while lines() < 4 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let late = folder.join("cut").join(last).exists();
    assert!(!late, "killed too late to test anything");
}

#[test]
fn a_run_trains_is_killed_resumes_and_its_weights_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("mad.toml"), settings(12)).unwrap();

    let printed = succeeds(&train(folder.path(), "whole", &[]));
    assert_eq!(printed.trim(), "whole/encoder.safetensors");

    // Killed somewhere in the middle, then gone on with: the same weights, bit for bit.
    let args = "train mad --config mad.toml --out cut --device cpu";
    kill_on_the_way(folder.path(), args, "encoder.safetensors");
    fails(&train(folder.path(), "cut", &[]), &["--resume"]);
    succeeds(&train(folder.path(), "cut", &["--resume"]));
    let bytes = |name: &str| std::fs::read(at(name)).unwrap();
    assert!(bytes("whole/encoder.safetensors") == bytes("cut/encoder.safetensors"));
    let steps = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(at(name)).unwrap();
        let first = |line: &str| line.split(',').take(14).collect::<Vec<_>>().join(",");
        text.lines().map(first).collect()
    };
    assert_eq!(steps("whole/log.csv"), steps("cut/log.csv"));

    let speed = "weights speed --training mad.toml --repeats 1 --device cpu";
    let told = parfocal(&speed.split(' ').collect::<Vec<_>>(), folder.path());
    assert!(succeeds(&told).contains("\"tiles_a_step\":34,\"mad_step_ms_per_tile\":"));
    // What else such weights are for.
    let weights = "whole/encoder.safetensors";
    let told = succeeds(&parfocal(&["weights", "inspect", weights], folder.path()));
    for word in ["little", "patch_embed.proj.weight", "[24, 3, 16, 16]"] {
        assert!(told.contains(word), "no '{word}' in: {told}");
    }
    let embed = [
        "embed",
        "phantom:breast?seed=3",
        "--weights",
        weights,
        "--tile",
        "64",
        "--region",
        "12000,12000,300,300",
        "--all",
        "--device",
        "cpu",
        "-o",
        "a.npz",
    ];
    succeeds(&parfocal(&embed, folder.path()));
    let file = std::fs::File::open(at("a.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    for name in ["cls.npy", "positions_um.npy"] {
        assert!(archive.by_name(name).unwrap().size() > 100, "{name}");
    }
}

/// A report has every part of the evaluation, the untrained floor and the colour floor.
#[test]
fn an_encoder_is_evaluated_beside_its_floors() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let encoder = Encoder::new(&little(), 2, &Device::flex()).unwrap();
    let weights = at("little.safetensors");
    parfocal::model::weights::save(&encoder, &Default::default(), &weights).unwrap();
    std::fs::write(at("eval.toml"), "tile_px = 64\ntissues = [\"breast\"]\n").unwrap();
    let evaluate = |weights: &str, data: &str| {
        let args = [
            "eval",
            "mad",
            "--weights",
            weights,
            "--data",
            data,
            "--quick",
            "-o",
            "report",
            "--device",
            "cpu",
        ];
        parfocal(&args, folder.path())
    };
    let told = succeeds(&evaluate("little.safetensors", "eval.toml"));
    for word in ["retention", "untrained tiny", "mean RGB", "top-1", "breast"] {
        assert!(told.contains(word), "no '{word}' in: {told}");
    }
    assert_eq!(
        std::fs::read_to_string(at("report/report.md")).unwrap(),
        told
    );
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(at("report/report.json")).unwrap()).unwrap();
    assert_eq!(json["arms"].as_array().unwrap().len(), 3);
    for plot in ["macro-f1.svg", "retrieval.svg"] {
        let text = std::fs::read_to_string(at(&format!("report/{plot}"))).unwrap();
        assert!(
            text.starts_with("<svg") && text.contains("little"),
            "{plot}"
        );
    }
    let told = succeeds(&evaluate("tiny", "eval.toml"));
    assert!(told.contains("tiny (trained)"), "what ships: {told}");
    fails(
        &evaluate("none.safetensors", "eval.toml"),
        &["none.safetensors"],
    );
    std::fs::write(at("bad.toml"), "tissuez = 1").unwrap();
    fails(
        &evaluate("little.safetensors", "bad.toml"),
        &["bad.toml", "tissuez"],
    );
}

const DECODER_SETTINGS: &str = "
kept_crops = 24
[run]
seed = 1
steps = 4
checkpoint_minutes = 0.0
[data]
encoder = \"e.safetensors\"
[data.set]
kind = \"phantom\"
tissue = \"breast\"
training = { from = 1, count = 2 }
validation = { from = 101, count = 1 }
test = { from = 950000, count = 1 }
regions = 1
[data.crops]
tile_px = 64
samples = 4
";

/// A folder with an encoder and the settings of a decoder's training.
fn decoder_folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let encoder = Encoder::new(&little(), 2, &Device::flex()).unwrap();
    let path = folder.path().join("e.safetensors");
    parfocal::model::weights::save(&encoder, &Default::default(), &path).unwrap();
    std::fs::write(folder.path().join("dfa.toml"), settings).unwrap();
    folder
}

/// Killed at any moment and resumed, a decoder is the same bit for bit.
#[test]
fn a_decoder_is_killed_and_resumes() {
    let folder = decoder_folder(&DECODER_SETTINGS.replace("steps = 4", "steps = 30"));
    let train = |out: &str, more: &str| {
        let args = format!("train dfa --config dfa.toml --out {out} --device cpu{more}");
        parfocal(&args.split(' ').collect::<Vec<_>>(), folder.path())
    };
    succeeds(&train("whole", ""));
    let args = "train dfa --config dfa.toml --out cut --device cpu";
    kill_on_the_way(folder.path(), args, "decoder.safetensors");
    fails(&train("cut", ""), &["--resume"]);
    fails(&train("cut", " --resume --mode none"), &["checkpoint"]);
    succeeds(&train("cut", " --resume"));
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("whole/decoder.safetensors") == bytes("cut/decoder.safetensors"));
    fails(&train("x", " --fold 1"), &["fold", "[data.folds]"]);
    fails(
        &train("z", " --mode difficulty"),
        &["dfa.toml", "[first_dice]"],
    );
    assert!(
        !folder.path().join("z").exists(),
        "told before anything began"
    );
    let wrong = format!("{DECODER_SETTINGS}\n[first_dice]\ntumor = 0.8\n");
    std::fs::write(folder.path().join("dfa.toml"), wrong).unwrap();
    fails(
        &train("y", " --mode difficulty"),
        &["first_dice", "necrosis"],
    );
}

/// All modes of one command: a table, and nothing done twice.
#[test]
fn modes_are_compared() {
    let folder = decoder_folder(&format!(
        "seeds = [1, 2]\nmodes = [\"none\", \"dfa\"]\nfirst_seeds = [7]\n{}\n[tuning]\nalphas = []\n",
        DECODER_SETTINGS
    ));
    let bench = |more: &str| {
        let args = format!("bench dfa --config dfa.toml --out out --device cpu{more}");
        parfocal(&args.split(' ').collect::<Vec<_>>(), folder.path())
    };
    fails(&bench(" --block 1"), &["--block 1"]);
    let told = succeeds(&bench(""));
    assert!(
        told.contains("| none | 2 |") && told.contains("| dfa | 2 |"),
        "{told}"
    );
    let runs = || std::fs::read_dir(folder.path().join("out/runs")).unwrap();
    assert_eq!(runs().count(), 4);
    let when = |entry: std::fs::DirEntry| entry.metadata().unwrap().modified().unwrap();
    let before: Vec<_> = runs().map(|entry| when(entry.unwrap())).collect();
    succeeds(&bench(""));
    let after: Vec<_> = runs().map(|entry| when(entry.unwrap())).collect();
    assert_eq!(before, after, "no training was run again");
    for file in ["bench.md", "bench.json", "bench-dice.svg", "bench-bias.svg"] {
        assert!(folder.path().join("out").join(file).exists(), "{file}");
    }
}

/// From a set and an encoder to a decoder and its report.
#[test]
fn a_decoder_is_trained_and_judged() {
    let folder = decoder_folder(DECODER_SETTINGS);
    let at = |name: &str| folder.path().join(name);
    let train = |out: &str, more: &[&str]| {
        let base = [
            "train", "dfa", "--config", "dfa.toml", "--out", out, "--device", "cpu",
        ];
        parfocal(&[&base, more].concat(), folder.path())
    };
    let told = succeeds(&train("a", &[]));
    assert_eq!(told.trim(), "a/decoder.safetensors");
    let log = std::fs::read_to_string(at("a/log.csv")).unwrap();
    assert_eq!(log.lines().count(), 5);
    fails(&train("a", &["--mode", "none"]), &["--resume"]);
    fails(
        &train("b", &["--mode", "difficulty"]),
        &["dfa.toml", "[first_dice]", "a first model"],
    );
    let judge = |mpp: &str| {
        let args = [
            "eval",
            "dfa",
            "--config",
            "dfa.toml",
            "--weights",
            "a/decoder.safetensors",
            "--mpp",
            mpp,
            "-o",
            "report",
            "--device",
            "cpu",
        ];
        parfocal(&args, folder.path())
    };
    let told = succeeds(&judge("1.0"));
    for word in ["dfa", "tumor", "10x", "olour"] {
        assert!(told.contains(word), "no '{word}' in: {told}");
    }
    for file in [
        "report.md",
        "report.json",
        "images.csv",
        "dice.svg",
        "bias.svg",
    ] {
        assert!(at("report").join(file).exists(), "{file}");
    }
    fails(&judge("0.1"), &["can't be shown at 0.1"]);
    let inspect = ["weights", "inspect", "a/decoder.safetensors"];
    let told = succeeds(&parfocal(&inspect, folder.path()));
    for word in [
        "decoder     tiny",
        "class       tumor (code 1): bias",
        "mode = dfa",
        "tau = 1",
    ] {
        assert!(told.contains(word), "no '{word}' in: {told}");
    }
    let speed = "weights speed --decoder tiny --tile 64 --batch 1 --repeats 1 --device cpu";
    let told = parfocal(&speed.split(' ').collect::<Vec<_>>(), folder.path());
    assert!(succeeds(&told).contains("decode_ms_per_tile"));
    // Another encoder than the one it was trained on.
    let other = Encoder::new(&little(), 3, &Device::flex()).unwrap();
    parfocal::model::weights::save(&other, &Default::default(), &at("e.safetensors")).unwrap();
    fails(&judge("1.0"), &["SHA-256", "--encoder"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_an_encoders_run() {
    let folder = tempfile::tempdir().unwrap();
    let long = settings(100_000).replace("checkpoint_minutes = 0.0", "checkpoint_minutes = 5.0");
    std::fs::write(folder.path().join("mad.toml"), long).unwrap();
    stops_and_saves(
        folder.path(),
        "train mad --config mad.toml --out out --device cpu",
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_a_decoders_run() {
    let long = DECODER_SETTINGS.replace("steps = 4", "steps = 100000");
    let long = long.replace("checkpoint_minutes = 0.0", "checkpoint_minutes = 5.0");
    let folder = decoder_folder(&long);
    stops_and_saves(
        folder.path(),
        "train dfa --config dfa.toml --out out --device cpu",
    );
}

/// A run of 100,000 steps with checkpoints minutes apart is interrupted after some: it saves, and says
/// how to go on.
#[cfg(unix)]
fn stops_and_saves(folder: &Path, args: &str) {
    let at = |name: &str| folder.join(name);
    let running = Process::new(env!("CARGO_BIN_EXE_parfocal"))
        .current_dir(folder)
        .args(args.split(' '))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let lines = || std::fs::read_to_string(at("out/log.csv")).map_or(0, |t| t.lines().count());
    while lines() < 4 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let before = std::fs::metadata(at("out/checkpoint.zip")).unwrap();
    let kill = Process::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ended = running.wait_with_output().unwrap();
    fails(&ended, &["stopped after", "of 100000 steps", "--resume"]);
    let after = std::fs::metadata(at("out/checkpoint.zip")).unwrap();
    assert!(after.modified().unwrap() > before.modified().unwrap());
}

#[test]
fn what_will_stop_a_run_is_told_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let with = |text: &str| std::fs::write(folder.path().join("mad.toml"), text).unwrap();
    let run = || train(folder.path(), "out", &[]);
    fails(&run(), &["mad.toml", "can't be read"]);
    with(&settings(4).replace("steps = 4", "stepz = 4"));
    fails(&run(), &["mad.toml", "stepz"]);
    with(&settings(4).replace("tile_px = 64", "tile_px = 96"));
    fails(&run(), &["mad.toml", "96"]);
    with(&settings(4).replace("steps = 4", "steps = 0"));
    let output = run();
    fails(&output, &["mad.toml", "steps is 0, not in 1"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(words.matches("steps is 0").count(), 1, "said once: {words}");
    with(&settings(4).replace("seeds = [3]", "seeds = [800100]"));
    fails(&run(), &["800100", "reserved"]);
    with(&settings(4).replace("seeds = [3]", "seeds = [900001]"));
    fails(&run(), &["900001"]);
    with(&settings(4).replace("phantom = \"breast\"\nseeds = [3]", "slide = \"no.svs\""));
    fails(&run(), &["no.svs"]);
    with(&settings(4));
    fails(
        &train(folder.path(), "out", &["--resume"]),
        &["checkpoint.zip"],
    );
    std::fs::write(folder.path().join("file"), "").unwrap();
    fails(&train(folder.path(), "file", &[]), &["file"]);
}

/// The software adapter does. Where there is not even that, the test fails: a comparison that was
/// not made is none that was passed.
fn wgpu() -> Device {
    parfocal::gpu::offscreen::Offscreen::open().expect("run `make setup`, which installs a driver");
    Device::wgpu(DeviceKind::DefaultDevice)
}

fn little() -> EncoderConfig {
    EncoderConfig {
        width: 24,
        depth: 1,
        heads: 3,
        mlp_width: 48,
        patch_px: 8,
        position_grid: 3,
        registers: 1,
        layer_scale: Some(0.5),
        ..EncoderConfig::tiny()
    }
}

fn tiles(count: usize, side: usize) -> Vec<f32> {
    let value = |n: usize| ((n * 7919) % 1000) as f32 / 1000.0;
    (0..count * 3 * side * side).map(value).collect()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = |(a, b): (&f32, &f32)| (a - b).abs();
    a.iter().zip(b).map(apart).fold(0.0, f32::max)
}

/// What a narrow decoder makes of some tokens under a bias.
fn decoded_by(bias: Tensor<1>, device: &Device) -> Decoded {
    let shape = DecoderConfig {
        width: 16,
        heads: 2,
        cross_width: 8,
        mlp_width: 24,
        activation: Activation::Gelu,
        ..DecoderConfig::tiny().on(12)
    };
    let decoder = Decoder::new(&shape, 3, 7, device).unwrap();
    let tokens = (0..9 * 12).map(|n| (n * 37 % 101) as f32 / 25.0 - 2.0);
    let tokens = TensorData::new(tokens.collect::<Vec<f32>>(), [1, 9, 12]);
    let features = decoder.start(Tensor::from_data(tokens, device)).unwrap();
    decoder.decode(&features, bias).unwrap()
}

/// ∂/∂b of the sum of its squared logits.
fn bias_gradient(learns: &Device) -> Vec<f32> {
    let bias = Tensor::<1>::from_floats([0.4, -0.9, 0.5], learns).require_grad();
    let logits = decoded_by(bias.clone(), learns).logits;
    let found = bias.grad(&logits.square().sum().backward()).unwrap();
    found.into_data().try_to_vec().unwrap()
}

#[test]
fn both_devices_embed_and_learn_alike() {
    // A process of its own, since how hard wgpu looks for fast kernels is set by the environment;
    // on a software adapter the search takes minutes.
    let child = Process::new(std::env::current_exe().unwrap())
        .env("CUBECL_AUTOTUNE_LEVEL", "minimal")
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "devices_embed_and_learn_alike",
        ])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&child.stdout);
    let more = String::from_utf8_lossy(&child.stderr);
    eprintln!("{words}{more}");
    assert!(child.status.success() && words.contains("1 passed"));
}

#[test]
#[ignore = "run by `both_devices_embed_and_learn_alike`, in its environment"]
fn devices_embed_and_learn_alike() {
    let wgpu = wgpu();
    let seen = |device: &Device| -> Vec<f32> {
        let encoder = Encoder::new(&little(), 2, device).unwrap();
        // Not the grid on which positions are stored, so that they are resampled.
        let data = TensorData::new(tiles(2, 32), [2, 3, 32, 32]);
        let seen = encoder.forward(Tensor::from_data(data, device)).unwrap();
        let all = Tensor::cat(vec![seen.cls.unsqueeze_dim(1), seen.tokens], 1);
        all.into_data().try_to_vec().unwrap()
    };
    let apart = furthest(&seen(&Device::flex()), &seen(&wgpu));
    assert!(apart < 1e-3, "forward: {apart}");

    let decoded = |device: &Device| -> Vec<f32> {
        let bias = Tensor::from_floats([0.4, -0.9, 0.5], device);
        let seen = decoded_by(bias, device);
        let tile = to_tile(seen.logits.clone(), 20);
        let values = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let iou = seen.iou.into_data().try_to_vec::<f32>().unwrap();
        [values(seen.logits), values(tile), iou].concat()
    };
    let apart = furthest(&decoded(&Device::flex()), &decoded(&wgpu));
    assert!(apart < 1e-3, "decoder: {apart}");
    let gradient = |device: &Device| bias_gradient(&device.clone().autodiff());
    let (on_cpu, on_wgpu) = (gradient(&Device::flex()), gradient(&wgpu));
    let size = on_cpu
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    let apart = furthest(&on_cpu, &on_wgpu);
    // Of a sum over all logits, so in parts of its size.
    assert!(
        size > 1e-2 && apart < 1e-3 * size,
        "gradient of b: {apart} apart, of {size}"
    );

    let mut config: MadConfig = toml::from_str("seed = 2\nsteps = 10").unwrap();
    config.encoder = parfocal::learn::mad::config::EncoderChoice::Shape(little());
    config.head.hidden = 32;
    config.head.bottleneck = 8;
    config.head.prototypes = 16;
    config.loss.contrast = 0.5;
    // A teacher that is the student, so that what is compared has moved by a whole step.
    config.teacher.momentum = [0.0, 0.0];
    // A first step of full size, by gradients that are not cut.
    config.student.warm_up_steps = 0;
    config.student.most_gradient = 1e6;
    let view = |shift: usize| View {
        parents: tiles(2 + shift, 32).split_off(shift * 3 * 32 * 32),
        children: tiles(5 + shift, 32).split_off(shift * 3 * 32 * 32),
    };
    let batch = FamilyBatch {
        step: 0,
        families: 2,
        tile_px: 32,
        views: [view(0), view(1)],
        child_places: vec![0, 3, 9, 17, 30],
        parent_mpp: vec![1.0; 2],
    };
    let learned = |device: &Device| {
        let mut trainer = Trainer::new(&config, 32, device).unwrap();
        let report = trainer.step(&batch).unwrap();
        let data = TensorData::new(tiles(2, 32), [2, 3, 32, 32]);
        let tiles = Tensor::from_data(data, device);
        let seen = trainer.teacher().encoder.forward(tiles).unwrap();
        let values: Vec<f32> = seen.tokens.into_data().try_to_vec().unwrap();
        (report, values)
    };
    let (on_cpu, cpu_values) = learned(&Device::flex());
    let (on_wgpu, wgpu_values) = learned(&wgpu);
    for (name, a, b) in [
        ("loss", on_cpu.loss, on_wgpu.loss),
        ("tokens", on_cpu.tokens, on_wgpu.tokens),
        ("gradient", on_cpu.gradient as f32, on_wgpu.gradient as f32),
    ] {
        assert!(
            (a - b).abs() < 1e-3 * a.abs().max(1.0),
            "{name}: {a} and {b}"
        );
    }
    let apart = furthest(&cpu_values, &wgpu_values);
    assert!(apart < 1e-3, "after one step: {apart}");
}

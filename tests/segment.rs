//! `parfocal segment` through the program itself: files, areas, resuming, refusals.

mod program;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Output, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use parfocal::geometry::LevelRegion;
use parfocal::labels::class_colours;
use parfocal::model::dfa::weights::{self as decoder_weights, ClassLabel, DecoderCard};
use parfocal::model::dfa::{ClassBias, Decoder, DecoderConfig};
use parfocal::model::{Encoder, EncoderConfig, weights};
use program::{fails, succeeds};
use serde_json::Value;
use tempfile::TempDir;

const COLOURS: [[u8; 3]; 3] = [[213, 94, 0], [0, 114, 178], [240, 228, 66]];

/// A folder with a picture of two stains on glass and weights of an untrained network.
struct Bench(TempDir);

impl Bench {
    fn new(width: u32, height: u32) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let colour = |x: u32, y: u32| {
            let glass = x < 60 || y < 40 || (x / 250 + y / 330) % 3 == 2;
            let disc = (x % 70).abs_diff(35).pow(2) + (y % 90).abs_diff(45).pow(2) < 500;
            image::Rgb(match (glass, disc) {
                (true, _) => [243, 242, 244],
                (_, true) => [90, 60, 140],
                _ => [225, 150, 190],
            })
        };
        let picture = image::RgbImage::from_fn(width, height, colour);
        picture.save(bench.at("slide.png")).unwrap();
        bench.encoder("encoder.safetensors", 1);
        bench.decoder("decoder.safetensors", &["tumor", "stroma", "other"]);
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    fn encoder(&self, name: &str, seed: u64) {
        let shape = EncoderConfig {
            width: 24,
            depth: 1,
            mlp_width: 48,
            patch_px: 8,
            ..EncoderConfig::tiny()
        };
        let encoder = Encoder::new(&shape, seed, &Device::flex()).unwrap();
        weights::save(&encoder, &BTreeMap::new(), &self.at(name)).unwrap();
    }

    /// Of classes on the encoder `encoder.safetensors`.
    fn decoder(&self, name: &str, classes: &[&str]) {
        let shape = DecoderConfig {
            width: 16,
            heads: 2,
            cross_width: 8,
            mlp_width: 24,
            ..DecoderConfig::tiny().on(24)
        };
        let decoder = Decoder::new(&shape, classes.len(), 3, &Device::flex()).unwrap();
        let names: Vec<String> = classes.iter().map(|name| (*name).to_owned()).collect();
        let labels = (0..).zip(&names).map(|(code, name)| ClassLabel {
            name: name.clone(),
            code,
            colour: COLOURS[usize::from(code)],
        });
        let card = DecoderCard {
            classes: labels.collect(),
            bias: ClassBias::none(&names).unwrap(),
            encoder_sha256: weights::hash_of(&self.at("encoder.safetensors")).unwrap(),
            tile_px: 64,
            mpp: [0.25, 2.0],
            program: DecoderCard::this_program(),
            notes: BTreeMap::new(),
        };
        decoder_weights::save(&decoder, &card, &self.at(name)).unwrap();
    }

    fn bias(&self, name: &str, values: &[(&str, f64)]) {
        let names: Vec<String> = values.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        let bias = ClassBias::new(&names, &values).unwrap();
        bias.save(&self.at(name)).unwrap();
    }

    fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let base = [
            "segment",
            "slide.png",
            "--slide-mpp",
            "1",
            "--device",
            "cpu",
            "-o",
            out,
        ];
        let weights = ["--weights", "decoder.safetensors"];
        let weights = match more.contains(&"--weights") {
            true => &[][..],
            false => &weights,
        };
        [&base, weights, more].concat()
    }

    fn segment(&self, out: &str, more: &[&str]) -> Output {
        self.parfocal(&Self::args(out, more))
    }

    fn parfocal(&self, args: &[&str]) -> Output {
        program::parfocal(args, self.0.path())
    }

    /// Starts a run and waits until some rows are finished.
    fn under_way(&self, out: &str, more: &[&str]) -> Child {
        let running = Process::new(env!("CARGO_BIN_EXE_parfocal"))
            .current_dir(self.0.path())
            .args(Self::args(out, more))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let row = self.at(&format!("{out}.unfinished/row-00002.bin"));
        let began = Instant::now();
        while !row.exists() && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        running
    }
}

/// All px of level 0 of a file as OpenSlide shows them.
fn px(path: &Path) -> Vec<[u8; 4]> {
    let map = parfocal::slide::open(path).unwrap();
    assert_eq!(map.info().vendor, "generic-tiff");
    assert!((map.info().mpp.unwrap().x - 1.0).abs() < 1e-6);
    let (width, height) = map.info().levels[0].size_px;
    let region = LevelRegion {
        x: 0,
        y: 0,
        width: width as u32,
        height: height as u32,
    };
    map.read_region(0, region)
        .unwrap()
        .data
        .as_chunks::<4>()
        .0
        .to_vec()
}

/// Whatever adapter wgpu finds, most often the processor.
#[test]
#[ignore = "over a minute where that is the processor: make test-card"]
fn the_device_changes_next_to_nothing() {
    let bench = Bench::new(260, 200);
    let mut other = Bench::args("other.tif", &[]);
    let device = other.iter().position(|arg| *arg == "cpu").unwrap();
    other[device] = "wgpu";
    succeeds(&bench.segment("own.tif", &[]));
    succeeds(&bench.parfocal(&other));
    let (own, other) = (px(&bench.at("own.tif")), px(&bench.at("other.tif")));
    let classes: std::collections::HashSet<_> = own.iter().collect();
    assert!(classes.len() > 2, "{classes:?}");
    let apart = own.iter().zip(&other).filter(|(a, b)| a != b).count();
    assert!(
        own.len() == other.len() && apart * 500 <= own.len(),
        "{apart} px of {} differ",
        own.len()
    );
}

#[test]
fn a_label_map_opens_with_its_scale_and_colours_and_its_areas_add_up() {
    let bench = Bench::new(700, 500);
    bench.bias(
        "b.json",
        &[("other", -0.5), ("tumor", 0.25), ("stroma", 0.25)],
    );
    let more = ["--bias", "b.json", "--probabilities", "--check"];
    let told = succeeds(&bench.segment("out.tif", &more));
    for word in [
        "out.tif: tumor ",
        " mm², stroma ",
        "of 0.3500 mm² analysed",
        "px alike",
    ] {
        assert!(told.contains(word), "no '{word}' in: {told}");
    }
    assert_eq!(told.lines().count(), 2, "{told}");

    let report = bench.json("out.json");
    let classes = report["classes"].as_array().unwrap();
    let px_seen = px(&bench.at("out.tif"));
    let mut sum_mm2 = 0.0;
    for (class, colour) in classes.iter().zip(class_colours(&COLOURS)) {
        let seen = px_seen.iter().filter(|px| px[..3] == colour).count();
        assert_eq!(class["px"].as_u64(), Some(seen as u64), "{class}");
        let area_mm2 = class["area_mm2"].as_f64().unwrap();
        assert!((area_mm2 - seen as f64 * 1e-6).abs() < 1e-12);
        sum_mm2 += area_mm2;
    }
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!((sum_mm2 - number("analysed_mm2")).abs() < 1e-12);
    assert!(sum_mm2 > 0.05 && sum_mm2 < number("slide_mm2"));
    let glass = px_seen.iter().filter(|px| px[..3] == [255; 3]).count();
    assert!((0.35 - sum_mm2 - glass as f64 * 1e-6).abs() < 1e-9);

    let hash = |name: &str| format!("sha256:{}", weights::hash_of(&bench.at(name)).unwrap());
    assert_eq!(report["model_hash"], hash("decoder.safetensors"));
    assert_eq!(report["encoder_hash"], hash("encoder.safetensors"));
    assert_eq!(report["bias"]["other"], -0.5);
    assert_eq!(report["mpp"], 1.0);
    let program = concat!("parfocal ", env!("CARGO_PKG_VERSION"));
    assert_eq!(report["program"], program);
    assert!(report["slide_hash"].as_str().unwrap().starts_with("sha256"));
    assert!(report["shifted"]["agreement"]["share"].as_f64().unwrap() > 0.5);
    assert!(report["shifted"]["seams"]["border_pairs"].as_u64().unwrap() > 100);

    let files = ["out.p0-tumor.tif", "out.p1-stroma.tif", "out.p2-other.tif"];
    let planes = files.map(|name| px(&bench.at(name)));
    for (at, px) in px_seen.iter().enumerate().step_by(97) {
        let sum: u32 = planes.iter().map(|plane| u32::from(plane[at][0])).sum();
        let analysed = px[..3] != [255; 3];
        assert!(
            if analysed {
                sum.abs_diff(255) <= 2
            } else {
                sum == 0
            },
            "{sum}"
        );
    }
    assert!(!bench.at("out.tif.unfinished").exists());

    // What is there stays, and another bias gives another map.
    fails(&bench.segment("out.tif", &[]), &["out.tif", "--overwrite"]);
    succeeds(&bench.segment("plain.tif", &[]));
    assert!(bench.bytes("plain.tif") != bench.bytes("out.tif"));
    succeeds(&bench.segment("out.tif", &["--overwrite"]));
    assert!(px(&bench.at("plain.tif")) == px(&bench.at("out.tif")));
}

#[cfg(unix)]
#[test]
fn killed_and_interrupted_runs_go_on_to_the_same_files() {
    let bench = Bench::new(2000, 1500);
    let files = ["tif", "p0-tumor.tif", "p1-stroma.tif", "p2-other.tif"];
    succeeds(&bench.segment("whole.tif", &["--probabilities"]));

    let mut killed = bench.under_way("cut.tif", &["--probabilities"]);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(
        !bench.at("cut.tif").exists(),
        "killed too late to test anything"
    );
    let again = |more: &[&str]| bench.segment("cut.tif", &[&["--probabilities"], more].concat());
    fails(
        &again(&[]),
        &["cut.tif.unfinished", "--resume", "--restart"],
    );
    let other = bench.segment("cut.tif", &["--resume"]);
    fails(&other, &["probabilities: true, now false", "--restart"]);
    let row = std::fs::metadata(bench.at("cut.tif.unfinished/row-00000.bin")).unwrap();
    succeeds(&again(&["--resume"]));

    let running = bench.under_way("int.tif", &["--probabilities", "--batch", "3"]);
    let sent = Process::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = running.wait_with_output().unwrap();
    fails(&ended, &["stopped", "int.tif.unfinished", "--resume"]);
    assert!(!bench.at("int.tif").exists());
    succeeds(&bench.segment("int.tif", &["--probabilities", "--resume"]));

    assert!(row.len() > 0);
    for end in files {
        let whole = bench.bytes(&format!("whole.{end}"));
        assert!(whole == bench.bytes(&format!("cut.{end}")), "{end}, killed");
        assert!(
            whole == bench.bytes(&format!("int.{end}")),
            "{end}, interrupted"
        );
    }
    let (whole, cut) = (bench.json("whole.json"), bench.json("cut.json"));
    for part in ["classes", "tiles", "seams", "analysed_mm2"] {
        assert_eq!(whole[part], cut[part]);
    }
}

#[test]
fn what_does_not_fit_is_told_at_the_start() {
    let bench = Bench::new(300, 200);
    let run = |more: &[&str]| bench.segment("out.tif", more);
    let base = [
        "segment",
        "slide.png",
        "--weights",
        "decoder.safetensors",
        "-o",
        "out.tif",
    ];
    fails(&bench.parfocal(&base), &["slide.png", "--slide-mpp"]);
    let missing = ["segment", "no.svs", "-o", "out.tif"];
    fails(&bench.parfocal(&missing), &["no.svs"]);
    fails(&run(&["--mag", "20"]), &["slide.png", "0.5000", "--mag 10"]);
    fails(&run(&["--weights", "no.safetensors"]), &["no.safetensors"]);
    fails(
        &run(&["--weights", "encoder.safetensors"]),
        &[
            "encoder.safetensors",
            "'parfocal.encoder 1'",
            "'parfocal.decoder 1'",
        ],
    );
    bench.bias("b.json", &[("tumor", 0.5), ("gland", -0.5)]);
    fails(
        &run(&["--bias", "b.json"]),
        &["b.json", "missing 'stroma', 'other'", "too many 'gland'"],
    );
    fails(&run(&["--bias", "no.json"]), &["no.json"]);
    fails(
        &bench.segment("b.tif", &["--bias", "b.json"]),
        &["b.json", "another output"],
    );
    bench.decoder("one.safetensors", &["tumor"]);
    fails(
        &run(&["--weights", "one.safetensors"]),
        &["one.safetensors", "'tumor'", "at least two"],
    );
    // Encoders: another one named, another one beside, none at all.
    bench.encoder("other.safetensors", 2);
    fails(
        &run(&["--encoder", "other.safetensors"]),
        &[
            "decoder.safetensors",
            "SHA-256",
            "other.safetensors",
            "--encoder",
        ],
    );
    std::fs::create_dir(bench.at("away")).unwrap();
    std::fs::copy(
        bench.at("decoder.safetensors"),
        bench.at("away/d.safetensors"),
    )
    .unwrap();
    let away = ["--weights", "away/d.safetensors"];
    fails(
        &run(&away),
        &["away/d.safetensors", "does not ship", "--encoder"],
    );
    std::fs::copy(
        bench.at("other.safetensors"),
        bench.at("away/encoder.safetensors"),
    )
    .unwrap();
    fails(&run(&away), &["away/encoder.safetensors", "--encoder"]);
    succeeds(&run(
        &[&away[..], &["--encoder", "encoder.safetensors"]].concat()
    ));
    for wrong in [vec!["--mag", "x"], vec!["--resume", "--restart"]] {
        assert_eq!(run(&wrong).status.code(), Some(2), "{wrong:?}");
    }
    // Far coarser than what the weights know.
    let coarse = bench.segment("coarse.tif", &["--mag", "2"]);
    succeeds(&coarse);
    let said = String::from_utf8_lossy(&coarse.stderr);
    assert!(
        said.contains("warning: 2x") && said.contains("5x to 40x"),
        "{said}"
    );
}

#[test]
fn shipped_weights_go_by_name() {
    let bench = Bench::new(200, 150);
    let segment = |more: &str| {
        let args = format!("segment slide.png --slide-mpp 1 --device cpu {more}");
        bench.parfocal(&args.split(' ').collect::<Vec<_>>())
    };
    let plain = segment("-o a.tif");
    assert!(succeeds(&plain).contains("tumor"));
    let said = String::from_utf8_lossy(&plain.stderr);
    assert!(said.contains("shipped weights 'breast'"), "{said}");
    let brain = segment("-o b.tif --weights brain");
    assert!(succeeds(&brain).contains("white_matter"));
    let told = succeeds(&bench.parfocal(&["weights", "inspect", "brain"]));
    assert!(
        told.contains("white_matter") && told.contains("shipped"),
        "{told}"
    );
    let embed = [
        "embed",
        "slide.png",
        "--slide-mpp",
        "1",
        "--device",
        "cpu",
        "-o",
        "a.npz",
    ];
    succeeds(&bench.parfocal(&embed));
    assert!(bench.bytes("a.npz").len() > 1000);
}

#[test]
fn the_windows_engine_draws_what_the_file_holds() {
    let bench = Bench::new(520, 400);
    succeeds(&bench.parfocal(&Bench::args("map.tif", &[])));
    let table = "0,tumor,#009e73\n1,stroma,#f0e442\n2,other,#0072b2\n";
    std::fs::write(bench.at("classes.csv"), table).unwrap();
    let render = |out: &str, more: &[&str]| {
        let place = [
            "--size",
            "520x400",
            "--downsample",
            "1",
            "--center-px",
            "260,200",
        ];
        let base = ["render", "slide.png", "--slide-mpp", "1", "-o", out];
        succeeds(&bench.parfocal(&[&base, &place[..], more].concat()));
        let picture = image::open(bench.at(out)).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (520, 400));
        picture.into_raw()
    };
    let bare = render("bare.png", &[]);
    let of_file = render(
        "file.png",
        &["--overlay", "map.tif", "--classes", "classes.csv"],
    );
    let live = render(
        "live.png",
        &["--model", "decoder.safetensors", "--pin", "10"],
    );
    assert!(of_file == live, "px by px");
    assert!(bare != live);
    let file = bench.bytes("live.png");
    let holds = |words: &[u8]| file.windows(words.len()).any(|bytes| bytes == words);
    assert!(holds(b"Model-Hash\0sha256:") && holds(b"Attention-Bias\0tumor "));
    let refused = [
        "render",
        "slide.png",
        "--model",
        "decoder.safetensors",
        "-o",
        "x.png",
    ];
    fails(&bench.parfocal(&refused), &["slide.png", "--slide-mpp"]);
    let refused = [
        "render",
        "slide.png",
        "--overlay",
        "classes.csv",
        "-o",
        "x.png",
    ];
    fails(
        &bench.parfocal(&refused),
        &["classes.csv", "neither a TIFF nor a PNG"],
    );
}

//! The whole evaluation, on as little as possible.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::*;
use crate::model::{Encoder, EncoderConfig};
use crate::slide::phantom::Tissue;

fn encoder(name: &str, seed: u64) -> NamedEncoder {
    let shape = EncoderConfig {
        name: "test".to_owned(),
        width: 24,
        depth: 1,
        mlp_width: 48,
        ..EncoderConfig::tiny()
    };
    NamedEncoder {
        name: name.to_owned(),
        encoder: Encoder::new(&shape, seed, &Device::flex()).unwrap(),
        hash: format!("sha256:{seed}"),
        without: name == "without",
    }
}

fn little() -> EvalConfig {
    EvalConfig {
        tile_px: 64,
        tissues: vec![Tissue::Colon],
        batch: 5,
        ..EvalConfig::default().quick()
    }
}

fn run(encoders: &[NamedEncoder], config: &EvalConfig) -> Report {
    let mut last = (0, 0);
    let mut progress = |done, total| {
        assert!(done >= last.0 && done <= total);
        last = (done, total);
        ControlFlow::Continue(())
    };
    evaluate(encoders, config, &Device::flex(), &mut progress).unwrap()
}

#[test]
fn arms_share_their_tiles_and_everything_is_repeatable() {
    let encoders = [encoder("a", 5), encoder("b", 5), encoder("without", 6)];
    let report = run(&encoders, &little());
    let kinds: Vec<ArmKind> = report.arms.iter().map(|arm| arm.kind).collect();
    use ArmKind::{MeanRgb, Trained, Untrained, Without};
    assert_eq!(kinds, [Trained, Trained, Without, Untrained, MeanRgb]);
    let (a, b) = (report.arm("a").unwrap(), report.arm("b").unwrap());
    assert_eq!(a.all_tissues, b.all_tissues, "equal weights, equal figures");
    assert_eq!(a.rank, b.rank);
    assert_ne!(a.rank, report.arm("without").unwrap().rank);
    assert_eq!((a.rank_rows, a.places[0].families), (2 * 2 * 3, 3));
    let other_batch = EvalConfig {
        batch: 32,
        ..little()
    };
    let again = run(&encoders[..1], &other_batch);
    let (mean, alone) = (&a.all_tissues, &again.arms[0].all_tissues);
    assert_eq!(mean, alone, "neither batch nor company matters");
}

#[test]
fn colour_is_scale_invariant_and_finds_children_until_it_is_jittered() {
    let config = EvalConfig {
        seeds: vec![1, 2],
        ..little()
    };
    let report = run(&[encoder("a", 5)], &config);
    let colour = report.arm("mean RGB").unwrap();
    let scores = colour.places[0].scores.as_ref().unwrap();
    assert!(scores.mean.top1 > 0.8, "{scores:?}");
    assert!(scores.mean.top1_jittered < 0.5, "{scores:?}");
    assert!(scores.mean.own > 0.999);
    assert_eq!(scores.seeds.len(), 2);
    let probes = colour.all_tissues.as_ref().unwrap();
    assert!((probes.mean.retention_40x - 1.0).abs() < 0.1, "{probes:?}");
    assert!(probes.deviation.is_some());
}

#[test]
fn a_reader_finds_every_arm_in_every_form() {
    let report = run(
        &[encoder("our <best>", 5), encoder("without", 6)],
        &little(),
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert!(json["arms"][0]["all_tissues"]["mean"]["retention_40x"].is_number());
    assert_eq!(json["arms"][0]["model_hash"], "sha256:5");
    let markdown = to_markdown(&report, &["a.svg"]);
    for svg in [
        probe_plot(&report).unwrap(),
        retrieval_plot(&report).unwrap(),
    ] {
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for arm in ["our &lt;best&gt;", "without", "untrained test", "mean RGB"] {
            assert!(svg.contains(arm), "{arm}");
        }
    }
    for words in [
        "our <best>",
        "untrained test",
        "mean RGB",
        "chance",
        "colon",
        "a.svg",
    ] {
        assert!(markdown.contains(words), "{words}");
    }
}

#[test]
fn it_stops_when_asked_and_says_what_does_not_fit() {
    let encoders = [encoder("a", 5)];
    let mut stop = |_, _| ControlFlow::Break(());
    let stopped = evaluate(&encoders, &little(), &Device::flex(), &mut stop).unwrap_err();
    assert!(matches!(stopped, EvalError::Cancelled), "{stopped}");
    let odd = EvalConfig {
        tile_px: 72,
        ..little()
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let refused = evaluate(&encoders, &odd, &Device::flex(), &mut go_on).unwrap_err();
    assert!(refused.to_string().contains("72 px"), "{refused}");
    let missing = EvalConfig {
        colorectal: Some("no/such/folder".into()),
        ..little()
    };
    let refused = evaluate(&encoders, &missing, &Device::flex(), &mut go_on).unwrap_err();
    assert!(refused.to_string().contains("no/such/folder"), "{refused}");
}

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::*;
use crate::model::{Encoder, EncoderConfig};
use crate::slide::phantom::Tissue;

#[test]
#[ignore = "measure"]
fn measure() {
    let device = Device::flex();
    let encoder = Encoder::new(&EncoderConfig::tiny(), 77, &device).unwrap();
    let encoders = [NamedEncoder {
        name: "tiny 77".into(),
        encoder,
        hash: String::new(),
        without: false,
    }];
    let data = std::env::var("EVAL_TOML").ok();
    let mut config = data.map_or_else(EvalConfig::default, |p| {
        EvalConfig::read(std::path::Path::new(&p)).unwrap()
    });
    if std::env::var("QUICK").is_ok() {
        config = config.quick();
    }
    let start = std::time::Instant::now();
    let mut last = (0, 0);
    let report = evaluate(&encoders, &config, &device, &mut |d, t| {
        last = (d, t);
        if d % 320 < 32 {
            eprintln!("{d}/{t} {:?}", start.elapsed());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    eprintln!("{last:?} {:?}", start.elapsed());
    std::fs::write("/tmp/h/eval/report.json", report.to_json().unwrap()).unwrap();
    std::fs::write("/tmp/h/eval/probe.svg", probe_plot(&report).unwrap()).unwrap();
    std::fs::write(
        "/tmp/h/eval/retrieval.svg",
        retrieval_plot(&report).unwrap(),
    )
    .unwrap();
    std::fs::write(
        "/tmp/h/eval/report.md",
        to_markdown(&report, &["probe.svg"]),
    )
    .unwrap();
    let _ = Tissue::ALL;
}

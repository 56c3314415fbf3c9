use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::learn::seg_metrics::{IGNORE, Piece, Tally, most_probable};

const CLASSES: [&str; 5] = ["tumor", "stroma", "inflammatory", "necrosis", "other"];
const SIDE: usize = 96;

fn names() -> Vec<String> {
    CLASSES.map(str::to_owned).to_vec()
}

/// A truth of stripes with an ignored corner, and logits that are mostly right.
fn example(seed: u64) -> (Vec<u8>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let phase = rng.random::<f32>() * 20.0;
    let class = |n: usize| {
        let (x, y) = ((n % SIDE) as f32, (n / SIDE) as f32);
        if x + y < 20.0 {
            return IGNORE;
        }
        let wave = ((x + 9.0 * (y / 17.0).sin() + phase) / 16.0) as usize;
        [0, 1, 1, 2, 1, 4, 3, 0][wave % 8]
    };
    let truth: Vec<u8> = (0..SIDE * SIDE).map(class).collect();
    let mut planes = vec![0.0; CLASSES.len() * truth.len()];
    for n in 0..truth.len() {
        let aim = usize::from(truth[n.saturating_sub(2)]);
        let logits: Vec<f32> = (0..CLASSES.len())
            .map(|c| 2.5 * rng.random::<f32>() + if c == aim { 1.9 } else { 0.0 })
            .collect();
        let sum: f32 = logits.iter().map(|l| (2.0 * l).exp()).sum();
        for (c, logit) in logits.iter().enumerate() {
            planes[c * truth.len() + n] = (2.0 * logit).exp() / sum;
        }
    }
    (truth, planes)
}

fn example_part(name: &str, mpp: f64) -> Part {
    let mut tally = Tally::new(&names(), 4.0).unwrap();
    let mut floor = Tally::new(&names(), 4.0).unwrap();
    for seed in 0..6 {
        let (truth, planes) = example(seed);
        let predicted = most_probable(&planes, CLASSES.len());
        let image = format!("slide {seed}");
        let piece = Piece {
            image: &image,
            width_px: SIDE,
            mpp,
            truth: &truth,
            predicted: &predicted,
            probabilities: &planes,
        };
        tally.add(&piece).unwrap();
        let poor: Vec<u8> = (0..truth.len()).map(|n| predicted[n / 50 * 50]).collect();
        let piece = Piece {
            predicted: &poor,
            probabilities: &[],
            ..piece
        };
        floor.add(&piece).unwrap();
    }
    Part {
        name: name.to_owned(),
        mpp,
        scores: tally.report(1),
        colour_floor: Some(ColourFloor {
            frequency_power: 0.5,
            training_px: 1000,
            scores: floor.report(1),
        }),
    }
}

fn example_report() -> EvalReport {
    let biases = [
        (0.33, -0.16, -0.35, 0.41, 0.22),
        (0.37, -0.2, 0.05, -0.3, 0.4),
        (0.12, 0.1, 0.31, 0.9, 0.17),
        (0.06, 0.14, 0.12, -0.55, 0.07),
        (0.12, 0.12, -0.13, -0.46, 0.14),
    ];
    let classes = CLASSES.iter().zip(biases);
    let bias = classes.map(
        |(class, (frequency, start, learned, effective, share))| ClassBias {
            class: (*class).to_owned(),
            frequency,
            prior: start,
            start,
            learned,
            effective_offset: Some(effective),
            attention_share: Some(share),
            ..ClassBias::default()
        },
    );
    EvalReport {
        program: EvalReport::this_program(),
        model: Identity {
            name: "tiny.safetensors".to_owned(),
            hash: "sha256:00".to_owned(),
        },
        data: Identity {
            name: "phantom breast".to_owned(),
            hash: "sha256:11".to_owned(),
        },
        split: "test".to_owned(),
        mode: "dfa".to_owned(),
        settings: BTreeMap::from([("seed".to_owned(), "1".to_owned())]),
        parts: vec![example_part("10x", 1.0), example_part("40x", 0.25)],
        bias: centred(bias.collect()),
        notes: vec!["An example.".to_owned()],
    }
}

/// Put `PARFOCAL_KEEP_REPORTS=folder` in front to look at the files.
fn keep(name: &str, text: &str) {
    if let Some(folder) = std::env::var_os("PARFOCAL_KEEP_REPORTS") {
        std::fs::write(std::path::Path::new(&folder).join(name), text).unwrap();
    }
}

#[test]
fn a_report_has_all_its_files_and_they_say_what_was_found() {
    let report = example_report();
    let files = report_files(&report).unwrap();
    for (name, text) in &files {
        keep(name, text);
    }
    let found: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(&found[..3], ["report.md", "report.json", "images.csv"]);
    for picture in [
        "dice-10x.svg",
        "confusion-40x.svg",
        "reliability-10x.svg",
        "bias.svg",
    ] {
        assert!(found.contains(&picture), "{found:?}");
    }
    let markdown = &files[0].1;
    for words in [
        "sha256:00",
        "sha256:11",
        "10x, 1 µm/px",
        "![](bias.svg)",
        "An example.",
    ] {
        assert!(markdown.contains(words), "{words} is missing");
    }
    let dice = format!(
        "{:.1} %",
        100.0 * report.parts[0].scores.macros.dice.unwrap()
    );
    assert!(
        markdown.contains(&dice) && files[3].1.contains(&dice),
        "{dice}"
    );
    let back: EvalReport = serde_json::from_str(&files[1].1).unwrap();
    assert_eq!(
        back.parts[0].scores.confusion,
        report.parts[0].scores.confusion
    );
}

#[test]
fn tables_of_images_have_a_row_each_and_an_empty_cell_for_no_score() {
    let mut report = example_report();
    report.parts[0].scores.images[0].dice[2] = None;
    let csv = images_csv(&report).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 6);
    assert!(lines[0].starts_with("part,image,mpp") && lines[0].ends_with("dice other"));
    let cells: Vec<&str> = lines[1].split(',').collect();
    assert_eq!((cells[0], cells[1], cells[12]), ("10x", "slide 0", ""));
    assert!(cells.len() == 15 && cells[13].starts_with("0."));
}

/// Every row of a table has as many cells as its head.
#[test]
fn tables_are_whole() {
    let text = to_markdown(&example_report(), &[]);
    let mut wanted = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            wanted = None;
            continue;
        }
        let cells = line.matches(" | ").count();
        assert_eq!(cells, *wanted.get_or_insert(cells), "{line}");
    }
}

#[test]
fn what_was_not_measured_leaves_no_trace() {
    let mut report = example_report();
    report.parts.truncate(1);
    report.bias.clear();
    let part = &mut report.parts[0];
    part.scores.calibration = None;
    part.colour_floor = None;
    let files = report_files(&report).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[3..], ["dice.svg", "confusion.svg"]);
    assert!(!files[0].1.contains("naive Bayes") && !files[0].1.contains("## Bias"));
    assert!(!files[3].1.contains("single pixels"));
}

//! The report as tables that a reader understands.

use std::fmt::Write as _;

use super::arm::ArmKind;
use super::report::{ArmReport, Report};
use super::scores::{PlaceScores, ProbeScores, RankScores, Spread};
use crate::learn::report::markdown::{head, row};

impl ArmKind {
    /// What stands in tables beside the name.
    fn role(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Without => "floor: without L_ctx and L_tok",
            Self::Untrained => "floor: not trained",
            Self::MeanRgb => "floor: colour alone",
        }
    }
}

/// The report as Markdown; `plots` are file names of its pictures, beside it.
pub fn to_markdown(report: &Report, plots: &[&str]) -> String {
    let mut text = "# Evaluation across magnifications\n\n".to_owned();
    let seeds = report.config.seeds.len();
    let _ = writeln!(
        text,
        "{}; {seeds} seed{}{}. 10x is 1 um/px, 40x is 0.25 um/px.\n",
        report.program,
        if seeds == 1 { "" } else { "s" },
        if seeds == 1 {
            ""
        } else {
            ", mean ± standard deviation"
        }
    );
    for plot in plots {
        let _ = writeln!(text, "![]({plot})\n");
    }
    text += &probes(report);
    text += &places(report);
    text += &ranks(report);
    text += &colorectal(report);
    text += &classes(report);
    text += "## How to read this\n\n";
    for note in &report.notes {
        let _ = writeln!(text, "- {note}");
    }
    text + &hashes(report)
}

/// A figure with its spread, as a percentage or plain; a dash where it was not measured.
fn figure<T>(spread: Option<&Spread<T>>, of: impl Fn(&T) -> Option<f64>, percent: bool) -> String {
    let mean = spread.and_then(|spread| Some((spread, of(&spread.mean)?)));
    let Some((spread, mean)) = mean else {
        return "–".to_owned();
    };
    let scale = if percent { 100.0 } else { 1.0 };
    let show = |value: f64| {
        let digits = if percent { 1 } else { 2 };
        format!("{:.digits$}", scale * value)
    };
    let mean = show(mean);
    let spread = spread.deviation.as_ref().and_then(of).map(show);
    let unit = if percent { " %" } else { "" };
    match spread {
        Some(deviation) => format!("{mean} ± {deviation}{unit}"),
        None => format!("{mean}{unit}"),
    }
}

fn probes(report: &Report) -> String {
    let mut text = "## Retention: a probe trained at 10x, held-out phantom slides\n\n".to_owned();
    text += &head(&[
        "tissue",
        "arm",
        "macro-F1 at 10x",
        "20x",
        "40x",
        "retention 10x→20x",
        "10x→40x",
        "ceiling: trained at 40x",
        "40x→10x",
    ]);
    for (n, tissue) in report.config.tissues.iter().enumerate() {
        for arm in &report.arms {
            let scores = arm.tissues.get(n).and_then(|tissue| tissue.scores.as_ref());
            text += &probe_row(tissue.name(), arm, scores);
        }
    }
    for arm in &report.arms {
        text += &probe_row("**mean**", arm, arm.all_tissues.as_ref());
    }
    text + "\n"
}

fn probe_row(tissue: &str, arm: &ArmReport, scores: Option<&Spread<ProbeScores>>) -> String {
    let cell = |of: fn(&ProbeScores) -> f64| figure(scores, |s| Some(of(s)), true);
    row(&[
        tissue.to_owned(),
        format!("{} ({})", arm.name, arm.kind.role()),
        cell(|s| s.f1_10x),
        cell(|s| s.f1_20x),
        cell(|s| s.f1_40x),
        cell(|s| s.retention_20x),
        cell(|s| s.retention_40x),
        cell(|s| s.ceiling_40x),
        cell(|s| s.reverse_10x),
    ])
}

fn places(report: &Report) -> String {
    let Some(first) = report.arms.first() else {
        return String::new();
    };
    let mut text = "## Right-child retrieval and alignment\n\n".to_owned();
    text += &head(&[
        "place",
        "arm",
        "top-1",
        "top-1, stain jittered",
        "chance",
        "parents / children",
        "cosine with own child",
        "with others of the parent",
        "with another parent's",
    ]);
    for (n, place) in first.places.iter().enumerate() {
        let name = match (place.real, place.in_training) {
            (false, _) => format!("{} (phantom)", place.place),
            (true, true) => format!("{} (**in training**)", place.place),
            (true, false) => format!("{} (real, not in training)", place.place),
        };
        for arm in &report.arms {
            let scores = arm.places.get(n).and_then(|place| place.scores.as_ref());
            let cell =
                |of: fn(&PlaceScores) -> f64, percent| figure(scores, |s| Some(of(s)), percent);
            text += &row(&[
                name.clone(),
                arm.name.clone(),
                cell(|s| s.top1, true),
                cell(|s| s.top1_jittered, true),
                cell(|s| s.chance, true),
                format!("{} / {}", place.families, place.children),
                cell(|s| s.own, false),
                cell(|s| s.same_parent, false),
                figure(scores, |s| s.other_parent, false),
            ]);
        }
    }
    text + "\n"
}

fn ranks(report: &Report) -> String {
    let mut text = "## Effective rank\n\n".to_owned();
    text += &head(&[
        "arm",
        "cls at 10x",
        "cls at 40x",
        "tokens at 10x",
        "tokens at 40x",
        "of (width)",
        "embeddings",
    ]);
    for arm in &report.arms {
        let cell = |of: fn(&RankScores) -> f64| figure(arm.rank.as_ref(), |s| Some(of(s)), false);
        text += &row(&[
            arm.name.clone(),
            cell(|s| s.cls_10x),
            cell(|s| s.cls_40x),
            cell(|s| s.tokens_10x),
            cell(|s| s.tokens_40x),
            arm.width.to_string(),
            arm.rank_rows.to_string(),
        ]);
    }
    text + "\n"
}

fn colorectal(report: &Report) -> String {
    if report.arms.iter().all(|arm| arm.colorectal.is_empty()) {
        return String::new();
    }
    let mut text = "## Real tissue: nine colorectal classes (anecdotal)\n\n".to_owned();
    text += &head(&[
        "from → to",
        "arm",
        "tiles",
        "right (95 %)",
        "macro-F1 (95 %)",
    ]);
    let count = report.arms.first().map_or(0, |arm| arm.colorectal.len());
    for n in 0..count {
        for arm in &report.arms {
            let Some(found) = arm.colorectal.get(n) else {
                continue;
            };
            let interval = |i: super::Interval| {
                let (value, low, high) = (100.0 * i.value, 100.0 * i.low, 100.0 * i.high);
                format!("{value:.0} % ({low:.0}–{high:.0})")
            };
            text += &row(&[
                format!("{} → {}", found.from, found.to),
                arm.name.clone(),
                format!("{} → {}", found.training, found.tested),
                interval(found.top1),
                interval(found.macro_f1),
            ]);
        }
    }
    text + "\n"
}

fn classes(report: &Report) -> String {
    let mut text = "## F1 of each class (first seed)\n\n".to_owned();
    text += &head(&[
        "tissue",
        "class",
        "arm",
        "training / held out",
        "10x",
        "20x",
        "40x",
    ]);
    for (n, tissue) in report.config.tissues.iter().enumerate() {
        let count = tissue.classes().len();
        for class in 0..count {
            for arm in &report.arms {
                let found = arm
                    .tissues
                    .get(n)
                    .and_then(|tissue| tissue.classes.get(class));
                let Some(found) = found else {
                    continue;
                };
                let f1 = |f1: Option<f64>| f1.map_or("–".to_owned(), |f1| format!("{f1:.2}"));
                text += &row(&[
                    tissue.name().to_owned(),
                    found.class.clone(),
                    arm.name.clone(),
                    format!("{} / {}", found.training, found.held_out),
                    f1(found.f1_10x),
                    f1(found.f1_20x),
                    f1(found.f1_40x),
                ]);
            }
        }
    }
    text + "\n"
}

fn hashes(report: &Report) -> String {
    let mut text = String::new();
    for arm in &report.arms {
        if let Some(hash) = &arm.model_hash {
            let _ = writeln!(text, "- Weights of {}: {hash}.", arm.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_a_dash_and_null_but_never_0() {
        let of = |other_parent| PlaceScores {
            top1: 0.5,
            top1_jittered: 0.25,
            chance: 0.0625,
            own: 0.9,
            same_parent: 0.8,
            other_parent,
        };
        let cell = |seeds: Vec<PlaceScores>| {
            let spread = Spread::of(seeds).unwrap();
            let json = serde_json::to_value(&spread).unwrap();
            let text = figure(Some(&spread), |s| s.other_parent, false);
            (text, json["mean"]["other_parent"].is_null())
        };
        assert_eq!(cell(vec![of(None)]), ("–".to_owned(), true));
        assert_eq!(cell(vec![of(None), of(Some(0.7))]).0, "–");
        assert_eq!(cell(vec![of(Some(0.7))]), ("0.70".to_owned(), false));
        let two = cell(vec![of(Some(0.7)), of(Some(0.7))]);
        assert_eq!(two.0, "0.70 ± 0.00");
    }
}

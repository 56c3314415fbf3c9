//! `parfocal render` with a model: the dials of a preset, and heat maps, on the shipped one.

use std::path::Path;
use std::process::Output;

use parfocal::gpu::overlay::heat_rgb;
use parfocal::model::shipped;
use parfocal::model::weights::{WeightsSource, hash_of};
use serde_json::{Value, json};

use crate::program::{fails, parfocal, succeeds};

/// Of the breast model.
const CLASSES: [&str; 5] = ["tumor", "stroma", "inflammatory", "necrosis", "other"];

/// Output offsets that leave no other class a chance.
const ALL_NECROSIS: [f32; 5] = [0.0, 0.0, 0.0, 60.0, 0.0];

/// The share of the field that is analysed, at least: the rest is glass.
const ANALYSED: f64 = 0.85;

/// A preset as the window writes it, for the model of that hash.
fn preset(classes: &[&str], sha256: &str, outputs: [f32; 5]) -> Value {
    let dials = classes.iter().zip(outputs).map(|(class, output)| {
        json!({ "class": class, "prior": 0.0, "learned": 0.0, "offset": 1.5, "output_offset": output })
    });
    json!({
        "format": "parfocal dials 1",
        "name": "pale",
        "note": "",
        "model_sha256": sha256,
        "dials": dials.collect::<Vec<_>>(),
    })
}

fn breast_sha256() -> String {
    hash_of(WeightsSource::Shipped(shipped::BREAST)).unwrap()
}

fn write(folder: &Path, name: &str, preset: &Value) {
    std::fs::write(folder.join(name), preset.to_string()).unwrap();
}

/// A field of 120 x 80 µm with the breast model, opaque; without a model where `model` is false.
fn render(folder: &Path, out: &str, model: bool, more: &[&str]) -> Output {
    let mut args = vec!["render", "phantom:breast", "-o", out, "--size", "120x80"];
    args.extend(["--mpp", "1", "--center-um", "12600,10200"]);
    if model {
        args.extend(["--model", "breast", "--opacity", "1"]);
    }
    args.extend(more);
    parfocal(&args, folder)
}

fn rgb(folder: &Path, name: &str) -> Vec<[u8; 3]> {
    let picture = image::open(folder.join(name)).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (120, 80));
    picture.pixels().map(|px| px.0).collect()
}

/// The share of px of a colour, 0 to 1.
fn share(px: &[[u8; 3]], rgb: [u8; 3]) -> f64 {
    px.iter().filter(|px| **px == rgb).count() as f64 / px.len() as f64
}

/// Dials in `dials.json` with which every px is necrosis.
fn with_dials(folder: &Path) {
    let dials = preset(&CLASSES, &breast_sha256(), ALL_NECROSIS);
    write(folder, "dials.json", &dials);
}

#[test]
fn the_dials_of_a_preset_are_those_of_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    with_dials(at);
    succeeds(&render(at, "learned.png", true, &["--pin", "5"]));
    let dials = ["--pin", "5", "--dials", "dials.json"];
    succeeds(&render(at, "turned.png", true, &dials));
    let necrosis = [230, 159, 0];
    let (learned, turned) = (rgb(at, "learned.png"), rgb(at, "turned.png"));
    assert!(
        share(&learned, necrosis) < 0.5,
        "{}",
        share(&learned, necrosis)
    );
    assert!(
        share(&turned, necrosis) > ANALYSED,
        "{}",
        share(&turned, necrosis)
    );
    let bytes = std::fs::read(at.join("turned.png")).unwrap();
    let holds = |words: &[u8]| bytes.windows(words.len()).any(|part| part == words);
    assert!(holds(b"Output-Offsets\0") && holds(b"necrosis +60.000"));
    assert!(holds(b"offset +1.500"), "the attention dials too");
}

#[test]
fn heat_maps_show_what_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    with_dials(at);
    let shown = |show: &str| {
        let more = ["--pin", "5", "--dials", "dials.json", "--show", show];
        succeeds(&render(at, "heat.png", true, &more));
        rgb(at, "heat.png")
    };
    // All is surely necrosis.
    for (show, value) in [
        ("probability:necrosis", 255),
        ("probability:tumor", 0),
        ("probability", 255),
        ("entropy", 0),
    ] {
        let found = share(&shown(show), heat_rgb(value));
        assert!(found > ANALYSED, "{show}: {found}");
    }
    // Of the model as it is learned, some is in between.
    succeeds(&render(
        at,
        "entropy.png",
        true,
        &["--pin", "5", "--show", "entropy"],
    ));
    let found = share(&rgb(at, "entropy.png"), heat_rgb(0));
    assert!(found < ANALYSED, "{found}");
}

#[test]
fn agreement_colours_what_two_magnifications_differ_in() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    with_dials(at);
    let show = ["--show", "agreement"];
    succeeds(&render(at, "bare.png", false, &[]));
    succeeds(&render(at, "differ.png", true, &show));
    let dials = [&show[..], &["--dials", "dials.json"]].concat();
    succeeds(&render(at, "agree.png", true, &dials));
    let other_class = [213, 94, 0];
    let differ = share(&rgb(at, "differ.png"), other_class);
    assert!(differ > 0.01, "{differ}");
    assert!(
        rgb(at, "agree.png") == rgb(at, "bare.png"),
        "one class alone agrees"
    );
    let pinned = [&show[..], &["--pin", "5"]].concat();
    fails(
        &render(at, "no.png", true, &pinned),
        &["two magnifications"],
    );
}

#[test]
fn what_does_not_fit_the_model_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let unknown = render(
        at,
        "no.png",
        true,
        &["--pin", "5", "--show", "probability:fat"],
    );
    fails(&unknown, &["'fat'", &CLASSES.join(", ")]);
    let own = breast_sha256();
    let mut others = CLASSES;
    others[4] = "fat";
    for (name, preset, words) in [
        (
            "weights.json",
            preset(&CLASSES, "feed", ALL_NECROSIS),
            "made with other weights (feed",
        ),
        (
            "classes.json",
            preset(&others, &own, ALL_NECROSIS),
            "made for a model with the classes tumor",
        ),
        (
            "knobs.json",
            json!({ "knobs": 3 }),
            "no dials that were saved",
        ),
    ] {
        write(at, name, &preset);
        let refused = render(at, "no.png", true, &["--pin", "5", "--dials", name]);
        fails(&refused, &[name, words]);
    }
    assert!(!at.join("no.png").exists());
}

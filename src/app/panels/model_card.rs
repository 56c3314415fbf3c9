//! What is known of a model, in words.

use egui::Ui;

use super::widgets::fact;
use crate::app::command::Command;
use crate::geometry::Magnification;
use crate::jobs::live::{LiveModelFacts, ModelChoice};
use crate::model::shipped;

/// Notes of weights that `parfocal train` writes, and what they are called here. Others keep their
/// keys.
const NOTES: [(&str, &str); 8] = [
    ("method", "Method"),
    ("mode", "Bias"),
    ("data", "Trained on"),
    ("class_fractions", "Shares"),
    ("tau", "Prior, τ"),
    ("steps", "Steps"),
    ("tiles_a_step", "Tiles a step"),
    ("seed", "Seed"),
];

/// Draws the card: what the model is worth and was trained on first, numbers for repeating it under
/// a heading that opens.
pub fn show(ui: &mut Ui, facts: &LiveModelFacts, out: &mut Vec<Command>) {
    let card = &facts.card;
    let magnification = |mpp: f64| Magnification::from_mpp(mpp).to_string();
    let [finest, coarsest] = card.mpp.map(magnification);
    if let Some(worth) = worth(&facts.choice) {
        fact(ui, "Held out", worth, out);
    }
    fact(ui, "Trained at", &format!("{coarsest} to {finest}"), out);
    for (name, value) in notes(facts).filter(|(name, _)| is_for_reading(name)) {
        fact(ui, name, &value, out);
    }
    egui::CollapsingHeader::new("How it was made")
        .id_salt("how the model was made")
        .show(ui, |ui| {
            for (name, value) in notes(facts).filter(|(name, _)| !is_for_reading(name)) {
                fact(ui, name, &value, out);
            }
            fact(ui, "Tile", &format!("{} px", card.tile_px), out);
            fact(ui, "Weights", &facts.sha256, out);
            fact(ui, "Encoder", &card.encoder_sha256, out);
            fact(ui, "Made by", &card.program, out);
        });
}

/// What a shipped model was found to be worth.
fn worth(choice: &ModelChoice) -> Option<&'static str> {
    let ModelChoice::Shipped(name) = choice else {
        return None;
    };
    let decoders = shipped::decoders();
    let worth = decoders.iter().find(|of| of.name == *name)?.worth;
    (!worth.is_empty()).then_some(worth)
}

/// The notes by their names here, in the order of [`NOTES`], others after them.
fn notes(facts: &LiveModelFacts) -> impl Iterator<Item = (&str, String)> {
    let notes = &facts.card.notes;
    let known = NOTES.iter().filter_map(|(key, name)| {
        let value = notes.get(*key)?;
        let value = match *key {
            "class_fractions" => shares(facts, value),
            _ => value.clone(),
        };
        Some((*name, value))
    });
    let is_other = |key: &str| NOTES.iter().all(|(known, _)| *known != key);
    let others = notes.iter().filter(move |(key, _)| is_other(key));
    known.chain(others.map(|(key, value)| (key.as_str(), value.clone())))
}

fn is_for_reading(name: &str) -> bool {
    ["Method", "Trained on", "Shares"].contains(&name) || NOTES.iter().all(|(_, of)| *of != name)
}

/// Shares of the training's tissue with the names of their classes; as they are where these do not
/// fit.
fn shares(facts: &LiveModelFacts, value: &str) -> String {
    let classes = &facts.card.classes;
    let parts: Option<Vec<f64>> = value.split(' ').map(|part| part.parse().ok()).collect();
    match parts.filter(|parts| parts.len() == classes.len()) {
        Some(parts) => {
            let words = classes.iter().zip(parts);
            let words = words.map(|(class, part)| format!("{} {:.0} %", class.name, part * 100.0));
            words.collect::<Vec<_>>().join(", ")
        }
        None => value.to_owned(),
    }
}

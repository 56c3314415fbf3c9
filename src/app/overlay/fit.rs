//! Whether a model suits a slide, as far as anyone can tell from here.

use crate::jobs::live::{LiveModelFacts, ModelChoice};
use crate::segment::live::FieldAreas;
use crate::slide::SlideInfo;

/// Tissues, and the beginnings of words by which slides and weights name them.
const TISSUES: [(&str, &[&str]); 14] = [
    ("brain", &["brain", "cerebr", "glioma", "gliobl", "mening"]),
    ("breast", &["breast", "mamma", "brca"]),
    ("colon", &["colon", "colorect", "rectum", "rectal"]),
    ("kidney", &["kidney", "renal", "nephr"]),
    ("liver", &["liver", "hepat"]),
    ("lung", &["lung", "pulmon"]),
    ("lymph node", &["lymph", "camelyon"]),
    ("ovary", &["ovary", "ovarian", "hgsc"]),
    ("pancreas", &["pancrea"]),
    ("prostate", &["prostat"]),
    ("skin", &["skin", "dermat", "melanom"]),
    ("stomach", &["stomach", "gastric"]),
    ("thyroid", &["thyroid"]),
    ("uterus", &["uterus", "uterine", "endometr", "cervi"]),
];

/// Of a field at least so much has to be known before its probabilities say anything.
const ENOUGH_KNOWN: f64 = 0.5;

/// What speaks against a model on a slide, in words; `areas` of the field that is seen.
pub fn doubts(
    facts: &LiveModelFacts,
    slide: &SlideInfo,
    areas: Option<&FieldAreas>,
) -> Vec<String> {
    let mut doubts = Vec::new();
    let (of_slide, of_model) = (tissues_of_slide(slide), tissues_of_model(facts));
    let fits = of_slide.iter().any(|tissue| of_model.contains(tissue));
    if let (Some(slide), Some(model), false) = (of_slide.first(), of_model.first(), fits) {
        doubts.push(format!(
            "The slide speaks of {slide}; this model was trained on {model}."
        ));
    }
    doubts.extend(unsure(least_probability(facts), areas));
    doubts
}

/// Says that the model is less sure of a field than `least`.
fn unsure(least: Option<f64>, areas: Option<&FieldAreas>) -> Option<String> {
    let known = areas.filter(|areas| areas.known >= ENOUGH_KNOWN)?;
    let (probability, least) = known.probability.zip(least)?;
    (probability < least).then(|| {
        format!(
            "The model is unsure of this field: the classes that it chose have a probability of \
             {:.2} on average, where on tissue like that it was trained on it is {least:.2} or more. \
             Tissue, stain or scale may not suit it.",
            // Rounded down, lest it read as if it were enough.
            (probability * 100.0).floor() / 100.0
        )
    })
}

/// The mean probability of the chosen classes below which a field is unlike what a shipped model was
/// trained on: measured, see `docs/overlay.md`.
fn least_probability(facts: &LiveModelFacts) -> Option<f64> {
    match facts.choice {
        ModelChoice::Shipped(name) => {
            let known = LEAST_PROBABILITY.iter().find(|(of, _)| *of == name);
            known.map(|(_, least)| *least)
        }
        ModelChoice::File(_) => None,
    }
}

/// Of the shipped models.
const LEAST_PROBABILITY: [(&str, f64); 2] = [("breast", 0.80), ("brain", 0.70)];

fn tissues_of_slide(slide: &SlideInfo) -> Vec<&'static str> {
    let values = slide.properties.values().map(String::as_str);
    named_in(std::iter::once(slide.name.as_str()).chain(values))
}

fn tissues_of_model(facts: &LiveModelFacts) -> Vec<&'static str> {
    let name = match &facts.choice {
        ModelChoice::Shipped(name) => name,
        ModelChoice::File(_) => "",
    };
    let notes = facts.card.notes.values().map(String::as_str);
    named_in(std::iter::once(name).chain(notes))
}

fn named_in<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let texts: Vec<String> = texts.map(str::to_lowercase).collect();
    let words = texts
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let words: Vec<&str> = words.collect();
    let is_named = |starts: &[&str]| {
        words
            .iter()
            .any(|word| starts.iter().any(|start| word.starts_with(start)))
    };
    let named = TISSUES.iter().filter(|(_, starts)| is_named(starts));
    named.map(|(tissue, _)| *tissue).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_little_probability_is_told_once_enough_of_it_is_known() {
        let says = |known: f64, probability: Option<f64>| {
            let areas = FieldAreas {
                known,
                probability,
                ..FieldAreas::default()
            };
            unsure(Some(0.8), Some(&areas)).is_some()
        };
        let barely = FieldAreas {
            known: 1.0,
            probability: Some(0.7999),
            ..FieldAreas::default()
        };
        let told = unsure(Some(0.8), Some(&barely)).unwrap();
        assert!(told.contains("0.79 on average") && told.contains("0.80 or more"));
        assert!(says(0.6, Some(0.79)));
        assert!(!says(0.6, Some(0.81)) && !says(0.4, Some(0.79)) && !says(1.0, None));
        assert_eq!(unsure(None, None), None);
        let shipped = crate::model::shipped::decoders();
        for (name, least) in LEAST_PROBABILITY {
            assert!(shipped.iter().any(|shipped| shipped.name == name));
            assert!((0.5..1.0).contains(&least));
        }
    }

    #[test]
    fn tissues_are_known_by_how_words_begin() {
        let named = |text: &str| named_in([text].into_iter());
        assert_eq!(named("TCGA-BRCA_01.svs"), ["breast"]);
        assert_eq!(named("phantom:colon, cut 3"), ["colon"]);
        assert_eq!(named("Mammary|Lymph node, left"), ["breast", "lymph node"]);
        assert_eq!(named("adrenal semicolon abrasion"), [""; 0]);
    }
}

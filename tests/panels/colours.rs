//! What the overlay's colours mean, as the model's panel says it.

use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::{By, Queryable as _};
use parfocal::app::command::Panel;
use parfocal::app::masks::Shown;
use parfocal::app::overlay::{AnalysisMode, NOT_COMPARED};
use parfocal::gpu::overlay::OverlayContent;
use parfocal::jobs::live::ModelState;
use parfocal::segment::embedding::EmbeddingView;

use crate::{Window, harness, with_model};

#[test]
fn the_panel_names_what_is_drawn_and_no_class_that_is_not() {
    let mut window = harness(1100.0, with_model(&[Panel::Model]));
    let says = |window: &mut Harness<'_, Window>, words: &[&str], not: &[&str]| {
        window.run_steps(2);
        for word in words {
            let found = window.query_all_by_label(word).count();
            assert!(found > 0, "no '{word}'");
        }
        for word in not {
            assert_eq!(window.query_all_by_label(word).count(), 0, "'{word}'");
        }
    };
    says(&mut window, &["tumor"], &["probability", NOT_COMPARED]);
    let content = |window: &mut Harness<'_, Window>, content: OverlayContent| {
        window.state_mut().state.overlay.style.content = content;
    };
    content(&mut window, OverlayContent::Value);
    says(
        &mut window,
        &["probability", "0", "1", "tumor"],
        &[NOT_COMPARED],
    );
    window.state_mut().state.overlay.shown_class = Some(1);
    says(&mut window, &["probability of stroma"], &["probability"]);
    window.state_mut().state.overlay.mode = AnalysisMode::Agreement;
    says(&mut window, &["divergence", "1 bit"], &["tumor"]);
    content(&mut window, OverlayContent::Classes);
    let rows = ["agree: not coloured", "differ", NOT_COMPARED];
    says(&mut window, &rows, &["tumor", "divergence"]);
    window.state_mut().state.masks.shown = Shown::Model;
    window.state_mut().state.similar.shown = Some(EmbeddingView::Likeness);
    says(
        &mut window,
        &["cosine of embeddings", "-1"],
        &["tumor", "differ"],
    );
    window.state_mut().state.similar.shown = Some(EmbeddingView::Colours);
    let colours = ["Colours: alike tissue in alike colours"];
    says(&mut window, &colours, &["tumor", "cosine of embeddings"]);
}

#[test]
fn the_card_speaks_to_people_and_says_what_the_model_is_worth() {
    let mut window = harness(1100.0, with_model(&[Panel::Model]));
    let overlay = &mut window.state_mut().state.overlay;
    let mut facts = overlay.facts().unwrap().as_ref().clone();
    let notes = [
        ("class_fractions", "0.25 0.5 0.25"),
        ("tau", "1"),
        ("who", "me"),
    ];
    facts.card.notes = notes
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    overlay.model = Some(ModelState::Ready(Arc::new(facts)));
    window.run_steps(2);
    let says = |words: &str| {
        let found = window.query_all(By::new().label_contains(words));
        found.count() > 0
    };
    assert!(says("macro Dice 71.5 % at 10x"));
    assert!(says("tumor 25 %, stroma 50 %, necrosis 25 %"));
    assert!(says("who"), "a note of somebody's own stays");
    assert!(!says("class_fractions") && !says("tau"));
}

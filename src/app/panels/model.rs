//! The model and its overlay: which, at which magnification, and how it looks.

use egui::{ComboBox, RichText, Slider, Ui};

use super::widgets::{
    choice, clear_marks, cut, fact, fixed_width_label, section_end, section_title,
};
use super::{colours, masks, model_card};
use crate::app::command::{Command, Panel};
use crate::app::file_for::FileFor;
use crate::app::overlay::{AnalysisMode, OverlayCommand, OverlayState};
use crate::app::state::{AppState, Fields};
use crate::gpu::overlay::{OverlayContent, OverlayShape, OverlayStyle};
use crate::jobs::live::{LiveModelFacts, ModelChoice, ModelState};
use crate::model::shipped::STARTER_NOTICE;
use crate::segment::live::{Limits, MAGNIFICATIONS};

/// Width of the names of settings, points.
const NAME_WIDTH: f32 = 76.0;

/// The models in the program, and what they are for.
const SHIPPED: [(&str, &str); 2] = [
    (
        "breast",
        "Breast: tumor, stroma, inflammatory, necrosis, other",
    ),
    (
        "brain",
        "Brain: grey and white matter, leptomeninges, superficial",
    ),
];

/// Said beside the notice for as long as a shipped model is open.
const NO_FINDING: &str = "What they say of real tissue is no finding.";

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Model", Panel::Model, out);
    let overlay = &state.overlay;
    let mut asked = Vec::new();
    picker(ui, overlay, &mut asked, out);
    match &overlay.model {
        None => {
            ui.label(
                RichText::new("No model is open. Choose one to have what you look at segmented.")
                    .weak(),
            );
        }
        Some(ModelState::Opening) => {
            ui.label("Opening…");
        }
        Some(ModelState::Failed(reason)) => {
            let colour = ui.visuals().error_fg_color;
            ui.label(RichText::new(reason).color(colour));
        }
        Some(ModelState::Ready(facts)) => ready(ui, state, facts, &mut asked, out),
    }
    if state.overlay.facts().is_none() && state.active_pane().slide.is_some() {
        masks::show(ui, state, out);
    }
    out.extend(asked.into_iter().map(Command::Overlay));
    section_end(ui);
}

fn picker(
    ui: &mut Ui,
    overlay: &OverlayState,
    asked: &mut Vec<OverlayCommand>,
    out: &mut Vec<Command>,
) {
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, "Model", NAME_WIDTH);
        let shown = overlay
            .facts()
            .map_or_else(|| "none".to_owned(), |facts| facts.choice.short_name());
        let combo = ComboBox::from_id_salt("model").selected_text(cut(&shown, 28));
        let response = combo.show_ui(ui, |ui| {
            for (name, meaning) in SHIPPED {
                let chosen = overlay
                    .facts()
                    .is_some_and(|f| f.choice == ModelChoice::Shipped(name));
                if ui
                    .selectable_label(chosen, name)
                    .on_hover_text(meaning)
                    .clicked()
                {
                    asked.push(OverlayCommand::OpenModel(ModelChoice::Shipped(name)));
                }
            }
            if ui.selectable_label(false, "Weights from a file…").clicked() {
                out.push(Command::Choose(FileFor::Weights));
            }
            if overlay.model.is_some() && ui.selectable_label(false, "None").clicked() {
                asked.push(OverlayCommand::CloseModel);
            }
        });
        response.response.labelled_by(label.id);
    });
}

fn ready(
    ui: &mut Ui,
    state: &AppState,
    facts: &LiveModelFacts,
    asked: &mut Vec<OverlayCommand>,
    out: &mut Vec<Command>,
) {
    let overlay = &state.overlay;
    let warning = ui.visuals().warn_fg_color;
    if matches!(facts.choice, ModelChoice::Shipped(_)) {
        let notice = format!("{STARTER_NOTICE} {NO_FINDING}");
        ui.label(RichText::new(notice).small().color(warning));
    }
    if let Some(reason) = &overlay.reason {
        ui.label(RichText::new(reason).color(warning));
    }
    for doubt in &overlay.doubts {
        ui.label(RichText::new(doubt).small().color(warning));
    }
    if let Some(failure) = &overlay.status.failure {
        let text = format!("Some tiles could not be analysed: {}", cut(failure, 200));
        ui.label(
            RichText::new(text)
                .small()
                .color(ui.visuals().error_fg_color),
        );
    }
    ui.add_space(4.0);
    tools(ui, state, out);
    shown(ui, overlay, asked);
    mode(ui, overlay, asked);
    if let Some(analysis) = overlay.analysis {
        fact(ui, "Map", &analysis.to_string(), out);
    }
    if overlay.status.is_cut {
        let warning = ui.visuals().warn_fg_color;
        ui.label(RichText::new(CUT).small().color(warning));
    }
    ui.add_space(4.0);
    looks(ui, state, asked);
    ui.add_space(4.0);
    if !colours::show(ui, state) {
        classes(ui, facts, overlay, asked);
    }
    ui.add_space(4.0);
    masks::show(ui, state, out);
    ui.add_space(4.0);
    work(ui, state, out);
    ui.add_space(4.0);
    model_card::show(ui, facts, out);
}

/// What computes, how fast, how much is waiting, and what is kept.
fn work(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let (overlay, most) = (&state.overlay, Limits::default());
    let status = &overlay.status;
    fact(
        ui,
        "Computes",
        overlay.device_words(state.adapter_is_real),
        out,
    );
    let speed = format!(
        "{:.1} tiles a second, {} waiting",
        status.tiles_per_s, status.waiting
    );
    fact(ui, "Speed", &speed, out);
    let kept = |bytes: u64, most: u64| format!("{} of {} MiB", bytes >> 20, most >> 20);
    let features = kept(status.feature_bytes, most.feature_bytes);
    fact(ui, "Features", &features, out);
    fact(
        ui,
        "Scores",
        &kept(status.score_bytes, most.score_bytes),
        out,
    );
}

/// The panels that need a model.
const TOOLS: [(Panel, &str, &str); 4] = [
    (Panel::Bias, "Dials", "Turn each class's attention (T)"),
    (Panel::Strokes, "Strokes", "Paint what you are sure of (B)"),
    (
        Panel::Review,
        "Review",
        "Where two magnifications, or model and mask, differ (V)",
    ),
    (
        Panel::Similar,
        "Similar",
        "Colours of embeddings, and what looks like a spot (C)",
    ),
];

fn tools(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Tools", NAME_WIDTH);
        ui.spacing_mut().item_spacing.x = 3.0;
        for (panel, name, hover) in TOOLS {
            if choice(ui, state.shows(panel), name)
                .on_hover_text(hover)
                .clicked()
            {
                out.push(Command::Toggle(panel));
            }
        }
    });
}

fn shown(ui: &mut Ui, overlay: &OverlayState, asked: &mut Vec<OverlayCommand>) {
    ui.scope(|ui| {
        clear_marks(ui);
        let mut shown = overlay.shown;
        let response = ui.checkbox(&mut shown, "Show the overlay");
        if response
            .on_hover_text("D; hold the space bar to look under it")
            .changed()
        {
            asked.push(OverlayCommand::Show(shown));
        }
    });
}

fn mode(ui: &mut Ui, overlay: &OverlayState, asked: &mut Vec<OverlayCommand>) {
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Analysis", NAME_WIDTH);
        ui.spacing_mut().item_spacing.x = 3.0;
        let mut entry = |ui: &mut Ui, mode: AnalysisMode, text: &str, hover: &str| {
            if choice(ui, overlay.mode == mode, text)
                .on_hover_text(hover)
                .clicked()
            {
                asked.push(OverlayCommand::SetMode(mode));
            }
        };
        let hover = "At the magnification nearest to the view's, with the context of a coarser one";
        entry(ui, AnalysisMode::Follow, "Follow", hover);
        for (scale, magnification) in (0..)
            .zip(MAGNIFICATIONS)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            let hover = format!("Always at {magnification}, shown at every zoom");
            entry(
                ui,
                AnalysisMode::Pinned(scale),
                &magnification.to_string(),
                &hover,
            );
        }
        let hover = "Linked views, each with the map of its own magnification alone";
        entry(ui, AnalysisMode::Compare, "Compare", hover);
        let hover = "Where the finest magnification and one a factor of 4 coarser differ";
        entry(ui, AnalysisMode::Agreement, "Agreement", hover);
    });
}

/// What heat maps show: of classes, and of two magnifications.
const HEAT: [(OverlayContent, [(&str, &str); 2]); 3] = [
    (
        OverlayContent::Classes,
        [
            ("Classes", "The most likely class"),
            ("Classes", "Where both maps name different classes"),
        ],
    ),
    (
        OverlayContent::Value,
        [
            ("Probability", "How likely a class is, as a heat map"),
            (
                "Divergence",
                "How far apart both are, as a heat map: Jensen-Shannon divergence, bits",
            ),
        ],
    ),
    (
        OverlayContent::Extra,
        [
            ("Entropy", "How undecided the model is, as a heat map"),
            (
                "Unsure",
                "How undecided the less sure of both is, as a heat map",
            ),
        ],
    ),
];

fn looks(ui: &mut Ui, state: &AppState, asked: &mut Vec<OverlayCommand>) {
    let overlay = &state.overlay;
    let mut style = overlay.style.clone();
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, "Opacity", NAME_WIDTH);
        ui.spacing_mut().slider_width = (ui.available_width() - 70.0).max(60.0);
        ui.add(Slider::new(&mut style.opacity, 0.0..=1.0).fixed_decimals(2))
            .labelled_by(label.id);
    });
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Regions", NAME_WIDTH);
        for (shape, name) in [
            (OverlayShape::Fill, "Area"),
            (OverlayShape::Outline, "Border"),
            (OverlayShape::Both, "Both"),
        ] {
            if choice(ui, style.shape == shape, name).clicked() {
                style.shape = shape;
            }
        }
        if style.shape != OverlayShape::Fill {
            let width = egui::DragValue::new(&mut style.outline_px)
                .range(1.0..=8.0)
                .speed(0.05);
            ui.add(width.suffix(" px").max_decimals(1))
                .on_hover_text("Width of borders")
                .accessible_name("Width of borders");
        }
    });
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Show", NAME_WIDTH);
        for (content, names) in HEAT {
            let (name, hover) = names[usize::from(state.draws_agreement())];
            if choice(ui, style.content == content, name)
                .on_hover_text(hover)
                .clicked()
            {
                style.content = content;
            }
        }
    });
    if !state.draws_agreement() {
        probability(ui, overlay, &style, asked);
    }
    ui.scope(|ui| {
        clear_marks(ui);
        ui.checkbox(
            &mut style.show_any,
            "Keep rare regions visible at low power",
        );
        ui.checkbox(&mut style.mark_provisional, "Hatch what is provisional");
    });
    if style != overlay.style {
        asked.push(OverlayCommand::SetStyle(Box::new(style)));
    }
}

/// Of which class the probability is shown.
fn probability(
    ui: &mut Ui,
    overlay: &OverlayState,
    style: &OverlayStyle,
    asked: &mut Vec<OverlayCommand>,
) {
    let (Some(facts), OverlayContent::Value) = (overlay.facts(), style.content) else {
        return;
    };
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, "Of class", NAME_WIDTH);
        let names = facts.card.class_names();
        let name = |class: Option<usize>| {
            class
                .and_then(|class| names.get(class))
                .map_or("the most likely", String::as_str)
        };
        let combo = ComboBox::from_id_salt("class").selected_text(name(overlay.shown_class));
        let response = combo.show_ui(ui, |ui| {
            for class in std::iter::once(None).chain((0..names.len()).map(Some)) {
                if ui
                    .selectable_label(class == overlay.shown_class, name(class))
                    .clicked()
                {
                    asked.push(OverlayCommand::ShowProbability(class));
                }
            }
        });
        response.response.labelled_by(label.id);
    });
}

const CUT: &str = "Only the middle of the field is analysed: there is no room for all of it at this \
                   magnification. Go closer, or pin a coarser one.";

fn classes(
    ui: &mut Ui,
    facts: &LiveModelFacts,
    overlay: &OverlayState,
    asked: &mut Vec<OverlayCommand>,
) {
    for (index, class) in facts.card.classes.iter().enumerate() {
        ui.horizontal(|ui| {
            clear_marks(ui);
            let [r, g, b, alpha] = overlay.style.palette.get(index).copied().unwrap_or([0; 4]);
            let mut rgb = [r, g, b];
            ui.spacing_mut().interact_size = egui::vec2(14.0, 14.0);
            let colour = ui.color_edit_button_srgb(&mut rgb);
            let name = format!("Colour of {}", class.name);
            if colour.accessible_name(name).changed() {
                asked.push(OverlayCommand::Colour(index, rgb));
            }
            let mut shown = alpha > 0;
            if ui.checkbox(&mut shown, &class.name).changed() {
                asked.push(OverlayCommand::ShowClass(index, shown));
            }
        });
    }
}

//! Every widget that the keyboard reaches or a click moves has a name for those who don't see it.

use egui::accesskit::{Action, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT as _;
use parfocal::app::command::Panel;
use parfocal::app::state::Notice;
use parfocal::gpu::overlay::OverlayShape;

use crate::{Window, harness, with_model};

const BESIDE: [Panel; 10] = [
    Panel::Metadata,
    Panel::Associated,
    Panel::Model,
    Panel::Bias,
    Panel::Strokes,
    Panel::Review,
    Panel::Similar,
    Panel::Display,
    Panel::Log,
    Panel::Minimap,
];

const DIALOGS: [Panel; 4] = [Panel::Keys, Panel::GoTo, Panel::OpenPath, Panel::Scale];

/// What can be reached, and of that what has no name.
fn reached(harness: &Harness<'_, Window>) -> (usize, Vec<String>) {
    let (mut count, mut nameless) = (0, Vec::new());
    for node in harness.root().children_recursive() {
        let seen = node.accesskit_node();
        let data = seen.data();
        let acts = [Action::Focus, Action::Click].map(|action| data.supports_action(action));
        // egui's own bars have none; what they move has the keys for it too.
        if !acts.contains(&true) || seen.role() == Role::ScrollBar {
            continue;
        }
        count += 1;
        // A text is its own name, and a blank one a gap.
        let is_text = seen.role() == Role::Label;
        if !is_text && seen.label().is_none_or(|name| name.trim().is_empty()) {
            nameless.push(format!("{:?} at {:?}", seen.role(), node.rect()));
        }
    }
    (count, nameless)
}

pub(crate) fn assert_named(what: &str, window: Window) {
    let harness = harness(1250.0, window);
    let (count, nameless) = reached(&harness);
    assert!(count > 10, "{what}: only {count} widgets");
    assert!(nameless.is_empty(), "{what}: {nameless:#?}");
}

/// One side panel at a time, as those further down are not drawn; then the dialogs.
#[test]
fn every_widget_that_can_be_reached_has_a_name() {
    for panel in BESIDE.into_iter().chain(DIALOGS) {
        let mut window = with_model(&[panel]);
        // All that comes and goes is there.
        window.state.associated_revealed = true;
        window.state.overlay.style.shape = OverlayShape::Both;
        window.state.notice = Some(Notice {
            text: "It broke.".into(),
            is_error: true,
        });
        assert_named(&format!("{panel:?}"), window);
    }
    let all: Vec<Panel> = BESIDE.into_iter().chain(DIALOGS).collect();
    assert_named("all at once", with_model(&all));
}

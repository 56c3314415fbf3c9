//! Codes of a mask that no file names, as the panel of the model has them.

use std::path::Path;
use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use parfocal::annotate::open_mask;
use parfocal::app::command::{Command, Panel};
use parfocal::app::file_for::FileFor;
use parfocal::app::masks::{CodeEdit, MaskCommand, MaskPages, OpenMask, UnnamedCodes, joined};
use parfocal::gpu::overlay::LayerKey;
use parfocal::labels::{ClassTable, LabelSource as _};

use crate::{Window, click, harness, info, with_model};

/// A window with a model of tumor, stroma and necrosis, and a mask with the codes 1, 2 and 255.
fn with_mask(path: &Path) -> Window {
    let code = |x: u32, _| image::Luma([[1, 2, 255][x as usize % 3]]);
    image::GrayImage::from_fn(8, 4, code).save(path).unwrap();
    let info = info(Some(0.25));
    let file = open_mask(path, None, &info).unwrap();
    let unnamed = UnnamedCodes::of(&file.unnamed.unwrap()).unwrap();
    let mut window = with_model(&[Panel::Model]);
    let model = window.state.overlay.model_classes();
    let (classes, recode) = joined(&model, unnamed.file.classes());
    let labels = Arc::clone(&unnamed.file) as Arc<_>;
    let pages = MaskPages::start(Arc::clone(&labels), LayerKey(1), recode, || ()).unwrap();
    window.state.masks.open = Some(OpenMask {
        slide: info.hash,
        path: path.to_owned(),
        name: file.name,
        labels,
        pages: Arc::new(pages),
        classes,
        unnamed: Some(unnamed),
    });
    window
}

/// Takes over what the panel asked for, as the program does.
fn apply(harness: &mut Harness<'_, Window>) -> usize {
    let window = harness.state_mut();
    let model = window.state.overlay.model_classes();
    let mask = window.state.masks.open.as_mut().unwrap();
    let codes = mask.unnamed.as_mut().unwrap();
    let mut taken = 0;
    for command in std::mem::take(&mut window.commands) {
        let Command::Masks(MaskCommand::Code(edit)) = command else {
            panic!("{command:?}");
        };
        taken += 1;
        if let Some(file) = codes.edit(edit) {
            mask.classes = joined(&model, file.classes()).0;
            codes.file = file;
        }
    }
    harness.run_steps(2);
    taken
}

fn type_name(harness: &mut Harness<'_, Window>, code: u16, name: &str) {
    let label = format!("Name of code {code}");
    harness.get_by_label(&label).focus();
    harness.run_steps(1);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_steps(1);
    harness.key_press(egui::Key::Delete);
    harness.run_steps(2);
    assert_eq!(apply(harness), 1, "the field was emptied");
    if !name.is_empty() {
        harness.get_by_label(&label).type_text(name);
        harness.run_steps(2);
        assert_eq!(apply(harness), 1, "{name} was typed");
    }
}

fn names(harness: &Harness<'_, Window>) -> Vec<String> {
    let mask = harness.state().state.masks.open.as_ref().unwrap();
    mask.classes
        .iter()
        .map(|class| class.name.clone())
        .collect()
}

#[test]
fn a_code_is_named_and_is_the_models_class_of_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let mut harness = harness(1100.0, with_mask(&path));
    let of_model = ["tumor", "stroma", "necrosis"];
    assert_eq!(names(&harness)[3..], ["class 1", "class 2"]);
    harness.get_by_label("class 1");
    type_name(&mut harness, 1, "Tumor");
    let field = harness.get_by_label("Name of code 1");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("Tumor"));
    assert_eq!(names(&harness)[..3], of_model);
    assert_eq!(names(&harness)[3..], ["class 2"], "it is the model's");
    assert!(harness.query_by_label("class 1").is_none());
    type_name(&mut harness, 2, "fat");
    harness.get_by_label("fat");

    let ignored = click(&mut harness, "Code 2 is ignored");
    let wanted = [CodeEdit::Ignore(2, true)];
    assert_eq!(ignored, wanted.map(MaskCommand::Code).map(Command::Masks));
    harness.state_mut().commands = ignored;
    apply(&mut harness);
    assert_eq!(names(&harness), of_model);

    let asked = click(&mut harness, "Save classes…");
    assert_eq!(asked, [Command::Choose(FileFor::MaskClassesOut)]);
    let mask = harness.state().state.masks.open.as_ref().unwrap();
    let typed = &mask.unnamed.as_ref().unwrap().typed;
    let saved = folder.path().join("classes.json");
    std::fs::write(&saved, typed.to_json().unwrap()).unwrap();
    let read = ClassTable::load(&saved).unwrap();
    assert_eq!(read.classes().len(), 1);
    let again = open_mask(&path, Some(&saved), &info(Some(0.25))).unwrap();
    assert_eq!(again.labels.classes()[0].name, "Tumor");
    assert!(again.unnamed.is_none());
}

#[test]
fn what_is_wrong_with_a_name_stands_beside_it_and_nothing_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = harness(1100.0, with_mask(&folder.path().join("mask.png")));
    let before = names(&harness);
    type_name(&mut harness, 1, "");
    harness.get_by_label("Code 1: a class needs a name");
    assert_eq!(names(&harness), before);
    assert!(click(&mut harness, "Save classes…").is_empty());
    type_name(&mut harness, 1, "CLASS 2");
    harness.get_by_label("Code 1: code 2 is called so too");
    harness.get_by_label("Code 2: code 1 is called so too");
    assert_eq!(names(&harness), before);
    type_name(&mut harness, 2, "glands");
    assert!(
        harness
            .query_by_label_contains("is called so too")
            .is_none()
    );
    assert_eq!(names(&harness)[3..], ["CLASS 2", "glands"]);
}

#[test]
fn the_table_has_names_for_those_who_dont_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let window = with_mask(&folder.path().join("mask.png"));
    crate::names::assert_named("the codes of a mask", window);
}

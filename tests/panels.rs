//! The panels, used through what a screen reader sees: no window and no graphics.

#[path = "panels/colours.rs"]
mod colours;
#[path = "panels/mask_codes.rs"]
mod mask_codes;
#[path = "panels/names.rs"]
mod names;
#[path = "panels/review.rs"]
mod review;
#[path = "panels/scrolled.rs"]
mod scrolled;
#[path = "panels/tuning.rs"]
mod tuning;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use parfocal::app::camera::Camera;
use parfocal::app::command::{CameraMove, Command, Layout, Panel};
use parfocal::app::export::{ExportCommand, Writing};
use parfocal::app::file_for::FileFor;
use parfocal::app::log::LogBuffer;
use parfocal::app::marks::{DialPreset, MarkCommand};
use parfocal::app::overlay::{AnalysisMode, DialSet, Dials, OverlayCommand, ResetTo};
use parfocal::app::state::{AppState, Fields, Notice, OpenedSlide, Pane, PaneIndex};
use parfocal::app::{minimap, panels, theme};
use parfocal::geometry::{LevelRegion, Mpp, ScreenSize, SlidePoint};
use parfocal::gpu::overlay::OverlayShape;
use parfocal::jobs::live::{ComputeDevice, LiveModelFacts, ModelChoice, ModelState};
use parfocal::model::dfa::ClassBias;
use parfocal::model::dfa::weights::{ClassLabel, DecoderCard};
use parfocal::segment::fusion::Fusion;
use parfocal::segment::live::{FieldAreas, LiveStatus};
use parfocal::slide::{
    AssociatedImage, LevelInfo, Rgba, ScaleOrigin, SlideError, SlideHash, SlideInfo, SlideSource,
};
use parfocal::tiles::{LoaderStatus, SlideId, TilePyramid};

const FIRST: PaneIndex = PaneIndex::First;

/// A slide that states things and holds no pixels.
struct BlankSlide(SlideInfo);

impl SlideSource for BlankSlide {
    fn info(&self) -> &SlideInfo {
        &self.0
    }

    fn read_region(&self, _: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        Ok(Rgba::transparent(region.width, region.height))
    }

    fn read_associated(&self, _: &str) -> Result<Rgba, SlideError> {
        Ok(Rgba::transparent(4, 4))
    }
}

fn info(mpp: Option<f64>) -> SlideInfo {
    let property = |n: usize| (format!("scanner.property-{n:03}"), format!("value {n}"));
    let image = |name: &str| AssociatedImage {
        name: name.into(),
        size_px: (40, 30),
    };
    SlideInfo {
        name: "kidney.svs".into(),
        path: Some("/slides/kidney.svs".into()),
        vendor: "aperio".into(),
        levels: vec![LevelInfo {
            size_px: (40_000, 20_000),
            scale: (1.0, 1.0),
            native_tile_px: None,
        }],
        mpp: mpp.and_then(Mpp::square),
        scale_origin: if mpp.is_some() {
            ScaleOrigin::Mpp
        } else {
            ScaleOrigin::Missing
        },
        objective_power: None,
        bounds: None,
        background_rgb: [255; 3],
        icc_profile: None,
        properties: (0..300).map(property).collect(),
        associated: vec![image("label"), image("macro")],
        hash: SlideHash("sha256:test".into()),
    }
}

fn pane(mpp: Option<f64>) -> Pane {
    let source = Arc::new(BlankSlide(info(mpp)));
    let mut camera = Camera::new(source.info().content(), source.info().mpp);
    camera.resize(ScreenSize::new(1000.0, 700.0));
    camera.apply(CameraMove::Magnification(10.0), source.info().mpp);
    let pyramid = Arc::new(TilePyramid::new(source.info()));
    let label = Arc::new(Rgba::transparent(40, 30));
    let associated = BTreeMap::from([
        ("label".to_owned(), Ok(label)),
        ("macro".to_owned(), Err("it ends too early".to_owned())),
    ]);
    let slide = OpenedSlide {
        id: SlideId(0),
        source,
        pyramid,
        opened_as: "/slides/kidney.svs".into(),
        associated,
        has_profile: false,
    };
    Pane {
        slide: Some(Arc::new(slide)),
        camera: Some(camera),
        ..Pane::default()
    }
}

struct Window {
    state: AppState,
    fields: Fields,
    commands: Vec<Command>,
}

fn window(mpp: Option<f64>, shown: &[Panel]) -> Window {
    let state = AppState {
        panes: [pane(mpp), Pane::default()],
        active: FIRST,
        layout: Layout::Single,
        display: Default::default(),
        settings: Default::default(),
        session: Default::default(),
        shown: HashSet::from_iter(shown.iter().copied()),
        associated_revealed: false,
        notice: None,
        dropped: None,
        writing: Vec::new(),
        loader: LoaderStatus::default(),
        adapter: None,
        adapter_is_real: false,
        cursor_rgb: None,
        overlay: Default::default(),
        marks: Default::default(),
        masks: Default::default(),
        review: Default::default(),
        similar: Default::default(),
        undo_order: Default::default(),
    };
    let fields = Fields {
        focus_dialog: true,
        ..Fields::default()
    };
    Window {
        state,
        fields,
        commands: Vec::new(),
    }
}

fn harness<'a>(width: f32, window: Window) -> Harness<'a, Window> {
    let log = LogBuffer::default();
    let mut is_set_up = false;
    let draw = move |ui: &mut egui::Ui, window: &mut Window| {
        if !is_set_up {
            theme::install(ui.ctx());
            is_set_up = true;
        }
        let Window {
            state,
            fields,
            commands,
        } = window;
        panels::show_around(ui, state, fields, &log, commands);
        egui::CentralPanel::no_frame().show(ui, |ui| {
            minimap::show(ui, ui.max_rect(), FIRST, state, None, commands);
        });
        panels::show_dialogs(ui, state, fields, commands);
    };
    let builder = Harness::builder().with_size(egui::vec2(width, 700.0));
    let mut harness = builder.build_ui_state(draw, window);
    harness.run_steps(4);
    harness
}

/// What is asked for by clicking the widget of that name.
fn click(harness: &mut Harness<'_, Window>, label: &str) -> Vec<Command> {
    harness.state_mut().commands.clear();
    harness.get_by_label(label).click();
    harness.run_steps(3);
    std::mem::take(&mut harness.state_mut().commands)
}

#[test]
fn every_button_of_the_toolbar_asks_for_what_it_says() {
    let mut harness = harness(1100.0, window(Some(0.25), &[]));
    let camera = |step| Command::Camera(FIRST, step);
    let buttons = [
        ("Open…", Command::Choose(FileFor::Slide(PaneIndex::First))),
        ("Fit", camera(CameraMove::Fit)),
        ("2.5x", camera(CameraMove::Magnification(2.5))),
        ("40x", camera(CameraMove::Magnification(40.0))),
        ("Mirror", camera(CameraMove::Mirror)),
        ("Upright", camera(CameraMove::Upright)),
        ("Two separate views", Command::SetLayout(Layout::Split)),
        ("Model", Command::Toggle(Panel::Model)),
        ("Dials", Command::Toggle(Panel::Bias)),
        ("Info", Command::Toggle(Panel::Metadata)),
        ("Log", Command::Toggle(Panel::Log)),
        ("Keys and gestures", Command::Toggle(Panel::Keys)),
    ];
    for (label, command) in buttons {
        assert_eq!(click(&mut harness, label), [command], "{label}");
    }
}

#[test]
fn the_present_magnification_is_marked_and_no_other() {
    let harness = harness(1000.0, window(Some(0.25), &[]));
    let is_marked = |label| harness.get_by_label(label).accesskit_node().toggled();
    assert_eq!(is_marked("10x"), Some(egui::accesskit::Toggled::True));
    assert_ne!(is_marked("20x"), Some(egui::accesskit::Toggled::True));
}

#[test]
fn nothing_in_the_toolbar_overlaps_at_any_width() {
    for width in [
        500.0, 640.0, 700.0, 800.0, 830.0, 940.0, 960.0, 1000.0, 1600.0,
    ] {
        for mpp in [Some(0.25), None] {
            let harness = harness(width, window(mpp, &[]));
            let is_button = |node: &egui_kittest::Node<'_>| {
                node.rect().top() < 40.0 && node.rect().bottom() < 48.0
            };
            let buttons = harness
                .get_all_by_role(egui::accesskit::Role::Button)
                .filter(is_button);
            let mut spans: Vec<_> = buttons
                .map(|node| (node.rect().left(), node.rect().right()))
                .collect();
            spans.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(spans.len() > 7, "{width}: {spans:?}");
            for pair in spans.windows(2) {
                assert!(
                    pair[0].1 <= pair[1].0 + 0.5,
                    "at {width} points wide: {pair:?}"
                );
            }
            assert!(spans.last().is_some_and(|last| last.1 <= width));
        }
    }
}

#[test]
fn label_and_macro_images_stay_hidden_until_asked_for() {
    let mut harness = harness(1000.0, window(Some(0.25), &[Panel::Associated]));
    assert!(harness.query_by_label_contains("patient").is_some());
    assert!(harness.query_by_label_contains("label, 40").is_none());
    let asked = click(&mut harness, "Show label and macro images");
    assert_eq!(asked, [Command::RevealAssociated(true)]);
    harness.state_mut().state.associated_revealed = true;
    harness.run_steps(2);
    assert!(
        harness
            .query_by_label_contains("label, 40 × 30 px")
            .is_some()
    );
    assert!(
        harness
            .query_by_label_contains("it ends too early")
            .is_some()
    );
    assert_eq!(
        click(&mut harness, "Hide label and macro images"),
        [Command::RevealAssociated(false)]
    );
}

#[test]
fn a_slide_without_scale_says_so_and_takes_one() {
    let mut harness = harness(1000.0, window(None, &[]));
    assert!(
        harness
            .query_by_label_contains("lengths are in pixels")
            .is_some()
    );
    let asked = click(&mut harness, "Type µm per pixel…");
    assert_eq!(
        asked,
        [Command::Activate(FIRST), Command::Toggle(Panel::Scale)]
    );
    harness.state_mut().state.shown.insert(Panel::Scale);
    harness.state_mut().fields.focus_dialog = true;
    harness.run_steps(3);
    harness.get_by_label("µm per pixel").type_text("0.5");
    harness.run_steps(2);
    let asked = click(&mut harness, "Use this scale");
    let half = Mpp::square(0.5);
    assert_eq!(
        asked,
        [
            Command::SetScale(FIRST, half),
            Command::Toggle(Panel::Scale)
        ]
    );
}

#[test]
fn a_typed_position_is_gone_to_on_enter() {
    let mut harness = harness(1000.0, window(Some(0.25), &[Panel::GoTo]));
    harness.get_by_label("Position").type_text("1000, 500");
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(2);
    let point = SlidePoint::new(4000.0, 2000.0);
    let center = Command::Camera(FIRST, CameraMove::CenterOn(point));
    assert_eq!(
        harness.state().commands,
        [center, Command::Toggle(Panel::GoTo)]
    );
}

#[test]
fn escape_closes_a_dialog() {
    let mut harness = harness(1000.0, window(Some(0.25), &[Panel::Keys]));
    harness.key_press(egui::Key::Escape);
    harness.step();
    assert_eq!(harness.state().commands, [Command::Toggle(Panel::Keys)]);
}

#[test]
fn only_rows_in_sight_are_drawn_and_the_filter_finds_the_others() {
    let mut harness = harness(1000.0, window(Some(0.25), &[Panel::Metadata]));
    assert!(
        harness
            .query_by_label("Copy scanner.property-000")
            .is_some()
    );
    assert!(
        harness
            .query_by_label("Copy scanner.property-299")
            .is_none()
    );
    harness.get_by_label("Filter properties").focus();
    harness
        .get_by_label("Filter properties")
        .type_text("VALUE 299");
    harness.run_steps(3);
    let copied = click(&mut harness, "Copy scanner.property-299");
    assert_eq!(
        copied,
        [Command::Copy("scanner.property-299\tvalue 299\n".into())]
    );
}

#[test]
fn a_slider_changes_the_display_and_its_button_resets_it() {
    let mut harness = harness(1000.0, window(Some(0.25), &[Panel::Display]));
    harness
        .get_by_role_and_label(egui::accesskit::Role::Slider, "Gamma")
        .set_value_accesskit(2.0);
    harness.run_steps(2);
    let asked = harness.state().commands.clone();
    let Some(Command::SetDisplay(display)) = asked.first() else {
        panic!("{asked:?}");
    };
    assert!((display.gamma - 2.0).abs() < 0.01);
    harness.state_mut().state.display = *display;
    harness.run_steps(2);
    let asked = click(&mut harness, "Reset gamma");
    assert_eq!(asked, [Command::SetDisplay(Default::default())]);
    assert!(
        harness
            .query_by_label("The slide holds no profile")
            .is_some()
    );
}

#[test]
fn a_path_is_completed_by_tab_and_opened_by_enter() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cases")).unwrap();
    std::fs::write(folder.path().join("cases/kidney.svs"), "").unwrap();
    let mut window = window(None, &[Panel::OpenPath]);
    window.fields.path_text = format!("{}/ca", folder.path().display());
    window.fields.path_hint = Some("There is no file dialog here.".into());
    let mut harness = harness(1000.0, window);
    assert!(
        harness
            .query_by_label("There is no file dialog here.")
            .is_some()
    );
    wait_for(&mut harness, "cases/");
    harness.key_press(egui::Key::Tab);
    wait_for(&mut harness, "kidney.svs");
    harness.key_press(egui::Key::ArrowDown);
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(2);
    let path = folder.path().join("cases/kidney.svs");
    assert_eq!(harness.state().commands, [Command::Open(FIRST, path)]);
}

fn wait_for(harness: &mut Harness<'_, Window>, label: &str) {
    let is_there = |harness: &mut Harness<'_, Window>| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        harness.run_steps(1);
        harness.query_by_label(label).is_some()
    };
    assert!(
        (0..1000).any(|_| is_there(harness)),
        "{label} does not come"
    );
}

#[test]
fn a_notice_can_be_copied_and_dismissed() {
    let mut window = window(Some(0.25), &[]);
    window.state.notice = Some(Notice {
        text: "It broke.".into(),
        is_error: true,
    });
    let mut harness = harness(1000.0, window);
    assert!(harness.query_by_label("Error").is_some());
    assert_eq!(
        click(&mut harness, "Copy text"),
        [Command::Copy("It broke.".into())]
    );
    assert_eq!(click(&mut harness, "Dismiss"), [Command::DismissNotice]);
}

#[test]
fn recent_and_demonstration_slides_are_in_the_menu() {
    let mut window = window(Some(0.25), &[]);
    window
        .state
        .session
        .note_opened("/slides/liver.ndpi".as_ref());
    let mut harness = harness(1000.0, window);
    for (label, path) in [
        ("liver.ndpi", "/slides/liver.ndpi"),
        ("Brain", "phantom:brain"),
    ] {
        click(&mut harness, "Recent slides and demos");
        harness.state_mut().commands.clear();
        harness.get_by_label_contains(label).click();
        harness.run_steps(3);
        assert_eq!(
            harness.state().commands,
            [Command::Open(FIRST, path.into())]
        );
    }
}

#[test]
fn a_click_on_the_overview_moves_the_view_there() {
    let mut harness = harness(1000.0, window(Some(0.25), &[]));
    let overview = harness.get_by_label_contains("Overview").rect();
    harness.drag_at(overview.center());
    harness.run_steps(1);
    harness.drop_at(overview.center());
    harness.run_steps(2);
    let commands = &harness.state().commands;
    let is_middle = |command: &Command| match command {
        Command::Camera(FIRST, CameraMove::CenterOn(at)) => {
            (*at - SlidePoint::new(20_000.0, 10_000.0)).length() < 300.0
        }
        _ => false,
    };
    assert!(
        !commands.is_empty() && commands.iter().all(is_middle),
        "{commands:?}"
    );
}

/// A window with a model of three classes at hand.
fn with_model(shown: &[Panel]) -> Window {
    let names = ["tumor", "stroma", "necrosis"].map(str::to_owned);
    let bias = ClassBias::new(&names, &[0.5, 0.0, -0.5]).unwrap();
    let bias = bias.trained_to(&[1.0, -0.25, -0.75]).unwrap();
    let class = |(code, name): (u16, &String)| ClassLabel {
        name: name.clone(),
        code,
        colour: [200, 40, 40],
    };
    let facts = LiveModelFacts {
        choice: ModelChoice::Shipped("breast"),
        card: DecoderCard {
            classes: (0..).zip(&names).map(class).collect(),
            bias: bias.clone(),
            encoder_sha256: "e".repeat(64),
            tile_px: 128,
            mpp: [0.25, 2.0],
            program: "parfocal".into(),
            notes: BTreeMap::new(),
        },
        bias,
        sha256: "d".repeat(64),
        fusion: Fusion::default(),
    };
    let mut window = window(Some(0.25), shown);
    let overlay = &mut window.state.overlay;
    overlay.model = Some(ModelState::Ready(Arc::new(facts)));
    overlay.shown = true;
    overlay.dials = Dials::new(3);
    overlay.areas.now = Some(FieldAreas {
        field_mm2: vec![0.25, 1.5, 0.0],
        ..FieldAreas::default()
    });
    overlay.areas.before_mm2 = Some(vec![0.2, 1.5, 0.0]);
    window
}

#[test]
fn dials_say_what_a_bias_is_made_of_and_ask_for_turns() {
    let mut harness = harness(1100.0, with_model(&[Panel::Bias]));
    harness.get_by_label("prior +0.50  learned +0.50  in use +1.00");
    harness.get_by_label("0.2500 mm² (+0.0500)");
    let slider = harness.get_by_label("Attention of stroma");
    assert_eq!(slider.accesskit_node().numeric_value(), Some(0.0));
    for (label, to) in [
        ("Learned", ResetTo::Learned),
        ("Prior", ResetTo::Prior),
        ("Zero", ResetTo::Zero),
    ] {
        let asked = click(&mut harness, label);
        assert_eq!(
            asked,
            [Command::Overlay(OverlayCommand::Reset(to, None))],
            "{label}"
        );
    }
    assert!(
        click(&mut harness, "Undo").is_empty(),
        "there is nothing to undo"
    );
    let state = &mut harness.state_mut().state;
    state.overlay.dials.turn(DialSet::Bias, 1, 2.0, false);
    let order = &mut harness.state_mut().state.undo_order;
    order.made(parfocal::app::undo_order::Kind::Dials);
    harness.run_steps(2);
    // The others give way: what is in use is relative.
    harness.get_by_label("prior +0.50  learned +0.50  in use +0.33");
    assert_eq!(click(&mut harness, "Undo"), [Command::Undo]);
}

#[test]
fn the_model_panel_says_what_it_is_for_and_how_it_is_shown() {
    let mut harness = harness(1100.0, with_model(&[Panel::Model]));
    let says = |harness: &Harness<'_, Window>, words: &str| {
        harness
            .query_all(egui_kittest::kittest::By::new().label_contains(words))
            .count()
            > 0
    };
    assert!(says(&harness, "Research use only"));
    let asked = |command| vec![Command::Overlay(command)];
    let pinned = AnalysisMode::Pinned(2);
    harness.state_mut().commands.clear();
    harness.get_all_by_label("10x").last().unwrap().click();
    harness.run_steps(3);
    let commands = std::mem::take(&mut harness.state_mut().commands);
    assert_eq!(commands, asked(OverlayCommand::SetMode(pinned)));
    let hidden = asked(OverlayCommand::ShowClass(1, false));
    assert_eq!(click(&mut harness, "stroma"), hidden);
    let hidden = asked(OverlayCommand::Show(false));
    assert_eq!(click(&mut harness, "Show the overlay"), hidden);
    let border = click(&mut harness, "Border");
    let Some(Command::Overlay(OverlayCommand::SetStyle(style))) = border.first() else {
        panic!("{border:?}");
    };
    assert_eq!(style.shape, OverlayShape::Outline);
    harness.state_mut().state.overlay.reason = Some("no scale here".into());
    harness.run_steps(2);
    assert!(says(&harness, "no scale here"));
}

#[test]
fn presets_are_saved_used_and_refused_on_another_model() {
    let mut window = with_model(&[Panel::Bias]);
    let facts = window.state.overlay.facts().unwrap().clone();
    let preset = |name: &str, model: &str| parfocal::annotate::Preset {
        name: name.into(),
        model_hash: model.into(),
        bias: DialPreset::of(
            &facts,
            &window.state.overlay.dials,
            name.into(),
            "H&E".into(),
        )
        .to_json()
        .unwrap(),
        note: "H&E".into(),
        created_ms: 0,
    };
    let presets = vec![preset("pale", &facts.sha256), preset("of another", "feed")];
    window.state.marks.presets = presets;
    let mut harness = harness(1100.0, window);
    click(&mut harness, "Presets");
    let marks = |command| vec![Command::Marks(command)];
    assert_eq!(
        click(&mut harness, "pale"),
        marks(MarkCommand::UsePreset(0))
    );
    assert!(
        click(&mut harness, "of another").is_empty(),
        "another model's"
    );
    assert!(click(&mut harness, "Remove the preset of another").is_empty());
    let removed = click(&mut harness, "Remove it for good");
    assert_eq!(removed, marks(MarkCommand::RemovePreset(1)));
    assert!(
        click(&mut harness, "Save the dials").is_empty(),
        "without a name"
    );
    harness.state_mut().fields.preset = ("dark".into(), "scanner B".into());
    harness.run_steps(2);
    let saved = MarkCommand::SavePreset("dark".into(), "scanner B".into());
    assert_eq!(click(&mut harness, "Save the dials"), marks(saved));
    let exported = [Command::Choose(FileFor::DialsIn)];
    assert_eq!(click(&mut harness, "Import…"), exported);
}

#[test]
fn the_brush_is_chosen_by_class() {
    let mut harness = harness(1100.0, with_model(&[Panel::Strokes]));
    let marks = |commands: [MarkCommand; 2]| commands.map(Command::Marks).to_vec();
    for (name, class) in [("stroma", Some(1)), ("Eraser", None)] {
        let asked = click(&mut harness, name);
        let wanted = [MarkCommand::BrushClass(class), MarkCommand::UseBrush(true)];
        assert_eq!(asked, marks(wanted), "{name}");
    }
    assert!(
        click(&mut harness, "Erase all").is_empty(),
        "nothing is painted"
    );
}

#[test]
fn the_status_bar_says_what_computes_how_fast_and_what_is_kept() {
    for width in [640.0, 740.0, 850.0, 950.0, 1100.0, 1250.0, 1600.0] {
        let mut window = with_model(&[]);
        let state = &mut window.state;
        state.adapter = Some("llvmpipe (LLVM 19.1.7, 256 bits) (Vulkan, software)".into());
        state.loader.cached_bytes = 100 << 20;
        state.overlay.device = Some(ComputeDevice::Processor);
        state.overlay.under_pointer = Some(("inflammatory".into(), 0.98));
        state.overlay.status = LiveStatus {
            waiting: 12_345,
            tiles_per_s: 12.34,
            feature_bytes: 300 << 20,
            score_bytes: 12 << 20,
            ..LiveStatus::default()
        };
        let harness = harness(width, window);
        let all = harness.query_all(egui_kittest::kittest::By::new().label_contains(""));
        let is_low = |node: &egui_kittest::Node<'_>| node.rect().top() > 670.0;
        let mut texts: Vec<_> = all.filter(is_low).collect();
        texts.sort_by(|a, b| a.rect().left().total_cmp(&b.rect().left()));
        for pair in texts.windows(2) {
            let (left, right) = (pair[0].rect().right(), pair[1].rect().left());
            assert!(left <= right + 0.5, "{width}: {:?} {:?}", pair[0], pair[1]);
        }
        let says = |words: &str| harness.query_by_label_contains(words).is_some();
        assert!(says("12345 to do"), "{width}");
        if width >= 1100.0 {
            assert!(says("CPU  12.3/s") && says("100+312  MiB"), "{width}");
        }
    }
}

#[test]
fn files_that_are_written_say_how_far_they_are_and_can_be_stopped() {
    let mut window = window(Some(0.25), &[]);
    let map = std::path::Path::new("folder/map.tif");
    let [counted, waiting] =
        [map, "field.png".as_ref()].map(|path| Arc::new(Writing::new(path.into(), "drawing")));
    counted.begin();
    assert!(counted.tell(3, 4).is_continue());
    window.state.writing = vec![counted, waiting];
    let mut harness = harness(1100.0, window);
    harness.get_by_label_contains("map.tif: 75 %");
    harness.get_by_label_contains("field.png: drawing");
    harness.get_all_by_label("Stop").next().unwrap().click();
    harness.run_steps(3);
    let stop = Command::Export(ExportCommand::Stop(map.to_owned()));
    assert_eq!(harness.state().commands, [stop]);
}

#[test]
fn one_dial_is_put_back_by_a_menu_of_its_own() {
    let mut harness = harness(1100.0, with_model(&[Panel::Bias]));
    click(&mut harness, "Reset stroma");
    let row = harness.get_by_label("Reset stroma").rect().center();
    let away = |node: &egui_kittest::Node<'_>| (node.rect().center() - row).length();
    let zeros = harness.get_all_by_label("Zero");
    let near = zeros.min_by(|a, b| away(a).total_cmp(&away(b)));
    near.unwrap().click();
    harness.run_steps(3);
    let reset = OverlayCommand::Reset(ResetTo::Zero, Some(1));
    assert_eq!(harness.state().commands, [Command::Overlay(reset)]);
}

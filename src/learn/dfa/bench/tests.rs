use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;

use super::config::Blocks;
use super::{BenchFile, Doing, Plan, trace_plot};
use crate::learn::bench_dfa::{BenchTable, Role};
use crate::learn::dfa::mode::Mode;
use crate::learn::dfa::run::TrainFile;
use crate::model::config::EncoderConfig;
use crate::model::{Encoder, weights};

const FILE: &str = r#"
seeds = [1, 2]
modes = ["none", "difficulty", "dfa", "logit-adjusted"]
kept_crops = 8
first_seeds = [71]
trace_every = 2

[[arm]]
name = "dfa-inverse"
mode = "dfa"
prior = { kind = "log-inverse", alpha = 0.3 }

[tuning]
seed = 81
alphas = [0.1, 2.0]
taus = [1.0]

[run]
seed = 0
steps = 4

[data]
encoder = "encoder.safetensors"

[data.set]
kind = "phantom"
tissue = "breast"
training = { from = 1, count = 1 }
validation = { from = 101, count = 1 }
test = { from = 201, count = 1 }
mpp = 4.0
regions = 1
min_tissue = 0.0
extent_mm = 2.0

[data.crops]
tile_px = 64
samples = 4
mpp = [4.0, 4.0]
"#;

fn file() -> BenchFile {
    let mut file: BenchFile = toml::from_str(FILE).unwrap();
    file.mpp = 4.0;
    file
}

fn with_encoder(folder: &Path) {
    let shape = EncoderConfig::named("tiny").unwrap();
    let encoder = Encoder::new(&shape, 3, &Device::flex()).unwrap();
    let path = folder.join("encoder.safetensors");
    weights::save(&encoder, &Default::default(), &path).unwrap();
}

fn go(file: &BenchFile, folder: &Path, most_runs: u64) -> Result<Vec<u64>, String> {
    let plan = Plan::open(file, folder, &folder.join("out")).map_err(|e| e.to_string())?;
    let mut counts = Vec::new();
    plan.run(&[0], &Device::flex(), &mut |doing| {
        if let Doing::Runs(done, all) = doing {
            counts.extend([*done, *all]);
            if *done >= most_runs {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
    .map_err(|error| error.to_string())?;
    Ok(counts)
}

#[test]
fn a_benchmark_stops_goes_on_and_makes_a_table() {
    let folder = tempfile::tempdir().unwrap();
    with_encoder(folder.path());
    let file = file();
    // Colour alone, 1 first run, 2 α of two modes, 5 arms of 2 seeds.
    let error = go(&file, folder.path(), 3).unwrap_err();
    assert!(error.contains("goes on"), "{error}");
    let counts = go(&file, folder.path(), 100).unwrap();
    assert_eq!(counts[..2], [0, 13], "colour and two of fifteen were kept");
    let plan = Plan::open(&file, folder.path(), &folder.path().join("out")).unwrap();
    assert_eq!(plan.missing(&[0]).unwrap(), 0);
    let results = plan.results().unwrap();
    assert_eq!(results.len(), 11, "ten trainings, and colour alone");
    let colour = results.iter().find(|run| run.key.mode == "colour").unwrap();
    assert!(colour.macro_dice > 0.0 && colour.classes.iter().all(|class| class.bias.is_none()));
    let of = |mode: &'static str| results.iter().filter(move |run| run.key.mode == mode);
    assert!(of("dfa").all(|run| run.setting.is_some()));
    assert!(
        of("logit-adjusted").all(|run| run.setting.is_none()),
        "one τ is no choice"
    );
    for run in of("none").chain(of("difficulty")) {
        assert!(run.classes.iter().all(|class| class.difficulty.is_some()));
        let bias = run.classes.iter().map(|class| class.bias.unwrap());
        assert!(
            bias.clone().all(|bias| bias.change.abs() < 1e-6),
            "it never moves"
        );
        let share: f64 = bias.map(|bias| bias.attention_share.unwrap()).sum();
        assert!((share - 1.0).abs() < 1e-3);
    }
    assert!(of("dfa").all(|run| {
        run.classes
            .iter()
            .any(|c| c.bias.unwrap().change.abs() > 1e-6)
    }));
    let table = BenchTable::of(&results, "none", &[]).unwrap();
    assert_eq!(table.modes.len(), 6);
    assert_eq!(table.modes[5].mode, "colour");
    assert_eq!(
        table.modes[5].difference, None,
        "it has no seed to be paired by"
    );
    let arms = ["dfa", "dfa-inverse"].map(str::to_owned);
    let traces = folder.path().join("out/traces");
    let class = &results[0].classes[0].class;
    assert!(
        trace_plot(&traces, &arms, class)
            .unwrap()
            .contains("dfa-inverse")
    );
    let error = trace_plot(&traces, &arms, "bone").unwrap_err().to_string();
    assert!(error.contains("'bone'"), "{error}");
    let looks = super::trace::read(&traces.join("none.seed-1.rotation-0.csv")).unwrap();
    for look in looks.chunks_exact(5) {
        let share: f64 = look.iter().map(|row| row.attention).sum();
        assert!((share - 1.0).abs() < 1e-3, "{share}");
        let gradient: f64 = look.iter().map(|row| row.gradient).sum();
        assert!(gradient.abs() < 1e-5, "b + t·1 does nothing: {gradient}");
    }
    assert!(
        looks.iter().any(|row| row.gradient.abs() > 1e-7),
        "though b is fixed"
    );
    assert!(looks.iter().any(|row| row.attention_on.is_some()));
    // A training of other settings may not stand beside these.
    let mut other = file.clone();
    other.run.steps = 5;
    assert!(
        go(&other, folder.path(), 100)
            .unwrap_err()
            .contains("settings")
    );
}

#[test]
fn logit_adjustment_trains_as_none_and_the_same_seed_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    with_encoder(folder.path());
    let mut file = file();
    (file.modes, file.arms) = (vec![Mode::None, Mode::LogitAdjusted], Vec::new());
    file.run.tau = 0.0;
    go(&file, folder.path(), 100).unwrap();
    let plan = Plan::open(&file, folder.path(), &folder.path().join("out")).unwrap();
    let results = plan.results().unwrap();
    let dice = |mode: &str, seed: u64| {
        let found = results
            .iter()
            .find(|run| run.key.mode == mode && run.key.seed == seed);
        found.unwrap().macro_dice
    };
    assert_eq!(
        dice("none", 1),
        dice("logit-adjusted", 1),
        "τ = 0 adds nothing"
    );
    assert_ne!(dice("none", 1), dice("none", 2));
}

#[test]
fn roles_set_the_knobs_of_each_rotation() {
    let mut file = file();
    let roles = r#"
[roles]
classes = ["tumor", "stroma", "inflammatory", "necrosis"]
rare = 0.01
common = 0.3
easy = { similarity = 0.0, ambiguity_um = 5.0 }
hard = { similarity = 0.8, ambiguity_um = 80.0 }
"#;
    file.blocks = toml::from_str(roles).unwrap();
    let Blocks::Roles(roles) = &file.blocks else {
        panic!("roles were given");
    };
    for rotation in 0..4 {
        for knob in roles.knobs(rotation) {
            let role = roles.of(&knob.name, rotation).unwrap();
            let rare = matches!(role, Role::RareEasy | Role::RareHard);
            let hard = matches!(role, Role::RareHard | Role::CommonHard);
            assert_eq!(knob.frequency, Some(if rare { 0.01 } else { 0.3 }));
            assert_eq!(knob.similarity, Some(if hard { 0.8 } else { 0.0 }));
        }
    }
    assert_eq!(roles.of("other", 0), None);
    assert_ne!(file.data_of(0).unwrap(), file.data_of(1).unwrap());
    file.data.set = toml::from_str("kind = \"bcss\"\nfolder = \"x\"").unwrap();
    assert!(file.data_of(0).unwrap_err().to_string().contains("phantom"));
}

#[test]
fn settings_that_compare_nothing_are_refused() {
    let wrong = |change: fn(&mut BenchFile)| {
        let mut file = file();
        change(&mut file);
        file.check().unwrap_err().to_string()
    };
    assert!(wrong(|file| file.reference = "nothing".into()).contains("'nothing'"));
    assert!(wrong(|file| file.first_seeds = vec![2]).contains("seed 2"));
    assert!(wrong(|file| file.modes.push(Mode::Dfa)).contains("its own name"));
    assert!(wrong(|file| file.seeds.clear()).contains("seeds"));
    let odd = wrong(|file| file.pairs = vec![["dfa".into(), "dff".into()]]);
    assert!(odd.contains("'dff'"), "{odd}");
    assert!(wrong(|file| file.arms[0].name = "colour".into()).contains("floor"));
    assert!(wrong(|file| file.run.steps = 0).contains("steps"));
}

/// Every settings file that ships is one that the program takes.
#[test]
fn the_files_that_ship_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let own = ["roles", "starvation", "kidney", "cortex"].map(|name| format!("dfa-{name}"));
    let yours = ["bcss", "crag", "bdsa"].map(|name| format!("{name}-bench"));
    for name in own.iter().chain(&yours) {
        let path = format!("docs/experiments/{name}.toml");
        let file: BenchFile = toml::from_str(&text(&path)).unwrap();
        file.check().unwrap();
        for block in 0..4 {
            file.data_of(block).unwrap().crops.validate().unwrap();
        }
    }
    for path in [
        "docs/experiments/bcss.toml",
        "docs/experiments/crag.toml",
        "docs/experiments/bdsa.toml",
        "assets/decoder-brain.toml",
        "assets/decoder-breast.toml",
    ] {
        let file: TrainFile = toml::from_str(&text(path)).unwrap();
        file.run.check().unwrap();
        file.data.crops.validate().unwrap();
    }
}

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const CLASSES: [&str; 4] = ["grey", "white", "meninges", "superficial"];

fn key(mode: &str, seed: u64, rotation: usize) -> RunKey {
    RunKey {
        mode: mode.to_owned(),
        seed,
        rotation,
    }
}

/// Frequency and difficulty of a role.
fn knobs(role: Role) -> (f64, f64) {
    match role {
        Role::RareEasy => (0.03, 0.12),
        Role::RareHard => (0.03, 0.45),
        Role::CommonEasy => (0.47, 0.08),
        Role::CommonHard => (0.47, 0.31),
    }
}

/// A run that is known: Dice 1 − difficulty plus what seed, rotation and mode add; a learned bias
/// that follows difficulty alone.
fn run(key: RunKey, gain: f64) -> RunResult {
    let mut rng = ChaCha8Rng::seed_from_u64(key.seed * 8 + key.rotation as u64);
    let mut noise = || 0.02 * (rng.random::<f64>() - 0.5);
    let common = noise();
    let has_bias = key.mode != "none";
    let class = |(n, name): (usize, &&str)| {
        let role = role_of(n, key.rotation);
        let (frequency, difficulty) = knobs(role);
        let own = noise();
        let learned = 2.0 * (difficulty - 0.24) + 3.0 * own;
        ClassRun {
            class: (*name).to_owned(),
            role: Some(role),
            frequency,
            difficulty: Some(difficulty),
            dice: Some(1.0 - difficulty + common + gain),
            bias: has_bias.then_some(BiasFigures {
                learned,
                change: learned + 0.1 * frequency,
                effective_offset: Some(0.5 * learned),
                attention_share: Some(0.25),
            }),
        }
    };
    let classes: Vec<ClassRun> = CLASSES.iter().enumerate().map(class).collect();
    let dice: Vec<f64> = classes.iter().filter_map(|class| class.dice).collect();
    RunResult {
        key,
        settings: "sha256:22".to_owned(),
        program: "parfocal 0".to_owned(),
        seconds: 60.0,
        setting: has_bias.then_some(0.5),
        macro_dice: dice.iter().sum::<f64>() / dice.len() as f64,
        classes,
    }
}

fn example() -> Vec<RunResult> {
    let gains = [
        ("none", 0.0),
        ("dfa", 0.01),
        ("difficulty", 0.012),
        ("zebra", -0.02),
    ];
    let mut results = Vec::new();
    for (mode, gain) in gains {
        for seed in 1..=5 {
            let wobble = if mode == "none" {
                0.0
            } else {
                0.002 * (seed as f64 - 3.0)
            };
            results.extend((0..4).map(|rotation| run(key(mode, seed, rotation), gain + wobble)));
        }
    }
    results
}

#[test]
fn differences_are_paired_by_seed_and_modes_stand_in_their_order() {
    let table = BenchTable::of(&example(), "none", &[]).unwrap();
    let names: Vec<&str> = table.modes.iter().map(|mode| mode.mode.as_str()).collect();
    assert_eq!(names, ["none", "difficulty", "dfa", "zebra"]);
    let dfa = &table.modes[2];
    let difference = dfa.difference.as_ref().unwrap();
    // Gains of 0.006, 0.008 … 0.014: mean 0.01, deviation 0.002 √2.5, t of 4 degrees.
    assert!((difference.mean - 0.01).abs() < 1e-12);
    let half = 2.776_445 * 0.002 * 2.5_f64.sqrt() / 5_f64.sqrt();
    let (low, high) = difference.interval.unwrap();
    assert!((low - (0.01 - half)).abs() < 1e-8 && (high - (0.01 + half)).abs() < 1e-8);
    let (low_of_all, _) = dfa.difference_of_all.as_ref().unwrap().interval.unwrap();
    assert!(low_of_all < low);
    assert_eq!(table.modes[0].difference, None, "the reference itself");
    let spread = dfa.macro_dice.as_ref().unwrap().interval.unwrap();
    assert!(
        spread.1 - spread.0 > high - low,
        "pairing takes the seeds' noise out"
    );
}

#[test]
fn roles_are_averaged_over_the_classes_that_had_them() {
    let table = BenchTable::of(&example(), "none", &[]).unwrap();
    let none = &table.modes[0];
    assert_eq!((none.roles.len(), none.classes.len()), (4, 4));
    for (role, row) in Role::ALL.iter().zip(&none.roles) {
        assert_eq!(row.name, role.name());
        let mean = row.dice.as_ref().unwrap().mean;
        assert!(
            (mean - (1.0 - knobs(*role).1)).abs() < 0.01,
            "{}: {mean}",
            row.name
        );
    }
    // A class had every role: the mean of all.
    for class in &none.classes {
        assert!((class.dice.as_ref().unwrap().mean - 0.76).abs() < 0.01);
    }
}

#[test]
fn the_bias_is_seen_to_follow_difficulty_and_not_frequency() {
    let table = BenchTable::of(&example(), "none", &[]).unwrap();
    assert!(table.modes[0].correlations.is_empty() && table.modes[0].points.is_empty());
    let found = |of: &str, with: &str| {
        let mut rows = table.modes[2].correlations.iter();
        rows.find(|row| row.of == of && row.with == with).unwrap()
    };
    let difficulty = found("b at the end", "difficulty");
    assert_eq!(difficulty.points, 16);
    assert!(difficulty.pearson.as_ref().unwrap().mean > 0.9);
    let (low, high) = difficulty.pearson.as_ref().unwrap().interval.unwrap();
    assert!(low > 0.8 && high <= 1.0);
    assert!(difficulty.partial.as_ref().unwrap().mean > 0.9);
    let frequency = found("effective offset", "ln frequency");
    assert!(frequency.partial.as_ref().unwrap().mean.abs() < 0.4);
}

#[test]
fn seeds_without_all_rotations_are_left_out_and_named() {
    let mut results = example();
    results.retain(|run| run.key != key("dfa", 4, 2));
    let table = BenchTable::of(&results, "none", &[]).unwrap();
    assert_eq!(table.modes[2].seeds, [1, 2, 3, 5]);
    assert_eq!(table.modes[2].difference.as_ref().unwrap().values.len(), 4);
    assert_eq!(table.left_out["dfa"], [4]);
    assert!(to_markdown(&table, &[]).contains("`dfa`, seeds 4"));
}

#[test]
fn what_makes_no_table_is_refused() {
    let refused = |results: &[RunResult]| {
        BenchTable::of(results, "none", &[])
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&[]).contains("no result"));
    assert!(refused(&[run(key("dfa", 1, 0), 0.0)]).contains("reference `none`"));
    let mut mixed = vec![run(key("none", 1, 0), 0.0), run(key("dfa", 1, 0), 0.0)];
    mixed[1].settings = "sha256:33".to_owned();
    assert!(refused(&mixed).contains("mode dfa, seed 1 has other settings"));
}

#[test]
fn difficulty_is_measured_rotation_by_rotation() {
    let runs: Vec<RunResult> = (0..4).map(|n| run(key("none", 9, n), 0.0)).collect();
    let found = measured_difficulty(&runs, "grey", 1).unwrap();
    assert!((found - knobs(role_of(0, 1)).1).abs() < 0.02);
    assert_eq!(measured_difficulty(&runs, "grey", 7), None);
}

#[test]
fn finished_runs_are_found_again_and_not_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let open = |settings: &str| ResultFolder::open(folder.path(), settings).unwrap();
    let results = open("sha256:22");
    let wanted = [key("dfa", 1, 0), key("none", 1, 0), key("dfa", 2, 0)];
    assert_eq!(results.missing(&wanted).unwrap(), wanted);
    for key in &wanted[..2] {
        results.keep(&run(key.clone(), 0.0)).unwrap();
    }
    std::fs::write(folder.path().join("half.json.part"), "{").unwrap();
    assert_eq!(results.missing(&wanted).unwrap(), wanted[2..]);
    let found = results.results().unwrap();
    let keys: Vec<RunKey> = found.iter().map(|run| run.key.clone()).collect();
    assert_eq!(keys, wanted[..2]);
    let kept = run(wanted[0].clone(), 0.0);
    assert!((found[0].macro_dice - kept.macro_dice).abs() < 1e-12);
    let error = open("sha256:33").results().unwrap_err().to_string();
    assert!(
        error.contains("dfa.seed-1.rotation-0.json") && error.contains("sha256:22"),
        "{error}"
    );
}

#[test]
fn files_that_are_no_results_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let results = ResultFolder::open(folder.path(), "sha256:22").unwrap();
    assert!(matches!(
        results.missing(&[key("../x", 1, 0)]),
        Err(BenchError::Mode(_))
    ));
    results.keep(&run(key("dfa", 1, 0), 0.0)).unwrap();
    let path = folder.path().join("dfa.seed-1.rotation-0.json");
    std::fs::rename(&path, folder.path().join("dfa.seed-2.rotation-0.json")).unwrap();
    let error = results.results().unwrap_err().to_string();
    assert!(
        error.contains("dfa.seed-2") && error.contains("seed 1"),
        "{error}"
    );
    std::fs::write(&path, "{}").unwrap();
    let error = results
        .missing(&[key("dfa", 1, 0)])
        .unwrap_err()
        .to_string();
    assert!(error.contains("no result of a run"), "{error}");
}

#[test]
fn the_files_of_a_table_say_what_it_holds() {
    let table = BenchTable::of(&example(), "none", &[]).unwrap();
    let files = table_files(&table).unwrap();
    if let Some(folder) = std::env::var_os("PARFOCAL_KEEP_REPORTS") {
        for (name, text) in &files {
            std::fs::write(std::path::Path::new(&folder).join(name), text).unwrap();
        }
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["bench.md", "bench.json", "bench-dice.svg", "bench-bias.svg"]
    );
    assert!(files[0].1.contains("| dfa | 5 | ") && files[0].1.contains("1.0 (0.6 to 1.4)"));
    let back: BenchTable = serde_json::from_str(&files[1].1).unwrap();
    assert_eq!(back.modes.len(), table.modes.len());
    let alone = [run(key("none", 1, 0), 0.0), run(key("zebra", 1, 0), 0.1)];
    let table = BenchTable::of(&alone, "none", &[]).unwrap();
    assert!(to_markdown(&table, &[]).contains("(one seed)"));
    assert!(table_files(&table).is_ok());
}

#[test]
fn pairs_are_differenced_by_seed_and_colour_stands_apart() {
    let mut results = example();
    let colours = (0..4).map(|rotation| run(key(COLOUR, 0, rotation), -0.3));
    results.extend(colours);
    let pairs = [["dfa".to_owned(), "difficulty".to_owned()]];
    let table = BenchTable::of(&results, "none", &pairs).unwrap();
    let pair = &table.pairs[0];
    // Gains of 0.01 and 0.012 with the same wobble.
    let difference = pair.macro_dice.as_ref().unwrap();
    assert!((difference.mean + 0.002).abs() < 1e-12, "{difference:?}");
    assert_eq!(difference.values.len(), 5);
    assert_eq!((pair.classes.len(), pair.roles.len()), (4, 4));
    let colour = table.modes.last().unwrap();
    assert_eq!(
        (colour.mode.as_str(), colour.difference.as_ref()),
        (COLOUR, None)
    );
    let without = BenchTable::of(&example(), "none", &[]).unwrap();
    assert_eq!(
        table.modes[2].difference_of_all, without.modes[2].difference_of_all,
        "it is no comparison"
    );
    let text = to_markdown(&table, &[]);
    assert!(
        text.contains("| dfa − difficulty | −0.2 (−0.2 to −0.2) |"),
        "{text}"
    );
    let row = text
        .lines()
        .find(|line| line.starts_with("| colour |"))
        .unwrap();
    assert!(!row.contains("seed") && row.contains("| – |"), "{row}");
    let dice = colour.classes[0].dice.as_ref().unwrap().mean;
    let iou = colour.classes[0].iou.as_ref().unwrap().mean;
    assert!(iou > 0.0 && iou < dice);
}

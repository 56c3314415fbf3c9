//! What is kept stays kept: through the end of a program, damage, newer files and company.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::geometry::{Mpp, SlidePoint, SlideRect};
use crate::slide::SlideHash;

/// Where the program that is to be killed writes; set for that one alone.
const CHILD: &str = "PARFOCAL_TEST_STORE";
/// What it writes, of [`KINDS`].
const CHILD_KIND: &str = "PARFOCAL_TEST_STORE_KIND";

fn hash(name: &str) -> SlideHash {
    SlideHash(format!("sha256:{name}"))
}

fn stroke(n: u32) -> StrokeRecord {
    let point = |x: u32| SlidePoint::new(f64::from(n) + 0.1, f64::from(x) / 3.0);
    StrokeRecord {
        id: RecordId::random(),
        stroke: Stroke {
            class: format!("class {}", n % 3),
            radius_px: 12.5,
            points: (0..n % 50 + 1).map(point).collect(),
        },
        model_hash: "sha256:m".to_owned(),
        created_ms: i64::from(n),
    }
}

fn verdict(note: &str) -> Verdict {
    Verdict {
        id: RecordId::random(),
        region: SlideRect::new(SlidePoint::new(-1.5, 2.0), SlidePoint::new(1e5, 2e5 + 0.1)),
        area_px: 1234.5,
        kind: "agreement".to_owned(),
        score: 0.125,
        said: Box::new(["40x", "10x"].map(|map| Said {
            map: map.to_owned(),
            class: format!("class at {map}"),
        })),
        decision: Some(Decision::Flag),
        note: note.to_owned(),
        model_hash: "sha256:m".to_owned(),
        magnifications: (10.0, 40.0),
        created_ms: now_ms(),
    }
}

fn preset(name: &str, bias: &str) -> Preset {
    Preset {
        name: name.to_owned(),
        model_hash: "sha256:m".to_owned(),
        bias: bias.to_owned(),
        note: "H&E, GT450".to_owned(),
        created_ms: 3,
    }
}

fn load(store: &Store, slide: &str) -> SlideRecords {
    store.load(hash(slide)).recv().unwrap().unwrap()
}

#[test]
fn all_kinds_come_back_as_they_were_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("new/folder")).unwrap();
    let (strokes, mut first) = ([stroke(1), stroke(2), stroke(3)], verdict("look: ≤ 3 µm"));
    for record in &strokes {
        store.put(Change::Stroke(hash("a"), record.clone()));
    }
    store.put(Change::Stroke(hash("b"), stroke(9)));
    store.put(Change::EraseStroke(strokes[0].id));
    store.put(Change::EraseStroke(strokes[1].id));
    store.put(Change::Stroke(hash("a"), strokes[1].clone()));
    store.put(Change::Verdict(hash("a"), first.clone()));
    let second = verdict("");
    store.put(Change::Verdict(hash("a"), second.clone()));
    store.put(Change::RemoveVerdict(second.id));
    first.decision = Some(Decision::Accept);
    store.put(Change::Verdict(hash("a"), first.clone()));
    store.put(Change::Scale(hash("a"), Mpp::new(0.25, 0.26)));
    store.put(Change::Scale(hash("b"), Mpp::square(0.5)));
    store.put(Change::Scale(hash("b"), None));
    store.put(Change::Preset(preset("pale", "{}")));
    store.put(Change::Preset(preset("pale", "{\"total\": [1]}")));
    store.put(Change::Preset(preset("gone", "{}")));
    store.put(Change::RemovePreset(
        "sha256:m".to_owned(),
        "gone".to_owned(),
    ));
    drop(store);
    let store = Store::open(&folder.path().join("new/folder")).unwrap();
    let expected = SlideRecords {
        scale: Mpp::new(0.25, 0.26),
        strokes: strokes[1..].to_vec(),
        verdicts: vec![first],
    };
    assert_eq!(load(&store, "a"), expected);
    let other = load(&store, "b");
    assert_eq!((other.scale, other.strokes.len()), (None, 1));
    assert_eq!(load(&store, "c"), SlideRecords::default());
    let presets = store.presets().recv().unwrap().unwrap();
    assert_eq!(presets, [preset("pale", "{\"total\": [1]}")]);
    assert_eq!(store.take_event(), None);
}

#[test]
fn a_change_that_can_not_be_is_told_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut broken = stroke(1);
    broken.stroke.radius_px = f64::NAN;
    store.put(Change::Stroke(hash("a"), broken));
    store.put(Change::Stroke(hash("a"), stroke(2)));
    assert!(store.flush());
    let Some(StoreEvent::Failed(error)) = store.take_event() else {
        unreachable!("nothing was told")
    };
    let words = error.to_string();
    assert!(
        words.contains("annotations.sqlite: a stroke is not stored: "),
        "{words}"
    );
    assert_eq!(store.take_event(), None);
    assert_eq!(load(&store, "a").strokes.len(), 1);
}

#[test]
fn a_newer_file_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.put(Change::Stroke(hash("a"), stroke(1)));
    let path = store.path().to_owned();
    drop(store);
    let file = Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let before = std::fs::read(&path).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let answer = store.load(hash("a")).recv().unwrap();
    let words = answer.unwrap_err().to_string();
    assert!(
        words.contains("newer version of this program (format 99, this one knows 2)"),
        "{words}"
    );
    store.put(Change::Stroke(hash("a"), stroke(2)));
    assert!(!store.flush());
    let told = std::iter::from_fn(|| store.take_event()).count();
    assert_eq!(told, 2, "at the start, and for what was not stored");
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// A file as the first version made it: its verdicts are taken over, and notes alone are kept.
#[test]
fn verdicts_of_the_first_format_are_taken_over_and_a_note_alone_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(folder.path().join("annotations.sqlite")).unwrap();
    file.execute_batch(schema::STEPS[0]).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    file.execute_batch(
        "INSERT INTO slides (hash) VALUES ('sha256:a');
        INSERT INTO verdicts VALUES (3, x'00112233445566778899aabbccddeeff', 'sha256:a',
            1.5, 2.0, 30.0, 40.5, 9.0, 'agreement', 7.5, 'accept', 'rim', 'm', 40.0, 10.0, 11),
            (8, x'10112233445566778899aabbccddeeff', 'sha256:a',
            1.0, 2.0, 30.0, 40.0, 9.0, 'mask', 7.5, 'flag', '', 'm', 10.0, 10.0, 12);",
    )
    .unwrap();
    drop(file);
    let store = Store::open(folder.path()).unwrap();
    let verdicts = load(&store, "a").verdicts;
    let expected = Verdict {
        id: RecordId([
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ]),
        region: SlideRect::new(SlidePoint::new(1.5, 2.0), SlidePoint::new(30.0, 40.5)),
        area_px: 9.0,
        kind: "agreement".to_owned(),
        score: 7.5,
        said: Default::default(),
        decision: Some(Decision::Accept),
        note: "rim".to_owned(),
        model_hash: "m".to_owned(),
        magnifications: (40.0, 10.0),
        created_ms: 11,
    };
    assert_eq!(verdicts[0], expected);
    assert_eq!(verdicts[1].decision, Some(Decision::Flag));
    let note = Verdict {
        decision: None,
        ..verdict("only this")
    };
    store.put(Change::Verdict(hash("a"), note.clone()));
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(load(&store, "a").verdicts[2], note);
    assert_eq!(store.take_event(), None);
}

#[test]
fn a_damaged_file_is_kept_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| *bytes = b"this is no database at all, but someone's shopping list".to_vec(),
        |bytes| bytes[100..4000].fill(0xa5),
        |bytes| bytes.truncate(bytes.len() / 2 + 100),
    ];
    for (n, damage) in (1..).zip(damages) {
        let store = Store::open(folder.path()).unwrap();
        (0..200).for_each(|n| store.put(Change::Stroke(hash("a"), stroke(n))));
        let path = store.path().to_owned();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(store.flush());
        let aside = folder
            .path()
            .join(format!("annotations.damaged-{n}.sqlite"));
        assert_eq!(
            store.take_event(),
            Some(StoreEvent::SetAside(aside.clone()))
        );
        assert_eq!(std::fs::read(aside).unwrap(), bytes);
        assert_eq!(load(&store, "a").strokes.len(), 0);
        store.put(Change::Stroke(hash("a"), stroke(1)));
        drop(store);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_folder_that_can_not_be_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let store = Store::open(&blocked.join("below")).unwrap();
    store.put(Change::Stroke(hash("a"), stroke(1)));
    assert!(!store.flush());
    let Some(StoreEvent::Failed(error)) = store.take_event() else {
        unreachable!("nothing was told")
    };
    assert!(
        error.to_string().contains("the folder can't be made"),
        "{error}"
    );
}

#[test]
fn two_programs_on_one_file_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [0, 1].map(|_| Store::open(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for (n, store) in stores.iter().enumerate() {
            let slide = hash(["a", "b"][n]);
            scope.spawn(move || {
                (0..100).for_each(|n| store.put(Change::Stroke(slide.clone(), stroke(n))));
                assert!(store.flush());
            });
        }
    });
    // Held by a third for a while.
    let other = Connection::open(stores[0].path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    stores[0].put(Change::Stroke(hash("a"), stroke(100)));
    std::thread::sleep(Duration::from_millis(300));
    other.execute_batch("ROLLBACK").unwrap();
    for (store, slide) in stores.iter().zip(["a", "b"]) {
        assert!(store.flush());
        assert_eq!(
            load(store, slide).strokes.len(),
            if slide == "a" { 101 } else { 100 }
        );
        assert_eq!(store.take_event(), None);
    }
    assert_eq!(load(&stores[1], "a"), load(&stores[0], "a"));
}

/// What a program is killed in the middle of writing.
const KINDS: [&str; 4] = ["stroke", "verdict", "preset", "scale"];

/// Puts change number `n` of a kind and gives what it is found by. A verdict is given and then
/// changed: the second has to be there.
fn put_one(store: &Store, kind: &str, n: u32) -> String {
    let change = match kind {
        "stroke" => Change::Stroke(hash("a"), stroke(n)),
        "verdict" => {
            let first = verdict("first");
            store.put(Change::Verdict(hash("a"), first.clone()));
            let note = "changed".to_owned();
            Change::Verdict(hash("a"), Verdict { note, ..first })
        }
        "preset" => Change::Preset(preset(&RecordId::random().to_string(), "{\"dial\":1.5}")),
        _ => {
            let slide = SlideHash(RecordId::random().to_string());
            Change::Scale(slide, Mpp::new(0.25, 0.5))
        }
    };
    let found_by = match &change {
        Change::Stroke(_, stroke) => stroke.id.to_string(),
        Change::Verdict(_, verdict) => verdict.id.to_string(),
        Change::Preset(preset) => preset.name.clone(),
        Change::Scale(slide, _) => slide.0.clone(),
        other => panic!("{other:?} is not put here"),
    };
    store.put(change);
    found_by
}

/// What the file has of a kind, whole. Of scales those of the slides in `told`.
fn found(store: &Store, kind: &str, told: &[String]) -> Vec<String> {
    let records = load(store, "a");
    match kind {
        "stroke" => {
            let whole = |s: &StrokeRecord| s.stroke.points.len() as i64 == s.created_ms % 50 + 1;
            assert!(records.strokes.iter().all(whole));
            let ids = records.strokes.iter();
            ids.map(|stroke| stroke.id.to_string()).collect()
        }
        "verdict" => {
            let meant = |v: &Verdict| Verdict {
                id: v.id,
                created_ms: v.created_ms,
                ..verdict(&v.note)
            };
            assert!(records.verdicts.iter().all(|v| *v == meant(v)));
            // The one in hand may not be changed yet.
            let changed = records.verdicts.iter().filter(|v| v.note == "changed");
            changed.map(|verdict| verdict.id.to_string()).collect()
        }
        "preset" => {
            let presets = store.presets().recv().unwrap().unwrap();
            let meant = |p: &Preset| preset(&p.name, "{\"dial\":1.5}");
            assert!(presets.iter().all(|preset| *preset == meant(preset)));
            presets.into_iter().map(|preset| preset.name).collect()
        }
        _ => {
            let scale = |slide: &&String| {
                let records = store.load(SlideHash((*slide).clone()));
                records.recv().unwrap().unwrap().scale
            };
            let kept = told
                .iter()
                .filter(|slide| scale(slide) == Mpp::new(0.25, 0.5));
            kept.cloned().collect()
        }
    }
}

/// Not a test of its own: what [`nothing_that_was_stored_is_lost_when_the_program_is_killed`]
/// runs and kills. Tells each change once it is stored.
#[test]
fn program_that_is_killed() {
    let (Some(folder), Ok(kind)) = (std::env::var_os(CHILD), std::env::var(CHILD_KIND)) else {
        return;
    };
    let store = Store::open(Path::new(&folder)).unwrap();
    for n in 0.. {
        let found_by = put_one(&store, &kind, n);
        assert!(store.flush());
        println!("stored {found_by}");
    }
}

/// Runs and kills the program a few times; gives what it told that it had stored.
fn killed(folder: &Path, kind: &str, rounds: u64) -> Vec<String> {
    let this = module_path!().split_once("::").unwrap().1;
    let mut told: Vec<String> = Vec::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &format!("{this}::program_that_is_killed"),
                "--nocapture",
            ])
            .env(CHILD, folder)
            .env(CHILD_KIND, kind)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stored = || {
            let line = lines
                .by_ref()
                .find(|line| line.as_ref().is_ok_and(|line| line.contains("stored ")))?;
            line.unwrap()
                .split_once("stored ")
                .map(|(_, id)| id.to_owned())
        };
        told.extend(stored());
        // Somewhere within the next few writes; on Unix this is SIGKILL.
        std::thread::sleep(Duration::from_micros(round * round * 733));
        child.kill().unwrap();
        child.wait().unwrap();
        // A line may be cut off.
        told.extend(std::iter::from_fn(stored).filter(|id| id.len() == 36));
    }
    told
}

#[test]
fn nothing_that_was_stored_is_lost_when_the_program_is_killed() {
    const ROUNDS: u64 = 8;
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let told = killed(folder.path(), kind, ROUNDS);
        assert!(told.len() as u64 >= ROUNDS, "{kind}: {} told", told.len());
        let store = Store::open(folder.path()).unwrap();
        let found = found(&store, kind, &told);
        assert_eq!(store.take_event(), None, "the file is sound");
        for id in &told {
            assert!(found.contains(id), "{kind} {id} was stored and is gone");
        }
        // The one in hand may be there without having been told, no more.
        let most = told.len() as u64 + ROUNDS;
        assert!(found.len() as u64 <= most, "{kind}: {}", found.len());
        eprintln!("{kind}: {} told, {} found", told.len(), found.len());
    }
}

//! Damaged and hostile files: each gives a clear error or a slide with unreadable parts, without a
//! panic, a crash, a hang or a gigabyte of memory.
//!
//! A C library can take the whole process with it, so the files are opened in a child process:
//! this binary again, which runs the one ignored test on a list of files. The parent notices a
//! crash or a hang, names the guilty file and goes on with the next.

mod damage;
mod shared_data;

use std::io::Write;
use std::path::Path;

use damage::{Damage, Job, MAX_TILES_A_LEVEL, Seeded, Tally, survive};
use parfocal::geometry::LevelRegion;
use parfocal::slide::open;

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    damage::child::run();
}

#[test]
fn a_crash_is_noticed_and_its_file_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, b"not a slide at all").unwrap();
    let mut jobs = vec![Job::intact(path); 3];
    jobs[1].damage = Damage::Abort;
    let noticed = std::panic::catch_unwind(|| survive("an abort on purpose", &jobs)).unwrap_err();
    let message = noticed.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("crashed") && message.contains("text.txt"),
        "{message}"
    );
    assert_eq!(
        message.matches("Abort").count(),
        1,
        "only the second file: {message}"
    );
}

// ---- the files ----

/// Hours of the above, for a new version of OpenSlide: `PARFOCAL_SOAK_FILES` copies of every small
/// real slide, from seed `PARFOCAL_SOAK_SEED` on.
#[test]
#[ignore = "takes as long as one likes"]
fn soak() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let Some(count) = number("PARFOCAL_SOAK_FILES") else {
        return;
    };
    let Some(folder) = shared_data::file("slides") else {
        return;
    };
    let first = number("PARFOCAL_SOAK_SEED").unwrap_or(0);
    for part in [
        "openslide_fixtures",
        "openslide_fixtures/dicom_boxes",
        "odd_tiff",
        "dicom_jpeg",
    ] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let job = |seed| Job {
                path: path.clone(),
                damage: Damage::Scramble { seed },
                max_tiles: 4,
            };
            if path.is_file() {
                let jobs: Vec<Job> = (first..first + count).map(job).collect();
                survive(&path.display().to_string(), &jobs);
            }
        }
    }
}

#[test]
fn files_that_others_found_broken() {
    let Some(folder) = shared_data::file("broken") else {
        return;
    };
    let mut jobs = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            jobs.push(Job::intact(path));
        }
    }
    assert!(jobs.len() > 70, "only {} files", jobs.len());
    let tally = survive("broken files", &jobs);
    let pointers = tally
        .refused
        .iter()
        .filter(|error| error.contains("git lfs pull"))
        .count();
    assert_eq!(pointers, 2);
    assert_eq!(tally.opened, 1, "unreadable.svs alone opens");
    assert_eq!(tally.with_unreadable_parts, 1);
}

#[test]
fn a_slide_that_is_cut_off() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    let cut = |i: usize| Damage::Cut {
        bytes: (length - 1) * i / 31,
    };
    let jobs: Vec<Job> = (0..32)
        .map(|i| Job {
            path: path.clone(),
            damage: cut(i),
            max_tiles: MAX_TILES_A_LEVEL,
        })
        .collect();
    let tally = survive("prefixes", &jobs);
    // All but the last byte is a slide still.
    assert!(tally.opened >= 1 && tally.refused.len() >= 16);
}

#[test]
fn the_tile_that_a_flipped_bit_is_in_is_found() {
    let content = shared_data::tiled_tiff(&[(80, 48), (40, 24)], 32);
    let tile_bytes = 32 * 32 * 3;
    let found = |byte| shared_data::tile_around(&content, byte);
    // Behind the header lie the first level's tiles, three a row.
    assert_eq!(found(4), None);
    assert_eq!(found(8), Some((0, (0, 0), 32)));
    assert_eq!(found(8 + 5 * tile_bytes - 1), Some((0, (32, 32), 32)));
    let second = (8..content.len()).find_map(|byte| found(byte).filter(|tile| tile.0 == 1));
    assert_eq!(second, Some((1, (0, 0), 32)));
}

/// Half of them anywhere, half in the directories and their tables, which are 1 % of the file.
fn flips(path: &Path, seed: u64, count: usize) -> Vec<Job> {
    let content = std::fs::read(path).unwrap();
    let structure: Vec<usize> = shared_data::tiff_structure(&content)
        .into_iter()
        .flatten()
        .collect();
    let mut random = Seeded(seed);
    let flip = |i: usize| {
        let anywhere = random.below(content.len());
        let within = structure[random.below(structure.len())];
        let byte = if i.is_multiple_of(2) {
            anywhere
        } else {
            within
        };
        let damage = Damage::Flip {
            byte,
            bit: random.below(8),
        };
        Job {
            path: path.to_owned(),
            damage,
            max_tiles: 2,
        }
    };
    (0..count).map(flip).collect()
}

/// A bit among the px hides no slide: were all refused, nothing would have been tested.
fn opens_mostly(tally: &Tally) {
    assert!(tally.opened >= 125, "{} of 250 opened", tally.opened);
}

#[test]
fn a_slide_with_a_flipped_bit() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    opens_mostly(&survive("flipped bits, 1", &flips(&path, 1, 250)));
}

#[test]
fn a_slide_with_another_flipped_bit() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    opens_mostly(&survive("flipped bits, 2", &flips(&path, 2, 250)));
}

#[test]
fn every_bit_of_a_small_tiffs_structure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.tiff");
    let content = shared_data::tiled_tiff(&[(80, 48), (40, 24)], 32);
    std::fs::write(&path, &content).unwrap();
    let bytes = shared_data::tiff_structure(&content).into_iter().flatten();
    let bits = bytes.flat_map(|byte| (0..8).map(move |bit| Damage::Flip { byte, bit }));
    let jobs: Vec<Job> = bits
        .map(|damage| Job {
            path: path.clone(),
            damage,
            max_tiles: 4,
        })
        .collect();
    let tally = survive("every bit", &jobs);
    assert!(
        tally.opened > 100 && tally.refused.len() > 100,
        "{} opened",
        tally.opened
    );
}

/// OpenSlide asks for the memory of a tile and ends the process when there is none.
#[test]
fn a_tile_larger_than_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge tiles.tiff");
    std::fs::write(&path, shared_data::tiff_with_a_huge_tile()).unwrap();
    let tally = survive("huge tiles", &[Job::intact(path.clone())]);
    assert_eq!((tally.opened, tally.with_unreadable_parts), (1, 1));
    let tile = LevelRegion {
        x: 0,
        y: 0,
        width: 64,
        height: 64,
    };
    let error = open(&path)
        .unwrap()
        .read_region(0, tile)
        .unwrap_err()
        .to_string();
    assert!(error.contains("tiles of 1048576 x 1048576 px"), "{error}");
}

#[test]
fn files_that_are_no_slides() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.svs"), b"").unwrap();
    std::fs::write(path("text.svs"), b"not a slide at all").unwrap();
    std::fs::write(path("huge.png"), huge_png(60_000)).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    let reasons = [
        ("empty.svs", "the file is empty (0 bytes)"),
        ("text.svs", "OpenSlide does not recognise the content"),
        ("huge.png", "60000 x 60000 px, more than the 100000000 px"),
        ("folder", "a folder without DICOM files"),
        ("missing.svs", "there is no such file"),
    ];
    let jobs: Vec<Job> = reasons
        .iter()
        .map(|(name, _)| Job::intact(path(name)))
        .collect();
    let tally = survive("no slides", &jobs);
    for ((name, reason), error) in reasons.iter().zip(&tally.refused) {
        assert!(
            error.contains(name) && error.contains(reason),
            "{name}: {error}"
        );
    }
    assert_eq!(tally.refused.len(), reasons.len());
    assert!(
        tally.peak_kib < 100 << 10,
        "{} KiB for a picture of 2 KB",
        tally.peak_kib
    );
}

#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.svs");
    std::fs::write(&path, b"anything").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        // This user may read everything: ask as one who may not.
        refuses_as_nobody(folder.path(), &path);
        return;
    }
    let error = open(&path).err().unwrap().to_string();
    assert!(error.contains("no permission"), "{error}");
}

#[cfg(unix)]
fn refuses_as_nobody(folder: &Path, secret: &Path) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, all).unwrap();
    // Where the program was built, others may not look.
    let program = folder.join("parfocal");
    std::fs::copy(env!("CARGO_BIN_EXE_parfocal"), &program).unwrap();
    let run = |arguments: &[&Path]| {
        let mut command = std::process::Command::new(&program);
        command
            .args(arguments)
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY);
        command.output().unwrap()
    };
    if !run(&[Path::new("--version")]).status.success() {
        shared_data::say_skipped("OpenSlide lies where only this user may read");
        return;
    }
    let refused = run(&[Path::new("info"), secret]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(
        words.contains("no permission") && words.contains("secret.svs"),
        "{words}"
    );
}

/// A PNG of about 2 KB that claims to be `side` px wide and high.
fn huge_png(side: u32) -> Vec<u8> {
    let mut header = [side.to_be_bytes(), side.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let mut zeros = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zeros.write_all(&vec![0; 2 << 20]).unwrap();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header),
        (b"IDAT", zeros.finish().unwrap()),
        (b"IEND", vec![]),
    ] {
        file.extend((data.len() as u32).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend(kind);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

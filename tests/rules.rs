//! Rules of the source itself: what may use what, what may not be written, shaders that compile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which rooms each room may use. `main.rs` and `lib.rs` tie them together.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("files", &[]),
    ("geometry", &[]),
    ("slide", &["files", "geometry"]),
    ("tiles", &["geometry", "slide"]),
    ("labels", &["files", "geometry", "slide"]),
    ("annotate", &["files", "geometry", "slide", "labels"]),
    ("gpu", &["geometry", "slide", "tiles", "labels"]),
    ("model", &["files"]),
    (
        "segment",
        &["files", "geometry", "slide", "labels", "model"],
    ),
    ("learn", &["files", "geometry", "slide", "model"]),
    (
        "jobs",
        &[
            "geometry", "slide", "labels", "annotate", "gpu", "model", "segment", "learn",
        ],
    ),
    (
        "app",
        &[
            "files", "geometry", "slide", "labels", "annotate", "tiles", "gpu", "model", "segment",
            "jobs",
        ],
    ),
    (
        "cli",
        &[
            "files", "geometry", "slide", "labels", "annotate", "tiles", "gpu", "model", "segment",
            "learn", "jobs", "app",
        ],
    ),
];

/// Which files may name a crate: a path begins with one of these.
const CRATE_OWNERS: [(&str, &[&str]); 7] = [
    // Of gpu: what makes tensors buffers.
    (
        "burn",
        &["model/", "learn/", "jobs/", "cli/", "gpu/tensor_buffer.rs"],
    ),
    ("burn_cubecl", &["gpu/tensor_buffer.rs"]),
    ("egui", &["app/"]),
    ("eframe", &["app/"]),
    ("egui_wgpu", &["app/"]),
    // Of the app: what hands the window's device on, the viewport, and its twin without a window.
    (
        "wgpu",
        &[
            "gpu/",
            "app/mod.rs",
            "app/run.rs",
            "app/viewport",
            "app/off_screen.rs",
        ],
    ),
    ("openslide_rs", &["slide/openslide.rs"]),
];

const MOST_LINES: usize = 700;

struct Source {
    /// Path below `src`, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The file without its unit tests and without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let program = self
            .text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or("");
        let lines = program.lines().enumerate();
        lines.map(|(index, line)| (index + 1, line.split("//").next().unwrap_or("")))
    }

    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or("");
        first.trim_end_matches(".rs")
    }
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| Source {
        path: path
            .strip_prefix(&src)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/"),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    let sources: Vec<Source> = files_below(&src, "rs").into_iter().map(read).collect();
    assert!(
        sources.len() > 20,
        "the sources are not where they are looked for"
    );
    sources
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Words that follow `before` in `line`.
fn names_after<'a>(line: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    line.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Whether `line` uses the crate `name`: as a path or in a `use`, not as part of a longer word.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        let starts =
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '"');
        starts
            && (after.starts_with("::")
                || line.trim_start().starts_with(&format!("use {name}"))
                    && after.starts_with([';', ' ']))
    })
}

#[test]
fn nothing_points_back() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(room, _)| *room == source.room()) else {
            let known = ["main", "lib"].contains(&source.room());
            assert!(known, "src/{} is in no room of the table", source.path);
            continue;
        };
        for (number, line) in source.code() {
            for used in names_after(line, "crate::") {
                let is_room = ALLOWED.iter().any(|(room, _)| *room == used);
                if is_room && used != source.room() && !allowed.contains(&used) {
                    broken.push(format!(
                        "src/{}:{number}: {} uses {used}",
                        source.path,
                        source.room()
                    ));
                }
            }
            assert!(
                !line.contains("use crate::{"),
                "src/{}:{number}: one `use` a room",
                source.path
            );
        }
    }
    assert_none(broken);
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.code() {
            for (name, owners) in CRATE_OWNERS {
                let owned = owners.iter().any(|owner| source.path.starts_with(owner));
                if !owned && names_crate(line, name) {
                    broken.push(format!("src/{}:{number}: names {name}", source.path));
                }
            }
        }
    }
    assert_none(broken);
}

#[test]
fn nothing_panics_on_purpose() {
    let mut broken = Vec::new();
    let only_in_tests = |source: &&Source| {
        let test_files = ["test_slide.rs", "read_back.rs", "tests.rs"];
        !test_files.iter().any(|name| source.path.ends_with(name))
    };
    for source in sources().iter().filter(only_in_tests) {
        for (number, line) in source.code() {
            for word in [
                ".unwrap()",
                ".expect(",
                "panic!(",
                "unreachable!(",
                "todo!(",
                "unimplemented!(",
                "dbg!(",
            ] {
                if line.contains(word) {
                    broken.push(format!("src/{}:{number}: {word}", source.path));
                }
            }
        }
    }
    assert_none(broken);
}

#[test]
fn files_are_short_and_name_no_machine() {
    let mut broken = Vec::new();
    for folder in ["src", "shaders", "tests", "benches", "docs", "scripts"].map(|f| root().join(f))
    {
        let files = ["rs", "wgsl", "md", "sh"]
            .iter()
            .filter(|_| folder.is_dir());
        for path in files.flat_map(|extension| files_below(&folder, extension)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            if lines > MOST_LINES {
                broken.push(format!("{}: {lines} lines", path.display()));
            }
            // Put together here, so that this file does not name them either.
            let machine = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
            if machine.iter().any(|place| text.contains(place.as_str())) {
                broken.push(format!("{}: names a place on one machine", path.display()));
            }
        }
    }
    assert_none(broken);
}

/// Every pass's shader as the pass compiles it.
const SHADERS: [(&str, &str); 5] = [
    ("paint_tiles.wgsl", parfocal::gpu::paint_tiles::PAINT_SHADER),
    (
        "reduce_page.wgsl",
        parfocal::gpu::paint_tiles::REDUCE_SHADER,
    ),
    ("slide.wgsl", parfocal::gpu::slide_pass::SHADER),
    ("labels.wgsl", parfocal::gpu::overlay::label_map::SHADER),
    ("overlay.wgsl", parfocal::gpu::overlay::pass::SHADER),
];

#[test]
fn every_shader_is_valid() {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    for (name, text) in SHADERS {
        let module = naga::front::wgsl::parse_str(text)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        let valid = validator.validate(&module);
        assert!(
            valid.is_ok(),
            "{name}: {}",
            valid.unwrap_err().emit_to_string(text)
        );
    }
}

#[test]
fn every_shader_file_is_part_of_a_pass() {
    let folder = root().join("shaders");
    let unused: BTreeSet<PathBuf> = files_below(&folder, "wgsl")
        .into_iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            !SHADERS.iter().any(|(_, shader)| shader.contains(&text))
        })
        .collect();
    assert!(unused.is_empty(), "in no pass: {unused:?}");
}

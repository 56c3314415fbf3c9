//! The program itself, from its command line to its files, messages and exit codes.

mod shared_data;

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn parfocal() -> Command {
    Command::new(env!("CARGO_BIN_EXE_parfocal"))
}

fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    parfocal().args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a picture of 700 × 500 px without a scale in it.
fn with_picture() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.png");
    let colour =
        |x: u32, y: u32| image::Rgba([x as u8, y as u8, 99, if x < 100 { 0 } else { 255 }]);
    image::RgbaImage::from_fn(700, 500, colour)
        .save(&path)
        .unwrap();
    (folder, path)
}

fn render(slide: &Path, output: &Path, more: &[&str]) -> Output {
    let mut command = parfocal();
    command
        .arg("render")
        .arg(slide)
        .args(more)
        .arg("-o")
        .arg(output);
    command.output().unwrap()
}

fn assert_fails_naming(output: &Output, name: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    let text = stderr(output);
    assert!(text.contains("error: ") && text.contains(name), "{text}");
}

#[test]
fn help_and_version_succeed_and_wrong_use_is_2() {
    assert!(stdout(&run(["--help"])).contains("Examples:"));
    assert!(stdout(&run(["--version"])).contains(env!("CARGO_PKG_VERSION")));
    for wrong in [
        vec!["info"],
        vec!["info", "a", "b"],
        vec!["render", "a.svs"],
        vec!["render", "a.svs", "-o", "a.jpg"],
        vec!["render", "a.svs", "-o", "a.png", "--size", "0x10"],
        vec![
            "render",
            "a.svs",
            "-o",
            "a.png",
            "--mag",
            "10",
            "--downsample",
            "2",
        ],
        vec!["render", "a.svs", "-o", "a.png", "--center-um", "1"],
        vec!["--no-such-thing"],
        vec!["info", "phantom:liver"],
        vec!["info", "phantom:brain?seed=x"],
    ] {
        assert_eq!(run(&wrong).status.code(), Some(2), "{wrong:?}");
    }
    // What is wrong is named, not only that something is.
    for (wrong, word) in [
        (["info", "phantom:brain?bogus=3"].as_slice(), "'bogus'"),
        (&["render", "a.svs", "--mag", "-3"], "above 0"),
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

#[test]
fn info_tells_text_and_json() {
    let (_folder, path) = with_picture();
    let output = parfocal().arg("info").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "made.png",
        "700 x 500 px",
        "unknown",
        "level 1",
        "350 x 250 px",
        "sha256:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let output = parfocal()
        .arg("info")
        .arg("--json")
        .arg(&path)
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["size_px"], serde_json::json!([700, 500]));
    assert_eq!(
        json["levels"][1]["downsample"],
        serde_json::json!([2.0, 2.0])
    );
    assert_eq!(
        (&json["mpp"], &json["mpp_origin"]),
        (&Value::Null, &"missing".into())
    );
    assert_eq!(json["properties"]["image.format"], "png");
}

#[test]
fn info_of_a_scanners_slide() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let output = parfocal()
        .arg("info")
        .arg("--json")
        .arg(&path)
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["vendor"], "aperio");
    assert_eq!(json["mpp"], serde_json::json!([0.499, 0.499]));
    assert_eq!(json["mpp_origin"], "mpp");
    assert_eq!(json["levels"][0]["tile_px"], serde_json::json!([240, 240]));
    let images = json["associated_images"].as_array().unwrap();
    assert!(images.iter().any(|image| image["name"] == "label"));
    assert!(
        images
            .iter()
            .all(|image| image.as_object().unwrap().len() == 2),
        "no pixels"
    );
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let (_folder, path) = with_picture();
    let script = r#""$0" info --json "$1" | true; echo "${PIPESTATUS[0]}""#;
    let mut shell = std::process::Command::new("bash");
    let shell = shell
        .args(["-c", script, env!("CARGO_BIN_EXE_parfocal")])
        .arg(&path);
    let Ok(output) = shell.output() else {
        shared_data::say_skipped("there is no bash");
        return;
    };
    assert_eq!(stdout(&output).trim(), "0", "{}", stderr(&output));
    assert!(!stderr(&output).contains("panic"));
}

#[test]
fn render_writes_the_size_asked_for_and_the_provenance() {
    let (folder, path) = with_picture();
    let out = folder.path().join("Größe 図.png");
    let output = render(
        &path,
        &out,
        &["--size", "320x200", "--slide-mpp", "0.5", "--mag", "10"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let picture = image::open(&out).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (320, 200));
    // 10x is 1 µm a px, so 2 px of the slide; its middle (350, 250) is in the picture's middle.
    let [r, g, b] = picture.get_pixel(160, 100).0;
    assert!(
        r.abs_diff(350_u16 as u8) <= 2 && g.abs_diff(250) <= 2 && b == 99,
        "{r} {g} {b}"
    );
    let file = std::fs::read(&out).unwrap();
    let holds = |part: &[u8]| file.windows(part.len()).any(|bytes| bytes == part);
    assert!(holds(b"Slide-Hash\0sha256:") && holds(b"Microns-Per-Pixel\x001"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn render_of_nothing_but_glass_is_the_background() {
    let (folder, path) = with_picture();
    let out = folder.path().join("glass.png");
    let place = [
        "--size",
        "40x40",
        "--downsample",
        "1",
        "--center-px",
        "50,250",
    ];
    let output = render(&path, &out, &place);
    assert!(output.status.success(), "{}", stderr(&output));
    let picture = image::open(&out).unwrap().into_rgb8();
    assert!(picture.pixels().all(|pixel| pixel.0 == [255; 3]));
    let beyond = [
        "--size",
        "40x40",
        "--downsample",
        "1",
        "--center-px",
        "-5000,250",
    ];
    let output = render(&path, &out, &beyond);
    assert!(output.status.success() && stderr(&output).contains("no part of the slide"));
}

#[test]
fn a_length_without_a_scale_is_refused_with_advice() {
    let (folder, path) = with_picture();
    let out = folder.path().join("out.png");
    for place in [["--mag", "10"], ["--mpp", "1"], ["--center-um", "10,10"]] {
        let output = render(&path, &out, &place);
        assert_fails_naming(&output, "made.png");
        assert!(
            stderr(&output).contains("--slide-mpp"),
            "{}",
            stderr(&output)
        );
    }
    assert!(!out.exists());
}

#[test]
fn files_that_can_not_be_opened_or_written_are_named() {
    let (folder, path) = with_picture();
    let out = folder.path().join("out.png");
    assert_fails_naming(&run(["info", "no/such/slide.svs"]), "no/such/slide.svs");
    assert_fails_naming(&render(Path::new("no/such.svs"), &out, &[]), "no/such.svs");
    let nowhere = folder.path().join("no-folder").join("out.png");
    assert_fails_naming(&render(&path, &nowhere, &["--size", "9x9"]), "no-folder");
    assert_fails_naming(&render(&path, &path, &[]), "name another output");
    let text = folder.path().join("text.svs");
    std::fs::write(&text, "not a slide").unwrap();
    assert_fails_naming(
        &parfocal().arg("info").arg(&text).output().unwrap(),
        "text.svs",
    );
}

#[test]
fn broken_slides_are_refused_by_name() {
    for file in [
        "broken/broken.svs",
        "broken/unopenable.tiff",
        "broken/ndpi_test.ndpi",
    ] {
        let Some(path) = shared_data::file(file) else {
            continue;
        };
        let name = path.file_name().unwrap().to_string_lossy();
        assert_fails_naming(&parfocal().arg("info").arg(&path).output().unwrap(), &name);
    }
}

#[test]
fn a_slide_of_which_no_tile_can_be_read_gives_no_picture() {
    let Some(path) = shared_data::file("broken/unreadable.svs") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.png");
    let output = render(&path, &out, &["--size", "200x200", "--downsample", "1"]);
    assert_fails_naming(&output, "unreadable.svs");
    let said = stderr(&output);
    assert!(said.contains("no tile can be read"), "{said}");
    assert_eq!(said.matches("unreadable.svs").count(), 1, "{said}");
    assert!(!out.exists());
}

#[test]
fn a_phantom_is_written_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("phantom.tif");
    let made = [
        "--tissue",
        "colon",
        "--seed",
        "3",
        "--size-mm",
        "0.8",
        "--mpp",
        "0.5",
    ];
    let output = parfocal()
        .arg("phantom")
        .args(made)
        .arg("-o")
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let output = parfocal()
        .arg("info")
        .arg("--json")
        .arg(&out)
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mpp = json["mpp"][0].as_f64().unwrap();
    assert!((mpp - 0.5).abs() < 1e-3, "{mpp}");
    assert_eq!(json["size_px"], serde_json::json!([1600, 1600]));
    assert!(json["levels"].as_array().unwrap().len() > 1);
    let left = std::fs::read_dir(folder.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let truth = ["phantom.instances.tif", "phantom.labels.tif"];
    assert_eq!(left, [truth[0], truth[1], "phantom.tif"]);
}

#[test]
fn a_phantoms_spec_is_printed_and_read() {
    let output = run([
        "phantom",
        "--tissue",
        "breast",
        "--seed",
        "9",
        "--print-spec",
    ]);
    let spec = stdout(&output);
    assert!(spec.contains("tissue = \"breast\"") && spec.contains("seed = 9"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.toml");
    std::fs::write(&path, &spec).unwrap();
    let reread = parfocal()
        .args(["phantom", "--print-spec", "--spec"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(stdout(&reread), spec);
    std::fs::write(&path, spec.replace("seed", "sead")).unwrap();
    let wrong = parfocal()
        .args(["phantom", "--print-spec", "--spec"])
        .arg(&path)
        .output()
        .unwrap();
    assert_fails_naming(&wrong, "spec.toml");
}

#[test]
#[cfg(unix)]
fn an_interrupted_phantom_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("phantom.tif");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_parfocal"))
        .args(["phantom", "--size-mm", "20", "-o"])
        .arg(&out)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = || std::fs::read_dir(folder.path()).unwrap().next().is_some();
    for _ in 0..1000 {
        if begun() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(begun(), "it starts within ten seconds");
    let signal = std::process::Command::new("kill")
        .arg("-INT")
        .arg(child.id().to_string())
        .status();
    assert!(signal.is_ok_and(|status| status.success()));
    let output = child.wait().unwrap();
    assert_eq!(output.code(), Some(1));
    assert!(!begun(), "a part of the file is left");
}

#[test]
fn a_phantom_is_rendered_without_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.png");
    let place = ["--size", "64x48", "--mag", "5"];
    let output = render(Path::new("phantom:brain?seed=3"), &out, &place);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(image::image_dimensions(&out).unwrap(), (64, 48));
    let output = render(Path::new("phantom:moon"), &out, &place);
    // A name that can't be understood is wrong use, unlike a file that can't be opened.
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert_eq!(said.matches("phantom:moon").count(), 1, "{said}");
    assert!(said.contains("brain, breast and colon"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_window_says_what_to_do() {
    let settings = tempfile::tempdir().unwrap();
    let output = parfocal()
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .env("PARFOCAL_CONFIG_DIR", settings.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("no display answers"), "{text}");
    assert!(!text.contains("registry"), "speaks of source files: {text}");
}

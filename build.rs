//! Finds OpenSlide's folder and has the program look there when it starts.
//!
//! openslide-sys links the library, but only the final program can carry the
//! path that it is loaded from. With the path inside, neither the program nor a
//! test or benchmark needs an environment variable to start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// 4.0.0 can be made to write out of bounds by a crafted BIF file; 3.4 has
/// neither DICOM nor the cache interface.
const OLDEST: &str = "4.0.1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");

    if pkg_config(&format!("--atleast-version={OLDEST}")).is_none() {
        fail();
    }
    // Another OpenSlide in the same place, or none, changes or removes this file.
    if let Some(folder) = pkg_config("--variable=pcfiledir") {
        println!("cargo::rerun-if-changed={folder}/openslide.pc");
    }

    // First beside the program, so that an installed copy takes its own library.
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => return,
        Ok("macos") => rpath("@executable_path/../lib"),
        _ => rpath("$ORIGIN/../lib"),
    }
    let folder = PathBuf::from(pkg_config("--variable=libdir").unwrap_or_default());
    let folder = folder.canonicalize().unwrap_or(folder);
    if !is_searched_anyway(&folder) {
        rpath(&folder.display().to_string());
    }
}

/// What pkg-config prints about OpenSlide; `None` where it says no or is missing.
fn pkg_config(question: &str) -> Option<String> {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(program)
        .args([question, "openslide"])
        .output()
        .ok()?;
    // It escapes a space in a path for a shell, and there is none here.
    output.status.success().then(|| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .replace("\\ ", " ")
    })
}

fn rpath(folder: &str) {
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
}

/// Whether the loader looks in `folder` without being told to.
fn is_searched_anyway(folder: &Path) -> bool {
    let multiarch = folder
        .file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with("-linux-gnu"));
    let folder = match folder.parent() {
        Some(parent) if multiarch => parent,
        _ => folder,
    };
    ["", "/lib", "/lib64", "/usr/lib", "/usr/lib64"]
        .iter()
        .any(|known| folder == Path::new(known))
}

fn fail() -> ! {
    println!(
        "cargo::error=OpenSlide {OLDEST} or newer was not found by pkg-config: run `make setup`"
    );
    // .cargo/config.toml leaves a variable alone that is set already.
    let path = env::var("PKG_CONFIG_PATH").unwrap_or_default();
    if !path.contains(".deps/openslide") {
        println!(
            "cargo::error=PKG_CONFIG_PATH is set in the environment: add .deps/openslide/lib/pkgconfig to it, or build with `make`"
        );
    }
    process::exit(1);
}

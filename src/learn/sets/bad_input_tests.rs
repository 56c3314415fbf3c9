//! What does not fit is refused, in words that name the file and what was expected.

use std::path::Path;

use super::fixture_tests::{bcss, bdsa, crag, folder_set, go_on, image, mask, mask16, pair};
use super::{MaskSet, SetConfig, census};

type Opened = Result<std::sync::Arc<dyn MaskSet>, super::SetError>;

fn open(kind: &str, at: &Path) -> Opened {
    let text = format!("kind = '{kind}'\nfolder = '.'");
    toml::from_str::<SetConfig>(&text).unwrap().open(at)
}

/// Checks that the set is refused, at once or when its masks are counted, and says all of `words`.
fn refused(kind: &str, at: &Path, words: &[&str]) {
    let counted = open(kind, at).and_then(|set| census(set.as_ref(), &mut go_on));
    let error = counted
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    for word in words {
        assert!(
            error.contains(word),
            "{kind}: '{error}' does not say '{word}'"
        );
    }
}

#[test]
fn unknown_codes_name_file_code_and_count() {
    let fixture = bcss();
    let name = "TCGA-AN-A0AM-DX1_xmin1_ymin2_MPP-0.2500";
    pair(fixture.path(), name, 1, 22);
    refused(
        "bcss",
        fixture.path(),
        &[name, "code 22 (128 px) is no class of 'bcss'", "0, 1, 2"],
    );
    let fixture = bdsa();
    pair(fixture.path(), "late", 31, 32);
    refused(
        "bdsa",
        fixture.path(),
        &["late.png", "code 32 (128 px)", "0, 31, 63"],
    );
    let fixture = folder_set();
    mask16(&fixture.path().join("masks/one.png"), 24, 16, |x, _| {
        1000 * x as u16
    });
    let all = ["one.png", "codes 1000 (16 px), 2000 (16 px)", "and 18 more"];
    refused("folder", fixture.path(), &all);
}

#[test]
fn masks_that_can_not_be_read_are_named() {
    let fixture = bdsa();
    let path = fixture.path().join("masks/other.png");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    refused(
        "bdsa",
        fixture.path(),
        &["masks/other.png", "not a picture"],
    );
    mask(&path, 16, 4, |x, y| (x * y) as u8);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
    refused("bdsa", fixture.path(), &["masks/other.png"]);
    image(&path, 16, 4);
    refused(
        "bdsa",
        fixture.path(),
        &["masks/other.png", "one code a px", "no colours"],
    );
    std::fs::write(&path, palette_png()).unwrap();
    refused(
        "bdsa",
        fixture.path(),
        &["masks/other.png", "palette", "8-bit grey"],
    );
}

/// 16 × 4 px, all number 1 of a palette.
fn palette_png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let row: Vec<u8> = [0].into_iter().chain([1; 16]).collect();
    std::io::Write::write_all(&mut packed, &row.repeat(4)).unwrap();
    for (name, data) in [
        (b"IHDR", vec![0, 0, 0, 16, 0, 0, 0, 4, 8, 3, 0, 0, 0]),
        (b"PLTE", vec![0, 0, 0, 255, 0, 0]),
        (b"IDAT", packed.finish().unwrap()),
        (b"IEND", Vec::new()),
    ] {
        png.extend((data.len() as u32).to_be_bytes());
        let body = [name.as_slice(), &data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        png.extend(body);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

#[test]
fn sizes_must_be_equal_and_pairs_complete() {
    let fixture = folder_set();
    mask(&fixture.path().join("masks/two.png"), 24, 15, |_, _| 0);
    refused(
        "folder",
        fixture.path(),
        &["masks/two.png is 24 x 15 px", "images/two.png is 24 x 16"],
    );
    let fixture = folder_set();
    std::fs::remove_file(fixture.path().join("masks/two.png")).unwrap();
    refused(
        "folder",
        fixture.path(),
        &["images/two.png has no partner", "masks/two.png"],
    );
    let fixture = crag("Annotation");
    std::fs::remove_file(fixture.path().join("CRAG/valid/Images/test_1.png")).unwrap();
    refused(
        "crag",
        fixture.path(),
        &["Annotation/test_1.png has no partner", "Images/test_1.png"],
    );
    let fixture = tempfile::tempdir().unwrap();
    image(&fixture.path().join("C1.jpg"), 8, 8);
    refused(
        "kidney",
        fixture.path(),
        &["C1.jpg has no partner", "C1.mask.png"],
    );
    mask(&fixture.path().join("C1.mask.png"), 8, 8, |_, _| 0);
    mask(&fixture.path().join("C2.mask.png"), 8, 8, |_, _| 0);
    refused(
        "kidney",
        fixture.path(),
        &["C2.mask.png has no partner", "C2.jpg"],
    );
}

#[test]
fn one_class_is_nothing_to_tell_apart() {
    let fixture = folder_set();
    let one =
        r#"{"mpp": 0.5, "classes": [{"name": "a", "codes": [0, 1, 3, 9], "colour": [1, 2, 3]}]}"#;
    std::fs::write(fixture.path().join("classes.json"), one).unwrap();
    let words = ["classes.json", "1 scored classes", "2 to 254"];
    refused("folder", fixture.path(), &words);
    let table = fixture.path().join("classes.json");
    let error = super::ClassTable::read(&table).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn names_must_be_single_and_as_the_layout_has_them() {
    let fixture = folder_set();
    image(&fixture.path().join("images/one.jpg"), 24, 16);
    refused(
        "folder",
        fixture.path(),
        &["images: two items are called 'one'"],
    );
    let fixture = bcss();
    pair(fixture.path(), "mine", 0, 1);
    refused(
        "bcss",
        fixture.path(),
        &["images/mine.png", "TCGA-A1-A0SK-DX1_xmin45749"],
    );
    let fixture = bcss();
    pair(fixture.path(), "TCGA-A1-A0SZ-DX1_xmin1_ymin2", 0, 1);
    refused(
        "bcss",
        fixture.path(),
        &["A0SZ-DX1_xmin1_ymin2.png", "state the scale as `mpp`"],
    );
    let fixture = crag("Annotation");
    let train = fixture.path().join("CRAG/train");
    image(&train.join("Images/test_9.png"), 4, 4);
    mask(&train.join("Annotation/test_9.png"), 4, 4, |_, _| 0);
    refused(
        "crag",
        fixture.path(),
        &["test_9.png", "not of the training part"],
    );
    let fixture = tempfile::tempdir().unwrap();
    pair(fixture.path(), "170001", 0, 1);
    refused("cortex", fixture.path(), &["170001.png", "known donor"]);
}

#[test]
fn folders_must_be_there_and_hold_something() {
    let fixture = tempfile::tempdir().unwrap();
    for (kind, words) in [
        ("bcss", "images"),
        ("bdsa", "images"),
        ("crag", "no folder 'train'"),
        ("folder", "no classes.json"),
        ("kidney", "there is no image"),
    ] {
        refused(kind, fixture.path(), &[words]);
    }
    std::fs::create_dir(fixture.path().join("images")).unwrap();
    std::fs::create_dir(fixture.path().join("masks")).unwrap();
    refused("bdsa", fixture.path(), &["there is no image in it"]);
    std::fs::create_dir_all(fixture.path().join("CRAG/train/Images")).unwrap();
    refused(
        "crag",
        fixture.path(),
        &["no folder 'Annotation' (or 'Annotations')"],
    );
    let none = toml::from_str::<SetConfig>("kind = 'bcs'\nfolder = 'x'").unwrap_err();
    assert!(none.to_string().contains("bcss"), "{none}");
    let none = toml::from_str::<SetConfig>("kind = 'bcss'\nfolder = 'x'\nscale = 2").unwrap_err();
    assert!(none.to_string().contains("scale"), "{none}");
}

#[test]
fn tables_and_lists_must_fit() {
    let fixture = folder_set();
    let write = |name: &str, text: &str| std::fs::write(fixture.path().join(name), text).unwrap();
    let one = r#"[{"name": "a", "codes": [0, 1, 3, 9], "colour": [1, 2, 3]}]"#;
    write("classes.json", one);
    refused("folder", fixture.path(), &["has no `mpp`"]);
    write(
        "classes.json",
        &format!(r#"{{"mpp": 1, "classes": {one}}}"#),
    );
    refused("folder", fixture.path(), &["1 scored classes", "2 to 254"]);
    let two = r#"[{"name": "a", "codes": [0, 3, 9], "colour": [1, 2, 3]},
        {"name": "b", "code": 1, "colour": [4, 5, 6]}]"#;
    write(
        "classes.json",
        &format!(r#"{{"mpp": 0, "classes": {two}}}"#),
    );
    refused("folder", fixture.path(), &["0 µm/px"]);
    write("classes.json", "{");
    refused("folder", fixture.path(), &["classes.json"]);

    let fixture = folder_set();
    let write = |text: &str| std::fs::write(fixture.path().join("splits.csv"), text).unwrap();
    write("image,split\none,train\nfour,test\n");
    refused("folder", fixture.path(), &["splits.csv", "no image 'four'"]);
    write("image,split\none,train\none.png,test\n");
    refused("folder", fixture.path(), &["splits.csv", "'one.png'"]);
    write("image,split\none,tomorrow\n");
    refused("folder", fixture.path(), &["splits.csv", "tomorrow"]);
    write("image,slip\none,train\n");
    refused("folder", fixture.path(), &["splits.csv", "slip"]);
}

//! Every official layout, in miniature.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::fixture_tests::{bcss, bdsa, crag, folder_set, go_on, image, mask, pair};
use super::{IGNORE, MaskSet, Part, SetConfig, SetError, SplitConfig, census, folder, split};

fn open(kind: &str, at: &Path) -> Arc<dyn MaskSet> {
    let text = format!("kind = '{kind}'\nfolder = '.'");
    toml::from_str::<SetConfig>(&text)
        .unwrap()
        .open(at)
        .unwrap()
}

/// Index of the only item whose id begins so.
fn item(set: &dyn MaskSet, id: &str) -> usize {
    let starts = |item: &super::Item| item.id.starts_with(id);
    set.items().iter().position(starts).unwrap()
}

#[test]
fn bcss_has_its_codes_scales_and_test_institutes() {
    let fixture = bcss();
    let set = open("bcss", fixture.path());
    let mpp: Vec<f64> = set.items().iter().map(|item| item.mpp).collect();
    assert_eq!(mpp, [0.25, 0.25, 0.25, 0.5, 0.25, 0.25]);
    assert_eq!(set.items()[0].group, "TCGA-A1-A0SK");
    let every = set.read(0).unwrap();
    let i = IGNORE;
    let five = [
        i, 0, 1, 2, 3, 4, 4, i, 4, 4, 2, 2, 4, 4, 4, i, 4, 4, 4, 0, 0, 4,
    ];
    assert_eq!(every.mask[22..44], five);
    assert_eq!(every.rgb[(22 + 7) * 3..][..3], [7, 1, 200]);
    let split = split(set.as_ref(), &SplitConfig::default()).unwrap();
    assert_eq!(
        split.test,
        [item(set.as_ref(), "TCGA-OL"), item(set.as_ref(), "TCGA-S3")]
    );
    assert_eq!((split.training.len(), split.validation.len()), (3, 1));
}

#[test]
fn bcss_classes_can_be_grouped_otherwise() {
    let fixture = bcss();
    let table = "[[class]]\nname = 'tumor'\ncode = 1\ncolour = [1, 1, 1]\n\
        [[class]]\nname = 'rest'\ncodes = [2, 3, 4]\ncolour = [2, 2, 2]\n\
        [[class]]\nname = 'left out'\nignore = true\n\
        codes = [0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]\n";
    std::fs::write(fixture.path().join("two.toml"), table).unwrap();
    let text = "kind = 'bcss'\nfolder = '.'\nclasses = 'two.toml'";
    let set = toml::from_str::<SetConfig>(text)
        .unwrap()
        .open(fixture.path())
        .unwrap();
    assert_eq!(set.classes().names(), ["tumor", "rest"]);
    let counts = census(set.as_ref(), &mut go_on).unwrap();
    assert_eq!(counts.item(0).unwrap().pixels, [3.0, 9.0]);
    assert_eq!(counts.item(0).unwrap().ignored, 54.0);
}

#[test]
fn crag_ids_of_8_and_16_bits_are_glands() {
    for masks in ["Annotation", "Annotations"] {
        let fixture = crag(masks);
        let set = open("crag", fixture.path());
        assert_eq!(set.classes().names(), ["background", "gland"]);
        for index in 0..3 {
            let read = set.read(index).unwrap();
            let right = |(i, label): (usize, &u8)| *label == u8::from(i % 20 >= 5);
            assert!(read.mask.iter().enumerate().all(right), "{index}");
            assert_eq!(read.mpp, 0.5);
        }
        let split = split(
            set.as_ref(),
            &SplitConfig {
                validation: 0.5,
                ..SplitConfig::default()
            },
        );
        let split = split.unwrap();
        assert_eq!(split.test, [item(set.as_ref(), "test_1")]);
        assert_eq!((split.training.len(), split.validation.len()), (1, 1));
    }
    // The folder that is called CRAG may be given itself.
    let fixture = crag("Annotation");
    assert_eq!(open("crag", &fixture.path().join("CRAG")).items().len(), 3);
}

#[test]
fn bdsa_codes_are_grey_and_0_is_a_class() {
    let fixture = bdsa();
    let set = open("bdsa", fixture.path());
    let read = set.read(0).unwrap();
    assert_eq!(read.mask[..8], [0, 1, 2, 3, 4, IGNORE, IGNORE, IGNORE]);
    assert_eq!(read.mpp, 0.25);
    let groups: Vec<&str> = set.items().iter().map(|item| item.group.as_str()).collect();
    assert_eq!(
        groups,
        ["BDSA001.0007", "BDSA001.0007", "BDSA001.0008", "other"]
    );
    let shares = census(set.as_ref(), &mut go_on)
        .unwrap()
        .of_items(&[0, 1])
        .shares();
    assert_eq!(shares, [0.2; 5]);
}

#[test]
fn cortex_and_kidney_have_their_groups_and_ignored_px() {
    let fixture = tempfile::tempdir().unwrap();
    pair(fixture.path(), "151507", 0, 7);
    pair(fixture.path(), "151676", 1, 2);
    let set = open("cortex", fixture.path());
    assert_eq!(set.read(0).unwrap().mask[3..5], [IGNORE, 6]);
    assert_eq!(set.read(1).unwrap().mask[3..5], [0, 1]);
    assert_ne!(set.items()[0].group, set.items()[1].group);
    let fixture = tempfile::tempdir().unwrap();
    image(&fixture.path().join("C1.jpg"), 24, 16);
    mask(&fixture.path().join("C1.mask.png"), 24, 16, |x, _| x as u8);
    std::fs::write(fixture.path().join("C1.rois.zip"), "x").unwrap();
    let set = open("kidney", fixture.path());
    assert_eq!(set.read(0).unwrap().mask[..3], [0, 1, 1]);
    assert_eq!((set.items().len(), set.items()[0].mpp), (1, 0.67));
}

#[test]
fn a_folder_set_follows_its_files() {
    let fixture = folder_set();
    let set = open("folder", fixture.path());
    let ids: Vec<&str> = set.items().iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["one", "three", "two"]);
    assert_eq!(
        set.read(2).unwrap().mask[..5],
        [IGNORE, IGNORE, IGNORE, IGNORE, 0]
    );
    assert!(
        set.items()
            .iter()
            .all(|item| item.mpp == 0.5 && item.official.is_none())
    );

    let rows = "image,split,group,mpp\none.png,train,p1,\ntwo,test,p2,0.25\n";
    std::fs::write(fixture.path().join("splits.csv"), rows).unwrap();
    let set = open("folder", fixture.path());
    let found: BTreeMap<&str, _> = set
        .items()
        .iter()
        .map(|item| {
            (
                item.id.as_str(),
                (item.group.as_str(), item.official, item.mpp),
            )
        })
        .collect();
    assert_eq!(found["one"], ("p1", Some(Part::Training), 0.5));
    assert_eq!(found["two"], ("p2", Some(Part::Test), 0.25));
    assert_eq!(found["three"], ("three", None, 0.5));
}

#[test]
fn every_set_can_be_written_as_a_folder_set() {
    let (from, to) = (bdsa(), tempfile::tempdir().unwrap());
    let set = open("bdsa", from.path());
    folder::write(set.as_ref(), to.path(), &mut go_on).unwrap();
    let copy = open("folder", to.path());
    assert_eq!(copy.classes().names(), set.classes().names());
    for (index, item) in set.items().iter().enumerate() {
        let other = &copy.items()[index];
        assert_eq!(
            (&other.id, &other.group, other.mpp),
            (&item.id, &item.group, item.mpp)
        );
        assert_eq!(copy.read(index).unwrap(), set.read(index).unwrap());
    }
    let mut stop = |_, _| ControlFlow::Break(());
    let stopped = folder::write(set.as_ref(), to.path(), &mut stop);
    assert!(matches!(stopped, Err(SetError::Cancelled)));
}

#[test]
fn masks_of_few_bits_and_of_grey_colour_hold_their_codes() {
    let fixture = folder_set();
    let path = fixture.path().join("masks/one.png");
    let bytes = one_bit_png(24, 16, |x, _| (4..12).contains(&x));
    std::fs::write(&path, bytes).unwrap();
    let set = open("folder", fixture.path());
    assert_eq!(set.read(0).unwrap().mask[2..6], [0, 0, 1, 1]);
    mask(&path, 24, 16, |x, _| u8::from(x == 3));
    image::open(&path).unwrap().into_rgb8().save(&path).unwrap();
    assert_eq!(set.read(0).unwrap().mask[2..6], [0, 1, 0, 0]);
    image::open(&path)
        .unwrap()
        .into_rgba8()
        .save(&path)
        .unwrap();
    assert_eq!(set.read(0).unwrap().mask[2..6], [0, 1, 0, 0]);
}

/// A PNG of one bit of grey a px, which no encoder at hand writes.
fn one_bit_png(width: u32, height: u32, lit: impl Fn(u32, u32) -> bool) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        for byte in 0..width.div_ceil(8) {
            let bit = |i: u32| u8::from(lit(byte * 8 + i, y)) << (7 - i);
            rows.push((0..8).map(bit).sum());
        }
    }
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([1, 0, 0, 0, 0]);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &rows).unwrap();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let chunks = [
        (b"IHDR", header),
        (b"IDAT", packed.finish().unwrap()),
        (b"IEND", Vec::new()),
    ];
    for (name, data) in chunks {
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
fn hidden_files_and_other_files_are_passed_over() {
    let fixture = folder_set();
    pair(fixture.path(), "dotted.0.25", 0, 1);
    for name in ["images/._one.png", "images/notes.txt", "masks/Thumbs.db"] {
        std::fs::write(fixture.path().join(name), "x").unwrap();
    }
    let set = open("folder", fixture.path());
    assert_eq!(
        (set.items().len(), set.items()[0].id.as_str()),
        (4, "dotted.0.25")
    );
}

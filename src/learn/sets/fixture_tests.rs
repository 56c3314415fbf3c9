//! Miniatures of the official layouts and sets in memory, for the tests of this room.

use std::ops::ControlFlow;
use std::path::Path;

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::{ClassInfo, ClassTable, Item, Labelled, Mask, MaskSet, Part, SetError};

/// A progress that never stops.
pub fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A picture whose red and green tell the px.
pub fn image(path: &Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x: u32, y: u32| Rgb([x as u8, y as u8, 200]);
    RgbImage::from_fn(width, height, pixel).save(path).unwrap();
}

/// An 8-bit mask.
pub fn mask(path: &Path, width: u32, height: u32, code: impl Fn(u32, u32) -> u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| Luma([code(x, y)]);
    GrayImage::from_fn(width, height, pixel).save(path).unwrap();
}

/// A 16-bit mask.
pub fn mask16(path: &Path, width: u32, height: u32, code: impl Fn(u32, u32) -> u16) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| Luma([code(x, y)]);
    let mask: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_fn(width, height, pixel);
    mask.save(path).unwrap();
}

/// An image of 24 × 16 px and a mask of `code` in columns 4 to 11, `around` elsewhere.
pub fn pair(folder: &Path, name: &str, around: u8, code: u8) {
    image(&folder.join(format!("images/{name}.png")), 24, 16);
    let codes = |x, _| if (4..12).contains(&x) { code } else { around };
    mask(&folder.join(format!("masks/{name}.png")), 24, 16, codes);
}

/// BCSS: every code in one region, others of two; test institutes among them.
pub fn bcss() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let every = "TCGA-A1-A0SK-DX1_xmin45749_ymin25055_MPP-0.2500";
    image(&at.join(format!("images/{every}.png")), 22, 3);
    mask(&at.join(format!("masks/{every}.png")), 22, 3, |x, _| {
        x as u8
    });
    for name in [
        "TCGA-A2-A0CM-DX1_xmin18562_ymin56852_MPP-0.2500",
        "TCGA-AR-A0TS-DX1_xmin118843_ymin22812_MAG-40.00",
        "TCGA-BH-A0BG-DX1_xmin16339_ymin21000_MPP-0.5000_MAG-20.00",
        "TCGA-OL-A5D6-DX1_xmin115108_ymin40554_MPP-0.2500",
        "TCGA-S3-AA10-DX1_xmin31391_ymin21117_MPP-0.2500",
    ] {
        pair(at, name, 0, 1);
    }
    folder
}

/// CRAG: 8- and 16-bit numbers of glands, test images within `valid`.
pub fn crag(masks: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("CRAG");
    for (part, name) in [
        ("train", "train_1"),
        ("train", "train_2"),
        ("valid", "test_1"),
    ] {
        image(&root.join(part).join(format!("Images/{name}.png")), 20, 10);
        image(&root.join(part).join(format!("Overlay/{name}.png")), 20, 10);
        let path = root.join(part).join(masks).join(format!("{name}.png"));
        match name {
            // Of 8 bits these would leave nothing.
            "train_2" => mask16(&path, 20, 10, |x, _| if x < 5 { 0 } else { 256 * x as u16 }),
            _ => mask(&path, 20, 10, |x, _| if x < 5 { 0 } else { x as u8 }),
        }
    }
    folder
}

/// BDSA: every grey code, two regions of one case.
pub fn bdsa() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let codes = [0, 31, 63, 95, 127, 191, 197, 255];
    for name in [
        "BDSA001.0007_HE_roi1",
        "BDSA001.0007_HE_roi2",
        "BDSA001.0008_HE",
        "other",
    ] {
        image(&folder.path().join(format!("images/{name}.png")), 16, 4);
        let path = folder.path().join(format!("masks/{name}.png"));
        mask(&path, 16, 4, |x, _| codes[x as usize % 8]);
    }
    folder
}

/// A folder set of classes `a` (0, 3) and `b` (1), 9 ignored.
pub fn folder_set() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, around, code) in [("one", 0, 1), ("two", 9, 3), ("three", 1, 9)] {
        pair(folder.path(), name, around, code);
    }
    let classes = r#"{"mpp": 0.5, "classes": [
        {"name": "a", "codes": [0, 3], "colour": [1, 2, 3]},
        {"name": "b", "code": 1, "color": [4, 5, 6]},
        {"name": "unlabelled", "code": 9, "ignore": true}]}"#;
    std::fs::write(folder.path().join("classes.json"), classes).unwrap();
    folder
}

/// A set in memory of `classes` classes.
#[derive(Clone)]
pub struct Memory {
    table: ClassTable,
    pub items: Vec<Item>,
    pub images: Vec<Labelled>,
}

impl Memory {
    pub fn new(classes: u16) -> Self {
        let class = |code: u16| ClassInfo {
            name: format!("class {code}"),
            colour: [0; 3],
            codes: vec![code],
        };
        let classes = (0..classes).map(class).collect();
        Self {
            table: ClassTable::new("memory".into(), classes, Vec::new()).unwrap(),
            items: Vec::new(),
            images: Vec::new(),
        }
    }

    /// Adds an image of `side` px a side: the label of each px, and `10 · label + 5` as its red.
    pub fn add(&mut self, group: &str, side: usize, mpp: f64, label: impl Fn(usize, usize) -> u8) {
        let labels = (0..side * side).map(|i| label(i % side, i / side));
        let mask: Vec<u8> = labels.collect();
        let red = |label: &u8| [label.wrapping_mul(10).wrapping_add(5), 100, 100];
        self.images.push(Labelled {
            rgb: mask.iter().flat_map(red).collect(),
            mask,
            width: side,
            height: side,
            mpp,
        });
        self.items.push(Item {
            id: format!("item {:03}", self.items.len()),
            group: group.to_owned(),
            official: None,
            files: None,
            mpp,
            width: side,
            height: side,
        });
    }

    /// Adds an image of one px to `group`, of an official part.
    pub fn add_to(&mut self, group: &str, official: Option<Part>) {
        self.add(group, 1, 1.0, |_, _| 0);
        self.items.last_mut().unwrap().official = official;
    }
}

impl MaskSet for Memory {
    fn name(&self) -> &str {
        "memory"
    }
    fn classes(&self) -> &ClassTable {
        &self.table
    }
    fn items(&self) -> &[Item] {
        &self.items
    }
    fn read(&self, index: usize) -> Result<Labelled, SetError> {
        Ok(self.images[index].clone())
    }
    fn read_mask(&self, index: usize) -> Result<Mask, SetError> {
        let Labelled {
            mask,
            width,
            height,
            ..
        } = self.images[index].clone();
        let labels = mask;
        Ok(Mask {
            labels,
            width,
            height,
        })
    }
    fn provenance(&self) -> String {
        "memory".into()
    }
}

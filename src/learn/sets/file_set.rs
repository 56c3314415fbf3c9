//! A set whose items are files: what every official layout becomes once it is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::picture::{read_codes, read_rgb, size_px};
use super::{ClassTable, Item, ItemFiles, Labelled, Mask, MaskSet, Part, SetError};

/// Endings of pictures.
const PICTURES: [&str; 6] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff"];

/// An image and its mask, as a layout lists them.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Name of the item.
    pub id: String,
    /// What must stay together.
    pub group: String,
    /// The part that the authors put it in.
    pub official: Option<Part>,
    /// The files.
    pub files: ItemFiles,
    /// µm per px.
    pub mpp: f64,
}

/// What the numbers in masks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Codes of classes.
    Classes,
    /// Numbers of objects: every one above 0 is code 1.
    Instances,
}

/// Images and masks on disk.
#[derive(Debug, Clone)]
pub struct FileSet {
    name: String,
    folder: PathBuf,
    classes: ClassTable,
    codes: Codes,
    items: Vec<Item>,
}

impl FileSet {
    /// Reads the header of every file and checks that all is there and fits together.
    ///
    /// # Errors
    /// When nothing is listed, two items share a name, a header can't be read, a scale is none, or
    /// an image and its mask differ in size.
    pub fn new(
        name: &str,
        folder: &Path,
        classes: ClassTable,
        codes: Codes,
        listed: Vec<Listed>,
    ) -> Result<Self, SetError> {
        if listed.is_empty() {
            return Err(SetError::file(folder, "there is no image in it"));
        }
        let mut items: Vec<Item> = listed.into_iter().map(item).collect::<Result<_, _>>()?;
        items.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(two) = items.windows(2).find(|two| two[0].id == two[1].id) {
            return Err(SetError::Duplicate {
                place: folder.to_owned(),
                name: two[0].id.clone(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            classes,
            codes,
            items,
        })
    }

    fn item_and_files(&self, index: usize) -> Result<(&Item, &ItemFiles), SetError> {
        let item = self.items.get(index);
        let both = item.and_then(|item| Some((item, item.files.as_ref()?)));
        both.ok_or_else(|| SetError::no_item(index, self.items.len()))
    }
}

fn item(listed: Listed) -> Result<Item, SetError> {
    let ItemFiles { image, mask } = &listed.files;
    let (image_px, mask_px) = (size_px(image)?, size_px(mask)?);
    if image_px != mask_px {
        return Err(SetError::Size {
            image: image.clone(),
            image_px,
            mask: mask.clone(),
            mask_px,
        });
    }
    if !(0.01..=1000.0).contains(&listed.mpp) {
        let reason = format!("its scale is {} µm/px: expected 0.01 to 1000", listed.mpp);
        return Err(SetError::file(image, reason));
    }
    Ok(Item {
        id: listed.id,
        group: listed.group,
        official: listed.official,
        files: Some(listed.files),
        mpp: listed.mpp,
        width: image_px.0,
        height: image_px.1,
    })
}

impl MaskSet for FileSet {
    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> &ClassTable {
        &self.classes
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, index: usize) -> Result<Labelled, SetError> {
        let mask = self.read_mask(index)?;
        let (item, files) = self.item_and_files(index)?;
        let rgb = read_rgb(&files.image)?;
        if (rgb.width, rgb.height) != (mask.width, mask.height) {
            return Err(SetError::Size {
                image: files.image.clone(),
                image_px: (rgb.width, rgb.height),
                mask: files.mask.clone(),
                mask_px: (mask.width, mask.height),
            });
        }
        Ok(Labelled {
            rgb: rgb.data,
            mask: mask.labels,
            width: mask.width,
            height: mask.height,
            mpp: item.mpp,
        })
    }

    fn read_mask(&self, index: usize) -> Result<Mask, SetError> {
        let (_, files) = self.item_and_files(index)?;
        let mut mask = read_codes(&files.mask)?;
        if self.codes == Codes::Instances {
            mask.codes
                .iter_mut()
                .for_each(|code| *code = (*code).min(1));
        }
        Ok(Mask {
            labels: self.classes.labels(&mask.codes, &files.mask)?,
            width: mask.width,
            height: mask.height,
        })
    }

    fn provenance(&self) -> String {
        let groups: BTreeSet<&str> = self.items.iter().map(|item| item.group.as_str()).collect();
        format!(
            "{}: {} images of {} groups in {}, classes {}",
            self.name,
            self.items.len(),
            groups.len(),
            self.folder.display(),
            self.classes.names().join(", ")
        )
    }
}

/// The pictures of a folder by their name without its ending; hidden files are passed over.
///
/// # Errors
/// When the folder can't be read or two pictures differ in their ending alone.
pub fn pictures_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>, SetError> {
    let entries = std::fs::read_dir(folder).map_err(|error| SetError::file(folder, error))?;
    let mut pictures = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| SetError::file(folder, error))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let stem = without_ending(&name).to_owned();
        if name.starts_with('.') || stem == name {
            continue;
        }
        if pictures.insert(stem.clone(), path).is_some() {
            return Err(SetError::Duplicate {
                place: folder.to_owned(),
                name: stem,
            });
        }
    }
    Ok(pictures)
}

/// The name of a picture without its ending; names themselves may hold dots.
pub(super) fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if PICTURES.contains(&ending.to_lowercase().as_str()) => stem,
        _ => name,
    }
}

/// The images of a folder with the masks of equal names in another, by that name.
///
/// # Errors
/// Those of [`pictures_in`], and an image or mask without partner.
pub fn pairs(images: &Path, masks: &Path) -> Result<BTreeMap<String, ItemFiles>, SetError> {
    let (found, mut partners) = (pictures_in(images)?, pictures_in(masks)?);
    let mut pairs = BTreeMap::new();
    for (name, image) in found {
        let Some(mask) = partners.remove(&name) else {
            let expected = masks.join(format!("{name}.png"));
            return Err(SetError::Unpaired {
                path: image,
                expected,
            });
        };
        pairs.insert(name, ItemFiles { image, mask });
    }
    match partners.into_iter().next() {
        None => Ok(pairs),
        Some((name, path)) => Err(SetError::Unpaired {
            path,
            expected: images.join(format!("{name}.png")),
        }),
    }
}

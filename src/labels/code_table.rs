//! What the codes of a mask stand for where no file says it: as a person types it.

use serde::Serialize;

use super::class_table::{ClassTable, MOST_CLASSES, default_rgb};
use super::file::LabelFile;
use super::page::NOT_ANALYSED;

/// One code of a mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeRow {
    /// The number in the file.
    pub code: u16,
    /// What the person typed for it.
    pub name: String,
    /// Its colour, sRGB.
    #[serde(rename = "colour")]
    pub rgb: [u8; 3],
    /// Whether its px are left out, as if nobody had looked at them. Its name and colour don't
    /// matter then.
    #[serde(rename = "ignore")]
    pub is_ignored: bool,
}

/// The codes of a mask and what a person says that they are; it may be wrong at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeTable {
    rows: Vec<CodeRow>,
    palette: Vec<[u8; 3]>,
    /// Whether the mask has no other codes than those of the rows.
    is_all: bool,
}

#[derive(Serialize)]
struct Saved<'a> {
    classes: &'a [CodeRow],
}

impl CodeTable {
    /// The codes of a file whose classes nobody named, called `class 1` and so on, 255 left out.
    /// `None` where the file names its classes, or has more codes than a page has classes.
    pub fn of(file: &LabelFile) -> Option<Self> {
        let (codes, is_all) = file.codes_met();
        let mut table = Self {
            rows: Vec::new(),
            palette: file.palette().to_vec(),
            is_all,
        };
        let classes = codes.iter().filter(|code| !is_left_out(**code));
        if file.is_named() || classes.count() > MOST_CLASSES {
            return None;
        }
        codes.into_iter().for_each(|code| table.add(code));
        Some(table)
    }

    /// The codes, ascending.
    pub fn rows(&self) -> &[CodeRow] {
        &self.rows
    }

    /// Whether the mask has no other codes than those of the rows; else [`Self::add`] adds them.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// The row of a code, to change it.
    pub fn row_mut(&mut self, code: u16) -> Option<&mut CodeRow> {
        self.rows.iter_mut().find(|row| row.code == code)
    }

    /// Adds a row for a code that has none yet.
    pub fn add(&mut self, code: u16) {
        let Err(at) = self.rows.binary_search_by_key(&code, |row| row.code) else {
            return;
        };
        let row = numbered(code, &self.palette);
        self.rows.insert(at, row);
    }

    /// What is wrong with the row of an index, in words that stand beside it; `None` if nothing is.
    pub fn problem(&self, index: usize) -> Option<String> {
        let row = self.rows.get(index)?;
        if row.is_ignored {
            let none_left = self.rows.iter().all(|row| row.is_ignored);
            // A table that is not all of the mask has other classes.
            let is_wrong = none_left && self.is_all && index == 0;
            return is_wrong.then(|| "one code at least has to be a class".to_owned());
        }
        let name = plain(&row.name);
        if name.is_empty() {
            return Some("a class needs a name".to_owned());
        }
        let mut others = self.rows.iter().filter(|other| other.code != row.code);
        let same = others.find(|other| !other.is_ignored && plain(&other.name) == name)?;
        Some(format!("code {} is called so too", same.code))
    }

    /// The classes as they are typed; codes without a row stay `class 1` and so on.
    ///
    /// # Errors
    /// In words, when a row has a problem or there are more classes than a page can have.
    pub fn class_table(&self) -> Result<ClassTable, String> {
        let mut problems = (0..self.rows.len()).filter_map(|index| self.problem(index));
        if let Some(problem) = problems.next() {
            return Err(problem);
        }
        let mut rows = self.rows.clone();
        if !self.is_all {
            let listed = |code: &u16| self.rows.iter().any(|row| row.code == *code);
            let classes = rows.iter().filter(|row| !row.is_ignored).count();
            let others = (0..MOST_CLASSES as u16).filter(|code| !listed(code));
            let others = others.take(MOST_CLASSES.saturating_sub(classes));
            rows.extend(others.map(|code| numbered(code, &self.palette)));
        }
        ClassTable::of_codes(&rows)
    }

    /// The rows as JSON, which [`ClassTable::load`] reads from a `.json` file.
    ///
    /// # Errors
    /// In words, where [`Self::class_table`] fails or there is no row.
    pub fn to_json(&self) -> Result<String, String> {
        self.class_table()?;
        ClassTable::of_codes(&self.rows)?;
        let trimmed = |row: &CodeRow| CodeRow {
            name: row.name.trim().to_owned(),
            ..row.clone()
        };
        let classes: Vec<CodeRow> = self.rows.iter().map(trimmed).collect();
        let text = serde_json::to_string_pretty(&Saved { classes: &classes });
        text.map(|text| text + "\n")
            .map_err(|error| error.to_string())
    }
}

/// Names that differ in case or in blanks around them are the same class.
fn plain(name: &str) -> String {
    name.trim().to_lowercase()
}

fn is_left_out(code: u16) -> bool {
    code == u16::from(NOT_ANALYSED)
}

/// What a code is as long as nobody said anything of it.
fn numbered(code: u16, palette: &[[u8; 3]]) -> CodeRow {
    let index = usize::from(code);
    let rgb = palette.get(index).copied();
    CodeRow {
        code,
        name: format!("class {code}"),
        rgb: rgb.unwrap_or_else(|| default_rgb(index)),
        is_ignored: is_left_out(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::file_tests::slide;
    use crate::labels::{FAILED, LabelSource as _, PageId};

    /// A mask of 6 x 5 px with these codes by turns.
    fn mask(folder: &std::path::Path, codes: &[u8]) -> LabelFile {
        let path = folder.join("mask.png");
        let code = |x: u32, y: u32| image::Luma([codes[(y * 6 + x) as usize % codes.len()]]);
        image::GrayImage::from_fn(6, 5, code).save(&path).unwrap();
        LabelFile::open(&path, &slide((600, 500), None), None).unwrap()
    }

    fn first_codes(file: &LabelFile, count: u32) -> Vec<u8> {
        let id = PageId {
            level: 0,
            col: 0,
            row: 0,
        };
        let page = file.read_page(id).unwrap();
        (0..count).map(|x| page.texel(x, 0).code).collect()
    }

    fn names(file: &LabelFile) -> Vec<&str> {
        file.classes()
            .iter()
            .map(|class| class.name.as_str())
            .collect()
    }

    #[test]
    fn names_and_what_is_left_out_reach_the_pages_and_come_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = mask(folder.path(), &[0, 1, 40, 255]);
        assert!(!file.is_named());
        let mut table = CodeTable::of(&file).unwrap();
        let codes: Vec<(u16, bool)> = table
            .rows()
            .iter()
            .map(|r| (r.code, r.is_ignored))
            .collect();
        assert_eq!(codes, [(0, false), (1, false), (40, false), (255, true)]);
        let numbered = file.with_table(&table.class_table().unwrap());
        assert_eq!(names(&numbered), ["class 0", "class 1", "class 40"]);
        assert_eq!(first_codes(&numbered, 4), [0, 1, 2, 255]);

        table.row_mut(0).unwrap().is_ignored = true;
        table.row_mut(1).unwrap().name = " tumor ".into();
        table.row_mut(1).unwrap().rgb = [7, 8, 9];
        let named = numbered.with_table(&table.class_table().unwrap());
        assert_eq!(names(&named), ["tumor", "class 40"]);
        assert_eq!(named.classes()[0].rgb, [7, 8, 9]);
        assert_eq!(first_codes(&named, 4), [255, 0, 1, 255]);
        assert!(!named.has_pages_of(&numbered));
        table.row_mut(40).unwrap().name = "fat".into();
        let other_name = named.with_table(&table.class_table().unwrap());
        assert!(other_name.has_pages_of(&named), "a name moves no px");

        let path = folder.path().join("classes.json");
        std::fs::write(&path, table.to_json().unwrap()).unwrap();
        let loaded = ClassTable::load(&path).unwrap();
        assert_eq!(loaded, table.class_table().unwrap());
        let again = LabelFile::open(
            &folder.path().join("mask.png"),
            &slide((600, 500), None),
            Some(&loaded),
        );
        let again = again.unwrap();
        assert_eq!(first_codes(&again, 4), [255, 0, 1, 255]);
        assert!(again.is_named() && CodeTable::of(&again).is_none());
    }

    #[test]
    fn empty_and_equal_names_are_refused_in_words_unless_they_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = CodeTable::of(&mask(folder.path(), &[3, 5])).unwrap();
        table.row_mut(5).unwrap().name = " CLASS 3".into();
        assert_eq!(table.problem(0).unwrap(), "code 5 is called so too");
        assert_eq!(table.problem(1).unwrap(), "code 3 is called so too");
        assert!(table.class_table().is_err() && table.to_json().is_err());
        table.row_mut(5).unwrap().name = "  ".into();
        assert_eq!(table.problem(0), None);
        assert_eq!(table.problem(1).unwrap(), "a class needs a name");
        table.row_mut(5).unwrap().is_ignored = true;
        assert_eq!(table.problem(1), None);
        assert_eq!(table.class_table().unwrap().classes().len(), 1);
        table.row_mut(3).unwrap().is_ignored = true;
        let refused = table.class_table().unwrap_err();
        assert!(refused.contains("has to be a class"), "{refused}");
    }

    #[test]
    fn codes_beyond_the_numbered_ones_and_codes_that_were_added_are_classes() {
        let folder = tempfile::tempdir().unwrap();
        let file = mask(folder.path(), &[0, FAILED]);
        let mut table = CodeTable::of(&file).unwrap();
        assert_eq!(first_codes(&file, 2), [0, FAILED]);
        let shown = file.with_table(&table.class_table().unwrap());
        assert_eq!(first_codes(&shown, 2), [0, 1]);
        table.add(9);
        table.add(9);
        let codes: Vec<u16> = table.rows().iter().map(|row| row.code).collect();
        assert_eq!(codes, [0, 9, u16::from(FAILED)]);

        table.is_all = false;
        let classes = table.class_table().unwrap();
        assert_eq!(classes.classes().len(), MOST_CLASSES);
        assert_eq!(classes.classes()[3].name, "class 1");
        let saved: serde_json::Value = serde_json::from_str(&table.to_json().unwrap()).unwrap();
        assert_eq!(saved["classes"].as_array().unwrap().len(), 3);
    }
}

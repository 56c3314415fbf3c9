//! Which codes of a mask are which class, as a file beside it says.

use std::path::Path;

use serde::Deserialize;

use super::LabelClass;
use super::code_table::CodeRow;
use super::error::LabelError;
use super::page::{FAILED, NOT_ANALYSED};

/// Codes that a class may have; those from here on mean something else in a page.
pub(super) const MOST_CLASSES: usize = FAILED as usize;

/// A file of a few hundred classes is far shorter, bytes.
const MOST_BYTES: u64 = 4 << 20;

/// Colours that the colour-blind tell apart (Okabe and Ito, 2008), for classes without one.
const COLOURS: [[u8; 3]; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
];

/// Codes of a mask and what they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassTable {
    classes: Vec<LabelClass>,
    /// Codes and the class of each; `None` is left out.
    codes: Vec<(u16, Option<u8>)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Codes {
    One(u16),
    Many(Vec<u16>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Colour {
    Rgb([u8; 3]),
    Text(String),
}

#[derive(Deserialize)]
struct Row {
    name: String,
    #[serde(alias = "code")]
    codes: Codes,
    #[serde(alias = "color", alias = "rgb")]
    colour: Option<Colour>,
    #[serde(default)]
    ignore: bool,
}

#[derive(Deserialize)]
struct ClassFile {
    #[serde(alias = "class")]
    classes: Vec<Row>,
}

impl ClassTable {
    /// Reads a table: CSV with the columns code, name and colour (`#d55e00`); TOML with
    /// `[[class]]`; or JSON, a list or with `classes`, such as the report of `parfocal segment`.
    /// TOML and JSON may give several `codes` for a class, and `ignore = true`.
    ///
    /// # Errors
    /// When the file can't be read or understood, gives a code twice, or has no class or more
    /// than 253.
    pub fn load(path: &Path) -> Result<Self, LabelError> {
        let wrong = |reason: String| LabelError::new(path, reason);
        let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
        if length.len() > MOST_BYTES {
            return Err(wrong("too long for a table of classes".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let kind = path.extension().unwrap_or_default().to_ascii_lowercase();
        let rows = match kind.to_str() {
            Some("json") => from_json(&text),
            Some("csv") => from_csv(&text),
            _ => toml::from_str(&text)
                .map(|file: ClassFile| file.classes)
                .map_err(|error| error.to_string()),
        };
        rows.and_then(Self::from_rows).map_err(wrong)
    }

    /// The table in the JSON that this program writes into a label map's description; colours
    /// are those of the file's palette.
    pub(super) fn from_description(text: &str, palette: &[[u8; 3]]) -> Option<Self> {
        let mut table = Self::from_rows(from_json(text).ok()?).ok()?;
        for (code, index) in &table.codes {
            if let (Some(index), Some(rgb)) = (index, palette.get(usize::from(*code))) {
                table.classes[usize::from(*index)].rgb = *rgb;
            }
        }
        Some(table)
    }

    /// `count` classes called `class 0`, `class 1`, …, in the colours of `palette` and others
    /// beyond it.
    pub(super) fn numbered(count: usize, palette: &[[u8; 3]]) -> Self {
        let count = count.clamp(1, MOST_CLASSES);
        let class = |code: usize| LabelClass {
            name: format!("class {code}"),
            rgb: palette
                .get(code)
                .copied()
                .unwrap_or_else(|| default_rgb(code)),
        };
        Self {
            classes: (0..count).map(class).collect(),
            codes: (0..count)
                .map(|code| (code as u16, Some(code as u8)))
                .collect(),
        }
    }

    /// The classes of single codes.
    pub(super) fn of_codes(rows: &[CodeRow]) -> Result<Self, String> {
        let row = |row: &CodeRow| Row {
            name: row.name.trim().to_owned(),
            codes: Codes::One(row.code),
            colour: Some(Colour::Rgb(row.rgb)),
            ignore: row.is_ignored,
        };
        Self::from_rows(rows.iter().map(row).collect())
    }

    fn from_rows(rows: Vec<Row>) -> Result<Self, String> {
        let mut table = Self {
            classes: Vec::new(),
            codes: Vec::new(),
        };
        for row in rows {
            table.add(row)?;
        }
        match table.classes.len() {
            0 => Err("it names no class".to_owned()),
            1..=MOST_CLASSES => Ok(table),
            many => Err(format!("{many} classes are more than {MOST_CLASSES}")),
        }
    }

    fn add(&mut self, row: Row) -> Result<(), String> {
        let index = (!row.ignore).then_some(self.classes.len() as u8);
        let codes = match row.codes {
            Codes::One(code) => vec![code],
            Codes::Many(codes) => codes,
        };
        for code in codes {
            if self.codes.iter().any(|(known, _)| *known == code) {
                return Err(format!("code {code} is given twice"));
            }
            self.codes.push((code, index));
        }
        if index.is_some() {
            let rgb = match row.colour {
                Some(Colour::Rgb(rgb)) => rgb,
                Some(Colour::Text(text)) => rgb_of(&text)?,
                None => default_rgb(self.classes.len()),
            };
            let name = row.name;
            self.classes.push(LabelClass { name, rgb });
        }
        Ok(())
    }

    /// The classes, without those left out.
    pub fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    /// What each 16-bit code is in a page: an index of [`Self::classes`], or
    /// [`NOT_ANALYSED`] for what is left out and for 255, or [`FAILED`] for what is not named.
    pub(super) fn look_up(&self) -> Vec<u8> {
        let mut to_page = vec![FAILED; usize::from(u16::MAX) + 1];
        to_page[usize::from(NOT_ANALYSED)] = NOT_ANALYSED;
        for (code, index) in &self.codes {
            to_page[usize::from(*code)] = index.unwrap_or(NOT_ANALYSED);
        }
        to_page
    }
}

/// A colour for the class of an index: different for neighbours.
pub fn default_rgb(index: usize) -> [u8; 3] {
    let darker = 1 + index / COLOURS.len() % 4;
    COLOURS[index % COLOURS.len()].map(|c| (usize::from(c) * 2 / (darker + 1)) as u8)
}

fn from_json(text: &str) -> Result<Vec<Row>, String> {
    let rows = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|file: ClassFile| file.classes)
    };
    rows.map_err(|error| error.to_string())
}

fn from_csv(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let code = record.get(0).unwrap_or_default().parse();
        let (Ok(code), Some(name)) = (code, record.get(1)) else {
            if line == 0 {
                continue; // The names of the columns.
            }
            return Err(format!("line {}: expected code,name,colour", line + 1));
        };
        rows.push(Row {
            name: name.to_owned(),
            codes: Codes::One(code),
            colour: record.get(2).map(|text| Colour::Text(text.to_owned())),
            ignore: false,
        });
    }
    Ok(rows)
}

/// `#d55e00`, with or without the mark.
fn rgb_of(text: &str) -> Result<[u8; 3], String> {
    let digits = text.trim().trim_start_matches('#');
    let value = u32::from_str_radix(digits, 16).ok();
    match value.filter(|_| digits.len() == 6) {
        Some(value) => Ok([(value >> 16) as u8, (value >> 8) as u8, value as u8]),
        None => Err(format!("'{text}' is no colour such as #d55e00")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, text: &str) -> Result<ClassTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        ClassTable::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_table_in_three_forms() {
        let csv = load(
            "t.csv",
            "code,name,colour\n31,grey,#56b4e9\n63,white,f0e442\n",
        )
        .unwrap();
        let toml = "[[class]]\nname = 'grey'\ncode = 31\ncolour = [86, 180, 233]\n\
                    [[class]]\nname = 'white'\ncodes = [63]\ncolour = [240, 228, 66]\n";
        let json = r##"{"format": "x", "classes": [
            {"code": 31, "name": "grey", "rgb": [86, 180, 233], "px": 7},
            {"code": 63, "name": "white", "color": "#f0e442"}]}"##;
        assert_eq!(csv, load("t.toml", toml).unwrap());
        assert_eq!(csv, load("t.json", json).unwrap());
        let to_page = csv.look_up();
        let page = [0, 31, 63, 255, 300].map(|code: usize| to_page[code]);
        assert_eq!(page, [FAILED, 0, 1, NOT_ANALYSED, FAILED]);
    }

    #[test]
    fn what_is_left_out_is_not_analysed() {
        let table = load(
            "t.json",
            r#"[{"name": "glass", "codes": [0, 9], "ignore": true}, {"name": "a", "code": 255}]"#,
        );
        let table = table.unwrap();
        let to_page = table.look_up();
        assert_eq!([to_page[0], to_page[9], to_page[255]], [255, 255, 0]);
        assert_eq!(table.classes().len(), 1);
        assert_eq!(table.classes()[0].rgb, COLOURS[0]);
    }

    #[test]
    fn tables_that_can_not_be_are_refused_in_words() {
        for (name, text, expected) in [
            ("t.csv", "0,a\n0,b\n", "t.csv: code 0 is given twice"),
            ("t.csv", "0,a\nb,1\n", "line 2: expected code,name,colour"),
            ("t.csv", "0,a,red\n", "'red' is no colour"),
            ("t.json", "{\"classes\": []}", "names no class"),
            ("t.json", "{", "EOF"),
            ("t.toml", "[[class]]\nname = 'a'\n", "codes"),
        ] {
            let refused = load(name, text).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        let many: String = (0..300).map(|n| format!("{n},c{n}\n")).collect();
        assert!(load("t.csv", &many).unwrap_err().contains("300 classes"));
    }
}

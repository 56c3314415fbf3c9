//! Which codes of a mask are which class, as a settings file says.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{IGNORE, SetError};
use crate::slide::phantom::Tissue;

/// Indices stay below [`IGNORE`].
const MOST_CLASSES: usize = 254;

/// Marks an unknown code in a look-up table; [`IGNORE`] marks a code that is left out.
const UNKNOWN: u16 = 256;

/// Colour of ignored codes without one of their own.
const GREY: [u8; 3] = [60, 60, 60];

/// The class tables that ship, by name.
const SHIPPED: [(&str, &str); 5] = [
    ("bcss", include_str!("../../../assets/classes/bcss.toml")),
    ("crag", include_str!("../../../assets/classes/crag.toml")),
    ("bdsa", include_str!("../../../assets/classes/bdsa.toml")),
    (
        "kidney",
        include_str!("../../../assets/classes/kidney.toml"),
    ),
    (
        "cortex",
        include_str!("../../../assets/classes/cortex.toml"),
    ),
];

/// One class and the codes that stand for it in masks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassInfo {
    /// Name, as in weights, bias files and reports.
    pub name: String,
    /// Palette colour, sRGB.
    pub colour: [u8; 3],
    /// Codes in masks.
    pub codes: Vec<u16>,
}

/// Scored classes in index order, and codes that are left out. A class that is ignored has no
/// index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassTable {
    name: String,
    classes: Vec<ClassInfo>,
    ignored: Vec<ClassInfo>,
}

/// A settings file of classes, TOML (`[[class]]`) or JSON (`classes`, or the bare list).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassFile {
    name: Option<String>,
    /// µm per px of the images, where the file describes a folder set.
    pub mpp: Option<f64>,
    #[serde(alias = "class")]
    classes: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(alias = "code")]
    codes: Codes,
    #[serde(alias = "color")]
    colour: Option<[u8; 3]>,
    #[serde(default)]
    ignore: bool,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "codes must be a whole number from 0 to 65535 or a list of them"
)]
enum Codes {
    One(u16),
    Many(Vec<u16>),
}

impl ClassFile {
    /// Reads a file ending in `.json` as JSON, any other as TOML.
    pub fn read(path: &Path) -> Result<Self, SetError> {
        let text = std::fs::read_to_string(path).map_err(|error| SetError::file(path, error))?;
        let json = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let parsed = if json {
            from_json(&text)
        } else {
            from_toml(&text)
        };
        parsed.map_err(|reason| SetError::file(path, reason))
    }

    /// The table, called `default_name` where the file gives no name.
    pub fn table(self, default_name: &str) -> Result<ClassTable, SetError> {
        let name = self.name.unwrap_or_else(|| default_name.to_owned());
        let (mut classes, mut ignored) = (Vec::new(), Vec::new());
        for row in self.classes {
            let codes = match row.codes {
                Codes::One(code) => vec![code],
                Codes::Many(codes) => codes,
            };
            let Some(colour) = row.colour.or(row.ignore.then_some(GREY)) else {
                let reason = format!("class '{}' needs a colour such as [213, 94, 0]", row.name);
                return Err(SetError::Classes {
                    table: name,
                    reason,
                });
            };
            let to = if row.ignore {
                &mut ignored
            } else {
                &mut classes
            };
            to.push(ClassInfo {
                name: row.name,
                colour,
                codes,
            });
        }
        ClassTable::new(name, classes, ignored)
    }
}

fn from_toml(text: &str) -> Result<ClassFile, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn from_json(text: &str) -> Result<ClassFile, String> {
    if text.trim_start().starts_with('[') {
        let classes = serde_json::from_str(text).map_err(|error| error.to_string())?;
        return Ok(ClassFile {
            name: None,
            mpp: None,
            classes,
        });
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The same error of a table that came from a file: it is what has to be mended, so it is named.
pub(super) fn in_file(error: SetError, path: &Path) -> SetError {
    match error {
        SetError::Classes { reason, .. } => SetError::Classes {
            table: path.display().to_string(),
            reason,
        },
        other => other,
    }
}

impl ClassTable {
    /// A table of `classes` in index order and `ignored` codes.
    ///
    /// # Errors
    /// With fewer than two classes or more than 254, a name or code given twice, or a class
    /// without name or code.
    pub fn new(
        name: String,
        classes: Vec<ClassInfo>,
        ignored: Vec<ClassInfo>,
    ) -> Result<Self, SetError> {
        let table = Self {
            name,
            classes,
            ignored,
        };
        match table.wrong() {
            None => Ok(table),
            Some(reason) => Err(SetError::Classes {
                table: table.name,
                reason,
            }),
        }
    }

    /// The table in the settings file at `path`, TOML or JSON; see `assets/classes`.
    ///
    /// # Errors
    /// When the file can't be read or understood, and those of [`Self::new`].
    pub fn read(path: &Path) -> Result<Self, SetError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let table = ClassFile::read(path)?.table(&name);
        table.map_err(|error| in_file(error, path))
    }

    /// One of the tables that ship: bcss, crag, bdsa, kidney, cortex.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn shipped(name: &str) -> Result<Self, SetError> {
        let wrong = |reason: String| SetError::Classes {
            table: name.to_owned(),
            reason,
        };
        let found = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
        let (_, text) = found.ok_or_else(|| wrong("there is no such table".to_owned()))?;
        from_toml(text).map_err(wrong)?.table(name)
    }

    /// The classes of a phantom tissue; codes are its class indices.
    ///
    /// # Errors
    /// None for the tissues there are.
    pub fn of_tissue(tissue: Tissue) -> Result<Self, SetError> {
        let all = tissue.classes().iter().zip(0_u16..);
        let (ignored, scored): (Vec<_>, Vec<_>) = all.partition(|(class, _)| class.ignore);
        let info = |(class, code): (&crate::slide::phantom::ClassInfo, u16)| ClassInfo {
            name: class.name.to_owned(),
            colour: class.rgb,
            codes: vec![code],
        };
        Self::new(
            format!("phantom {}", tissue.name()),
            scored.into_iter().map(info).collect(),
            ignored.into_iter().map(info).collect(),
        )
    }

    fn wrong(&self) -> Option<String> {
        if !(2..=MOST_CLASSES).contains(&self.classes.len()) {
            let count = self.classes.len();
            return Some(format!(
                "it has {count} scored classes; a model tells 2 to {MOST_CLASSES} apart"
            ));
        }
        let (mut names, mut codes) = (Vec::new(), Vec::new());
        for class in self.classes.iter().chain(&self.ignored) {
            if class.name.trim().is_empty() || class.codes.is_empty() {
                return Some(format!("class '{}' needs a name and a code", class.name));
            }
            if names.contains(&&class.name) {
                return Some(format!("two classes are called '{}'", class.name));
            }
            names.push(&class.name);
            for code in &class.codes {
                if codes.contains(&code) {
                    return Some(format!("code {code} is given twice"));
                }
                codes.push(code);
            }
        }
        None
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scored classes, in index order.
    pub fn classes(&self) -> &[ClassInfo] {
        &self.classes
    }

    /// What is left out of every loss and score.
    pub fn ignored(&self) -> &[ClassInfo] {
        &self.ignored
    }

    /// Number of scored classes, K.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// Names of the scored classes, in index order.
    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|c| c.name.clone()).collect()
    }

    /// Every known code, ascending.
    fn known(&self) -> String {
        let all = self.classes.iter().chain(&self.ignored);
        let mut codes: Vec<u16> = all.flat_map(|class| class.codes.iter().copied()).collect();
        codes.sort_unstable();
        let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
        codes.join(", ")
    }

    /// Codes of the mask `path` to class indices, [`IGNORE`] for ignored codes.
    ///
    /// # Errors
    /// When there are codes that the table does not have: each with the number of its px.
    pub fn labels(&self, codes: &[u16], path: &Path) -> Result<Vec<u8>, SetError> {
        let mut table = vec![UNKNOWN; usize::from(u16::MAX) + 1];
        for (index, class) in (0_u16..).zip(&self.classes) {
            class
                .codes
                .iter()
                .for_each(|code| table[usize::from(*code)] = index);
        }
        for class in &self.ignored {
            let ignore = u16::from(IGNORE);
            class
                .codes
                .iter()
                .for_each(|code| table[usize::from(*code)] = ignore);
        }
        let mut labels = vec![0; codes.len()];
        let mut unknown = std::collections::BTreeMap::new();
        for (label, &code) in labels.iter_mut().zip(codes) {
            match u8::try_from(table[usize::from(code)]) {
                Ok(index) => *label = index,
                Err(_) => *unknown.entry(code).or_insert(0_u64) += 1,
            }
        }
        if unknown.is_empty() {
            return Ok(labels);
        }
        Err(SetError::UnknownCodes {
            path: path.to_owned(),
            codes: unknown.into_iter().collect(),
            table: self.name.clone(),
            known: self.known(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_that_ship_hold_every_code_of_their_sets() {
        let labels = |name: &str, codes: &[u16]| {
            let table = ClassTable::shipped(name).unwrap();
            table.labels(codes, Path::new("m.png")).unwrap()
        };
        let bcss: Vec<u16> = (0..22).collect();
        let i = IGNORE;
        let five = [
            i, 0, 1, 2, 3, 4, 4, i, 4, 4, 2, 2, 4, 4, 4, i, 4, 4, 4, 0, 0, 4,
        ];
        assert_eq!(labels("bcss", &bcss), five);
        let bdsa = [0, 31, 63, 95, 127, 191, 197, 255];
        assert_eq!(labels("bdsa", &bdsa), [0, 1, 2, 3, 4, i, i, i]);
        assert_eq!(labels("crag", &[0, 1]), [0, 1]);
        assert_eq!(labels("kidney", &[1, 0]), [1, 0]);
        assert_eq!(labels("cortex", &[0, 1, 7]), [i, 0, 6]);
        assert!(ClassTable::shipped("liver").is_err());
    }

    #[test]
    fn phantom_tables_are_those_of_the_tissues() {
        let brain = ClassTable::of_tissue(Tissue::Brain).unwrap();
        assert_eq!(
            (brain.count(), brain.ignored()[0].name.as_str()),
            (5, "exclude")
        );
        let breast = ClassTable::of_tissue(Tissue::Breast).unwrap();
        let labels = breast.labels(&[0, 1, 5], Path::new("p")).unwrap();
        assert_eq!(labels, [IGNORE, 0, 4]);
        // The phantoms stand for the real sets: names and colours agree.
        for (tissue, name) in [(brain, "bdsa"), (breast, "bcss")] {
            let real = ClassTable::shipped(name).unwrap();
            let looks = |t: &ClassTable| -> Vec<_> {
                t.classes()
                    .iter()
                    .map(|c| (c.name.clone(), c.colour))
                    .collect()
            };
            assert_eq!(looks(&tissue), looks(&real));
        }
    }

    #[test]
    fn unknown_codes_are_named_with_their_number_of_px() {
        let table = ClassTable::shipped("bcss").unwrap();
        let error = table
            .labels(&[1, 22, 22, 300, 0], Path::new("masks/a.png"))
            .unwrap_err();
        let words = error.to_string();
        assert!(
            words.starts_with("masks/a.png: codes 22 (2 px), 300 (1 px) are no class of 'bcss'"),
            "{words}"
        );
        assert!(words.ends_with("20, 21"), "{words}");
    }

    #[test]
    fn tables_that_can_not_be_are_refused() {
        let table = |text: &str| from_json(text)?.table("t").map_err(|e| e.to_string());
        let class = |name: &str, code: &str| {
            format!(r#"{{"name": "{name}", "code": {code}, "colour": [1, 2, 3]}}"#)
        };
        let list = |rows: &[String]| table(&format!("[{}]", rows.join(", ")));
        let two = [class("a", "[0, 3]"), class("b", "1")];
        assert_eq!(list(&two).unwrap().classes()[0].codes, [0, 3]);
        for (rows, expected) in [
            (vec![class("a", "0")], "it has 1 scored classes"),
            (
                vec![class("a", "0"), class("a", "1")],
                "two classes are called 'a'",
            ),
            (
                vec![class("a", "0"), class("b", "0")],
                "code 0 is given twice",
            ),
            (
                vec![class("a", "[]"), class("b", "0")],
                "needs a name and a code",
            ),
            (
                vec![class("a", "70000"), class("b", "0")],
                "from 0 to 65535",
            ),
            (
                vec![r#"{"name": "a", "code": 1}"#.to_owned(), class("b", "0")],
                "needs a colour",
            ),
            (vec![r#"{"title": "a", "code": 1}"#.to_owned()], "title"),
        ] {
            let refused = list(&rows).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}

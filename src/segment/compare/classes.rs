//! Which classes of two maps are the same.

use super::CompareError;
use crate::labels::{FAILED, LabelClass};

/// Classes of two maps under one set of codes. Two are the same when their names are, whatever
/// their case and the space around them; no other class is a match for one that only one map has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassMatch {
    /// Names by code: of the first map's classes in their order, then of those that only the
    /// second has.
    pub names: Vec<String>,
    /// Names of classes that only the first map has.
    pub only_first: Vec<String>,
    /// Names of classes that only the second map has.
    pub only_second: Vec<String>,
    first: [u8; 256],
    second: [u8; 256],
}

impl ClassMatch {
    /// Matches classes by name.
    ///
    /// # Errors
    /// When both maps have more different classes than there are codes.
    pub fn by_name(first: &[LabelClass], second: &[LabelClass]) -> Result<Self, CompareError> {
        let mut names: Vec<String> = first.iter().map(|class| class.name.clone()).collect();
        let mut places = Vec::new();
        for class in second {
            let known = names.iter().position(|name| is_same(name, &class.name));
            places.push(known.unwrap_or(names.len()));
            if known.is_none() {
                names.push(class.name.clone());
            }
        }
        let (count, most) = (names.len(), usize::from(FAILED));
        if count > most {
            return Err(CompareError::Classes { count, most });
        }
        let of_first: Vec<usize> = (0..first.len()).collect();
        let only_first = of_first.iter().filter(|place| !places.contains(place));
        Ok(Self {
            only_first: only_first.map(|place| names[*place].clone()).collect(),
            only_second: names[first.len()..].to_vec(),
            first: table(&of_first),
            second: table(&places),
            names,
        })
    }

    /// The common code of each code of the first map.
    pub fn of_first(&self) -> &[u8; 256] {
        &self.first
    }

    /// The common code of each code of the second map.
    pub fn of_second(&self) -> &[u8; 256] {
        &self.second
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Common codes by own code: codes of no class that is named count as failed, those that are no
/// classes stay.
fn table(places: &[usize]) -> [u8; 256] {
    let common = |code: u8| match places.get(usize::from(code)) {
        Some(place) => *place as u8,
        None => code.max(FAILED),
    };
    std::array::from_fn(|code| common(code as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{NOT_ANALYSED, UNKNOWN};

    fn classes(names: &[&str]) -> Vec<LabelClass> {
        let class = |name: &&str| LabelClass {
            name: (*name).to_owned(),
            rgb: [0; 3],
        };
        names.iter().map(class).collect()
    }

    #[test]
    fn classes_are_the_same_by_name_alone() {
        let (first, second) = (
            classes(&["Tumor", "stroma", "fat"]),
            classes(&["vessel", " STROMA", "tumor ", "nerve"]),
        );
        let matched = ClassMatch::by_name(&first, &second).unwrap();
        assert_eq!(
            matched.names,
            ["Tumor", "stroma", "fat", "vessel", "nerve"].map(str::to_owned)
        );
        assert_eq!(matched.only_first, ["fat"]);
        assert_eq!(matched.only_second, ["vessel", "nerve"]);
        assert_eq!(matched.of_second()[..5], [3, 1, 0, 4, FAILED]);
        assert_eq!(matched.of_first()[..4], [0, 1, 2, FAILED]);
        for code in [FAILED, UNKNOWN, NOT_ANALYSED] {
            assert_eq!(matched.of_second()[usize::from(code)], code);
        }
    }

    #[test]
    fn more_classes_than_codes_are_refused() {
        let names: Vec<String> = (0..253).map(|n| n.to_string()).collect();
        let many = classes(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ClassMatch::by_name(&many, &many[..9]).is_ok());
        let refused = ClassMatch::by_name(&many, &classes(&["other"])).unwrap_err();
        assert!(refused.to_string().contains("254 different classes"));
    }
}

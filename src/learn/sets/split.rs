//! Parts that share no patient, slide or region.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Item, MaskSet, Part, SetError};

/// Indices of items, ascending in each part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// Weights are fitted to these.
    pub training: Vec<usize>,
    /// Settings are chosen on these.
    pub validation: Vec<usize>,
    /// Looked at once, at the end.
    pub test: Vec<usize>,
}

/// How much of a set goes where. Official parts come first: a set with an official test (or
/// validation) part keeps it as it is, and only what is free is shared out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Share of the free groups that become validation, 0–0.9.
    pub validation: f64,
    /// Share of the free groups that become test where there is no official test, 0–0.9.
    pub test: f64,
    /// Which groups: the order is a hash of this and the group's name, whatever the set's size.
    pub seed: u64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            validation: 0.2,
            test: 0.0,
            seed: 0,
        }
    }
}

/// Folds for cross-validation: each group is in the test part of one of them. Official parts are
/// not regarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoldConfig {
    /// Number of folds; 0 leaves out one group at a time.
    pub folds: usize,
    /// Share of each fold's other groups that become validation, 0–0.9.
    pub validation: f64,
    /// Whether validation is drawn by items instead of groups: where there are too few groups.
    /// It then is of patients that are trained on, and tells too good a story; test never is.
    pub validation_by_item: bool,
    /// Which groups, as in [`SplitConfig`].
    pub seed: u64,
}

impl Default for FoldConfig {
    fn default() -> Self {
        Self {
            folds: 0,
            validation: 0.2,
            validation_by_item: false,
            seed: 0,
        }
    }
}

impl Split {
    /// The items of a part.
    pub fn part(&self, part: Part) -> &[usize] {
        match part {
            Part::Training => &self.training,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    fn push(&mut self, part: Part, index: usize) {
        match part {
            Part::Training => self.training.push(index),
            Part::Validation => self.validation.push(index),
            Part::Test => self.test.push(index),
        }
    }

    /// Checks that no group has items in two parts.
    ///
    /// # Errors
    /// The first group that has.
    pub fn check_leaks(&self, items: &[Item]) -> Result<(), SetError> {
        self.check_between(items, &[Part::Training, Part::Validation, Part::Test])
    }

    fn check_between(&self, items: &[Item], parts: &[Part]) -> Result<(), SetError> {
        let mut seen: BTreeMap<&str, Part> = BTreeMap::new();
        for &part in parts {
            for item in self.part(part).iter().filter_map(|index| items.get(*index)) {
                let first = *seen.entry(item.group.as_str()).or_insert(part);
                if first != part {
                    return Err(SetError::Leak {
                        group: item.group.clone(),
                        first,
                        second: part,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Splits a set by its official parts and, for the rest, by groups.
///
/// # Errors
/// When a share is out of range, an official split tears a group apart, or a part that is wanted
/// is empty.
pub fn split(set: &dyn MaskSet, config: &SplitConfig) -> Result<Split, SetError> {
    check_share("validation", config.validation)?;
    check_share("test", config.test)?;
    let items = set.items();
    let has = |part: Part| items.iter().any(|item| item.official == Some(part));
    let share = |part: Part, share: f64| if has(part) { 0.0 } else { share };
    let fixed = official_groups(items)?;
    // An official training part is free where validation has still to be taken from it.
    let free = fixed.iter().filter(|(_, part)| part.is_none());
    let free = free.map(|(group, _)| *group).collect();
    let shares = [
        (Part::Test, share(Part::Test, config.test)),
        (Part::Validation, share(Part::Validation, config.validation)),
    ];
    let drawn = shared_out(free, &shares, config.seed);
    let mut split = Split::default();
    for (index, item) in items.iter().enumerate() {
        let own = kept_away(item).or_else(|| drawn.get(item.group.as_str()).copied());
        split.push(own.unwrap_or(Part::Training), index);
    }
    split.check_leaks(items)?;
    let wanted = [
        (Part::Training, true),
        (
            Part::Validation,
            config.validation > 0.0 || has(Part::Validation),
        ),
        (Part::Test, config.test > 0.0 || has(Part::Test)),
    ];
    check_parts(set, &split, &wanted)?;
    Ok(split)
}

/// Folds of a set by groups.
///
/// # Errors
/// When there are fewer groups than folds or than two, a share is out of range, or a part that is
/// wanted is empty.
pub fn folds(set: &dyn MaskSet, config: &FoldConfig) -> Result<Vec<Split>, SetError> {
    check_share("validation", config.validation)?;
    let groups: BTreeSet<&str> = set.items().iter().map(|item| item.group.as_str()).collect();
    let groups = ordered(groups.into_iter().collect(), config.seed);
    let count = if config.folds == 0 {
        groups.len()
    } else {
        config.folds
    };
    if count < 2 || count > groups.len() {
        let expected = format!(
            "must be 2 to the number of groups, {}, each left out once",
            groups.len()
        );
        return Err(SetError::setting("folds", count, expected));
    }
    let fold = |fold: usize| {
        let tested = groups.iter().skip(fold).step_by(count).copied().collect();
        one_fold(set, config, &tested)
    };
    (0..count).map(fold).collect()
}

fn one_fold(
    set: &dyn MaskSet,
    config: &FoldConfig,
    tested: &BTreeSet<&str>,
) -> Result<Split, SetError> {
    let items = set.items();
    let unit = |item: &'_ Item| {
        let by_item = config.validation_by_item;
        if by_item {
            item.id.clone()
        } else {
            item.group.clone()
        }
    };
    let others = items
        .iter()
        .filter(|item| !tested.contains(item.group.as_str()));
    let others: BTreeSet<String> = others.map(unit).collect();
    let free = others.iter().map(String::as_str).collect();
    let drawn = shared_out(free, &[(Part::Validation, config.validation)], config.seed);
    let mut split = Split::default();
    for (index, item) in items.iter().enumerate() {
        let part = if tested.contains(item.group.as_str()) {
            Part::Test
        } else {
            drawn
                .get(unit(item).as_str())
                .copied()
                .unwrap_or(Part::Training)
        };
        split.push(part, index);
    }
    split.check_between(items, &[Part::Training, Part::Test])?;
    split.check_between(items, &[Part::Validation, Part::Test])?;
    if !config.validation_by_item {
        split.check_leaks(items)?;
    }
    let validation = (Part::Validation, config.validation > 0.0);
    check_parts(
        set,
        &split,
        &[(Part::Training, true), validation, (Part::Test, true)],
    )?;
    Ok(split)
}

/// The part that is kept from training, of an official split.
fn kept_away(item: &Item) -> Option<Part> {
    item.official.filter(|part| *part != Part::Training)
}

/// The official part of each group; `None` where it is training or there is none.
fn official_groups(items: &[Item]) -> Result<BTreeMap<&str, Option<Part>>, SetError> {
    let mut groups: BTreeMap<&str, Option<Part>> = BTreeMap::new();
    for item in items {
        let own = kept_away(item);
        let part = *groups.entry(item.group.as_str()).or_insert(own);
        if part != own {
            return Err(SetError::Leak {
                group: item.group.clone(),
                first: part.unwrap_or(Part::Training),
                second: own.unwrap_or(Part::Training),
            });
        }
    }
    Ok(groups)
}

/// Gives each part its share of `names`, at least one where the share is above 0; never all of
/// them. What is left over is in no part.
fn shared_out<'a>(
    names: Vec<&'a str>,
    shares: &[(Part, f64)],
    seed: u64,
) -> BTreeMap<&'a str, Part> {
    let total = names.len();
    let mut left = ordered(names, seed)
        .into_iter()
        .take(total.saturating_sub(1));
    let mut parts = BTreeMap::new();
    for &(part, share) in shares.iter().filter(|(_, share)| *share > 0.0) {
        let count = ((share * total as f64).round() as usize).max(1);
        parts.extend(left.by_ref().take(count).map(|name| (name, part)));
    }
    parts
}

/// Names in an order that depends on the seed and on each name alone.
fn ordered(mut names: Vec<&str>, seed: u64) -> Vec<&str> {
    names.sort_by_cached_key(|name| {
        let hash = Sha256::new().chain_update(seed.to_le_bytes());
        <[u8; 32]>::from(hash.chain_update(name.as_bytes()).finalize())
    });
    names
}

fn check_share(setting: &'static str, share: f64) -> Result<(), SetError> {
    if (0.0..=0.9).contains(&share) {
        return Ok(());
    }
    Err(SetError::setting(setting, share, "must be 0 to 0.9"))
}

fn check_parts(set: &dyn MaskSet, split: &Split, wanted: &[(Part, bool)]) -> Result<(), SetError> {
    let empty = wanted
        .iter()
        .find(|(part, wanted)| *wanted && split.part(*part).is_empty());
    let Some((part, _)) = empty else {
        return Ok(());
    };
    let groups: BTreeSet<&str> = set.items().iter().map(|item| item.group.as_str()).collect();
    let (items, groups) = (set.items().len(), groups.len());
    Err(SetError::Empty {
        set: set.name().to_owned(),
        part: *part,
        reason: format!(
            "there are {items} items of {groups} groups; add items, or set the share to 0"
        ),
    })
}

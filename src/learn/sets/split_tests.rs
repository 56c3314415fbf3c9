//! Splits without leaks, and the census.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::fixture_tests::{Memory, go_on};
use super::{
    FoldConfig, IGNORE, MaskSet, Part, SetError, Split, SplitConfig, census, folds, split,
};

/// `groups` groups of one to three items.
fn grouped(groups: usize) -> Memory {
    let mut set = Memory::new(2);
    for group in 0..groups {
        (0..=group % 3).for_each(|_| set.add_to(&format!("patient {group}"), None));
    }
    set
}

fn groups_of(set: &Memory, items: &[usize]) -> BTreeSet<String> {
    items
        .iter()
        .map(|index| set.items[*index].group.clone())
        .collect()
}

fn config(validation: f64, test: f64, seed: u64) -> SplitConfig {
    SplitConfig {
        validation,
        test,
        seed,
    }
}

#[test]
fn groups_stay_together_in_the_shares_asked_for() {
    let set = grouped(40);
    for seed in 0..20 {
        let made = split(&set, &config(0.2, 0.1, seed)).unwrap();
        assert_eq!(made, split(&set, &config(0.2, 0.1, seed)).unwrap());
        let parts = [&made.training, &made.validation, &made.test];
        let groups = parts.map(|part| groups_of(&set, part));
        assert_eq!(groups.each_ref().map(BTreeSet::len), [28, 8, 4]);
        let all: BTreeSet<&String> = groups.iter().flatten().collect();
        assert_eq!(all.len(), 40);
        assert_eq!(parts.map(Vec::len).iter().sum::<usize>(), set.items.len());
    }
    let other = split(&set, &config(0.2, 0.1, 1)).unwrap();
    assert_ne!(split(&set, &config(0.2, 0.1, 0)).unwrap(), other);
}

#[test]
fn a_split_is_of_the_names_not_of_their_order() {
    let set = grouped(12);
    let mut turned = set.clone();
    turned.items.reverse();
    let ours = split(&set, &config(0.3, 0.2, 4)).unwrap();
    let theirs = split(&turned, &config(0.3, 0.2, 4)).unwrap();
    for part in [Part::Training, Part::Validation, Part::Test] {
        assert_eq!(
            groups_of(&set, ours.part(part)),
            groups_of(&turned, theirs.part(part))
        );
    }
}

#[test]
fn official_parts_are_kept() {
    let mut set = grouped(10);
    set.add_to("kept a", Some(Part::Test));
    set.add_to("kept b", Some(Part::Test));
    set.add_to("trained", Some(Part::Training));
    let made = split(&set, &config(0.2, 0.5, 3)).unwrap();
    assert_eq!(groups_of(&set, &made.test).len(), 2);
    assert_eq!(groups_of(&set, &made.validation).len(), 2);
    set.add_to("chosen on", Some(Part::Validation));
    let made = split(&set, &config(0.2, 0.5, 3)).unwrap();
    assert_eq!(
        groups_of(&set, &made.validation)
            .into_iter()
            .collect::<Vec<_>>(),
        ["chosen on"]
    );
    assert_eq!(groups_of(&set, &made.training).len(), 11);
    // An official split that tears a patient apart is no split.
    set.add_to("kept a", None);
    let refused = split(&set, &config(0.2, 0.5, 3)).unwrap_err().to_string();
    assert!(
        refused.contains("'kept a'") && refused.contains("stay together"),
        "{refused}"
    );
}

#[test]
fn leaks_and_empty_parts_are_found() {
    let set = grouped(3);
    let torn = Split {
        training: vec![0, 1],
        validation: vec![],
        test: vec![2, 3],
    };
    let leak = torn.check_leaks(&set.items).unwrap_err().to_string();
    assert!(
        leak.contains("'patient 1' lies in the training and the test part"),
        "{leak}"
    );
    // Of one group nothing can be left over for training.
    let one = grouped(1);
    let refused = split(&one, &config(0.2, 0.0, 0)).unwrap_err().to_string();
    assert!(
        refused.contains("validation part of memory is empty"),
        "{refused}"
    );
    assert!(split(&one, &config(0.0, 0.0, 0)).is_ok());
    let mut tested = Memory::new(2);
    tested.add_to("a", Some(Part::Test));
    let refused = split(&tested, &config(0.0, 0.0, 0))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("training part of memory is empty"),
        "{refused}"
    );
    for wrong in [-0.1, 0.95, f64::NAN] {
        assert!(split(&set, &config(wrong, 0.0, 0)).is_err());
    }
}

#[test]
fn each_group_is_tested_in_one_fold() {
    let set = grouped(10);
    for (count, made_folds) in [(0, 10), (5, 5), (3, 3)] {
        let config = FoldConfig {
            folds: count,
            ..FoldConfig::default()
        };
        let made = folds(&set, &config).unwrap();
        assert_eq!(made.len(), made_folds);
        let tested: Vec<usize> = made.iter().flat_map(|fold| fold.test.clone()).collect();
        assert_eq!(tested.len(), set.items.len());
        assert_eq!(
            tested.iter().collect::<BTreeSet<_>>().len(),
            set.items.len()
        );
        for fold in &made {
            fold.check_leaks(&set.items).unwrap();
            assert!(!fold.validation.is_empty());
        }
    }
    let refuse = |folds_wanted| {
        let config = FoldConfig {
            folds: folds_wanted,
            ..FoldConfig::default()
        };
        folds(&set, &config).unwrap_err().to_string()
    };
    assert!(refuse(1).contains("2 to the number of groups, 10"));
    assert!(refuse(11).contains("2 to the number of groups, 10"));
}

#[test]
fn two_donors_can_validate_on_sections_but_never_test_on_them() {
    let mut set = Memory::new(2);
    for section in 0..8 {
        set.add_to(if section < 4 { "donor 1" } else { "donor 3" }, None);
    }
    let by_group = folds(&set, &FoldConfig::default());
    assert!(
        by_group
            .unwrap_err()
            .to_string()
            .contains("validation part")
    );
    let config = FoldConfig {
        validation: 0.25,
        validation_by_item: true,
        ..FoldConfig::default()
    };
    for fold in folds(&set, &config).unwrap() {
        let counts = [&fold.training, &fold.validation, &fold.test].map(Vec::len);
        assert_eq!(counts, [3, 1, 4]);
        assert_eq!(groups_of(&set, &fold.test).len(), 1);
        let learned = groups_of(&set, &[fold.training, fold.validation].concat());
        assert!(learned.is_disjoint(&groups_of(&set, &fold.test)));
    }
}

#[test]
fn the_census_counts_scored_px_by_their_area() {
    let mut set = Memory::new(3);
    // 10 × 10 px: 20 of class 0, 30 ignored, 50 of class 1.
    set.add("a", 10, 0.5, |_, y| {
        if y < 2 {
            0
        } else if y < 5 {
            IGNORE
        } else {
            1
        }
    });
    set.add("b", 10, 1.0, |_, y| if y < 5 { 1 } else { 2 });
    let mut told = Vec::new();
    let counted = census(&set, &mut |done, all| {
        told.push((done, all));
        ControlFlow::Continue(())
    });
    let counted = counted.unwrap();
    assert_eq!(told.last(), Some(&(2, 2)));
    let first = counted.of_items(&[0]);
    assert_eq!((first.pixels, first.ignored), (vec![20.0, 50.0, 0.0], 30.0));
    assert_eq!(counted.of_items(&[0]).shares()[0], 2.0 / 7.0);
    // A px of b covers four times the area.
    assert_eq!(counted.of_items(&[0, 1]).pixels, [20.0, 250.0, 200.0]);
    assert_eq!(counted.of_items(&[]).shares(), [0.0; 3]);

    let split = Split {
        training: vec![0, 1],
        validation: vec![0],
        test: vec![1],
    };
    let warned = counted.check(&set, &split).unwrap();
    let expected = [
        "no px of class 'class 2' in the validation part",
        "no px of class 'class 0' in the test part",
    ];
    assert_eq!(warned, expected);
    let lacking = Split {
        training: vec![0],
        ..Split::default()
    };
    let refused = counted.check(&set, &lacking).unwrap_err().to_string();
    assert!(
        refused.contains("no px of class 'class 2' in the training part"),
        "{refused}"
    );
}

#[test]
fn a_census_can_be_stopped() {
    let set = grouped(5);
    let mut stop = |_, _| ControlFlow::Break(());
    assert!(matches!(census(&set, &mut stop), Err(SetError::Cancelled)));
    let all: Vec<usize> = (0..set.items().len()).collect();
    let counted = census(&set, &mut go_on).unwrap().of_items(&all);
    assert_eq!(counted.pixels, [all.len() as f64, 0.0]);
}

//! Roles of classes, rotated so that each class plays each role.

use serde::{Deserialize, Serialize};

/// What a class is made to be in a phantom set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Few pixels, easy to tell.
    RareEasy,
    /// Few pixels, hard to tell.
    RareHard,
    /// Many pixels, easy to tell.
    CommonEasy,
    /// Many pixels, hard to tell.
    CommonHard,
}

impl Role {
    /// All of them, in the order of the Latin square's first row.
    pub const ALL: [Self; 4] = [
        Self::RareEasy,
        Self::RareHard,
        Self::CommonEasy,
        Self::CommonHard,
    ];

    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RareEasy => "rare, easy",
            Self::RareHard => "rare, hard",
            Self::CommonEasy => "common, easy",
            Self::CommonHard => "common, hard",
        }
    }
}

/// The role of a class (by index) in a rotation: a cyclic Latin square, so that over rotations 0 to
/// 3 each of four classes has each role once and in every rotation each role is taken once.
pub fn role_of(class: usize, rotation: usize) -> Role {
    Role::ALL[(class + rotation) % Role::ALL.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_class_has_each_role_once_and_each_rotation_all_roles() {
        for n in 0..4 {
            let of_class: BTreeSet<Role> = (0..4).map(|rotation| role_of(n, rotation)).collect();
            let of_rotation: BTreeSet<Role> = (0..4).map(|class| role_of(class, n)).collect();
            assert_eq!((of_class.len(), of_rotation.len()), (4, 4));
        }
    }
}

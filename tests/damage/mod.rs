//! Damaged files, and a child process that they are opened in.

pub mod child;
mod job;
mod parent;

pub use job::{Damage, Job, Seeded};
pub use parent::{Tally, survive};

/// Names the file with the child's list of jobs, one a line.
pub const JOBS: &str = "PARFOCAL_BAD_INPUT_JOBS";

/// The first line of the list that the child starts with.
pub const FIRST: &str = "PARFOCAL_BAD_INPUT_FIRST";

/// Tiles read of each level: a damaged header may claim millions.
pub const MAX_TILES_A_LEVEL: usize = 64;

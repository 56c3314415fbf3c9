//! Right-child retrieval: which of its children does a part of a parent look like?

use super::EvalError;
use super::footprint::GRID;
use super::jitter::jittered;
use super::retention::Bench;
use super::scores::PlaceScores;
use super::watch::Watch;
use crate::geometry::UmPoint;
use crate::learn::embed::{Block, Features, Tile, TileAt};
use crate::slide::SlideSource;

/// Parents with fewer children of tissue tell little and are passed over.
const LEAST_CHILDREN: usize = 4;

/// Parents of one slide, to be looked at in order until enough were found.
pub struct Parents<'a> {
    /// The slide.
    pub slide: &'a dyn SlideSource,
    /// Their scale, µm/px; children are four times as fine.
    pub mpp: f64,
    /// Top-left corners.
    pub origins: Vec<UmPoint>,
    /// How many are enough.
    pub wanted: usize,
}

/// What one arm found in one place, summed over parents.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Parents that took part.
    pub families: usize,
    /// Children that took part.
    pub children: usize,
    right: usize,
    right_jittered: usize,
    chance: f64,
    own: Mean,
    same_parent: Mean,
    other_parent: Mean,
    /// The last parent's children, for [`PlaceScores::other_parent`].
    before: Vec<Vec<f32>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// `None` of nothing.
    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Tally {
    /// The figures; `None` where no parent took part.
    pub fn scores(&self) -> Option<PlaceScores> {
        let children = self.children as f64;
        Some(PlaceScores {
            top1: self.right as f64 / children,
            top1_jittered: self.right_jittered as f64 / children,
            chance: self.chance / children,
            own: self.own.get()?,
            same_parent: self.same_parent.get()?,
            other_parent: self.other_parent.get(),
        })
    }

    /// Adds a parent: row n of `low` is what its tokens say of child n, `high` the child's own.
    fn add(&mut self, low: Vec<Vec<f32>>, high: Vec<Vec<f32>>) {
        self.families += 1;
        self.children += low.len();
        // One of n is right by chance, n times.
        self.chance += 1.0;
        for (n, query) in low.iter().enumerate() {
            for (m, child) in high.iter().enumerate() {
                let to = if n == m {
                    &mut self.own
                } else {
                    &mut self.same_parent
                };
                to.add(cosine(query, child));
            }
            for child in &self.before {
                self.other_parent.add(cosine(query, child));
            }
        }
        self.right += right_children(&centred(&low), &centred(&high));
        self.before = high;
    }
}

/// Rows less their mean.
fn centred(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut mean = vec![0.0_f64; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += f64::from(*value) / rows.len() as f64;
        }
    }
    let less = |row: &Vec<f32>| {
        let pairs = row.iter().zip(&mean);
        pairs.map(|(v, m)| (f64::from(*v) - m) as f32).collect()
    };
    rows.iter().map(less).collect()
}

/// How many rows of `low` are nearest, by cosine, to the same row of `high`. A tie with another
/// row is not right.
fn right_children(low: &[Vec<f32>], high: &[Vec<f32>]) -> usize {
    let right = |n: &usize| {
        let own = cosine(&low[*n], &high[*n]);
        let others = (0..high.len()).filter(|m| m != n);
        others
            .map(|m| cosine(&low[*n], &high[m]))
            .all(|other| other < own)
    };
    (0..low.len()).filter(right).count()
}

/// Cosine of the angle between two rows; 0 where one of them is 0.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

/// Looks at parents until enough took part; adds to the `tallies`, one an arm.
///
/// # Errors
/// When the slide can't be read or the user stops.
pub fn retrieve(
    bench: &Bench,
    parents: &Parents,
    tallies: &mut [Tally],
    watch: &mut Watch,
) -> Result<(), EvalError> {
    let mut found = 0;
    for origin in &parents.origins {
        if found >= parents.wanted {
            break;
        }
        let at = TileAt {
            origin: *origin,
            mpp: parents.mpp,
        };
        let parent = Tile::read(parents.slide, at, bench.side_px())?;
        let children = tissue_children(&parent, bench.config.least_tissue);
        if children.len() < LEAST_CHILDREN {
            continue;
        }
        let mut tiles = vec![parent];
        tiles.extend(read_children(bench, parents, at, &children)?);
        let changed = jittered(&tiles, *origin, bench.seed);
        for (arm, tally) in bench.arms.iter().zip(tallies.iter_mut()) {
            let (low, high) = pairs(&arm.see(&tiles, bench.device)?, &children);
            tally.add(low, high);
            let (low, high) = pairs(&arm.see(&changed, bench.device)?, &children);
            tally.right_jittered += right_children(&centred(&low), &centred(&high));
        }
        found += 1;
        watch.add(tiles.len())?;
    }
    Ok(())
}

/// Columns and rows of the children with enough tissue, as the parent shows it.
fn tissue_children(parent: &Tile, least_tissue: f64) -> Vec<(usize, usize)> {
    let side = parent.side_px / GRID as u32;
    let places = (0..GRID * GRID).map(|n| (n % GRID, n / GRID));
    let share = |(column, row): &(usize, usize)| {
        parent.tissue_share(*column as u32 * side, *row as u32 * side, side)
    };
    places
        .filter(|place| share(place) >= least_tissue)
        .collect()
}

fn read_children(
    bench: &Bench,
    parents: &Parents,
    parent: TileAt,
    children: &[(usize, usize)],
) -> Result<Vec<Tile>, EvalError> {
    let mpp = parent.mpp / GRID as f64;
    let child_um = mpp * f64::from(bench.side_px());
    let place = |&(column, row): &(usize, usize)| {
        let (x, y) = (column as f64 * child_um, row as f64 * child_um);
        let origin = UmPoint::new(parent.origin.x + x, parent.origin.y + y);
        TileAt { origin, mpp }
    };
    let places: Vec<TileAt> = children.iter().map(place).collect();
    Ok(Tile::read_all(parents.slide, &places, bench.side_px())?)
}

/// The parent's tokens over each child, and each child's own: tile 0 is the parent.
fn pairs(features: &Features, children: &[(usize, usize)]) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let grid = features.grid;
    let low = |child: &(usize, usize)| features.mean(0, Block::part(grid, GRID, *child));
    let high = |n: usize| features.mean(n, Block::whole(grid));
    (
        children.iter().map(low).collect(),
        (1..=children.len()).map(high).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_child_is_found_after_centring() {
        // A large common part hides the differences until it is taken away.
        let low = vec![
            vec![10.0, 1.0],
            vec![10.0, -1.0],
            vec![11.0, 0.0],
            vec![9.0, 0.0],
        ];
        let high: Vec<Vec<f32>> = low
            .iter()
            .map(|r| vec![r[0] * 2.0 + 5.0, r[1] * 3.0])
            .collect();
        let mut tally = Tally::default();
        tally.add(low.clone(), high.clone());
        let scores = tally.scores().unwrap();
        assert_eq!((scores.top1, scores.chance), (1.0, 0.25));
        assert!(scores.own > scores.same_parent);
        assert_eq!(scores.other_parent, None, "there was no other");
        tally.add(
            low,
            vec![
                high[1].clone(),
                high[0].clone(),
                high[3].clone(),
                high[2].clone(),
            ],
        );
        let scores = tally.scores().unwrap();
        assert_eq!(scores.top1, 0.5);
        assert!(scores.other_parent.unwrap() > 0.9);
    }

    #[test]
    fn what_is_all_alike_is_never_right() {
        let alike = vec![vec![1.0, 2.0]; 5];
        let mut tally = Tally::default();
        tally.add(alike.clone(), alike);
        let scores = tally.scores().unwrap();
        assert_eq!((scores.top1, scores.chance), (0.0, 0.2));
        assert_eq!(Tally::default().scores(), None);
    }

    #[test]
    fn only_children_of_tissue_take_part() {
        let side_px = 16;
        let stained = |n: u32| n % side_px < 8 && n / side_px >= 12;
        let colour = |n: u32| {
            if stained(n) {
                [150, 90, 160]
            } else {
                [243, 242, 244]
            }
        };
        let rgb = (0..side_px * side_px).flat_map(colour).collect();
        let parent = Tile { side_px, rgb };
        assert_eq!(tissue_children(&parent, 0.5), [(0, 3), (1, 3)]);
    }
}

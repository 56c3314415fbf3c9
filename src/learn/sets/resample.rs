//! An image and its labels at another scale and place.
//!
//! `slide::by_um` does the like for slides, which are read in blocks and never enlarged; here all
//! px are in memory, and labels, which must not be mixed, go along.

use super::IGNORE;

/// Colour beyond an image: glass.
const BEYOND: [u8; 3] = [255; 3];

/// Wanted px: px `i` of an axis covers `start + i · step` to `start + (i + 1) · step`, px of the
/// image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Left and top edge.
    pub start: (f64, f64),
    /// Width and height of a wanted px.
    pub step: (f64, f64),
    /// Wanted px along x and y.
    pub count: (usize, usize),
}

/// The image's px under a wanted px along one axis, from the first on, and the share of each;
/// empty where the middle of the wanted px lies beyond the image.
type Share = (usize, Vec<f32>);

fn shares(start: f64, step: f64, count: usize, side: usize) -> Vec<Share> {
    let share = |i: usize| {
        let from = start + i as f64 * step;
        let middle = from + step / 2.0;
        if middle < 0.0 || middle >= side as f64 {
            (0, Vec::new())
        } else if step < 1.0 {
            bilinear(middle - 0.5, side)
        } else {
            by_area(from, from + step, side)
        }
    };
    (0..count).map(share).collect()
}

/// The mean of what is covered from `from` to `to`.
fn by_area(from: f64, to: f64, side: usize) -> Share {
    let (from, to) = (from.max(0.0), to.min(side as f64));
    let (first, end) = (from.floor() as usize, (to.ceil() as usize).min(side));
    let covered = |px: usize| ((px + 1) as f64).min(to) - (px as f64).max(from);
    let weights = (first..end).map(|px| (covered(px) / (to - from)) as f32);
    (first, weights.collect())
}

/// Between the middles of two px; at the border the outermost px alone.
fn bilinear(place: f64, side: usize) -> Share {
    let place = place.clamp(0.0, (side - 1) as f64);
    let first = place as usize;
    let second = (place - first as f64) as f32;
    let weights = if first + 1 < side {
        vec![1.0 - second, second]
    } else {
        vec![1.0]
    };
    (first, weights)
}

/// Colours of the px of `window`.
pub(super) fn rgb_in(rgb: &[u8], (width, height): (usize, usize), window: &Window) -> Vec<u8> {
    let columns = shares(window.start.0, window.step.0, window.count.0, width);
    let rows = shares(window.start.1, window.step.1, window.count.1, height);
    let touched = columns.iter().filter(|(_, weights)| !weights.is_empty());
    let left = touched.clone().map(|(first, _)| *first).min().unwrap_or(0);
    let right = touched
        .map(|(first, weights)| first + weights.len())
        .max()
        .unwrap_or(0);
    let mut line = vec![0.0_f32; (right - left) * 3];
    let mut out = Vec::with_capacity(window.count.0 * window.count.1 * 3);
    for (first, weights) in &rows {
        line.fill(0.0);
        for (row, &weight) in (*first..).zip(weights) {
            let source = &rgb[(row * width + left) * 3..(row * width + right) * 3];
            for (sum, &value) in line.iter_mut().zip(source) {
                *sum += weight * f32::from(value);
            }
        }
        let pixels = line.as_chunks::<3>().0;
        for (first, shares) in &columns {
            out.extend(if shares.is_empty() || weights.is_empty() {
                BEYOND
            } else {
                mean_of(&pixels[first - left..], shares)
            });
        }
    }
    out
}

fn mean_of(pixels: &[[f32; 3]], weights: &[f32]) -> [u8; 3] {
    let mut sum = [0.5_f32; 3];
    for (pixel, &weight) in pixels.iter().zip(weights) {
        for (total, value) in sum.iter_mut().zip(pixel) {
            *total += weight * value;
        }
    }
    sum.map(|total| total as u8)
}

/// First px, end, and the one under the middle.
type Span = (usize, usize, usize);

/// The px whose middles lie under a wanted px, at least the one under its middle; `None` beyond
/// the image.
fn spans(start: f64, step: f64, count: usize, side: usize) -> Vec<Option<Span>> {
    let span = |i: usize| {
        let from = start + i as f64 * step;
        let middle = (from + step / 2.0).floor();
        if middle < 0.0 || middle >= side as f64 {
            return None;
        }
        let middle = middle as usize;
        let edge = |at: f64| ((at - 0.5).ceil().max(0.0) as usize).min(side);
        let (first, end) = (edge(from), edge(from + step));
        Some((first.min(middle), end.max(middle + 1), middle))
    };
    (0..count).map(span).collect()
}

/// Labels of the px of `window`: of the labels under a px the most frequent, of equally frequent
/// ones that under its middle, else the lowest. No label comes up that is not there.
pub(super) fn labels_in(
    labels: &[u8],
    (width, height): (usize, usize),
    window: &Window,
) -> Vec<u8> {
    let columns = spans(window.start.0, window.step.0, window.count.0, width);
    let rows = spans(window.start.1, window.step.1, window.count.1, height);
    let mut out = Vec::with_capacity(window.count.0 * window.count.1);
    for row in &rows {
        for column in &columns {
            out.push(match row.zip(*column) {
                Some((row, column)) => most_frequent(labels, width, row, column),
                None => IGNORE,
            });
        }
    }
    out
}

fn most_frequent(labels: &[u8], width: usize, row: Span, column: Span) -> u8 {
    let middle = labels[row.2 * width + column.2];
    let lines = (row.0..row.1).map(|y| &labels[y * width + column.0..y * width + column.1]);
    if lines.clone().flatten().all(|label| *label == middle) {
        return middle;
    }
    let mut counts = [0_u32; 256];
    lines
        .flatten()
        .for_each(|label| counts[usize::from(*label)] += 1);
    let best = (0..=u8::MAX)
        .rev()
        .max_by_key(|label| counts[usize::from(*label)]);
    let count = |label: u8| counts[usize::from(label)];
    best.filter(|best| count(*best) > count(middle))
        .unwrap_or(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: f64, step: f64, count: usize) -> Window {
        Window {
            start: (start, start),
            step: (step, step),
            count: (count, count),
        }
    }

    #[test]
    fn a_mark_stays_at_its_place_at_every_scale() {
        let side = 400;
        let lit = |i: usize| (100..140).contains(&(i % side)) && (200..240).contains(&(i / side));
        let rgb: Vec<u8> = (0..side * side)
            .flat_map(|i| [if lit(i) { 200 } else { 0 }; 3])
            .collect();
        let labels: Vec<u8> = (0..side * side).map(|i| u8::from(lit(i))).collect();
        for step in [0.4, 0.73, 1.0, 1.3, 2.0, 3.7, 8.0] {
            let window = Window {
                start: (50.3, 30.7),
                ..window(0.0, step, (300.0 / step) as usize)
            };
            let centre = |weight: &dyn Fn(usize) -> f64| {
                let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
                for i in 0..window.count.0 * window.count.1 {
                    mass += weight(i);
                    x += weight(i) * (0.5 + (i % window.count.0) as f64);
                    y += weight(i) * (0.5 + (i / window.count.0) as f64);
                }
                (
                    50.3 + x / mass * step,
                    30.7 + y / mass * step,
                    mass * step * step,
                )
            };
            let colours = rgb_in(&rgb, (side, side), &window);
            let (x, y, mass) = centre(&|i| f64::from(colours[i * 3]) / 200.0);
            // Enlarged, an edge is read at points of a slope, not over areas.
            let near = if step < 1.0 { 0.06 } else { 0.03 * step };
            assert!((x - 120.0).abs() < near, "{step}: {x}");
            assert!((y - 220.0).abs() < near, "{step}: {y}");
            assert!((mass / 1600.0 - 1.0).abs() < 0.02, "{step}: {mass}");
            let classes = labels_in(&labels, (side, side), &window);
            let (x, y, mass) = centre(&|i| f64::from(classes[i]));
            assert!((x - 120.0).abs() <= 0.5 * step.max(1.0), "{step}: {x}");
            assert!((y - 220.0).abs() <= 0.5 * step.max(1.0), "{step}: {y}");
            assert!((mass / 1600.0 - 1.0).abs() < 0.5, "{step}: {mass}");
        }
    }

    #[test]
    fn beyond_the_image_is_white_and_ignored() {
        let window = window(-1.0, 1.0, 4);
        let rgb = rgb_in(&[9; 12], (2, 2), &window);
        let labels = labels_in(&[3; 4], (2, 2), &window);
        for i in 0..16 {
            let inside = (1..3).contains(&(i % 4)) && (1..3).contains(&(i / 4));
            assert_eq!(rgb[i * 3], if inside { 9 } else { 255 });
            assert_eq!(labels[i], if inside { 3 } else { IGNORE });
        }
    }

    #[test]
    fn most_wins_and_no_label_is_made_up() {
        let at = |labels: &[u8; 9]| labels_in(labels, (3, 3), &window(0.0, 3.0, 1))[0];
        assert_eq!(at(&[0, 0, 0, 0, 2, 2, 2, 2, 2]), 2);
        assert_eq!(at(&[0, 0, 0, 0, 4, 2, 2, 2, 2]), 0);
        assert_eq!(at(&[4, 0, 0, 0, 4, 2, 2, 2, 4]), 4);
        assert_eq!(at(&[255, 255, 255, 255, 255, 0, 0, 2, 2]), 255);
        // Between 0 and 4 lies 2: a mean would make it up.
        let striped: Vec<u8> = (0..64 * 64)
            .map(|i| if i % 64 / 3 % 2 == 0 { 0 } else { 4 })
            .collect();
        for step in [0.3, 1.7, 2.0, 5.5] {
            let out = labels_in(&striped, (64, 64), &window(0.2, step, 10));
            assert!(out.iter().all(|label| [0, 4].contains(label)), "{step}");
        }
    }
}

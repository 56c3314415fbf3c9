//! A horizontal axis with round numbers, for rows of bars and points.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::PlotError;
use super::svg::{Area, FAINT, TEXT, line, style, write};

/// Values from left to right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Left end, px.
    pub left_px: i32,
    /// Right end, px; beyond the left.
    pub right_px: i32,
    /// Value at the left end.
    pub from: f64,
    /// Value at the right end; more than `from`.
    pub to: f64,
}

/// About so many intervals between numbers.
const INTERVALS: f64 = 5.0;

impl Axis {
    /// An axis that shows all `values`, ending at round numbers; from 0 to 1 without values.
    pub fn around(values: impl IntoIterator<Item = f64>, (left_px, right_px): (i32, i32)) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let ends = finite.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let (low, high) = ends.unwrap_or((0.0, 1.0));
        let step = round_step((high - low).max(1e-3 * low.abs().max(1e-3)));
        let (from, to) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self {
            left_px,
            right_px,
            from,
            to: if to > from { to } else { from + step },
        }
    }

    /// Where a value lies, px; values beyond an end lie on it.
    pub fn x_px(&self, value: f64) -> i32 {
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.left_px + (share * f64::from(self.right_px - self.left_px)).round() as i32
    }

    /// Round numbers along the axis.
    pub fn ticks(&self) -> Vec<f64> {
        let step = round_step(self.to - self.from);
        let (first, last) = (self.from / step - 1e-9, self.to / step + 1e-9);
        let numbers = first.ceil() as i64..=last.floor() as i64;
        numbers.map(|n| n as f64 * step).collect()
    }

    /// Lines at the round numbers between two heights, the numbers below, the title beneath them.
    ///
    /// # Errors
    /// When it can't be drawn.
    pub fn draw(
        &self,
        area: &Area,
        (top, bottom): (i32, i32),
        title: &str,
        format: &dyn Fn(f64) -> String,
    ) -> Result<(), PlotError> {
        let ticks = self.ticks().into_iter();
        let ticks: Vec<(f64, String)> = ticks.map(|tick| (tick, format(tick))).collect();
        self.draw_at(area, (top, bottom), title, &ticks)
    }

    /// The same with lines and words at the values given; values beyond the ends are left out.
    ///
    /// # Errors
    /// When it can't be drawn.
    pub fn draw_at(
        &self,
        area: &Area,
        (top, bottom): (i32, i32),
        title: &str,
        ticks: &[(f64, String)],
    ) -> Result<(), PlotError> {
        let below = style(13, TEXT, (HPos::Center, VPos::Top));
        let within = self.from - 1e-9..=self.to + 1e-9;
        for (tick, words) in ticks.iter().filter(|(tick, _)| within.contains(tick)) {
            let x = self.x_px(*tick);
            line(area, (x, top), (x, bottom), FAINT.stroke_width(1))?;
            write(area, words, &below, (x, bottom + 6))?;
        }
        let middle = (self.left_px + self.right_px) / 2;
        write(area, title, &below, (middle, bottom + 24))
    }
}

/// 1, 2 or 5 times a power of ten, so that `extent` holds about [`INTERVALS`] of it.
fn round_step(extent: f64) -> f64 {
    let raw = extent / INTERVALS;
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| raw <= 1.2 * f * power);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_round_and_hold_all_values() {
        let axis = Axis::around([0.13, 0.58, f64::NAN], (100, 200));
        assert!((axis.from - 0.1).abs() < 1e-12 && (axis.to - 0.6).abs() < 1e-12);
        assert_eq!(
            (axis.x_px(0.1), axis.x_px(0.6), axis.x_px(9.0)),
            (100, 200, 200)
        );
        let ticks = axis.ticks();
        assert_eq!(ticks.len(), 6, "{ticks:?}");
        assert!((ticks[5] - 0.6).abs() < 1e-12);
    }

    #[test]
    fn one_value_and_none_still_make_an_axis() {
        for values in [vec![], vec![0.0], vec![0.7], vec![-3.0]] {
            let axis = Axis::around(values.clone(), (0, 100));
            assert!(axis.to > axis.from, "{axis:?}");
            assert!((1..=12).contains(&axis.ticks().len()), "{axis:?}");
            assert!(values.iter().all(|v| (axis.from..=axis.to).contains(v)));
        }
    }
}

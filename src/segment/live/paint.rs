//! From scores to the px of a page.

use super::cell::{Blend, LogMap};
use super::field::CellPlace;
use super::layer::MAGNIFICATIONS;
use super::published::Published;
use crate::labels::{FAILED, NO_STAMP, NOT_ANALYSED, PAGE_PX, Texel, UNKNOWN};
use crate::segment::fusion::Fusion;

/// How a cell's px are made.
pub struct Painter<'a> {
    /// How maps of two scales become one.
    pub fusion: &'a Fusion,
    /// Whether they are to.
    pub fused: bool,
    /// The finer scale, by its place in [`super::MAGNIFICATIONS`].
    pub scale: u8,
    /// The class whose probability is kept; none: that of the px's own class.
    pub shown_class: Option<usize>,
    /// Which px lie near tissue, rows from the top.
    pub near: &'a [bool],
}

impl Painter<'_> {
    /// The px of a cell and the stamp that they deserve: 0 where something is missing.
    pub fn paint(&self, fine: &Blend, context: Option<&(u8, LogMap)>) -> (Vec<Texel>, u64) {
        let (x, y) = fine.px();
        let mut texels = Vec::with_capacity(x.len() * y.len());
        let mut logs = Vec::new();
        for row in y.clone() {
            for column in x.clone() {
                let near = self.near.get(texels.len()).copied().unwrap_or(true);
                let code = self.scores(fine, context, (column, row), &mut logs);
                texels.push(match code {
                    _ if !near => Texel::of(NOT_ANALYSED),
                    Some(code) => self.texel(code, &logs),
                    None if fine.has_failed => Texel::of(FAILED),
                    None if fine.is_partial => Texel::of(UNKNOWN),
                    None => Texel::of(NOT_ANALYSED),
                });
            }
        }
        let context_stamp = context.map_or(u64::MAX, |(_, map)| map.stamp);
        let partial = fine.is_partial || context.is_some_and(|(_, map)| map.is_partial);
        let stamp = match partial {
            true => 0,
            false => fine.stamp.min(context_stamp),
        };
        (texels, stamp)
    }

    /// Puts a px's log-probabilities into `logs` and gives the most likely class; `None` where no
    /// tile was asked.
    fn scores(
        &self,
        fine: &Blend,
        context: Option<&(u8, LogMap)>,
        (column, row): (u32, u32),
        logs: &mut Vec<f32>,
    ) -> Option<u8> {
        let (x, _) = fine.px();
        let piece = fine.piece();
        piece.log_probabilities((column - x.start) as usize, row, logs)?;
        if self.fused {
            let coarse = context.and_then(|(scale, map)| {
                let ratio = magnification_ratio(self.scale, *scale);
                map.at(ratio, (column, row))
            });
            self.fusion.fuse(self.scale, logs, coarse.as_deref());
            return first_greatest(logs.iter().copied());
        }
        // By the sums themselves, as label maps of whole slides are made.
        let at = (column - x.start) as usize;
        first_greatest((0..piece.classes).map(|class| piece.scores(class, row)[at]))
    }

    fn texel(&self, code: u8, logs: &[f32]) -> Texel {
        let shown = self.shown_class.unwrap_or(usize::from(code));
        let probability = logs.get(shown).map_or(0.0, |log| log.exp());
        let entropy: f32 = logs.iter().map(|log| -log * log.exp()).sum();
        let most = (logs.len().max(2) as f32).ln();
        let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        Texel {
            value: byte(probability),
            extra: byte(entropy / most),
            ..Texel::of(code)
        }
    }
}

/// How many times as fine one scale is as another, both by their places in [`MAGNIFICATIONS`].
fn magnification_ratio(fine: u8, coarse: u8) -> f64 {
    let of = |scale: u8| MAGNIFICATIONS[usize::from(scale)].0;
    of(fine) / of(coarse)
}

/// The class with the greatest score, the first of equals.
fn first_greatest(scores: impl Iterator<Item = f32>) -> Option<u8> {
    let mut best: Option<(u8, f32)> = None;
    for (class, score) in (0..).zip(scores) {
        if best.is_none_or(|(_, greatest)| score > greatest) {
            best = Some((class, score));
        }
    }
    best.map(|(class, _)| class)
}

/// Writes a cell into its page unless what is there is newer. `now`: what is asked for, which cells
/// deserve on which no tile had a say.
pub fn write_cell(
    published: &mut Published,
    place: &CellPlace,
    texels: &[Texel],
    stamp: u64,
    now: u64,
) {
    let stamp = stamp.min(now);
    let held = published.pyramid.peek(place.page);
    let held = held.map(|page| page.stamp(place.block));
    if held.is_some_and(|held| held != NO_STAMP && held > stamp) {
        return;
    }
    let (x, y) = (&place.x, &place.y);
    published.edit(place.page, x.clone(), y.clone(), place.per_side, |page| {
        page.set_stamp(place.block, stamp);
        let target = page.texels_mut();
        for (row, line) in y.clone().zip(texels.chunks(x.len().max(1))) {
            let at = (row * PAGE_PX + x.start) as usize;
            target[at..at + line.len()].copy_from_slice(line);
        }
    });
}

//! From scores to the px of a page.

use super::cell::{Blend, LogMap};
use super::field::CellPlace;
use super::layer::{Analysis, MAGNIFICATIONS};
use super::published::Published;
use crate::labels::{FAILED, NO_STAMP, NOT_ANALYSED, PAGE_PX, Texel, UNKNOWN};
use crate::segment::fusion::Fusion;
use crate::segment::stitch::RowShares;

/// What is known of a rectangle of px of one scale.
pub struct Ground {
    /// The scale, by its place in [`MAGNIFICATIONS`].
    pub scale: u8,
    /// What its tiles say.
    pub blend: Blend,
    /// Which px lie near tissue, rows from the top.
    pub near: Vec<bool>,
}

impl Ground {
    /// The stamp that px made of it deserve: 0 where something is missing.
    fn stamp(&self) -> u64 {
        match self.blend.is_partial {
            true => 0,
            false => self.blend.stamp,
        }
    }

    /// Puts a px's log-probabilities into `logs`; `None` where no tile was asked.
    pub fn logs(&self, (column, row): (u32, u32), logs: &mut Vec<f32>) -> Option<()> {
        let piece = self.blend.piece();
        let at = (column - piece.x.start) as usize;
        piece.log_probabilities(at, row, logs)
    }

    /// Which of `count` px lie near tissue, from the `from`th on.
    fn near(&self, from: usize, count: usize) -> impl Iterator<Item = bool> {
        let known = self.near.iter().skip(from).copied();
        known.chain(std::iter::repeat(true)).take(count)
    }
}

/// How a cell's px are made.
pub struct Painter<'a> {
    /// How maps of two scales become one.
    pub fusion: &'a Fusion,
    /// The class whose probability is kept; none: that of the px's own class.
    pub shown_class: Option<usize>,
}

impl Painter<'_> {
    /// The px of a cell of a map, of what is known of it at its scale and at that of its context,
    /// and the stamp that they deserve: 0 where something is missing.
    pub fn paint(
        &self,
        analysis: Analysis,
        fine: &Ground,
        coarse: Option<&Ground>,
    ) -> (Vec<Texel>, u64) {
        let logs = coarse.map(|coarse| LogMap::of(&coarse.blend));
        let context = coarse.zip(logs.as_ref());
        let texels = match (analysis, context) {
            (Analysis::Plain(_), _) => self.plain(fine),
            (Analysis::Fused(_), context) => self.fused(fine, context),
            (Analysis::Alone(_), _) => self.fused(fine, None),
            (Analysis::InPlace(_), Some(context)) => self.in_place(fine, context),
            (Analysis::Agreement(_), Some(context)) => self.agreement(fine, context),
            (Analysis::InPlace(_) | Analysis::Agreement(_), None) => {
                vec![Texel::UNKNOWN; fine.near.len()]
            }
        };
        let stamp = coarse.map_or(u64::MAX, Ground::stamp);
        (texels, stamp.min(fine.stamp()))
    }

    /// The px of a map of one scale.
    pub fn plain(&self, ground: &Ground) -> Vec<Texel> {
        let piece = ground.blend.piece();
        let (count, most) = (piece.x.len(), (piece.classes.max(2) as f32).ln());
        let mut texels = Vec::with_capacity(count * piece.y.len());
        let mut row = RowShares::default();
        for y in piece.y.clone() {
            if ground.near(texels.len(), count).any(|near| near) {
                piece.shares(y, &mut row);
            }
            let weights = piece.weights(y).iter().enumerate();
            let px = weights.zip(ground.near(texels.len(), count));
            texels.extend(px.map(|((at, weight), near)| {
                if !near {
                    return Texel::of(NOT_ANALYSED);
                }
                if *weight <= 0.0 {
                    return none_of(&ground.blend);
                }
                let code = row.classes[at];
                let shown = self.shown_class.unwrap_or(usize::from(code));
                Texel {
                    value: byte(row.probability(shown, at)),
                    extra: byte(row.entropy[at] / most),
                    ..Texel::of(code)
                }
            }));
        }
        texels
    }

    /// The px of a map fused with its context.
    fn fused(&self, fine: &Ground, context: Option<(&Ground, &LogMap)>) -> Vec<Texel> {
        self.texels(fine, &fine.blend, |px, logs| {
            fine.logs(px, logs)?;
            let coarse = context.and_then(|(coarse, map)| {
                map.at(magnification_ratio(fine.scale, coarse.scale), px)
            });
            self.fusion.fuse(fine.scale, logs, coarse.as_deref());
            first_greatest(logs.iter().copied())
        })
    }

    /// The px of a coarser map at finer px: bilinear, at the rim of what was analysed the px that the
    /// finer px's middle lies in.
    fn in_place(&self, fine: &Ground, (coarse, around): (&Ground, &LogMap)) -> Vec<Texel> {
        let ratio = magnification_ratio(fine.scale, coarse.scale);
        self.texels(fine, &coarse.blend, |px, logs| {
            let under = || around.under(ratio, px).map(<[f32]>::to_vec);
            *logs = around.at(ratio, px).or_else(under)?;
            self.fusion.calibrate(coarse.scale, logs);
            first_greatest(logs.iter().copied())
        })
    }

    /// `class`: puts a px's log-probabilities into its second argument and gives its class; `asked`
    /// tells why it has none where it does not.
    fn texels(
        &self,
        ground: &Ground,
        asked: &Blend,
        class: impl Fn((u32, u32), &mut Vec<f32>) -> Option<u8>,
    ) -> Vec<Texel> {
        let (x, y) = ground.blend.px();
        let mut texels = Vec::with_capacity(x.len() * y.len());
        let mut logs = Vec::new();
        for row in y {
            for column in x.clone() {
                if !ground.near.get(texels.len()).copied().unwrap_or(true) {
                    texels.push(Texel::of(NOT_ANALYSED));
                    continue;
                }
                texels.push(match class((column, row), &mut logs) {
                    Some(code) => self.texel(code, &logs),
                    None => none_of(asked),
                });
            }
        }
        texels
    }

    fn texel(&self, code: u8, logs: &[f32]) -> Texel {
        let shown = self.shown_class.unwrap_or(usize::from(code));
        let (mut probability, mut entropy) = (0.0, 0.0);
        for (class, log) in logs.iter().enumerate() {
            let of_class = log.exp();
            entropy += -log * of_class;
            if class == shown {
                probability = of_class;
            }
        }
        let most = (logs.len().max(2) as f32).ln();
        Texel {
            value: byte(probability),
            extra: byte(entropy / most),
            ..Texel::of(code)
        }
    }
}

/// A px on which no tile had a say.
fn none_of(asked: &Blend) -> Texel {
    Texel::of(match () {
        () if asked.has_failed => FAILED,
        () if asked.is_partial => UNKNOWN,
        () => NOT_ANALYSED,
    })
}

/// A part, 0–1, as 0–255.
pub fn byte(part: f32) -> u8 {
    (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// How many times as fine one scale is as another, both by their places in [`MAGNIFICATIONS`].
pub fn magnification_ratio(fine: u8, coarse: u8) -> f64 {
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

/// Whether px of a stamp are no older than what is there.
pub fn is_newer(published: &Published, place: &CellPlace, stamp: u64) -> bool {
    let held = published.pyramid.peek(place.page);
    let held = held.map(|page| page.stamp(place.block));
    held.is_none_or(|held| held == NO_STAMP || held <= stamp)
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
    if !is_newer(published, place, stamp) {
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

//! What a model says of a field at two magnifications, px by px of the finer one, and the truth.

use std::ops::Range;

use anyhow::Context as _;

use crate::geometry::{Mpp, SlidePoint, SlideRect, UmPoint};
use crate::learn::seg_metrics::IGNORE;
use crate::model::ReadyModel;
use crate::segment::Network;
use crate::segment::fusion::Fusion;
use crate::segment::live::{Analysis, LogMap, StillField};
use crate::slide::SlideSource as _;
use crate::slide::phantom::PhantomSource;

/// A field of two maps on the finer one's px, rows from the top.
pub struct Maps {
    /// Place of the finer magnification in [`crate::segment::live::MAGNIFICATIONS`].
    pub scale: u8,
    /// µm per px.
    pub mpp: f64,
    /// Px of a row.
    pub width_px: usize,
    /// K log-probabilities a px of the finer map; NaN where there are none.
    pub fine: Vec<f32>,
    /// Of the coarser map, bilinear at the finer px.
    pub coarse: Vec<f32>,
    /// The most likely class of the coarser map at the px that the finer px lies in.
    pub coarse_class: Vec<u8>,
    /// The true class; [`IGNORE`] where it is not scored.
    pub truth: Vec<u8>,
    /// K.
    pub classes: usize,
}

/// A field of a slide, level-0 px.
pub fn rect(slide: &PhantomSource, origin: UmPoint, side_um: f64) -> anyhow::Result<SlideRect> {
    let Mpp { x, y } = slide.info().mpp.context("the slide has no scale")?;
    let at = |at: UmPoint| SlidePoint::new(at.x / x, at.y / y);
    let end = UmPoint::new(origin.x + side_um, origin.y + side_um);
    Ok(SlideRect::new(at(origin), at(end)))
}

impl Maps {
    /// Runs the model at the finer magnification and a factor of 4 coarser.
    pub fn of(
        model: &ReadyModel,
        slide: &PhantomSource,
        origin: UmPoint,
        side_um: f64,
        scale: u8,
    ) -> anyhow::Result<Self> {
        let fused = Analysis::Fused(scale);
        let context = fused
            .context()
            .context("there is no coarser magnification")?;
        let (mut network, rect) = (Network::new(model), rect(slide, origin, side_um)?);
        let bias = model.bias.total();
        let mut logs = |scale: u8| -> anyhow::Result<_> {
            let field = StillField::encode(&mut network, slide, scale, rect)?;
            let logs = field.logs(&mut network, &bias)?;
            Ok((field.px(), logs.context("the field is beyond the slide")?))
        };
        let (px, fine) = logs(scale)?;
        let (_, coarse) = logs(context)?;
        let (x, y) = px.context("the field is beyond the slide")?;
        let (mpp, coarse_mpp) = (
            fused.magnification().mpp(),
            Analysis::Plain(context).magnification().mpp(),
        );
        Ok(Self {
            scale,
            mpp,
            width_px: x.len(),
            truth: truth(model, slide, (&x, &y), mpp),
            classes: bias.len(),
            ..on_fine_px(&fine, &coarse, coarse_mpp / mpp, (x, y))
        })
    }

    /// The most likely classes where both are fused.
    pub fn fused(&self, fusion: &Fusion) -> Vec<u8> {
        let fine = self.fine.chunks_exact(self.classes);
        let coarse = self.coarse.chunks_exact(self.classes);
        let mut logs = vec![0.0; self.classes];
        let class = |(fine, coarse): (&[f32], &[f32])| {
            logs.copy_from_slice(fine);
            let coarse = (!coarse[0].is_nan()).then_some(coarse);
            fusion.fuse(self.scale, &mut logs, coarse);
            most_likely(&logs)
        };
        fine.zip(coarse).map(class).collect()
    }
}

fn on_fine_px(
    fine: &LogMap,
    coarse: &LogMap,
    ratio: f64,
    (x, y): (Range<u32>, Range<u32>),
) -> Maps {
    let classes = fine.classes();
    let nothing = vec![f32::NAN; classes];
    let mut maps = Maps {
        scale: 0,
        mpp: 0.0,
        width_px: 0,
        fine: Vec::new(),
        coarse: Vec::new(),
        coarse_class: Vec::new(),
        truth: Vec::new(),
        classes,
    };
    for row in y {
        for column in x.clone() {
            let px = (column, row);
            maps.fine.extend(fine.under(1.0, px).unwrap_or(&nothing));
            maps.coarse
                .extend(coarse.at(ratio, px).as_ref().unwrap_or(&nothing));
            let under = coarse.under(ratio, px);
            maps.coarse_class.push(under.map_or(IGNORE, most_likely));
        }
    }
    maps
}

/// The class of the greatest value, of equals the first; [`IGNORE`] where one is no number.
pub fn most_likely(logs: &[f32]) -> u8 {
    if logs.iter().any(|log| log.is_nan()) {
        return IGNORE;
    }
    let numbered = logs.iter().enumerate().rev();
    let best = numbered.max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.and_then(|(class, _)| u8::try_from(class).ok())
        .unwrap_or(IGNORE)
}

fn truth(
    model: &ReadyModel,
    slide: &PhantomSource,
    (x, y): (&Range<u32>, &Range<u32>),
    mpp: f64,
) -> Vec<u8> {
    let names = model.card.class_names();
    let of_model = slide.classes().iter().map(|class| {
        let at = names.iter().position(|name| name == class.name);
        let at = at.filter(|_| !class.ignore);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(IGNORE)
    });
    let of_model: Vec<u8> = of_model.collect();
    let origin = UmPoint::new(f64::from(x.start) * mpp, f64::from(y.start) * mpp);
    let codes = slide.labels_um(origin, mpp, x.len() as u32, y.len() as u32);
    codes
        .iter()
        .map(|code| of_model.get(usize::from(*code)).copied().unwrap_or(IGNORE))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_chosen_and_nothing_of_what_is_no_number() {
        assert_eq!(most_likely(&[0.0, 2.0, 2.0]), 1);
        assert_eq!(most_likely(&[0.0, f32::NAN]), IGNORE);
    }
}

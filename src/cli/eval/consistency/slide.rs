//! The figures of one slide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::choose::{Chosen, TemperatureFit, WEIGHTS};
use super::maps::Maps;
use super::place;
use super::score::{Score, Scorer};
use crate::model::ReadyModel;
use crate::segment::fusion::Fusion;
use crate::segment::live::magnifications_of;
use crate::segment::live::{Analysis, MAGNIFICATIONS};
use crate::slide::SlideSource as _;
use crate::slide::phantom::PhantomSource;

/// Side of a field, µm.
pub const FIELD_UM: f64 = 384.0;

/// Fields of a slide.
pub const FIELDS: usize = 3;

/// Of each weight of the finer map, by the finer magnification's place: its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlideResult {
    /// Scores by magnification, then in the order of `weights`.
    pub scores: BTreeMap<u8, Vec<Score>>,
    /// Weights of the finer map that were tried at each magnification; 1 is not fused, 0 the
    /// coarser map alone.
    pub weights: BTreeMap<u8, Vec<f32>>,
}

/// The finer magnifications that have a partner, by their places.
pub fn scales(model: &ReadyModel, slide: &PhantomSource) -> Vec<u8> {
    let available = magnifications_of(slide.info(), model.card.mpp);
    let has = |scale: u8| available.contains(&MAGNIFICATIONS[usize::from(scale)]);
    let all = 0..MAGNIFICATIONS.len() as u8;
    let fused =
        all.filter(|scale| has(*scale) && Analysis::Fused(*scale).context().is_some_and(has));
    fused.collect()
}

/// Which temperatures suit a slide: how likely the truth is under each.
pub fn temperatures(
    model: &ReadyModel,
    slide: &PhantomSource,
) -> anyhow::Result<Vec<TemperatureFit>> {
    let mut fits = Vec::new();
    for scale in scales(model, slide) {
        for origin in place::fields(slide, FIELD_UM, FIELDS) {
            let maps = Maps::of(model, slide, origin, FIELD_UM, scale)?;
            fits.push(TemperatureFit::of(scale, &maps.fine, &maps));
            let context = scale + crate::segment::fusion::CONTEXT_STEPS;
            fits.push(TemperatureFit::of(context, &maps.coarse, &maps));
        }
    }
    Ok(fits)
}

/// All weights on a slide, under temperatures.
pub fn sweep(
    model: &ReadyModel,
    slide: &PhantomSource,
    temperature: &BTreeMap<u8, f32>,
) -> anyhow::Result<SlideResult> {
    let scales = scales(model, slide).into_iter();
    let weights = scales.map(|scale| (scale, WEIGHTS.to_vec())).collect();
    score(model, slide, temperature, weights)
}

/// The chosen weights on a slide, beside the maps that they fuse.
pub fn test(
    model: &ReadyModel,
    slide: &PhantomSource,
    chosen: &Chosen,
) -> anyhow::Result<SlideResult> {
    let fusion = &chosen.fusion;
    let of = |(scale, weight): (&u8, &f32)| (*scale, vec![*weight, 1.0, 0.0]);
    let weights = fusion.weight_of_fine.iter().map(of).collect();
    score(model, slide, &fusion.temperature, weights)
}

fn score(
    model: &ReadyModel,
    slide: &PhantomSource,
    temperature: &BTreeMap<u8, f32>,
    weights: BTreeMap<u8, Vec<f32>>,
) -> anyhow::Result<SlideResult> {
    let names = model.card.class_names();
    let mut scores = BTreeMap::new();
    for (scale, weights) in &weights {
        let mut scorers = Vec::new();
        for _ in weights {
            scorers.push(Scorer::new(&names)?);
        }
        for origin in place::fields(slide, FIELD_UM, FIELDS) {
            let maps = Maps::of(model, slide, origin, FIELD_UM, *scale)?;
            for (weight, scorer) in weights.iter().zip(&mut scorers) {
                let fusion = Fusion {
                    weight_of_fine: BTreeMap::from([(*scale, *weight)]),
                    temperature: temperature.clone(),
                };
                scorer.add(&maps, &maps.fused(&fusion))?;
            }
        }
        scores.insert(*scale, scorers.iter().map(Scorer::score).collect());
    }
    Ok(SlideResult { scores, weights })
}

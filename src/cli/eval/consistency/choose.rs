//! Temperatures and weights, chosen on validation slides.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::maps::Maps;
use super::slide::SlideResult;
use crate::learn::seg_metrics::IGNORE;
use crate::segment::fusion::Fusion;

/// Weights of the finer map that are tried.
pub const WEIGHTS: [f32; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Temperatures that are tried: from 0.5 in steps of 10 %.
const COLDEST: f32 = 0.5;
const STEP: f32 = 1.1;
const STEPS: usize = 25;

/// Every so many px is looked at for temperatures.
const EVERY: usize = 13;

fn tried() -> impl Iterator<Item = f32> {
    (0..STEPS).map(|n| COLDEST * STEP.powi(n as i32))
}

/// How unlikely the truth is at each temperature that is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemperatureFit {
    /// The magnification's place.
    pub scale: u8,
    /// Sum of −log p(truth) at each temperature.
    pub nll: Vec<f64>,
    /// Px that were looked at.
    pub px: u64,
}

impl TemperatureFit {
    /// Of K log-probabilities a px of a field.
    pub fn of(scale: u8, logs: &[f32], maps: &Maps) -> Self {
        let px = logs.chunks_exact(maps.classes).zip(&maps.truth);
        let known = px.step_by(EVERY);
        let known = known.filter(|(logs, truth)| **truth != IGNORE && !logs[0].is_nan());
        let mut fit = Self {
            scale,
            nll: vec![0.0; STEPS],
            px: 0,
        };
        for (logs, truth) in known {
            fit.px += 1;
            for (nll, temperature) in fit.nll.iter_mut().zip(tried()) {
                *nll += unlikely(logs, usize::from(*truth), temperature);
            }
        }
        fit
    }
}

fn unlikely(logs: &[f32], truth: usize, temperature: f32) -> f64 {
    let greatest = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let of = |log: f32| f64::from((log - greatest) / temperature);
    let sum: f64 = logs.iter().map(|log| of(*log).exp()).sum();
    sum.ln() - of(logs[truth])
}

/// The temperature of each magnification under which the truth of all slides is likeliest.
pub fn temperatures(fits: &[Vec<TemperatureFit>]) -> anyhow::Result<BTreeMap<u8, f32>> {
    let mut sums: BTreeMap<u8, Vec<f64>> = BTreeMap::new();
    for fit in fits.iter().flatten() {
        ensure!(
            fit.nll.len() == STEPS,
            "figures of another list of temperatures"
        );
        let sum = sums.entry(fit.scale).or_insert_with(|| vec![0.0; STEPS]);
        sum.iter_mut()
            .zip(&fit.nll)
            .for_each(|(sum, nll)| *sum += nll);
    }
    let best = |sum: &Vec<f64>| {
        let each = tried().zip(sum);
        let least = each.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least.map_or(1.0, |(temperature, _)| temperature)
    };
    Ok(sums
        .iter()
        .map(|(scale, sum)| (*scale, best(sum)))
        .collect())
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Weights and temperatures.
    #[serde(flatten)]
    pub fusion: Fusion,
}

/// Means over slides of a weight's macro Dice, boundary F1 and consistency.
pub fn means(results: &[SlideResult], scale: u8, index: usize) -> [f64; 3] {
    let scores = results
        .iter()
        .filter_map(|result| result.scores.get(&scale)?.get(index));
    let scores: Vec<_> = scores.collect();
    let mean = |of: fn(&super::score::Score) -> f64| {
        scores.iter().map(|score| of(score)).sum::<f64>() / scores.len().max(1) as f64
    };
    [
        mean(|score| score.macro_dice),
        mean(|score| score.boundary_f1),
        mean(|score| score.consistency),
    ]
}

/// The weight of each magnification with the highest mean of macro Dice and boundary F1 against
/// the truth, among those whose Dice is not below that of the finer map alone; of equals the
/// smaller.
pub fn weights(sweeps: &[SlideResult], temperature: BTreeMap<u8, f32>) -> anyhow::Result<Chosen> {
    let mut weight_of_fine = BTreeMap::new();
    let scales = sweeps.first().map(|sweep| sweep.weights.clone());
    for (scale, weights) in scales.unwrap_or_default() {
        let each: Vec<[f64; 3]> = (0..weights.len())
            .map(|index| means(sweeps, scale, index))
            .collect();
        weight_of_fine.insert(scale, best(&weights, &each));
    }
    Ok(Chosen {
        fusion: Fusion {
            weight_of_fine,
            temperature,
        },
    })
}

fn best(weights: &[f32], means: &[[f64; 3]]) -> f32 {
    let alone = weights.iter().position(|weight| *weight == 1.0);
    let alone = alone.map_or(0.0, |index| means[index][0]);
    let mut best = (1.0, f64::NEG_INFINITY);
    for (weight, [dice, f1, _]) in weights.iter().zip(means) {
        if *dice >= alone && dice + f1 > best.1 {
            best = (*weight, dice + f1);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_weight_that_costs_no_dice_is_chosen() {
        let weights = [0.0, 0.5, 0.7, 1.0];
        let mean = |dice, f1| [dice, f1, 0.0];
        let means = [
            mean(0.6, 0.9),
            mean(0.71, 0.5),
            mean(0.72, 0.49),
            mean(0.7, 0.5),
        ];
        assert_eq!(best(&weights, &means), 0.5, "of equals the smaller");
        let worse = [
            mean(0.6, 0.9),
            mean(0.69, 0.9),
            mean(0.5, 0.5),
            mean(0.7, 0.5),
        ];
        assert_eq!(
            best(&weights, &worse),
            1.0,
            "nothing is fused that costs Dice"
        );
    }

    #[test]
    fn the_temperature_that_scores_were_made_with_is_found() {
        // Two classes; a px is of class 1 as often as its probability says, at T = 2.
        let (mut logs, mut truth) = (Vec::new(), Vec::new());
        for n in 0..13 * 4000 {
            let log = (n % 97) as f32 / 12.0 - 4.0;
            let p = 1.0 / (1.0 + (-log / 2.0).exp());
            logs.extend([0.0, log]);
            truth.push(u8::from((n as f32 * 0.618_034).fract() < p));
        }
        let maps = Maps {
            scale: 0,
            mpp: 1.0,
            width_px: 1,
            fine: Vec::new(),
            coarse: Vec::new(),
            coarse_class: Vec::new(),
            truth,
            classes: 2,
        };
        let fit = TemperatureFit::of(0, &logs, &maps);
        let found = temperatures(&[vec![fit]]).unwrap()[&0];
        assert!((1.7..2.4).contains(&found), "{found}");
    }
}

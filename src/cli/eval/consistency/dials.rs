//! What a dial is worth: area and attention of its class, step by step.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::maps::{most_likely, rect};
use super::place;
use super::slide::{FIELD_UM, FIELDS};
use crate::learn::seg_metrics::IGNORE;
use crate::model::ReadyModel;
use crate::segment::Network;
use crate::segment::live::{LogMap, StillField};
use crate::slide::phantom::PhantomSource;

/// Place of 10x in [`crate::segment::live::MAGNIFICATIONS`].
const SCALE: u8 = 2;

/// How far a dial is turned, the others at rest.
pub const TURNS: [f32; 10] = [-6.0, -4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0, 6.0];

/// What one dial did to its own class, turn by turn, in the order of [`TURNS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DialEffect {
    /// Share of the fields that is the class, 0–1, under a turn of its attention.
    pub area: Vec<f64>,
    /// Share of the first biased layer's attention that the class has, 0–1.
    pub attention: Vec<f64>,
    /// Share of the fields that is the class, 0–1, where the same is added to its finished scores
    /// in place of its attention.
    pub area_by_output: Vec<f64>,
    /// Area at rest.
    pub area_at_rest: f64,
    /// Attention at rest.
    pub attention_at_rest: f64,
}

/// All dials of a slide, class by class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DialResult {
    /// By class.
    pub classes: Vec<DialEffect>,
}

/// Turns every dial of a slide's fields at 10x.
pub fn turn(model: &ReadyModel, slide: &PhantomSource) -> anyhow::Result<DialResult> {
    let mut network = Network::new(model);
    let rest = model.bias.total();
    let (classes, steps) = (rest.len(), TURNS.len());
    let mut px = 0.0;
    let mut at_rest = vec![0.0; classes];
    let (mut turned, mut output) = (
        vec![vec![0.0; steps]; classes],
        vec![vec![0.0; steps]; classes],
    );
    let mut logits = Vec::new();
    for origin in place::fields(slide, FIELD_UM, FIELDS) {
        let rect = rect(slide, origin, FIELD_UM)?;
        let field = StillField::encode(&mut network, slide, SCALE, rect)?;
        logits.extend(first_logits(model, &field)?);
        let Some(map) = field.logs(&mut network, &rest)? else {
            continue;
        };
        let field_px = pixels(&field);
        px += field_px.len() as f64;
        for class in 0..classes {
            at_rest[class] += count(&map, &field_px, class, 0.0);
            for (step, by) in TURNS.iter().enumerate() {
                output[class][step] += count(&map, &field_px, class, *by);
                let mut bias = rest.clone();
                bias[class] += by;
                if let Some(map) = field.logs(&mut network, &bias)? {
                    turned[class][step] += count(&map, &field_px, class, 0.0);
                }
            }
        }
    }
    let share = |count: f64| count / f64::max(px, 1.0);
    let effect = |class: usize| DialEffect {
        area: turned[class].iter().map(|count| share(*count)).collect(),
        attention: TURNS
            .iter()
            .map(|by| attention(&logits, &rest, class, *by))
            .collect(),
        area_by_output: output[class].iter().map(|count| share(*count)).collect(),
        area_at_rest: share(at_rest[class]),
        attention_at_rest: attention(&logits, &rest, class, 0.0),
    };
    Ok(DialResult {
        classes: (0..classes).map(effect).collect(),
    })
}

fn pixels<F>(field: &StillField<F>) -> Vec<(u32, u32)> {
    let Some((x, y)) = field.px() else {
        return Vec::new();
    };
    y.flat_map(|row| x.clone().map(move |column| (column, row)))
        .collect()
}

/// Px whose most likely class is `class`, where `by` is added to its score.
fn count(map: &LogMap, px: &[(u32, u32)], class: usize, by: f32) -> f64 {
    let is_it = |px: &&(u32, u32)| {
        let Some(logs) = map.under(1.0, **px) else {
            return false;
        };
        let mut logs = logs.to_vec();
        logs[class] += by;
        let said = most_likely(&logs);
        said != IGNORE && usize::from(said) == class
    };
    px.iter().filter(is_it).count() as f64
}

/// Logits of the first biased layer without the bias, a row of K for each token and head: they do
/// not depend on the bias.
fn first_logits<F>(model: &ReadyModel, field: &StillField<F>) -> anyhow::Result<Vec<f32>> {
    let side = model.card.tile_px;
    let mut all = Vec::new();
    for tile in field.pictures() {
        let channel = |n: usize| tile.rgb.iter().skip(n).step_by(3);
        let planes = (0..3)
            .flat_map(channel)
            .map(|byte| f32::from(*byte) / 255.0);
        let planes: Vec<f32> = planes.collect();
        if let Some(layer) = model.predictor.look(&planes, side)?.into_iter().next() {
            let logits: Tensor<4> = layer.logits;
            let values = logits.into_data().try_to_vec::<f32>();
            all.extend(values.map_err(|error| anyhow::anyhow!("{error:?}"))?);
        }
    }
    Ok(all)
}

/// Mean share of the attention that a class has, its dial turned by `by`.
fn attention(logits: &[f32], rest: &[f32], class: usize, by: f32) -> f64 {
    let mut sum = 0.0;
    let rows = logits.chunks_exact(rest.len());
    let count = rows.len().max(1) as f64;
    for row in rows {
        let turned = |n: usize| row[n] + rest[n] + if n == class { by } else { 0.0 };
        let all = (0..rest.len()).map(turned);
        let greatest = all.clone().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = all.map(|value| (value - greatest).exp()).sum();
        sum += f64::from((turned(class) - greatest).exp() / total);
    }
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_is_a_softmax_with_the_dial_in_it() {
        let logits = [0.0, 0.0, 1.0, 0.0];
        let share = attention(&logits, &[0.0, 0.0], 1, 0.0);
        let second = 1.0 / (1.0 + 1.0_f64.exp());
        assert!((share - (0.5 + second) / 2.0).abs() < 1e-6);
        assert!(attention(&logits, &[0.0, 0.0], 1, 30.0) > 0.999);
        let all = attention(&logits, &[0.5, 0.5], 0, 0.0) + attention(&logits, &[0.5, 0.5], 1, 0.0);
        assert!((all - 1.0).abs() < 1e-6);
    }
}

//! Two maps of one place at two magnifications as one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the map of a magnification is fused with the one a factor of 4 coarser: per px,
/// `log p ∝ w · log softmax(f / T_f) + (1 − w) · log softmax(c / T_c)`, where `f` and `c` are the
/// scores of the finer and the coarser map. The weights sum to one by construction, so maps that
/// agree stay as they are. Magnifications are those of
/// [`super::live::MAGNIFICATIONS`], by their place in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fusion {
    /// w of the finer map, 0–1; [`DEFAULT_WEIGHT`] where none is given.
    pub weight_of_fine: BTreeMap<u8, f32>,
    /// T, > 0; 1 where none is given.
    pub temperature: BTreeMap<u8, f32>,
}

/// Both maps have as much to say.
pub const DEFAULT_WEIGHT: f32 = 0.5;

/// What was chosen for a shipped model on validation slides; see `docs/consistency.md`.
const CHOSEN: [&str; 2] = [
    include_str!("../../assets/fusion-brain.json"),
    include_str!("../../assets/fusion-breast.json"),
];

/// A file of weights and temperatures.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// SHA-256 of the decoder's file, hexadecimal.
    decoder_sha256: String,
    /// The command that chose.
    #[serde(rename = "made")]
    _made: String,
    fusion: Fusion,
}

/// Places in the list of magnifications from one map to the one a factor of 4 coarser.
pub const CONTEXT_STEPS: u8 = 2;

impl Fusion {
    /// What was chosen for a decoder, by the SHA-256 of its file; the default for others.
    pub fn of_decoder(sha256: &str) -> Self {
        let mut chosen = CHOSEN
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok());
        let found = chosen.find(|chosen: &Chosen| chosen.decoder_sha256 == sha256);
        found.map_or_else(Self::default, |chosen| chosen.fusion)
    }

    /// Fuses the K log-probabilities of a px in place with those of the coarser map; without, they
    /// are only brought to their temperature.
    pub fn fuse(&self, fine_scale: u8, fine: &mut [f32], coarse: Option<&[f32]>) {
        self.calibrate(fine_scale, fine);
        let Some(coarse) = coarse else {
            return;
        };
        let mut coarse = coarse.to_vec();
        self.calibrate(fine_scale + CONTEXT_STEPS, &mut coarse);
        let weight = self.weight(fine_scale);
        for (fine, coarse) in fine.iter_mut().zip(&coarse) {
            *fine = weight * *fine + (1.0 - weight) * coarse;
        }
        normalise(fine);
    }

    /// w of the map of a scale beside its context, 0–1.
    pub fn weight(&self, fine_scale: u8) -> f32 {
        let given = self.weight_of_fine.get(&fine_scale).copied();
        given.unwrap_or(DEFAULT_WEIGHT).clamp(0.0, 1.0)
    }

    /// T of the map of a scale, > 0.
    pub fn temperature(&self, scale: u8) -> f32 {
        let given = self.temperature.get(&scale).copied();
        given.unwrap_or(1.0).max(1e-3)
    }

    /// Brings the K scores or log-probabilities of a px to the temperature of a scale, in place:
    /// log-probabilities.
    pub fn calibrate(&self, scale: u8, logs: &mut [f32]) {
        let temperature = self.temperature(scale);
        logs.iter_mut().for_each(|log| *log /= temperature);
        normalise(logs);
    }
}

/// Makes log-probabilities of scores.
fn normalise(logs: &mut [f32]) {
    let greatest = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logs.iter().map(|log| (log - greatest).exp()).sum();
    let norm = greatest + sum.ln();
    logs.iter_mut().for_each(|log| *log -= norm);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_chosen_is_of_a_shipped_decoder_and_makes_sense() {
        let decoders = crate::model::shipped::decoders();
        let hashes: Vec<String> = decoders
            .iter()
            .map(|decoder| {
                crate::files::hex(&<sha2::Sha256 as sha2::Digest>::digest(decoder.bytes))
            })
            .collect();
        for text in CHOSEN {
            let chosen: Chosen = serde_json::from_str(text).unwrap();
            assert!(hashes.contains(&chosen.decoder_sha256), "of other weights");
            let fusion = Fusion::of_decoder(&chosen.decoder_sha256);
            assert_eq!(fusion, chosen.fusion);
            assert!(!fusion.weight_of_fine.is_empty());
            let weights = fusion.weight_of_fine.values();
            assert!(
                weights
                    .into_iter()
                    .all(|weight| (0.0..=1.0).contains(weight))
            );
            assert!(fusion.temperature.values().all(|t| (0.1..10.0).contains(t)));
        }
        assert_eq!(Fusion::of_decoder("of somebody"), Fusion::default());
    }

    fn logs(probabilities: [f32; 3]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    fn fusion(weight: f32, temperatures: [f32; 2]) -> Fusion {
        Fusion {
            weight_of_fine: BTreeMap::from([(0, weight)]),
            temperature: BTreeMap::from([(0, temperatures[0]), (2, temperatures[1])]),
        }
    }

    #[test]
    fn maps_that_agree_stay_as_they_are() {
        for weight in [0.0, 0.3, 1.0] {
            let mut fused = logs([0.2, 0.7, 0.1]);
            let same = fused.clone();
            fusion(weight, [1.0; 2]).fuse(0, &mut fused, Some(&same));
            for (fused, meant) in fused.iter().zip(&same) {
                assert!((fused - meant).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn weights_move_between_the_maps_and_sums_are_one() {
        let (fine, coarse) = (logs([0.2, 0.7, 0.1]), logs([0.8, 0.1, 0.1]));
        let fused = |weight: f32, temperatures: [f32; 2]| {
            let mut fused = fine.clone();
            fusion(weight, temperatures).fuse(0, &mut fused, Some(&coarse));
            let sum: f32 = fused.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            fused
        };
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(&fused(1.0, [1.0; 2]), &fine));
        assert!(near(&fused(0.0, [1.0; 2]), &coarse));
        // sqrt(0.2 · 0.8), sqrt(0.7 · 0.1), sqrt(0.1 · 0.1), normalised.
        let (a, b, c) = (0.4, 0.07_f32.sqrt(), 0.1);
        let sum = a + b + c;
        assert!(near(
            &fused(0.5, [1.0; 2]),
            &logs([a / sum, b / sum, c / sum])
        ));
        // A very hot coarse map says nothing.
        let hot = fused(0.5, [0.5, 1e6]);
        assert!(near(&hot, &fine));
    }

    #[test]
    fn alone_a_map_keeps_its_order_at_any_temperature() {
        let mut alone = logs([0.2, 0.7, 0.1]);
        fusion(0.5, [3.0, 1.0]).fuse(0, &mut alone, None);
        assert!(alone[1] > alone[0] && alone[0] > alone[2]);
        assert!(alone[1].exp() < 0.7);
    }

    /// Log-probabilities of 2 to 6 classes for two maps, none too far from the others.
    fn two_maps() -> impl Strategy<Value = [Vec<f32>; 2]> {
        let logits = |count: usize| proptest::collection::vec(-6.0..6.0_f32, count);
        let maps = (2..7_usize).prop_flat_map(move |count| (logits(count), logits(count)));
        maps.prop_map(|(mut fine, mut coarse)| {
            normalise(&mut fine);
            normalise(&mut coarse);
            [fine, coarse]
        })
    }

    proptest! {
        /// The shares of both maps in any two classes' log-odds are w and 1 − w, which sum to one,
        /// so that maps that agree stay as they are; and what comes out is a distribution.
        #[test]
        fn fusion_weights_sum_to_one_and_leave_agreeing_maps_unchanged(
            [fine, coarse] in two_maps(),
            weight in 0.0..=1.0_f32,
            temperatures in [0.3..4.0_f32, 0.3..4.0_f32],
        ) {
            let fused = |temperatures: [f32; 2], coarse: &[f32]| {
                let mut logs = fine.clone();
                fusion(weight, temperatures).fuse(0, &mut logs, Some(coarse));
                logs
            };
            let same = fused([1.0; 2], &fine);
            for (fused, meant) in same.iter().zip(&fine) {
                prop_assert!((fused - meant).abs() < 1e-4, "{same:?} of {fine:?}");
            }
            let found = fused(temperatures, &coarse);
            let sum: f32 = found.iter().map(|log| log.exp()).sum();
            prop_assert!((sum - 1.0).abs() < 1e-4);
            let odds = |logs: &[f32], class: usize| logs[class] - logs[0];
            for class in 1..fine.len() {
                let of_fine = weight * odds(&fine, class) / temperatures[0];
                let of_coarse = (1.0 - weight) * odds(&coarse, class) / temperatures[1];
                let apart = odds(&found, class) - (of_fine + of_coarse);
                prop_assert!(apart.abs() < 1e-3, "class {class}: {apart}");
            }
        }
    }
}

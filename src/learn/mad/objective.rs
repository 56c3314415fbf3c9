//! What the student learns by: all losses of methods 2.2 on what both networks saw.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::MadConfig;
use super::losses::{contrast, cross_entropy, koleo};
use super::network::{Centre, Head, Seen};
use super::targets::Targets;
use crate::learn::sampling::CHILDREN;

/// Temperature of the optional contrast within a parent.
const CONTRAST_TEMPERATURE: f64 = 0.1;

/// The parts of the loss as tensors of one value.
#[derive(Debug)]
pub struct Losses {
    /// The weighted sum, to be derived.
    pub total: Tensor<1>,
    /// The sum, then its parts before weighting, without autodiff: global, context, tokens, koleo,
    /// contrast, \[6\].
    pub parts: Tensor<1>,
}

/// Methods 2.2: the student's say (`head` on what it has `seen` of its view) against the teacher's,
/// `says`, of the other. `child_places` \[C\] tells each child's family and place, as in
/// [`FamilyBatch`](crate::learn::sampling::FamilyBatch); a loss of weight zero is not computed.
pub fn losses(
    head: &Head,
    config: &MadConfig,
    seen: &Seen,
    centre: &Centre,
    says: &Targets,
    child_places: &[usize],
) -> Losses {
    let device = head.device();
    let temperature = config.student.temperature;
    let weights = &config.loss;
    let says_of = |rows: Tensor<2>| head.scores(head.project(rows));
    // The teacher's say enters without gradients.
    let target = |rows: &Tensor<2>| Tensor::<2>::from_inner(rows.clone());
    let places = indices(child_places.iter().copied(), &device);
    let family = indices(child_places.iter().map(|place| place / CHILDREN), &device);
    let raw = seen;
    let seen = &raw.less(centre);
    let zero = || Tensor::<1>::zeros([1], (&device, raw.parents.dtype()));
    let when = |weight: f64, loss: &dyn Fn() -> Tensor<1>| match weight > 0.0 {
        true => loss(),
        false => zero(),
    };

    let global = when(weights.global, &|| {
        let says = target(&says.parents);
        cross_entropy(says, says_of(seen.parents.clone()), temperature)
    });
    let context = when(weights.context, &|| {
        let of_parent = target(&says.parents).select(0, family.clone());
        cross_entropy(of_parent, says_of(seen.children.clone()), temperature)
    });
    let coarse = seen.coarse.clone().select(0, places);
    let tokens = when(weights.tokens, &|| {
        let detail = says_of(seen.fine.clone());
        let down = cross_entropy(target(&says.coarse), detail, temperature);
        let up = cross_entropy(target(&says.fine), says_of(coarse.clone()), temperature);
        (down + up) * 0.5
    });
    let spread = when(weights.koleo, &|| {
        (koleo(raw.parents.clone()) + koleo(raw.children.clone())) * 0.5
    });
    let siblings = when(weights.contrast, &|| {
        let (coarse, fine) = (coarse.clone(), seen.fine.clone());
        contrast(coarse, fine, family.clone(), CONTRAST_TEMPERATURE)
    });
    let total = global.clone() * weights.global
        + context.clone() * weights.context
        + tokens.clone() * weights.tokens
        + spread.clone() * weights.koleo
        + siblings.clone() * weights.contrast;
    let parts = [total.clone(), global, context, tokens, spread, siblings];
    Losses {
        parts: Tensor::cat(parts.map(Tensor::inner).to_vec(), 0),
        total,
    }
}

/// Numbers of rows as a tensor.
pub(super) fn indices(values: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::DType;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use crate::learn::mad::config::LossWeights;
    use crate::learn::mad::network::{HeadConfig, Network};
    use crate::model::EncoderConfig;

    const WIDTH: usize = 4;
    const PROTOTYPES: usize = 6;
    /// Two families; most of their children are left out.
    const PLACES: [usize; 5] = [0, 3, 9, 17, 30];
    /// Rows of parents, children, patches under children, children's patches.
    const ROWS: [usize; 4] = [2, 5, 32, 5];
    /// Weights that differ, in the order of [`Losses::parts`].
    const WEIGHTS: [f64; 5] = [0.7, 0.5, 1.3, 0.3, 0.9];
    const TEMPERATURE: f64 = 0.3;

    /// Makes parameters 64-bit numbers.
    struct Wide;

    impl ModuleMapper for Wide {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor.cast(DType::F64))
        }
    }

    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn draws(count: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn tensor(rows: &[Vec<f64>], device: &Device) -> Tensor<2> {
        let shape = [rows.len(), rows[0].len()];
        Tensor::from_data(TensorData::new(rows.concat(), shape), (device, DType::F64))
    }

    fn rows(values: &[f64], width: usize) -> Vec<Vec<f64>> {
        values.chunks_exact(width).map(<[f64]>::to_vec).collect()
    }

    fn head() -> Head {
        let encoder = EncoderConfig {
            width: WIDTH,
            depth: 1,
            heads: 1,
            mlp_width: 4,
            patch_px: 8,
            ..EncoderConfig::tiny()
        };
        let head = HeadConfig {
            hidden: 5,
            bottleneck: 3,
            prototypes: PROTOTYPES,
            centred: true,
        };
        let network = Network::new(&encoder, &head, 4, &device()).unwrap();
        network.head.map(&mut Wide)
    }

    fn config(weights: [f64; 5]) -> MadConfig {
        let mut config: MadConfig = toml::from_str("seed = 1\nsteps = 1").unwrap();
        let [global, context, tokens, koleo, contrast] = weights;
        config.loss = LossWeights {
            global,
            context,
            tokens,
            koleo,
            contrast,
        };
        config.student.temperature = TEMPERATURE;
        config
    }

    /// Shares of prototypes, one row of them for each of so many.
    fn shares(count: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut all = rows(&draws(count * PROTOTYPES, seed), PROTOTYPES);
        for row in &mut all {
            let sum: f64 = row.iter().map(|value| value.exp()).sum();
            row.iter_mut().for_each(|value| *value = value.exp() / sum);
        }
        all
    }

    fn says() -> Targets {
        let of = |count, seed| tensor(&shares(count, seed), &Device::flex());
        Targets {
            parents: of(2, 11),
            coarse: of(5, 12),
            fine: of(5, 13),
        }
    }

    fn centre() -> Centre {
        Centre {
            class: vec![0.25, -0.5, 0.125, 0.0],
            patch: vec![-0.25, 0.75, 0.0, 0.5],
        }
    }

    /// The losses of what is seen, all of it in one row of numbers.
    fn at(row: &Tensor<1>, weights: [f64; 5]) -> Losses {
        let mut begin = 0;
        let parts = ROWS.map(|count| {
            let part = row.clone().narrow(0, begin, count * WIDTH);
            begin += count * WIDTH;
            part.reshape([count, WIDTH])
        });
        let [parents, children, coarse, fine] = parts;
        let seen = Seen {
            parents,
            children,
            coarse,
            fine,
        };
        let config = config(weights);
        losses(&head(), &config, &seen, &centre(), &says(), &PLACES)
    }

    fn leaf(values: &[f64]) -> Tensor<1> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Tensor::from_data(data, (&device(), DType::F64))
    }

    fn parts(values: &[f64]) -> Vec<f64> {
        let losses = at(&leaf(values), WEIGHTS);
        losses.parts.into_data().try_to_vec().unwrap()
    }

    fn gradient(values: &[f64], weights: [f64; 5]) -> Vec<f64> {
        let leaf = leaf(values).require_grad();
        let of_loss = at(&leaf, weights).total.backward();
        let found = leaf.grad(&of_loss).unwrap();
        found.into_data().try_to_vec().unwrap()
    }

    /// What is seen: parents, children, patches under children, children's patches.
    fn sight() -> Vec<f64> {
        draws(ROWS.iter().sum::<usize>() * WIDTH, 5)
    }

    #[test]
    fn each_loss_and_their_sum_have_the_gradients_of_their_values() {
        let start = sight();
        let step = 1e-5;
        let slopes: Vec<Vec<f64>> = (0..start.len())
            .map(|n| {
                let moved = |by: f64| {
                    let mut values = start.clone();
                    values[n] += by;
                    parts(&values)
                };
                let pairs = moved(step).into_iter().zip(moved(-step));
                pairs.map(|(up, down)| (up - down) / (2.0 * step)).collect()
            })
            .collect();
        let only = |term: usize| {
            let mut weights = [0.0; 5];
            weights[term] = WEIGHTS[term];
            weights
        };
        let each = (0..5).map(|term| (term + 1, WEIGHTS[term], only(term)));
        for (part, weight, weights) in each.chain([(0, 1.0, WEIGHTS)]) {
            let found = gradient(&start, weights);
            for (n, (found, slopes)) in found.iter().zip(&slopes).enumerate() {
                let meant = weight * slopes[part];
                let error = (found - meant).abs();
                assert!(
                    error < 1e-6 + 1e-4 * meant.abs(),
                    "part {part}, value {n}: {found} for {meant}"
                );
            }
            assert!(found.iter().any(|value| value.abs() > 1e-3), "part {part}");
        }
    }

    /// H of rows against what the student's head says of rows, both as written down in methods 2.2.
    fn mean_entropy(of: &[Vec<f64>], seen: &[Vec<f64>]) -> f64 {
        let scores = head().scores(head().project(tensor(seen, &device())));
        let scores: Vec<f64> = scores.into_data().try_to_vec().unwrap();
        let row = |(shares, scores): (&Vec<f64>, Vec<f64>)| {
            let sum: f64 = scores.iter().map(|score| (score / TEMPERATURE).exp()).sum();
            let log = |score: &f64| score / TEMPERATURE - sum.ln();
            let pairs = shares.iter().zip(&scores);
            -pairs.map(|(share, score)| share * log(score)).sum::<f64>()
        };
        let pairs = of.iter().zip(rows(&scores, PROTOTYPES));
        pairs.map(row).sum::<f64>() / of.len() as f64
    }

    #[test]
    fn cross_entropies_are_put_together_as_the_method_has_them() {
        let all = rows(&sight(), WIDTH);
        let less = |rows: &[Vec<f64>], mean: &[f32]| -> Vec<Vec<f64>> {
            let less = |row: &Vec<f64>| {
                let pairs = row.iter().zip(mean);
                pairs
                    .map(|(value, mean)| value - f64::from(*mean))
                    .collect()
            };
            rows.iter().map(less).collect()
        };
        let Centre { class, patch } = centre();
        let (parents, children) = (less(&all[..2], &class), less(&all[2..7], &class));
        let (under, fine) = (less(&all[7..39], &patch), less(&all[39..], &patch));
        let coarse: Vec<Vec<f64>> = PLACES.map(|place| under[place].clone()).to_vec();
        let of_parents = shares(2, 11);
        let of_families: Vec<Vec<f64>> =
            PLACES.map(|place| of_parents[place / 16].clone()).to_vec();
        let down = mean_entropy(&shares(5, 12), &fine);
        let up = mean_entropy(&shares(5, 13), &coarse);
        let meant = [
            mean_entropy(&of_parents, &parents),
            mean_entropy(&of_families, &children),
            0.5 * (down + up),
        ];
        let found = parts(&sight());
        for (n, meant) in meant.into_iter().enumerate() {
            let found = found[n + 1];
            assert!((found - meant).abs() < 1e-9, "{n}: {found} for {meant}");
        }
        let weighted = WEIGHTS.iter().zip(&found[1..]).map(|(w, part)| w * part);
        assert!((weighted.sum::<f64>() - found[0]).abs() < 1e-9);
    }
}

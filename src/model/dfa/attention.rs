//! Multi-head attention between two sets of tokens, in two halves: logits, and what is fetched by
//! the weights made of them. What happens between them is the caller's: here the bias comes in.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::model::block::linear;

/// Written plainly: keys or queries are the few class tokens, for which burn's fused attention has
/// nothing to gain.
#[derive(Module, Debug)]
pub struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    /// For tokens of `width`, with `inner` channels over all heads.
    pub fn new(width: usize, inner: usize, heads: usize, device: &Device) -> Self {
        Self {
            q_proj: linear(width, inner, device),
            k_proj: linear(width, inner, device),
            v_proj: linear(width, inner, device),
            out_proj: linear(inner, width, device),
            heads,
        }
    }

    /// Scaled products of every query with every key, before any softmax:
    /// \[B, Q, D\], \[B, K, D\] → \[B, heads, Q, K\].
    pub fn logits(&self, queries: Tensor<3>, keys: Tensor<3>) -> Tensor<4> {
        let queries = self.in_heads(self.q_proj.forward(queries));
        let keys = self.in_heads(self.k_proj.forward(keys));
        let head_width = queries.dims()[3];
        queries
            .matmul(keys.transpose())
            .div_scalar((head_width as f64).sqrt())
    }

    /// What the weights fetch: \[B, heads, Q, K\], \[B, K, D\] → \[B, Q, D\].
    pub fn fetch(&self, weights: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
        let values = self.in_heads(self.v_proj.forward(values));
        let fetched = weights.matmul(values).swap_dims(1, 2);
        let [batch, queries, heads, head_width] = fetched.dims();
        let joined = fetched.reshape([batch, queries, heads * head_width]);
        self.out_proj.forward(joined)
    }

    /// The usual attention: every query over all keys, without a bias.
    pub fn forward(&self, queries: Tensor<3>, keys: Tensor<3>, values: Tensor<3>) -> Tensor<3> {
        let weights = softmax(self.logits(queries, keys), 3);
        self.fetch(weights, values)
    }

    /// \[B, T, inner\] → \[B, heads, T, inner / heads\].
    fn in_heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, inner] = x.dims();
        x.reshape([batch, tokens, self.heads, inner / self.heads])
            .swap_dims(1, 2)
    }
}

/// Weights of the biased attention, \[B, heads, N, K\]: a softmax over the classes, whose logits
/// each carry the bias \[K\] of their class (methods 1.1). A number added to the whole bias cancels.
pub fn class_weights(logits: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let classes = bias.dims()[0];
    softmax(logits + bias.reshape([1, 1, 1, classes]), 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::initial;
    use burn::tensor::Distribution;

    /// A matrix of numbers, for arithmetic that shares nothing with burn.
    type Rows = Vec<Vec<f64>>;

    fn rows(tensor: Tensor<2>) -> Rows {
        let [_, columns] = tensor.dims();
        let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
        let row = |row: &[f32]| row.iter().map(|value| f64::from(*value)).collect();
        values.chunks(columns).map(row).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn projected(layer: &Linear, x: &Rows) -> Rows {
        let weight = rows(layer.weight.val().transpose());
        let bias = &rows(layer.bias.as_ref().unwrap().val().unsqueeze())[0];
        let out = |x: &Vec<f64>| {
            let each = weight.iter().zip(bias);
            each.map(|(weight, bias)| dot(weight, x) + bias).collect()
        };
        x.iter().map(out).collect()
    }

    /// The formula of methods 1.1, token by token and head by head.
    fn by_hand(
        layer: &Attention,
        image: &Rows,
        classes: &Rows,
        values: &Rows,
        bias: &[f64],
    ) -> Rows {
        let queries = projected(&layer.q_proj, image);
        let keys = projected(&layer.k_proj, classes);
        let values = projected(&layer.v_proj, values);
        let inner = queries[0].len();
        let each = inner / layer.heads;
        let fetched = queries.iter().map(|query| {
            let mut all = Vec::new();
            for part in (0..layer.heads).map(|head| head * each..(head + 1) * each) {
                let logit = |c: usize| {
                    let product = dot(&query[part.clone()], &keys[c][part.clone()]);
                    product / (each as f64).sqrt() + bias[c]
                };
                let raised: Vec<f64> = (0..bias.len()).map(|c| logit(c).exp()).collect();
                let sum: f64 = raised.iter().sum();
                all.extend(part.clone().map(|n| {
                    let taken = raised.iter().zip(&values);
                    taken
                        .map(|(raised, value)| raised / sum * value[n])
                        .sum::<f64>()
                }));
            }
            all
        });
        let fetched: Rows = fetched.collect();
        projected(&layer.out_proj, &fetched)
    }

    #[test]
    fn biased_attention_is_the_written_formula() {
        let device = Device::flex();
        let layer = initial::draw(Attention::new(12, 8, 2, &device), 5, 1);
        let normal = || Distribution::Normal(0.0, 8.0);
        let image = Tensor::<2>::random([6, 12], normal(), &device);
        let classes = Tensor::<2>::random([3, 12], normal(), &device);
        let values = Tensor::<2>::random([3, 12], normal(), &device);
        let bias = [0.7, -1.1, 0.2];
        let expected = by_hand(
            &layer,
            &rows(image.clone()),
            &rows(classes.clone()),
            &rows(values.clone()),
            &bias,
        );
        let logits = layer.logits(image.unsqueeze(), classes.unsqueeze());
        assert!(logits.clone().abs().max().into_scalar::<f32>() > 0.1);
        let weights = class_weights(logits, Tensor::from_floats(bias.map(|b| b as f32), &device));
        let seen = layer.fetch(weights, values.unsqueeze());
        let seen = rows(seen.squeeze_dim(0));
        for (seen, expected) in seen.iter().flatten().zip(expected.iter().flatten()) {
            assert!((seen - expected).abs() < 1e-5, "{seen} for {expected}");
        }
    }

    #[test]
    fn a_bias_counts_along_the_classes_and_cancels_along_the_image() {
        let device = Device::flex();
        let layer = initial::draw(Attention::new(12, 8, 2, &device), 5, 1);
        let normal = || Distribution::Normal(0.0, 8.0);
        let image = Tensor::<3>::random([1, 6, 12], normal(), &device);
        let classes = Tensor::<3>::random([1, 3, 12], normal(), &device);
        let bias = Tensor::<1>::from_floats([0.7, -1.1, 0.2], &device);
        let apart = |a: Tensor<4>, b: Tensor<4>| (a - b).abs().max().into_scalar::<f32>();

        let to_image = layer.logits(classes.clone(), image.clone());
        let with = to_image.clone() + bias.clone().reshape([1, 1, 3, 1]);
        assert!(apart(softmax(with, 3), softmax(to_image, 3)) < 1e-6);

        let to_classes = layer.logits(image, classes);
        let without = class_weights(to_classes.clone(), bias.zeros_like());
        assert!(apart(class_weights(to_classes.clone(), bias.clone()), without) > 0.05);

        let shifted = class_weights(to_classes.clone(), bias.clone() + 3.5);
        assert!(apart(shifted, class_weights(to_classes, bias)) < 1e-6);
    }
}

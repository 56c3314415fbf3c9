//! Names and shapes of a decoder's tensors: its fields' names, PyTorch's axes.

use crate::model::dfa::config::DecoderConfig;
use crate::model::dfa::{neck, upscale};
use crate::model::weights::module::Shapes;

/// Every tensor of a decoder of this shape and number of classes: linear weights are \[out, in\],
/// those of a class's own layers \[K, in, out\].
pub fn expected(config: &DecoderConfig, classes: usize) -> Shapes {
    let (width, cross) = (config.width, config.cross_width);
    let [first, second] = upscale::channels(config);
    let mut all = Listed::default();
    all.linear("neck.narrow", config.encoder_width, width);
    all.norm("neck.norm1", width);
    all.linear("neck.around", neck::SIDE * neck::SIDE * width, width);
    all.norm("neck.norm2", width);
    all.add("class_tokens".to_owned(), &[classes, width]);
    for block in 0..config.depth {
        let name = |part: &str| format!("blocks.{block}.{part}");
        all.attention(&name("self_attn"), width, width);
        all.attention(&name("class_to_image"), width, cross);
        all.linear(&name("fc1"), width, config.mlp_width);
        all.linear(&name("fc2"), config.mlp_width, width);
        all.attention(&name("image_to_class"), width, cross);
        for norm in ["norm1", "norm2", "norm3", "norm4"] {
            all.norm(&name(norm), width);
        }
    }
    all.attention("last_attn", width, cross);
    all.norm("last_norm", width);
    all.linear("upscale.first", width, 4 * first);
    all.norm("upscale.norm", first);
    all.linear("upscale.second", first, 4 * second);
    for (layer, out) in [("fc1", width), ("fc2", width), ("fc3", second)] {
        all.add(format!("mask_heads.{layer}.weight"), &[classes, width, out]);
        all.add(format!("mask_heads.{layer}.bias"), &[classes * out]);
    }
    all.linear("iou_head.fc1", width, width);
    all.linear("iou_head.fc2", width, 1);
    all.0
}

#[derive(Default)]
struct Listed(Shapes);

impl Listed {
    fn add(&mut self, name: String, shape: &[usize]) {
        let shape = shape.iter().map(|axis| *axis as u64).collect();
        self.0.insert(name, shape);
    }

    fn linear(&mut self, name: &str, d_in: usize, d_out: usize) {
        self.add(format!("{name}.weight"), &[d_out, d_in]);
        self.add(format!("{name}.bias"), &[d_out]);
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.add(format!("{name}.weight"), &[width]);
        self.add(format!("{name}.bias"), &[width]);
    }

    fn attention(&mut self, name: &str, width: usize, inner: usize) {
        for part in ["q_proj", "k_proj", "v_proj"] {
            self.linear(&format!("{name}.{part}"), width, inner);
        }
        self.linear(&format!("{name}.out_proj"), inner, width);
    }
}

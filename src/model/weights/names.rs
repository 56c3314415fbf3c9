//! Names and shapes of an encoder's tensors as timm has them, and what DINOv2 calls them.

use std::collections::BTreeMap;

use crate::model::config::EncoderConfig;

/// The patches' weights: the one tensor that timm keeps for a convolution.
pub const PATCH_WEIGHTS: &str = "patch_embed.proj.weight";

/// Every tensor of an encoder of this shape, with PyTorch's axes: linear weights are
/// \[out, in\], the patches' \[D, 3, p, p\].
pub fn expected(config: &EncoderConfig) -> BTreeMap<String, Vec<u64>> {
    let width = config.width;
    let places = config.position_grid.pow(2) + usize::from(config.class_position);
    let patch = config.patch_px;
    let mut all = vec![
        (PATCH_WEIGHTS.to_owned(), vec![width, 3, patch, patch]),
        ("patch_embed.proj.bias".to_owned(), vec![width]),
        ("cls_token".to_owned(), vec![1, 1, width]),
        ("pos_embed".to_owned(), vec![1, places, width]),
        ("norm.weight".to_owned(), vec![width]),
        ("norm.bias".to_owned(), vec![width]),
    ];
    if config.registers > 0 {
        all.push(("reg_token".to_owned(), vec![1, config.registers, width]));
    }
    for block in 0..config.depth {
        let named = |(name, shape)| (format!("blocks.{block}.{name}"), shape);
        all.extend(of_block(config).into_iter().map(named));
    }
    let in_u64 = |shape: Vec<usize>| shape.into_iter().map(|axis| axis as u64).collect();
    all.into_iter()
        .map(|(name, shape)| (name, in_u64(shape)))
        .collect()
}

fn of_block(config: &EncoderConfig) -> Vec<(&'static str, Vec<usize>)> {
    let width = config.width;
    let inner = config.mlp.inner_width(config.mlp_width);
    let mut all = vec![
        ("norm1.weight", vec![width]),
        ("norm1.bias", vec![width]),
        ("attn.qkv.weight", vec![3 * width, width]),
        ("attn.qkv.bias", vec![3 * width]),
        ("attn.proj.weight", vec![width, width]),
        ("attn.proj.bias", vec![width]),
        ("norm2.weight", vec![width]),
        ("norm2.bias", vec![width]),
        ("mlp.fc1.weight", vec![inner, width]),
        ("mlp.fc1.bias", vec![inner]),
        ("mlp.fc2.weight", vec![width, config.mlp_width]),
        ("mlp.fc2.bias", vec![width]),
    ];
    if config.layer_scale.is_some() {
        all.push(("ls1.gamma", vec![width]));
        all.push(("ls2.gamma", vec![width]));
    }
    all
}

/// timm's name of a tensor that may be named as in DINOv2's own checkpoints; none for what no
/// embedding depends on: the mask token of pre-training, and a classifier's head.
pub fn timm_name(name: &str) -> Option<String> {
    match name {
        "mask_token" | "head.weight" | "head.bias" => None,
        "register_tokens" => Some("reg_token".to_owned()),
        _ => Some(
            name.replace(".mlp.w12.", ".mlp.fc1.")
                .replace(".mlp.w3.", ".mlp.fc2."),
        ),
    }
}

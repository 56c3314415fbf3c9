//! The shape of a foreign encoder, told from names and shapes of its tensors.

use std::collections::BTreeMap;

use crate::model::config::{EncoderConfig, MlpKind};

use super::names;

/// Every published ViT and DINOv2 model has heads of this width.
const HEAD_WIDTH: usize = 64;

/// The shape of the encoder that these tensors (timm's names) belong to.
///
/// What a file does not tell is taken as DINOv2 has it: heads of 64 channels, ImageNet's pixel
/// statistics. Answers with what can't be told.
pub fn config(shapes: &BTreeMap<&str, &[u64]>) -> Result<EncoderConfig, String> {
    let [width, _, patch, _] = axes(shapes, names::PATCH_WEIGHTS)?;
    let [_, places, _] = axes(shapes, "pos_embed")?;
    let [inner, _] = axes(shapes, "blocks.0.mlp.fc1.weight")?;
    let [_, mlp_width] = axes(shapes, "blocks.0.mlp.fc2.weight")?;
    let registers = match shapes.contains_key("reg_token") {
        true => axes::<3>(shapes, "reg_token")?[1],
        false => 0,
    };
    let (position_grid, class_position) = grid_of(places)?;
    if width % HEAD_WIDTH != 0 {
        return Err(format!(
            "the number of heads can't be told: width {width} is no multiple of {HEAD_WIDTH}"
        ));
    }
    let depth = depth_of(shapes);
    Ok(EncoderConfig {
        name: format!("vit-{width}x{depth}-patch{patch}"),
        width,
        depth,
        heads: width / HEAD_WIDTH,
        mlp_width,
        mlp: mlp_of(inner, mlp_width)?,
        patch_px: patch,
        position_grid,
        class_position,
        registers,
        layer_scale: shapes.contains_key("blocks.0.ls1.gamma").then_some(1e-5),
        ..EncoderConfig::dinov2_small()
    })
}

fn axes<const N: usize>(shapes: &BTreeMap<&str, &[u64]>, name: &str) -> Result<[usize; N], String> {
    let shape = shapes
        .get(name)
        .ok_or_else(|| format!("is no vision transformer's: it has no tensor '{name}'"))?;
    let sizes: Vec<usize> = shape
        .iter()
        .filter_map(|axis| (*axis).try_into().ok())
        .collect();
    sizes
        .try_into()
        .map_err(|_| format!("tensor '{name}' has shape {shape:?}, expected {N} axes"))
}

/// Side of the grid of positions, and whether the class token has one too.
fn grid_of(places: usize) -> Result<(usize, bool), String> {
    let side_of = |square: usize| Some(square.isqrt()).filter(|side| side * side == square);
    let with_class = || Some((side_of(places.checked_sub(1)?)?, true));
    side_of(places)
        .map(|side| (side, false))
        .or_else(with_class)
        .ok_or_else(|| {
            format!("tensor 'pos_embed' has {places} positions, expected a square or one more")
        })
}

fn mlp_of(inner: usize, mlp_width: usize) -> Result<MlpKind, String> {
    if inner == mlp_width {
        Ok(MlpKind::Gelu)
    } else if Some(inner) == mlp_width.checked_mul(2) {
        Ok(MlpKind::SwiGlu)
    } else {
        Err(format!(
            "tensor 'blocks.0.mlp.fc1.weight' gives {inner} channels, expected {mlp_width} (GELU) \
             or twice that (SwiGLU)"
        ))
    }
}

fn depth_of(shapes: &BTreeMap<&str, &[u64]>) -> usize {
    (0..)
        .take_while(|block| shapes.contains_key(format!("blocks.{block}.norm1.weight").as_str()))
        .count()
}

//! The shape of a foreign encoder, told from names and shapes of its tensors.

use std::collections::BTreeMap;

use crate::model::config::{EncoderConfig, MlpKind};

use super::names;

/// Published ViT and DINOv2 models up to this width have heads of 64 channels.
const USUAL_WIDTH: usize = 1024;
const HEAD_WIDTH: usize = 64;

/// Width and heads of the wider ones, as timm has them: SO400M, huge, giant (CLIP's), DINOv2's
/// giant, gigantic. Several have other heads, and weights do not tell: a wrong guess would load.
const WIDE: [(usize, usize); 5] = [(1152, 16), (1280, 16), (1408, 16), (1536, 24), (1664, 16)];

/// The shape of the encoder that these tensors (timm's names) belong to.
///
/// What a file does not tell is taken as published: the heads of models of that width, ImageNet's
/// pixel statistics. Answers with what can't be told.
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
    let depth = depth_of(shapes);
    Ok(EncoderConfig {
        name: format!("vit-{width}x{depth}-patch{patch}"),
        width,
        depth,
        heads: heads_of(width)?,
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

fn heads_of(width: usize) -> Result<usize, String> {
    let usual =
        || (width <= USUAL_WIDTH && width.is_multiple_of(HEAD_WIDTH)).then_some(width / HEAD_WIDTH);
    let wide = WIDE.iter().find(|(known, _)| *known == width);
    wide.map(|(_, heads)| *heads).or_else(usual).ok_or_else(|| {
        format!(
            "the number of heads can't be told: width {width} is neither a multiple of {HEAD_WIDTH} \
             up to {USUAL_WIDTH} nor that of a wider model that is known"
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a plain ViT of one block.
    fn told(width: u64) -> Result<EncoderConfig, String> {
        let (patch, places) = ([width, 3, 14, 14], [1, 257, width]);
        let (inner, outer, norm) = ([4 * width, width], [width, 4 * width], [width]);
        let shapes: [(&str, &[u64]); 5] = [
            (names::PATCH_WEIGHTS, &patch),
            ("pos_embed", &places),
            ("blocks.0.mlp.fc1.weight", &inner),
            ("blocks.0.mlp.fc2.weight", &outer),
            ("blocks.0.norm1.weight", &norm),
        ];
        config(&BTreeMap::from(shapes))
    }

    #[test]
    fn heads_are_those_of_published_models() {
        let models = [
            // ViT tiny, small, base, large.
            (192, 3),
            (384, 6),
            (768, 12),
            (1024, 16),
            // SO400M/14 has heads of 72 channels, huge/14 of 80; both widths are multiples of 64.
            (1152, 16),
            (1280, 16),
            (1408, 16),
            (1536, 24),
            (1664, 16),
        ];
        for (width, heads) in models {
            let told = told(width).unwrap();
            assert_eq!((told.heads, told.depth), (heads, 1), "{width}");
            told.check().unwrap();
        }
    }

    #[test]
    fn heads_that_can_not_be_told_are_not_guessed() {
        for width in [100, 1088, 2048] {
            let words = told(width).unwrap_err();
            assert!(words.contains(&format!("width {width}")), "{words}");
        }
    }
}

//! `parfocal weights`: what is in a weights file.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::info::printable;
use super::output;
use crate::model::weights::{Inspection, inspect};
use crate::model::{EncoderConfig, MlpKind};

/// Show what is in a weights file.
#[derive(Debug, Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: WeightsCommand,
}

#[derive(Debug, Subcommand)]
enum WeightsCommand {
    Inspect(InspectArgs),
}

/// Show configuration, tensors, hash and notes, and whether an encoder can be loaded from it.
#[derive(Debug, Args)]
struct InspectArgs {
    /// The weights: safetensors, ours or a ViT or DINOv2 checkpoint in timm's or DINOv2's names.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the description to stdout.
///
/// # Errors
/// When the file can't be read, is no whole safetensors file, or stdout is closed.
pub fn run(args: &WeightsArgs) -> anyhow::Result<()> {
    let WeightsCommand::Inspect(args) = &args.command;
    let seen = inspect(&args.file)?;
    let text = if args.json {
        serde_json::to_string_pretty(&seen)? + "\n"
    } else {
        text_of(&seen)
    };
    output::print(&text)
}

fn text_of(seen: &Inspection) -> String {
    let mut text = format!("{}\n", printable(&seen.path));
    for (label, value) in lines(seen) {
        // Writing into a string can't fail.
        let _ = writeln!(text, "  {label:<12}{}", printable(&value));
    }
    text
}

fn lines(seen: &Inspection) -> Vec<(&'static str, String)> {
    let format = seen.format.as_deref();
    let mut lines = vec![(
        "format",
        format.unwrap_or("a foreign checkpoint").to_owned(),
    )];
    if let Some(config) = &seen.config {
        lines.extend(shape_lines(config));
    }
    lines.push(("parameters", seen.parameters.to_string()));
    lines.push(("loads", loads_text(seen)));
    lines.push(("hash", format!("sha256:{}", seen.sha256)));
    let notes = seen.notes.iter();
    lines.extend(notes.map(|(key, value)| ("note", format!("{key} = {value}"))));
    let tensors = seen.tensors.iter();
    lines.extend(tensors.map(|tensor| {
        let shape = format!("{:?}", tensor.shape);
        (
            "tensor",
            format!("{} {} {shape}", tensor.name, tensor.dtype),
        )
    }));
    lines
}

fn loads_text(seen: &Inspection) -> String {
    match &seen.problem {
        None => "yes".to_owned(),
        Some(problem) => format!("no: {problem}"),
    }
}

fn shape_lines(config: &EncoderConfig) -> [(&'static str, String); 5] {
    let mlp = match config.mlp {
        MlpKind::Gelu => "GELU",
        MlpKind::SwiGlu => "SwiGLU",
    };
    let class = if config.class_position {
        " and one of the class token"
    } else {
        ""
    };
    let scale = if config.layer_scale.is_some() {
        "with LayerScale"
    } else {
        "no LayerScale"
    };
    let (grid, [mean, std]) = (config.position_grid, [config.pixel_mean, config.pixel_std]);
    [
        ("encoder", config.name.clone()),
        (
            "blocks",
            format!(
                "{} of width {}, {} heads, MLP {} wide ({mlp}), {scale}",
                config.depth, config.width, config.heads, config.mlp_width
            ),
        ),
        ("patch", format!("{0} x {0} px", config.patch_px)),
        (
            "positions",
            format!("{grid} x {grid}{class}, {} registers", config.registers),
        ),
        ("pixels", format!("mean {mean:?}, deviation {std:?}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Encoder;
    use crate::model::weights::save;
    use burn::tensor::Device;
    use std::collections::BTreeMap;

    #[test]
    fn a_person_reads_shape_state_and_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let config = EncoderConfig {
            width: 24,
            depth: 1,
            mlp_width: 48,
            ..EncoderConfig::tiny()
        };
        let encoder = Encoder::new(&config, 1, &Device::flex()).unwrap();
        let notes = BTreeMap::from([("from".to_owned(), "a\x1b[2Jtest".to_owned())]);
        save(&encoder, &notes, &path).unwrap();
        let text = text_of(&inspect(&path).unwrap());
        for expected in [
            "parfocal.encoder 1",
            "1 of width 24, 3 heads, MLP 48 wide (GELU), no LayerScale",
            "8 x 8, 0 registers",
            "loads       yes",
            "from = a\\u{1b}[2Jtest",
            "cls_token F16 [1, 1, 24]",
        ] {
            assert!(text.contains(expected), "'{expected}' is not in {text}");
        }
    }
}

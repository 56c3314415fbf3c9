//! `parfocal weights`: what is in a weights file, and how fast networks are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::compute::DeviceChoice;
use super::info::printable;
use super::output;
use super::settings::{read_toml, sound};
use crate::jobs::on_compute_thread;
use crate::learn::mad::run::TrainFile;
use crate::learn::mad::speed as mad_speed;
use crate::learn::speed::measure;
use crate::model::dfa::DecoderConfig;
use crate::model::dfa::speed::{self as decoder_speed, Trial};
use crate::model::dfa::weights::DecoderCard;
use crate::model::shipped;
use crate::model::weights::{Checksum, Inspection, WeightsSource, inspect};
use crate::model::{EncoderConfig, MlpKind};

/// Look at weights files and at what networks cost.
#[derive(Debug, Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: WeightsCommand,
}

#[derive(Debug, Subcommand)]
enum WeightsCommand {
    Inspect(InspectArgs),
    Speed(SpeedArgs),
}

/// Time an untrained encoder, or decoder and encoder, or whole training steps, on this machine:
/// milliseconds a tile, as JSON.
#[derive(Debug, Args)]
struct SpeedArgs {
    /// Shape of the encoder: tiny, small or dinov2-small.
    #[arg(long, default_value = "tiny")]
    encoder: String,
    /// Time this decoder on the encoder, part by part: tiny or sam-path.
    #[arg(long)]
    decoder: Option<String>,
    /// Its classes.
    #[arg(long, default_value_t = 7, requires = "decoder", value_parser = clap::value_parser!(u16).range(1..=256))]
    classes: u16,
    /// Side of a tile, px; a multiple of the encoder's patch.
    #[arg(long, default_value_t = 128, value_name = "PX", value_parser = clap::value_parser!(u32).range(8..=2048))]
    tile: u32,
    /// Time whole steps of `train mad` by these settings instead, on tiles of noise.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["encoder", "decoder", "classes", "tile", "batch"])]
    training: Option<PathBuf>,
    /// Tiles at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// How often each is timed; the median is printed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Show configuration, tensors, hash and notes, and whether an encoder can be loaded from it.
#[derive(Debug, Args)]
struct InspectArgs {
    /// The weights: safetensors, ours or a ViT or DINOv2 checkpoint in timm's or DINOv2's names;
    /// or what ships: tiny, breast, brain.
    #[arg(value_name = "WEIGHTS", value_parser = any)]
    file: WeightsSource,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the description or the times to stdout.
///
/// # Errors
/// When the file can't be read, is no whole safetensors file or no settings, there is no such
/// encoder, or stdout is closed.
pub fn run(args: &WeightsArgs) -> anyhow::Result<()> {
    match &args.command {
        WeightsCommand::Inspect(args) => show(args),
        WeightsCommand::Speed(args) => time(args),
    }
}

fn time(args: &SpeedArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.training {
        return time_training(path, args);
    }
    let config = EncoderConfig::named(&args.encoder)?;
    let device = args.device.open()?;
    let (batch, repeats) = (args.batch.into(), args.repeats.into());
    if let Some(name) = &args.decoder {
        let trial = Trial {
            decoder: DecoderConfig::named(name)?.on(config.width),
            encoder: config,
            classes: args.classes.into(),
            tile_px: args.tile as usize,
            batch,
            repeats,
        };
        let timed = on_compute_thread(|| decoder_speed::measure(&trial, &device));
        let speed = timed.map_err(|words| anyhow!(words))??;
        return output::print(&(serde_json::to_string(&speed)? + "\n"));
    }
    let timed = on_compute_thread(|| measure(&config, args.tile as usize, batch, repeats, &device));
    let speed = timed.map_err(|words| anyhow!(words))??;
    output::print(&(serde_json::to_string(&speed)? + "\n"))
}

fn time_training(path: &Path, args: &SpeedArgs) -> anyhow::Result<()> {
    let file: TrainFile = read_toml(path)?;
    sound(path, file.sampling.validate())?;
    sound(path, file.run.check(file.sampling.tile_px))?;
    let device = args.device.open()?;
    let timed = on_compute_thread(|| mad_speed::measure(&file, args.repeats.into(), &device));
    let speed = timed.map_err(|words| anyhow!(words))??;
    output::print(&(serde_json::to_string(&speed)? + "\n"))
}

fn any(text: &str) -> Result<WeightsSource, String> {
    let [breast, brain] = shipped::decoders();
    Ok(WeightsSource::named(
        text,
        &[shipped::ENCODER, breast, brain],
    ))
}

fn show(args: &InspectArgs) -> anyhow::Result<()> {
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
    if let Some((config, card)) = &seen.decoder {
        lines.extend(decoder_lines(config, card));
    }
    lines.push(("parameters", seen.parameters.to_string()));
    lines.push(("loads", loads_text(seen)));
    lines.push(("hash", format!("sha256:{}", seen.sha256)));
    lines.push(("checksum", checksum_text(seen.checksum).to_owned()));
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

fn checksum_text(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Good => "good",
        Checksum::Wrong => "wrong: the tensors are not those that were written",
        Checksum::Absent => "absent",
    }
}

fn loads_text(seen: &Inspection) -> String {
    match &seen.problem {
        None => "yes".to_owned(),
        Some(problem) => format!("no: {problem}"),
    }
}

fn decoder_lines(config: &DecoderConfig, card: &DecoderCard) -> Vec<(&'static str, String)> {
    let DecoderConfig {
        depth,
        width,
        heads,
        mlp_width,
        ..
    } = config;
    let [least, most] = card.mpp;
    let mut lines = vec![
        ("decoder", config.name.clone()),
        (
            "blocks",
            format!("{depth} of width {width}, {heads} heads, MLP {mlp_width} wide"),
        ),
        ("encoder", format!("sha256:{}", card.encoder_sha256)),
        (
            "tiles",
            format!("{} px at {least}–{most} µm/px", card.tile_px),
        ),
    ];
    let bias = card.bias.prior().iter().zip(card.bias.learned());
    lines.extend(
        card.classes
            .iter()
            .zip(bias)
            .map(|(class, (prior, learned))| {
                let (name, code) = (&class.name, class.code);
                let text =
                    format!("{name} (code {code}): bias {prior:+.3} prior, {learned:+.3} learned");
                ("class", text)
            }),
    );
    lines
}

fn shape_lines(config: &EncoderConfig) -> [(&'static str, String); 5] {
    let mlp = match config.mlp {
        MlpKind::Gelu => "GELU",
        MlpKind::Relu => "ReLU",
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
            "1 of width 24, 3 heads, MLP 48 wide (ReLU), no LayerScale",
            "8 x 8, 0 registers",
            "loads       yes",
            "checksum    good",
            "from = a\\u{1b}[2Jtest",
            "cls_token F16 [1, 1, 24]",
        ] {
            assert!(text.contains(expected), "'{expected}' is not in {text}");
        }
    }
}

//! A model on a part of a set, image by image, beside what colour alone reaches.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::scene::Scene;
use crate::learn::eval_dfa::{
    ClassBias, ColourClassifier, ColourFit, ColourFloor, EvalReport, Identity, Part as ReportPart,
    centred,
};
use crate::learn::seg_metrics::{MetricsError, Piece, Tally, most_probable};
use crate::learn::sets::{EvalTile, Labelled, Part, SetError, eval_tiles};
use crate::learn::values;
use crate::model::dfa::ClassBias as BiasParts;
use crate::model::{PredictError, Predictor};

/// What is judged, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeConfig {
    /// Which part of the split.
    pub part: Part,
    /// Scales of the class maps, µm/px, the one meant first.
    pub mpp: Vec<f64>,
    /// Side of a tile, px.
    pub tile_px: usize,
    /// Least distance between what a tile scores and its edge, px.
    pub halo_px: usize,
    /// Tiles a batch.
    pub batch: usize,
    /// How far a boundary may be off, µm.
    pub tolerance_um: f64,
    /// How many times finer than its own px an image may be shown; 1 = never.
    pub upsample: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            part: Part::Test,
            mpp: vec![1.0],
            tile_px: 128,
            halo_px: 16,
            batch: 16,
            tolerance_um: 4.0,
            upsample: 1.0,
            seed: 1,
        }
    }
}

/// What can't be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The model.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The figures.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A part without images.
    #[error("the {part} part of set {set} has no images; name another part or another split")]
    Empty {
        /// The part.
        part: &'static str,
        /// The set.
        set: String,
    },
    /// An image without the scale.
    #[error(
        "{item} is {found} µm/px and can't be shown at {wanted}: nothing is enlarged; leave that \
         scale out"
    )]
    TooCoarse {
        /// The image.
        item: String,
        /// Its scale.
        found: f64,
        /// The scale that was asked for.
        wanted: f64,
    },
    /// A class order that is not the set's.
    #[error("the model has the classes {model}, the set has {set}: they must agree in order")]
    Classes {
        /// Of the model.
        model: String,
        /// Of the set.
        set: String,
    },
    /// The device.
    #[error("the device can't give the attention: {0}")]
    Device(String),
    /// The user.
    #[error("stopped: no report was written")]
    Cancelled,
}

/// Names and numbers of the model for the report.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it is called, and the hash of its file.
    pub model: Identity,
    /// How it was trained, such as `dfa`.
    pub mode: String,
    /// Its bias in its parts.
    pub bias: BiasParts,
}

/// Sums over the biased layers of what was seen, for the table of the bias.
#[derive(Debug, Default)]
struct Seen {
    shares: Vec<f64>,
    logits: Vec<f64>,
    count: f64,
}

/// Judges a model on a part of a set. `progress` hears of images at each scale.
///
/// # Errors
/// When an image can't be read or shown at a scale, the model does not fit, or the user stops.
pub fn judge(
    scene: &Scene,
    predictor: &Predictor,
    judged: &Judged,
    config: &JudgeConfig,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<EvalReport, JudgeError> {
    check(scene, judged, config)?;
    let items = scene.split.part(config.part);
    let training = &scene.split.training;
    let (mut done, total) = (0, (items.len() + training.len()) as u64);
    let mut tell = || {
        done += 1;
        match progress(done, total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(JudgeError::Cancelled),
        }
    };
    let colours = fit_colours(scene, predictor.classes(), config, &mut tell)?;
    let names = scene.set.classes().names();
    let new = |colour: ColourClassifier| {
        let tally = || Tally::new(&names, config.tolerance_um);
        Ok(AtScale {
            colour,
            model: tally()?,
            floor: tally()?,
        })
    };
    let scales = colours.into_iter().map(new);
    let mut scales = scales.collect::<Result<Vec<AtScale>, MetricsError>>()?;
    let mut seen = Seen::default();
    for &item in items {
        let id = &scene.set.items()[item].id;
        let image = scene.set.read(item)?;
        for (scale, &mpp) in scales.iter_mut().zip(&config.mpp) {
            let image = shown(&image, id, mpp, config.upsample)?;
            add_model(&mut scale.model, predictor, (id, &image), config, &mut seen)?;
            add_floor(&mut scale.floor, &scale.colour, (id, &image))?;
        }
        tell()?;
    }
    let parts = scales.iter().zip(&config.mpp);
    Ok(EvalReport {
        program: EvalReport::this_program(),
        model: judged.model.clone(),
        data: Identity {
            name: scene.set.provenance(),
            hash: format!("sha256:{}", scene.data_sha256()),
        },
        split: config.part.name().to_owned(),
        mode: judged.mode.clone(),
        settings: settings(scene, config),
        parts: parts.map(|(scale, mpp)| scale.part(*mpp, config)).collect(),
        bias: seen.bias(scene, judged),
        notes: scene.remarks.clone(),
    })
}

/// What is found at one scale.
struct AtScale {
    colour: ColourClassifier,
    model: Tally,
    floor: Tally,
}

impl AtScale {
    fn part(&self, mpp: f64, config: &JudgeConfig) -> ReportPart {
        ReportPart {
            name: magnification(mpp),
            mpp,
            scores: self.model.report(config.seed),
            colour_floor: Some(ColourFloor {
                frequency_power: self.colour.frequency_power,
                training_px: self.colour.training_px,
                scores: self.floor.report(config.seed),
            }),
        }
    }
}

/// Fits a classifier of colours to the training images at each scale; each image is read once.
fn fit_colours(
    scene: &Scene,
    classes: usize,
    config: &JudgeConfig,
    tell: &mut impl FnMut() -> Result<(), JudgeError>,
) -> Result<Vec<ColourClassifier>, JudgeError> {
    let mut fits: Vec<ColourFit> = config.mpp.iter().map(|_| ColourFit::new(classes)).collect();
    for &item in &scene.split.training {
        let id = &scene.set.items()[item].id;
        let image = scene.set.read(item)?;
        for (fit, &mpp) in fits.iter_mut().zip(&config.mpp) {
            let image = shown(&image, id, mpp, config.upsample)?;
            fit.add(id, &image.rgb, &image.mask)?;
        }
        tell()?;
    }
    let fitted = fits.iter().map(ColourFit::fit);
    Ok(fitted.collect::<Result<_, MetricsError>>()?)
}

fn check(scene: &Scene, judged: &Judged, config: &JudgeConfig) -> Result<(), JudgeError> {
    let (model, set) = (judged.bias.classes(), scene.set.classes().names());
    if model != set {
        return Err(JudgeError::Classes {
            model: model.join(", "),
            set: set.join(", "),
        });
    }
    if scene.split.part(config.part).is_empty() {
        return Err(JudgeError::Empty {
            part: config.part.name(),
            set: scene.set.name().to_owned(),
        });
    }
    Ok(())
}

/// An image at a scale.
///
/// # Errors
/// When it is too coarse.
pub(super) fn shown(
    image: &Labelled,
    id: &str,
    mpp: f64,
    upsample: f64,
) -> Result<Labelled, JudgeError> {
    let image = image.at_mpp(mpp, upsample);
    match (image.mpp / mpp - 1.0).abs() < 1e-6 {
        true => Ok(image),
        false => Err(JudgeError::TooCoarse {
            item: id.to_owned(),
            found: image.mpp,
            wanted: mpp,
        }),
    }
}

fn add_model(
    tally: &mut Tally,
    predictor: &Predictor,
    (id, image): (&str, &Labelled),
    config: &JudgeConfig,
    seen: &mut Seen,
) -> Result<(), JudgeError> {
    let (classes, side) = (predictor.classes(), config.tile_px);
    let mut planes = vec![0.0; classes * image.width * image.height];
    let tiles: Vec<EvalTile> = eval_tiles(image, side, config.halo_px)?.collect();
    for some in tiles.chunks(config.batch.max(1)) {
        let values: Vec<f32> = some.iter().flat_map(|tile| tile.tile.clone()).collect();
        let found = predictor.probabilities(&values, side)?;
        for (tile, found) in some.iter().zip(found.chunks_exact(classes * side * side)) {
            put(&mut planes, image, tile, found, side);
        }
        // A look at the attention costs as much as a prediction: one batch an image.
        if some[0].place == (0, 0) {
            seen.add(predictor, &values, side)?;
        }
    }
    tally.add(&Piece {
        image: id,
        width_px: image.width,
        mpp: image.mpp,
        truth: &image.mask,
        predicted: &most_probable(&planes, classes),
        probabilities: &planes,
    })?;
    Ok(())
}

/// Copies what a tile scores to its place in the image's planes.
fn put(planes: &mut [f32], image: &Labelled, tile: &EvalTile, found: &[f32], side: usize) {
    let (left, top) = tile.corner_px;
    let (from, to) = tile.columns;
    let width = to - from;
    for (plane, found) in planes
        .chunks_exact_mut(image.width * image.height)
        .zip(found.chunks_exact(side * side))
    {
        for row in tile.rows.0..tile.rows.1 {
            let at = (top + row) * image.width + left + from;
            plane[at..at + width].copy_from_slice(&found[row * side + from..][..width]);
        }
    }
}

fn add_floor(
    tally: &mut Tally,
    colour: &ColourClassifier,
    (id, image): (&str, &Labelled),
) -> Result<(), JudgeError> {
    tally.add(&Piece {
        image: id,
        width_px: image.width,
        mpp: image.mpp,
        truth: &image.mask,
        predicted: &colour.predict(id, &image.rgb)?,
        probabilities: &[],
    })?;
    Ok(())
}

impl Seen {
    fn add(&mut self, predictor: &Predictor, tiles: &[f32], side: usize) -> Result<(), JudgeError> {
        for layer in predictor.look(tiles, side)? {
            let read = |tensor| values::read(tensor).map_err(JudgeError::Device);
            add(&mut self.shares, &read(layer.shares())?);
            add(&mut self.logits, &read(layer.mean_logits())?);
            self.count += 1.0;
        }
        Ok(())
    }

    fn bias(&self, scene: &Scene, judged: &Judged) -> Vec<ClassBias> {
        let parts = &judged.bias;
        let mean = |sums: &[f64], n: usize| sums.get(n).map(|sum| sum / self.count.max(1.0));
        let of = |(n, class): (usize, &String)| {
            let (prior, learned) = (f64::from(parts.prior()[n]), f64::from(parts.learned()[n]));
            let bias = prior + learned;
            ClassBias {
                class: class.clone(),
                frequency: scene.fractions[n],
                prior,
                start: prior,
                learned: bias,
                change: learned,
                user_offset: f64::from(parts.offset()[n]),
                effective_offset: mean(&self.logits, n).map(|logit| logit + bias),
                attention_share: mean(&self.shares, n),
            }
        };
        centred(parts.classes().iter().enumerate().map(of).collect())
    }
}

fn add(sums: &mut Vec<f64>, values: &[f32]) {
    sums.resize(values.len(), 0.0);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += f64::from(*value);
    }
}

/// The objective that shows a scale, 10x being 1 µm/px.
fn magnification(mpp: f64) -> String {
    format!("{}x", (1000.0 / mpp).round() / 100.0)
}

fn settings(scene: &Scene, config: &JudgeConfig) -> BTreeMap<String, String> {
    BTreeMap::from(
        [
            ("encoder", format!("sha256:{}", scene.encoder_sha256)),
            ("tile_px", config.tile_px.to_string()),
            ("halo_px", config.halo_px.to_string()),
            ("tolerance_um", config.tolerance_um.to_string()),
            ("upsample", config.upsample.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_called_by_their_objective() {
        for (mpp, name) in [(1.0, "10x"), (0.25, "40x"), (0.5, "20x"), (16.0, "0.63x")] {
            assert_eq!(magnification(mpp), name);
        }
    }

    #[test]
    fn tiles_put_together_are_the_image() {
        let image = Labelled {
            rgb: vec![0; 50 * 37 * 3],
            mask: vec![0; 50 * 37],
            width: 50,
            height: 37,
            mpp: 1.0,
        };
        let mut planes = vec![-1.0; 2 * 50 * 37];
        for tile in eval_tiles(&image, 16, 3).unwrap() {
            // Each px of a tile knows its place in the image.
            let at = |n: usize| (tile.corner_px.1 + n / 16) * 50 + tile.corner_px.0 + n % 16;
            let found: Vec<f32> = (0..2 * 256)
                .map(|n| at(n % 256) as f32 + (n / 256) as f32 * 10_000.0)
                .collect();
            put(&mut planes, &image, &tile, &found, 16);
        }
        for (n, value) in planes.iter().enumerate() {
            let meant = (n % 1850) as f32 + (n / 1850) as f32 * 10_000.0;
            assert_eq!(*value, meant);
        }
    }
}

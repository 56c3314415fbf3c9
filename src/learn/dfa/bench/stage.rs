//! All that the trainings of a block share, made once.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;

use super::config::{BenchFile, Blocks};
use super::plan::{BenchRunError, Doing, Progress};
use crate::learn::bench_dfa::Role;
use crate::learn::dfa::batch::{Input, LabelledBatch};
use crate::learn::dfa::feed::{Kept, tokens};
use crate::learn::dfa::judge::shown;
use crate::learn::dfa::scene::Scene;
use crate::learn::sets::{EvalTile, Part, eval_tiles};

/// Seed by which the crops of every block are drawn, whatever the seed of a training.
const CROPS_SEED: u64 = 0;

/// Crops of the training part, and tiles of the other two.
pub struct Stage {
    /// The set, its split and counts, and the encoder.
    pub scene: Scene,
    /// What is trained on.
    pub kept: Kept,
    /// What settings are chosen on; each px counts in one tile only.
    pub validation: Vec<LabelledBatch>,
    /// What is reported.
    pub test: Vec<LabelledBatch>,
    /// The role of each class in this block.
    pub roles: Vec<Option<Role>>,
}

impl Stage {
    /// Opens the block: every mask is read, crops and tiles are cut and, where the encoder is
    /// frozen, encoded.
    ///
    /// # Errors
    /// When anything of that fails, or `progress` breaks.
    pub fn open(
        file: &BenchFile,
        base: &Path,
        block: usize,
        device: &Device,
        progress: &mut Progress<'_>,
    ) -> Result<Self, BenchRunError> {
        let data = file.data_of(block)?;
        let scene = Scene::open(&data, base, device, &mut |done, all| {
            progress(&Doing::Counting(done, all))
        })?;
        let fine_tunes = file.run.fine_tunes();
        let told = &mut |done, all| progress(&Doing::Encoding(done, all));
        let wanted = (file.kept_crops, CROPS_SEED);
        let kept = Kept::make(&scene, &data.crops, wanted, fine_tunes, device, told)?;
        let mut shelf = |part| tiles(file, &scene, part, device, progress);
        let (validation, test) = (shelf(Part::Validation)?, shelf(Part::Test)?);
        let names = scene.set.classes().names();
        let role = |class: &String| match &file.blocks {
            Blocks::Roles(roles) => roles.of(class, block),
            _ => None,
        };
        Ok(Self {
            roles: names.iter().map(role).collect(),
            scene,
            kept,
            validation,
            test,
        })
    }

    /// The tiles of a part.
    pub fn part(&self, part: Part) -> &[LabelledBatch] {
        match part {
            Part::Test => &self.test,
            _ => &self.validation,
        }
    }
}

/// All tiles of a part, ready for the decoder.
fn tiles(
    file: &BenchFile,
    scene: &Scene,
    part: Part,
    device: &Device,
    progress: &mut Progress<'_>,
) -> Result<Vec<LabelledBatch>, BenchRunError> {
    let crops = &file.data.crops;
    let items = scene.split.part(part);
    if items.is_empty() {
        let words = format!("the {} part of the set is empty", part.name());
        return Err(BenchRunError::Settings(words));
    }
    let mut batches = Vec::new();
    for (n, &item) in items.iter().enumerate() {
        let image = scene.set.read(item)?;
        let image = shown(
            &image,
            &scene.set.items()[item].id,
            file.mpp,
            crops.upsample,
        )?;
        let tiles: Vec<EvalTile> = eval_tiles(&image, crops.tile_px, crops.tile_px / 8)?.collect();
        for some in tiles.chunks(crops.samples) {
            batches.push(batch(file, scene, some, device)?);
        }
        if progress(&Doing::Encoding(n as u64 + 1, items.len() as u64)).is_break() {
            return Err(BenchRunError::Cancelled);
        }
    }
    Ok(batches)
}

fn batch(
    file: &BenchFile,
    scene: &Scene,
    tiles: &[EvalTile],
    device: &Device,
) -> Result<LabelledBatch, BenchRunError> {
    let side = file.data.crops.tile_px;
    let values = tiles.iter().flat_map(|tile| &tile.tile).copied().collect();
    Ok(LabelledBatch {
        input: match file.run.fine_tunes() {
            true => Input::Tiles(values),
            false => tokens(&scene.encoder, values, side, device)?,
        },
        labels: tiles
            .iter()
            .flat_map(|tile| &tile.labels)
            .copied()
            .collect(),
        tile_px: side,
    })
}

/// Whether a run that is asked goes on.
pub(super) fn goes_on(answer: ControlFlow<()>) -> Result<(), BenchRunError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BenchRunError::Cancelled),
    }
}

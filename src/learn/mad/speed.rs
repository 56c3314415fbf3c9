//! How fast the training is, step by step.

use burn::tensor::Device;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::ring::Ring;
use super::run::TrainFile;
use super::trainer::{TrainError, Trainer};
use crate::learn::sampling::{CHILDREN, FamilyBatch, SamplingConfig, View};
use crate::learn::speed::median_ms;

/// Time of a whole training step; medians over repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MadSpeed {
    /// Tiles of a step: parents and children, both views counted once.
    pub tiles_a_step: usize,
    /// The step, milliseconds a tile.
    pub mad_step_ms_per_tile: f64,
}

/// Times [`Trainer::step`] by the settings of `file`, `repeats` times after one step that does not
/// count: the teacher's pass, targets, the student's pass, every loss, gradients, clipping, AdamW,
/// and the teacher's move. Tiles are noise, every family has as many children as the settings keep,
/// and the rows of earlier steps are all there, as they are for most of a training. Left out are
/// cutting tiles, which another thread does meanwhile, the log, and checkpoints.
///
/// `benches/reference/bench_encoder.py` times the same in PyTorch. The sources are not opened.
///
/// # Errors
/// When the settings can't be trained.
pub fn measure(file: &TrainFile, repeats: usize, device: &Device) -> Result<MadSpeed, TrainError> {
    let sampling = &file.sampling;
    let mut rng = ChaCha8Rng::seed_from_u64(file.run.seed);
    let mut trainer = Trainer::new(&file.run, sampling.tile_px, device)?;
    trainer.fill(&mut rng);
    let batch = noise(sampling, &mut rng);
    let tiles_a_step = batch.families + batch.child_places.len();
    let step_ms = median_ms(repeats, device, || trainer.step(&batch).map(drop))?;
    Ok(MadSpeed {
        tiles_a_step,
        mad_step_ms_per_tile: step_ms / tiles_a_step as f64,
    })
}

impl Trainer {
    /// Puts rows of noise where those of earlier steps are kept.
    fn fill(&mut self, rng: &mut ChaCha8Rng) {
        let queues = &mut self.queues;
        let (queue_rows, watch_rows) = (self.config.teacher.queue_rows, self.config.watch.rows);
        for (ring, rows) in [
            (&mut queues.parents, queue_rows),
            (&mut queues.coarse, queue_rows),
            (&mut queues.fine, queue_rows),
            (&mut self.recent.class, watch_rows),
            (&mut self.recent.tokens, watch_rows),
        ] {
            fill(ring, rows, rng);
        }
    }
}

/// Rows of length one, as the queues have them.
fn fill(ring: &mut Ring, rows: usize, rng: &mut ChaCha8Rng) {
    for _ in 0..rows {
        let row: Vec<f32> = (0..ring.width())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        let row: Vec<f32> = row.iter().map(|value| value / length.max(1e-6)).collect();
        ring.push(&row);
    }
}

fn noise(sampling: &SamplingConfig, rng: &mut ChaCha8Rng) -> FamilyBatch {
    let kept = sampling.children_per_family;
    let mut tiles = |count: usize| -> Vec<f32> {
        let values = count * 3 * sampling.tile_px.pow(2);
        (0..values).map(|_| rng.random()).collect()
    };
    let mut view = || View {
        parents: tiles(sampling.families),
        children: tiles(sampling.families * kept),
    };
    let places = (0..sampling.families).flat_map(|n| n * CHILDREN..n * CHILDREN + kept);
    FamilyBatch {
        step: 0,
        families: sampling.families,
        tile_px: sampling.tile_px,
        views: [view(), view()],
        child_places: places.collect(),
        parent_mpp: vec![1.0; sampling.families],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn little() -> TrainFile {
        toml::from_str(
            "[run]\nseed = 7\nsteps = 9\n\
             [run.encoder]\nname = \"little\"\nwidth = 24\ndepth = 1\nheads = 3\nmlp_width = 48\n\
             mlp = \"relu\"\npatch_px = 8\nposition_grid = 4\nclass_position = false\nregisters = 0\n\
             pixel_mean = [0.7, 0.6, 0.7]\npixel_std = [0.2, 0.2, 0.2]\n\
             [run.loss]\ncontrast = 1.0\n\
             [run.teacher]\nqueue_rows = 40\n[run.watch]\nrows = 30\n\
             [sampling]\ntile_px = 32\nfamilies = 2\nchildren_per_family = 3\n\
             [[source]]\nphantom = \"breast\"\nseeds = [7]\n",
        )
        .unwrap()
    }

    #[test]
    fn a_step_has_the_tiles_of_the_settings_and_is_timed() {
        let device = Device::flex();
        let speed = measure(&little(), 2, &device).unwrap();
        assert_eq!(speed.tiles_a_step, 2 + 2 * 3);
        assert!(speed.mad_step_ms_per_tile > 0.0);
        let mut odd = little();
        odd.sampling.tile_px = 40;
        assert!(measure(&odd, 1, &device).is_err());
    }

    #[test]
    fn timed_steps_are_those_of_a_training_under_way() {
        let (file, device) = (little(), Device::flex());
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut trainer = Trainer::new(&file.run, 32, &device).unwrap();
        trainer.fill(&mut rng);
        let rows =
            |trainer: &Trainer| [&trainer.queues.parents, &trainer.queues.fine].map(Ring::rows);
        assert_eq!(rows(&trainer), [40, 40]);
        assert_eq!(trainer.recent.tokens.rows(), 30);
        let batch = noise(&file.sampling, &mut rng);
        assert_eq!(batch.child_places, [0, 1, 2, 16, 17, 18]);
        assert_ne!(batch.views[0], batch.views[1]);
        let report = trainer.step(&batch).unwrap();
        let parts = [
            report.global,
            report.context,
            report.tokens,
            report.contrast,
        ];
        assert!(parts.iter().all(|part| *part > 0.0), "{report:?}");
        assert!(report.gradient > 0.0 && report.koleo != 0.0);
        assert_eq!(rows(&trainer), [40, 40]);
    }
}

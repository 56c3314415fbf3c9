//! What colour alone reaches on a block: the floor beside every Dice.

use std::time::Instant;

use super::config::BenchFile;
use super::plan::{BenchRunError, Doing, Progress};
use super::stage::{Stage, goes_on};
use super::trial::Reached;
use crate::learn::bench_dfa::ClassRun;
use crate::learn::dfa::judge::{JudgeError, shown};
use crate::learn::eval_dfa::ColourFit;
use crate::learn::metrics::Confusion;
use crate::learn::seg_metrics::MetricsError;
use crate::learn::sets::{Labelled, Part};
use crate::learn::statistics::mean;

/// Fits [`ColourFit`] to the px of all training images at the scale that is scored, and scores it on
/// those of the test images: the px that the trainings are scored on, pooled in the same way. Nothing
/// is drawn by chance, so a block has one such value.
///
/// # Errors
/// When an image can't be read, no px has a class, or `progress` breaks.
pub fn colour_floor(
    file: &BenchFile,
    stage: &Stage,
    progress: &mut Progress<'_>,
) -> Result<Reached, BenchRunError> {
    let began = Instant::now();
    let classes = stage.scene.fractions.len();
    let mut fit = ColourFit::new(classes);
    each(file, stage, Part::Training, progress, &mut |id, image| {
        fit.add(id, &image.rgb, &image.mask)
    })?;
    let colour = fit.fit().map_err(JudgeError::from)?;
    let mut confusion = Confusion::new(classes);
    each(file, stage, Part::Test, progress, &mut |id, image| {
        let predicted = colour.predict(id, &image.rgb)?;
        for (truth, predicted) in image.mask.iter().zip(predicted) {
            // What is ignored is no class, and so not counted.
            confusion.add(usize::from(*truth), usize::from(predicted), 1);
        }
        Ok(())
    })?;
    let names = stage.scene.set.classes().names();
    let of = |(n, class): (usize, String)| ClassRun {
        class,
        role: stage.roles[n],
        frequency: stage.scene.fractions[n],
        difficulty: None,
        dice: confusion.f1(n),
        bias: None,
    };
    let classes: Vec<ClassRun> = names.into_iter().enumerate().map(of).collect();
    let scored: Vec<f64> = classes.iter().filter_map(|class| class.dice).collect();
    Ok(Reached {
        seconds: began.elapsed().as_secs_f64(),
        macro_dice: mean(&scored),
        classes,
        trace: Vec::new(),
    })
}

/// Hands the images of a part on, at the scale that is scored.
fn each(
    file: &BenchFile,
    stage: &Stage,
    part: Part,
    progress: &mut Progress<'_>,
    then: &mut dyn FnMut(&str, &Labelled) -> Result<(), MetricsError>,
) -> Result<(), BenchRunError> {
    let scene = &stage.scene;
    let items = scene.split.part(part);
    for (n, &item) in items.iter().enumerate() {
        let id = &scene.set.items()[item].id;
        let image = scene.set.read(item)?;
        let image = shown(&image, id, file.mpp, file.data.crops.upsample)?;
        then(id, &image).map_err(JudgeError::from)?;
        goes_on(progress(&Doing::Colours(n as u64 + 1, items.len() as u64)))?;
    }
    Ok(())
}

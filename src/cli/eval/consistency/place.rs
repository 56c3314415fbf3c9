//! Where on a computed slide fields are placed: a fixed rule, which looks at the truth alone.

use crate::geometry::UmPoint;
use crate::slide::phantom::PhantomSource;

/// Scale at which the truth is looked at, µm/px.
const LOOK_MPP: f64 = 16.0;

/// A class counts where it has so much of a field.
const LEAST_SHARE: f64 = 0.05;

/// So much of a field has to be tissue.
const LEAST_TISSUE: f64 = 0.8;

/// The first corners of `count` fields of `side_um` µm: of those side by side over the slide that
/// are tissue, the ones with the most classes, of equals those whose least class has most, then by
/// rows.
pub fn fields(slide: &PhantomSource, side_um: f64, count: usize) -> Vec<UmPoint> {
    let [width_um, height_um] = slide.spec().extent_um;
    let along = |side: f64| (side / side_um) as usize;
    let mut found = Vec::new();
    for row in 0..along(height_um) {
        for column in 0..along(width_um) {
            let origin = UmPoint::new(column as f64 * side_um, row as f64 * side_um);
            if let Some(rank) = rank(slide, origin, side_um) {
                found.push((rank, origin));
            }
        }
    }
    // Stable: of equals the first by rows stays first.
    found.sort_by(|(a, _), (b, _)| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    found.into_iter().take(count).map(|(_, at)| at).collect()
}

/// Classes of a field that count, and the share of the least of them.
fn rank(slide: &PhantomSource, origin: UmPoint, side_um: f64) -> Option<(usize, f64)> {
    let px = (side_um / LOOK_MPP) as u32;
    let codes = slide.labels_um(origin, LOOK_MPP, px, px);
    let classes = slide.classes();
    let mut counts = vec![0_usize; classes.len()];
    codes
        .iter()
        .for_each(|code| counts[usize::from(*code)] += 1);
    let of = |n: usize| counts[n] as f64 / codes.len().max(1) as f64;
    let scored = (0..classes.len()).filter(|n| !classes[*n].ignore);
    let shares: Vec<f64> = scored.map(of).collect();
    if shares.iter().sum::<f64>() < LEAST_TISSUE {
        return None;
    }
    let counting = shares.iter().copied().filter(|share| *share >= LEAST_SHARE);
    let least = counting.clone().fold(1.0, f64::min);
    Some((counting.count(), least))
}

//! Reading by microns: any source, any scale that it has the pixels for.
//!
//! A picture of a wanted scale is made of the coarsest level that is at least as fine, by exact
//! area: a wanted px is the mean of the level's px under it, each weighed with the part of it that
//! is covered. Resizing crates weigh px wholly or not at all (box) or blur more than pyramids do
//! (triangle); both would move a tile against its neighbours or give its scale away.

use super::{MAX_REGION_PX, Rgba, SlideError, SlideInfo, SlideSource};
use crate::geometry::{LevelRegion, Mpp, UmPoint};

/// How much finer than the slide's own px a wanted px may be, as a ratio: scanners state mpp to
/// three digits, and a picture stretched by this little shows nothing of it.
pub const FINER_TOLERANCE: f64 = 0.01;

/// Level px along each side that one read fetches.
const BLOCK_PX: f64 = 2048.0;

/// The finest scale, µm/px, at which both axes of the slide have px of their own; `None` where the
/// slide has no scale.
pub fn finest_mpp(info: &SlideInfo) -> Option<f64> {
    info.mpp.map(|mpp| mpp.x.max(mpp.y))
}

/// A slide that can't be analysed at a scale.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScaleError {
    /// The slide does not state its scale.
    #[error("{slide} does not state its scale (microns per px): give it as in --slide-mpp 0.25")]
    NoScale {
        /// The slide.
        slide: String,
    },
    /// The slide has no pixels as fine as that.
    #[error(
        "{slide}: {wanted_mpp:.4} um/px were asked for and its finest px are {finest_mpp:.4} um; \
         nothing is up-sampled: ask for --mag {:.2} or less", 10.0 / finest_mpp
    )]
    TooFine {
        /// The slide.
        slide: String,
        /// The scale asked for.
        wanted_mpp: f64,
        /// The finest it has.
        finest_mpp: f64,
    },
}

/// The scale of a slide whose finest px are of `finest_mpp` µm, to be analysed at `wanted_mpp`.
///
/// # Errors
/// When it has no scale, or no px as fine as that.
pub fn analysed_scale(
    info: &SlideInfo,
    finest_mpp: Option<f64>,
    wanted_mpp: f64,
) -> Result<Mpp, ScaleError> {
    let slide = || info.name.clone();
    let (base, finest_mpp) = info
        .mpp
        .zip(finest_mpp)
        .ok_or_else(|| ScaleError::NoScale { slide: slide() })?;
    if wanted_mpp * (1.0 + FINER_TOLERANCE) < finest_mpp {
        return Err(ScaleError::TooFine {
            slide: slide(),
            wanted_mpp,
            finest_mpp,
        });
    }
    Ok(base)
}

/// `width` × `height` px of `mpp` µm whose top-left corner is at `origin`, premultiplied;
/// transparent beyond the slide. See [`SlideSource::read_um`].
///
/// # Errors
/// When the slide has no scale or no px as fine as `mpp`, when more than [`MAX_REGION_PX`] are
/// asked for, or when a region can't be read.
pub fn read<S: SlideSource + ?Sized>(
    source: &S,
    origin: UmPoint,
    mpp: f64,
    (width, height): (u32, u32),
) -> Result<Rgba, SlideError> {
    let from = Level::for_scale(source.info(), mpp)?;
    if u64::from(width) * u64::from(height) > MAX_REGION_PX || !origin.to_vector().is_finite() {
        let what = format!("{width} x {height} px at ({}, {}) um", origin.x, origin.y);
        let reason = format!("{what}: no place, or more than {MAX_REGION_PX} px in one read");
        return Err(wrong_scale(source.info(), reason));
    }
    let ratio = (mpp / from.mpp.x, mpp / from.mpp.y);
    let block = |ratio: f64| (BLOCK_PX / ratio).max(1.0) as u32;
    let mut picture = Rgba::transparent(width, height);
    for top in (0..height).step_by(block(ratio.1) as usize) {
        for left in (0..width).step_by(block(ratio.0) as usize) {
            let columns = Span {
                start: origin.x / from.mpp.x + f64::from(left) * ratio.0,
                step: ratio.0,
                count: block(ratio.0).min(width - left),
            };
            let rows = Span {
                start: origin.y / from.mpp.y + f64::from(top) * ratio.1,
                step: ratio.1,
                count: block(ratio.1).min(height - top),
            };
            let part = read_block(source, from.index, &columns, &rows)?;
            picture.paste(&part, left, top);
        }
    }
    Ok(picture)
}

/// A level and the µm of its px.
struct Level {
    index: usize,
    mpp: Mpp,
}

impl Level {
    /// The coarsest level that is at least as fine as `wanted` µm/px along both axes.
    fn for_scale(info: &SlideInfo, wanted: f64) -> Result<Self, SlideError> {
        let base = info.mpp.ok_or_else(|| {
            let reason = "has no scale (µm per px): state one to read it by microns";
            wrong_scale(info, reason.to_owned())
        })?;
        let of = |(index, level): (usize, &super::LevelInfo)| {
            let mpp = Mpp::new(base.x * level.scale.0, base.y * level.scale.1)?;
            Some(Self { index, mpp })
        };
        let fine_enough =
            |level: &Self| level.mpp.x.max(level.mpp.y) <= wanted * (1.0 + FINER_TOLERANCE);
        let mut levels = info.levels.iter().enumerate().filter_map(of);
        levels.rfind(fine_enough).ok_or_else(|| {
            let finest = base.x.max(base.y);
            let reason =
                format!("{wanted:.4} µm/px was asked for; its finest px are {finest:.4} µm");
            wrong_scale(info, reason)
        })
    }
}

/// Wanted px along one axis, in level px: px `i` covers `start + i·step` to `start + (i+1)·step`.
struct Span {
    start: f64,
    step: f64,
    count: u32,
}

/// The level px under one wanted px: the first, and the share that each has in the mean.
type Share = (usize, Vec<f32>);

impl Span {
    /// The first level px touched, and how many are.
    fn touched(&self) -> (i64, u32) {
        let first = self.start.floor();
        let end = (self.start + self.step * f64::from(self.count)).ceil();
        (first as i64, (end - first).max(1.0) as u32)
    }

    fn shares(&self) -> Vec<Share> {
        let (first, touched) = self.touched();
        let share = |i: u32| {
            let from = self.start + f64::from(i) * self.step - first as f64;
            let to = from + self.step;
            let start = from.floor();
            let end = to.ceil().min(f64::from(touched));
            let covered = |px: i64| ((px + 1) as f64).min(to) - (px as f64).max(from);
            let weights = (start as i64..end as i64)
                .map(|px| (covered(px) / self.step).max(0.0) as f32)
                .collect();
            (start as usize, weights)
        };
        (0..self.count).map(share).collect()
    }
}

fn read_block<S: SlideSource + ?Sized>(
    source: &S,
    level: usize,
    columns: &Span,
    rows: &Span,
) -> Result<Rgba, SlideError> {
    let ((x, width), (y, height)) = (columns.touched(), rows.touched());
    let region = LevelRegion {
        x,
        y,
        width,
        height,
    };
    let pixels = source.read_region(level, region)?;
    Ok(by_area(&pixels, &columns.shares(), &rows.shares()))
}

/// Weighed means of rows, then of columns.
fn by_area(pixels: &Rgba, columns: &[Share], rows: &[Share]) -> Rgba {
    let row_bytes = pixels.width as usize * 4;
    let mut out = Rgba::transparent(columns.len() as u32, rows.len() as u32);
    let mut line = vec![0.0_f32; row_bytes];
    let targets = out.data.chunks_exact_mut((columns.len() * 4).max(4));
    for (target, (first, weights)) in targets.zip(rows) {
        line.fill(0.0);
        let sources = pixels.data.chunks_exact(row_bytes.max(4)).skip(*first);
        for (source, &weight) in sources.zip(weights) {
            for (sum, &value) in line.iter_mut().zip(source) {
                *sum += weight * f32::from(value);
            }
        }
        for (pixel, share) in target.chunks_exact_mut(4).zip(columns) {
            pixel.copy_from_slice(&mean_of(&line, share));
        }
    }
    out
}

fn mean_of(line: &[f32], (first, weights): &Share) -> [u8; 4] {
    let mut sum = [0.5_f32; 4];
    let pixels = line.as_chunks::<4>().0.iter().skip(*first);
    for (pixel, &weight) in pixels.zip(weights) {
        for (total, value) in sum.iter_mut().zip(pixel) {
            *total += weight * value;
        }
    }
    sum.map(|total| total as u8)
}

fn wrong_scale(info: &SlideInfo, reason: String) -> SlideError {
    SlideError::Scale {
        slide: info.name.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::{LevelInfo, pyramid};
    use super::*;
    use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

    /// A picture in memory with levels by halves: opaque, red grows along x, green along y.
    struct Ramp {
        info: SlideInfo,
        levels: Vec<Rgba>,
    }

    fn ramp(side: u32, mpp: Option<Mpp>) -> Ramp {
        let at = |i: u32| [(i % side) as u8 / 8, (i / side / 8) as u8, 0, 255];
        let data = (0..side * side).flat_map(at).collect();
        let (width, height) = (side, side);
        let full = Rgba {
            width,
            height,
            data,
        };
        let levels = pyramid::build(full);
        let mut info = PhantomSource::new(PhantomSpec::preset(Tissue::Brain, 1))
            .unwrap()
            .info()
            .clone();
        let level = |(i, picture): (usize, &Rgba)| LevelInfo {
            size_px: (picture.width.into(), picture.height.into()),
            scale: (2_f64.powi(i as i32), 2_f64.powi(i as i32)),
            native_tile_px: None,
        };
        info.levels = levels.iter().enumerate().map(level).collect();
        info.mpp = mpp;
        Ramp { info, levels }
    }

    impl SlideSource for Ramp {
        fn info(&self) -> &SlideInfo {
            &self.info
        }
        fn read_region(&self, level: usize, wanted: LevelRegion) -> Result<Rgba, SlideError> {
            let mut out = Rgba::transparent(wanted.width, wanted.height);
            for (i, to) in out.data.chunks_exact_mut(4).enumerate() {
                let x = wanted.x + (i as u32 % wanted.width) as i64;
                let y = wanted.y + (i as u32 / wanted.width) as i64;
                let inside = u32::try_from(x).ok().zip(u32::try_from(y).ok());
                let pixel = inside.and_then(|(x, y)| self.levels[level].pixel(x, y));
                to.copy_from_slice(&pixel.unwrap_or([0; 4]));
            }
            Ok(out)
        }
        fn read_associated(&self, _: &str) -> Result<Rgba, SlideError> {
            Err(wrong_scale(&self.info, "none".into()))
        }
    }

    /// Where along x, in µm, a bright line of the slide comes out at.
    fn centre_um(picture: &Rgba, origin_um: f64, mpp: f64) -> f64 {
        let row = picture.data.chunks_exact(4).take(picture.width as usize);
        let (mut mass, mut moment) = (0.0, 0.0);
        for (x, pixel) in row.enumerate() {
            mass += f64::from(pixel[0]);
            moment += f64::from(pixel[0]) * (x as f64 + 0.5);
        }
        origin_um + moment / mass * mpp
    }

    #[test]
    fn a_mark_is_at_its_place_in_microns_at_every_scale() {
        for base in [0.2325, 0.499] {
            let mut slide = ramp(2048, Mpp::square(base));
            let mut full = Rgba::transparent(2048, 2048);
            for (i, pixel) in full.data.chunks_exact_mut(4).enumerate() {
                let lit = (1000..1032).contains(&(i % 2048));
                pixel.copy_from_slice(&[if lit { 255 } else { 0 }, 0, 0, 255]);
            }
            slide.levels = pyramid::build(full);
            for ratio in [0.995, 1.0, 1.37, 2.0, 2.9, 4.0, 7.3] {
                let mpp = base * ratio;
                let origin = UmPoint::new(900.3 * base, 411.7 * base);
                let width = (230.0 / ratio) as u32;
                let picture = slide.read_um(origin, mpp, width, 3).unwrap();
                let found = centre_um(&picture, origin.x, mpp);
                let error_px = (found - 1016.0 * base).abs() / mpp;
                assert!(error_px < 0.03, "{base} x {ratio}: {error_px} px off");
            }
        }
    }

    #[test]
    fn whole_steps_are_what_the_pyramid_holds() {
        let slide = ramp(2048, Mpp::square(0.25));
        let origin = UmPoint::new(64.0, 128.0);
        let picture = slide.read_um(origin, 1.0, 100, 50).unwrap();
        assert_eq!(picture, slide.levels[2].crop(64, 128, 100, 50));
    }

    #[test]
    fn every_axis_has_its_own_scale() {
        let slide = ramp(1024, Mpp::new(0.2, 0.4));
        let picture = slide
            .read_um(UmPoint::new(64.0, 128.0), 0.8, 64, 64)
            .unwrap();
        // Wanted px (8, 8): 70.4 + 0.4 µm is column 354; 134.4 + 0.4 µm is row 337.
        assert_eq!(
            picture.pixel(8, 8).unwrap()[..2],
            [(354 % 256 / 8) as u8, (337 / 8) as u8]
        );
    }

    #[test]
    fn large_pictures_are_read_in_blocks_and_end_in_transparency() {
        let slide = ramp(3000, Mpp::square(0.5));
        let picture = slide
            .read_um(UmPoint::new(-5.0, 0.0), 0.5, 3020, 2500)
            .unwrap();
        assert_eq!(picture.pixel(9, 0), Some([0; 4]));
        assert_eq!(picture.pixel(10, 0), slide.levels[0].pixel(0, 0));
        assert_eq!(picture.pixel(2999, 2400), slide.levels[0].pixel(2989, 2400));
        assert_eq!(picture.pixel(3015, 2400), Some([0; 4]));
    }

    #[test]
    fn no_scale_and_too_fine_a_scale_are_refused() {
        let read = |mpp, wanted| ramp(600, mpp).read_um(UmPoint::origin(), wanted, 8, 8);
        let missing = read(None, 1.0).unwrap_err().to_string();
        assert!(missing.contains("has no scale"), "{missing}");
        let finer = read(Mpp::square(0.5), 0.45).unwrap_err().to_string();
        assert!(finer.contains("finest px are 0.5000"), "{finer}");
        assert!(read(Mpp::square(0.5), 0.496).is_ok());
        assert!(read(Mpp::square(0.5), f64::NAN).is_err());
    }

    #[test]
    fn a_phantom_is_drawn_at_any_scale() {
        let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(2000.0, 2000.0);
        let slide = PhantomSource::new(spec).unwrap();
        let origin = UmPoint::new(700.0, 800.0);
        let drawn = slide.read_um(origin, 0.21, 64, 64).unwrap();
        assert_eq!(drawn, slide.render_um(origin, 0.21, 64, 64));
        assert!(slide.finest_mpp().unwrap() < 0.2);
        assert!(slide.read_um(origin, 0.001, 8, 8).is_err());
    }

    #[test]
    fn a_real_slide_reads_by_its_own_scale() {
        let path = std::path::Path::new("../shared/data/slides/CMU-1-Small-Region.svs");
        if !path.exists() {
            _ = writeln!(std::io::stderr(), "skipped: {} is not here", path.display());
            return;
        }
        let slide = crate::slide::open(path).unwrap();
        let mpp = slide.finest_mpp().unwrap();
        assert!((mpp - 0.499).abs() < 1e-6);
        let origin = UmPoint::new(300.0 * mpp, 200.0 * mpp);
        let fine = slide.read_um(origin, mpp, 400, 400).unwrap();
        let (x, y, width, height) = (300, 200, 400, 400);
        let region = LevelRegion {
            x,
            y,
            width,
            height,
        };
        assert_eq!(fine, slide.read_region(0, region).unwrap());
        let coarse = slide.read_um(origin, mpp * 2.0, 200, 200).unwrap();
        assert_eq!(coarse, pyramid::halved(&fine));
    }
}

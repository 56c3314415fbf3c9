//! Slides that OpenSlide reads: every scanner's format it knows, DICOM among them.
//! The only file that names `openslide_rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openslide_rs::errors::OpenSlideError;
use openslide_rs::{Address, OpenSlide, Region, Size};

use super::file_watch::FileWatch;
use super::renewable::{Failure, Renewable};
use super::{
    AssociatedImage, LevelInfo, Rgba, SlideError, SlideHash, SlideInfo, SlideSource, hash,
    properties, region, sidecars,
};
use crate::geometry::{LevelRegion, SlideSize, level_scale};

/// Decoded native tiles that OpenSlide keeps for each slide. Views are cached elsewhere; this
/// only has to hold the tiles that neighbouring regions share.
const CACHE_BYTES: usize = 64 << 20;

/// The largest native tile or associated image that is decoded, px: 256 MiB of RGBA. A damaged
/// header may claim any size, and the library ends the whole process when memory runs out.
pub const MAX_NATIVE_TILE_PX: u64 = 8192 * 8192;

/// A slide opened with OpenSlide. Readers on several threads share one handle.
///
/// After any error a handle is dead; it is replaced by a fresh one behind this interface, so that
/// one unreadable tile does not take the rest of the slide with it.
pub struct OpenSlideSource {
    info: SlideInfo,
    /// OpenSlide's own downsample of each level: what it divides level-0 coordinates by.
    downsamples: Vec<f64>,
    handle: Renewable<OpenSlide>,
    watch: Arc<FileWatch>,
}

/// The name of the format that OpenSlide takes `path` for, `None` where it knows none.
pub fn detect_vendor(path: &Path) -> Option<String> {
    OpenSlide::detect_vendor(path).ok()
}

/// OpenSlide's own call with nothing around it: what tile delivery is measured against.
pub struct BareReader {
    slide: OpenSlide,
}

impl BareReader {
    /// Opens the slide at `path`, with the same cache as [`OpenSlideSource`].
    ///
    /// # Errors
    /// When OpenSlide does not know the format or refuses the file.
    pub fn open(path: &Path) -> Result<Self, SlideError> {
        let damaged = |reason: String| SlideError::Damaged {
            path: path.to_owned(),
            reason,
        };
        open_handle(path)
            .map(|slide| Self { slide })
            .map_err(damaged)
    }

    /// The bytes that OpenSlide gives for a region of `level`, native words of ARGB. As in its own
    /// call, the region's corner is in level-0 px and its size in px of the level.
    ///
    /// # Errors
    /// When it can't be decoded; the reader is then dead.
    pub fn read(&self, level: u32, region: LevelRegion) -> anyhow::Result<Vec<u8>> {
        let address = Address {
            x: u32::try_from(region.x)?,
            y: u32::try_from(region.y)?,
        };
        let size = Size {
            w: region.width,
            h: region.height,
        };
        Ok(self.slide.read_region(&Region {
            address,
            level,
            size,
        })?)
    }
}

impl OpenSlideSource {
    /// Opens the slide at `path`; for a DICOM series any file of it.
    ///
    /// # Errors
    /// When OpenSlide does not know the format or refuses the file.
    pub fn open(path: &Path) -> Result<Self, SlideError> {
        let damaged = |reason: String| SlideError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let watch = FileWatch::new(path).map_err(|error| damaged(error.to_string()))?;
        let mut slide = open_handle(path).map_err(damaged)?;
        let mut info = read_info(&slide, path)?;
        let watch = Arc::new(watch.with_others(sidecars::of(path, &info.properties)));
        let downsamples = slide.all_level_downsamples().to_vec();
        match slide.icc_profile() {
            Ok(profile) => info.icc_profile = profile,
            // The slide is worth more than its profile, but the handle is dead now.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "unreadable colour profile");
                slide = open_handle(path).map_err(damaged)?;
            }
        }
        let (again, guard) = (path.to_owned(), Arc::clone(&watch));
        let handle = Renewable::new(slide, move || reopen_handle(&again, &guard));
        Ok(Self {
            info,
            downsamples,
            handle,
            watch,
        })
    }

    /// The same slide, named after the `folder` that its files are in.
    #[must_use]
    pub fn of_folder(mut self, folder: &Path) -> Self {
        self.info.name = super::short_name(folder);
        self.info.path = Some(folder.to_owned());
        self
    }

    /// How often the handle had to be replaced since opening.
    pub fn generation(&self) -> u64 {
        self.handle.generation()
    }

    /// Reads `part`, which lies within level `level`.
    fn read_part(&self, level: usize, part: LevelRegion) -> Result<Rgba, String> {
        let request = Region {
            address: self.address(level, part)?,
            level: u32::try_from(level).map_err(|error| error.to_string())?,
            size: Size {
                w: part.width,
                h: part.height,
            },
        };
        let mut data = self.with_handle(|slide| slide.read_region(&request))?;
        rgba_from_argb(&mut data);
        Ok(Rgba {
            width: part.width,
            height: part.height,
            data,
        })
    }

    fn address(&self, level: usize, part: LevelRegion) -> Result<Address, String> {
        let downsample = self.downsamples.get(level).copied().unwrap_or(1.0);
        if !(downsample.is_finite() && downsample > 0.0) {
            return Err(format!("the level's downsample is {downsample}"));
        }
        Ok(Address {
            x: nearest_level0(part.x, downsample),
            y: nearest_level0(part.y, downsample),
        })
    }

    fn with_handle<T>(
        &self,
        job: impl Fn(&OpenSlide) -> Result<T, OpenSlideError>,
    ) -> Result<T, String> {
        self.watch
            .verify_sometimes()
            .map_err(|trouble| trouble.to_string())?;
        let result = self.handle.with(|slide| job(slide).map_err(classify));
        // A file that changed explains the failure better than what the reader made of it.
        result.map_err(|reason| match self.watch.verify() {
            Ok(()) => reason,
            Err(trouble) => trouble.to_string(),
        })
    }

    /// Refuses what is too large before anything is allocated for it.
    fn check(&self, level: usize, region: LevelRegion) -> Result<&LevelInfo, String> {
        let Some(info) = self.info.levels.get(level) else {
            return Err(format!("there are only {} levels", self.info.levels.len()));
        };
        region::check_area(region)?;
        match info.native_tile_px {
            Some((w, h)) if u64::from(w) * u64::from(h) > MAX_NATIVE_TILE_PX => Err(format!(
                "the file is cut into tiles of {w} x {h} px, more than the {MAX_NATIVE_TILE_PX} px \
                 that one may have"
            )),
            _ => Ok(info),
        }
    }
}

impl SlideSource for OpenSlideSource {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        let failed = |reason| SlideError::Region {
            slide: self.info.name.clone(),
            level,
            x: region.x,
            y: region.y,
            reason,
        };
        let info = self.check(level, region).map_err(failed)?;
        let Some(part) = region::part_within(region, info.size_px) else {
            return Ok(Rgba::transparent(region.width, region.height));
        };
        let pixels = self.read_part(level, part).map_err(failed)?;
        Ok(region::framed(pixels, part, region))
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        let failed = |reason| SlideError::Associated {
            slide: self.info.name.clone(),
            name: name.to_owned(),
            reason,
        };
        let known = self.info.associated.iter().find(|image| image.name == name);
        let (width, height) = known
            .ok_or_else(|| failed("there is none".to_owned()))?
            .size_px;
        if width.saturating_mul(height) > MAX_NATIVE_TILE_PX {
            return Err(failed(format!(
                "{width} x {height} px are more than {MAX_NATIVE_TILE_PX} px"
            )));
        }
        let (size, mut data) = self
            .with_handle(|slide| slide.read_associated_buffer(name))
            .map_err(failed)?;
        rgba_from_argb(&mut data);
        Ok(Rgba {
            width: size.w,
            height: size.h,
            data,
        })
    }
}

/// The level-0 pixel whose position on the level is nearest to level pixel `at`, >= 0.
///
/// OpenSlide takes whole level-0 pixels and divides them by its own downsample. Multiplying by the
/// exact scale instead would shift the far edge of a large level by several pixels. What is left
/// is at most half a level-0 pixel, and nothing where the downsample is whole.
fn nearest_level0(at: i64, downsample: f64) -> u32 {
    // A saturating cast: `at` lies within a level, and level 0 has `u32` sides.
    (at as f64 * downsample).round() as u32
}

fn open_handle(path: &Path) -> Result<OpenSlide, String> {
    OpenSlide::new_with_cache(path, CACHE_BYTES).map_err(|error| {
        // The whole path is in the error that this becomes part of.
        plain_reason(&error).replace(&*path.to_string_lossy(), &super::short_name(path))
    })
}

fn reopen_handle(path: &Path, watch: &FileWatch) -> Result<OpenSlide, String> {
    watch.verify().map_err(|trouble| trouble.to_string())?;
    tracing::debug!(path = %path.display(), "a slide's handle failed and is opened again");
    open_handle(path).map_err(|reason| format!("the slide can't be opened again: {reason}"))
}

/// Requests that never reached the library leave the handle alone.
fn classify(error: OpenSlideError) -> Failure {
    let reason = plain_reason(&error);
    match error {
        OpenSlideError::LibraryError(_) | OpenSlideError::UnexpectedFailure { .. } => {
            Failure::Fatal(reason)
        }
        _ => Failure::Refused(reason),
    }
}

/// What went wrong without the path, which the caller's error names already.
fn plain_reason(error: &OpenSlideError) -> String {
    match error {
        OpenSlideError::UnsupportedFile(_) => "OpenSlide does not know this format".to_owned(),
        OpenSlideError::MissingFile(_) => "there is no such file".to_owned(),
        OpenSlideError::LibraryError(reason) => reason.clone(),
        other => other.to_string(),
    }
}

fn read_info(slide: &OpenSlide, path: &Path) -> Result<SlideInfo, SlideError> {
    let damaged = |reason: String| SlideError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let properties = read_properties(slide).map_err(|error| damaged(plain_reason(&error)))?;
    let levels = read_levels(slide, &properties).map_err(damaged)?;
    let associated = read_associated_list(slide).map_err(|error| damaged(plain_reason(&error)))?;
    let (mpp, scale_origin) = properties::scale(&properties);
    let (width, height) = levels.first().map_or((1, 1), |level| level.size_px);
    let size = SlideSize::new(width as f64, height as f64);
    Ok(SlideInfo {
        name: super::short_name(path),
        path: Some(path.to_owned()),
        vendor: properties
            .get("openslide.vendor")
            .cloned()
            .unwrap_or_else(|| "openslide".to_owned()),
        mpp,
        scale_origin,
        objective_power: properties::objective_power(&properties),
        bounds: properties::bounds(&properties, size),
        background_rgb: properties::background_rgb(&properties),
        icc_profile: None,
        hash: read_hash(&properties, path)?,
        levels,
        properties,
        associated,
    })
}

fn read_properties(slide: &OpenSlide) -> Result<BTreeMap<String, String>, OpenSlideError> {
    let names = slide.property_names()?;
    names
        .into_iter()
        .map(|name| Ok((name.clone(), slide.property_value(&name)?)))
        .collect()
}

fn read_levels(
    slide: &OpenSlide,
    properties: &BTreeMap<String, String>,
) -> Result<Vec<LevelInfo>, String> {
    let sizes: Vec<(u64, u64)> = slide
        .all_level_dimensions()
        .iter()
        .map(|size| (size.w.into(), size.h.into()))
        .collect();
    let full = *sizes.first().ok_or("the slide has no levels")?;
    if let Some((width, height)) = sizes
        .iter()
        .find(|(width, height)| *width == 0 || *height == 0)
    {
        return Err(format!("a level is {width} x {height} px"));
    }
    let level = |(index, size_px): (usize, &(u64, u64))| LevelInfo {
        size_px: *size_px,
        scale: level_scale(full, *size_px),
        native_tile_px: properties::native_tile_px(properties, index),
    };
    Ok(sizes.iter().enumerate().map(level).collect())
}

fn read_associated_list(slide: &OpenSlide) -> Result<Vec<AssociatedImage>, OpenSlideError> {
    let names = slide.associated_image_names()?;
    let image = |name: String| {
        let size = slide.associated_image_dimensions(&name)?;
        Ok(AssociatedImage {
            name,
            size_px: (size.w.into(), size.h.into()),
        })
    };
    names.into_iter().map(image).collect()
}

fn read_hash(properties: &BTreeMap<String, String>, path: &Path) -> Result<SlideHash, SlideError> {
    match properties.get("openslide.quickhash-1") {
        Some(quickhash) => Ok(SlideHash(format!("quickhash1:{quickhash}"))),
        None => hash::of_file(path).map_err(|error| SlideError::Path {
            path: PathBuf::from(path),
            reason: format!("can't be read ({error})"),
        }),
    }
}

/// Turns OpenSlide's premultiplied ARGB words into premultiplied R, G, B, A bytes, in place.
fn rgba_from_argb(pixels: &mut [u8]) {
    // Plain arithmetic on whole words, which the compiler vectorises.
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let argb = u32::from_ne_bytes(*pixel);
        let red_and_blue = (argb & 0x00ff_00ff).rotate_left(16);
        *pixel = (argb & 0xff00_ff00 | red_and_blue).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_within_half_a_level0_pixel() {
        // 46,000 x 32,914 px at 11,500 x 8,228: a mean of 4 and 4.000243.
        let downsample = 4.000_121_5;
        for at in 0..11_500 {
            let read_at = f64::from(nearest_level0(at, downsample)) / downsample;
            assert!(
                (read_at - at as f64).abs() <= 0.5 / downsample + 1e-9,
                "{at}: {read_at}"
            );
        }
        assert_eq!(nearest_level0(8_000, 16.0), 128_000);
    }

    #[test]
    fn words_become_bytes_in_reading_order() {
        let mut pixels = [0x8011_2233_u32.to_ne_bytes(), 0xff00_0000_u32.to_ne_bytes()].concat();
        rgba_from_argb(&mut pixels);
        assert_eq!(pixels, [0x11, 0x22, 0x33, 0x80, 0, 0, 0, 0xff]);
    }
}

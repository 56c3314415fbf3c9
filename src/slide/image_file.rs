//! Ordinary pictures: PNG, JPEG, TIFF and BMP, decoded once and held in memory.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::file_watch::FileWatch;
use super::{
    LevelInfo, Rgba, ScaleOrigin, SlideError, SlideInfo, SlideSource, hash, pyramid, region,
    tiff_resolution,
};
use crate::geometry::{LevelRegion, Mpp};

/// The largest picture that is opened, px. Larger ones belong into a pyramid, which is read tile
/// by tile.
pub const MAX_IMAGE_PX: u64 = 100_000_000;

/// The most that a decoded picture may take, in bytes: [`MAX_IMAGE_PX`] of 8-bit RGBA, half as
/// many of 16-bit RGBA. Some decoders hold it twice, which stays below 1 GiB.
pub const MAX_DECODED_BYTES: u64 = MAX_IMAGE_PX * 4;

/// What decoders may allocate beside the result: as much again, and some tables.
const MAX_DECODER_BYTES: u64 = 2 * MAX_DECODED_BYTES + (64 << 20);

const WHITE_RGB: [u8; 3] = [255, 255, 255];

/// A picture in memory, presented as a pyramid of box-averaged levels.
pub struct ImageFileSource {
    info: SlideInfo,
    levels: Vec<Rgba>,
    watch: FileWatch,
}

impl ImageFileSource {
    /// Decodes the picture at `path`; the format is known by its content, not by its name. Of a
    /// file with several pictures it is the first. A camera's orientation is applied.
    ///
    /// # Errors
    /// When the file is none of the formats, breaks [`MAX_IMAGE_PX`] or [`MAX_DECODED_BYTES`], or
    /// can't be decoded.
    pub fn open(path: &Path) -> Result<Self, SlideError> {
        let watch = FileWatch::new(path).map_err(|error| damaged(path, error.to_string()))?;
        let header = Header::read(path)?;
        let (format, icc_profile, mpp) = (header.format, header.icc_profile.clone(), header.mpp);
        let levels = pyramid::build(header.decode(path)?);
        let format = format!("{format:?}").to_lowercase();
        let info = SlideInfo {
            name: super::short_name(path),
            path: Some(path.to_owned()),
            vendor: "image".to_owned(),
            levels: levels.iter().enumerate().map(level_info).collect(),
            mpp,
            scale_origin: if mpp.is_some() {
                ScaleOrigin::Mpp
            } else {
                ScaleOrigin::Missing
            },
            objective_power: None,
            bounds: None,
            background_rgb: WHITE_RGB,
            icc_profile,
            properties: BTreeMap::from([("image.format".to_owned(), format)]),
            associated: Vec::new(),
            hash: hash::of_file(path).map_err(|error| damaged(path, error.to_string()))?,
        };
        Ok(Self {
            info,
            levels,
            watch,
        })
    }
}

impl SlideSource for ImageFileSource {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, wanted: LevelRegion) -> Result<Rgba, SlideError> {
        let failed = |reason| SlideError::Region {
            slide: self.info.name.clone(),
            level,
            x: wanted.x,
            y: wanted.y,
            reason,
        };
        let picture = self.levels.get(level);
        let picture = picture
            .ok_or_else(|| failed(format!("there are only {} levels", self.levels.len())))?;
        region::check_area(wanted).map_err(failed)?;
        // The pixels are at hand, but no longer those of the file that is named beside them.
        let watched = self.watch.verify_sometimes();
        watched.map_err(|trouble| failed(trouble.to_string()))?;
        let size_px = (picture.width.into(), picture.height.into());
        let Some(part) = region::part_within(wanted, size_px) else {
            return Ok(Rgba::transparent(wanted.width, wanted.height));
        };
        let pixels = picture.crop(part.x as u32, part.y as u32, part.width, part.height);
        Ok(region::framed(pixels, part, wanted))
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        Err(SlideError::Associated {
            slide: self.info.name.clone(),
            name: name.to_owned(),
            reason: "a picture has none".to_owned(),
        })
    }
}

/// A picture whose header was read and found within the limits.
struct Header<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: ImageFormat,
    orientation: Orientation,
    icc_profile: Option<Vec<u8>>,
    mpp: Option<Mpp>,
}

impl Header<'_> {
    fn read(path: &Path) -> Result<Self, SlideError> {
        let mut file = File::open(path).map_err(|error| damaged(path, error.to_string()))?;
        let mpp = tiff_resolution::first_directory(&mut file).and_then(|first| first.mpp);
        file.rewind()
            .map_err(|error| damaged(path, error.to_string()))?;
        let mut header = guarded(path, move || Self::start(path, file))??;
        header.mpp = mpp.map(|mpp| oriented(mpp, header.orientation));
        Ok(header)
    }

    fn start(path: &Path, file: File) -> Result<Self, SlideError> {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        let mut reader = ImageReader::new(BufReader::new(file))
            .with_guessed_format()
            .map_err(|error| damaged(path, error.to_string()))?;
        let format = reader
            .format()
            .ok_or_else(|| unsupported(path, "no picture format it knows"))?;
        reader.limits(limits);
        let mut decoder = reader
            .into_decoder()
            .map_err(|error| refused(path, error))?;
        check_size(&decoder).map_err(|reason| damaged(path, reason))?;
        // Both are trimmings: a picture with damaged ones is still worth showing.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let icc_profile = decoder.icc_profile().ok().flatten();
        Ok(Self {
            decoder: Box::new(decoder),
            format,
            orientation,
            icc_profile,
            mpp: None,
        })
    }

    /// All pixels as premultiplied RGBA, upright.
    fn decode(self, path: &Path) -> Result<Rgba, SlideError> {
        guarded(path, move || {
            let decoded = DynamicImage::from_decoder(self.decoder);
            let mut picture = decoded.map_err(|error| refused(path, error))?;
            picture.apply_orientation(self.orientation);
            Ok(premultiplied(picture))
        })?
    }
}

fn check_size(decoder: &impl ImageDecoder) -> Result<(), String> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_IMAGE_PX {
        return Err(format!(
            "the picture is {width} x {height} px, more than the {MAX_IMAGE_PX} px that one \
             without tiles may have; convert it to a tiled pyramid (TIFF, DICOM)"
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!("the picture is {width} x {height} px"));
    }
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED_BYTES {
        return Err(format!(
            "the picture takes {bytes} bytes decoded, more than the {MAX_DECODED_BYTES} bytes that \
             one without tiles may take"
        ));
    }
    Ok(())
}

fn premultiplied(picture: DynamicImage) -> Rgba {
    let has_alpha = picture.color().has_alpha();
    let mut rgba = without_nan(picture).into_rgba8();
    if has_alpha {
        for image::Rgba([r, g, b, a]) in rgba.pixels_mut() {
            for channel in [r, g, b] {
                *channel = ((u16::from(*channel) * u16::from(*a) + 127) / 255) as u8;
            }
        }
    }
    Rgba {
        width: rgba.width(),
        height: rgba.height(),
        data: rgba.into_raw(),
    }
}

/// The conversion to bytes panics on a value that is not a number; such pixels become black.
fn without_nan(mut picture: DynamicImage) -> DynamicImage {
    let samples = match &mut picture {
        DynamicImage::ImageRgb32F(buffer) => &mut **buffer,
        DynamicImage::ImageRgba32F(buffer) => &mut **buffer,
        _ => return picture,
    };
    for sample in samples.iter_mut().filter(|sample| sample.is_nan()) {
        *sample = 0.0;
    }
    picture
}

fn level_info((index, picture): (usize, &Rgba)) -> LevelInfo {
    // Exact by construction; from the rounded sizes it would only be near.
    let scale = 2_f64.powi(index as i32);
    LevelInfo {
        size_px: (picture.width.into(), picture.height.into()),
        scale: (scale, scale),
        native_tile_px: None,
    }
}

fn oriented(mpp: Mpp, orientation: Orientation) -> Mpp {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => Mpp { x: mpp.y, y: mpp.x },
        _ => mpp,
    }
}

/// Decoders are written by others and fed with anything: a panic in one is an error here.
fn guarded<T>(path: &Path, job: impl FnOnce() -> T) -> Result<T, SlideError> {
    catch_unwind(AssertUnwindSafe(job))
        .map_err(|_| damaged(path, "the picture decoder failed on it".to_owned()))
}

fn damaged(path: &Path, reason: String) -> SlideError {
    SlideError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

fn unsupported(path: &Path, reason: &str) -> SlideError {
    SlideError::Unsupported {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn refused(path: &Path, error: ImageError) -> SlideError {
    match &error {
        ImageError::Unsupported(what) => match what.kind() {
            UnsupportedErrorKind::Color(_) => unsupported(
                path,
                "its kind of pixel (colours or bit depth) can't be decoded",
            ),
            UnsupportedErrorKind::GenericFeature(feature) => unsupported(path, &feature),
            _ => unsupported(path, &error.to_string()),
        },
        ImageError::Limits(_) => damaged(
            path,
            format!("decoding it takes more than the {MAX_DECODER_BYTES} bytes allowed"),
        ),
        ImageError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => damaged(
            path,
            "the file ends too early: it is cut off or damaged".to_owned(),
        ),
        ImageError::Decoding(what) => damaged(path, undecodable(what)),
        _ => damaged(path, error.to_string()),
    }
}

/// What is wrong with a picture: the innermost reason, which says most, in a sentence.
fn undecodable(error: &DecodingError) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let reason = causes.last().map(ToString::to_string);
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let format = match error.format_hint() {
        ImageFormatHint::Exact(format) => format!("{format:?} ").to_uppercase(),
        _ => String::new(),
    };
    format!("its {format}data are damaged{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_data_are_told_with_the_innermost_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.png");
        image::RgbImage::new(40, 30).save(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        // In the header's checksum: the format is known, its content is not to be trusted.
        bytes[30] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        let Err(error) = ImageFileSource::open(&path) else {
            panic!("a damaged picture was opened");
        };
        let reason = error.reason();
        assert!(reason.starts_with("its PNG data are damaged ("), "{reason}");
        assert!(reason.contains("CRC"), "{reason}");
    }
}

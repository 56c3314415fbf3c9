//! Values as they are typed: sizes, points, lengths.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::geometry::Mpp;
use crate::slide::argument::understood;

/// The largest picture, px: 1 GiB of RGBA.
const MAX_PICTURE_PX: u64 = 16_384 * 16_384;

/// `1920x1080` as width and height, px; each at least 1, at most 2^28 px in all.
pub fn size_px(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text
        .split_once(['x', 'X', '×'])
        .ok_or("write WIDTHxHEIGHT, such as 1920x1080")?;
    let side = |text: &str| {
        let side = text.trim().parse::<u32>().ok().filter(|side| *side > 0);
        side.ok_or_else(|| format!("'{text}' is not a number of pixels"))
    };
    let (width, height) = (side(width)?, side(height)?);
    if u64::from(width) * u64::from(height) > MAX_PICTURE_PX {
        return Err(format!(
            "more than {MAX_PICTURE_PX} px in all; render parts of it"
        ));
    }
    Ok((width, height))
}

/// `X,Y`, both finite.
pub fn point(text: &str) -> Result<(f64, f64), String> {
    let (x, y) = text
        .split_once(',')
        .ok_or("write X,Y, such as 1200.5,800")?;
    Ok((finite(x)?, finite(y)?))
}

/// A finite number.
pub fn finite(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok();
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("'{text}' is not a number"))
}

/// A finite number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err("it must be above 0".to_owned())
    }
}

/// A finite number, 0 or above.
pub fn not_negative(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    if number >= 0.0 {
        Ok(number)
    } else {
        Err("it must be 0 or above".to_owned())
    }
}

/// A magnification, with or without the `x`: `10`, `2.5x`.
pub fn magnification(text: &str) -> Result<f64, String> {
    positive(text.strip_suffix(['x', 'X']).unwrap_or(text))
}

/// Microns a px, of both axes.
pub fn mpp(text: &str) -> Result<Mpp, String> {
    Mpp::square(positive(text)?).ok_or_else(|| "no slide has such a scale".to_owned())
}

/// A number from `low` to `high`.
pub fn within(low: f32, high: f32) -> impl Fn(&str) -> Result<f32, String> + Clone {
    move |text| {
        let number = finite(text)? as f32;
        if (low..=high).contains(&number) {
            Ok(number)
        } else {
            Err(format!("it must be from {low} to {high}"))
        }
    }
}

/// What a slide is named by; a phantom that does not exist is wrong use.
pub fn slide() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new()
        .try_map(|path| understood(path).map_err(|error| error.reason().to_owned()))
}

/// Where a TIFF is to be written to.
///
/// # Errors
/// When the name has another ending.
pub fn tif_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    let is_tif = extension.is_some_and(|extension| extension == "tif" || extension == "tiff");
    match is_tif {
        true => Ok(path.to_owned()),
        false => Err("only TIFF is written: end the name in .tif".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(size_px("1920x1080"), Ok((1920, 1080)));
        for wrong in ["1920", "0x5", "-1x5", "1x2x3", "99999x99999", "x", "1e3x5"] {
            assert!(size_px(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(point("-1.5, 2"), Ok((-1.5, 2.0)));
        assert_eq!(magnification("2.5x"), Ok(2.5));
        for wrong in ["nan,1", "1,inf", "1", "", "1,2,3"] {
            assert!(point(wrong).is_err(), "{wrong}");
        }
        assert!(positive("0").is_err() && positive("-1").is_err());
        assert!(within(0.2, 5.0)("5.1").is_err());
    }
}

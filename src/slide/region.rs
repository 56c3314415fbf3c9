//! What every source does around reading a region: limits, clamping, framing.

use super::{MAX_REGION_PX, Rgba};
use crate::geometry::LevelRegion;

/// Refuses a region of more than [`MAX_REGION_PX`], before anything is allocated for it.
pub(super) fn check_area(region: LevelRegion) -> Result<(), String> {
    if region.area_px() <= MAX_REGION_PX {
        return Ok(());
    }
    Err(format!(
        "{} x {} px are more than the {MAX_REGION_PX} px that one read may ask for",
        region.width, region.height
    ))
}

/// The part of `region` that lies within a level of `size_px`; `None` where there is none.
pub(super) fn part_within(region: LevelRegion, size_px: (u64, u64)) -> Option<LevelRegion> {
    let (x, width) = overlap(region.x, region.width, size_px.0)?;
    let (y, height) = overlap(region.y, region.height, size_px.1)?;
    Some(LevelRegion {
        x,
        y,
        width,
        height,
    })
}

fn overlap(start: i64, length: u32, side: u64) -> Option<(i64, u32)> {
    let side = i64::try_from(side).unwrap_or(i64::MAX);
    let from = start.clamp(0, side);
    let to = start.saturating_add(length.into()).clamp(0, side);
    let length = u32::try_from(to - from).ok().filter(|length| *length > 0)?;
    Some((from, length))
}

/// `pixels` of `part` in place on a transparent picture of `region`, which contains `part`.
pub(super) fn framed(pixels: Rgba, part: LevelRegion, region: LevelRegion) -> Rgba {
    if part == region {
        return pixels;
    }
    let mut picture = Rgba::transparent(region.width, region.height);
    picture.paste(
        &pixels,
        (part.x - region.x) as u32,
        (part.y - region.y) as u32,
    );
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(x: i64, y: i64, width: u32, height: u32) -> LevelRegion {
        LevelRegion {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn regions_are_cut_to_the_level() {
        let size_px = (100, 50);
        assert_eq!(
            part_within(region(-10, 40, 30, 30), size_px),
            Some(region(0, 40, 20, 10))
        );
        assert_eq!(
            part_within(region(5, 5, 10, 10), size_px),
            Some(region(5, 5, 10, 10))
        );
        for nothing in [
            region(100, 0, 10, 10),
            region(0, -10, 10, 10),
            region(3, 3, 0, 10),
            region(i64::MIN, i64::MAX, u32::MAX, u32::MAX),
        ] {
            assert_eq!(part_within(nothing, size_px), None, "{nothing:?}");
        }
    }

    #[test]
    fn the_frame_is_transparent() {
        let white = Rgba {
            width: 1,
            height: 1,
            data: vec![255; 4],
        };
        let framed = framed(white, region(0, 0, 1, 1), region(-1, -1, 2, 2));
        assert_eq!(framed.pixel(1, 1), Some([255; 4]));
        assert_eq!(framed.data.iter().filter(|byte| **byte != 0).count(), 4);
    }
}

//! Coarser levels of a picture that is held in memory.

use super::Rgba;

/// No level beyond the one that fits into this many pixels along its longer side.
const COARSEST_SIDE_PX: u32 = 512;

/// The picture and its coarser levels, each half as wide and high as the one before (rounded up),
/// down to the first that is at most 512 px along its longer side. One pixel of level n covers
/// exactly 2^n x 2^n pixels of level 0, cut off at the right and bottom edge.
pub fn build(full: Rgba) -> Vec<Rgba> {
    let mut levels = vec![full];
    while let Some(last) = levels.last() {
        if last.width.max(last.height) <= COARSEST_SIDE_PX {
            break;
        }
        let next = halved(last);
        levels.push(next);
    }
    levels
}

/// Every pixel the rounded mean of 2 x 2; at an odd edge of those that exist. Colours are
/// premultiplied, so transparent pixels do not darken their neighbours.
pub fn halved(full: &Rgba) -> Rgba {
    let (width, height) = (full.width.div_ceil(2), full.height.div_ceil(2));
    let mut half = Rgba::transparent(width, height);
    let row_bytes = full.width as usize * 4;
    if row_bytes == 0 {
        return half;
    }
    let pairs = full.data.chunks(row_bytes * 2);
    for (target, pair) in half.data.chunks_exact_mut(width as usize * 4).zip(pairs) {
        let (upper, lower) = pair.split_at(row_bytes);
        // The last row of an odd height is averaged with itself.
        let lower = if lower.is_empty() { upper } else { lower };
        halve_rows(target, upper, lower);
    }
    half
}

fn halve_rows(target: &mut [u8], upper: &[u8], lower: &[u8]) {
    let (uppers, upper_rest) = upper.as_chunks::<8>();
    let (lowers, lower_rest) = lower.as_chunks::<8>();
    let (pixels, _) = target.as_chunks_mut::<4>();
    for ((to, a), b) in pixels.iter_mut().zip(uppers).zip(lowers) {
        for c in 0..4 {
            let sum = u16::from(a[c]) + u16::from(a[c + 4]) + u16::from(b[c]) + u16::from(b[c + 4]);
            to[c] = ((sum + 2) / 4) as u8;
        }
    }
    if let (Some(to), [_, ..]) = (pixels.get_mut(uppers.len()), upper_rest) {
        for ((to, a), b) in to.iter_mut().zip(upper_rest).zip(lower_rest) {
            *to = (u16::from(*a) + u16::from(*b)).div_ceil(2) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_512_px() {
        let levels = build(Rgba::transparent(2050, 3));
        let sizes: Vec<_> = levels
            .iter()
            .map(|level| (level.width, level.height))
            .collect();
        assert_eq!(sizes, [(2050, 3), (1025, 2), (513, 1), (257, 1)]);
        assert_eq!(build(Rgba::transparent(512, 512)).len(), 1);
    }

    #[test]
    fn an_odd_edge_is_the_mean_of_what_exists() {
        let data: Vec<u8> = [10_u8, 20, 40, 50, 60, 80, 90, 100, 120]
            .iter()
            .flat_map(|v| [*v; 4])
            .collect();
        let half = halved(&Rgba {
            width: 3,
            height: 3,
            data,
        });
        assert_eq!((half.width, half.height), (2, 2));
        let means: Vec<u8> = (0..4).map(|i| half.data[i * 4]).collect();
        assert_eq!(means, [35, 60, 95, 120]);
    }
}

//! From embeddings to px of maps.

use std::ops::Range;

use super::basis::{ColourBasis, dot};
use super::patch::Patch;
use super::search::Spot;
use crate::labels::{LabelPyramid, PAGE_PX, PageId, Texel};

/// Side of the square whose mean a colour shows, µm: what distillation ties at 10x and 40x.
pub const COLOUR_UM: f64 = 32.0;

/// Side of the squares that are compared, µm. Twice that of colours: on phantom slides the answers
/// at 10x and 40x then agree better and hold more of the spot's own class.
pub const LIKENESS_UM: f64 = 64.0;

/// The cosine, −1 to 1, that a px of [`super::EmbeddingView::Likeness`] stands for.
pub fn likeness_of(value: u8) -> f32 {
    f32::from(value) / 127.5 - 1.0
}

fn value_of(likeness: f32) -> u8 {
    ((likeness.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8
}

/// Where px are to be made: columns and rows of tokens, and the side of a token, µm.
#[derive(Debug, Clone)]
pub struct Place {
    /// Columns.
    pub x: Range<u32>,
    /// Rows.
    pub y: Range<u32>,
    /// Side of a token, µm.
    pub token_um: f64,
}

impl Place {
    /// A px for each token, from its mean where that is known.
    fn texels(
        &self,
        means: &Patch,
        mut texel: impl FnMut((u32, u32), &[f32]) -> Texel,
    ) -> Vec<Texel> {
        let mut texels = Vec::with_capacity(self.x.len() * self.y.len());
        for row in self.y.clone() {
            for column in self.x.clone() {
                let mean = means.get(column, row);
                texels.push(mean.map_or(Texel::UNKNOWN, |mean| texel((column, row), mean)));
            }
        }
        texels
    }

    /// Colours of tokens; `tokens` holds them and what is around.
    pub fn colours(&self, tokens: &Patch, basis: &ColourBasis) -> Vec<Texel> {
        let means = tokens.means(&self.x, &self.y, COLOUR_UM / self.token_um);
        self.texels(&means, |_, mean| {
            let [code, any, value] = basis.rgb(mean);
            Texel {
                code,
                any,
                value,
                extra: u8::MAX,
            }
        })
    }

    /// Likeness of tokens to a direction, and the likest of them.
    pub fn likeness(
        &self,
        tokens: &Patch,
        basis: &ColourBasis,
        direction: &[f32],
    ) -> (Vec<Texel>, Option<Spot>) {
        let means = tokens.means(&self.x, &self.y, LIKENESS_UM / self.token_um);
        let mut best: Option<Spot> = None;
        let texels = self.texels(&means, |token, mean| {
            let similarity = dot(&basis.direction(mean), direction);
            if best.is_none_or(|best| similarity > best.similarity) {
                best = Some(Spot { token, similarity });
            }
            Texel {
                value: value_of(similarity),
                extra: u8::MAX,
                ..Texel::of(0)
            }
        });
        (texels, best)
    }

    /// Puts px into a map, page by page.
    pub fn write(&self, map: &mut LabelPyramid, texels: &[Texel]) {
        for (row, y) in parts(&self.y) {
            for (col, x) in parts(&self.x) {
                let id = PageId { level: 0, col, row };
                let within =
                    |px: &Range<u32>, page: u32| px.start - page * PAGE_PX..px.end - page * PAGE_PX;
                let stamp = map.stamp();
                map.edit(id, within(&x, col), within(&y, row), 1, |page| {
                    page.set_stamp((0, 0), stamp);
                    let target = page.texels_mut();
                    for line in y.clone() {
                        let from = (line - self.y.start) as usize * self.x.len();
                        let from = from + (x.start - self.x.start) as usize;
                        let to = ((line % PAGE_PX) * PAGE_PX + x.start % PAGE_PX) as usize;
                        target[to..to + x.len()].copy_from_slice(&texels[from..from + x.len()]);
                    }
                });
            }
        }
    }
}

/// Px by the pages that they lie on.
fn parts(px: &Range<u32>) -> Vec<(u32, Range<u32>)> {
    let pages = px.start / PAGE_PX..px.end.div_ceil(PAGE_PX);
    let part = |page: u32| {
        let of_page = (page * PAGE_PX).max(px.start)..((page + 1) * PAGE_PX).min(px.end);
        (page, of_page)
    };
    pages.map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Raster;

    #[test]
    fn values_stand_for_cosines() {
        for likeness in [-1.0, -0.3, 0.0, 0.77, 1.0] {
            assert!((likeness_of(value_of(likeness)) - likeness).abs() < 0.004);
        }
        assert_eq!((likeness_of(255), likeness_of(0)), (1.0, -1.0));
    }

    #[test]
    fn px_reach_all_pages_that_they_lie_on() {
        let raster = Raster {
            slide_px_per_px: (1.0, 1.0),
            size_px: (600, 300),
        };
        let mut map = LabelPyramid::of_colours(raster, u64::MAX);
        let place = Place {
            x: 254..259,
            y: 255..257,
            token_um: 16.0,
        };
        let texel = |n: u8| Texel {
            extra: 255,
            ..Texel::of(n)
        };
        let texels: Vec<Texel> = (0..10).map(texel).collect();
        place.write(&mut map, &texels);
        for (n, (x, y)) in [(254, 255), (258, 256)].into_iter().enumerate() {
            let id = PageId {
                level: 0,
                col: x / PAGE_PX,
                row: y / PAGE_PX,
            };
            let page = map.peek(id).unwrap();
            assert_eq!(page.texel(x % PAGE_PX, y % PAGE_PX), texels[n * 9]);
            assert!(map.is_current(page));
        }
    }
}

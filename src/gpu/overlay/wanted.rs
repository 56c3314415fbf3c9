//! Which pages an overlay needs, and which of those in the atlas it is drawn from meanwhile. Pure
//! but for the look-ups.

use std::sync::Arc;

use crate::geometry::{ScreenPx, SlideRect};
use crate::labels::{PAGE_PX, Page, PageId, Raster};

use super::input::{OverlayInput, OverlayLayer};
use super::scene::DrawnPage;

/// A page that the view shows.
pub(super) struct WantedPage {
    pub id: PageId,
    pub page: Arc<Page>,
    pub is_current: bool,
}

/// The most pages that an overlay may need to be at hand at once.
pub(in crate::gpu) fn pages_seen(input: &OverlayInput<'_>) -> usize {
    let layers = input.layers.iter().chain(input.swiped_layers());
    layers.map(|layer| pages_in_view(layer, input).len()).sum()
}

/// The pages of a layer that a view shows: those of the level that suits it, and of coarser ones
/// those that stand in for missing ones.
pub(super) fn wanted_pages(layer: &OverlayLayer<'_>, input: &OverlayInput<'_>) -> Vec<WantedPage> {
    let target = layer.raster.level_for(input.view.slide_px_per_screen_px);
    let mut asked = pages_in_view(layer, input);
    let mut wanted = Vec::new();
    for _ in target..=layer.raster.coarsest() {
        let mut missing = Vec::new();
        for id in asked {
            match layer.pages.page(id) {
                Some((page, is_current)) => wanted.push(WantedPage {
                    id,
                    page,
                    is_current,
                }),
                None => missing.push(id.parent()),
            }
        }
        missing.sort_unstable_by_key(|id| (id.row, id.col));
        missing.dedup();
        asked = missing;
    }
    wanted
}

/// The pages that touch the viewport, of the level that suits it, however it is turned.
fn pages_in_view(layer: &OverlayLayer<'_>, input: &OverlayInput<'_>) -> Vec<PageId> {
    let view = input.view;
    // A px more than outlines reach, for rounding.
    let margin_px = f64::from(input.style.outline_reach_px().unwrap_or(0.0)) + 1.0;
    let viewport: euclid::Box2D<f64, ScreenPx> =
        euclid::Box2D::from_size(view.size).inflate(margin_px, margin_px);
    let slide_from_screen = view.slide_from_screen();
    let level = layer.raster.level_for(view.slide_px_per_screen_px);
    let level_raster = layer.raster.level(level);
    let screen_from_slide = view.screen_from_slide();
    let is_seen = |id: &PageId| {
        let rect = page_rect(&level_raster, *id);
        screen_from_slide
            .outer_transformed_box(&rect)
            .intersects(&viewport)
    };
    let around = slide_from_screen.outer_transformed_box(&viewport);
    let touched = layer.raster.pages_in(level, &around).into_iter();
    touched.filter(is_seen).collect()
}

fn page_rect(level_raster: &Raster, id: PageId) -> SlideRect {
    let px = |index: u32| index * PAGE_PX..(index + 1) * PAGE_PX;
    level_raster.slide_rect(px(id.col), px(id.row))
}

/// What a layer is drawn from now: the wanted pages that lie in the atlas, and for each that does
/// not lie there yet all coarser ones over it and the next finer ones under it that do.
/// `atlas_layer` tells where a page lies and marks it as drawn.
pub(super) fn drawn_pages(
    layer: &OverlayLayer<'_>,
    wanted: &[WantedPage],
    atlas_layer: &mut dyn FnMut(PageId) -> Option<u32>,
) -> Vec<DrawnPage> {
    let mut drawn: Vec<DrawnPage> = Vec::new();
    for wanted in wanted {
        match atlas_layer(wanted.id) {
            Some(atlas_layer) => drawn.push(DrawnPage {
                id: wanted.id,
                atlas_layer,
                is_current: wanted.is_current,
            }),
            None => {
                for id in stand_ins(wanted.id, layer.raster.coarsest()) {
                    // What the store has dropped may be of another slide, model or time.
                    let known = layer.pages.page(id).zip(atlas_layer(id));
                    drawn.extend(known.map(|((_, is_current), atlas_layer)| DrawnPage {
                        id,
                        atlas_layer,
                        is_current,
                    }));
                }
            }
        }
    }
    drawn
}

fn stand_ins(id: PageId, coarsest: u8) -> Vec<PageId> {
    let coarser = std::iter::successors(Some(id), |id| Some(id.parent())).skip(1);
    let coarser = coarser.take(usize::from(coarsest.saturating_sub(id.level)));
    let finer = (0..4).filter(|_| id.level > 0).map(|n| PageId {
        level: id.level - 1,
        col: id.col * 2 + n % 2,
        row: id.row * 2 + n / 2,
    });
    coarser.chain(finer).collect()
}

#[cfg(test)]
mod tests {
    use super::super::input::{LayerKey, PageStore};
    use super::super::style::OverlayStyle;
    use super::*;
    use crate::geometry::{ScreenSize, SlidePoint, View};

    const RASTER: Raster = Raster {
        slide_px_per_px: (1.0, 1.0),
        size_px: (2000, 1500),
    };

    /// A store with the pages of some levels but for one of each.
    struct Levels(std::ops::Range<u8>, PageId);

    impl PageStore for Levels {
        fn page(&self, id: PageId) -> Option<(Arc<Page>, bool)> {
            let known = self.0.contains(&id.level) && id != self.1;
            known.then(|| (Arc::new(Page::new(1)), true))
        }
    }

    fn id(level: u8, col: u32, row: u32) -> PageId {
        PageId { level, col, row }
    }

    fn layer(pages: &dyn PageStore) -> OverlayLayer<'_> {
        OverlayLayer {
            key: LayerKey(1),
            raster: RASTER,
            pages,
            is_provisional: false,
        }
    }

    fn view(rotation_rad: f64) -> View {
        View {
            center: SlidePoint::new(512.0, 512.0),
            slide_px_per_screen_px: 1.0,
            rotation_rad,
            mirrored: false,
            pixel_aspect: 1.0,
            size: ScreenSize::new(600.0, 200.0),
        }
    }

    fn wanted(store: &Levels, rotation_rad: f64) -> Vec<PageId> {
        let layers = [layer(store)];
        let input = OverlayInput {
            view: &view(rotation_rad),
            layers: &layers,
            before_layers: &[],
            style: &OverlayStyle::default(),
        };
        let pages = wanted_pages(&layers[0], &input);
        pages.iter().map(|wanted| wanted.id).collect()
    }

    #[test]
    fn a_missing_page_is_asked_of_coarser_levels_only() {
        let store = Levels(0..3, id(0, 2, 1));
        let wanted = wanted(&store, 0.0);
        let level_0: Vec<PageId> = wanted.iter().copied().filter(|id| id.level == 0).collect();
        assert_eq!(level_0.len(), 4 * 2 - 1);
        assert_eq!(wanted[7..], [id(1, 1, 0)]);
    }

    #[test]
    fn a_turned_view_asks_for_no_page_that_it_does_not_touch() {
        let store = Levels(0..1, id(9, 0, 0));
        let wanted = wanted(&store, 0.785);
        assert!(wanted.contains(&id(0, 1, 1)) && wanted.contains(&id(0, 2, 2)));
        assert!(!wanted.contains(&id(0, 1, 3)) && !wanted.contains(&id(0, 3, 0)));
    }

    #[test]
    fn until_a_page_is_copied_others_stand_in_that_the_store_still_has() {
        let store = Levels(0..2, id(9, 0, 0));
        let layer = layer(&store);
        let wanted: Vec<WantedPage> = [id(1, 0, 0), id(1, 1, 0)]
            .map(|id| WantedPage {
                id,
                page: Arc::new(Page::new(1)),
                is_current: true,
            })
            .into();
        let held = [id(1, 0, 0), id(0, 2, 1), id(0, 0, 0), id(2, 0, 0)];
        let mut atlas = |id| held.iter().position(|held| *held == id).map(|n| n as u32);
        let drawn = drawn_pages(&layer, &wanted, &mut atlas);
        let found: Vec<PageId> = drawn.iter().map(|page| page.id).collect();
        assert_eq!(found, [id(1, 0, 0), id(0, 2, 1)]);
    }
}

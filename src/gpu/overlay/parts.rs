//! What an overlay is drawn from: parts of the view as large as a page, and the page at hand for
//! each. Pure but for the look-ups.

use std::sync::Arc;

use crate::geometry::{ScreenPx, SlideRect, View};
use crate::labels::{PAGE_PX, Page, PageId, Raster};

use super::input::{OverlayInput, OverlayLayer};

/// Px around the viewport that are looked up as well: as far as outlines reach.
pub(super) const MARGIN_PX: u32 = 4;

/// A part that is to be drawn.
pub(super) struct WantedPart {
    /// A page of the level that suits the view.
    pub area: PageId,
    /// The finest page at hand that covers it.
    pub source: PageId,
    pub page: Arc<Page>,
    /// Which parts of the page are what is asked for now, a bit each.
    pub current: u64,
}

/// A part that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DrawnPart {
    /// The page whose place it takes.
    pub area: PageId,
    /// The page that is drawn there: the same or a coarser one.
    pub source: PageId,
    pub held: HeldPage,
    /// Which parts of the page are what is asked for now, a bit each.
    pub current: u64,
}

/// A page in the atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldPage {
    pub atlas_layer: u32,
    pub version: u64,
    /// Whether there is something known at each of its px, so that nothing shows through.
    pub is_full: bool,
}

/// The parts of a layer that a view shows, but for those that nothing is known of.
pub(super) fn wanted_parts(layer: &OverlayLayer<'_>, input: &OverlayInput<'_>) -> Vec<WantedPart> {
    let coarsest = layer.raster.coarsest();
    let at_hand = |area: PageId| {
        let mut up = coarser_pages(area, coarsest);
        up.find_map(|source| {
            let (page, current) = layer.pages.page(source)?;
            Some(WantedPart {
                area,
                source,
                page,
                current,
            })
        })
    };
    let areas = pages_in_view(layer, input.view).into_iter();
    areas.filter_map(at_hand).collect()
}

/// The most pages that an overlay of a view may need to be at hand at once.
pub(in crate::gpu) fn pages_seen(overlay: &OverlayInput<'_>, view: &View) -> usize {
    let layers = overlay.layers.iter().chain(overlay.swiped_layers());
    layers.map(|layer| pages_in_view(layer, view).len()).sum()
}

/// The pages that touch the viewport, of the level that suits it, however it is turned.
fn pages_in_view(layer: &OverlayLayer<'_>, view: &View) -> Vec<PageId> {
    // One px more, for rounding.
    let margin = f64::from(MARGIN_PX + 1);
    let viewport: euclid::Box2D<f64, ScreenPx> =
        euclid::Box2D::from_size(view.size).inflate(margin, margin);
    let screen_from_slide = view.screen_from_slide();
    let is_seen = |id: &PageId| {
        let rect = page_rect(&layer.raster, *id);
        screen_from_slide
            .outer_transformed_box(&rect)
            .intersects(&viewport)
    };
    let around = view.slide_from_screen().outer_transformed_box(&viewport);
    let level = layer.raster.level_for(view.slide_px_per_screen_px);
    let touched = layer.raster.pages_in(level, &around).into_iter();
    touched.filter(is_seen).collect()
}

/// The place of a page on the slide; `raster` is level 0.
pub(super) fn page_rect(raster: &Raster, id: PageId) -> SlideRect {
    let px = |index: u32| index * PAGE_PX..(index + 1) * PAGE_PX;
    raster.level(id.level).slide_rect(px(id.col), px(id.row))
}

/// Whether `rects`, which do not overlap, cover all of `rect` that a view shows.
pub(super) fn is_covered(rect: SlideRect, view: &View, rects: &[SlideRect]) -> bool {
    let margin = f64::from(MARGIN_PX + 1) * view.slide_px_per_screen_px;
    let seen = view.bounding_rect().inflate(margin, margin);
    let Some(rect) = rect.intersection(&seen) else {
        return true;
    };
    let parts = rects.iter().filter_map(|other| other.intersection(&rect));
    let area: f64 = parts.map(|part| part.area()).sum();
    area >= rect.area() * (1.0 - 1e-9)
}

/// What a part is drawn from now: its page where that lies in the atlas, until then the nearest
/// coarser one that does, or the next finer ones that do. `held` tells what lies there and marks it
/// as drawn.
pub(super) fn drawn_parts(
    layer: &OverlayLayer<'_>,
    wanted: &WantedPart,
    held: &mut dyn FnMut(PageId) -> Option<HeldPage>,
) -> Vec<DrawnPart> {
    let mut part = |area: PageId, source: PageId, current: u64| {
        Some(DrawnPart {
            area,
            source,
            held: held(source)?,
            current,
        })
    };
    if let Some(own) = part(wanted.area, wanted.source, wanted.current) {
        return vec![own];
    }
    // What the store has dropped may be of another slide, model or time.
    let mut stand_in = |area: PageId, source: PageId| {
        let (_, current) = layer.pages.page(source)?;
        part(area, source, current)
    };
    let mut coarser = coarser_pages(wanted.source, layer.raster.coarsest()).skip(1);
    if let Some(coarser) = coarser.find_map(|source| stand_in(wanted.area, source)) {
        return vec![coarser];
    }
    let finer = finer_pages(wanted.area);
    finer.filter_map(|id| stand_in(id, id)).collect()
}

/// A page and the coarser ones over it.
fn coarser_pages(id: PageId, coarsest: u8) -> impl Iterator<Item = PageId> {
    let parent = move |id: &PageId| (id.level < coarsest).then(|| id.parent());
    std::iter::successors(Some(id), parent)
}

/// The four next finer pages under a page.
fn finer_pages(id: PageId) -> impl Iterator<Item = PageId> {
    (0..4).filter(move |_| id.level > 0).map(move |n| PageId {
        level: id.level - 1,
        col: id.col * 2 + n % 2,
        row: id.row * 2 + n / 2,
    })
}

#[cfg(test)]
mod tests {
    use super::super::input::{LayerKey, PageStore};
    use super::super::style::OverlayStyle;
    use super::*;
    use crate::geometry::{ScreenSize, SlidePoint};

    const RASTER: Raster = Raster {
        slide_px_per_px: (1.0, 1.0),
        size_px: (2000, 1500),
    };

    /// A store with the pages of some levels, but for one.
    struct Levels(std::ops::Range<u8>, PageId);

    impl PageStore for Levels {
        fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
            let known = self.0.contains(&id.level) && id != self.1;
            known.then(|| (Arc::new(Page::new(1)), u64::MAX))
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

    fn wanted(store: &Levels, rotation_rad: f64) -> Vec<(PageId, PageId)> {
        let layers = [layer(store)];
        let input = OverlayInput {
            view: &view(rotation_rad),
            layers: &layers,
            before_layers: &[],
            style: &OverlayStyle::default(),
        };
        let parts = wanted_parts(&layers[0], &input).into_iter();
        parts.map(|part| (part.area, part.source)).collect()
    }

    #[test]
    fn a_missing_page_is_taken_from_the_next_coarser_level() {
        let wanted = wanted(&Levels(0..3, id(0, 2, 1)), 0.0);
        assert_eq!(wanted.len(), 4 * 2);
        for (area, source) in wanted {
            let missing = area == id(0, 2, 1);
            assert_eq!(source, if missing { id(1, 1, 0) } else { area });
        }
    }

    #[test]
    fn a_turned_view_asks_for_no_page_that_it_does_not_touch() {
        let wanted = wanted(&Levels(0..1, id(9, 0, 0)), 0.785);
        let asks = |page: PageId| wanted.contains(&(page, page));
        assert!(asks(id(0, 1, 1)) && asks(id(0, 2, 2)) && asks(id(0, 1, 3)));
        assert!(!asks(id(0, 0, 1)) && !asks(id(0, 3, 2)));
    }

    #[test]
    fn until_a_page_is_copied_others_stand_in_that_the_store_still_has() {
        let store = Levels(0..3, id(9, 0, 0));
        let layer = layer(&store);
        let drawn = |held: &[PageId]| {
            let wanted = WantedPart {
                area: id(1, 1, 0),
                source: id(1, 1, 0),
                page: Arc::new(Page::new(1)),
                current: u64::MAX,
            };
            let page = HeldPage {
                atlas_layer: 0,
                version: 0,
                is_full: true,
            };
            let parts = drawn_parts(&layer, &wanted, &mut |id| {
                held.contains(&id).then_some(page)
            });
            let pair = |part: &DrawnPart| (part.area, part.source);
            parts.iter().map(pair).collect::<Vec<_>>()
        };
        let (own, coarser, finer) = (id(1, 1, 0), id(2, 0, 0), id(0, 2, 1));
        assert_eq!(drawn(&[own, coarser, finer]), [(own, own)]);
        assert_eq!(drawn(&[coarser, finer]), [(own, coarser)]);
        assert_eq!(drawn(&[finer, id(0, 9, 9)]), [(finer, finer)]);
        assert_eq!(drawn(&[id(3, 0, 0)]), [], "the store has it no more");
    }

    #[test]
    fn only_what_is_hidden_to_the_last_px_is_covered() {
        let rect = |x0: f64, x1: f64| SlideRect::new((x0, 400.0).into(), (x1, 600.0).into());
        let halves = [rect(200.0, 500.0), rect(500.0, 900.0)];
        assert!(is_covered(rect(210.0, 890.0), &view(0.0), &halves));
        assert!(!is_covered(rect(210.0, 890.0), &view(0.0), &halves[..1]));
        assert!(
            is_covered(rect(-300.0, 500.0), &view(0.0), &halves),
            "out of view"
        );
    }
}

//! From a view to the tiles it needs. Pure: no slide, cache or clock is touched here.

use crate::geometry::{ScreenSize, ScreenVector, SlidePoint, SlideRect, SlideVector, View};

use super::{SlideId, TileKey, TilePyramid, ViewLevel};

/// A rectangle of tiles of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRange {
    /// Which level.
    pub level: u8,
    /// First column.
    pub col: u32,
    /// First row.
    pub row: u32,
    /// Number of columns.
    pub cols: u32,
    /// Number of rows.
    pub rows: u32,
}

impl TileRange {
    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.cols as usize * self.rows as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a view needs.
#[derive(Debug, Clone, PartialEq)]
pub struct TilePlan {
    /// The level that makes the picture sharp.
    pub target: u8,
    /// Tiles of the target level that the view shows, nearest to its centre first.
    pub sharp: Vec<TileKey>,
    /// Everything worth reading, most urgent first: the coarsest level, a preview two levels
    /// coarser, the sharp tiles, then what the motion and the next zoom step will show.
    pub wanted: Vec<TileKey>,
}

/// How far ahead tiles are fetched along the motion, seconds of travel.
const LOOK_AHEAD_S: f64 = 0.35;

/// How far the look-ahead reaches at most, in viewports: a fast fling must not fetch the slide.
const LOOK_AHEAD_VIEWPORTS: f64 = 0.6;

/// Levels between the sharp tiles and their preview: two levels are a sixteenth of the tiles.
const PREVIEW_STEP: u8 = 2;

/// Most tiles that a plan asks for beyond the sharp ones.
const PREFETCH_TILES: usize = 48;

/// The coarsest level is kept whole while it has at most this many tiles: it is what shows where
/// nothing finer has been read.
const BASE_TILES: usize = 16;

/// Plans the tiles of `slide` for `view`, which moves by `velocity` screen px per second.
pub fn plan(
    slide: SlideId,
    pyramid: &TilePyramid,
    view: &View,
    velocity: ScreenVector,
) -> TilePlan {
    let target = pyramid.level_for(view.slide_px_per_screen_px);
    let sharp = visible_keys(slide, pyramid, target, view);
    let mut wanted = base_keys(slide, pyramid, view);
    let preview = target.saturating_add(PREVIEW_STEP).min(pyramid.coarsest());
    push_new(
        &mut wanted,
        visible_keys(slide, pyramid, preview, view),
        usize::MAX,
    );
    push_new(&mut wanted, sharp.iter().copied(), usize::MAX);
    let mut room = PREFETCH_TILES;
    if let Some(ahead) = ahead_of(view, velocity) {
        room -= push_new(
            &mut wanted,
            visible_keys(slide, pyramid, target, &ahead),
            room,
        );
    }
    let coarser = target.saturating_add(1).min(pyramid.coarsest());
    push_new(
        &mut wanted,
        visible_keys(slide, pyramid, coarser, view),
        room,
    );
    TilePlan {
        target,
        sharp,
        wanted,
    }
}

/// Tiles of the coarsest level: all where they are few, else those in view.
fn base_keys(slide: SlideId, pyramid: &TilePyramid, view: &View) -> Vec<TileKey> {
    let level = pyramid.coarsest();
    let (cols, rows) = pyramid.level(level).map_or((0, 0), ViewLevel::grid);
    let all = TileRange {
        level,
        col: 0,
        row: 0,
        cols,
        rows,
    };
    if all.len() <= BASE_TILES {
        keys(slide, all).collect()
    } else {
        visible_keys(slide, pyramid, level, view)
    }
}

/// Appends keys that are not there yet, at most `room` of them; tells how many.
fn push_new(
    wanted: &mut Vec<TileKey>,
    more: impl IntoIterator<Item = TileKey>,
    room: usize,
) -> usize {
    let before = wanted.len();
    for key in more {
        if wanted.len() - before >= room {
            break;
        }
        if !wanted.contains(&key) {
            wanted.push(key);
        }
    }
    wanted.len() - before
}

/// The view where the motion will have brought it; `None` at rest.
fn ahead_of(view: &View, velocity: ScreenVector) -> Option<View> {
    let travel = velocity * LOOK_AHEAD_S;
    let moves = travel.length() >= 1.0; // not so for NaN
    if !moves {
        return None;
    }
    let longest = view.size.width.max(view.size.height) * LOOK_AHEAD_VIEWPORTS;
    let mut ahead = *view;
    ahead.pan(travel.with_max_length(longest));
    Some(ahead)
}

/// Tiles of `level` that the view shows, nearest to its centre first.
pub fn visible_keys(slide: SlideId, pyramid: &TilePyramid, level: u8, view: &View) -> Vec<TileKey> {
    let Some(info) = pyramid.level(level) else {
        return Vec::new();
    };
    let Some(range) = range_in_view(info, level, view) else {
        return Vec::new();
    };
    let corners = with_rim(info, view).corners();
    let mut found: Vec<(f64, TileKey)> = keys(slide, range)
        .map(|key| (info.slide_rect(key.col, key.row), key))
        .filter(|(rect, _)| overlaps(rect, &corners))
        .map(|(rect, key)| ((rect.center() - view.center).square_length(), key))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().map(|(_, key)| key).collect()
}

/// All keys of a range, row by row.
pub fn keys(slide: SlideId, range: TileRange) -> impl Iterator<Item = TileKey> {
    let TileRange {
        level,
        col,
        row,
        cols,
        rows,
    } = range;
    (row..row + rows).flat_map(move |row| {
        (col..col + cols).map(move |col| TileKey {
            slide,
            level,
            col,
            row,
        })
    })
}

/// The view and as much around it as interpolation at its rim reaches: half a level px along both
/// axes of the slide. Without it a tile border just outside the view would show inside of it.
fn with_rim(info: &ViewLevel, view: &View) -> View {
    let level_px = info.scale.0.max(info.scale.1 * view.pixel_aspect);
    // Half the diagonal of a level px, for a view at any angle.
    let rim = level_px / view.slide_px_per_screen_px * std::f64::consts::FRAC_1_SQRT_2;
    View {
        size: view.size + ScreenSize::splat(2.0 * rim),
        ..*view
    }
}

/// The upright range of tiles around the view; `None` where the view does not touch the level.
pub fn range_in_view(info: &ViewLevel, level: u8, view: &View) -> Option<TileRange> {
    let area = with_rim(info, view)
        .bounding_rect()
        .intersection(&info.slide_extent())?;
    let (grid_cols, grid_rows) = info.grid();
    let span = |from: f64, to: f64, scale: f64, tile: u32, count: u32| {
        let side = scale * f64::from(tile);
        let first = (from / side).floor().max(0.0) as u32;
        let last = (to / side).ceil().max(0.0) as u32;
        // The slide may end a little beyond the level's last px.
        let first = first.min(count.saturating_sub(1));
        (first, last.min(count).saturating_sub(first))
    };
    let (col, cols) = span(
        area.min.x,
        area.max.x,
        info.scale.0,
        info.tile_px.0,
        grid_cols,
    );
    let (row, rows) = span(
        area.min.y,
        area.max.y,
        info.scale.1,
        info.tile_px.1,
        grid_rows,
    );
    (cols > 0 && rows > 0).then_some(TileRange {
        level,
        col,
        row,
        cols,
        rows,
    })
}

/// Whether an upright rectangle meets a parallelogram (separating axes; the rectangle's own axes
/// are already settled by [`range_in_view`]).
fn overlaps(rect: &SlideRect, corners: &[SlidePoint; 4]) -> bool {
    let [a, b, c, d] = *corners;
    let rect_corners = [
        rect.min,
        SlidePoint::new(rect.max.x, rect.min.y),
        rect.max,
        SlidePoint::new(rect.min.x, rect.max.y),
    ];
    [b - a, d - a].iter().all(|edge| {
        let normal = SlideVector::new(-edge.y, edge.x);
        let reach = |points: &[SlidePoint; 4]| {
            let along = points.map(|p| p.to_vector().dot(normal));
            along.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| {
                (low.min(v), high.max(v))
            })
        };
        let (rect_low, rect_high) = reach(&rect_corners);
        let (view_low, view_high) = reach(&[a, b, c, d]);
        rect_low <= view_high && view_low <= rect_high
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::ScreenPoint;
    use crate::tiles::test_slide::info_with_levels;
    use proptest::prelude::*;

    const SLIDE: SlideId = SlideId(1);

    fn pyramid() -> TilePyramid {
        TilePyramid::new(&info_with_levels(&[(100_001, 80_003), (25_000, 20_000)]))
    }

    fn any_view() -> impl Strategy<Value = View> {
        (
            (-2e4..1.2e5, -2e4..1e5),
            -3.0..9.0,
            -3.2..3.2,
            any::<bool>(),
            (50.0..2500.0, 50.0..1500.0),
        )
            .prop_map(
                |(center, log_scale, rotation_rad, mirrored, size): (
                    (f64, f64),
                    f64,
                    f64,
                    bool,
                    (f64, f64),
                )| View {
                    center: center.into(),
                    slide_px_per_screen_px: log_scale.exp2(),
                    rotation_rad,
                    mirrored,
                    pixel_aspect: 1.0,
                    size: ScreenSize::from(size),
                },
            )
    }

    proptest! {
        #[test]
        fn every_visible_point_has_a_sharp_tile(view in any_view(), u in 0.0..1.0, v in 0.0..1.0) {
            let pyramid = pyramid();
            let plan = plan(SLIDE, &pyramid, &view, ScreenVector::zero());
            let level = pyramid.level(plan.target).unwrap();
            let point = view.slide_at(ScreenPoint::new(u * view.size.width, v * view.size.height));
            prop_assume!(level.slide_extent().contains(point));
            let holds = |key: &TileKey| level.slide_rect(key.col, key.row).inflate(1e-6, 1e-6).contains(point);
            prop_assert!(plan.sharp.iter().any(holds), "{point:?} is in no tile of level {}", plan.target);
        }

        #[test]
        fn a_plan_is_bounded_free_of_repeats_and_within_the_grid(
            view in any_view(), vx in -9e3..9e3, vy in -9e3..9e3,
        ) {
            let pyramid = pyramid();
            let plan = plan(SLIDE, &pyramid, &view, ScreenVector::new(vx, vy));
            let unique: std::collections::HashSet<_> = plan.wanted.iter().collect();
            prop_assert_eq!(unique.len(), plan.wanted.len());
            // Two level px a screen px at most, so 2x2 the screen's tiles and a border of one.
            let bound = (view.size.width + view.size.height) / 512.0 * 3.0 + 4.0;
            prop_assert!((plan.sharp.len() as f64) < bound * bound, "{} tiles", plan.sharp.len());
            for key in &plan.wanted {
                let (cols, rows) = pyramid.level(key.level).unwrap().grid();
                prop_assert!(key.col < cols && key.row < rows);
            }
        }

        #[test]
        fn coarse_comes_before_sharp_and_the_centre_before_the_rim(view in any_view()) {
            let pyramid = pyramid();
            let plan = plan(SLIDE, &pyramid, &view, ScreenVector::zero());
            prop_assert_eq!(plan.wanted[0].level, pyramid.coarsest());
            let level = pyramid.level(plan.target).unwrap();
            let distance = |key: &TileKey| (level.slide_rect(key.col, key.row).center() - view.center).length();
            prop_assert!(plan.sharp.windows(2).all(|pair| distance(&pair[0]) <= distance(&pair[1])));
        }
    }

    #[test]
    fn motion_fetches_tiles_ahead() {
        let pyramid = pyramid();
        let view = View::fit(
            SlideRect::new((40_000.0, 40_000.0).into(), (41_000.0, 41_000.0).into()),
            1.0,
            ScreenSize::new(1000.0, 1000.0),
        );
        let rest = plan(SLIDE, &pyramid, &view, ScreenVector::zero());
        // The picture moves left, so the right-hand neighbours are next.
        let moving = plan(SLIDE, &pyramid, &view, ScreenVector::new(-3000.0, 0.0));
        let rightmost =
            |keys: &[TileKey]| keys.iter().filter(|k| k.level == 0).map(|k| k.col).max();
        assert!(rightmost(&moving.wanted) > rightmost(&rest.wanted));
    }
}

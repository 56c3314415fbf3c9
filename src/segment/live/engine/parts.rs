//! Fields in parts: of a large one, scores are not kept of all tiles at once.

use std::collections::{BTreeMap, HashSet};

use super::Engine;
use crate::labels::NO_STAMP;
use crate::segment::grid::TileId;
use crate::segment::live::canvas::CellPainter;
use crate::segment::live::cell::asked;
use crate::segment::live::field::{Sheet, px_of};
use crate::segment::live::layer::{Analysis, LayerKey};
use crate::segment::live::model::LiveModel;
use crate::segment::live::said::TileKey;
use crate::segment::live::wish::FieldWish;

/// A cell of a map, by its column and row.
pub(super) type MapCell = (Analysis, (u32, u32));

/// Cells along the side of a part, where as many tiles have room.
const MOST_CELLS: u32 = 16;

impl<M: LiveModel, P: CellPainter<Scores = M::Scores>> Engine<M, P> {
    /// The seen cells of all maps of a field that are not what is asked for.
    pub(super) fn stale_cells(&self, field: &FieldWish) -> Vec<MapCell> {
        let maps = field.analysis.maps().into_iter();
        maps.flat_map(|map| self.stale_in(field, map)).collect()
    }

    /// The tiles with a say on stale cells of a field, in parts of which each can be finished by
    /// itself with the scores of at most `most` tiles: one, where that is enough. The coarser map
    /// first: it is few tiles and gives the first picture.
    pub(super) fn parts(
        &self,
        field: &FieldWish,
        stale: Vec<MapCell>,
        most: usize,
    ) -> Vec<Vec<TileKey>> {
        let whole = self.tiles_under(field, &stale);
        if whole.len() <= most {
            return vec![whole];
        }
        let scale = field.analysis.scale();
        let (fine, coarse): (Vec<_>, Vec<_>) =
            stale.into_iter().partition(|(map, _)| map.scale() == scale);
        let of_scales = [(field.analysis.context(), coarse), (Some(scale), fine)];
        let blocks = of_scales.into_iter().filter_map(|(scale, cells)| {
            let sheet = self.sheets.get(&(field.slide_id, scale?))?;
            Some(blocks(field, sheet, cells, block_cells(most)))
        });
        let tiles = |cells: Vec<MapCell>| self.tiles_under(field, &cells);
        blocks.flatten().map(tiles).collect()
    }

    fn stale_in(&self, field: &FieldWish, map: Analysis) -> Vec<MapCell> {
        let key = LayerKey {
            slide: field.slide_id,
            analysis: map,
        };
        let Some(sheet) = self.sheets.get(&(field.slide_id, map.scale())) else {
            return Vec::new();
        };
        let shared = self.shared.lock();
        let wanted = sheet.wanted_px(&field.seen, field.center);
        let (Some((x, y)), Some(layer)) = (wanted, shared.get(&key)) else {
            return Vec::new();
        };
        let is_stale = |cell: &(u32, u32)| {
            let place = sheet.place(*cell);
            let page = layer.pyramid.peek(place.page);
            let stamp = page.map_or(NO_STAMP, |page| page.stamp(place.block));
            stamp == NO_STAMP || stamp < self.stamp
        };
        let cells = sheet.cells(&x, &y).into_iter();
        cells.filter(is_stale).map(|cell| (map, cell)).collect()
    }

    /// The tiles with a say on cells: those of the coarser scale first, and of a scale those nearest
    /// to the middle of the field.
    fn tiles_under(&self, field: &FieldWish, cells: &[MapCell]) -> Vec<TileKey> {
        let slide = field.slide_id;
        let of = |scale: u8| self.sheets.get(&(slide, scale));
        let mut keys = Vec::new();
        for scale in field.analysis.tile_scales() {
            let Some(sheet) = of(scale) else {
                continue;
            };
            let mut tiles = HashSet::new();
            for (map, cell) in cells {
                let Some(own) = of(map.scale()) else {
                    continue;
                };
                if map.tile_scales().any(|asked| asked == scale) {
                    let (x, y) = px_of(sheet, own, own.cell(*cell));
                    let columns = asked(&sheet.grid, &x, sheet.grid.columns());
                    let rows = asked(&sheet.grid, &y, sheet.grid.rows());
                    tiles.extend(rows.flat_map(|row| {
                        let tile = move |column| TileId { column, row };
                        columns.clone().map(tile)
                    }));
                }
            }
            let tiles = sheet.nearest_first(tiles, field.center).into_iter();
            keys.extend(tiles.map(|tile| TileKey { slide, scale, tile }));
        }
        keys
    }
}

/// Cells of one scale in square blocks, the block nearest to the middle of the field first.
fn blocks(
    field: &FieldWish,
    sheet: &Sheet,
    cells: Vec<MapCell>,
    side: u32,
) -> impl Iterator<Item = Vec<MapCell>> {
    let mut blocks: BTreeMap<(u32, u32), Vec<MapCell>> = BTreeMap::new();
    for (map, cell) in cells {
        let block = (cell.1 / side, cell.0 / side);
        blocks.entry(block).or_default().push((map, cell));
    }
    let (px, block_px) = (
        sheet.raster.slide_px_per_px,
        f64::from(side * sheet.cell_px()),
    );
    let away = |(row, column): &(u32, u32)| {
        let from = |index: u32, center: f64| (f64::from(index) + 0.5) * block_px - center;
        from(*column, field.center.x / px.0).hypot(from(*row, field.center.y / px.1)) as u64
    };
    let mut sorted: Vec<_> = blocks.into_iter().collect();
    sorted.sort_by_cached_key(|(block, _)| away(block));
    sorted.into_iter().map(|(_, cells)| cells)
}

/// Cells along the side of a block whose tiles, with those of the coarser map around them, are at
/// most `most`; 1 where there is no room for as many.
fn block_cells(most: usize) -> u32 {
    // A cell is half a tile's step. On every side half a tile more has a say, and of the tiles four
    // times as wide one more.
    let tiles = |cells: u32| (cells / 2 + 2).pow(2) + (cells / 8 + 3).pow(2);
    let sizes = (0..)
        .map(|n| MOST_CELLS >> n)
        .take_while(|cells| *cells > 1);
    sizes
        .into_iter()
        .find(|cells| tiles(*cells) as usize <= most)
        .unwrap_or(1)
}

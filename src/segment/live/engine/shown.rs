//! What tiles have a say on, painted and published cell by cell.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;

use super::Engine;
use crate::labels::NO_STAMP;
use crate::segment::grid::TileId;
use crate::segment::live::canvas::{CellPainter, CellWork, PaintOrder};
use crate::segment::live::cell::asked;
use crate::segment::live::field::{Sheet, around, px_of, seen_cells};
use crate::segment::live::layer::{LayerKey, MAGNIFICATIONS};
use crate::segment::live::model::LiveModel;
use crate::segment::live::said::{CellPx, NearPx, Said, TileKey};
use crate::segment::live::wish::FieldWish;
use crate::slide::SlideError;

impl<M: LiveModel, P: CellPainter<Scores = M::Scores>> Engine<M, P> {
    /// Publishes the cells on which these tiles have a say.
    pub(super) fn show(&mut self, keys: &[TileKey]) {
        let mut cells: HashMap<LayerKey, HashSet<(u32, u32)>> = HashMap::new();
        for key in keys {
            for (layer, touched) in self.touched(key) {
                cells.entry(layer).or_default().extend(touched);
            }
        }
        let queued: HashSet<TileKey> = self.queue.iter().copied().collect();
        for (layer, mut cells) in cells {
            cells.retain(|cell| self.is_due(layer, *cell, &queued));
            self.show_cells(layer, cells.into_iter().collect());
        }
    }

    /// Whether a cell is to be painted now: not where it is what is asked for, nor where something is
    /// shown of it and tiles with a say on it are on their way. It would be made anew for each of
    /// them.
    fn is_due(&self, layer: LayerKey, cell: (u32, u32), queued: &HashSet<TileKey>) -> bool {
        let (slide, fine) = (layer.slide, layer.analysis.scale());
        let Some(sheet) = self.sheets.get(&(slide, fine)) else {
            return false;
        };
        let place = sheet.place(cell);
        let shared = self.shared.lock();
        let published = shared.get(&layer);
        let page = published.and_then(|published| published.pyramid.peek(place.page));
        let stamp = page.map_or(NO_STAMP, |page| page.stamp(place.block));
        drop(shared);
        match stamp {
            NO_STAMP => true,
            stamp if stamp >= self.stamp => false,
            _ => !self.awaits(layer, cell, sheet, queued),
        }
    }

    /// Whether tiles with a say on a cell are on their way.
    fn awaits(
        &self,
        layer: LayerKey,
        cell: (u32, u32),
        sheet: &Sheet,
        queued: &HashSet<TileKey>,
    ) -> bool {
        let slide = layer.slide;
        layer.analysis.tile_scales().any(|scale| {
            let Some(of_scale) = self.sheets.get(&(slide, scale)) else {
                return false;
            };
            let (x, y) = px_of(of_scale, sheet, sheet.cell(cell));
            let columns = asked(&of_scale.grid, &x, of_scale.grid.columns());
            let rows = asked(&of_scale.grid, &y, of_scale.grid.rows());
            let mut tiles =
                rows.flat_map(|row| columns.clone().map(move |column| TileId { column, row }));
            tiles.any(|tile| queued.contains(&TileKey { slide, scale, tile }))
        })
    }

    /// The cells that a tile touches, of all layers that are wanted of its slide.
    pub(super) fn touched(&self, key: &TileKey) -> Vec<(LayerKey, Vec<(u32, u32)>)> {
        let Some(sheet) = self.sheets.get(&(key.slide, key.scale)) else {
            return Vec::new();
        };
        let kept = sheet.grid.kept(key.tile);
        let of = |analysis| LayerKey {
            slide: key.slide,
            analysis,
        };
        let own = || sheet.cells(&kept.0, &kept.1);
        let mut all = Vec::new();
        let of_slide = |field: &&FieldWish| field.slide_id == key.slide;
        for field in self.wish.fields.iter().filter(of_slide) {
            for map in field.analysis.maps() {
                let finer = self.sheets.get(&(key.slide, map.scale()));
                match finer {
                    _ if map.scale() == key.scale => {
                        all.extend(map.has_own_tiles().then(|| (of(map), own())));
                    }
                    Some(finer) if map.context() == Some(key.scale) => {
                        all.push((of(map), seen_cells(field, finer, sheet, &kept)));
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// Paints cells of a map.
    pub(super) fn show_cells(&mut self, layer: LayerKey, mut cells: Vec<(u32, u32)>) {
        // By rows, for an order that is the same in every run.
        cells.sort_unstable_by_key(|(column, row)| (*row, *column));
        let px = cells
            .into_iter()
            .filter_map(|cell| self.cell_px(layer, cell));
        let px: Vec<CellPx> = px.collect();
        let said = Said {
            sheets: &self.sheets,
            scores: &self.scores,
            stamp: self.stamp,
        };
        let work = px.into_iter().filter_map(|px| said.work(layer, px));
        let work: Vec<CellWork<'_, M::Scores>> = work.collect();
        let order = PaintOrder {
            fusion: &self.fusion,
            classes: self.model.classes().len(),
            shown_class: self.wish.shown_class,
            now: self.stamp,
        };
        let painted = self.painter.paint(work, order, &self.shared);
        self.note(painted);
    }

    /// The px of a cell and of what it is fused or compared with; none where there are none or it
    /// can't be told which of them lie near tissue.
    pub(super) fn cell_px(&mut self, layer: LayerKey, cell: (u32, u32)) -> Option<CellPx> {
        let (slide, scale) = (layer.slide, layer.analysis.scale());
        let sheet = self.sheets.get(&(slide, scale))?;
        let (x, y) = sheet.cell(cell);
        if x.is_empty() || y.is_empty() {
            return None;
        }
        let context = layer.analysis.context().and_then(|scale| {
            let coarse = self.sheets.get(&(slide, scale))?;
            Some((scale, around(coarse, sheet, (&x, &y))))
        });
        let fine = self.near_px(slide, scale, (x, y));
        let context = context.map(|(scale, px)| self.near_px(slide, scale, px));
        match (fine, context.transpose()) {
            (Ok(fine), Ok(context)) => Some(CellPx {
                cell,
                fine,
                context,
            }),
            (Err(error), _) | (_, Err(error)) => {
                self.failure = Some(error.to_string());
                None
            }
        }
    }

    fn near_px(
        &mut self,
        slide: u64,
        scale: u8,
        (x, y): (Range<u32>, Range<u32>),
    ) -> Result<NearPx, SlideError> {
        let mpp = MAGNIFICATIONS[usize::from(scale)].mpp();
        let near = match self.tissue.get_mut(&slide) {
            Some(tissue) => tissue.near_px(mpp, &x, &y)?,
            None => Vec::new(),
        };
        Ok(NearPx { scale, x, y, near })
    }
}

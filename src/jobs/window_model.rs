//! A network on the window's own graphics card, whose scores never leave it on their way to the
//! picture.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use crate::gpu::device::WindowDevice;
use crate::gpu::paint_tiles::{
    CellPaint, KeptScores, MapKind, PagePaint, PageTexture, PaintError, PaintRules, PlacedTile,
    Reduction, ScoreStore, ScoredPart, TilePainter,
};
use crate::gpu::tensor_buffer::TensorBuffer;
use crate::labels::{FAILED, LabelClass, NOT_ANALYSED, PageId, UNKNOWN};
use crate::model::dfa::Features;
use crate::model::{Predictor, ReadyModel};
use crate::segment::live::{
    Analysis, CellPainter, CellWork, LayerKey, LiveModel, PaintOrder, Part, Published,
    SharedLayers, TileSays, TileScores,
};
use crate::segment::{ModelError, Network, RgbTile};

/// Where the model puts scores and the painter finds them; both are on one thread.
pub(super) type SharedScores = Rc<RefCell<ScoreStore>>;

/// Scores of a tile on the graphics card.
pub struct WindowScores {
    kept: KeptScores,
    bytes: u64,
}

impl TileScores for WindowScores {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn are_finite(&self) -> bool {
        // Told px by px when they are painted.
        true
    }
}

/// A network that leaves its scores on the graphics card.
pub struct WindowNetwork {
    network: Network,
    predictor: Predictor,
    scores: SharedScores,
}

impl WindowNetwork {
    /// A model that was opened on the device of `scores`.
    pub(super) fn new(model: &ReadyModel, scores: SharedScores) -> Self {
        Self {
            network: Network::new(model),
            predictor: model.predictor.clone(),
            scores,
        }
    }
}

impl LiveModel for WindowNetwork {
    type Features = Features;
    type Scores = WindowScores;

    fn tile_px(&self) -> u32 {
        LiveModel::tile_px(&self.network)
    }

    fn classes(&self) -> &[LabelClass] {
        LiveModel::classes(&self.network)
    }

    fn encode(&mut self, tiles: &[RgbTile]) -> Result<Vec<Features>, ModelError> {
        self.network.encode(tiles)
    }

    fn decode(
        &mut self,
        kept: &[&Features],
        bias: &[f32],
        offsets: &[f32],
    ) -> Result<Vec<WindowScores>, ModelError> {
        let side = LiveModel::tile_px(self) as usize;
        let logits = self.predictor.decode_together(kept, bias, offsets, side);
        let logits = logits.map_err(|error| ModelError {
            reason: error.to_string(),
        })?;
        let Some(logits) = logits else {
            return Ok(Vec::new());
        };
        keep(&self.scores, logits, kept.len())
    }

    fn bytes(kept: &Features) -> u64 {
        kept.bytes() as u64
    }
}

/// Keeps the scores of tiles that lie one after the other in a tensor: they stay on the card.
pub(super) fn keep(
    scores: &SharedScores,
    logits: Tensor<4>,
    tiles: usize,
) -> Result<Vec<WindowScores>, ModelError> {
    let buffer = TensorBuffer::of(logits).map_err(|error| in_words(&error.into()))?;
    let mut scores = scores.borrow_mut();
    let bytes = scores.tile_bytes();
    let kept = scores.keep(&buffer, tiles);
    let kept = kept.map_err(|error| in_words(&error))?.into_iter();
    Ok(kept.map(|kept| WindowScores { kept, bytes }).collect())
}

pub(super) fn in_words(error: &PaintError) -> ModelError {
    ModelError {
        reason: error.to_string(),
    }
}

impl WindowScores {
    #[cfg(test)]
    pub(super) fn of(values: &[f32], scores: &SharedScores) -> Option<Self> {
        let mut scores = scores.borrow_mut();
        let bytes = scores.tile_bytes();
        let kept = scores.keep_values(values).ok()?;
        Some(Self { kept, bytes })
    }
}

/// Paints on the graphics card.
pub struct WindowPainter {
    painter: TilePainter<(LayerKey, PageId)>,
    scores: SharedScores,
}

/// The pages of a map that are painted and those over them, level by level.
type Textures = BTreeMap<(u8, u32, u32), Arc<PageTexture>>;

impl WindowPainter {
    /// For a model of `classes` classes; see [`TilePainter::new`].
    ///
    /// # Errors
    /// When the device refuses.
    pub(super) fn new(
        window: &WindowDevice,
        classes: usize,
        scores: SharedScores,
    ) -> Result<Self, PaintError> {
        let painter = TilePainter::new(window, classes)?;
        Ok(Self { painter, scores })
    }

    /// Cells of one map.
    fn paint_layer(
        &mut self,
        cells: &[&CellWork<'_, WindowScores>],
        order: PaintOrder<'_>,
        layers: &SharedLayers,
    ) -> Result<(), PaintError> {
        let Some(first) = cells.first() else {
            return Ok(());
        };
        let (textures, ranks) = match layers.lock().get_mut(&first.layer) {
            Some(published) => {
                // Maps of classes have ranks.
                let Some(ranks) = published.pyramid.ranks().cloned() else {
                    return Ok(());
                };
                (self.textures(cells, published)?, ranks)
            }
            None => return Ok(()),
        };
        let texture = |id: PageId| textures.get(&place(id)).map(Arc::clone);
        let mut pages: BTreeMap<(u8, u32, u32), PagePaint> = BTreeMap::new();
        for cell in cells {
            let Some(page) = texture(cell.place.page) else {
                continue;
            };
            let cells = Vec::new();
            let of_page = pages.entry(place(cell.place.page));
            let of_page = of_page.or_insert(PagePaint { page, cells });
            of_page.cells.push(cell_paint(cell));
        }
        let pages: Vec<PagePaint> = pages.into_values().collect();
        let ids = textures.keys().map(|(level, col, row)| PageId {
            level: *level,
            col: *col,
            row: *row,
        });
        let reductions: Vec<Reduction> = ids
            .clone()
            .filter_map(|id| {
                let (child, parent) = (texture(id)?, texture(id.parent())?);
                Some(Reduction { id, child, parent })
            })
            .collect();
        let wanted = ids.filter_map(|id| Some(((first.layer, id), texture(id)?)));
        let rules = rules(first, order);
        let scores = self.scores.borrow();
        let work = (&rules, pages.as_slice());
        let reductions = (reductions.as_slice(), &ranks);
        self.painter
            .paint(work, reductions, wanted.collect(), &scores)
    }

    /// Where the pages of some cells are drawn from, and all those over them.
    fn textures(
        &self,
        cells: &[&CellWork<'_, WindowScores>],
        published: &mut Published,
    ) -> Result<Textures, PaintError> {
        let coarsest = published.pyramid.raster().coarsest();
        let per_side = cells.first().map_or(1, |cell| cell.place.per_side);
        let painted: BTreeSet<(u8, u32, u32)> =
            cells.iter().map(|cell| place(cell.place.page)).collect();
        let mut textures = Textures::new();
        for (level, col, row) in painted {
            let mut id = PageId { level, col, row };
            loop {
                if let std::collections::btree_map::Entry::Vacant(free) = textures.entry(place(id))
                {
                    let blocks = if id.level == 0 {
                        per_side
                    } else {
                        per_side.max(2)
                    };
                    let page = published.pyramid.page_mut(id, blocks);
                    free.insert(self.painter.texture_of(page)?);
                }
                if id.level >= coarsest {
                    break;
                }
                id = id.parent();
            }
        }
        Ok(textures)
    }
}

impl CellPainter for WindowPainter {
    type Scores = WindowScores;

    fn paint(
        &mut self,
        cells: Vec<CellWork<'_, WindowScores>>,
        order: PaintOrder<'_>,
        layers: &SharedLayers,
    ) -> Result<(), ModelError> {
        let mut by_layer: Vec<(LayerKey, Vec<&CellWork<'_, WindowScores>>)> = Vec::new();
        for cell in &cells {
            let is_newer = |published: &Published| cell.is_newer(published, order.now);
            if !layers.lock().get(&cell.layer).is_some_and(is_newer) {
                continue;
            }
            match by_layer.iter_mut().find(|(layer, _)| *layer == cell.layer) {
                Some((_, of_layer)) => of_layer.push(cell),
                None => by_layer.push((cell.layer, vec![cell])),
            }
        }
        for (layer, cells) in by_layer {
            let painted = self.paint_layer(&cells, order, layers);
            painted.map_err(|error| in_words(&error))?;
            // Only now, so that nobody takes the old px for the new ones.
            if let Some(published) = layers.lock().get_mut(&layer) {
                for cell in cells {
                    let (at, stamp) = (&cell.place, cell.stamp().min(order.now));
                    let px = (at.x.clone(), at.y.clone());
                    let pyramid = &mut published.pyramid;
                    pyramid.restamp(at.page, px, at.per_side, at.block, stamp);
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, layers: &SharedLayers, under_way: usize) -> Result<(), ModelError> {
        let arrived = self.painter.take(under_way);
        for arrived in arrived.map_err(|error| in_words(&error))? {
            let (layer, id) = arrived.page;
            if let Some(published) = layers.lock().get_mut(&layer) {
                published.fill(id, arrived.texels);
            }
        }
        Ok(())
    }
}

/// Pages in the order in which coarser ones are made: the finest first.
fn place(id: PageId) -> (u8, u32, u32) {
    (id.level, id.col, id.row)
}

fn rules(cell: &CellWork<'_, WindowScores>, order: PaintOrder<'_>) -> PaintRules {
    let analysis = cell.layer.analysis;
    let scale = analysis.scale();
    let sheet = cell.fine.sheet;
    let ratio = cell.context.as_ref().map_or(1.0, |context| {
        context.sheet.grid.spec.mpp / sheet.grid.spec.mpp
    });
    PaintRules {
        window: sheet.window.clone(),
        kind: match analysis {
            Analysis::Plain(_) => MapKind::Plain,
            Analysis::Fused(_) | Analysis::Alone(_) => MapKind::Fused,
            Analysis::InPlace(_) => MapKind::InPlace,
            Analysis::Agreement(_) => MapKind::Agreement,
        },
        context_ratio: ratio.round() as u32,
        weight: order.fusion.weight(scale),
        temperatures: [
            order.fusion.temperature(scale),
            analysis
                .context()
                .map_or(1.0, |scale| order.fusion.temperature(scale)),
        ],
        shown_class: order.shown_class.map(|class| class as u32),
    }
}

fn cell_paint(cell: &CellWork<'_, WindowScores>) -> CellPaint {
    CellPaint {
        fine: scored(&cell.fine),
        context: cell.context.as_ref().map(scored),
        page_px: (cell.place.x.start, cell.place.y.start),
    }
}

fn scored(part: &Part<'_, WindowScores>) -> ScoredPart {
    let (grid, known) = (&part.sheet.grid, part.known());
    let halo = i64::from(grid.spec.halo_px);
    let first = |index: u32| (grid.core_start(index) - halo) as i32;
    let tiles = part.tiles.iter().filter_map(|(tile, says)| match says {
        TileSays::Scores(scores, _) => Some(PlacedTile {
            place: scores.kept.place(),
            first_px: (first(tile.column), first(tile.row)),
        }),
        _ => None,
    });
    ScoredPart {
        x: part.x.clone(),
        y: part.y.clone(),
        near: match part.near.is_empty() {
            true => vec![true; part.x.len() * part.y.len()],
            false => part.near.clone(),
        },
        tiles: tiles.collect(),
        unasked: match (known.has_failed, known.is_partial) {
            (true, _) => FAILED,
            (false, true) => UNKNOWN,
            (false, false) => NOT_ANALYSED,
        },
    }
}

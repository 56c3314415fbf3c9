//! What the painter is asked for, and the same as the shaders read it.
//!
//! Structures here mirror `shaders/paint_tiles.wgsl` and `shaders/reduce_page.wgsl`: keep them in
//! sync.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::page_texture::PageTexture;
use crate::labels::{PAGE_PX, PageId, Ranks, UNKNOWN};

/// A tile's scores and where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedTile {
    /// [`super::KeptScores::place`].
    pub place: u32,
    /// Column and row of the tile's first px in its grid's picture; may be negative.
    pub first_px: (i32, i32),
}

/// A rectangle of a grid's picture and the tiles with a say on it, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredPart {
    /// Columns of px.
    pub x: Range<u32>,
    /// Rows of px.
    pub y: Range<u32>,
    /// Which px lie near tissue, rows from the top; the others are not analysed.
    pub near: Vec<bool>,
    /// The tiles whose scores are known.
    pub tiles: Vec<PlacedTile>,
    /// Code of px on which no tile has a say.
    pub unasked: u8,
}

/// A rectangle of a page that is to be painted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellPaint {
    /// The px, and what tiles say of them.
    pub fine: ScoredPart,
    /// What the coarser grid's tiles say around them, for a map that is fused or compared.
    pub context: Option<ScoredPart>,
    /// Column and row of the first px in its page.
    pub page_px: (u32, u32),
}

/// What a map says. Numbers are the shader's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// Classes as tiles of one scale have them.
    Plain = 0,
    /// The same, brought to their temperature and, where there is one, mixed with the context.
    Fused = 1,
    /// Whether it and its context name the same class.
    Agreement = 2,
    /// The context alone, at its temperature.
    InPlace = 3,
}

/// How px follow from scores.
#[derive(Debug, Clone, PartialEq)]
pub struct PaintRules {
    /// The tiles' say along one axis, S of 0–1.
    pub window: Vec<f32>,
    /// What the map says.
    pub kind: MapKind,
    /// Px of the map along one px of its context.
    pub context_ratio: u32,
    /// Share of the map beside its context, 0–1.
    pub weight: f32,
    /// Temperatures of the map and of its context, > 0.
    pub temperatures: [f32; 2],
    /// The class whose probability is kept; none: that of the px's own class.
    pub shown_class: Option<u32>,
}

/// A page and the cells of it that are to be painted.
pub struct PagePaint {
    /// Where.
    pub page: Arc<PageTexture>,
    /// What; at least one.
    pub cells: Vec<CellPaint>,
}

/// A page whose quarter of the page on the next coarser level is to be made anew.
pub struct Reduction {
    /// Which page it is.
    pub id: PageId,
    /// The finer page.
    pub child: Arc<PageTexture>,
    /// The coarser one.
    pub parent: Arc<PageTexture>,
}

/// No class is shown in particular.
const OWN_CLASS: u32 = u32::MAX;

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct RulesUniform {
    tile_px: u32,
    kind: u32,
    context_ratio: u32,
    shown_class: u32,
    weight: f32,
    temperature: f32,
    context_temperature: f32,
    padding: u32,
}

impl RulesUniform {
    pub fn new(rules: &PaintRules) -> Self {
        Self {
            tile_px: rules.window.len() as u32,
            kind: rules.kind as u32,
            context_ratio: rules.context_ratio,
            shown_class: rules.shown_class.unwrap_or(OWN_CLASS),
            weight: rules.weight,
            temperature: rules.temperatures[0],
            context_temperature: rules.temperatures[1],
            padding: 0,
        }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct CellEntry {
    first_px: [i32; 2],
    size_px: [u32; 2],
    page_px: [u32; 2],
    tiles: [u32; 2],
    context_tiles: [u32; 2],
    context_low: [i32; 2],
    context_high: [i32; 2],
    first_near: u32,
    unasked: u32,
    first_near_context: u32,
    unasked_context: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct TileEntry {
    first_px: [i32; 2],
    place: u32,
    padding: u32,
}

/// The cells of a page as the shader reads them.
#[derive(Default)]
pub(super) struct Entries {
    pub cells: Vec<CellEntry>,
    /// Never empty.
    pub tiles: Vec<TileEntry>,
    /// A bit a px.
    pub near: Vec<u32>,
    /// Width and height of the largest cell, px.
    pub largest_px: (u32, u32),
}

impl Entries {
    pub fn of(cells: &[CellPaint]) -> Self {
        let mut entries = Self::default();
        cells.iter().for_each(|cell| entries.push(cell));
        // A binding has to have something.
        entries.tiles.push(TileEntry::zeroed());
        entries
    }

    fn push(&mut self, cell: &CellPaint) {
        let (x, y) = (&cell.fine.x, &cell.fine.y);
        let size_px = [x.len() as u32, y.len() as u32];
        let none = ScoredPart {
            x: 0..1,
            y: 0..1,
            near: vec![true],
            tiles: Vec::new(),
            unasked: UNKNOWN,
        };
        let context = cell.context.as_ref().unwrap_or(&none);
        let entry = CellEntry {
            first_px: [x.start as i32, y.start as i32],
            size_px,
            page_px: cell.page_px.into(),
            tiles: self.push_tiles(&cell.fine.tiles),
            context_tiles: self.push_tiles(&context.tiles),
            context_low: [context.x.start as i32, context.y.start as i32],
            context_high: [context.x.end as i32 - 1, context.y.end as i32 - 1],
            first_near: self.push_near(&cell.fine.near),
            unasked: cell.fine.unasked.into(),
            first_near_context: self.push_near(&context.near),
            unasked_context: context.unasked.into(),
        };
        self.cells.push(entry);
        let (width, height) = self.largest_px;
        self.largest_px = (width.max(size_px[0]), height.max(size_px[1]));
    }

    /// First word of them.
    fn push_near(&mut self, near: &[bool]) -> u32 {
        let first = self.near.len() as u32;
        let word = |bits: &[bool]| {
            let set = bits.iter().enumerate().filter(|(_, near)| **near);
            set.fold(0, |word, (bit, _)| word | 1 << bit)
        };
        self.near.extend(near.chunks(32).map(word));
        first
    }

    /// First of them and their number.
    fn push_tiles(&mut self, tiles: &[PlacedTile]) -> [u32; 2] {
        let first = self.tiles.len() as u32;
        let entry = |tile: &PlacedTile| TileEntry {
            first_px: tile.first_px.into(),
            place: tile.place,
            padding: 0,
        };
        self.tiles.extend(tiles.iter().map(entry));
        [first, tiles.len() as u32]
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct ReduceUniform {
    first_px: [u32; 2],
    padding: [u32; 2],
    ranks: [[u32; 4]; 16],
}

impl ReduceUniform {
    pub fn new(id: PageId, ranks: &Ranks) -> Self {
        let bytes = ranks.table();
        let word = |n: usize| {
            let at = |byte: usize| bytes[n * 4 + byte];
            u32::from_le_bytes([at(0), at(1), at(2), at(3)])
        };
        let half = PAGE_PX / 2;
        Self {
            first_px: [id.col % 2 * half, id.row % 2 * half],
            padding: [0; 2],
            ranks: std::array::from_fn(|row| std::array::from_fn(|n| word(row * 4 + n))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::super::{PAINT_SHADER, REDUCE_SHADER};
    use super::*;
    use crate::gpu::layout_tests::layout;

    #[test]
    fn structures_lie_in_memory_as_the_shaders_read_them() {
        let (span, offsets) = layout(PAINT_SHADER, "Rules");
        assert_eq!((span, offsets.len()), (size_of::<RulesUniform>(), 8));
        assert_eq!(offsets[4], offset_of!(RulesUniform, weight));
        let (span, offsets) = layout(PAINT_SHADER, "Cell");
        assert_eq!(span, size_of::<CellEntry>());
        let ours = [
            offset_of!(CellEntry, first_px),
            offset_of!(CellEntry, size_px),
            offset_of!(CellEntry, page_px),
            offset_of!(CellEntry, tiles),
            offset_of!(CellEntry, context_tiles),
            offset_of!(CellEntry, context_low),
            offset_of!(CellEntry, context_high),
            offset_of!(CellEntry, first_near),
            offset_of!(CellEntry, unasked),
            offset_of!(CellEntry, first_near_context),
            offset_of!(CellEntry, unasked_context),
        ];
        assert_eq!(offsets, ours);
        let (span, offsets) = layout(PAINT_SHADER, "Tile");
        assert_eq!((span, offsets[1]), (16, offset_of!(TileEntry, place)));
        let (span, offsets) = layout(REDUCE_SHADER, "Quarter");
        assert_eq!(
            (span, offsets.last()),
            (size_of::<ReduceUniform>(), Some(&16))
        );
    }

    #[test]
    fn px_near_tissue_are_bits_and_each_cell_begins_with_a_word() {
        let part = |tiles: usize, near: Vec<bool>| {
            let tile = PlacedTile {
                place: 5,
                first_px: (-4, 12),
            };
            ScoredPart {
                x: 8..17,
                y: 4..8,
                near,
                tiles: vec![tile; tiles],
                unasked: 255,
            }
        };
        let cell = |near: Vec<bool>| CellPaint {
            fine: part(2, near),
            context: Some(part(1, vec![false; 33])),
            page_px: (8, 4),
        };
        let mut first = vec![false; 36];
        (first[0], first[33]) = (true, true);
        let entries = Entries::of(&[cell(first), cell(vec![true; 36])]);
        assert_eq!(entries.near, [1, 2, 0, 0, u32::MAX, 15, 0, 0]);
        let cell = &entries.cells[1];
        assert_eq!((cell.first_near, cell.first_near_context), (4, 6));
        assert_eq!((cell.tiles, cell.context_tiles), ([3, 2], [5, 1]));
        assert_eq!(cell.context_high, [16, 7]);
        assert_eq!((entries.tiles.len(), entries.largest_px), (7, (9, 4)));
    }
}

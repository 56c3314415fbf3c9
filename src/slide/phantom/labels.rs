//! Truth: classes and gland instances, at a point and as rasters.
//!
//! Classes are defined on the finest lattice (32 level-0 px), bilinear in between, with the tubes
//! on top; a raster holds the class at every pixel's centre, at coarse levels too.

use super::anatomy::{Anatomy, dominant};
use super::frame::{Frame, Lattice};
use super::rings::{Ring, rings_in};

/// Rows of a raster that are worked on at a time, so that memory stays bounded.
const STRIP_ROWS: usize = 64;

/// Class and instance at one point.
pub fn label_at(anatomy: &dyn Anatomy, lattice_um: f64, x: f64, y: f64) -> (u8, u32) {
    let lattice = Lattice::new(anatomy, [x, y, x, y], lattice_um);
    let ground = anatomy.class_of(dominant(
        &anatomy.weights(&lattice.at(x, y), &anatomy.widths(LABEL_WIDTH_UM)),
    ));
    let mut label = (ground, 0);
    for ring in rings_in(anatomy, [x, y, x, y], lattice_um) {
        if ring.depth_um(x, y) > 0.0 {
            label = marked(label, &ring);
        }
    }
    label
}

/// Footprint used for the transitions of labels, µm: that of a fine picture.
const LABEL_WIDTH_UM: f32 = 1.0;

fn marked(label: (u8, u32), ring: &Ring) -> (u8, u32) {
    ring.class.map_or(label, |class| (class, ring.id))
}

/// Class and instance at the centre of every pixel of `frame`, rows from the top.
pub fn label_raster(anatomy: &dyn Anatomy, lattice_um: f64, frame: &Frame) -> Vec<(u8, u32)> {
    let mut labels = vec![(0, 0); frame.width * frame.height];
    for (strip, chunk) in labels
        .chunks_mut((frame.width * STRIP_ROWS).max(1))
        .enumerate()
    {
        let rows = chunk.len() / frame.width.max(1);
        let strip_frame = Frame {
            y0: frame.y0 + (strip * STRIP_ROWS) as i64,
            height: rows,
            ..frame.clone()
        };
        ground_labels(anatomy, lattice_um, &strip_frame, chunk);
        tube_labels(anatomy, lattice_um, &strip_frame, chunk);
    }
    labels
}

fn ground_labels(anatomy: &dyn Anatomy, lattice_um: f64, frame: &Frame, out: &mut [(u8, u32)]) {
    let widths = anatomy.widths(LABEL_WIDTH_UM);
    let class = |fields| anatomy.class_of(dominant(&anatomy.weights(&fields, &widths)));
    let sparse = frame.mpp > lattice_um * 2.0;
    let lattice = (!sparse).then(|| Lattice::new(anatomy, frame.bounds_um(0.0), lattice_um));
    for row in 0..frame.height {
        let y = frame.y_um(row as i64);
        for col in 0..frame.width {
            let x = frame.x_um(col as i64);
            // Far apart, every pixel needs the nodes around its own centre only.
            let fields = match &lattice {
                Some(lattice) => lattice.at(x, y),
                None => Lattice::new(anatomy, [x, y, x, y], lattice_um).at(x, y),
            };
            out[row * frame.width + col] = (class(fields), 0);
        }
    }
}

fn tube_labels(anatomy: &dyn Anatomy, lattice_um: f64, frame: &Frame, out: &mut [(u8, u32)]) {
    for ring in rings_in(anatomy, frame.bounds_um(0.0), lattice_um) {
        if ring.class.is_none() {
            continue;
        }
        let columns = frame.columns(ring.x, ring.reach_um());
        for row in frame.rows(ring.y, ring.reach_um()) {
            let y = frame.y_um(row as i64);
            for col in columns.clone() {
                if ring.depth_um(frame.x_um(col as i64), y) > 0.0 {
                    let label = &mut out[row * frame.width + col];
                    *label = marked(*label, &ring);
                }
            }
        }
    }
}

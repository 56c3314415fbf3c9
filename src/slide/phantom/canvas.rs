//! The picture while it is being painted: linear in sRGB, floating point, and the one brush, a
//! bent and tapered ellipse with a membrane, a texture and a nucleolus.

use super::frame::Frame;
use super::stain::{Colour, add_scaled, lerp};
use super::texture::{self, Mip, Texel};

/// A picture in the making.
#[derive(Debug)]
pub struct Canvas {
    /// Its pixel grid.
    pub frame: Frame,
    /// Rows from the top; 8-bit units, not clamped.
    pub pixels: Vec<Colour>,
    /// Centres of the columns, µm.
    pub xs: Vec<f64>,
    /// Width of the ramp at every edge: pixel footprint and optics together, µm.
    pub edge_um: f32,
}

/// A nucleus, a cell body, a red cell: one bent, tapered ellipse.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Centre, µm.
    pub x: f64,
    /// Centre, µm.
    pub y: f64,
    /// Half length along the long axis, µm.
    pub a: f32,
    /// Half breadth, µm.
    pub b: f32,
    /// Cosine and sine of the long axis's angle.
    pub axis: (f32, f32),
    /// Narrowing towards the positive end, 0–0.6.
    pub taper: f32,
    /// Curvature, 0–1.
    pub bend: f32,
    /// Fill.
    pub colour: Colour,
    /// Opacity, 0–1.
    pub alpha: f32,
    /// Added at the membrane.
    pub rim: Colour,
    /// Added a unit of the grain texture.
    pub grain: Colour,
    /// Nucleolus: place along and across the axes in units of them; radius in µm; what it adds.
    pub spot: Option<(f32, f32, f32, Colour)>,
    /// Softness of the edge beyond that of the optics, µm.
    pub soft_um: f32,
}

impl Blob {
    /// A plain ellipse.
    pub fn plain(at: (f64, f64), a: f32, b: f32, axis: (f32, f32), colour: Colour) -> Self {
        Self {
            x: at.0,
            y: at.1,
            a,
            b,
            axis,
            taper: 0.0,
            bend: 0.0,
            colour,
            alpha: 1.0,
            rim: [0.0; 4],
            grain: [0.0; 4],
            spot: None,
            soft_um: 0.0,
        }
    }
}

impl Blob {
    /// Where its soft edge ends, in units of the half axes.
    fn rim_radius(&self, edge_um: f32) -> f32 {
        1.0 + 0.6 * edge_um / self.b
    }

    /// How far from the centre it is seen along x and y, µm: the ellipse itself, and what bend and
    /// taper, of either sign, add across its long axis.
    fn reach_um(&self, edge_um: f32) -> (f32, f32) {
        let (c, s) = self.axis;
        let out = self.rim_radius(edge_um);
        let bent = self.bend.abs() * (out * out - 0.3).max(0.3);
        let narrowing = (self.taper.abs() * out).min(0.9);
        let tapered = out * 0.5 * narrowing / (1.0 - narrowing);
        let across = self.b * (bent + tapered);
        (
            out * (self.a * c).hypot(self.b * s) + across * s.abs(),
            out * (self.a * s).hypot(self.b * c) + across * c.abs(),
        )
    }
}

/// Blobs whose radius is below this many pixels are laid down as boxes of the same area.
const BOX_BELOW_PX: f32 = 1.1;

/// Chromatin is not drawn where edges are softer than this, µm: it is grey there.
const GRAIN_BELOW_UM: f32 = 1.9;

/// Most columns that such a box may span: slender ones are several times as long as broad.
const BOX_PX: usize = 24;

/// Thickness of a nuclear membrane as it looks under the microscope, µm.
const RIM_UM: f32 = 0.7;

impl Canvas {
    /// An empty picture.
    pub fn new(frame: Frame, blur_um: f32) -> Self {
        let pixels = vec![[0.0; 4]; frame.width * frame.height];
        let xs = (0..frame.width as i64).map(|c| frame.x_um(c)).collect();
        let edge_um = (frame.mpp as f32).hypot(blur_um * 1.7);
        Self {
            frame,
            pixels,
            xs,
            edge_um,
        }
    }

    /// Whether an ellipse of these half axes (µm) is laid down as a box, without any detail.
    pub fn is_small(&self, a: f32, b: f32) -> bool {
        (a * b).sqrt() < BOX_BELOW_PX * self.frame.mpp as f32
    }

    /// Paints one blob; `grain` textures its inside.
    pub fn paint(&mut self, blob: &Blob, grain: Mip<'_>) {
        if self.is_small(blob.a, blob.b) {
            self.paint_box(blob);
        } else {
            self.paint_ellipse(blob, grain);
        }
    }

    /// Lays down a square of half side `half_um` at `at` µm, weighed by exact overlap.
    pub fn paint_speck(&mut self, at: (f64, f64), half_um: f32, colour: Colour, alpha: f32) {
        let frame = &self.frame;
        let per_px = 1.0 / frame.mpp;
        let half = half_um * per_px as f32;
        // In pixels from the picture's left and top edge.
        let x = ((at.0 - frame.shift_um.0) * per_px - frame.x0 as f64) as f32;
        let y = ((at.1 - frame.shift_um.1) * per_px - frame.y0 as f64) as f32;
        let span = |centre: f32, limit: usize| {
            let (low, high) = ((centre - half).max(0.0), (centre + half).min(limit as f32));
            (low as usize, (high.max(0.0).ceil() as usize).min(limit))
        };
        let ((c0, c1), (r0, r1)) = (span(x, frame.width), span(y, frame.height));
        let overlap = |centre: f32, i: usize| {
            (centre + half).min(i as f32 + 1.0) - (centre - half).max(i as f32)
        };
        let width = frame.width;
        for row in r0..r1 {
            let share = overlap(y, row).max(0.0) * alpha;
            for col in c0..c1 {
                let pixel = &mut self.pixels[row * width + col];
                *pixel = lerp(*pixel, colour, share * overlap(x, col).max(0.0));
            }
        }
    }

    /// A box of the blob's area, weighed by exact overlap: small cells keep their amount of colour
    /// wherever they fall between the pixels.
    fn paint_box(&mut self, blob: &Blob) {
        let (c, s) = blob.axis;
        let extent = |along: f32, across: f32| (blob.a * along).hypot(blob.b * across);
        let (ex, ey) = (extent(c, s), extent(s, c));
        let k = (std::f32::consts::PI * blob.a * blob.b / (4.0 * ex * ey)).sqrt();
        let (hx, hy) = (f64::from(ex * k), f64::from(ey * k));
        let mpp = self.frame.mpp;
        let per_px = 1.0 / mpp;
        let colour = add_scaled(blob.colour, blob.rim, 0.3);
        let overlap = |centre: f64, half: f64, at: f64| {
            let low = (centre - half).max(at - mpp * 0.5);
            let high = (centre + half).min(at + mpp * 0.5);
            ((high - low) * per_px).max(0.0) as f32
        };
        let columns = self.frame.columns(blob.x, hx + mpp);
        let (start, count) = (columns.start, columns.len().min(BOX_PX));
        let mut shares = [0.0_f32; BOX_PX];
        for (share, x) in shares.iter_mut().zip(&self.xs[columns]) {
            *share = overlap(blob.x, hx, *x) * blob.alpha;
        }
        for row in self.frame.rows(blob.y, hy + mpp) {
            let oy = overlap(blob.y, hy, self.frame.y_um(row as i64));
            let line = &mut self.pixels[row * self.frame.width + start..][..count];
            for (pixel, share) in line.iter_mut().zip(shares) {
                *pixel = lerp(*pixel, colour, oy * share);
            }
        }
    }

    fn paint_ellipse(&mut self, blob: &Blob, grain: Mip<'_>) {
        let edge = self.edge_um.hypot(blob.soft_um);
        let (c, s) = blob.axis;
        let (rx, ry) = blob.reach_um(edge);
        let columns = self.frame.columns(blob.x, f64::from(rx));
        let (ia, ib) = (1.0 / blob.a, 1.0 / blob.b);
        let shade = Shade::new(blob, edge, grain);
        for row in self.frame.rows(blob.y, f64::from(ry)) {
            let dy = (self.frame.y_um(row as i64) - blob.y) as f32;
            let line = &mut self.pixels[row * self.frame.width..][..self.frame.width];
            for col in columns.clone() {
                let dx = (self.xs[col] - blob.x) as f32;
                let u = (c * dx + s * dy) * ia;
                let v =
                    ((c * dy - s * dx) * ib + blob.bend * (u * u - 0.3)) * (1.0 + blob.taper * u);
                let r2 = u * u + v * v;
                if r2 < shade.limit {
                    shade.apply(&mut line[col], (u, v, r2), (dx, dy));
                }
            }
        }
    }
}

/// Clumps of chromatin made from the grain texture.
#[inline]
fn chromatin(t: &Texel) -> f32 {
    t[0] * 0.6 + t[3] * 0.25 + t[1] * 1.2
}

/// What is the same for every pixel of one blob.
struct Shade<'a> {
    blob: &'a Blob,
    edge: f32,
    limit: f32,
    ia2: f32,
    ib2: f32,
    rim_gain: f32,
    rim_width: f32,
    grain: Mip<'a>,
    grainy: bool,
    grain_mean: f32,
    offset: (f64, f64),
}

impl<'a> Shade<'a> {
    fn new(blob: &'a Blob, edge: f32, grain: Mip<'a>) -> Self {
        let out = blob.rim_radius(edge);
        let rim_width = RIM_UM.hypot(edge);
        Self {
            blob,
            edge,
            limit: out * out,
            ia2: 1.0 / (blob.a * blob.a),
            ib2: 1.0 / (blob.b * blob.b),
            rim_gain: RIM_UM / rim_width,
            rim_width,
            grain,
            grainy: blob.grain[1] != 0.0 && edge < GRAIN_BELOW_UM,
            grain_mean: chromatin(&texture::grain().mean()),
            offset: (blob.x * 7.31, blob.y * 5.77),
        }
    }

    #[inline]
    fn apply(&self, pixel: &mut Colour, (u, v, r2): (f32, f32, f32), (dx, dy): (f32, f32)) {
        let r = r2.sqrt().max(1e-3);
        // (1 − r) over its own slope is the distance to the outline.
        let slope_r = (u * u * self.ia2 + v * v * self.ib2).sqrt();
        let inside = (1.0 - r) * r / slope_r.max(1e-6);
        let cover = (inside / self.edge + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return;
        }
        let rim = (1.0 - (inside - 0.5 * RIM_UM).abs() / self.rim_width).max(0.0) * self.rim_gain;
        let mut colour = add_scaled(self.blob.colour, self.blob.rim, rim);
        if self.grainy {
            let (u, v) = (
                f64::from(dx) * 0.8 + self.offset.0,
                f64::from(dy) * 0.8 + self.offset.1,
            );
            let t = self.grain.sample_fixed(self.grain.fixed(u, v));
            colour = add_scaled(colour, self.blob.grain, chromatin(&t) - self.grain_mean);
        }
        if let Some((su, sv, radius, ref add)) = self.blob.spot {
            let (du, dv) = ((u - su) * self.blob.a, (v - sv) * self.blob.b);
            let depth = radius - (du * du + dv * dv).sqrt();
            colour = add_scaled(colour, *add, (depth / self.edge + 0.5).clamp(0.0, 1.0));
        }
        *pixel = lerp(*pixel, colour, cover * self.blob.alpha);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A rectangle too small would cut blobs off along straight lines.
        #[test]
        fn nothing_of_a_blob_lies_beyond_its_reach(
            a in 1.0_f32..9.0, b in 1.0_f32..6.0, angle in 0.0_f32..6.3,
            bend in -1.0_f32..1.0, taper in -0.5_f32..0.5, edge_um in 0.2_f32..0.8, at in 0.0_f32..6.3,
        ) {
            let (s, c) = angle.sin_cos();
            let blob = Blob { taper, bend, ..Blob::plain((0.0, 0.0), a, b, (c, s), [0.0; 4]) };
            let (rx, ry) = blob.reach_um(edge_um);
            let (v, u) = at.sin_cos();
            let out = blob.rim_radius(edge_um);
            let (u, v) = (u * out, v * out);
            // The inverse of what `paint_ellipse` asks of a pixel.
            let along = a * u;
            let across = b * (v / (1.0 + taper * u) - bend * (u * u - 0.3));
            let (dx, dy) = (c * along - s * across, s * along + c * across);
            prop_assert!(dx.abs() <= rx * 1.0001 && dy.abs() <= ry * 1.0001, "{dx}, {dy} of {rx}, {ry}");
        }
    }
}

//! The picture while it is being painted: linear in sRGB, floating point, and the one brush, a
//! bent and tapered ellipse with a membrane, a texture and a nucleolus.

use super::frame::Frame;
use super::stain::{Colour, add_scaled, lerp};
use super::texture::Mip;

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

/// Blobs whose radius is below this many pixels are laid down as boxes of the same area.
const BOX_BELOW_PX: f32 = 1.1;

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

    /// Paints one blob; `grain` textures its inside.
    pub fn paint(&mut self, blob: &Blob, grain: Mip<'_>) {
        if (blob.a * blob.b).sqrt() < BOX_BELOW_PX * self.frame.mpp as f32 {
            self.paint_box(blob);
        } else {
            self.paint_ellipse(blob, grain);
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
        let colour = add_scaled(blob.colour, blob.rim, 0.3);
        let overlap = |centre: f64, half: f64, at: f64| {
            let low = (centre - half).max(at - mpp * 0.5);
            let high = (centre + half).min(at + mpp * 0.5);
            ((high - low) / mpp).max(0.0) as f32
        };
        let columns = self.frame.columns(blob.x, hx + mpp);
        for row in self.frame.rows(blob.y, hy + mpp) {
            let oy = overlap(blob.y, hy, self.frame.y_um(row as i64)) * blob.alpha;
            for col in columns.clone() {
                let t = oy * overlap(blob.x, hx, self.xs[col]);
                let pixel = &mut self.pixels[row * self.frame.width + col];
                *pixel = lerp(*pixel, colour, t);
            }
        }
    }

    fn paint_ellipse(&mut self, blob: &Blob, grain: Mip<'_>) {
        let edge = self.edge_um.hypot(blob.soft_um);
        let (c, s) = blob.axis;
        let slack = edge + 0.35 * blob.bend * blob.b + blob.taper * blob.b;
        let (rx, ry) = (
            (blob.a * c).hypot(blob.b * s) + slack,
            (blob.a * s).hypot(blob.b * c) + slack,
        );
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
    offset: (f64, f64),
}

impl<'a> Shade<'a> {
    fn new(blob: &'a Blob, edge: f32, grain: Mip<'a>) -> Self {
        let out = 1.0 + 0.6 * edge / blob.b;
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
            grainy: blob.grain[1] != 0.0,
            offset: (blob.x * 7.31, blob.y * 5.77),
        }
    }

    #[inline]
    fn apply(&self, pixel: &mut Colour, (u, v, r2): (f32, f32, f32), (dx, dy): (f32, f32)) {
        let r = r2.sqrt().max(1e-3);
        // (1 − r) over its own slope is the distance to the outline.
        let slope = (u * u * self.ia2 + v * v * self.ib2).sqrt() / r;
        let inside = (1.0 - r) / slope.max(1e-6);
        let cover = (inside / self.edge + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return;
        }
        let rim = (1.0 - (inside - 0.5 * RIM_UM).abs() / self.rim_width).max(0.0) * self.rim_gain;
        let mut colour = add_scaled(self.blob.colour, self.blob.rim, rim);
        if self.grainy {
            let t = self.grain.sample(
                f64::from(dx) * 0.8 + self.offset.0,
                f64::from(dy) * 0.8 + self.offset.1,
            );
            colour = add_scaled(
                colour,
                self.blob.grain,
                t[0] * 0.6 + t[3] * 0.25 + (t[1] - 0.25) * 1.2,
            );
        }
        if let Some((su, sv, radius, ref add)) = self.blob.spot {
            let (du, dv) = ((u - su) * self.blob.a, (v - sv) * self.blob.b);
            let depth = radius - du.hypot(dv);
            colour = add_scaled(colour, *add, (depth / self.edge + 0.5).clamp(0.0, 1.0));
        }
        *pixel = lerp(*pixel, colour, cover * self.blob.alpha);
    }
}

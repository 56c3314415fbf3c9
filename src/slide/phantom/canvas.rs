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
    /// Mean of [`chromatin`].
    grain_mean: f32,
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

/// Pictures up to this size leave their memory to the next one; px.
const LARGEST_SPARE_PX: usize = 1024 * 1024;

thread_local! {
    /// Fetching and clearing fresh pages would take a tenth of the time of a tile.
    static SPARE: std::cell::Cell<Vec<Colour>> = const { std::cell::Cell::new(Vec::new()) };
}

/// Blobs whose radius is below this many pixels are laid down as boxes of the same area.
const BOX_BELOW_PX: f32 = 1.1;

/// Below this scale, µm/px, chromatin, membranes and nucleoli can be seen.
const DETAIL_BELOW_UM: f64 = 1.6;

/// Edges softer than this, µm, belong to pictures too coarse for chromatin.
const CHROMATIN_BELOW_UM: f32 = 1.5;

/// Thickness of a nuclear membrane as it looks under the microscope, µm.
const RIM_UM: f32 = 0.7;

impl Canvas {
    /// An empty picture.
    pub fn new(frame: Frame, blur_um: f32) -> Self {
        let mut pixels = SPARE.take();
        pixels.clear();
        pixels.resize(frame.width * frame.height, [0.0; 4]);
        let xs = (0..frame.width as i64).map(|c| frame.x_um(c)).collect();
        let edge_um = (frame.mpp as f32).hypot(blur_um * 1.7);
        let grain_mean = chromatin(&texture::grain().mean());
        Self {
            frame,
            pixels,
            xs,
            edge_um,
            grain_mean,
        }
    }

    /// Gives the memory back for the next picture on this thread.
    pub fn recycle(self) {
        if self.pixels.len() <= LARGEST_SPARE_PX {
            SPARE.set(self.pixels);
        }
    }

    /// Paints one blob; `grain` textures its inside.
    pub fn paint(&mut self, blob: &Blob, grain: Mip<'_>) {
        if (blob.a * blob.b).sqrt() < BOX_BELOW_PX * self.frame.mpp as f32 {
            self.paint_boxes(blob);
        } else if self.frame.mpp < DETAIL_BELOW_UM {
            self.paint_ellipse(
                blob,
                &Shade::new(
                    blob,
                    norm(self.edge_um, blob.soft_um),
                    grain,
                    self.grain_mean,
                ),
            );
        } else {
            self.paint_ellipse(
                blob,
                &Flat::new(blob, norm(self.edge_um, blob.soft_um), self.grain_mean),
            );
        }
    }

    /// A long cell as three short ones in a row, any other as one box.
    fn paint_boxes(&mut self, blob: &Blob) {
        if blob.a < 2.0 * blob.b {
            return self.paint_box(blob);
        }
        let step = f64::from(blob.a) * 2.0 / 3.0;
        let (c, s) = (f64::from(blob.axis.0), f64::from(blob.axis.1));
        for (along, breadth) in [(-step, 0.85), (0.0, 1.3), (step, 0.85)] {
            let part = Blob {
                x: blob.x + c * along,
                y: blob.y + s * along,
                a: blob.a / 3.0,
                b: blob.b * breadth,
                ..blob.clone()
            };
            self.paint_box(&part);
        }
    }

    /// A box of the blob's area, weighed by exact overlap: small cells keep their amount of colour
    /// wherever they fall between the pixels.
    fn paint_box(&mut self, blob: &Blob) {
        let (c, s) = blob.axis;
        let extent = |along: f32, across: f32| norm(blob.a * along, blob.b * across);
        let (ex, ey) = (extent(c, s), extent(s, c));
        let k = (std::f32::consts::PI * blob.a * blob.b / (4.0 * ex * ey)).sqrt();
        let (hx, hy) = (f64::from(ex * k), f64::from(ey * k));
        let mpp = self.frame.mpp;
        let colour = mean_colour(blob, self.grain_mean);
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

    fn paint_ellipse<F: Fill>(&mut self, blob: &Blob, shade: &F) {
        let edge = norm(self.edge_um, blob.soft_um);
        let (c, s) = blob.axis;
        let slack = edge + 0.35 * blob.bend * blob.b + blob.taper * blob.b;
        let ry = norm(blob.a * s, blob.b * c) + slack;
        let chord = Chord::new(blob.a + slack, blob.b + slack, blob.axis);
        let (ia, ib) = (1.0 / blob.a, 1.0 / blob.b);
        let limit = (1.0 + 0.6 * edge / blob.b).powi(2);
        for row in self.frame.rows(blob.y, f64::from(ry)) {
            let dy = (self.frame.y_um(row as i64) - blob.y) as f32;
            let line = &mut self.pixels[row * self.frame.width..][..self.frame.width];
            let Some((middle, half)) = chord.at(dy) else {
                continue;
            };
            let columns = self
                .frame
                .columns(blob.x + f64::from(middle), f64::from(half));
            for col in columns {
                let dx = (self.xs[col] - blob.x) as f32;
                let u = (c * dx + s * dy) * ia;
                let v =
                    ((c * dy - s * dx) * ib + blob.bend * (u * u - 0.3)) * (1.0 + blob.taper * u);
                let r2 = u * u + v * v;
                if r2 < limit {
                    shade.apply(&mut line[col], (u, v, r2), (dx, dy));
                }
            }
        }
    }
}

/// Length of a vector; `hypot` guards against overflow that can't happen here, at a price.
#[inline]
pub fn norm(a: f32, b: f32) -> f32 {
    (a * a + b * b).sqrt()
}

/// Density of chromatin from the grain texture: clumps and strands.
#[inline]
fn chromatin(grain: &Texel) -> f32 {
    grain[0] * 0.6 + grain[3] * 0.25 + (grain[1] - 0.25) * 1.2
}

/// Where rows cut an ellipse.
struct Chord {
    /// Of the quadratic form p·x² + 2q·x·y + r·y² = 1.
    p: f32,
    q: f32,
    r: f32,
}

impl Chord {
    fn new(a: f32, b: f32, (c, s): (f32, f32)) -> Self {
        let (ia, ib) = (1.0 / (a * a), 1.0 / (b * b));
        Self {
            p: c * c * ia + s * s * ib,
            q: c * s * (ia - ib),
            r: s * s * ia + c * c * ib,
        }
    }

    /// Middle and half length of the chord `dy` below the centre.
    #[inline]
    fn at(&self, dy: f32) -> Option<(f32, f32)> {
        let half = (self.q * dy).powi(2) - self.p * (self.r * dy * dy - 1.0);
        (half > 0.0).then(|| (-self.q * dy / self.p, half.sqrt() / self.p))
    }
}

/// How the pixels of a blob are filled.
trait Fill {
    /// Paints one pixel at (u, v) in units of the half axes, with u² + v², (dx, dy) µm off centre.
    fn apply(&self, pixel: &mut Colour, uv: (f32, f32, f32), offset: (f32, f32));
}

/// A blob of a few pixels: its mean colour with a soft edge.
struct Flat {
    colour: Colour,
    alpha: f32,
    /// Mean half axis over the edge's width.
    slope: f32,
}

impl Flat {
    fn new(blob: &Blob, edge: f32, grain_mean: f32) -> Self {
        let radius = (blob.a * blob.b).sqrt();
        Self {
            colour: mean_colour(blob, grain_mean),
            alpha: blob.alpha,
            slope: radius / edge,
        }
    }
}

/// A blob's colour with its membrane and nucleolus spread over it.
fn mean_colour(blob: &Blob, grain_mean: f32) -> Colour {
    let area = blob.a * blob.b;
    // The membrane's profile, less the part that lies outside.
    let rim = (1.75 * RIM_UM / area.sqrt()).min(0.9);
    let colour = add_scaled(blob.colour, blob.rim, rim);
    let colour = add_scaled(colour, blob.grain, grain_mean);
    match blob.spot {
        Some((_, _, radius, ref add)) => {
            add_scaled(colour, *add, (radius * radius / area).min(1.0))
        }
        None => colour,
    }
}

impl Fill for Flat {
    #[inline]
    fn apply(&self, pixel: &mut Colour, (_, _, r2): (f32, f32, f32), _: (f32, f32)) {
        let cover = ((1.0 - r2.sqrt()) * self.slope + 0.5).clamp(0.0, 1.0);
        *pixel = lerp(*pixel, self.colour, cover * self.alpha);
    }
}

/// What is the same for every pixel of one blob.
struct Shade<'a> {
    blob: &'a Blob,
    edge: f32,
    ia2: f32,
    ib2: f32,
    /// Radius of a nearly round cell.
    round: Option<f32>,
    rim_gain: f32,
    rim_width: f32,
    grain: Mip<'a>,
    grainy: bool,
    grain_mean: f32,
    offset: (f64, f64),
}

impl<'a> Shade<'a> {
    fn new(blob: &'a Blob, edge: f32, grain: Mip<'a>, grain_mean: f32) -> Self {
        let rim_width = norm(RIM_UM, edge);
        Self {
            blob,
            edge,
            ia2: 1.0 / (blob.a * blob.a),
            ib2: 1.0 / (blob.b * blob.b),
            round: (blob.a < 1.7 * blob.b).then(|| (blob.a * blob.b).sqrt()),
            rim_gain: RIM_UM / rim_width,
            rim_width,
            grain,
            grainy: edge < CHROMATIN_BELOW_UM && blob.grain[1] != 0.0,
            grain_mean,
            offset: (blob.x * 7.31, blob.y * 5.77),
        }
    }
}

impl Fill for Shade<'_> {
    #[inline]
    fn apply(&self, pixel: &mut Colour, (u, v, r2): (f32, f32, f32), (dx, dy): (f32, f32)) {
        let r = r2.sqrt().max(1e-3);
        // (1 − r) over its own slope is the distance to the outline; nearly round cells have one
        // slope all around.
        let inside = match self.round {
            Some(radius) => (1.0 - r) * radius,
            None => (1.0 - r) * r / (u * u * self.ia2 + v * v * self.ib2).sqrt().max(1e-6),
        };
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
            colour = add_scaled(colour, self.blob.grain, chromatin(&t));
        } else {
            colour = add_scaled(colour, self.blob.grain, self.grain_mean);
        }
        if let Some((su, sv, radius, ref add)) = self.blob.spot {
            let (du, dv) = ((u - su) * self.blob.a, (v - sv) * self.blob.b);
            let depth = radius - norm(du, dv);
            colour = add_scaled(colour, *add, (depth / self.edge + 0.5).clamp(0.0, 1.0));
        }
        *pixel = lerp(*pixel, colour, cover * self.blob.alpha);
    }
}

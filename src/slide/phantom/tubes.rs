//! Painting tubes: epithelium, lumen and mucus of crypts and ducts, walls and blood of vessels.

use super::anatomy::cover;
use super::canvas::{Blob, Canvas};
use super::cells::Painter;
use super::hash::{Draws, cell_hash, mix};
use super::rings::{Ring, RingKind};
use super::stain::{Colour, GLASS, add_scaled, lerp};
use super::texture::{self, Mip};

/// Colours of a tube from the outline inwards.
struct Profile {
    /// (depth where it begins, colour, softness), µm.
    layers: [(f32, Colour, f32); 4],
    /// Added a unit of the grain texture's granules, in the wall.
    grain: Colour,
    /// Share of glass added by its mesh, in the lumen's mucus.
    wisps: Colour,
}

impl Painter<'_> {
    /// Paints one tube with its cells; `opacity` (0–1) falls as it gives way to the mean of its
    /// surroundings.
    pub fn paint_ring(&self, canvas: &mut Canvas, ring: &Ring, opacity: f32) {
        let profile = self.profile(ring);
        fill(canvas, ring, &profile, self.grain, opacity);
        if self.tube_presence <= 0.0 {
            return;
        }
        match ring.kind {
            RingKind::Crypt => self.paint_crypt_cells(canvas, ring),
            RingKind::Duct => self.paint_duct_cells(canvas, ring),
            RingKind::Vessel => {
                self.paint_blood(canvas, ring);
                self.paint_lining(canvas, ring);
            }
            RingKind::Capillary => self.paint_lining(canvas, ring),
        }
    }

    /// Where cells have given way to their mean, the wall takes the mean's colour.
    fn profile(&self, ring: &Ring) -> Profile {
        let away = 1.0 - self.tube_presence;
        let c = |h: f32, e: f32| self.stain.colour(h, e);
        let wall = ring.wall_um;
        match ring.kind {
            RingKind::Crypt => {
                let like = |h: f32, e: f32| self.drawn_to_stroma(ring, h, e);
                let mean = |base: Colour, h: f32, share: f32| lerp(base, c(h, 0.25), share * away);
                let basal = mean(like(0.22, 0.46), 1.1, 0.43);
                let goblets = |base: Colour| lerp(base, like(0.27, 0.19), 0.43 * away);
                let apical = goblets(mean(like(0.20, 0.44), 1.1, 0.10));
                let lumen = lerp(GLASS, like(0.10, 0.14), 0.62);
                Profile {
                    layers: [
                        (0.0, c(0.06, 0.42), 0.8),
                        (1.6, basal, 1.0),
                        (wall * 0.52, apical, 4.0),
                        (wall, lumen, 2.0),
                    ],
                    grain: self.stain.slope(0.2, 0.45, 0.06, 0.10),
                    wisps: self.difference((0.05, 0.05), (0.22, 0.30)),
                }
            }
            RingKind::Duct => {
                let body = lerp(c(0.26, 0.42), c(1.0, 0.25), 0.42 * away);
                let secretion = lerp(GLASS, c(0.03, 0.30), 0.45);
                Profile {
                    layers: [
                        (0.0, c(0.05, 0.55), 1.0),
                        (2.5, body, 1.0),
                        (wall, secretion, 1.5),
                        (wall + 1.0, secretion, 1.0),
                    ],
                    grain: self.stain.slope(0.2, 0.4, 0.05, 0.08),
                    wisps: self.difference((0.03, 0.05), (0.06, 0.30)),
                }
            }
            RingKind::Vessel => {
                let plasma = c(0.02, 0.10);
                let blood = lerp(plasma, red_cell(), 0.50 * away);
                let muscle = lerp(c(0.10, 0.62), c(1.1, 0.25), 0.10 * away);
                Profile {
                    layers: [
                        (0.0, c(0.04, 0.30), 2.0),
                        (0.8, muscle, 1.0),
                        (wall, blood, 0.8),
                        (wall + 1.0, blood, 1.0),
                    ],
                    grain: self.stain.slope(0.1, 0.6, 0.02, 0.12),
                    wisps: [0.0; 4],
                }
            }
            RingKind::Capillary => Profile {
                layers: [
                    (0.0, c(0.02, 0.08), 1.0),
                    (1.2, c(0.14, 0.50), 0.8),
                    (2.4, c(0.03, 0.14), 0.8),
                    (3.0, c(0.03, 0.14), 0.8),
                ],
                grain: [0.0; 4],
                wisps: [0.0; 4],
            },
        }
    }

    /// Colour of densities drawn towards the lamina propria's, as far as the tube is like it.
    fn drawn_to_stroma(&self, ring: &Ring, h: f32, e: f32) -> Colour {
        let k = ring.likeness;
        // Densities of the propria with its gaps, not of its substance.
        self.stain.colour(h + (0.105 - h) * k, e + (0.365 - e) * k)
    }

    fn paint_crypt_cells(&self, canvas: &mut Canvas, ring: &Ring) {
        let mut draws = Draws::new(ring.hash);
        let count = (ring.perimeter_um() / 5.2) as u32;
        let wall = ring.wall_um;
        let step = 1.0 / count.max(1) as f32;
        let goblet = self.drawn_to_stroma(ring, 0.13, 0.07);
        let dense_goblet = self.drawn_to_stroma(ring, 0.26, 0.12);
        for i in 0..count {
            let along = (i as f32 + draws.range(-0.3, 0.3)).max(0.0) * step;
            if draws.unit() < 0.5 {
                // A goblet: mucus that swells towards the lumen.
                let (at, out) = ring.wall_point(along, wall * draws.range(0.58, 0.78));
                let (a, b) = (draws.range(4.4, 6.4), draws.range(2.8, 4.2));
                let colour = lerp(goblet, dense_goblet, draws.unit());
                let rim = self.stain.slope(0.2, 0.4, 0.16, 0.20);
                let blob = Blob {
                    taper: 0.22,
                    rim,
                    alpha: 0.85 * self.tube_presence,
                    ..Blob::plain(at, a, b, out, colour)
                };
                canvas.paint(&blob, self.grain);
            }
            let (at, out) = ring.wall_point(along, 7.2 + draws.range(-2.2, 4.2));
            let size = (draws.range(3.3, 4.7), draws.range(1.6, 2.25));
            let blob = self.nucleus(at, size, out, 1.08 * draws.range(0.8, 1.2));
            canvas.paint(&blob, self.grain);
        }
    }

    fn paint_duct_cells(&self, canvas: &mut Canvas, ring: &Ring) {
        let mut draws = Draws::new(ring.hash);
        for (depth, spacing, size) in [(4.2, 8.5, (3.4, 1.6)), (10.5, 6.0, (3.4, 2.6))] {
            let count = (ring.perimeter_um() / spacing) as u32;
            for i in 0..count {
                let along = (i as f32 + draws.range(0.0, 0.6)) / count.max(1) as f32;
                let (at, out) = ring.wall_point(along, depth + draws.range(-1.2, 1.4));
                let across = (-out.1, out.0);
                let axis = if depth < 5.0 { across } else { out };
                let blob = self.nucleus(at, size, axis, draws.range(0.8, 1.2));
                canvas.paint(&blob, self.grain);
            }
        }
    }

    /// Endothelium: slender nuclei that lie along the wall.
    fn paint_lining(&self, canvas: &mut Canvas, ring: &Ring) {
        let mut draws = Draws::new(ring.hash);
        let count = (ring.perimeter_um() / 17.0).max(1.0) as u32;
        for i in 0..count {
            let along = (i as f32 + draws.unit() * 0.8) / count as f32;
            let depth = if ring.kind == RingKind::Vessel && draws.unit() < 0.45 {
                ring.wall_um * 0.4
            } else {
                ring.wall_um + 0.3
            };
            let (at, out) = ring.wall_point(along, depth);
            let blob = self.nucleus(
                at,
                (draws.range(3.4, 5.4), draws.range(1.1, 1.6)),
                (-out.1, out.0),
                1.15,
            );
            canvas.paint(&blob, self.grain);
        }
    }

    /// Red cells: orange-pink discs, crowded, only where they lie wholly in the lumen.
    fn paint_blood(&self, canvas: &mut Canvas, ring: &Ring) {
        let fullness = Draws::new(mix(ring.hash ^ 0xb100d)).range(0.15, 0.98);
        let reach = ring.reach_um();
        let pitch = 5.6;
        let count = (reach / pitch) as i64 + 1;
        for iv in -count..=count {
            for iu in -count..=count {
                let mut draws = Draws::new(cell_hash(ring.hash, iu, iv));
                let x = ring.x + (iu as f64 + f64::from(draws.range(-0.4, 0.4))) * pitch;
                let y = ring.y + (iv as f64 + f64::from(draws.range(-0.4, 0.4))) * pitch;
                if draws.unit() > fullness || ring.depth_um(x, y) < ring.wall_um + 2.4 {
                    continue;
                }
                let angle = draws.unit() * 6.3;
                let colour = lerp(red_cell(), GLASS, draws.range(0.0, 0.25));
                let pale_centre = Some((0.0, 0.0, 1.2, [8.0, 14.0, 10.0, 0.0]));
                let blob = Blob {
                    spot: pale_centre,
                    alpha: 0.9 * self.tube_presence,
                    ..Blob::plain(
                        (x, y),
                        3.1,
                        draws.range(2.2, 3.0),
                        (angle.cos(), angle.sin()),
                        colour,
                    )
                };
                canvas.paint(&blob, self.grain);
            }
        }
    }
}

/// Haemoglobin takes eosin its own way: orange-red.
fn red_cell() -> Colour {
    [214.0, 118.0, 116.0, 0.0]
}

/// The texture of tubes is its mean where edges are softer than this, µm.
const TEXTURE_BELOW_UM: f32 = 3.0;

fn fill(canvas: &mut Canvas, ring: &Ring, profile: &Profile, grain: Mip<'_>, opacity: f32) {
    let edge = canvas.edge_um;
    let reach = ring.reach_um() + f64::from(edge + ring.soft_um);
    let widths: [f32; 4] = std::array::from_fn(|i| edge.hypot(profile.layers[i].2));
    let outer = edge.hypot(ring.soft_um);
    let lumen_at = profile.layers[3].0;
    let mean = texture::grain().mean();
    for row in canvas.frame.rows(ring.y, reach) {
        let y = canvas.frame.y_um(row as i64);
        let Some((centre, half)) = ring.chord(y, f64::from(outer)) else {
            continue;
        };
        let columns = canvas.frame.columns(centre, half);
        let line = &mut canvas.pixels[row * canvas.frame.width..][..canvas.frame.width];
        for (pixel, &x) in line[columns.clone()].iter_mut().zip(&canvas.xs[columns]) {
            let depth = ring.depth_um(x, y);
            let alpha = cover(depth, outer) * opacity;
            if alpha <= 0.0 {
                continue;
            }
            let mut colour = profile.layers[0].1;
            for (&(from, next, _), width) in profile.layers.iter().zip(widths).skip(1) {
                colour = lerp(colour, next, cover(depth - from, width));
            }
            let t = if edge < TEXTURE_BELOW_UM {
                grain.sample_fixed(grain.fixed(x, y))
            } else {
                mean
            };
            let lumen = cover(depth - lumen_at, edge + 2.0);
            colour = add_scaled(colour, profile.grain, (t[0] + t[3]) * (1.0 - lumen));
            colour = add_scaled(colour, profile.wisps, (t[1] + 0.4 * t[3]) * lumen);
            *pixel = lerp(*pixel, colour, alpha);
        }
    }
}

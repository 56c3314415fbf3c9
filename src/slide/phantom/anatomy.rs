//! What a tissue program has to say: smooth fields over the slide, the materials that they select,
//! the cells that live in each material, and the tubes that run through it.

use super::hash::{Field, mix};
use super::material::{Material, Population};
use super::rings::{Ring, RingFamily};
use super::spec::{ClassKnobs, PhantomSpec};

/// Number of fields at a point.
pub const FIELDS: usize = 8;

/// Smooth scalars at a point. 0–3 and 7 are the program's own, mostly signed distances in µm,
/// positive inside; [`WARP_U`], [`WARP_V`] and [`TINT`] are common.
pub type Fields = [f32; FIELDS];

/// Displacement of the fibre texture along the fibres, µm.
pub const WARP_U: usize = 4;
/// Displacement of the fibre texture across the fibres, µm.
pub const WARP_V: usize = 5;
/// Slow unevenness of the stain, about ±1.
pub const TINT: usize = 6;

/// Number of materials a program may have.
pub const MATERIALS: usize = 8;

/// Number of noises that a program may have.
pub const NOISES: usize = 9;

/// Values of a program's noises at a point, the common ones first.
pub type Noises = [f64; NOISES];

/// The first noise that is a program's own.
pub const OWN: usize = 4;

/// The values of `fields` at (`x`, `y`) µm.
pub fn noises_at(fields: &[Field], x: f64, y: f64, step_um: f64) -> Noises {
    let mut out = [0.0; NOISES];
    for (value, field) in out.iter_mut().zip(fields) {
        *value = field.at(x, y, step_um);
    }
    out
}

/// Share of each material at a point; sums to one.
pub type Weights = [f32; MATERIALS];

/// Widths of a program's transitions, µm; [`AWAY`] is no width.
pub type Widths = [f32; 8];

/// Among the widths: how far the tubes have given way to their mean, 0–1.
pub const AWAY: usize = 7;

/// A tissue program.
pub trait Anatomy: Send + Sync + std::fmt::Debug {
    /// The noises that the fields are made from: the common ones, then the program's own.
    fn noises(&self) -> &[Field];

    /// The fields at (`x`, `y`) µm, made from the noises there.
    fn compose(&self, x: f64, y: f64, noises: &Noises) -> Fields;

    /// The fields at (`x`, `y`) µm; detail finer than `step_um` is left out.
    fn fields(&self, x: f64, y: f64, step_um: f64) -> Fields {
        self.compose(x, y, &noises_at(self.noises(), x, y, step_um))
    }

    /// The widths of transitions as they appear over pixels of `footprint_um`.
    fn widths(&self, footprint_um: f32) -> Widths;

    /// Which materials the fields select.
    fn weights(&self, fields: &Fields, widths: &Widths) -> Weights;

    /// The materials.
    fn materials(&self) -> &[Material];

    /// Cells that live in the materials, in painting order.
    fn populations(&self) -> &[Population];

    /// Families of tubes, in painting order.
    fn ring_families(&self) -> &[RingFamily];

    /// The tube that grows from a candidate place, if any does.
    fn ring(&self, family: usize, candidate: &Candidate) -> Option<Ring>;

    /// Class of a material.
    fn class_of(&self, material: usize) -> u8 {
        self.materials().get(material).map_or(0, |m| m.class)
    }

    /// Whether a material has weight only where tubes have given way to their mean.
    fn is_seen_from_afar_only(&self, _material: usize) -> bool {
        false
    }

    /// Fields at a typical place deep inside a material, `None` where no tubes grow in it: what
    /// its mean colour with tubes is measured at.
    fn heart(&self, _material: usize) -> Option<Fields> {
        None
    }

    /// Index of the material that is fat, whose cells are drawn as a foam.
    fn fat(&self) -> Option<usize> {
        None
    }

    /// Angle of the fibre texture's axis, radians.
    fn fibre_angle(&self) -> f64;
}

/// A place where a tube might grow.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Centre, µm.
    pub x: f64,
    /// Centre, µm.
    pub y: f64,
    /// Hash of the place.
    pub hash: u64,
    /// Identifier, never 0.
    pub id: u32,
    /// The fields there.
    pub fields: Fields,
}

/// Share of a pixel (or of an ambiguous transition) of `width` that lies on the positive side of a
/// boundary at signed distance `distance`, both µm.
#[inline]
pub fn cover(distance: f32, width: f32) -> f32 {
    (distance / width + 0.5).clamp(0.0, 1.0)
}

/// The material with the largest share.
#[inline]
pub fn dominant(weights: &Weights) -> usize {
    let mut best = 0;
    for i in 1..MATERIALS {
        if weights[i] > weights[best] {
            best = i;
        }
    }
    best
}

/// Points a side of the survey.
const SURVEY_SIDE: usize = 72;

/// Outline, warp and tint: what every tissue has.
#[derive(Debug)]
pub struct Common {
    centre: (f64, f64),
    radii: (f64, f64),
    /// Half the shorter side of the extent, µm: the scale of large anatomy.
    pub scale_um: f64,
    /// Axis of the fibres, radians.
    pub fibre_angle: f64,
}

impl Common {
    /// The common parts of `spec`'s slide, and its noises: the common ones, whose fibres sway by
    /// `waviness`, and then those that `own` makes for the scale of large anatomy.
    pub fn new(
        spec: &PhantomSpec,
        waviness: f64,
        own: impl FnOnce(f64) -> Vec<Field>,
    ) -> (Self, Vec<Field>) {
        let [w, h] = spec.extent_um;
        let scale_um = w.min(h) * 0.5;
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xa11a));
        let s = scale_um;
        let sway = [
            (150.0 * waviness, 1900.0),
            (26.0 * waviness, 240.0),
            (3.2 * waviness, 47.0),
        ];
        let outline = [
            (0.16 * s, 1.1 * s),
            (0.05 * s, 0.35 * s),
            (12.0, 130.0),
            (3.0, 34.0),
        ];
        let mut noises = vec![
            Field::new(seed(1), &outline),
            Field::new(seed(2), &sway),
            Field::new(seed(3), &sway),
            Field::new(seed(4), &[(0.7, 2300.0), (0.6, 420.0), (0.4, 110.0)]),
        ];
        noises.extend(own(s));
        let common = Self {
            centre: (w * 0.5, h * 0.5),
            radii: (w * 0.5 - 0.09 * s, h * 0.5 - 0.09 * s),
            scale_um,
            fibre_angle: 0.4 + (spec.seed % 97) as f64 * 0.61,
        };
        (common, noises)
    }

    /// Signed distance to the outline of the piece of tissue, µm, positive inside.
    pub fn outline(&self, x: f64, y: f64, noises: &Noises) -> f64 {
        let (u, v) = (
            (x - self.centre.0) / self.radii.0,
            (y - self.centre.1) / self.radii.1,
        );
        // A superellipse: between a disc and the rectangle that a cassette makes of a piece.
        let q = (u.powi(4) + v.powi(4)).sqrt().sqrt();
        (1.0 - q) * self.radii.0.min(self.radii.1) - 0.12 * self.scale_um + noises[0]
    }

    /// Width and height of the slide, µm.
    pub fn size_um(&self) -> (f64, f64) {
        (self.centre.0 * 2.0, self.centre.1 * 2.0)
    }

    /// Points of a coarse regular grid over the slide: what thresholds are chosen from, so that
    /// classes get their wanted share of the area.
    pub fn survey_points(&self) -> impl Iterator<Item = (f64, f64)> + use<> {
        let (w, h) = self.size_um();
        (0..SURVEY_SIDE * SURVEY_SIDE).map(move |i| {
            let at = |n: usize| (n as f64 + 0.5) / SURVEY_SIDE as f64;
            (at(i % SURVEY_SIDE) * w, at(i / SURVEY_SIDE) * h)
        })
    }

    /// Fills in the common fields.
    pub fn fill(&self, fields: &mut Fields, noises: &Noises) {
        fields[WARP_U] = noises[1] as f32;
        fields[WARP_V] = noises[2] as f32;
        fields[TINT] = noises[3] as f32;
    }
}

/// Knobs of all classes by index, as the programs use them.
pub fn knobs_by_class(spec: &PhantomSpec) -> Vec<ClassKnobs> {
    spec.tissue
        .classes()
        .iter()
        .map(|c| spec.knobs(c.name))
        .collect()
}

/// The value that a share `above` (0–1) of `values` exceeds; sorts them.
pub fn threshold(values: &mut [f64], above: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let index = ((1.0 - above.clamp(0.0, 1.0)) * last as f64).round() as usize;
    values.get(index.min(last)).copied().unwrap_or(0.0)
}

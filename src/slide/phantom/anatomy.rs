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

/// Values of a program's noises at a point; unused ones are 0.
pub type Noises = [f64; 10];

/// Noise that roughens the outline.
const OUTLINE_NOISE: usize = 0;
/// Noises of the fibres' course and of the stain.
const WARP_U_NOISE: usize = 1;
const WARP_V_NOISE: usize = 2;
const TINT_NOISE: usize = 3;
/// Index of a program's own first noise.
pub const OWN_NOISE: usize = 4;

/// Evaluates `noises` at one point.
pub fn sample_noises(noises: &[Field], x: f64, y: f64, step_um: f64) -> Noises {
    let mut out = Noises::default();
    for (value, noise) in out.iter_mut().zip(noises) {
        *value = noise.at(x, y, step_um);
    }
    out
}

/// Number of materials a program may have.
pub const MATERIALS: usize = 8;

/// Share of each material at a point; sums to one.
pub type Weights = [f32; MATERIALS];

/// Widths of a program's transitions, µm.
pub type Widths = [f32; 8];

/// A tissue program.
pub trait Anatomy: Send + Sync + std::fmt::Debug {
    /// The noises that the fields are made of: the common ones, then the program's own.
    fn noises(&self) -> &[Field];

    /// The fields at (`x`, `y`) µm from the values of [`Self::noises`] there.
    fn compose(&self, x: f64, y: f64, noises: &Noises) -> Fields;

    /// The fields at (`x`, `y`) µm; detail finer than `step_um` is left out.
    fn fields(&self, x: f64, y: f64, step_um: f64) -> Fields {
        self.compose(x, y, &sample_noises(self.noises(), x, y, step_um))
    }

    /// The widths of transitions as they appear over pixels of `footprint_um`.
    fn widths(&self, footprint_um: f32) -> Widths;

    /// Which materials the fields select.
    fn weights(&self, fields: &Fields, widths: &Widths) -> Weights;

    /// [`Self::weights`] of a row of pixels; compiled for each tissue, so that one call serves
    /// the row.
    fn weights_row(&self, fields: &[Fields], widths: &Widths, out: &mut Vec<Weights>) {
        out.clear();
        out.extend(fields.iter().map(|f| self.weights(f, widths)));
    }

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

/// Farther than this outside the tissue, µm, nothing but glass shows at any scale.
pub const FAR_UM: f64 = 1500.0;

/// Outline, warp and tint: what every tissue has.
#[derive(Debug)]
pub struct Common {
    centre: (f64, f64),
    radii: (f64, f64),
    /// Half the shorter side of the extent, µm: the scale of large anatomy.
    pub scale_um: f64,
    noises: [Field; OWN_NOISE],
    /// Axis of the fibres, radians.
    pub fibre_angle: f64,
}

impl Common {
    /// The common parts of `spec`'s slide; `waviness` scales the fibres' sway.
    pub fn new(spec: &PhantomSpec, waviness: f64) -> Self {
        let [w, h] = spec.extent_um;
        let scale_um = w.min(h) * 0.5;
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xa11a));
        let s = scale_um;
        let sway = [
            (150.0 * waviness, 1900.0),
            (26.0 * waviness, 240.0),
            (3.2 * waviness, 47.0),
        ];
        Self {
            centre: (w * 0.5, h * 0.5),
            radii: (w * 0.5 - 0.09 * s, h * 0.5 - 0.09 * s),
            scale_um,
            noises: [
                Field::new(
                    seed(1),
                    &[
                        (0.12 * s, 1.1 * s),
                        (0.05 * s, 0.35 * s),
                        (12.0, 130.0),
                        (3.0, 34.0),
                    ],
                ),
                Field::new(seed(2), &sway),
                Field::new(seed(3), &sway),
                Field::new(seed(4), &[(0.7, 2300.0), (0.6, 420.0), (0.4, 110.0)]),
            ],
            fibre_angle: 0.4 + (spec.seed % 97) as f64 * 0.61,
        }
    }

    /// Signed distance to the outline of the piece of tissue, µm, positive inside.
    pub fn outline(&self, x: f64, y: f64, n: &Noises) -> f64 {
        let (u, v) = (
            (x - self.centre.0) / self.radii.0,
            (y - self.centre.1) / self.radii.1,
        );
        // A superellipse: between a disc and the rectangle that a cassette makes of a piece.
        let q = (u.powi(4) + v.powi(4)).sqrt().sqrt();
        (1.0 - q) * self.radii.0.min(self.radii.1) - 0.13 * self.scale_um + n[OUTLINE_NOISE]
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
    pub fn fill(&self, fields: &mut Fields, n: &Noises) {
        fields[WARP_U] = n[WARP_U_NOISE] as f32;
        fields[WARP_V] = n[WARP_V_NOISE] as f32;
        fields[TINT] = n[TINT_NOISE] as f32;
    }

    /// The common noises followed by a program's own.
    pub fn with_noises(&self, own: impl IntoIterator<Item = Field>) -> Vec<Field> {
        self.noises.iter().cloned().chain(own).collect()
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

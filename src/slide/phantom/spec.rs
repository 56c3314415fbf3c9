//! What a phantom is made from: tissue, seed, extent and the knobs of its classes and its slide.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hash::{Draws, mix};
use crate::files::hex;

/// Changes whenever the same spec would give other pixels.
pub const FORMULA_VERSION: u32 = 3;

/// Which tissue program draws the slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tissue {
    /// Cerebral cortex with its leptomeninges and white matter.
    Brain,
    /// Breast carcinoma in fibrous and fatty stroma.
    Breast,
    /// Colonic mucosa with crypts as instances.
    Colon,
}

impl Tissue {
    /// Every tissue.
    pub const ALL: [Self; 3] = [Self::Brain, Self::Breast, Self::Colon];

    /// Lower-case name, as in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brain => "brain",
            Self::Breast => "breast",
            Self::Colon => "colon",
        }
    }

    /// Whether it has glands, which are instances.
    pub fn has_glands(self) -> bool {
        self == Self::Colon
    }

    /// The classes in index order.
    pub fn classes(self) -> &'static [ClassInfo] {
        match self {
            Self::Brain => &BRAIN_CLASSES,
            Self::Breast => &BREAST_CLASSES,
            Self::Colon => &COLON_CLASSES,
        }
    }
}

impl std::str::FromStr for Tissue {
    type Err = PhantomError;

    fn from_str(text: &str) -> Result<Self, PhantomError> {
        Self::ALL
            .into_iter()
            .find(|t| t.name() == text)
            .ok_or_else(|| PhantomError::UnknownTissue(text.to_owned()))
    }
}

/// One class of a tissue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClassInfo {
    /// Name, as used by knobs and data sets.
    pub name: &'static str,
    /// Palette colour, sRGB.
    pub rgb: [u8; 3],
    /// Not scored: glass, artefacts.
    pub ignore: bool,
}

const fn class(name: &'static str, rgb: [u8; 3], ignore: bool) -> ClassInfo {
    ClassInfo { name, rgb, ignore }
}

/// Background is a real class of the brain set; folds and ink are excluded.
const BRAIN_CLASSES: [ClassInfo; 6] = [
    class("background", [230, 230, 230], false),
    class("grey_matter", [86, 180, 233], false),
    class("white_matter", [240, 228, 66], false),
    class("leptomeninges", [213, 94, 0], false),
    class("superficial", [0, 158, 115], false),
    class("exclude", [60, 60, 60], true),
];

/// Glass is outside the region of interest; `other` is fat, vessels and normal ducts.
const BREAST_CLASSES: [ClassInfo; 6] = [
    class("background", [230, 230, 230], true),
    class("tumor", [213, 94, 0], false),
    class("stroma", [204, 121, 167], false),
    class("inflammatory", [0, 114, 178], false),
    class("necrosis", [240, 228, 66], false),
    class("other", [0, 158, 115], false),
];

/// A gland is its epithelium, its goblet cells and its lumen; all other tissue is stroma.
const COLON_CLASSES: [ClassInfo; 3] = [
    class("background", [230, 230, 230], true),
    class("gland", [0, 114, 178], false),
    class("stroma", [204, 121, 167], false),
];

/// How one class looks and how much of it there is. Of glass only the width of its edge counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassKnobs {
    /// A name from [`Tissue::classes`].
    pub name: String,
    /// Wanted share of the tissue's area, 0–1; shares are relative to one another.
    pub frequency: f64,
    /// Spread of the size and shape of its cells and structures, 0–1.
    pub variability: f64,
    /// Width of the transition to a neighbour, µm, 0–500.
    pub ambiguity_um: f64,
    /// How far its colours are drawn towards its neighbour's, 0–1.
    pub similarity: f64,
}

/// What the laboratory and the scanner do to every pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlideKnobs {
    /// Strength of haematoxylin, 0.3–2; 1 is a usual slide.
    pub haematoxylin: f64,
    /// Strength of eosin, 0.3–2; 1 is a usual slide.
    pub eosin: f64,
    /// Spread of the stain vectors' components, 0–0.2.
    pub stain_jitter: f64,
    /// Blur of the optics, µm, 0–5.
    pub blur_um: f64,
    /// Standard deviation of the sensor's noise at level 0, 8-bit units, 0–20.
    pub noise: f64,
}

/// Everything a phantom is made from. Equal specs give equal pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhantomSpec {
    /// Tissue program.
    pub tissue: Tissue,
    /// Seed of every random choice.
    pub seed: u64,
    /// Width and height of the slide, µm; 64 µm to 200 mm a side.
    pub extent_um: [f64; 2],
    /// Microns per pixel of level 0; 0.05–10.
    pub base_mpp: f64,
    /// Knobs of the slide.
    pub slide: SlideKnobs,
    /// Knobs of the classes; a class left out keeps the preset's.
    pub classes: Vec<ClassKnobs>,
}

/// A phantom that can't be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PhantomError {
    /// No such tissue.
    #[error("no tissue '{0}'; there are brain, breast and colon")]
    UnknownTissue(String),
    /// A knob for a class that the tissue does not have.
    #[error("{tissue} has no class '{name}'; it has {known}")]
    UnknownClass {
        /// The tissue.
        tissue: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A knob out of its range.
    #[error("{knob} = {value} is outside {low}..={high}")]
    OutOfRange {
        /// Which knob.
        knob: String,
        /// Its value.
        value: f64,
        /// Least value allowed.
        low: f64,
        /// Greatest value allowed.
        high: f64,
    },
}

fn check(knob: &str, value: f64, low: f64, high: f64) -> Result<(), PhantomError> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PhantomError::OutOfRange {
        knob: knob.to_owned(),
        value,
        low,
        high,
    })
}

/// (name, frequency, variability, ambiguity µm, similarity) of the presets. Changing a number
/// here changes [`preset_knobs_hash`]; the colour criterion has to be measured again.
type KnobRow = (&'static str, f64, f64, f64, f64);

const BRAIN_KNOBS: [KnobRow; 6] = [
    ("background", 0.0, 0.3, 2.0, 0.0),
    ("grey_matter", 0.43, 0.4, 60.0, 0.2),
    ("white_matter", 0.42, 0.3, 90.0, 0.2),
    ("leptomeninges", 0.05, 0.5, 3.0, 0.35),
    ("superficial", 0.08, 0.4, 40.0, 0.5),
    ("exclude", 0.02, 0.5, 8.0, 0.0),
];

const BREAST_KNOBS: [KnobRow; 6] = [
    ("background", 0.0, 0.3, 3.0, 0.0),
    ("tumor", 0.30, 0.5, 5.0, 0.4),
    ("stroma", 0.38, 0.5, 8.0, 0.3),
    ("inflammatory", 0.09, 0.3, 35.0, 0.4),
    ("necrosis", 0.05, 0.5, 25.0, 0.5),
    ("other", 0.18, 0.5, 12.0, 0.2),
];

const COLON_KNOBS: [KnobRow; 3] = [
    ("background", 0.0, 0.3, 3.0, 0.0),
    ("gland", 0.30, 0.5, 1.5, 0.75),
    ("stroma", 0.70, 0.4, 20.0, 0.65),
];

fn preset_rows(tissue: Tissue) -> &'static [KnobRow] {
    match tissue {
        Tissue::Brain => &BRAIN_KNOBS,
        Tissue::Breast => &BREAST_KNOBS,
        Tissue::Colon => &COLON_KNOBS,
    }
}

/// Extent of the demo slide: 100,000 × 80,000 px at 0.25 µm/px.
const DEMO_EXTENT_UM: [f64; 2] = [25_000.0, 20_000.0];

impl PhantomSpec {
    /// The preset of `tissue`: demo extent, 0.25 µm/px, class knobs under which colour alone does
    /// not tell the classes apart, slide knobs that vary with the seed as laboratories do.
    pub fn preset(tissue: Tissue, seed: u64) -> Self {
        let knobs =
            |&(name, frequency, variability, ambiguity_um, similarity): &KnobRow| ClassKnobs {
                name: name.to_owned(),
                frequency,
                variability,
                ambiguity_um,
                similarity,
            };
        Self {
            tissue,
            seed,
            extent_um: DEMO_EXTENT_UM,
            base_mpp: 0.25,
            slide: SlideKnobs::of_laboratory(seed),
            classes: preset_rows(tissue).iter().map(knobs).collect(),
        }
    }

    /// The same phantom on `width_um` × `height_um` of glass.
    #[must_use]
    pub fn with_extent_um(mut self, width_um: f64, height_um: f64) -> Self {
        self.extent_um = [width_um, height_um];
        self
    }

    /// Knobs of the class named `name`: the spec's, else the preset's, else neutral ones.
    pub fn knobs(&self, name: &str) -> ClassKnobs {
        if let Some(found) = self.classes.iter().find(|k| k.name == name) {
            return found.clone();
        }
        let row = preset_rows(self.tissue).iter().find(|r| r.0 == name);
        let (_, frequency, variability, ambiguity_um, similarity) =
            row.copied().unwrap_or(("", 0.0, 0.3, 3.0, 0.0));
        ClassKnobs {
            name: name.to_owned(),
            frequency,
            variability,
            ambiguity_um,
            similarity,
        }
    }

    /// Checks every knob.
    ///
    /// # Errors
    /// The first knob that is unknown or out of its range.
    pub fn validate(&self) -> Result<(), PhantomError> {
        check("extent_um width", self.extent_um[0], 64.0, 200_000.0)?;
        check("extent_um height", self.extent_um[1], 64.0, 200_000.0)?;
        check("base_mpp", self.base_mpp, 0.05, 10.0)?;
        check("haematoxylin", self.slide.haematoxylin, 0.3, 2.0)?;
        check("eosin", self.slide.eosin, 0.3, 2.0)?;
        check("stain_jitter", self.slide.stain_jitter, 0.0, 0.2)?;
        check("blur_um", self.slide.blur_um, 0.0, 5.0)?;
        check("noise", self.slide.noise, 0.0, 20.0)?;
        self.classes
            .iter()
            .try_for_each(|knobs| self.validate_class(knobs))
    }

    fn validate_class(&self, knobs: &ClassKnobs) -> Result<(), PhantomError> {
        let classes = self.tissue.classes();
        if !classes.iter().any(|c| c.name == knobs.name) {
            let known: Vec<&str> = classes.iter().map(|c| c.name).collect();
            return Err(PhantomError::UnknownClass {
                tissue: self.tissue.name(),
                name: knobs.name.clone(),
                known: known.join(", "),
            });
        }
        let named = |knob: &str| format!("{} {knob}", knobs.name);
        check(&named("frequency"), knobs.frequency, 0.0, 1.0)?;
        check(&named("variability"), knobs.variability, 0.0, 1.0)?;
        check(&named("ambiguity_um"), knobs.ambiguity_um, 0.0, 500.0)?;
        check(&named("similarity"), knobs.similarity, 0.0, 1.0)
    }

    /// One canonical line a knob: what the content hash is taken of.
    pub fn canonical(&self) -> String {
        let mut text = format!(
            "phantom {FORMULA_VERSION}\ntissue {}\nseed {}\nextent_um {:?}\nbase_mpp {:?}\nslide {:?}\n",
            self.tissue.name(),
            self.seed,
            self.extent_um,
            self.base_mpp,
            self.slide
        );
        for class in self.tissue.classes() {
            text.push_str(&format!("{:?}\n", self.knobs(class.name)));
        }
        text
    }

    /// SHA-256 of [`Self::canonical`], lower-case hexadecimal.
    pub fn hash(&self) -> String {
        sha256_hex(self.canonical().as_bytes())
    }
}

/// Ranges of the slide knobs, in the order of the fields, over usual laboratories.
const LABORATORIES: [[f32; 2]; 5] = [
    [0.76, 1.24],
    [0.74, 1.26],
    [0.015, 0.045],
    [0.15, 0.55],
    [0.8, 2.2],
];

impl SlideKnobs {
    /// Stain and scanner of the laboratory that `seed` stands for.
    pub fn of_laboratory(seed: u64) -> Self {
        Self::drawn(seed ^ 0x1ab, LABORATORIES)
    }

    /// Stain and scanner of a laboratory that may lie far from the usual, for training and testing
    /// models that are to bear it.
    pub fn of_any_laboratory(seed: u64) -> Self {
        Self::drawn(
            seed ^ 0xfa1ab,
            [[0.55, 1.5], [0.5, 1.5], [0.02, 0.1], [0.1, 0.9], [0.5, 4.0]],
        )
    }

    /// Each knob, in the order of the fields, within its range.
    fn drawn(seed: u64, ranges: [[f32; 2]; 5]) -> Self {
        let mut draws = Draws::new(mix(seed));
        let [haematoxylin, eosin, stain_jitter, blur_um, noise] = ranges.map(|[low, high]| {
            // Three decimals: the numbers a person reads are the numbers used.
            (f64::from(draws.range(low, high)) * 1000.0).round() / 1000.0
        });
        Self {
            haematoxylin,
            eosin,
            stain_jitter,
            blur_um,
            noise,
        }
    }
}

/// SHA-256 of the class knobs of every preset and of the ranges of its slide knobs, recorded beside
/// the colour criterion.
pub fn preset_knobs_hash() -> String {
    let rows: Vec<_> = Tissue::ALL
        .iter()
        .map(|&t| (t.name(), preset_rows(t)))
        .collect();
    sha256_hex(format!("{FORMULA_VERSION} {rows:?} {LABORATORIES:?}").as_bytes())
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_differ_between_laboratories() {
        for tissue in Tissue::ALL {
            let (a, b) = (
                PhantomSpec::preset(tissue, 1),
                PhantomSpec::preset(tissue, 2),
            );
            assert_eq!(a.validate(), Ok(()));
            assert_ne!(a.slide, b.slide);
            assert_ne!(a.hash(), b.hash());
        }
    }

    #[test]
    fn a_wrong_knob_is_named() {
        let mut spec = PhantomSpec::preset(Tissue::Brain, 1);
        spec.classes[1].frequency = f64::NAN;
        assert!(
            spec.validate()
                .is_err_and(|e| e.to_string().contains("grey_matter frequency"))
        );
        spec.classes[1].name = "liver".to_owned();
        assert!(
            spec.validate()
                .is_err_and(|e| e.to_string().contains("liver"))
        );
    }

    #[test]
    fn a_spec_survives_toml() {
        let spec = PhantomSpec::preset(Tissue::Colon, 3);
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<PhantomSpec>(&text).unwrap(), spec);
    }
}

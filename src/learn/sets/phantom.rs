//! Phantom slides as a set: regions whose classes are known everywhere.

use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::{ClassTable, Item, Labelled, Mask, MaskSet, Part, SetError};
use crate::geometry::UmPoint;
use crate::learn::sampling::key::{Use, keyed};
use crate::learn::sampling::source::{RESERVED_SEEDS, phantom_spec};
use crate::learn::sampling::tissue::over_glass;
use crate::slide::MAX_REGION_PX;
use crate::slide::phantom::spec::FORMULA_VERSION;
use crate::slide::phantom::{PhantomSource, PhantomSpec, SlideKnobs, Tissue};

/// At most this many slides.
const MOST_SLIDES: u64 = 10_000;

/// Points along a side of a region on which its share of scored tissue is measured.
const POINTS: u32 = 16;

/// Phantom slides, the regions cut from them, and the knobs that make them rare or hard.
///
/// ```toml
/// tissue = "brain"
/// training = { from = 1, count = 24 }
/// validation = { from = 101, count = 6 }
/// test = { from = 800000, count = 8 }
/// mpp = 1.0
///
/// [[knobs]]
/// name = "leptomeninges"
/// frequency = 0.01
/// similarity = 0.8
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhantomSetConfig {
    /// The tissue.
    pub tissue: Tissue,
    /// Slides that weights are fitted to.
    pub training: Seeds,
    /// Slides that settings are chosen on.
    #[serde(default)]
    pub validation: Seeds,
    /// Slides that are looked at once.
    #[serde(default)]
    pub test: Seeds,
    /// Whether stain, blur and noise vary more widely than the presets' do.
    #[serde(default = "yes")]
    pub vary: bool,
    /// Stain and scanner of every slide, in place of varied ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slide: Option<SlideKnobs>,
    /// Side of a slide, mm; 0.1–100.
    #[serde(default = "eight")]
    pub extent_mm: f64,
    /// Scale of the regions, µm/px; 0.05–100. The finest that crops can have.
    #[serde(default = "half")]
    pub mpp: f64,
    /// Side of a region, µm; a slide that is smaller is one region.
    #[serde(default = "thousand")]
    pub region_um: f64,
    /// At most this many regions a slide, on a grid, so that no two overlap; at least 1.
    #[serde(default = "four")]
    pub regions: usize,
    /// A region in which less than this share is scored tissue is passed over, 0–1. Of the brain
    /// glass is a class, which does not count as tissue here.
    #[serde(default = "half")]
    pub min_tissue: f64,
    /// Changes to the preset's classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knobs: Vec<KnobChange>,
}

fn yes() -> bool {
    true
}

fn half() -> f64 {
    0.5
}

fn eight() -> f64 {
    8.0
}

fn thousand() -> f64 {
    1000.0
}

fn four() -> usize {
    4
}

/// `count` seeds from `from` on, one a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// What is changed of a class's knobs (see [`crate::slide::phantom::ClassKnobs`]); what is left
/// out stays as the preset has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnobChange {
    /// The class.
    pub name: String,
    /// Share of the tissue's area relative to the other classes', 0–1: rare or common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<f64>,
    /// Spread of size and shape, 0–1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variability: Option<f64>,
    /// Width of the transition to a neighbour, µm, 0–500: hard where wide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambiguity_um: Option<f64>,
    /// How far its colours are drawn towards its neighbour's, 0–1: hard where high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
}

/// Regions of phantom slides.
#[derive(Debug)]
pub struct PhantomSet {
    config: PhantomSetConfig,
    name: String,
    classes: ClassTable,
    slides: Vec<PhantomSource>,
    items: Vec<Item>,
    /// Slide and top-left corner of each item.
    places: Vec<(usize, UmPoint)>,
}

impl PhantomSet {
    /// Makes the slides and finds their regions.
    ///
    /// # Errors
    /// When a setting is out of its range, a seed is given twice or reserved for measuring and yet
    /// trained on, or a slide has no region with enough tissue.
    pub fn open(config: &PhantomSetConfig) -> Result<Self, SetError> {
        config.check()?;
        let mut set = Self {
            name: format!("phantom {}", config.tissue.name()),
            classes: ClassTable::of_tissue(config.tissue)?,
            config: config.clone(),
            slides: Vec::new(),
            items: Vec::new(),
            places: Vec::new(),
        };
        for (seed, part) in config.seeds()? {
            let slide = PhantomSource::new(config.spec(seed))?;
            set.add_regions(&slide, part)?;
            set.slides.push(slide);
        }
        Ok(set)
    }

    /// The slides, in the order of training, validation and test.
    pub fn slides(&self) -> &[PhantomSource] {
        &self.slides
    }

    fn add_regions(&mut self, slide: &PhantomSource, part: Part) -> Result<(), SetError> {
        let seed = slide.spec().seed;
        let places = self.config.regions_of(slide);
        if places.is_empty() {
            let expected = format!(
                "must leave the slide of seed {seed} a region of {} µm with this share of tissue",
                self.config.region_um
            );
            return Err(SetError::setting(
                "min_tissue",
                self.config.min_tissue,
                expected,
            ));
        }
        let side_px = self.config.side_px() as usize;
        for (number, corner) in places.into_iter().enumerate() {
            self.places.push((self.slides.len(), corner));
            self.items.push(Item {
                id: format!("{}-{seed}-{number}", self.config.tissue.name()),
                group: format!("seed {seed}"),
                official: Some(part),
                files: None,
                mpp: self.config.mpp,
                width: side_px,
                height: side_px,
            });
        }
        Ok(())
    }

    fn place(&self, index: usize) -> Result<(&PhantomSource, UmPoint), SetError> {
        let place = self.places.get(index);
        let found = place.and_then(|(slide, corner)| Some((self.slides.get(*slide)?, *corner)));
        found.ok_or_else(|| SetError::no_item(index, self.places.len()))
    }
}

impl MaskSet for PhantomSet {
    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> &ClassTable {
        &self.classes
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, index: usize) -> Result<Labelled, SetError> {
        let (slide, corner) = self.place(index)?;
        let (mask, side) = (self.read_mask(index)?, self.config.side_px());
        let picture = slide.render_um(corner, self.config.mpp, side, side);
        Ok(Labelled {
            rgb: over_glass(&picture, [255; 3]),
            mask: mask.labels,
            width: mask.width,
            height: mask.height,
            mpp: self.config.mpp,
        })
    }

    fn read_mask(&self, index: usize) -> Result<Mask, SetError> {
        let (slide, corner) = self.place(index)?;
        let side = self.config.side_px();
        let codes = slide.labels_um(corner, self.config.mpp, side, side);
        let codes: Vec<u16> = codes.into_iter().map(u16::from).collect();
        let name = slide.spec().tissue.name();
        Ok(Mask {
            labels: self.classes.labels(&codes, name.as_ref())?,
            width: side as usize,
            height: side as usize,
        })
    }

    fn provenance(&self) -> String {
        let PhantomSetConfig {
            training,
            validation,
            test,
            ..
        } = &self.config;
        let seeds = |seeds: &Seeds| format!("{}+{}", seeds.from, seeds.count);
        format!(
            "{}, formula {FORMULA_VERSION}, seeds {} (training), {} (validation), {} (test), \
             {} regions of {} µm at {} µm/px, {} stain and optics, {} changed classes",
            self.name,
            seeds(training),
            seeds(validation),
            seeds(test),
            self.items.len(),
            self.config.region_side_um(),
            self.config.mpp,
            if self.config.slide.is_some() {
                "fixed"
            } else if self.config.vary {
                "widely varied"
            } else {
                "preset"
            },
            self.config.knobs.len()
        )
    }
}

impl PhantomSetConfig {
    /// What the slide of `seed` is made from.
    pub fn spec(&self, seed: u64) -> PhantomSpec {
        let mut spec = phantom_spec(self.tissue, seed, self.vary, self.extent_mm * 1e3);
        if let Some(slide) = &self.slide {
            spec.slide = slide.clone();
        }
        for change in &self.knobs {
            let mut knobs = spec.knobs(&change.name);
            let set = |knob: &mut f64, value: Option<f64>| *knob = value.unwrap_or(*knob);
            set(&mut knobs.frequency, change.frequency);
            set(&mut knobs.variability, change.variability);
            set(&mut knobs.ambiguity_um, change.ambiguity_um);
            set(&mut knobs.similarity, change.similarity);
            spec.classes.retain(|class| class.name != change.name);
            spec.classes.push(knobs);
        }
        spec
    }

    fn region_side_um(&self) -> f64 {
        self.region_um.min(self.extent_mm * 1e3)
    }

    /// Side of a region, px.
    fn side_px(&self) -> u32 {
        (self.region_side_um() / self.mpp + 1e-6) as u32
    }

    fn check(&self) -> Result<(), SetError> {
        for (setting, value, low, high) in [
            ("extent_mm", self.extent_mm, 0.1, 100.0),
            ("mpp", self.mpp, 0.05, 100.0),
            ("region_um", self.region_um, 16.0, 1e5),
            ("min_tissue", self.min_tissue, 0.0, 1.0),
        ] {
            if !(low..=high).contains(&value) {
                let expected = format!("must be {low} to {high}");
                return Err(SetError::setting(setting, value, expected));
            }
        }
        let side = u64::from(self.side_px());
        if side < 16 || side * side > MAX_REGION_PX {
            let expected = "a region must be 16 to 4096 px a side: change it or mpp";
            return Err(SetError::setting("region_um", self.region_um, expected));
        }
        if self.regions == 0 {
            return Err(SetError::setting("regions", 0, "must be at least 1"));
        }
        self.check_slides()
    }

    fn check_slides(&self) -> Result<(), SetError> {
        let counts = [self.training, self.validation, self.test].map(|seeds| seeds.count);
        let all = counts
            .iter()
            .fold(0_u64, |sum, count| sum.saturating_add(*count));
        if self.training.count == 0 || all > MOST_SLIDES {
            let expected = format!("must be 1 slide at least, and {MOST_SLIDES} with all parts");
            return Err(SetError::setting(
                "training.count",
                self.training.count,
                expected,
            ));
        }
        Ok(())
    }

    /// Every seed and its part.
    fn seeds(&self) -> Result<Vec<(u64, Part)>, SetError> {
        let mut parts = BTreeMap::new();
        let mut seeds = Vec::new();
        for (of, part) in [
            (self.training, Part::Training),
            (self.validation, Part::Validation),
            (self.test, Part::Test),
        ] {
            for seed in of.from..of.from.saturating_add(of.count) {
                let reserved = RESERVED_SEEDS
                    .iter()
                    .any(|(a, b)| (*a..=*b).contains(&seed));
                if reserved && part != Part::Test {
                    let expected = "is reserved for measuring and must not be learned from";
                    return Err(SetError::setting("seed", seed, expected));
                }
                if let Some(first) = parts.insert(seed, part) {
                    let group = format!("seed {seed}");
                    return Err(SetError::Leak {
                        group,
                        first,
                        second: part,
                    });
                }
                seeds.push((seed, part));
            }
        }
        Ok(seeds)
    }

    /// Corners of the regions of a slide, at random among those with enough tissue; the same
    /// whatever the scale.
    fn regions_of(&self, slide: &PhantomSource) -> Vec<UmPoint> {
        let side_um = self.region_side_um();
        let across = ((self.extent_mm * 1e3 / side_um + 1e-9) as usize).max(1);
        let mut cells: Vec<usize> = (0..across * across).collect();
        cells.shuffle(&mut keyed(slide.spec().seed, 0, 0, Use::Region));
        let corner = |cell: usize| {
            let along = |n: usize| n as f64 * side_um;
            UmPoint::new(along(cell % across), along(cell / across))
        };
        let corners = cells.into_iter().map(corner);
        let enough = |corner: &UmPoint| self.tissue_share(slide, *corner) >= self.min_tissue;
        corners.filter(enough).take(self.regions).collect()
    }

    /// Share of a region that is scored and no glass (class 0 of every tissue), by a lattice of
    /// points.
    fn tissue_share(&self, slide: &PhantomSource, corner: UmPoint) -> f64 {
        let mpp = self.region_side_um() / f64::from(POINTS);
        let classes = slide.classes();
        let points = slide.labels_um(corner, mpp, POINTS, POINTS);
        let tissue = |class: &&u8| {
            let scored = classes
                .get(usize::from(**class))
                .is_some_and(|class| !class.ignore);
            **class != 0 && scored
        };
        points.iter().filter(tissue).count() as f64 / points.len().max(1) as f64
    }
}

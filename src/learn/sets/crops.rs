//! Training crops: what a step holds depends on the settings, the seed and the step's number alone.

use std::sync::Arc;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::cache::Cache;
use super::resample::Window;
use super::{Census, CropConfig, IGNORE, Labelled, MaskSet, SetError};
use crate::learn::ahead::Ahead;
use crate::learn::sampling::family::Turn;
use crate::learn::sampling::key::{Use, keyed};

/// Places looked at until one has enough scored px; the last is taken as it is.
const PLACES_A_CROP: usize = 20;

/// One step's crops, ready for tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct CropBatch {
    /// Number of the step, from 0.
    pub step: u64,
    /// Side of a tile, S px.
    pub tile_px: usize,
    /// `B · 3 · S · S` values, NCHW, sRGB 0–1.
    pub tiles: Vec<f32>,
    /// `B · S · S` class indices, [`IGNORE`] for what is not scored or beyond the image.
    pub labels: Vec<u8>,
    /// Scale of each crop, µm/px; the geometric mean of both axes.
    pub mpp: Vec<f64>,
    /// Item of each crop.
    pub items: Vec<usize>,
}

/// What crops are drawn from.
pub struct Crops {
    set: Arc<dyn MaskSet>,
    config: CropConfig,
    /// Items of the part, and the area of each.
    areas: Vec<(usize, f64)>,
    /// For each class that has px, the items with their area of it.
    class_areas: Vec<(u8, Vec<(usize, f64)>)>,
    cache: Cache,
}

/// A place on an item.
struct Place {
    item: usize,
    image: Arc<Labelled>,
    window: Window,
    labels: Vec<u8>,
}

impl Crops {
    /// Crops of the items `items` of `set`, each part of their area equally likely.
    ///
    /// # Errors
    /// When there is no item, or a setting is out of its range.
    pub fn new(
        set: Arc<dyn MaskSet>,
        items: &[usize],
        census: &Census,
        config: CropConfig,
    ) -> Result<Self, SetError> {
        config.validate()?;
        let all = set.items();
        let area = |&index: &usize| {
            let item = all
                .get(index)
                .ok_or_else(|| SetError::no_item(index, all.len()))?;
            Ok((index, item.area_um2()))
        };
        let areas: Vec<(usize, f64)> = items.iter().map(area).collect::<Result<_, SetError>>()?;
        if areas.is_empty() {
            return Err(SetError::setting(
                "items",
                "none",
                "crops need at least one item",
            ));
        }
        let class_areas = (0..set.classes().count())
            .map(|class| (class as u8, areas_of_class(census, &areas, class)))
            .filter(|(_, areas)| !areas.is_empty())
            .collect();
        Ok(Self {
            cache: Cache::new(config.cache_mib << 20),
            set,
            config,
            areas,
            class_areas,
        })
    }

    /// Makes the batch of a step. `None` once `still_wanted` says so, which is asked before each
    /// crop.
    ///
    /// # Errors
    /// When an item can't be read.
    pub fn batch(
        &self,
        seed: u64,
        step: u64,
        still_wanted: &dyn Fn() -> bool,
    ) -> Result<Option<CropBatch>, SetError> {
        let (side, samples) = (self.config.tile_px, self.config.samples);
        let mut batch = CropBatch {
            step,
            tile_px: side,
            tiles: vec![0.0; samples * 3 * side * side],
            labels: Vec::with_capacity(samples * side * side),
            mpp: Vec::with_capacity(samples),
            items: Vec::with_capacity(samples),
        };
        let pool = self.pool(seed, step);
        for sample in 0..samples {
            if !still_wanted() {
                return Ok(None);
            }
            self.add(&mut batch, (seed, sample), pool.as_deref())?;
        }
        Ok(Some(batch))
    }

    /// The items that a step's crops are of, each as often as it was drawn; `None` for all.
    fn pool(&self, seed: u64, step: u64) -> Option<Vec<usize>> {
        let mut rng = keyed(seed, step / self.config.pool_steps, 0, Use::CropItems);
        let draw = |_| drawn(&self.areas, &mut rng);
        let wanted = self.config.pool_items;
        (wanted > 0).then(|| (0..wanted).filter_map(draw).collect())
    }

    fn add(
        &self,
        batch: &mut CropBatch,
        (seed, sample): (u64, usize),
        pool: Option<&[usize]>,
    ) -> Result<(), SetError> {
        let side = self.config.tile_px;
        let mut rng = keyed(seed, batch.step, sample as u64, Use::Crop);
        let place = self.place(pool, &mut rng)?;
        let turn = Turn::numbered(rng.random_range(0..Turn::COUNT));
        let turn = if self.config.turn { turn } else { Turn::NONE };
        let rgb = place.image.rgb_in(&place.window);
        let rgb = turn
            .of_square(rgb.as_chunks::<3>().0, side)
            .into_flattened();
        let mut rng = keyed(seed, batch.step, sample as u64, Use::CropLook);
        let values = 3 * side * side;
        let planes = &mut batch.tiles[sample * values..(sample + 1) * values];
        self.config.augment.apply(&rgb, side, &mut rng, planes);
        batch.labels.extend(turn.of_square(&place.labels, side));
        let (x, y) = place.window.step;
        batch.mpp.push(place.image.mpp * (x * y).sqrt());
        batch.items.push(place.item);
        Ok(())
    }

    /// A place with enough scored px, or one around a px of a class.
    fn place(&self, pool: Option<&[usize]>, rng: &mut ChaCha8Rng) -> Result<Place, SetError> {
        if rng.random::<f64>() < self.config.balanced
            && let Some(place) = self.place_of_class(pool, rng)?
        {
            return Ok(place);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let item = match pool {
                Some(pool) => pool.get(rng.random_range(0..pool.len().max(1))).copied(),
                None => drawn(&self.areas, rng),
            };
            // There always is one: `new` refuses an empty part.
            let place = self.place_on(item.unwrap_or(self.areas[0].0), None, rng)?;
            let scored = place
                .labels
                .iter()
                .filter(|label| **label != IGNORE)
                .count();
            let share = scored as f64 / place.labels.len() as f64;
            if share >= self.config.min_scored || tries == PLACES_A_CROP {
                return Ok(place);
            }
        }
    }

    /// A place around a px of a class, every class equally likely; `None` where the class drawn
    /// has no px in the pool.
    fn place_of_class(
        &self,
        pool: Option<&[usize]>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<Place>, SetError> {
        let chosen = rng.random_range(0..self.class_areas.len().max(1));
        let Some((class, areas)) = self.class_areas.get(chosen) else {
            return Ok(None);
        };
        let within = |(item, _): &&(usize, f64)| pool.is_none_or(|pool| pool.contains(item));
        let areas: Vec<(usize, f64)> = areas.iter().filter(within).copied().collect();
        let Some(item) = drawn(&areas, rng) else {
            return Ok(None);
        };
        let image = self.image(item)?;
        let of_class = || {
            image
                .mask
                .iter()
                .enumerate()
                .filter(|(_, label)| **label == *class)
        };
        // In the reduced image a rare class may be gone.
        let count = of_class().count();
        let Some((px, _)) = of_class().nth(rng.random_range(0..count.max(1))) else {
            return Ok(None);
        };
        let middle = (px % image.width, px / image.width);
        Ok(Some(self.place_on(item, Some(middle), rng)?))
    }

    /// A place of random scale on an item, around px `middle` or anywhere. A crop that fits lies
    /// within the image.
    fn place_on(
        &self,
        item: usize,
        middle: Option<(usize, usize)>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Place, SetError> {
        let image = self.image(item)?;
        let side = self.config.tile_px;
        let narrow_um = image.width.min(image.height) as f64 * image.mpp;
        let [low, high] = self.config.range_mpp(image.mpp, narrow_um);
        let step = low * (high / low).powf(rng.random::<f64>()) / image.mpp;
        let aspect = self.config.aspect.powf(2.0 * rng.random::<f64>() - 1.0);
        // The longer axis is made coarser: neither is finer than the image.
        let step = (step * aspect.max(1.0), step / aspect.min(1.0));
        let mut along = |middle: Option<usize>, step: f64, whole: usize| {
            let room = whole as f64 - step * side as f64;
            match middle {
                Some(px) => {
                    (px as f64 + 0.5 - step * side as f64 / 2.0).clamp(room.min(0.0), room.max(0.0))
                }
                None => room * rng.random::<f64>(),
            }
        };
        let x = along(middle.map(|m| m.0), step.0, image.width);
        let y = along(middle.map(|m| m.1), step.1, image.height);
        let window = Window {
            start: (x, y),
            step,
            count: (side, side),
        };
        Ok(Place {
            item,
            labels: image.labels_in(&window),
            image,
            window,
        })
    }

    /// An item, reduced by the whole number of times that no crop would be finer than: crops cost
    /// and memory less.
    fn image(&self, index: usize) -> Result<Arc<Labelled>, SetError> {
        self.cache.get(index, || {
            let image = self.set.read(index)?;
            let times = (self.config.finest_mpp(image.mpp) / image.mpp + 1e-9).floor();
            Ok(if times >= 2.0 {
                image.at_mpp(image.mpp * times, 1.0)
            } else {
                image
            })
        })
    }
}

/// The items among `areas` that have px of a class, with their area of it.
fn areas_of_class(census: &Census, areas: &[(usize, f64)], class: usize) -> Vec<(usize, f64)> {
    let share = |&(index, area): &(usize, f64)| {
        let counted = census.item(index)?;
        let px = *counted.pixels.get(class)?;
        let all = counted.pixels.iter().sum::<f64>() + counted.ignored;
        (px > 0.0).then_some((index, area * px / all))
    };
    areas.iter().filter_map(share).collect()
}

/// One of `items`, by weight; `None` where there is none.
fn drawn(items: &[(usize, f64)], rng: &mut ChaCha8Rng) -> Option<usize> {
    let total: f64 = items.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random::<f64>() * total;
    let found = items.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    // Rounding may leave nothing: then it is the last.
    found.or(items.last()).map(|(item, _)| *item)
}

/// The crops of a run in the order of its steps, made by threads of their own. Dropping it stops
/// them within about the time that one crop takes.
pub struct CropLoader(Ahead<CropBatch, SetError>);

impl CropLoader {
    /// Starts `threads` threads (at least one) named `crop-loader-N`, which together hold at most
    /// `ahead` finished batches (at least one a thread) of `B · 13 · S²` bytes each.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(
        crops: Arc<Crops>,
        seed: u64,
        first_step: u64,
        threads: usize,
        ahead: usize,
    ) -> Result<Self, SetError> {
        let make = move |step, wanted: &dyn Fn() -> bool| crops.batch(seed, step, wanted);
        let started = Ahead::start("crop-loader", make, first_step, threads, ahead);
        Ok(Self(
            started.map_err(|error| SetError::Loader(error.to_string()))?,
        ))
    }

    /// The next step's crops; waits for them.
    ///
    /// # Errors
    /// When they could not be made; the loader is of no use after that.
    pub fn next_batch(&mut self) -> Result<CropBatch, SetError> {
        let ended = || Err(SetError::Loader("a thread ended early".to_owned()));
        self.0.next_batch().unwrap_or_else(ended)
    }
}

//! The phantom: tissue by formula.
//!
//! A slide without a file. Every pixel and every class is a function of a position in microns and
//! of a [`PhantomSpec`]; the same formula is drawn at any scale, band-limited, so that a 10x tile
//! is what box-averaging the 40x tile gives. It is the demo slide, the test bed for every claim
//! about magnification, and a training ground whose truth is known everywhere.

mod anatomy;
mod brain;
mod brain_cells;
mod breast;
mod canvas;
mod cells;
mod colon;
pub mod criterion;
pub mod export;
#[cfg(test)]
mod export_tests;
mod fat;
mod frame;
mod glands;
mod ground;
mod hash;
mod labels;
mod material;
#[cfg(test)]
mod pin_tests;
mod render;
mod rings;
pub mod spec;
mod stain;
#[cfg(test)]
mod tests;
mod texture;
mod tubes;

use std::collections::BTreeMap;

use crate::geometry::{LevelRegion, Mpp, UmPoint};
use crate::slide::{
    LevelInfo, MAX_REGION_PX, Rgba, ScaleOrigin, SlideError, SlideHash, SlideInfo, SlideSource,
};

use anatomy::Anatomy;
use frame::{Frame, lattice_step_um};
use render::Renderer;
pub use spec::{ClassInfo, ClassKnobs, PhantomError, PhantomSpec, SlideKnobs, Tissue};

/// The finest scale that a phantom is drawn at by microns: that of the finest spec, µm/px.
const FINEST_MPP: f64 = 0.05;

/// Levels are added until the longest side is at most this, px.
const COARSEST_SIDE_PX: u64 = 1024;

/// The part of a region that lies inside its level, and its place in the region, px.
type Clipped = (Frame, (usize, usize));

/// A slide drawn by formula.
#[derive(Debug)]
pub struct PhantomSource {
    spec: PhantomSpec,
    info: SlideInfo,
    renderer: Renderer,
    lattice_um: f64,
}

impl PhantomSource {
    /// Builds the slide; fast, nothing is drawn yet.
    ///
    /// # Errors
    /// When a knob or the extent is out of its range.
    pub fn new(spec: PhantomSpec) -> Result<Self, PhantomError> {
        spec.validate()?;
        let anatomy: Box<dyn Anatomy> = match spec.tissue {
            Tissue::Brain => Box::new(brain::Brain::new(&spec)),
            Tissue::Breast => Box::new(breast::Breast::new(&spec)),
            Tissue::Colon => Box::new(colon::Colon::new(&spec)),
        };
        let renderer = Renderer::new(&spec, anatomy);
        Ok(Self {
            info: describe(&spec),
            lattice_um: lattice_step_um(spec.base_mpp, spec.base_mpp),
            renderer,
            spec,
        })
    }

    /// What the slide is made from.
    pub fn spec(&self) -> &PhantomSpec {
        &self.spec
    }

    /// The classes, in index order.
    pub fn classes(&self) -> &'static [ClassInfo] {
        self.spec.tissue.classes()
    }

    /// Class index at a position; glass outside the extent.
    pub fn class_at(&self, point: UmPoint) -> u8 {
        self.label_at(point).0
    }

    /// Gland instance at a position; 0 where there is none, and in tissues without glands.
    pub fn instance_at(&self, point: UmPoint) -> u32 {
        if self.spec.tissue.has_glands() {
            self.label_at(point).1
        } else {
            0
        }
    }

    fn label_at(&self, point: UmPoint) -> (u8, u32) {
        let [w, h] = self.spec.extent_um;
        let inside = point.x >= 0.0 && point.y >= 0.0 && point.x < w && point.y < h;
        if !inside {
            return (0, 0);
        }
        labels::label_at(
            self.renderer.anatomy.as_ref(),
            self.lattice_um,
            point.x,
            point.y,
        )
    }

    /// Class at the centre of every pixel of a region, rows from the top; 0 outside the level.
    ///
    /// # Errors
    /// When the level does not exist or the region is larger than [`MAX_REGION_PX`].
    pub fn label_region(&self, level: usize, region: LevelRegion) -> Result<Vec<u8>, SlideError> {
        Ok(self
            .labels(level, region)?
            .into_iter()
            .map(|l| l.0)
            .collect())
    }

    /// Gland instance at the centre of every pixel of a region; 0 where there is none.
    ///
    /// # Errors
    /// As for [`Self::label_region`].
    pub fn instance_region(
        &self,
        level: usize,
        region: LevelRegion,
    ) -> Result<Vec<u32>, SlideError> {
        let glands = self.spec.tissue.has_glands();
        Ok(self
            .labels(level, region)?
            .into_iter()
            .map(|l| if glands { l.1 } else { 0 })
            .collect())
    }

    fn labels(&self, level: usize, region: LevelRegion) -> Result<Vec<(u8, u32)>, SlideError> {
        let clip = self.clip(level, region)?;
        let mut out = vec![(0, 0); region.area_px() as usize];
        if let Some((frame, (left, top))) = clip {
            let labels =
                labels::label_raster(self.renderer.anatomy.as_ref(), self.lattice_um, &frame);
            for (row, line) in labels.chunks_exact(frame.width).enumerate() {
                let at = (top + row) * region.width as usize + left;
                out[at..at + frame.width].copy_from_slice(line);
            }
        }
        Ok(out)
    }

    /// The picture at any scale: `width` × `height` px of `mpp` µm whose top-left corner is at
    /// `origin`. Opaque glass lies beyond the extent. Empty for a scale or size that makes no
    /// sense (mpp not in 0.01–10,000, more than [`MAX_REGION_PX`] pixels).
    pub fn render_um(&self, origin: UmPoint, mpp: f64, width: u32, height: u32) -> Rgba {
        match frame_um(origin, mpp, (width, height)) {
            Some(frame) => self.draw_on_glass(frame, (width, height)),
            None => Rgba::transparent(0, 0),
        }
    }

    /// Class at the centre of every px of the picture that [`Self::render_um`] draws, rows from
    /// the top; glass (0) beyond the extent. Empty where that picture is.
    pub fn labels_um(&self, origin: UmPoint, mpp: f64, width: u32, height: u32) -> Vec<u8> {
        let Some(frame) = frame_um(origin, mpp, (width, height)) else {
            return Vec::new();
        };
        let mut out = vec![0; frame.width * frame.height];
        let Some((part, (left, top))) = self.on_slide(frame) else {
            return out;
        };
        let labels = labels::label_raster(self.renderer.anatomy.as_ref(), self.lattice_um, &part);
        for (row, line) in labels.chunks_exact(part.width).enumerate() {
            let at = (top + row) * width as usize + left;
            for (to, (class, _)) in out[at..at + part.width].iter_mut().zip(line) {
                *to = *class;
            }
        }
        out
    }

    /// The picture of `frame`, glass beyond the extent; only the slide's part is worked on.
    fn draw_on_glass(&self, frame: Frame, (width, height): (u32, u32)) -> Rgba {
        let mut out = Rgba::transparent(width, height);
        let glass = self.info.background_rgb;
        for pixel in out.data.chunks_exact_mut(4) {
            pixel.copy_from_slice(&[glass[0], glass[1], glass[2], 255]);
        }
        if let Some((part, place)) = self.on_slide(frame) {
            self.draw(part, &mut out, place);
        }
        out
    }

    /// The part of `frame` on the slide, and where it lies in the frame.
    fn on_slide(&self, frame: Frame) -> Option<Clipped> {
        let [w, h] = self.spec.extent_um;
        let columns = frame.columns(w * 0.5, w * 0.5);
        let rows = frame.rows(h * 0.5, h * 0.5);
        let part = Frame {
            x0: frame.x0 + columns.start as i64,
            y0: frame.y0 + rows.start as i64,
            width: columns.len(),
            height: rows.len(),
            ..frame
        };
        let some = !columns.is_empty() && !rows.is_empty();
        some.then_some((part, (columns.start, rows.start)))
    }

    /// The part of `region` inside the level, and where it lies in the region.
    fn clip(&self, level: usize, region: LevelRegion) -> Result<Option<Clipped>, SlideError> {
        let fail = |reason: String| SlideError::Region {
            slide: self.info.name.clone(),
            level,
            x: region.x,
            y: region.y,
            reason,
        };
        let Some(info) = self.info.levels.get(level) else {
            return Err(fail(format!("there are {} levels", self.info.levels.len())));
        };
        if region.area_px() > MAX_REGION_PX {
            return Err(fail(format!(
                "{} × {} px are more than one read may ask for",
                region.width, region.height
            )));
        }
        let side = |start: i64, length: u32, full: u64| {
            let full = i64::try_from(full).unwrap_or(i64::MAX);
            (
                start.clamp(0, full),
                start.saturating_add(i64::from(length)).clamp(0, full),
            )
        };
        let (x0, x1) = side(region.x, region.width, info.size_px.0);
        let (y0, y1) = side(region.y, region.height, info.size_px.1);
        if x0 >= x1 || y0 >= y1 {
            return Ok(None);
        }
        let offset = (
            x0.abs_diff(region.x) as usize,
            y0.abs_diff(region.y) as usize,
        );
        let frame = Frame {
            mpp: self.spec.base_mpp * (1_u64 << level) as f64,
            x0,
            y0,
            shift_um: (0.0, 0.0),
            width: (x1 - x0) as usize,
            height: (y1 - y0) as usize,
        };
        Ok(Some((frame, offset)))
    }

    fn draw(&self, frame: Frame, out: &mut Rgba, (left, top): (usize, usize)) {
        let (width, stride) = (frame.width, out.width as usize);
        let canvas = self.renderer.render(frame);
        for (row, line) in canvas.pixels.chunks_exact(width).enumerate() {
            let at = ((top + row) * stride + left) * 4;
            for (bytes, pixel) in out.data[at..at + width * 4].chunks_exact_mut(4).zip(line) {
                // `as u8` saturates: colours beyond the range become its ends.
                bytes.copy_from_slice(&[
                    (pixel[0] + 0.5) as u8,
                    (pixel[1] + 0.5) as u8,
                    (pixel[2] + 0.5) as u8,
                    255,
                ]);
            }
        }
    }
}

impl SlideSource for PhantomSource {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        let clip = self.clip(level, region)?;
        let mut out = Rgba::transparent(region.width, region.height);
        if let Some((frame, offset)) = clip {
            self.draw(frame, &mut out, offset);
        }
        Ok(out)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        Err(SlideError::Associated {
            slide: self.info.name.clone(),
            name: name.to_owned(),
            reason: "a phantom has no label, macro or thumbnail".to_owned(),
        })
    }

    /// Drawn, not resampled: exact at any scale.
    fn read_um(
        &self,
        origin: UmPoint,
        mpp: f64,
        width: u32,
        height: u32,
    ) -> Result<Rgba, SlideError> {
        let drawn = self.render_um(origin, mpp, width, height);
        if mpp >= FINEST_MPP && (drawn.width, drawn.height) == (width, height) {
            return Ok(drawn);
        }
        Err(SlideError::Scale {
            slide: self.info.name.clone(),
            reason: format!("{width} x {height} px of {mpp} µm can't be drawn in one picture"),
        })
    }

    fn finest_mpp(&self) -> Option<f64> {
        Some(FINEST_MPP)
    }
}

/// The px of a picture by microns; `None` for a scale or size that makes no sense.
fn frame_um(origin: UmPoint, mpp: f64, (width, height): (u32, u32)) -> Option<Frame> {
    let area = u64::from(width) * u64::from(height);
    let sane = (0.01..=1e4).contains(&mpp) && origin.x.abs() < 1e7 && origin.y.abs() < 1e7;
    if !sane || area == 0 || area > MAX_REGION_PX {
        return None;
    }
    // Positions are split into whole pixels and a rest rounded to 1/1024 px, so that shifting
    // by whole pixels shifts the picture exactly.
    let split = |v: f64| {
        let px = (v / mpp * 1024.0).round() / 1024.0;
        (px.floor() as i64, (px - px.floor()) * mpp)
    };
    let ((x0, sx), (y0, sy)) = (split(origin.x), split(origin.y));
    Some(Frame {
        mpp,
        x0,
        y0,
        shift_um: (sx, sy),
        width: width as usize,
        height: height as usize,
    })
}

fn describe(spec: &PhantomSpec) -> SlideInfo {
    let full = spec
        .extent_um
        .map(|um| (um / spec.base_mpp).round().max(1.0) as u64);
    let mut levels = Vec::new();
    let mut factor = 1_u64;
    loop {
        let size_px = (full[0].div_ceil(factor), full[1].div_ceil(factor));
        let scale = (factor as f64, factor as f64);
        levels.push(LevelInfo {
            size_px,
            scale,
            native_tile_px: Some((256, 256)),
        });
        if size_px.0.max(size_px.1) <= COARSEST_SIDE_PX {
            break;
        }
        factor *= 2;
    }
    SlideInfo {
        name: format!("Phantom {}, seed {}", spec.tissue.name(), spec.seed),
        path: None,
        vendor: "phantom".to_owned(),
        levels,
        mpp: Mpp::square(spec.base_mpp),
        scale_origin: ScaleOrigin::Mpp,
        objective_power: Some(10.0 / spec.base_mpp),
        bounds: None,
        background_rgb: [243, 242, 244],
        icc_profile: None,
        properties: properties(spec),
        associated: Vec::new(),
        hash: SlideHash(spec.hash()),
    }
}

fn properties(spec: &PhantomSpec) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let mut put = |key: &str, value: String| map.insert(format!("phantom.{key}"), value);
    put("tissue", spec.tissue.name().to_owned());
    put("seed", spec.seed.to_string());
    put(
        "extent_um",
        format!("{} x {}", spec.extent_um[0], spec.extent_um[1]),
    );
    put("base_mpp", spec.base_mpp.to_string());
    put("formula_version", spec::FORMULA_VERSION.to_string());
    let s = &spec.slide;
    put("slide.haematoxylin", s.haematoxylin.to_string());
    put("slide.eosin", s.eosin.to_string());
    put("slide.stain_jitter", s.stain_jitter.to_string());
    put("slide.blur_um", s.blur_um.to_string());
    put("slide.noise", s.noise.to_string());
    for class in spec.tissue.classes() {
        let k = spec.knobs(class.name);
        let text = format!(
            "frequency {}, variability {}, ambiguity {} um, similarity {}",
            k.frequency, k.variability, k.ambiguity_um, k.similarity
        );
        put(&format!("class.{}", class.name), text);
    }
    map
}

//! A picture of a slide without a window, through the same planner, shaders and passes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::ensure;
use rayon::prelude::*;

use crate::geometry::{ScreenPoint, ScreenSize, ScreenVector, View};
use crate::slide::{Rgba, SlideError, SlideSource};
use crate::tiles::queue::ViewSlot;
use crate::tiles::reduce::{TileFailure, read_tile};
use crate::tiles::{SlideId, TileKey, TilePlan, TilePyramid, plan};

use super::device::Headless;
use super::overlay::pages_seen;
use super::read_picture::read_picture;
use super::{
    ColourTable, DisplayAdjust, OverlayInput, OverlayRenderer, OverlayStyle, SceneInput,
    SlideRenderer, TileStore, UploadBudget,
};

/// The format of off-screen pictures: the one that egui prefers for windows.
pub const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// The slide being drawn, which is the only one here.
const SLIDE: SlideId = SlideId(0);

/// Tiles that are held for one part of a picture; a picture that needs more is drawn in parts.
/// Every device has atlas layers for two parts: those of the part before are the last to go.
const MOST_TILES: usize = 128;

/// The same for the pages of an overlay.
const MOST_PAGES: usize = 128;

/// The longest side of a part, px: every device can draw it.
const MOST_SIDE_PX: u32 = 4096;

/// The largest picture, px: 1 GiB.
const MOST_PX: f64 = 16_384.0 * 16_384.0;

/// A finished picture and the tiles that could not be read for it.
pub struct Picture {
    /// Opaque RGBA.
    pub pixels: Rgba,
    /// What failed; those tiles are drawn as marked grey.
    pub failures: Vec<SlideError>,
    /// How many tiles it was drawn from, those that failed among them.
    pub tiles: usize,
}

/// Draws slides into memory.
pub struct Offscreen {
    gpu: Headless,
    renderer: SlideRenderer,
    overlay: OverlayRenderer,
}

/// Tiles read before a part is drawn.
#[derive(Default)]
struct ReadTiles {
    tiles: HashMap<TileKey, Arc<Rgba>>,
    failed: HashSet<TileKey>,
}

impl TileStore for ReadTiles {
    fn tile(&self, key: &TileKey) -> Option<Arc<Rgba>> {
        self.tiles.get(key).cloned()
    }

    fn unreadable(&self, keys: &[TileKey]) -> Vec<TileKey> {
        let failed = |key: &&TileKey| self.failed.contains(key);
        keys.iter().filter(failed).copied().collect()
    }
}

/// A rectangle of the picture, px.
#[derive(Clone, Copy)]
struct Part {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Part {
    /// What `whole` shows in this part.
    fn view(&self, whole: &View) -> View {
        let middle = |start: u32, length: u32| f64::from(start) + f64::from(length) / 2.0;
        let center = ScreenPoint::new(middle(self.left, self.width), middle(self.top, self.height));
        View {
            center: whole.slide_at(center),
            size: ScreenSize::new(self.width.into(), self.height.into()),
            ..*whole
        }
    }

    fn longer_side_px(&self) -> u32 {
        self.width.max(self.height)
    }

    /// `whole`'s swipe as a share of this part's width; beyond 0 to 1 where it lies outside.
    fn style(&self, whole: &OverlayInput<'_>) -> OverlayStyle {
        let width = whole.view.size.width.round();
        let from_left = |swipe: f32| f64::from(swipe) * width - f64::from(self.left);
        let in_part = |swipe: f32| (from_left(swipe) / f64::from(self.width)) as f32;
        OverlayStyle {
            swipe: whole.style.swipe.map(in_part),
            ..whole.style.clone()
        }
    }

    /// Both halves, cut across the longer side.
    fn halves(self) -> [Self; 2] {
        let mut halves = [self; 2];
        if self.width >= self.height {
            halves[0].width = self.width / 2;
            halves[1].width -= halves[0].width;
            halves[1].left += halves[0].width;
        } else {
            halves[0].height = self.height / 2;
            halves[1].height -= halves[0].height;
            halves[1].top += halves[0].height;
        }
        halves
    }
}

/// What does not change from part to part.
struct Subject<'a> {
    source: &'a dyn SlideSource,
    pyramid: TilePyramid,
    view: &'a View,
    display: &'a DisplayAdjust,
    outside_rgb: [u8; 3],
    overlay: Option<&'a OverlayInput<'a>>,
}

impl Offscreen {
    /// Opens a device of its own.
    ///
    /// # Errors
    /// When there is no graphics adapter, not even a software one.
    pub fn open() -> anyhow::Result<Self> {
        let gpu = Headless::open()?;
        let renderer = SlideRenderer::new(gpu.device.clone(), gpu.queue.clone(), FORMAT);
        let overlay = OverlayRenderer::new(gpu.shared(), FORMAT);
        Ok(Self {
            gpu,
            renderer,
            overlay,
        })
    }

    /// The adapter that draws.
    pub fn adapter_info(&self) -> wgpu::AdapterInfo {
        self.gpu.adapter.get_info()
    }

    /// Draws what `view` shows of a slide; outside the slide the picture is `outside_rgb`.
    ///
    /// # Errors
    /// When the picture is larger than 2^28 px, the colour profile is damaged, or the
    /// device fails. Tiles that can't be read are drawn as marked grey and listed instead.
    pub fn draw(
        &mut self,
        source: &dyn SlideSource,
        view: &View,
        display: &DisplayAdjust,
        outside_rgb: [u8; 3],
    ) -> anyhow::Result<Picture> {
        self.draw_with(source, view, display, outside_rgb, None)
    }

    /// As [`Self::draw`], with an overlay on top, whose view is to be `view`. Only what its page
    /// stores have now is drawn.
    ///
    /// # Errors
    /// As for [`Self::draw`].
    pub fn draw_with(
        &mut self,
        source: &dyn SlideSource,
        view: &View,
        display: &DisplayAdjust,
        outside_rgb: [u8; 3],
        overlay: Option<&OverlayInput<'_>>,
    ) -> anyhow::Result<Picture> {
        let whole = checked_size(view)?;
        self.renderer.remove_slide(SLIDE);
        if let (true, Some(profile)) = (display.use_profile, &source.info().icc_profile) {
            self.renderer
                .set_profile(SLIDE, &ColourTable::from_icc(profile)?);
        }
        let subject = Subject {
            source,
            pyramid: TilePyramid::new(source.info()),
            view,
            display,
            outside_rgb,
            overlay,
        };
        self.draw_parts(&subject, whole)
    }

    /// Draws part after part, so that neither memory nor the atlas limits a picture.
    fn draw_parts(&mut self, subject: &Subject<'_>, whole: Part) -> anyhow::Result<Picture> {
        let mut picture = Picture {
            pixels: Rgba::transparent(whole.width, whole.height),
            failures: Vec::new(),
            tiles: 0,
        };
        let mut store = ReadTiles::default();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            let view = part.view(subject.view);
            let mut plan = plan(SLIDE, &subject.pyramid, &view, ScreenVector::zero());
            let overlay = subject.overlay;
            let pages = overlay.map_or(0, |overlay| pages_seen(overlay, &view));
            let too_much = plan.sharp.len() > MOST_TILES
                || pages > MOST_PAGES
                || part.longer_side_px() > MOST_SIDE_PX;
            if too_much && part.longer_side_px() > 1 {
                let [first, second] = part.halves();
                parts.extend([second, first]);
                continue;
            }
            // Nothing moves here: only what the picture shows is read.
            plan.wanted.clone_from(&plan.sharp);
            store.advance(subject, &plan.sharp, &mut picture);
            self.prepare_overlay(subject, part, &view)?;
            let pixels = self.draw_part(subject, &view, &plan, &store)?;
            picture.pixels.paste(&pixels, part.left, part.top);
        }
        Ok(picture)
    }

    /// Without an overlay there is none left from the picture before either.
    fn prepare_overlay(
        &mut self,
        subject: &Subject<'_>,
        part: Part,
        view: &View,
    ) -> anyhow::Result<()> {
        self.overlay.begin_frame();
        let Some(overlay) = subject.overlay else {
            self.overlay.clear(ViewSlot(0));
            return Ok(());
        };
        let style = part.style(overlay);
        let input = OverlayInput {
            view,
            style: &style,
            ..*overlay
        };
        let coverage = self
            .overlay
            .prepare(ViewSlot(0), &input, &mut UploadBudget::unlimited());
        ensure!(
            coverage.missing == 0,
            "the graphics device has no room for {} pages of the overlay",
            coverage.missing
        );
        Ok(())
    }

    fn draw_part(
        &mut self,
        subject: &Subject<'_>,
        view: &View,
        plan: &TilePlan,
        store: &ReadTiles,
    ) -> anyhow::Result<Rgba> {
        let input = SceneInput {
            slide: SLIDE,
            pyramid: &subject.pyramid,
            view,
            plan,
            background_rgb: subject.source.info().background_rgb,
            store,
            display: subject.display,
        };
        self.renderer.begin_frame();
        let coverage = self
            .renderer
            .prepare(ViewSlot(0), &input, &mut UploadBudget::unlimited());
        ensure!(
            coverage.missing == 0,
            "the graphics device has no room for {} tiles",
            coverage.missing
        );
        let (width, height) = (view.size.width as u32, view.size.height as u32);
        self.paint_and_read_back(width, height, subject.outside_rgb)
    }

    fn paint_and_read_back(
        &self,
        width: u32,
        height: u32,
        outside_rgb: [u8; 3],
    ) -> anyhow::Result<Rgba> {
        let device = &self.gpu.device;
        let size = wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        };
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("picture"),
        });
        self.paint(&mut encoder, &target, outside_rgb);
        self.gpu.queue.submit([encoder.finish()]);
        read_picture(&self.gpu, &target)
    }

    fn paint(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Texture,
        outside_rgb: [u8; 3],
    ) {
        let [r, g, b] = outside_rgb.map(|v| f64::from(v) / 255.0);
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("picture"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        self.renderer.paint(ViewSlot(0), &mut pass);
        self.overlay.paint(ViewSlot(0), &mut pass);
    }
}

impl ReadTiles {
    /// Reads those of `keys` that are not held from the part before, and drops all others.
    fn advance(&mut self, subject: &Subject<'_>, keys: &[TileKey], picture: &mut Picture) {
        let wanted: HashSet<TileKey> = keys.iter().copied().collect();
        self.tiles.retain(|key, _| wanted.contains(key));
        self.failed.retain(|key| wanted.contains(key));
        let is_new = |key: &&TileKey| !self.tiles.contains_key(key) && !self.failed.contains(key);
        let new: Vec<TileKey> = keys.iter().filter(is_new).copied().collect();
        picture.tiles += new.len();
        for (key, result) in read_all(subject, &new) {
            match result {
                Ok(tile) => {
                    self.tiles.insert(key, Arc::new(tile));
                }
                Err(TileFailure::Slide(error)) => {
                    self.failed.insert(key);
                    picture.failures.push(error);
                }
                Err(TileFailure::Cancelled) => {}
            }
        }
    }
}

fn read_all(subject: &Subject<'_>, keys: &[TileKey]) -> Vec<(TileKey, Result<Rgba, TileFailure>)> {
    let (source, pyramid) = (subject.source, &subject.pyramid);
    let read = |key: &TileKey| {
        let level = pyramid.level(key.level)?;
        let tile = read_tile(source, level, (key.col, key.row), &|| true);
        Some((*key, tile))
    };
    keys.par_iter().filter_map(read).collect()
}

/// The view's size, each side at least 1 px.
fn checked_size(view: &View) -> anyhow::Result<Part> {
    let (width, height) = (view.size.width.round(), view.size.height.round());
    ensure!(
        width >= 1.0 && height >= 1.0 && width * height <= MOST_PX,
        "a picture of {width}x{height} px: it must have 1 to {MOST_PX} px"
    );
    Ok(Part {
        left: 0,
        top: 0,
        width: width as u32,
        height: height as u32,
    })
}

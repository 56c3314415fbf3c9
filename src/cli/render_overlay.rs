//! What `parfocal render` draws over a slide: a mask from elsewhere, or what a model says of the
//! field, by the engine of the window.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::{Args, ValueEnum};

use super::compute::DeviceChoice;
use super::parse;
use super::render_show::Show;
use super::warn_user;
use crate::annotate::open_mask;
use crate::app::export::{FieldOverlay, HeatScale};
use crate::app::marks::DialPreset;
use crate::app::overlay::{AnalysisMode, DIFFERENCE_NAMES, DIFFERENCE_PALETTE, DrawnLayer};
use crate::geometry::{Magnification, Mpp, View};
use crate::gpu::overlay::{
    LayerKey, OverlayContent, OverlayShape, OverlayStyle, PageStore, class_palette,
};
use crate::jobs::live::engine_for;
use crate::jobs::on_compute_thread;
use crate::labels::{LabelClass, LabelError, LabelSource, Page, PageId, Raster};
use crate::model::ReadyModel;
use crate::model::shipped::{self, STARTER_NOTICE};
use crate::model::weights::WeightsSource;
use crate::segment::export::MapOrigin;
use crate::segment::fusion::Fusion;
use crate::segment::live::{
    FieldWish, Limits, LiveStatus, MAGNIFICATIONS, SharedLayers, Step, Wish, magnifications_of,
};
use crate::slide::scaled::Scaled;
use crate::slide::{SlideInfo, SlideSource};

/// The engine's number for the only slide here.
const SLIDE: u64 = 0;

/// A picture of which at least so much was analysed is: cells at its edge may be cut.
const ALL_KNOWN: f64 = 0.999;

#[derive(Debug, Args)]
#[command(next_help_heading = "Overlay")]
pub struct OverlayArgs {
    /// A label map (TIFF or PNG) or QuPath's polygons (GeoJSON) to draw on top.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    overlay: Option<PathBuf>,
    /// Names and colours of a label map's codes (TOML, JSON or CSV).
    #[arg(long, value_name = "FILE", requires = "overlay")]
    classes: Option<PathBuf>,
    /// Segment the field as the window does: breast, brain, or a decoder's weights file.
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Attention bias to use in place of the model's own (JSON).
    #[arg(long, value_name = "FILE", requires = "model")]
    bias: Option<PathBuf>,
    /// Dials to set: a preset that the window exported (JSON), made with this model.
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with = "bias")]
    dials: Option<PathBuf>,
    /// What is shown of the model: classes, probability, probability:NAME of a class, entropy, or
    /// agreement: where the finest magnification and one a factor of 4 coarser differ.
    #[arg(long, value_name = "WHAT", requires = "model", default_value = "classes", value_parser = Show::parse)]
    show: Show,
    /// Analyse at this magnification alone: 5, 10, 20 or 40. Without, at the one nearest to the
    /// picture's, with its context.
    #[arg(long, value_name = "MAG", requires = "model", value_parser = parse::magnification, allow_negative_numbers = true)]
    pin: Option<f64>,
    /// What the model computes on.
    #[arg(long, value_enum, default_value = "cpu", requires = "model")]
    device: DeviceChoice,
    /// Of areas, 0 to 1.
    #[arg(long, default_value_t = 0.45, value_parser = parse::within(0.0, 1.0), allow_negative_numbers = true)]
    opacity: f32,
    /// How regions are drawn.
    #[arg(long, value_enum, default_value = "area")]
    regions: Regions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Regions {
    Area,
    Border,
    Both,
}

/// An overlay that is ready to be drawn.
pub struct Overlay {
    raster: Raster,
    pages: Arc<Pages>,
    style: OverlayStyle,
    what: String,
    classes: Vec<LabelClass>,
    /// Whether a model made it that ships as a start.
    is_starter: bool,
    origin: Option<MapOrigin>,
    /// What a heat map's value is.
    heat: Option<HeatScale>,
    notes: Vec<(String, String)>,
}

/// Where an overlay's pages are from.
pub enum Pages {
    /// A mask, and what went wrong with it last.
    File(Arc<dyn LabelSource>, Mutex<Option<LabelError>>),
    /// A map of the engine's.
    Engine(SharedLayers, crate::segment::live::LayerKey),
}

impl PageStore for Pages {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        match self {
            Self::Engine(layers, key) => layers.page(*key, id),
            Self::File(source, failure) => match source.read_page(id) {
                Ok(page) => Some((page, u64::MAX)),
                Err(error) => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    None
                }
            },
        }
    }
}

impl Pages {
    /// Why some of a mask could not be read.
    pub fn failure(&self) -> Option<String> {
        let Self::File(_, failure) = self else {
            return None;
        };
        let failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(ToString::to_string)
    }
}

impl Overlay {
    /// Its pages, to hear of what went wrong with them.
    pub fn pages(&self) -> Arc<Pages> {
        Arc::clone(&self.pages)
    }

    /// To be drawn.
    pub fn into_field(self) -> FieldOverlay {
        let notice = self.is_starter.then(|| STARTER_NOTICE.to_owned());
        FieldOverlay {
            layers: vec![DrawnLayer {
                key: LayerKey(0),
                raster: self.raster,
                pages: self.pages,
                is_provisional: false,
            }],
            before_layers: Vec::new(),
            style: self.style,
            what: self.what,
            classes: self.classes,
            heat: self.heat,
            notices: notice.into_iter().collect(),
            origin: self.origin,
            notes: self.notes,
        }
    }
}

impl OverlayArgs {
    /// Opens the mask or runs the model on what `view` shows; none where neither is asked for.
    ///
    /// # Errors
    /// When a file can't be used, the slide has no scale for a model, or the model fails.
    pub fn open(
        &self,
        slide: &Arc<dyn SlideSource>,
        mpp: Option<Mpp>,
        view: &View,
    ) -> anyhow::Result<Option<Overlay>> {
        let slide: Arc<dyn SlideSource> = match mpp {
            Some(mpp) => Arc::new(Scaled::new(Arc::clone(slide), mpp)),
            None => Arc::clone(slide),
        };
        match (&self.overlay, &self.model) {
            (Some(path), _) => self.mask(path, slide.info()).map(Some),
            (None, Some(name)) => self.segmented(name, &slide, view).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn mask(&self, path: &Path, slide: &SlideInfo) -> anyhow::Result<Overlay> {
        let mask = open_mask(path, self.classes.as_deref(), slide)?;
        for warning in &mask.warnings {
            warn_user(&format!("warning: {warning}"));
        }
        let source = mask.labels;
        let classes = source.classes().to_vec();
        let colours = classes.iter().map(|class| class.rgb);
        let palette = colours.map(|[r, g, b]| [r, g, b, 255]).collect();
        Ok(Overlay {
            raster: source.raster(),
            pages: Arc::new(Pages::File(source, Mutex::new(None))),
            style: self.style(palette),
            origin: None,
            notes: vec![("Overlay".to_owned(), mask.name.clone())],
            what: mask.name,
            heat: None,
            classes,
            is_starter: false,
        })
    }

    fn segmented(
        &self,
        name: &str,
        slide: &Arc<dyn SlideSource>,
        view: &View,
    ) -> anyhow::Result<Overlay> {
        let device = self.device.open()?;
        let source = WeightsSource::named(name, &shipped::decoders());
        let run = || -> anyhow::Result<_> {
            let mut model = ReadyModel::open(&source, None, self.bias.as_deref(), &device)?;
            let offsets = self.set_dials(&mut model)?;
            let wish = self.wish(&model, offsets, slide, view)?;
            let layers = SharedLayers::default();
            let status = analyse(&model, wish.clone(), &layers);
            Ok((model, wish, layers, status))
        };
        let (model, wish, layers, status) = on_compute_thread(run).map_err(|e| anyhow!(e))??;
        if let Some(failure) = &status.failure {
            warn_user(&format!("warning: tiles could not be analysed: {failure}"));
        }
        let areas = status.areas.as_ref();
        if let Some(areas) = areas.filter(|areas| areas.known < ALL_KNOWN) {
            let known = areas.known * 100.0;
            warn_user(&format!(
                "warning: {known:.0} % of the picture is analysed, its middle: ask for less of the \
                 slide or a coarser analysis (--pin)"
            ));
        }
        let analysis = wish
            .fields
            .first()
            .map(|field| field.analysis)
            .context("nothing was analysed")?;
        let key = crate::segment::live::LayerKey {
            slide: SLIDE,
            analysis,
        };
        let shown = wish.shown_class.and_then(|n| model.card.classes.get(n));
        let shown = shown.map(|class| class.name.clone());
        let (classes, palette) = self.drawn_classes(&model);
        let origin = MapOrigin {
            model: source.short_name(),
            decoder_sha256: model.decoder_sha256,
            encoder_sha256: model.card.encoder_sha256,
            bias: model.bias,
            output_offsets: wish.offsets,
            analysis,
        };
        // Of one class it would say nothing of how sure the choice is.
        let areas = areas.filter(|_| shown.is_none());
        let probability = areas.and_then(|areas| areas.probability);
        let probability =
            probability.map(|mean| ("Mean-Probability".to_owned(), format!("{mean:.3}")));
        Ok(Overlay {
            raster: layers.raster(key).context("nothing was analysed")?,
            pages: Arc::new(Pages::Engine(layers, key)),
            style: self.style(palette),
            what: format!("{}, {analysis}", origin.model),
            origin: Some(origin),
            heat: HeatScale::of(
                self.show.content(),
                self.show == Show::Agreement,
                shown.as_deref(),
            ),
            notes: probability.into_iter().collect(),
            classes,
            is_starter: matches!(source, WeightsSource::Shipped(_)),
        })
    }

    /// Turns the dials to what is asked for: those of the attention in the model's bias; the output
    /// offsets, by class, are the answer.
    fn set_dials(&self, model: &mut ReadyModel) -> anyhow::Result<Vec<f32>> {
        let Some(path) = &self.dials else {
            return Ok(vec![0.0; model.card.classes.len()]);
        };
        let saved = DialPreset::read(path).map_err(|reason| anyhow!(reason))?;
        let classes = model.bias.classes().to_vec();
        let fitting = saved.for_model(&classes, &model.decoder_sha256);
        let (offsets, outputs) = fitting.map_err(|reason| {
            anyhow!(
                "{}: the dials '{}' can't be used here: {reason}",
                path.display(),
                saved.name
            )
        })?;
        for (class, offset) in classes.iter().zip(offsets) {
            model.bias.set_offset(class, offset)?;
        }
        Ok(outputs)
    }

    /// What codes of the map stand for, and how they are coloured.
    fn drawn_classes(&self, model: &ReadyModel) -> (Vec<LabelClass>, Vec<[u8; 4]>) {
        if self.show == Show::Agreement {
            let classes = DIFFERENCE_NAMES.iter().zip(DIFFERENCE_PALETTE);
            let class = |(name, [r, g, b, _]): (&&str, [u8; 4])| LabelClass {
                name: (*name).to_owned(),
                rgb: [r, g, b],
            };
            return (classes.map(class).collect(), DIFFERENCE_PALETTE.to_vec());
        }
        let own = model.card.classes.iter().map(|class| LabelClass {
            name: class.name.clone(),
            rgb: class.colour,
        });
        let classes: Vec<LabelClass> = own.collect();
        let colours: Vec<[u8; 3]> = classes.iter().map(|class| class.rgb).collect();
        (classes, class_palette(&colours))
    }

    fn wish(
        &self,
        model: &ReadyModel,
        offsets: Vec<f32>,
        slide: &Arc<dyn SlideSource>,
        view: &View,
    ) -> anyhow::Result<Wish> {
        let info = slide.info();
        let mpp = info.mpp.with_context(|| {
            format!(
                "{} does not state its scale: give it as in --slide-mpp 0.25",
                info.name
            )
        })?;
        let mode = match self.pin {
            None => self.show.mode(),
            Some(_) if self.show == Show::Agreement => {
                bail!("--show agreement is of two magnifications: leave --pin out")
            }
            Some(pin) => AnalysisMode::Pinned(place_of(Magnification(pin))?),
        };
        let available = magnifications_of(info, model.card.mpp);
        let um_per_px = view.slide_px_per_screen_px * mpp.x;
        let fusion = Fusion::of_decoder(&model.decoder_sha256);
        let analysis = mode.analysis(&available, um_per_px, &fusion);
        let analysis = analysis.with_context(|| {
            let list: Vec<String> = available.iter().map(ToString::to_string).collect();
            let two = match self.show {
                Show::Agreement => "agreement is of two magnifications a factor of 4 apart; ",
                _ => "",
            };
            format!("{two}{} can be analysed at: {}", info.name, list.join(", "))
        })?;
        let names = model.card.class_names();
        Ok(Wish {
            fields: vec![FieldWish {
                slide: Arc::clone(slide),
                slide_id: SLIDE,
                analysis,
                seen: view.bounding_rect(),
                center: view.center,
            }],
            bias: model.bias.total(),
            offsets,
            shown_class: self.show.class(&names)?,
        })
    }

    fn style(&self, palette: Vec<[u8; 4]>) -> OverlayStyle {
        OverlayStyle {
            opacity: self.opacity,
            shape: match self.regions {
                Regions::Area => OverlayShape::Fill,
                Regions::Border => OverlayShape::Outline,
                Regions::Both => OverlayShape::Both,
            },
            content: match self.model {
                Some(_) => self.show.content(),
                None => OverlayContent::Classes,
            },
            // As in the window: where maps differ stays visible, however little it is.
            show_any: self.model.is_some() && self.show == Show::Agreement,
            veils_rest: self.model.is_some() && self.show == Show::Agreement,
            palette,
            ..OverlayStyle::default()
        }
    }
}

fn place_of(magnification: Magnification) -> anyhow::Result<u8> {
    let found = MAGNIFICATIONS.iter().position(|of| *of == magnification);
    ensure!(
        found.is_some(),
        "--pin {magnification}: slides are analysed at 5x, 10x, 20x and 40x"
    );
    Ok(found.unwrap_or_default() as u8)
}

/// Works until the field is done.
fn analyse(model: &ReadyModel, wish: Wish, layers: &SharedLayers) -> LiveStatus {
    let mut engine = engine_for(model, Limits::default(), layers.clone());
    engine.ask(wish);
    while engine.step() == Step::Worked {}
    engine.status()
}

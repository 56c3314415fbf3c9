//! The picture of a view as a file, drawn anew off screen by the passes of the window.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use egui::FontInsert;

use crate::app::overlay::DrawnLayer;
use crate::geometry::{Mpp, ScaleBar, View};
use crate::gpu::offscreen::{Offscreen, Picture};
use crate::gpu::overlay::OverlayLayer;
use crate::gpu::{DisplayAdjust, OverlayInput, OverlayStyle};
use crate::labels::LabelClass;
use crate::segment::export::MapOrigin;
use crate::slide::{SlideInfo, SlideSource};

use super::legend::{HeatScale, Legend, PagesAtHand, field_codes};
use super::paint::{StripContent, with_strip};
use super::png;
use super::provenance::FieldProvenance;

/// A scale bar is not longer than this, points, nor than this share of the picture.
const LONGEST_BAR_PT: f64 = 160.0;
const LONGEST_BAR_SHARE: f64 = 0.4;

/// The overlay of a field, and what there is to say of it.
pub struct FieldOverlay {
    /// What is drawn, finest first.
    pub layers: Vec<DrawnLayer>,
    /// What is drawn instead to the left of a swipe.
    pub before_layers: Vec<DrawnLayer>,
    /// How it looks on screen.
    pub style: OverlayStyle,
    /// What it is, in a few words: model and magnification, or the mask's name.
    pub what: String,
    /// What codes stand for.
    pub classes: Vec<LabelClass>,
    /// What a heat map's value is; see [`Legend::of`].
    pub heat: Option<HeatScale>,
    /// What a reader has to know besides, such as [`crate::model::shipped::STARTER_NOTICE`].
    pub notices: Vec<String>,
    /// What it was made by, where a model made it.
    pub origin: Option<MapOrigin>,
    /// What else it follows from: keywords and words for the file.
    pub notes: Vec<(String, String)>,
}

/// A picture to be drawn, with everything that it needs: another thread may draw it.
pub struct FieldPicture {
    /// The slide.
    pub slide: Arc<dyn SlideSource>,
    /// The scale that is used for it.
    pub mpp: Option<Mpp>,
    /// What a window shows of it.
    pub view: View,
    /// Px of that window a point.
    pub px_per_pt: f32,
    /// Px of the picture for each px of the window along both axes: 1, 2 …
    pub enlarged: u32,
    /// Colours.
    pub display: DisplayAdjust,
    /// What lies on it.
    pub overlay: Option<FieldOverlay>,
    /// Whether a scale bar stands below it.
    pub scale_bar: bool,
    /// Which of the overlay's classes stand below it.
    pub legend: LegendClasses,
    /// When it is made; none keeps equal pictures equal files.
    pub created: Option<SystemTime>,
}

/// Which classes a legend lists; hidden ones never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LegendClasses {
    /// There is no legend.
    #[default]
    None,
    /// Those that are in the picture.
    InPicture,
    /// All, for pictures that stand side by side.
    All,
}

/// A finished file, and what a person should know of it.
pub struct FieldPng {
    /// The file.
    pub bytes: Vec<u8>,
    /// In words; empty where all is well.
    pub warnings: Vec<String>,
}

impl FieldPicture {
    /// Draws the picture, from the tiles of the slide and from the pages of the overlay that are at
    /// hand now. `fonts` as in [`super::Lettering::new`].
    ///
    /// # Errors
    /// As for [`Offscreen::draw_with`], and when no tile at all can be read.
    pub fn png(&self, offscreen: &mut Offscreen, fonts: &[FontInsert]) -> anyhow::Result<FieldPng> {
        let overlay = self.overlay.as_ref();
        let (now, before) = (
            overlay.map_or(&[][..], |overlay| &overlay.layers),
            overlay.map_or(&[][..], |overlay| &overlay.before_layers),
        );
        // Each page is taken once: what the legend lists is what is drawn.
        let (held, held_before) = (PagesAtHand::of(now), PagesAtHand::of(before));
        let layers = PagesAtHand::layers(&held, now);
        let before = PagesAtHand::layers(&held_before, before);
        let picture = self.draw(offscreen, &layers, &before)?;
        let mut warnings: Vec<String> = failed_tiles(&picture, self.slide.info())?
            .into_iter()
            .collect();
        let content = StripContent {
            bar: self.scale_bar.then(|| self.bar()).flatten(),
            legend: overlay.and_then(|overlay| self.legend_of(overlay, &layers, &before)),
        };
        let scale = self.px_per_pt * self.enlarged.max(1) as f32;
        let labelled = with_strip(picture.pixels, &content, scale, fonts);
        let unwritten = labelled.unwritten.iter();
        warnings.extend(unwritten.map(|text| {
            format!("there are no letters for all of '{text}': the legend has their numbers")
        }));
        let bytes = png::encode(&labelled.pixels, &self.provenance())?;
        Ok(FieldPng { bytes, warnings })
    }

    /// The same field with more px.
    fn enlarged_view(&self) -> View {
        let factor = f64::from(self.enlarged.max(1));
        View {
            size: self.view.size * factor,
            slide_px_per_screen_px: self.view.slide_px_per_screen_px / factor,
            ..self.view
        }
    }

    fn draw(
        &self,
        offscreen: &mut Offscreen,
        layers: &[OverlayLayer<'_>],
        before_layers: &[OverlayLayer<'_>],
    ) -> anyhow::Result<Picture> {
        let view = self.enlarged_view();
        let style = self.overlay.as_ref().map(|overlay| OverlayStyle {
            outline_px: overlay.style.outline_px * self.enlarged.max(1) as f32,
            ..overlay.style.clone()
        });
        let input = style.as_ref().map(|style| OverlayInput {
            view: &view,
            layers,
            before_layers,
            style,
        });
        let (slide, background_rgb) = (self.slide.as_ref(), self.slide.info().background_rgb);
        offscreen
            .draw_with(slide, &view, &self.display, background_rgb, input.as_ref())
            .with_context(|| format!("{} can't be drawn", slide.info().name))
    }

    /// The scale bar that suits the picture, in its px.
    fn bar(&self) -> Option<ScaleBar> {
        let view = self.enlarged_view();
        let longest = LONGEST_BAR_PT * f64::from(self.px_per_pt) * f64::from(self.enlarged.max(1));
        let longest = longest.min(view.size.width * LONGEST_BAR_SHARE);
        ScaleBar::new(view.slide_px_per_screen_px, self.mpp, longest)
    }

    fn legend_of(
        &self,
        overlay: &FieldOverlay,
        layers: &[OverlayLayer<'_>],
        before_layers: &[OverlayLayer<'_>],
    ) -> Option<Legend> {
        let style = &overlay.style;
        let codes = match self.legend {
            LegendClasses::None => return None,
            LegendClasses::All => None,
            LegendClasses::InPicture => {
                let mut codes: BTreeSet<u8> = field_codes(&self.view, layers, style);
                if style.swipe.is_some() {
                    codes.extend(field_codes(&self.view, before_layers, style));
                }
                Some(codes)
            }
        };
        let heat = overlay.heat.as_ref();
        let legend = Legend::of(&overlay.what, style, &overlay.classes, codes.as_ref(), heat);
        let turned = overlay.origin.iter().flat_map(MapOrigin::turned);
        let notices = overlay.notices.iter().cloned();
        Some(Legend {
            notes: legend
                .notes
                .iter()
                .cloned()
                .chain(turned)
                .chain(notices)
                .collect(),
            ..legend
        })
    }

    fn provenance(&self) -> png::Provenance {
        let um_per_slide_px = self.mpp.map(|mpp| mpp.x);
        let provenance = FieldProvenance {
            slide: self.slide.info(),
            um_per_px: um_per_slide_px.map(|um| um * self.enlarged_view().slide_px_per_screen_px),
            use_profile: self.display.use_profile,
            origin: self
                .overlay
                .as_ref()
                .and_then(|overlay| overlay.origin.as_ref()),
            created: self.created,
        };
        let mut provenance = provenance.notes();
        let more = self.overlay.iter().flat_map(|overlay| &overlay.notes);
        provenance.notes.extend(more.cloned());
        provenance
    }
}

/// What to say of tiles that are drawn in grey.
fn failed_tiles(picture: &Picture, info: &SlideInfo) -> anyhow::Result<Option<String>> {
    let (failed, of) = (picture.failures.len(), picture.tiles);
    let Some(first) = picture.failures.first() else {
        return Ok(None);
    };
    if failed == of {
        let path = info.path.as_deref().map(|path| path.display().to_string());
        bail!(
            "{}: no tile can be read, so there is no picture: {}",
            path.as_ref().unwrap_or(&info.name),
            first.reason()
        );
    }
    Ok(Some(format!(
        "{failed} of {of} tiles can't be read and are striped grey; the first: {first}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{ScreenSize, SlidePoint};
    use crate::gpu::device::Headless;
    use crate::gpu::overlay::{LayerKey, PageStore};
    use crate::gpu::paint_tiles::TilePainter;
    use crate::labels::{PAGE_PX, Page, PageId, Raster, Texel};
    use crate::model::dfa::ClassBias;
    use crate::segment::live::Analysis;
    use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

    /// Class 1 everywhere.
    struct Pages(Arc<Page>);

    impl PageStore for Pages {
        fn page(&self, _: PageId) -> Option<(Arc<Page>, u64)> {
            Some((Arc::clone(&self.0), u64::MAX))
        }
    }

    /// 64 x 48 px of 0.5 µm.
    fn field(enlarged: u32) -> FieldPicture {
        let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(325.0, 262.5);
        let slide = PhantomSource::new(spec).unwrap();
        let content = slide.info().content();
        FieldPicture {
            mpp: slide.info().mpp,
            view: View {
                center: SlidePoint::new(700.0, 600.0),
                slide_px_per_screen_px: 2.0,
                ..View::fit(content, 1.0, ScreenSize::new(64.0, 48.0))
            },
            slide: Arc::new(slide),
            px_per_pt: 1.0,
            enlarged,
            display: DisplayAdjust::default(),
            overlay: None,
            scale_bar: false,
            legend: LegendClasses::None,
            created: None,
        }
    }

    fn overlay() -> FieldOverlay {
        let mut page = Page::new(1);
        page.texels_mut().fill(Texel::of(1));
        let class = |name: &str| LabelClass {
            name: name.into(),
            rgb: [1, 2, 3],
        };
        FieldOverlay {
            layers: vec![DrawnLayer {
                key: LayerKey(0),
                raster: Raster {
                    slide_px_per_px: (8.0, 8.0),
                    size_px: (PAGE_PX, PAGE_PX),
                },
                pages: Arc::new(Pages(Arc::new(page))),
                is_provisional: false,
            }],
            before_layers: Vec::new(),
            style: OverlayStyle {
                opacity: 1.0,
                palette: vec![[9, 9, 9, 255], [10, 200, 30, 255]],
                ..OverlayStyle::default()
            },
            what: "mask.tif".into(),
            classes: ["fat", "gland"].map(class).to_vec(),
            heat: None,
            notices: vec!["Research use.".into()],
            origin: None,
            notes: vec![("Overlay".into(), "mask.tif".into())],
        }
    }

    #[test]
    fn an_enlarged_picture_shows_the_same_field_with_a_longer_bar() {
        assert_eq!(field(2).enlarged_view().corners(), field(1).view.corners());
        let bar = |enlarged: u32| field(enlarged).bar().map(|bar| (bar.text, bar.length));
        assert_eq!(bar(1), Some(("10 µm".into(), 20.0)));
        assert_eq!(bar(2), Some(("10 µm".into(), 40.0)));
        let scale = |enlarged| field(enlarged).provenance().mpp;
        assert_eq!((scale(1), scale(2)), (Some(0.5), Some(0.25)));
    }

    #[test]
    fn the_file_has_picture_strip_and_provenance() {
        let mut offscreen = Offscreen::open().unwrap();
        let plain = field(2).png(&mut offscreen, &[]).unwrap();
        let plain = image::load_from_memory(&plain.bytes).unwrap().into_rgb8();
        assert_eq!(plain.dimensions(), (128, 96));
        let with_all = FieldPicture {
            overlay: Some(overlay()),
            scale_bar: true,
            legend: LegendClasses::InPicture,
            ..field(2)
        };
        let file = with_all.png(&mut offscreen, &[]).unwrap();
        assert!(file.warnings.is_empty());
        let picture = image::load_from_memory(&file.bytes).unwrap().into_rgb8();
        assert!(picture.width() >= 128 && picture.height() > 96 + 100);
        assert_eq!(picture.get_pixel(64, 48).0, [10, 200, 30]);
        let below = picture.enumerate_pixels().filter(|(_, y, _)| *y >= 96);
        let colours: BTreeSet<[u8; 3]> = below.map(|(_, _, px)| px.0).collect();
        assert!(colours.contains(&[10, 200, 30]), "what is in the picture");
        assert!(!colours.contains(&[9, 9, 9]), "and nothing else");
        let texts = png::texts(&file.bytes);
        assert!(texts.contains(&("Overlay".into(), "mask.tif".into())));
        assert!(texts.iter().any(|(keyword, _)| keyword == "Slide-Hash"));
    }

    #[test]
    fn pages_that_a_window_s_device_painted_are_drawn_by_another() {
        let window = Headless::open().unwrap();
        let painter = TilePainter::<()>::new(&window.shared(), 2).unwrap();
        let mut page = Page::new(1);
        page.texels_mut().fill(Texel::of(1));
        painter.texture_of(&mut page).unwrap();
        let mut overlay = overlay();
        overlay.layers[0].pages = Arc::new(Pages(Arc::new(page)));
        let field = FieldPicture {
            overlay: Some(overlay),
            ..field(1)
        };
        let file = field.png(&mut Offscreen::open().unwrap(), &[]).unwrap();
        let picture = image::load_from_memory(&file.bytes).unwrap().into_rgb8();
        assert_eq!(picture.get_pixel(32, 24).0, [10, 200, 30]);
    }

    #[test]
    fn turned_dials_stand_below_the_picture() {
        let names = ["fat", "gland"].map(str::to_owned);
        let mut bias = ClassBias::new(&names, &[0.0, 0.0]).unwrap();
        bias.set_offset("gland", 0.5).unwrap();
        let mut overlay = overlay();
        overlay.origin = Some(MapOrigin {
            model: "m".into(),
            decoder_sha256: "d".into(),
            encoder_sha256: "e".into(),
            bias,
            output_offsets: vec![-0.25, 0.0],
            analysis: Analysis::Plain(2),
        });
        let field = FieldPicture {
            legend: LegendClasses::All,
            ..field(1)
        };
        let notes = field.legend_of(&overlay, &[], &[]).unwrap().notes;
        let turned = ["Bias turned: gland +0.50", "Output offset: fat -0.25"];
        assert_eq!(notes, [turned[0], turned[1], "Research use."]);
    }

    #[test]
    fn all_classes_are_listed_where_asked() {
        let overlay = overlay();
        let field = FieldPicture {
            legend: LegendClasses::All,
            ..field(1)
        };
        let legend = field.legend_of(&overlay, &[], &[]).unwrap();
        assert_eq!(legend.notes, ["Research use."]);
        assert_eq!(legend.title, "mask.tif: areas");
        let listed = format!("{:?}", legend.key);
        assert!(listed.contains("fat") && listed.contains("gland"));
    }
}

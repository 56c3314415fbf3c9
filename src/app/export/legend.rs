//! What an overlay's colours mean.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::app::overlay::{DrawnLayer, NOT_COMPARED};
use crate::geometry::{ScreenPoint, View};
use crate::gpu::overlay::{
    OverlayContent, OverlayLayer, OverlayShape, OverlayStyle, PageStore, VEILED_GLASS_RGB, texel_at,
};
use crate::labels::{LabelClass, Page, PageId};

/// What colours of embeddings mean.
pub const UNNAMED: &str = "alike tissue in alike colours";

/// Px of a field that are looked at for its classes: all of a screen, every second or third of a
/// poster.
const MOST_LOOKED_AT_PX: f64 = 4e6;

/// A class and its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegendClass {
    /// Its name.
    pub name: String,
    /// Its colour in the overlay, sRGB.
    pub rgb: [u8; 3],
}

/// What colours stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegendKey {
    /// Classes, and what is drawn of their regions.
    Classes(Vec<LegendClass>, OverlayShape),
    /// A value from dark to light, and its words for 0 and for the greatest.
    Heat {
        /// What 0 means, such as `0`.
        low: String,
        /// What the greatest value means, such as `1`.
        high: String,
    },
    /// Colours that stand for nothing that has a name.
    Unnamed,
}

/// A legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legend {
    /// What the overlay is: model, magnification, what is drawn. One line.
    pub title: String,
    /// What its colours stand for.
    pub key: LegendKey,
    /// What a reader has to know besides, each on a line of its own.
    pub notes: Vec<String>,
}

impl Legend {
    /// The legend of a class map or heat map in `style`. `what`: model and magnification, or the
    /// mask's name. `occurring`: codes of the classes that are listed where they are visible; none
    /// lists all that are. `heat`: what a heat map's value is where it is not the probability of
    /// each px's own class or the entropy.
    pub fn of(
        what: &str,
        style: &OverlayStyle,
        classes: &[LabelClass],
        occurring: Option<&BTreeSet<u8>>,
        heat: Option<&HeatScale>,
    ) -> Self {
        let usual = HeatScale::of(style.content, false, None);
        let (key, drawn) = match (style.content, heat.or(usual.as_ref())) {
            (OverlayContent::Colours, _) => (LegendKey::Unnamed, UNNAMED),
            (OverlayContent::Value | OverlayContent::Extra, Some(scale)) => {
                let [low, high] = [scale.low, scale.high].map(str::to_owned);
                (LegendKey::Heat { low, high }, scale.what.as_str())
            }
            _ => (
                LegendKey::Classes(listed(style, classes, occurring), style.shape),
                shape_words(style.shape),
            ),
        };
        Self {
            title: format!("{what}: {drawn}"),
            key,
            notes: unlisted(style, classes),
        }
    }
}

/// What a heat map's value is, and what its ends are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatScale {
    /// In a few words, with the unit where there is one: `probability of tumor`.
    pub what: String,
    /// At the dark end.
    pub low: &'static str,
    /// At the light end.
    pub high: &'static str,
}

impl HeatScale {
    /// None where `content` is no heat map. `is_agreement`: of two magnifications. `class`: whose
    /// probability it is, where it is not each px's own class's.
    pub fn of(content: OverlayContent, is_agreement: bool, class: Option<&str>) -> Option<Self> {
        let (what, high) = match (content, is_agreement, class) {
            (OverlayContent::Value, true, _) => ("divergence".to_owned(), "1 bit"),
            (OverlayContent::Value, false, Some(class)) => (format!("probability of {class}"), "1"),
            (OverlayContent::Value, false, None) => ("probability".to_owned(), "1"),
            (OverlayContent::Extra, true, _) => (
                "entropy of the less sure map, share of the greatest".to_owned(),
                "1",
            ),
            (OverlayContent::Extra, false, _) => ("entropy, share of the greatest".to_owned(), "1"),
            (OverlayContent::Classes | OverlayContent::Colours, ..) => return None,
        };
        let low = "0";
        Some(Self { what, low, high })
    }

    /// Of likeness to a spot.
    pub fn of_likeness() -> Self {
        Self {
            what: "cosine of embeddings".to_owned(),
            low: "-1",
            high: "1",
        }
    }
}

fn shape_words(shape: OverlayShape) -> &'static str {
    match shape {
        OverlayShape::Fill => "areas",
        OverlayShape::Outline => "borders",
        OverlayShape::Both => "areas and borders",
    }
}

/// Classes that are left uncoloured on purpose, in words: of maps in which only they are.
fn unlisted(style: &OverlayStyle, classes: &[LabelClass]) -> Vec<String> {
    let hidden = (0..=u8::MAX)
        .zip(classes)
        .filter(|(code, _)| style.has_veil() && !style.shows(*code));
    hidden
        .map(|(_, class)| format!("Not coloured: {}", class.name))
        .collect()
}

fn listed(
    style: &OverlayStyle,
    classes: &[LabelClass],
    occurring: Option<&BTreeSet<u8>>,
) -> Vec<LegendClass> {
    let occurs = |code: u8| occurring.is_none_or(|codes| codes.contains(&code));
    let classes = (0..=u8::MAX).zip(classes).zip(&style.palette);
    let listed = classes.filter(|((code, _), _)| style.shows(*code) && occurs(*code));
    let class = |((_, class), [r, g, b, _]): ((u8, &LabelClass), &[u8; 4])| LegendClass {
        name: class.name.clone(),
        rgb: [*r, *g, *b],
    };
    let veil = style.has_veil().then(|| LegendClass {
        name: NOT_COMPARED.to_owned(),
        rgb: VEILED_GLASS_RGB,
    });
    listed.map(class).chain(veil).collect()
}

/// The codes that an overlay shows in a view, by the rule that it is drawn by; of pictures of more
/// than four million px every second px or fewer are looked at.
pub fn field_codes(view: &View, layers: &[OverlayLayer<'_>], style: &OverlayStyle) -> BTreeSet<u8> {
    let (width, height) = (view.size.width.round(), view.size.height.round());
    let step = (width * height / MOST_LOOKED_AT_PX).sqrt().ceil().max(1.0) as usize;
    let slide_from_screen = view.slide_from_screen();
    let mut seen = [false; 256];
    for y in (0..height as usize).step_by(step) {
        for x in (0..width as usize).step_by(step) {
            let middle = ScreenPoint::new(x as f64 + 0.5, y as f64 + 0.5);
            let at = slide_from_screen.transform_point(middle);
            let scale = view.slide_px_per_screen_px;
            if let Some(found) = texel_at(layers, style.content, at, scale) {
                let texel = found.texel;
                let code = if style.show_any {
                    texel.any
                } else {
                    texel.code
                };
                seen[usize::from(code)] = true;
            }
        }
    }
    (0..=u8::MAX)
        .filter(|code| seen[usize::from(*code)])
        .collect()
}

/// A page at hand, and which of its parts are current.
type Held = Option<(Arc<Page>, u64)>;

/// The pages of a layer as they are when first asked for: none is looked up twice, for stores are
/// behind locks, and none changes under the hand.
pub(super) struct PagesAtHand<'a> {
    pages: &'a dyn PageStore,
    held: RefCell<HashMap<PageId, Held>>,
}

impl<'a> PagesAtHand<'a> {
    /// Those of some layers.
    pub fn of(drawn: &'a [DrawnLayer]) -> Vec<Self> {
        let pages = |layer: &'a DrawnLayer| Self {
            pages: layer.pages.as_ref(),
            held: RefCell::default(),
        };
        drawn.iter().map(pages).collect()
    }

    /// The same layers, with these pages.
    pub fn layers(held: &'a [Self], drawn: &'a [DrawnLayer]) -> Vec<OverlayLayer<'a>> {
        let layers = drawn.iter().zip(held);
        layers
            .map(|(layer, pages)| OverlayLayer {
                pages,
                ..layer.layer()
            })
            .collect()
    }
}

impl PageStore for PagesAtHand<'_> {
    fn page(&self, id: PageId) -> Held {
        let mut held = self.held.borrow_mut();
        held.entry(id)
            .or_insert_with(|| self.pages.page(id))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{ScreenSize, SlidePoint, SlideRect};
    use crate::gpu::overlay::LayerKey;
    use crate::labels::{PAGE_PX, Raster, Texel, UNKNOWN};

    /// One page: class 3 at (10, 10) alone, the right half unknown, class 1 elsewhere.
    struct OnePage(Arc<Page>);

    impl OnePage {
        fn new(other: u8) -> Self {
            let mut page = Page::new(1);
            for (n, texel) in (0..).zip(page.texels_mut()) {
                *texel = Texel::of(match (n % PAGE_PX, n / PAGE_PX) {
                    (10, 10) => 3,
                    (128.., _) => UNKNOWN,
                    _ => other,
                });
            }
            Self(Arc::new(page))
        }
    }

    impl PageStore for OnePage {
        fn page(&self, id: PageId) -> Held {
            (id.level == 0).then(|| (Arc::clone(&self.0), u64::MAX))
        }
    }

    fn layer(pages: &OnePage) -> OverlayLayer<'_> {
        OverlayLayer {
            key: LayerKey(0),
            raster: Raster {
                slide_px_per_px: (1.0, 1.0),
                size_px: (PAGE_PX, PAGE_PX),
            },
            pages,
            is_provisional: false,
        }
    }

    fn view(center: (f64, f64)) -> View {
        let content = SlideRect::new((0.0, 0.0).into(), (256.0, 256.0).into());
        View {
            center: SlidePoint::new(center.0, center.1),
            slide_px_per_screen_px: 1.0,
            ..View::fit(content, 1.0, ScreenSize::new(40.0, 30.0))
        }
    }

    #[test]
    fn classes_of_the_field_are_those_that_are_drawn_in_it() {
        let (fine, coarse) = (OnePage::new(1), OnePage::new(2));
        let layers = [layer(&fine), layer(&coarse)];
        let style = OverlayStyle::default();
        let codes = |center| {
            let codes = field_codes(&view(center), &layers, &style);
            codes.into_iter().collect::<Vec<u8>>()
        };
        assert_eq!(codes((20.0, 15.0)), [1, 3], "one px is enough");
        assert_eq!(codes((80.0, 80.0)), [1], "what is hidden does not count");
        assert!(codes((200.0, 80.0)).is_empty());
    }

    #[test]
    fn visible_classes_are_listed_with_the_colours_on_screen() {
        let class = |name: &str| LabelClass {
            name: name.into(),
            rgb: [1, 2, 3],
        };
        let classes = ["fat", "gland", "rare"].map(class);
        let mut style = OverlayStyle {
            palette: vec![[10, 20, 30, 255], [40, 50, 60, 0], [70, 80, 90, 255]],
            shape: OverlayShape::Both,
            ..OverlayStyle::default()
        };
        let names = |legend: Legend| match legend.key {
            LegendKey::Classes(classes, _) => {
                classes.into_iter().map(|c| (c.name, c.rgb)).collect()
            }
            _ => Vec::new(),
        };
        let all = Legend::of("breast, 10x", &style, &classes, None, None);
        assert_eq!(all.title, "breast, 10x: areas and borders");
        let shown = [("fat".into(), [10, 20, 30]), ("rare".into(), [70, 80, 90])];
        assert_eq!(names(all), shown);
        let some = BTreeSet::from([1, 2]);
        let some = Legend::of("x", &style, &classes, Some(&some), None);
        assert_eq!(names(some), shown[1..]);
        let compared = OverlayStyle {
            veils_rest: true,
            ..style.clone()
        };
        let compared = Legend::of("x", &compared, &classes, None, None);
        assert_eq!(compared.notes, ["Not coloured: gland"]);
        let veil = (NOT_COMPARED.to_owned(), VEILED_GLASS_RGB);
        assert_eq!(names(compared).last(), Some(&veil));
        style.content = OverlayContent::Extra;
        let heat = Legend::of("x", &style, &classes, None, None);
        assert_eq!(heat.title, "x: entropy, share of the greatest");
        style.content = OverlayContent::Value;
        let of_one = HeatScale::of(style.content, false, Some("fat"));
        let of_one = Legend::of("x", &style, &classes, None, of_one.as_ref());
        assert_eq!(of_one.title, "x: probability of fat");
        let likeness = HeatScale::of_likeness();
        let likeness = Legend::of("x", &style, &classes, None, Some(&likeness));
        let ends = ["-1", "1"].map(str::to_owned);
        let [low, high] = ends;
        assert_eq!(likeness.key, LegendKey::Heat { low, high });
    }
}

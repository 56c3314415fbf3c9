//! Light and dark: neutral greys around the picture, because a coloured surround shifts how
//! stains are seen, and one muted blue for what is chosen.

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Visuals, vec2};

use super::settings::Theme;

/// The one saturated colour, on dark and on light ground.
const ACCENT_ON_DARK: Color32 = Color32::from_rgb(0x9C, 0xC7, 0xE0);
const ACCENT_ON_LIGHT: Color32 = Color32::from_rgb(0x1F, 0x55, 0x78);

/// Corners of everything that has some, points.
const CORNER: u8 = 3;

/// Sets up both styles. Called once, before the first frame.
pub fn install(ctx: &egui::Context) {
    ctx.set_visuals_of(egui::Theme::Dark, dark());
    ctx.set_visuals_of(egui::Theme::Light, light());
    ctx.all_styles_mut(|style| {
        style.text_styles = text_styles();
        style.animation_time = 0.08;
        style.url_in_tooltip = false;
        let spacing = &mut style.spacing;
        spacing.item_spacing = vec2(6.0, 5.0);
        spacing.button_padding = vec2(7.0, 3.0);
        spacing.interact_size = vec2(28.0, 24.0);
        spacing.window_margin = Margin::same(12);
        spacing.menu_margin = Margin::same(6);
        spacing.scroll = egui::style::ScrollStyle::thin();
        spacing.tooltip_width = 420.0;
        style.interaction.tooltip_delay = 0.4;
    });
}

/// Switches to the theme that the user chose.
pub fn apply(ctx: &egui::Context, theme: Theme) {
    ctx.set_theme(match theme {
        Theme::System => egui::ThemePreference::System,
        Theme::Light => egui::ThemePreference::Light,
        Theme::Dark => egui::ThemePreference::Dark,
    });
}

/// What lies around the slide in a view: neutral, and no darker or lighter than the panels need.
pub fn surround(dark: bool) -> Color32 {
    Color32::from_gray(if dark { 0x4A } else { 0xC4 })
}

/// The colour of what is chosen or active, as a line or a text.
pub fn accent(dark: bool) -> Color32 {
    if dark {
        ACCENT_ON_DARK
    } else {
        ACCENT_ON_LIGHT
    }
}

/// Background and text of a strip that says that something failed.
pub fn error_strip(dark: bool) -> (Color32, Color32) {
    if dark {
        (
            Color32::from_rgb(0x57, 0x2B, 0x2B),
            Color32::from_gray(0xF2),
        )
    } else {
        (
            Color32::from_rgb(0xF3, 0xDC, 0xDA),
            Color32::from_rgb(0x5E, 0x16, 0x16),
        )
    }
}

/// Background and text of a strip that says something worth knowing.
pub fn notice_strip(dark: bool) -> (Color32, Color32) {
    if dark {
        (Color32::from_gray(0x3D), Color32::from_gray(0xF0))
    } else {
        (Color32::from_gray(0xFA), Color32::from_gray(0x1E))
    }
}

fn text_styles() -> std::collections::BTreeMap<TextStyle, FontId> {
    let proportional = |size| FontId::new(size, FontFamily::Proportional);
    [
        (TextStyle::Heading, proportional(16.0)),
        (TextStyle::Body, proportional(13.5)),
        (TextStyle::Button, proportional(13.5)),
        (TextStyle::Small, proportional(11.5)),
        (
            TextStyle::Monospace,
            FontId::new(12.0, FontFamily::Monospace),
        ),
    ]
    .into()
}

/// The greys of one theme.
struct Greys {
    panel: u8,
    field: u8,
    faint: u8,
    button: u8,
    hovered: u8,
    pressed: u8,
    line: u8,
    edge: u8,
    text: u8,
    weak_text: u8,
    strong_text: u8,
}

fn dark() -> Visuals {
    let greys = Greys {
        panel: 0x2C,
        field: 0x20,
        faint: 0x31,
        button: 0x3A,
        hovered: 0x48,
        pressed: 0x56,
        line: 0x45,
        edge: 0x8C,
        text: 0xDC,
        weak_text: 0xA8,
        strong_text: 0xFA,
    };
    let mut visuals = with_greys(Visuals::dark(), &greys);
    visuals.selection.bg_fill = Color32::from_rgb(0x33, 0x55, 0x69);
    visuals.selection.stroke = Stroke::new(1.0, Color32::from_gray(0xFA));
    visuals.hyperlink_color = ACCENT_ON_DARK;
    visuals.warn_fg_color = Color32::from_rgb(0xE3, 0xB3, 0x5E);
    visuals.error_fg_color = Color32::from_rgb(0xF0, 0x98, 0x90);
    visuals
}

fn light() -> Visuals {
    let greys = Greys {
        panel: 0xEE,
        field: 0xFC,
        faint: 0xE6,
        button: 0xDF,
        hovered: 0xD3,
        pressed: 0xC4,
        line: 0xC8,
        edge: 0x7A,
        text: 0x26,
        weak_text: 0x58,
        strong_text: 0x08,
    };
    let mut visuals = with_greys(Visuals::light(), &greys);
    visuals.selection.bg_fill = Color32::from_rgb(0xBC, 0xD3, 0xE1);
    visuals.selection.stroke = Stroke::new(1.0, Color32::from_gray(0x08));
    visuals.hyperlink_color = ACCENT_ON_LIGHT;
    visuals.warn_fg_color = Color32::from_rgb(0x79, 0x4D, 0x00);
    visuals.error_fg_color = Color32::from_rgb(0x98, 0x23, 0x1C);
    visuals
}

fn with_greys(mut visuals: Visuals, greys: &Greys) -> Visuals {
    let grey = Color32::from_gray;
    visuals.panel_fill = grey(greys.panel);
    visuals.window_fill = grey(greys.panel);
    visuals.window_stroke = Stroke::new(1.0, grey(greys.line));
    visuals.extreme_bg_color = grey(greys.field);
    visuals.faint_bg_color = grey(greys.faint);
    visuals.code_bg_color = grey(greys.field);
    visuals.weak_text_color = Some(grey(greys.weak_text));
    let shadow = egui::Shadow {
        offset: [0, 4],
        blur: 12,
        spread: 0,
        color: Color32::from_black_alpha(60),
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.window_corner_radius = CornerRadius::same(5);
    visuals.menu_corner_radius = CornerRadius::same(4);
    visuals.slider_trailing_fill = false;
    let widgets = &mut visuals.widgets;
    let states = [
        (
            &mut widgets.noninteractive,
            greys.panel,
            greys.line,
            greys.text,
        ),
        (
            &mut widgets.inactive,
            greys.button,
            greys.button,
            greys.text,
        ),
        (
            &mut widgets.hovered,
            greys.hovered,
            greys.edge,
            greys.strong_text,
        ),
        (
            &mut widgets.active,
            greys.pressed,
            greys.edge,
            greys.strong_text,
        ),
        (
            &mut widgets.open,
            greys.hovered,
            greys.edge,
            greys.strong_text,
        ),
    ];
    for (state, fill, edge, text) in states {
        state.bg_fill = grey(fill);
        state.weak_bg_fill = grey(fill);
        state.bg_stroke = Stroke::new(1.0, grey(edge));
        state.fg_stroke = Stroke::new(1.0, grey(text));
        state.corner_radius = CornerRadius::same(CORNER);
        // Nothing grows under the pointer: a row of buttons stays where it is.
        state.expansion = 0.0;
    }
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast ratio of two opaque colours as the Web Content Accessibility Guidelines define it.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |colour: Color32| {
            let [r, g, b, _] = egui::Rgba::from(colour).to_array();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_text_can_be_read() {
        for (visuals, dark) in [(dark(), true), (light(), false)] {
            let ground = visuals.panel_fill;
            let field = visuals.extreme_bg_color;
            let (error_fill, error_text) = error_strip(dark);
            let (notice_fill, notice_text) = notice_strip(dark);
            let widgets = &visuals.widgets;
            let pairs = [
                ("text", visuals.text_color(), ground),
                ("weak text", visuals.weak_text_color(), ground),
                ("weak text in a field", visuals.weak_text_color(), field),
                ("warning", visuals.warn_fg_color, field),
                ("warning on a panel", visuals.warn_fg_color, ground),
                ("error", visuals.error_fg_color, field),
                ("error on a panel", visuals.error_fg_color, ground),
                ("link", visuals.hyperlink_color, ground),
                ("accent", accent(dark), ground),
                (
                    "button",
                    widgets.inactive.text_color(),
                    widgets.inactive.weak_bg_fill,
                ),
                (
                    "hovered",
                    widgets.hovered.text_color(),
                    widgets.hovered.weak_bg_fill,
                ),
                (
                    "pressed",
                    widgets.active.text_color(),
                    widgets.active.weak_bg_fill,
                ),
                (
                    "chosen",
                    visuals.selection.stroke.color,
                    visuals.selection.bg_fill,
                ),
                ("error strip", error_text, error_fill),
                ("notice strip", notice_text, notice_fill),
            ];
            for (what, text, fill) in pairs {
                let ratio = contrast(text, fill);
                assert!(ratio >= 4.5, "{what}: {ratio:.2}, dark: {dark}");
            }
        }
    }
}

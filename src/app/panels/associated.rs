//! Label, macro and thumbnail images, hidden until asked for.

use std::sync::Arc;

use egui::{ColorImage, Context, Id, RichText, TextureHandle, TextureOptions, Ui};

use super::widgets::{section_end, section_title};
use crate::app::command::{Command, Panel};
use crate::app::state::{AppState, Fields, OpenedSlide};
use crate::slide::{AssociatedImage, Rgba};

/// No side of a picture on screen is longer than this, px; larger ones are thinned out.
const LONGEST_SIDE_PX: u32 = 1024;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Label and macro images", Panel::Associated, out);
    match &state.active_pane().slide {
        None => _ = ui.label("No slide is open in this view."),
        Some(slide) if slide.source.info().associated.is_empty() => {
            ui.label("The slide holds none.");
        }
        Some(_) if !state.associated_revealed => hidden(ui, out),
        Some(slide) => revealed(ui, slide, out),
    }
    section_end(ui);
}

fn hidden(ui: &mut Ui, out: &mut Vec<Command>) {
    ui.label("These pictures may show a patient's name, number or barcode. They stay hidden until you ask for them, and never go into exports.");
    if ui.button("Show label and macro images").clicked() {
        out.push(Command::RevealAssociated(true));
    }
}

fn revealed(ui: &mut Ui, slide: &OpenedSlide, out: &mut Vec<Command>) {
    if ui.button("Hide label and macro images").clicked() {
        out.push(Command::RevealAssociated(false));
    }
    for listed in &slide.source.info().associated {
        let (width, height) = listed.size_px;
        ui.add_space(4.0);
        ui.label(RichText::new(format!("{}, {width} × {height} px", listed.name)).weak());
        match slide.associated.get(&listed.name) {
            None => _ = ui.label("Reading…"),
            Some(Err(reason)) => {
                _ = ui.colored_label(
                    ui.visuals().error_fg_color,
                    format!("Can't be shown: {reason}"),
                )
            }
            Some(Ok(picture)) => paint(ui, slide, listed, picture),
        }
    }
}

fn paint(ui: &mut Ui, slide: &OpenedSlide, listed: &AssociatedImage, picture: &Arc<Rgba>) {
    let texture = texture(ui.ctx(), slide, &listed.name, picture);
    let width = ui.available_width().min(picture.width as f32);
    let image = egui::Image::new(&texture)
        .max_width(width)
        .max_height(320.0)
        .alt_text(listed.name.clone());
    ui.add(image);
}

/// The textures on show; emptied as soon as the pictures are hidden.
#[derive(Clone, Default)]
struct Textures(std::collections::BTreeMap<(String, String), TextureHandle>);

fn textures_id() -> Id {
    Id::unique("associated textures")
}

fn texture(ctx: &Context, slide: &OpenedSlide, name: &str, picture: &Arc<Rgba>) -> TextureHandle {
    let key = (slide.source.info().hash.0.clone(), name.to_owned());
    let known = ctx
        .data(|data| data.get_temp::<Textures>(textures_id()))
        .unwrap_or_default();
    if let Some(texture) = known.0.get(&key) {
        return texture.clone();
    }
    let texture = ctx.load_texture("associated", thinned(picture), TextureOptions::LINEAR);
    ctx.data_mut(|data| {
        let textures = data.get_temp_mut_or_default::<Textures>(textures_id());
        textures.0.insert(key, texture.clone());
    });
    texture
}

/// Drops the textures when the pictures are not on show, whatever the panel does.
pub fn forget_when_hidden(ctx: &Context, state: &AppState) {
    if !state.associated_revealed || !state.shows(Panel::Associated) {
        forget_textures(ctx);
    }
}

/// Drops the textures; pictures on show are loaded again.
pub fn forget_textures(ctx: &Context) {
    ctx.data_mut(|data| data.remove::<Textures>(textures_id()));
}

/// The picture for egui: every n-th pixel where it is very large.
fn thinned(picture: &Rgba) -> ColorImage {
    let step = picture
        .width
        .max(picture.height)
        .div_ceil(LONGEST_SIDE_PX)
        .max(1);
    let (width, height) = (picture.width.div_ceil(step), picture.height.div_ceil(step));
    let pixel = |x: u32, y: u32| {
        let [r, g, b, a] = picture.pixel(x * step, y * step).unwrap_or_default();
        egui::Color32::from_rgba_premultiplied(r, g, b, a)
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y)));
    ColorImage::new([width as usize, height as usize], pixels.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_thinned_and_a_small_one_kept() {
        let thin = thinned(&Rgba::transparent(3000, 10));
        assert_eq!(thin.size, [1000, 4]);
        assert_eq!(thinned(&Rgba::transparent(5, 7)).size, [5, 7]);
    }
}

// Draws a view's label map over its slide.
//
// Keep in sync with src/gpu/overlay/look.rs.

struct Uniforms {
    view: View,
    // Opposite corners of what is drawn, local px.
    local: vec4f,
    // Lines of a hatch, one at each whole number: growth with one screen px to the right and one
    // down, number at the view's centre, screen px from line to line.
    hatch: vec4f,
    // How much of the lines with odd numbers shows.
    odd_lines: f32,
    // Of areas.
    opacity: f32,
    // Where what was before ends, screen px from the left.
    swipe_px: f32,
    // Px of the label map before the view's first.
    margin_px: i32,
    // Of areas, by class or by value, then of outlines, by class; RGBA, red in the lowest byte.
    colours: array<vec4u, 128>,
}

// What a pipeline draws. Fixed when it is made, because software drivers run both sides of a branch.
const CONTENT_CLASSES: u32 = 0u;
const CONTENT_HEAT: u32 = 1u;
const CONTENT_COLOURS: u32 = 2u;
override content: u32 = CONTENT_CLASSES;
override with_fill: bool = true;
// Width of outlines, screen px; 0 for none.
override outline_px: i32 = 2;
override with_hatch: bool = true;
override with_swipe: bool = true;
// Whether a veil lies where there is no class.
override with_veil: bool = false;
// Its colour, and its share of the opacity of areas.
override veil_grey: f32 = 0.5;
override veil_share: f32 = 1.0;

// States in the label map; 0 is unknown.
const PROVISIONAL: u32 = 1u;
const FAILED: u32 = 253u;
const NOT_SHOWN: u32 = 255u;
const NOT_ANALYSED: u32 = 255u;
// Where outlines begin in `colours`.
const LINES: u32 = 256u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var label_map: texture_2d<u32>;

struct Corner {
    @builtin(position) clip: vec4f,
    // Screen px from the middle of the viewport.
    @location(0) centered: vec2f,
}

@vertex
fn vertex_main(@builtin(vertex_index) vertex: u32) -> Corner {
    let unit = vec2f(f32(vertex & 1u), f32(vertex >> 1u));
    let local = mix(uniforms.local.xy, uniforms.local.zw, unit);
    var corner: Corner;
    corner.clip = clip_from_local(uniforms.view, local);
    corner.centered = centered_from_local(uniforms.view, local);
    return corner;
}

fn colour(index: u32) -> vec4f {
    return unpack4x8unorm(uniforms.colours[index >> 2u][index & 3u]);
}

fn line_number(centered: vec2f) -> f32 {
    return uniforms.hatch.z + dot(uniforms.hatch.xy, centered);
}

// How much of a line of the hatch covers a place.
fn hatched(centered: vec2f) -> f32 {
    let at = line_number(centered);
    let line = round(at);
    let away_px = abs(at - line) * uniforms.hatch.w;
    let is_odd = (i32(line) & 1) != 0;
    return clamp(1.25 - away_px, 0.0, 1.0) * select(1.0, uniforms.odd_lines, is_odd);
}

// Broad dark and light stripes: seen to be no class in any palette.
fn failed(centered: vec2f) -> vec4f {
    let is_dark = fract(line_number(centered) * 0.5) < 0.4;
    return vec4f(select(vec3f(0.8), vec3f(0.15), is_dark), max(uniforms.opacity, 0.5));
}

fn filled(seen: vec4u) -> vec4f {
    if content == CONTENT_COLOURS {
        return vec4f(vec3f(seen.rgb) / 255.0, uniforms.opacity);
    }
    var own = colour(select(seen.b, seen.r, content == CONTENT_CLASSES));
    let alpha = select(own.a * uniforms.opacity, 0.0, seen.g == NOT_SHOWN);
    return vec4f(own.rgb, alpha);
}

// The class whose outline covers a px, or NOT_SHOWN: its own where another one is within reach, or
// one within reach of where none is shown. What is unknown has no outline, for nobody knows where
// it ends.
fn outlined_class(px: vec2i, seen: vec4u) -> u32 {
    // The places that a round brush covers; one of odd width lies half a px to the upper left.
    let middle = select(0.0, 0.5, (outline_px & 1) == 1);
    var is_border = false;
    var other = NOT_SHOWN;
    for (var y = -(outline_px + 1) / 2; y <= outline_px / 2; y++) {
        for (var x = -(outline_px + 1) / 2; x <= outline_px / 2; x++) {
            let away = length(vec2f(f32(x), f32(y)) + middle);
            if away <= f32(outline_px) * 0.5 + 0.21 && (x != 0 || y != 0) {
                let near = textureLoad(label_map, px + vec2i(x, y), 0);
                let differs = near.a != 0u && near.g != seen.g;
                is_border = is_border || differs;
                other = select(other, min(other, near.g), differs);
            }
        }
    }
    let drawn = select(seen.g, other, seen.g == NOT_SHOWN);
    return select(NOT_SHOWN, drawn, is_border && seen.a != 0u);
}

@fragment
fn fragment_main(corner: Corner) -> @location(0) vec4f {
    let half = uniforms.view.viewport_px * 0.5;
    // The whole px, which interpolation only comes near to the middle of.
    let place = floor(corner.centered + half);
    let centered = place + 0.5 - half;
    let px = vec2i(place) + uniforms.margin_px;
    let seen = textureLoad(label_map, px, 0);
    var drawn = vec4f(0.0);
    if with_fill {
        drawn = filled(seen);
    }
    if outline_px > 0 {
        let class_drawn = outlined_class(px, seen);
        drawn = select(drawn, colour(LINES + class_drawn), class_drawn != NOT_SHOWN);
    }
    if with_hatch {
        let is_provisional = seen.a == PROVISIONAL;
        drawn.a *= 1.0 - select(0.0, 0.55, is_provisional) * hatched(centered);
    }
    if content != CONTENT_COLOURS {
        drawn = select(drawn, failed(centered), seen.r == FAILED);
    }
    if seen.a == 0u {
        drawn = vec4f(0.0);
    }
    if with_veil && (seen.a == 0u || seen.r == NOT_ANALYSED) {
        drawn = vec4f(vec3f(veil_grey), uniforms.opacity * veil_share);
    }
    if with_swipe {
        let away_px = abs(place.x + 0.5 - uniforms.swipe_px);
        drawn = select(drawn, vec4f(vec3f(0.1), 0.6), away_px < 2.0);
        drawn = select(drawn, vec4f(1.0), away_px < 1.0);
    }
    var rgb = drawn.rgb;
    if linear_target {
        rgb = linear_from_srgb(rgb);
    }
    return vec4f(rgb * drawn.a, drawn.a);
}

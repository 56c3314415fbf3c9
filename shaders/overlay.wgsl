// Draws label rasters over a slide: at each px of the picture the texel that lies under its middle.
// Nearest texel, never interpolated: a class is there or it is not.
//
// Levels are asked in order, through page tables. Where a page is missing the next level is asked;
// where its texel knows nothing, the first level of the next layer.
//
// Keep in sync with src/gpu/overlay/scene.rs and, for what is seen where, with input.rs beside it.

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
    // Half the width of outlines, screen px.
    reach_px: f32,
    // Where what was before ends, screen px from the left.
    swipe_px: f32,
    // Levels [0, now_end) are of now, [now_end, before_end) of before.
    now_end: u32,
    before_end: u32,
    show_any: u32,
    padding: u32,
}

struct Level {
    // Columns of the 2x2 matrix from screen px to texels.
    texel_from_screen: vec4f,
    // Place of the view's centre within its texel.
    center_part: vec2f,
    // The raster's far edge, texels from the near edge of the view's central one.
    far_edge: vec2f,
    // The texel at the view's centre, from the page table's first.
    center_texel: vec2i,
    // Size of the page table, texels.
    table_px: vec2i,
    // Pages in a row of the table.
    columns: u32,
    // First entry in `pages`.
    first_page: u32,
    // Index of the first level of the next layer.
    next_layer: u32,
    // Whether it stands in for something better.
    is_provisional: u32,
}

// What a pipeline draws. Fixed when it is made, because software drivers run both sides of a branch.
const CONTENT_CLASSES: u32 = 0u;
const CONTENT_VALUE: u32 = 1u;
const CONTENT_EXTRA: u32 = 2u;
const CONTENT_COLOURS: u32 = 3u;
override content: u32 = CONTENT_CLASSES;
override with_fill: bool = true;
// Rings of eight places around a px that are looked at for another class.
override outline_rings: u32 = 2u;
override with_hatch: bool = true;
override with_swipe: bool = true;

const NO_PAGE: u32 = 0xffffffffu;
const PROVISIONAL: u32 = 0x80000000u;
const UNKNOWN: u32 = 254u;
const FAILED: u32 = 253u;
// Where outlines begin in `colours`.
const LINES: u32 = 256u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> levels: array<Level>;
@group(0) @binding(2) var<storage, read> pages: array<u32>;
@group(0) @binding(3) var<storage, read> colours: array<u32>;
@group(0) @binding(4) var atlas: texture_2d_array<u32>;

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

struct Seen {
    texel: vec4u,
    is_known: bool,
    is_provisional: bool,
}

fn is_known(texel: vec4u) -> bool {
    if content == CONTENT_COLOURS {
        return texel.a != 0u;
    }
    return texel.r != UNKNOWN;
}

struct Place {
    // Entry of the page table; NO_PAGE where there is none.
    page: u32,
    // Place in the page.
    texel: vec2i,
}

// Where a level is looked at `centered` screen px from the viewport's middle.
fn place(level: Level, centered: vec2f) -> Place {
    let m = level.texel_from_screen;
    // Small numbers only: the whole texels of the view's centre are added as integers.
    let by = m.xy * centered.x + m.zw * centered.y + level.center_part;
    let at = vec2i(floor(by)) + level.center_texel;
    if any(at < vec2i(0)) || any(at >= level.table_px) || any(by >= level.far_edge) {
        return Place(NO_PAGE, vec2i(0));
    }
    let cell = vec2u(at) >> vec2u(8u);
    return Place(pages[level.first_page + cell.y * level.columns + cell.x], at & vec2i(255));
}

// What levels [range.x, range.y) say of a place.
fn look_up(range: vec2u, centered: vec2f) -> Seen {
    var seen = Seen(vec4u(0u), false, false);
    var resume = 0u;
    // All px ask the same level at a time, so that it is fetched once for many.
    for (var index = range.x; index < range.y; index++) {
        let level = levels[index];
        if index >= resume {
            let found = place(level, centered);
            if found.page != NO_PAGE {
                seen.texel = textureLoad(atlas, found.texel, found.page & ~PROVISIONAL, 0);
                seen.is_known = is_known(seen.texel);
                seen.is_provisional = ((found.page & PROVISIONAL) | level.is_provisional) != 0u;
                resume = level.next_layer;
            }
        }
        if seen.is_known {
            break;
        }
    }
    return seen;
}

fn shown_code(seen: Seen) -> u32 {
    let code = select(seen.texel.r, seen.texel.g, uniforms.show_any != 0u);
    return select(UNKNOWN, code, seen.is_known);
}

fn colour(index: u32) -> vec4f {
    return unpack4x8unorm(colours[index]);
}

// How much of a line of the hatch covers a place.
fn hatched(centered: vec2f) -> f32 {
    let at = uniforms.hatch.z + dot(uniforms.hatch.xy, centered);
    let line = round(at);
    let away_px = abs(at - line) * uniforms.hatch.w;
    let is_odd = (i32(line) & 1) != 0;
    return clamp(1.25 - away_px, 0.0, 1.0) * select(1.0, uniforms.odd_lines, is_odd);
}

// Broad dark and light stripes: seen to be no class in any palette.
fn failed(centered: vec2f) -> vec4f {
    let is_dark = fract((uniforms.hatch.z + dot(uniforms.hatch.xy, centered)) * 0.5) < 0.4;
    return vec4f(select(vec3f(0.8), vec3f(0.15), is_dark), max(uniforms.opacity, 0.5));
}

fn filled(seen: Seen, code: u32) -> vec4f {
    if content == CONTENT_COLOURS {
        let alpha = select(0.0, uniforms.opacity, seen.is_known);
        return vec4f(vec3f(seen.texel.rgb) / 255.0, alpha);
    }
    if content == CONTENT_CLASSES {
        let own = colour(code);
        return vec4f(own.rgb, own.a * uniforms.opacity);
    }
    let heat = colour(select(seen.texel.a, seen.texel.b, content == CONTENT_VALUE));
    return vec4f(heat.rgb, uniforms.opacity * colour(LINES + code).a);
}

// The colour of the outline that covers a place, transparent where none does: its own class's where
// another one is within reach, or that of a class within reach of where none is shown. What is
// unknown has no outline, for nobody knows where it ends.
fn outline(range: vec2u, centered: vec2f, code: u32) -> vec4f {
    let own = colour(LINES + code);
    var other = vec4f(0.0);
    var is_border = false;
    for (var n = 0u; n < outline_rings * 8u; n++) {
        // The inner ring finds regions that are smaller than the outer one.
        let is_inner = n >= 8u;
        let turn = (f32(n & 7u) + select(0.0, 0.5, is_inner)) * 0.78539816;
        let reach = uniforms.reach_px * select(1.0, 0.5, is_inner);
        let seen = look_up(range, centered + reach * vec2f(cos(turn), sin(turn)));
        let found = shown_code(seen);
        let line = colour(LINES + found);
        let differs = seen.is_known && found != code && line.a + own.a > 0.0;
        is_border = is_border || differs;
        other = select(other, line, differs && line.a > 0.0);
    }
    is_border = is_border && code != UNKNOWN;
    return select(vec4f(0.0), select(other, own, own.a > 0.0), is_border);
}

@fragment
fn fragment_main(corner: Corner) -> @location(0) vec4f {
    let half = uniforms.view.viewport_px * 0.5;
    // Exactly the middle of the px, which interpolation only comes near to.
    let screen = floor(corner.centered + half) + 0.5;
    let centered = screen - half;
    var range = vec2u(0u, uniforms.now_end);
    if with_swipe && screen.x < uniforms.swipe_px {
        range = vec2u(uniforms.now_end, uniforms.before_end);
    }
    let seen = look_up(range, centered);
    let code = shown_code(seen);
    var drawn = vec4f(0.0);
    if with_fill {
        drawn = filled(seen, code);
    }
    if outline_rings > 0u {
        let line = outline(range, centered, code);
        drawn = select(drawn, line, line.a > 0.0);
    }
    if with_hatch && seen.is_provisional {
        drawn.a *= 1.0 - 0.55 * hatched(centered);
    }
    if content != CONTENT_COLOURS && code == FAILED {
        drawn = failed(centered);
    }
    if with_swipe {
        let away_px = abs(screen.x - uniforms.swipe_px);
        drawn = select(drawn, vec4f(vec3f(0.1), 0.6), away_px < 2.0);
        drawn = select(drawn, vec4f(1.0), away_px < 1.0);
    }
    var rgb = drawn.rgb;
    if linear_target {
        rgb = linear_from_srgb(rgb);
    }
    return vec4f(rgb * drawn.a, drawn.a);
}

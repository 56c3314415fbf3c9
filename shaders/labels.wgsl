// What label rasters say at each px of a view: the texel that lies under the px's middle, written to
// a map of the view's size. Nearest texel, never interpolated: a class is there or it is not.
//
// One instance a page. Layers are drawn over each other, the finest last, and leave out what they do
// not know; the pages of one layer do not overlap.
//
// Keep in sync with src/gpu/overlay/scene.rs and, for what is seen where, with input.rs beside it.

struct Uniforms {
    // The map as a view, with its margins.
    view: View,
    // Classes that are shown, one a bit.
    shown: array<vec4u, 2>,
    // Whether texels hold colours.
    is_colour: u32,
    // Whether the class that is to stay visible is drawn, not the most frequent one.
    use_any: u32,
    // Whether the second value is drawn, not the first.
    use_extra: u32,
    padding: u32,
}

struct Quad {
    // Opposite corners, local px; a little larger than what is drawn.
    local: vec4f,
    // Columns of the 2x2 matrix from screen px to texels.
    texel_from_screen: vec4f,
    // Place of the view's centre within its texel.
    center_part: vec2f,
    // What is drawn, texels from the near edge of the view's central one.
    low: vec2f,
    high: vec2f,
    // Place of `low` in the page that is drawn from, texels.
    first_texel: vec2u,
    // Of that page.
    atlas_layer: u32,
    // How many levels it is coarser.
    coarser: u32,
    // Which of the page's 8 x 8 parts are what is asked for now, row by row from the lowest bit.
    current: vec2u,
    // Not read: of the page, so that what was drawn once is known to be drawn.
    version: u32,
    // The whole is a multiple of 16 bytes.
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
}

const UNKNOWN: u32 = 254u;
const NOT_SHOWN: u32 = 255u;
const PROVISIONAL: u32 = 1u;
const CURRENT: u32 = 2u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> quads: array<Quad>;
@group(0) @binding(2) var atlas: texture_2d_array<u32>;

struct Corner {
    @builtin(position) clip: vec4f,
    @location(0) @interpolate(flat) texel_from_screen: vec4f,
    @location(1) @interpolate(flat) bounds: vec4f,
    @location(2) @interpolate(flat) center_part: vec2f,
    // First texel, atlas layer, levels coarser.
    @location(3) @interpolate(flat) source: vec4u,
    @location(4) @interpolate(flat) current: vec2u,
}

@vertex
fn vertex_main(@builtin(vertex_index) vertex: u32, @builtin(instance_index) index: u32) -> Corner {
    let quad = quads[index];
    let unit = vec2f(f32(vertex & 1u), f32(vertex >> 1u));
    var corner: Corner;
    corner.clip = clip_from_local(uniforms.view, mix(quad.local.xy, quad.local.zw, unit));
    corner.texel_from_screen = quad.texel_from_screen;
    corner.bounds = vec4f(quad.low, quad.high);
    corner.center_part = quad.center_part;
    corner.source = vec4u(quad.first_texel, quad.atlas_layer, quad.coarser);
    corner.current = quad.current;
    return corner;
}

fn is_shown(code: u32) -> bool {
    return (uniforms.shown[code >> 7u][(code >> 5u) & 3u] & (1u << (code & 31u))) != 0u;
}

// Of classes: class, the same or NOT_SHOWN, value, state. Of colours: red, green, blue, state.
@fragment
fn fragment_main(corner: Corner) -> @location(0) vec4u {
    let centered = corner.clip.xy - uniforms.view.viewport_px * 0.5;
    let m = corner.texel_from_screen;
    // Small numbers only, so that they are exact enough anywhere on any slide.
    let at = m.xy * centered.x + m.zw * centered.y + corner.center_part;
    // Every px belongs to one page, whatever a rasteriser makes of the quads' edges.
    if any(at < corner.bounds.xy) || any(at >= corner.bounds.zw) {
        discard;
    }
    let place = (vec2u(at - corner.bounds.xy) + corner.source.xy) >> vec2u(corner.source.w);
    let texel = textureLoad(atlas, place, corner.source.z, 0);
    let part = ((place.y >> 5u) << 3u) | (place.x >> 5u);
    let word = select(corner.current.x, corner.current.y, part >= 32u);
    let state = select(PROVISIONAL, CURRENT, ((word >> (part & 31u)) & 1u) == 1u);
    if uniforms.is_colour != 0u {
        if texel.a == 0u {
            discard;
        }
        return vec4u(texel.rgb, state);
    }
    if texel.r == UNKNOWN {
        discard;
    }
    let code = select(texel.r, texel.g, uniforms.use_any != 0u);
    let value = select(texel.b, texel.a, uniforms.use_extra != 0u);
    return vec4u(code, select(NOT_SHOWN, code, is_shown(code)), value, state);
}

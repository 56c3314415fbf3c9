// Draws the tiles of one slide, coarse to fine, one instance a tile.
//
// Interpolation reaches half a texel over a tile's edge. Clamping there would show a seam, and a
// copied border would make every read cross into its neighbours, so texels at the edge are fetched
// from the neighbouring tile through the level's page table.
//
// Keep in sync with src/gpu/scene.rs.

struct Uniforms {
    view: View,
    // Colour of glass that was not scanned, as stored.
    background: vec4f,
    colour: Colour,
}

struct Level {
    // Size of a full tile, texels.
    tile_px: vec2i,
    // Number of columns and rows in the page table.
    grid: vec2i,
    // Texels from the page table's first tile to the level's far edge.
    extent_px: vec2i,
    // First entry in `pages`.
    first_page: u32,
    // Samples along each axis for one screen px.
    taps: u32,
    // Texels crossed by one screen px to the right, and one down.
    texels_per_right: vec2f,
    texels_per_down: vec2f,
}

struct Tile {
    // Opposite corners, local px.
    local: vec4f,
    // Texels at those corners, from the tile's own corner.
    texel: vec4f,
    // Size stored in the layer, texels.
    stored_px: vec2i,
    // Place in the level's page table.
    cell: vec2i,
    // Index into `levels`.
    level: u32,
    // Atlas layer; NONE for a plain or marked rectangle.
    layer: u32,
    // 0 picture, 1 bare glass, 2 unreadable.
    kind: u32,
    // The whole is a multiple of 16 bytes, as the first member's alignment asks.
    padding: u32,
}

// What a pipeline draws. Fixed when it is made, because software drivers run both sides of a branch.
const SAMPLE_NOTHING: u32 = 0u;
const SAMPLE_INSIDE: u32 = 1u;
const SAMPLE_BORDER: u32 = 2u;
override sampling: u32 = SAMPLE_BORDER;

const NONE: u32 = 0xffffffffu;
const KIND_UNREADABLE: u32 = 2u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> levels: array<Level>;
@group(0) @binding(2) var<storage, read> pages: array<u32>;
@group(0) @binding(3) var<storage, read> tiles: array<Tile>;
@group(0) @binding(4) var atlas: texture_2d_array<f32>;
@group(0) @binding(5) var linear_sampler: sampler;
@group(0) @binding(6) var profile_table: texture_3d<f32>;

struct Corner {
    @builtin(position) clip: vec4f,
    @location(0) texel: vec2f,
    @location(1) @interpolate(flat) tile: u32,
}

@vertex
fn vertex_main(@builtin(vertex_index) vertex: u32, @builtin(instance_index) index: u32) -> Corner {
    let tile = tiles[index];
    let unit = vec2f(f32(vertex & 1u), f32(vertex >> 1u));
    var corner: Corner;
    corner.clip = clip_from_local(uniforms.view, mix(tile.local.xy, tile.local.zw, unit));
    corner.texel = mix(tile.texel.xy, tile.texel.zw, unit);
    corner.tile = index;
    return corner;
}

// One texel at `at` texels from the page table's first tile; where the neighbour is not there,
// the nearest texel of the tile itself.
fn fetch(tile: Tile, level: Level, at: vec2i) -> vec4f {
    let inside = clamp(at, vec2i(0), level.extent_px - 1);
    let cell = inside / level.tile_px;
    if all(cell < level.grid) {
        let layer = pages[level.first_page + u32(cell.y * level.grid.x + cell.x)];
        if layer != NONE {
            return textureLoad(atlas, inside - cell * level.tile_px, layer, 0);
        }
    }
    let own = clamp(at - tile.cell * level.tile_px, vec2i(0), tile.stored_px - 1);
    return textureLoad(atlas, own, tile.layer, 0);
}

// Bilinear sample at `texel`, measured from the tile's corner; exact across tile borders.
fn sample(tile: Tile, level: Level, texel: vec2f) -> vec4f {
    if sampling == SAMPLE_INSIDE {
        return textureSampleLevel(atlas, linear_sampler, texel / uniforms.view.layer_px, tile.layer, 0.0);
    }
    let low = texel - 0.5;
    let base = vec2i(floor(low));
    let part = low - floor(low);
    let at = base + tile.cell * level.tile_px;
    let top = mix(fetch(tile, level, at), fetch(tile, level, at + vec2i(1, 0)), part.x);
    let bottom = mix(fetch(tile, level, at + vec2i(0, 1)), fetch(tile, level, at + vec2i(1, 1)), part.x);
    return mix(top, bottom, part.y);
}

// Mean over the area of one screen px, by a grid of bilinear samples.
fn sample_area(tile: Tile, level: Level, texel: vec2f) -> vec4f {
    if level.taps <= 1u {
        return sample(tile, level, texel);
    }
    let n = f32(level.taps);
    var sum = vec4f(0.0);
    for (var i = 0u; i < level.taps; i++) {
        for (var j = 0u; j < level.taps; j++) {
            let right = ((f32(i) + 0.5) / n - 0.5) * level.texels_per_right;
            let down = ((f32(j) + 0.5) / n - 0.5) * level.texels_per_down;
            sum += sample(tile, level, texel + right + down);
        }
    }
    return sum / (n * n);
}

// Grey with diagonal stripes: seen to be no tissue in any stain.
fn unreadable(position: vec2f) -> vec3f {
    let stripe = (position.x + position.y) % 16.0 < 3.0;
    return select(vec3f(0.62), vec3f(0.45), stripe);
}

@fragment
fn fragment_main(corner: Corner) -> @location(0) vec4f {
    let tile = tiles[corner.tile];
    var stored = uniforms.background.rgb;
    if sampling != SAMPLE_NOTHING {
        let premultiplied = sample_area(tile, levels[tile.level], corner.texel);
        stored = premultiplied.rgb + (1.0 - premultiplied.a) * stored;
    }
    var rgb = displayed(uniforms.colour, profile_table, linear_sampler, stored);
    if sampling == SAMPLE_NOTHING && tile.kind == KIND_UNREADABLE {
        rgb = unreadable(corner.clip.xy);
    }
    if linear_target {
        rgb = linear_from_srgb(rgb);
    }
    return vec4f(rgb, 1.0);
}

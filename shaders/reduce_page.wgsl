// A label page as a quarter of the page on the next coarser level: four px as one, the most frequent
// code of those known, and the class of the greatest rank of all.
//
// Keep in sync with src/gpu/paint_tiles/scene.rs and, for what comes out, with
// src/labels/pyramid.rs.

struct Quarter {
    // Of the quarter in the coarser page.
    first_px: vec2u,
    padding: vec2u,
    // Of each code, a byte.
    ranks: array<vec4u, 16>,
}

const HALF_PX: u32 = 128u;
const FIRST_NO_CLASS: u32 = 253u;
const UNKNOWN: u32 = 254u;

@group(0) @binding(0) var<uniform> quarter: Quarter;
@group(0) @binding(1) var child: texture_2d<u32>;
@group(0) @binding(2) var parent: texture_storage_2d<rgba8uint, write>;

// 0 of codes that are no classes.
fn rank(code: u32) -> u32 {
    let word = quarter.ranks[code >> 4u][(code >> 2u) & 3u];
    let rank = (word >> ((code & 3u) * 8u)) & 255u;
    return select(rank + 1u, 0u, code >= FIRST_NO_CLASS);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= vec2u(HALF_PX)) {
        return;
    }
    var four: array<vec4u, 4>;
    for (var n = 0u; n < 4u; n++) {
        four[n] = textureLoad(child, 2u * id.xy + vec2u(n & 1u, n >> 1u), 0);
    }
    var best = 0u;
    var code = UNKNOWN;
    var any_best = 0u;
    var values = vec2u(0u);
    var known = 0u;
    for (var n = 0u; n < 4u; n++) {
        let texel = four[n];
        if texel.r == UNKNOWN {
            continue;
        }
        var votes = 0u;
        for (var m = 0u; m < 4u; m++) {
            votes += select(0u, 1u, four[m].r == texel.r);
        }
        let say = votes * 512u + rank(texel.r);
        code = select(code, texel.r, say >= best);
        best = max(best, say);
        // Rank and code in one number, so that both are found at once.
        any_best = max(any_best, rank(texel.g) * 256u + select(0u, texel.g, rank(texel.g) > 0u));
        values += texel.ba;
        known += 1u;
    }
    var found = vec4u(UNKNOWN, UNKNOWN, 0u, 0u);
    if known > 0u {
        let any_code = select(code, any_best & 255u, any_best >= 256u);
        found = vec4u(code, any_code, (values + known / 2u) / known);
    }
    textureStore(parent, quarter.first_px + id.xy, found);
}

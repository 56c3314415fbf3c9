// From tiles' scores to px of a label page: the scores of all tiles with a say on a px are blended,
// mixed or compared with those of a coarser map, and said as a class, its probability and the
// entropy.
//
// One layer of invocations a cell. CLASSES, the number K of classes, is put in front of this.
//
// Keep in sync with src/gpu/paint_tiles/scene.rs and, for what comes out, with
// src/segment/live/{cell,paint,agree}.rs and src/segment/{fusion,agreement}.rs.

struct Rules {
    // S, side of a tile.
    tile_px: u32,
    kind: u32,
    // Px of the map along one px of its context.
    context_ratio: u32,
    // The class whose probability is kept, or OWN_CLASS.
    shown_class: u32,
    // Share of the map beside its context.
    weight: f32,
    temperature: f32,
    context_temperature: f32,
    padding: u32,
}

struct Cell {
    // In its grid's picture.
    first_px: vec2i,
    size_px: vec2u,
    // In its page.
    page_px: vec2u,
    // First tile with a say and their number; of a row of tiles one after the other.
    tiles: vec2u,
    context_tiles: vec2u,
    // First and last px of the context's picture that are known of.
    context_low: vec2i,
    context_high: vec2i,
    // First word of `near`.
    first_near: u32,
    // Code of px on which no tile has a say.
    unasked: u32,
    // The same of the context's px.
    first_near_context: u32,
    unasked_context: u32,
}

struct Tile {
    // In its grid's picture.
    first_px: vec2i,
    // Of its scores.
    place: u32,
    padding: u32,
}

// Kinds of maps.
const PLAIN: u32 = 0u;
const FUSED: u32 = 1u;
const AGREEMENT: u32 = 2u;
const IN_PLACE: u32 = 3u;

const OWN_CLASS: u32 = 0xffffffffu;
const NOT_ANALYSED: u32 = 255u;
const UNKNOWN: u32 = 254u;
const FAILED: u32 = 253u;
// Codes of an agreement.
const AGREES: u32 = 0u;
const DIFFERS: u32 = 1u;

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> cells: array<Cell>;
@group(0) @binding(2) var<storage, read> tiles: array<Tile>;
// Which px lie near tissue, a bit a px.
@group(0) @binding(3) var<storage, read> near: array<u32>;
// The tiles' say along one axis.
@group(0) @binding(4) var<storage, read> window: array<f32>;
// Of all tiles: K planes of S x S.
@group(0) @binding(5) var<storage, read> scores: array<f32>;
@group(0) @binding(6) var page: texture_storage_2d<rgba8uint, write>;

var<private> sums: array<f32, CLASSES>;
var<private> logs: array<f32, CLASSES>;
var<private> around: array<f32, CLASSES>;
// Whether a score is no number.
var<private> is_broken: bool;

// Sums what tiles say of a px of their grid's picture and gives the sum of their weights. Rows of
// tiles are summed on their own and added then, as the stitcher of whole slides does.
fn blend(px: vec2i, range: vec2u) -> f32 {
    let side = i32(rules.tile_px);
    let plane = rules.tile_px * rules.tile_px;
    var of_row: array<f32, CLASSES>;
    var row_weight = 0.0;
    var weight = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sums[k] = 0.0;
        of_row[k] = 0.0;
    }
    for (var n = 0u; n < range.y; n++) {
        let tile = tiles[range.x + n];
        let at = px - tile.first_px;
        if n > 0u && tiles[range.x + n - 1u].first_px.y != tile.first_px.y {
            for (var k = 0u; k < CLASSES; k++) {
                sums[k] += of_row[k];
                of_row[k] = 0.0;
            }
            weight += row_weight;
            row_weight = 0.0;
        }
        if all(at >= vec2i(0)) && all(at < vec2i(side)) {
            let say = window[at.y] * window[at.x];
            let first = tile.place * CLASSES * plane + u32(at.y * side + at.x);
            for (var k = 0u; k < CLASSES; k++) {
                of_row[k] += say * scores[first + k * plane];
            }
            row_weight += say;
        }
    }
    for (var k = 0u; k < CLASSES; k++) {
        sums[k] += of_row[k];
        // Bits, for compilers may take it that there are only numbers.
        is_broken = is_broken || (bitcast<u32>(sums[k]) & 0x7f800000u) == 0x7f800000u;
    }
    return weight + row_weight;
}

// Log-probabilities of scores.
fn normalise() {
    var greatest = logs[0];
    for (var k = 1u; k < CLASSES; k++) {
        greatest = max(greatest, logs[k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(logs[k] - greatest);
    }
    let norm = greatest + log(sum);
    for (var k = 0u; k < CLASSES; k++) {
        logs[k] -= norm;
    }
}

// Puts the log-probabilities of a px into `logs`; false where no tile was asked.
fn log_probabilities(px: vec2i, range: vec2u) -> bool {
    let weight = blend(px, range);
    if weight <= 0.0 {
        return false;
    }
    // Less the greatest, so that small differences keep their digits.
    var greatest = sums[0];
    for (var k = 1u; k < CLASSES; k++) {
        greatest = max(greatest, sums[k]);
    }
    for (var k = 0u; k < CLASSES; k++) {
        logs[k] = (sums[k] - greatest) / weight;
    }
    normalise();
    return true;
}

fn calibrate(temperature: f32) {
    for (var k = 0u; k < CLASSES; k++) {
        logs[k] /= temperature;
    }
    normalise();
}

// Puts the context's log-probabilities at the middle of a px into `around`, bilinear between the
// context's px; false where one of those has none.
fn context(cell: Cell, px: vec2i) -> bool {
    if cell.context_tiles.y == 0u {
        return false;
    }
    let ratio = i32(rules.context_ratio);
    // Twice the ratio times the place, so that whole numbers say it exactly.
    let place = 2 * px + 1 - ratio;
    let low = vec2i(floor_div(place.x, 2 * ratio), floor_div(place.y, 2 * ratio));
    let part = vec2f(place - low * 2 * ratio) / f32(2 * ratio);
    for (var k = 0u; k < CLASSES; k++) {
        around[k] = 0.0;
    }
    for (var n = 0; n < 4; n++) {
        let step = vec2i(n & 1, n >> 1u);
        let at = clamp(low + step, cell.context_low, cell.context_high);
        if !log_probabilities(at, cell.context_tiles) {
            return false;
        }
        let say = select(1.0 - part, part, step == vec2i(1));
        for (var k = 0u; k < CLASSES; k++) {
            around[k] += say.x * say.y * logs[k];
        }
    }
    return true;
}

fn floor_div(value: i32, by: i32) -> i32 {
    return (value - select(0, by - 1, value < 0)) / by;
}

// Log-probabilities of a px of the fused map into `logs`; false where no tile was asked.
fn fused(cell: Cell, px: vec2i) -> bool {
    var mixed: array<f32, CLASSES>;
    let has_context = context(cell, px);
    if has_context {
        logs = around;
        calibrate(rules.context_temperature);
        mixed = logs;
    }
    if !log_probabilities(px, cell.tiles) {
        return false;
    }
    calibrate(rules.temperature);
    if has_context {
        for (var k = 0u; k < CLASSES; k++) {
            logs[k] = rules.weight * logs[k] + (1.0 - rules.weight) * mixed[k];
        }
        normalise();
    }
    return true;
}

// A part of 1 as a byte.
fn byte(part: f32) -> u32 {
    return u32(clamp(part, 0.0, 1.0) * 255.0 + 0.5);
}

fn texel(code: u32) -> vec4u {
    var entropy = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        entropy -= logs[k] * exp(logs[k]);
    }
    let shown = select(rules.shown_class, code, rules.shown_class == OWN_CLASS);
    var probability = 0.0;
    if shown < CLASSES {
        probability = exp(logs[shown]);
    }
    let most = log(f32(max(CLASSES, 2u)));
    return vec4u(code, code, byte(probability), byte(entropy / most));
}

fn without_values(code: u32) -> vec4u {
    return vec4u(code, code, 0u, 0u);
}

fn is_near(px: vec2u, width: u32, first: u32) -> bool {
    let bit = px.y * width + px.x;
    return ((near[first + (bit >> 5u)] >> (bit & 31u)) & 1u) == 1u;
}

// Code of a px that lies near tissue or not, as a map of one scale says it; its log-probabilities
// are in `logs` where that is a class. Of equals the first class.
fn plain_code(px: vec2i, range: vec2u, lies_near: bool, unasked: u32) -> u32 {
    if !lies_near {
        return NOT_ANALYSED;
    }
    if !log_probabilities(px, range) {
        return unasked;
    }
    // By the sums themselves, as label maps of whole slides are made.
    var code = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        code = select(code, k, sums[k] > sums[code]);
    }
    return select(code, FAILED, is_broken);
}

fn fused_code(cell: Cell, px: vec2i, lies_near: bool) -> u32 {
    if !lies_near {
        return NOT_ANALYSED;
    }
    if !fused(cell, px) {
        return cell.unasked;
    }
    return likeliest();
}

// Of equals the first class.
fn likeliest() -> u32 {
    var code = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        code = select(code, k, logs[k] > logs[code]);
    }
    return select(code, FAILED, is_broken);
}

// The context's code at a px, bilinear; at the rim of what was analysed that of the px under it.
fn in_place_code(cell: Cell, px: vec2i, lies_near: bool) -> u32 {
    if !lies_near {
        return NOT_ANALYSED;
    }
    if context(cell, px) {
        logs = around;
    } else {
        let under = px / i32(rules.context_ratio);
        let at = clamp(under, cell.context_low, cell.context_high);
        if !log_probabilities(at, cell.context_tiles) {
            return cell.unasked_context;
        }
    }
    calibrate(rules.context_temperature);
    return likeliest();
}

// What two codes of one px say together.
fn difference(first: u32, second: u32) -> u32 {
    if first < FAILED && second < FAILED {
        return select(DIFFERS, AGREES, first == second);
    }
    if first == NOT_ANALYSED || second == NOT_ANALYSED {
        return NOT_ANALYSED;
    }
    return select(UNKNOWN, FAILED, first == FAILED || second == FAILED);
}

// Probability of the likeliest class.
fn top() -> f32 {
    var greatest = logs[0];
    for (var k = 1u; k < CLASSES; k++) {
        greatest = max(greatest, logs[k]);
    }
    return exp(greatest);
}

// Whether two maps name the same class, by how much their distributions diverge, and how unsure the
// less sure of both is.
fn agreement(cell: Cell, px: vec2i, lies_near: bool) -> vec4u {
    let own = plain_code(px, cell.tiles, lies_near, cell.unasked);
    let under = clamp(px / i32(rules.context_ratio), cell.context_low, cell.context_high);
    let width = u32(cell.context_high.x - cell.context_low.x + 1);
    let place = vec2u(under - cell.context_low);
    let under_is_near = is_near(place, width, cell.first_near_context);
    let other = plain_code(under, cell.context_tiles, under_is_near, cell.unasked_context);
    let code = difference(own, other);
    if code >= FAILED {
        return without_values(code);
    }
    // At the rim of what was analysed there is nothing to go between; `logs` are those of `under`.
    let at_rim = logs;
    if context(cell, px) {
        logs = around;
    } else {
        logs = at_rim;
    }
    calibrate(rules.context_temperature);
    let coarse = logs;
    let coarse_top = top();
    if !log_probabilities(px, cell.tiles) {
        return without_values(code);
    }
    calibrate(rules.temperature);
    let sure = min(coarse_top, top());
    var nats = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        let p = vec2f(exp(logs[k]), exp(coarse[k]));
        let log_mean = log((p.x + p.y) / 2.0);
        let apart = p * (vec2f(logs[k], coarse[k]) - log_mean) / 2.0;
        // What is not there says nothing.
        let said = select(vec2f(0.0), apart, p > vec2f(0.0));
        nats += said.x + said.y;
    }
    return vec4u(code, code, byte(nats / log(2.0)), byte(1.0 - sure));
}

// Class and values of a px.
fn painted(cell: Cell, px: vec2i, lies_near: bool) -> vec4u {
    if rules.kind == AGREEMENT {
        return agreement(cell, px, lies_near);
    }
    var code = 0u;
    if rules.kind == FUSED {
        code = fused_code(cell, px, lies_near);
    } else if rules.kind == IN_PLACE {
        code = in_place_code(cell, px, lies_near);
    } else {
        code = plain_code(px, cell.tiles, lies_near, cell.unasked);
    }
    if code >= FAILED {
        return without_values(code);
    }
    return texel(code);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let cell = cells[id.z];
    if any(id.xy >= cell.size_px) {
        return;
    }
    let lies_near = is_near(id.xy, cell.size_px.x, cell.first_near);
    let found = painted(cell, cell.first_px + vec2i(id.xy), lies_near);
    textureStore(page, cell.page_px + id.xy, found);
}

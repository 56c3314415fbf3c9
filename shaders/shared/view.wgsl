// From slide to screen. "Local" space is slide px relative to the view's centre: small numbers,
// so that 32-bit floats are exact enough anywhere on any slide.

// Whether the render target expects linear light.
override linear_target: bool = false;

struct View {
    // Columns of the 2x2 matrix from local px to screen px: (xx, yx, xy, yy).
    screen_from_local: vec4f,
    // Size of the viewport, screen px.
    viewport_px: vec2f,
    // Side of an atlas layer, texels.
    layer_px: f32,
    padding: f32,
}

// Screen px from the middle of the viewport.
fn centered_from_local(view: View, local: vec2f) -> vec2f {
    let m = view.screen_from_local;
    return vec2f(m.x * local.x + m.z * local.y, m.y * local.x + m.w * local.y);
}

fn clip_from_local(view: View, local: vec2f) -> vec4f {
    let ndc = centered_from_local(view, local) / (view.viewport_px * 0.5);
    return vec4f(ndc.x, -ndc.y, 0.0, 1.0);
}

fn linear_from_srgb(srgb: vec3f) -> vec3f {
    let low = srgb / 12.92;
    let high = pow((srgb + 0.055) / 1.055, vec3f(2.4));
    return select(high, low, srgb <= vec3f(0.04045));
}

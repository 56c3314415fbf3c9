// Colour: what a stored pixel becomes on screen. Every step is a uniform; no tile is reloaded.

// Which steps there are. Fixed when a pipeline is made, so that a step not taken costs nothing.
override with_profile: bool = true;
override with_one_stain: bool = true;
override with_adjustment: bool = true;

struct Colour {
    // x: added brightness, y: contrast factor about mid grey, z: 1 / gamma, w: unused.
    adjust: vec4f,
    // x: 1 where the profile table applies, y: entries a side of the table.
    profile: vec4f,
    // x: 0 all stains, 1 haematoxylin, 2 eosin, 3 residual.
    stain_shown: vec4u,
    // Unit optical-density vectors of haematoxylin, eosin and residual, one a row.
    stain: array<vec4f, 3>,
    // Rows of the inverse matrix: amounts = od.r * [0] + od.g * [1] + od.b * [2].
    unstain: array<vec4f, 3>,
}

// Optical density as in Ruifrok & Johnston (2001), with one grey level added so that black is finite.
fn optical_density(rgb: vec3f) -> vec3f {
    return -log((rgb * 255.0 + 1.0) / 256.0);
}

fn from_optical_density(od: vec3f) -> vec3f {
    return clamp((exp(-od) * 256.0 - 1.0) / 255.0, vec3f(0.0), vec3f(1.0));
}

// The picture that one stain alone would give.
fn one_stain(colour: Colour, rgb: vec3f) -> vec3f {
    let od = optical_density(rgb);
    let amounts = od.r * colour.unstain[0].xyz + od.g * colour.unstain[1].xyz + od.b * colour.unstain[2].xyz;
    let shown = colour.stain_shown.x - 1u;
    return from_optical_density(max(amounts[shown], 0.0) * colour.stain[shown].xyz);
}

fn displayed(colour: Colour, profile_table: texture_3d<f32>, profile_sampler: sampler, stored: vec3f) -> vec3f {
    var rgb = stored;
    if with_profile {
        let side = colour.profile.y;
        // Table entries sit at texel centres, so that black and white map exactly.
        let at = (rgb * (side - 1.0) + 0.5) / side;
        rgb = textureSampleLevel(profile_table, profile_sampler, at, 0.0).rgb;
    }
    if with_one_stain {
        rgb = one_stain(colour, rgb);
    }
    if with_adjustment {
        rgb = (rgb - 0.5) * colour.adjust.y + 0.5 + colour.adjust.x;
        rgb = pow(clamp(rgb, vec3f(0.0), vec3f(1.0)), vec3f(colour.adjust.z));
    }
    return rgb;
}

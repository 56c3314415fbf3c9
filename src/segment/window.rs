//! How much a tile has to say along one axis: a window whose copies, one a tile, add up to one.

use super::grid::GridSpec;

/// Weights (0–1) of the px of a tile along one axis, `tile_px` of them: 0 in the outer part of
/// the halo, 1 in the core, and between them, over `blend_px` to both sides of the core's border, a
/// straight line: of all windows the one that spreads a difference between tiles most evenly. The
/// windows of two neighbours add up to 1 where they overlap; without blending they meet.
pub fn window(spec: &GridSpec) -> Vec<f32> {
    let middle = f64::from(spec.tile_px) / 2.0;
    let weight = |px: u32| {
        // How far the px's centre lies within the nearer border of the core, px.
        let within = f64::from(spec.step_px()) / 2.0 - (f64::from(px) + 0.5 - middle).abs();
        ramp(within, f64::from(spec.blend_px)) as f32
    };
    (0..spec.tile_px).map(weight).collect()
}

fn ramp(within_px: f64, blend_px: f64) -> f64 {
    if within_px >= blend_px {
        return 1.0;
    }
    ((within_px + blend_px) / (2.0 * blend_px)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_neighbours_add_up_to_one() {
        for (tile_px, halo_px, blend_px) in [
            (64, 8, 8),
            (64, 8, 5),
            (64, 8, 0),
            (256, 32, 16),
            (61, 7, 3),
            (128, 32, 32),
        ] {
            let spec = GridSpec {
                mpp: 1.0,
                tile_px,
                halo_px,
                blend_px,
                shifted: false,
            };
            let (window, step) = (window(&spec), spec.step_px() as usize);
            let mut sums = vec![0.0_f32; step * 4 + 2 * halo_px as usize];
            for tile in 0..4 {
                for (px, weight) in window.iter().enumerate() {
                    sums[tile * step + px] += weight;
                }
            }
            let reach = (halo_px + blend_px) as usize;
            for (px, sum) in sums.iter().enumerate().take(sums.len() - reach).skip(reach) {
                assert!((sum - 1.0).abs() < 1e-6, "{spec:?} at {px}: {sum}");
            }
            let outer = (halo_px - blend_px) as usize;
            assert!(window[..outer].iter().all(|weight| *weight == 0.0));
            assert!(
                window[reach..tile_px as usize - reach]
                    .iter()
                    .all(|weight| *weight == 1.0)
            );
            assert!(window.iter().eq(window.iter().rev()));
        }
    }
}

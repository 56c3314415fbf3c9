//! Where the maps of two magnifications say the same.

use super::cell::LogMap;
use super::paint::{Ground, Painter, byte, magnification_ratio};
use crate::labels::{Texel, is_class};
use crate::segment::agreement::{difference, divergence_bits};

impl Painter<'_> {
    /// Px of a finer map beside a coarser one, of which `around` are the log-probabilities. Codes
    /// are of the two plain maps, the coarser one at the px that the finer px's middle lies in.
    /// Distributions are brought to their temperatures, the coarser one bilinear, as where maps are
    /// fused.
    pub fn agreement(&self, fine: &Ground, (coarse, around): (&Ground, &LogMap)) -> Vec<Texel> {
        let (of_fine, of_coarse) = (self.plain(fine), self.plain(coarse));
        let ratio = magnification_ratio(fine.scale, coarse.scale);
        let ((x, y), (under_x, under_y)) = (fine.blend.px(), coarse.blend.px());
        let under = |px: u32, range: &std::ops::Range<u32>| {
            let px = ((f64::from(px) + 0.5) / ratio) as u32;
            px.clamp(range.start, range.end - 1)
        };
        let places = y.flat_map(|row| x.clone().map(move |column| (column, row)));
        let texel = |(texel, px): (Texel, (u32, u32))| {
            let (column, row) = (under(px.0, &under_x), under(px.1, &under_y));
            let at = (row - under_y.start) as usize * under_x.len();
            let other = of_coarse[at + (column - under_x.start) as usize];
            let code = difference(texel.code, other.code);
            let mut logs = [Vec::new(), Vec::new()];
            if !is_class(code) || fine.logs(px, &mut logs[0]).is_none() {
                return Texel::of(code);
            }
            match around.at(ratio, px) {
                Some(between) => logs[1] = between,
                // At the rim of what was analysed, where there is nothing to go between.
                None => _ = coarse.logs((column, row), &mut logs[1]),
            }
            self.beside(code, [fine.scale, coarse.scale], &mut logs)
        };
        of_fine.into_iter().zip(places).map(texel).collect()
    }

    /// A px with the log-probabilities of both maps: how far they diverge, and the probability of
    /// anything but the likeliest class in the map that is less sure.
    fn beside(&self, code: u8, scales: [u8; 2], logs: &mut [Vec<f32>; 2]) -> Texel {
        let mut sure = f32::INFINITY;
        for (scale, logs) in scales.into_iter().zip(logs.iter_mut()) {
            self.fusion.calibrate(scale, logs);
            let top = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            sure = sure.min(top.exp());
        }
        Texel {
            value: byte(divergence_bits(&logs[0], &logs[1])),
            extra: byte(1.0 - sure),
            ..Texel::of(code)
        }
    }
}

//! Glands as numbers of 16 bits, as sets of glands have them.

use std::collections::HashMap;

use super::PhantomSource;
use super::rings::rings_in;

/// A number for every gland of a slide: from 1 on, in grid order. A gland that another one hides
/// leaves a gap.
#[derive(Debug)]
pub struct GlandNumbers(HashMap<u32, u16>);

impl GlandNumbers {
    /// Counts the glands of `source` without drawing any; `None` where 16 bits don't do.
    pub fn of(source: &PhantomSource) -> Option<Self> {
        let [width_um, height_um] = source.spec.extent_um;
        let anatomy = source.renderer.anatomy.as_ref();
        let rings = rings_in(anatomy, [0.0, 0.0, width_um, height_um], source.lattice_um);
        let glands = rings.iter().filter(|ring| ring.class.is_some());
        let number = |(n, id): (usize, u32)| Some((id, u16::try_from(n + 1).ok()?));
        let numbered = glands.map(|ring| ring.id).enumerate().map(number);
        numbered.collect::<Option<_>>().map(Self)
    }

    /// The number at every px, two bytes each, the lower first; 0 where there is no gland.
    pub fn bytes(&self, labels: &[(u8, u32)]) -> Vec<u8> {
        let number = |(_, id): &(u8, u32)| self.0.get(id).copied().unwrap_or(0);
        labels
            .iter()
            .flat_map(|label| number(label).to_le_bytes())
            .collect()
    }
}

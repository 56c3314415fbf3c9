//! How long a field of the largest size takes: measured by hand, not a check.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::tests::{classes, drawn, mpp, rect};
use super::*;
use crate::labels::{Page, PageId, Raster};

const SIDE_PX: u32 = 2048;

/// Pages in memory, as the live engine has them.
struct Held(Raster, HashMap<PageId, Arc<Page>>);

impl LabelMap for Held {
    fn raster(&self) -> Raster {
        self.0
    }

    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError> {
        Ok(self.1.get(&id).cloned())
    }
}

fn held(map: &dyn LabelMap) -> Held {
    let ids = map.raster().pages_in(0, &everywhere()).into_iter();
    let pages = ids.filter_map(|id| Some((id, map.page(id).ok()??)));
    Held(map.raster(), pages.collect())
}

fn everywhere() -> SlideRect {
    rect(0.0, 0.0, SIDE_PX.into(), SIDE_PX.into())
}

/// Structures of about `size_px`, wavy, of five classes; every `skip`-th is of the first.
fn tissue(size_px: f64, shift: f64, skip: u32) -> Held {
    held(&drawn(1.0, (SIDE_PX, SIDE_PX), move |x, y| {
        let wave = ((y / size_px).sin() * 3.0 + (x / size_px / 3.1).cos() * 2.0) * size_px / 9.0;
        let (column, row) = ((x + wave + shift) / size_px, (y + wave / 2.0) / size_px);
        let at = (column as u32).wrapping_mul(7919) ^ (row as u32).wrapping_mul(104_729);
        let mixed = at.wrapping_mul(2_654_435_761) >> 11;
        match mixed.is_multiple_of(skip) {
            true => 0,
            false => (mixed % 5) as u8,
        }
    }))
}

#[test]
#[ignore = "a measurement, not a check: run by name"]
fn measure_comparing() {
    let classes = classes(&["a", "b", "c", "d", "e"]);
    for size_px in [97.0, 23.0, 7.0, 1.0] {
        let (first, second) = (tissue(size_px, 0.0, 11), tissue(size_px, 2.0, 13));
        let side = |map| Side {
            map,
            classes: &classes,
        };
        let begun = Instant::now();
        let mut times_ms = Vec::new();
        let mut note = |_, _| {
            times_ms.push(begun.elapsed().as_millis());
            ControlFlow::Continue(())
        };
        let (first, second) = (side(&first), side(&second));
        let found = compare(first, second, &everywhere(), mpp(), &mut note).unwrap();
        let compared = begun.elapsed();
        found.difference();
        println!(
            "{size_px} px: {} ms, labels {} ms; {:.3} agree, {} regions; {:?} ms",
            compared.as_millis(),
            (begun.elapsed() - compared).as_millis(),
            found.agreement.share,
            found.regions_found,
            &times_ms[127..]
        );
    }
}

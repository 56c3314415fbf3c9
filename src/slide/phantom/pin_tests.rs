//! Small pictures as this version of the formula draws them. Spec, seed and version name a phantom
//! everywhere (provenance, caches of training sets), so the same name must not mean other pixels.

use super::*;

/// The version of the formula that the grids below are of.
const PINNED: u32 = 3;

/// Platforms round differently; a formula that is changed shows more than this somewhere.
const TOLERANCE: u8 = 2;

/// Sides of the grids.
const SIDE: u32 = 8;

/// A place of a tissue, and what is drawn there: two rows of a grid in a line, two digits a place.
struct Pin {
    tissue: Tissue,
    origin: UmPoint,
    /// Means of 32 x 32 px of 2 µm.
    coarse: [&'static str; 4],
    /// From the coarse grid's lower half, every eighth px of 0.25 µm, so that cells and the scanner's noise are pinned too.
    fine: [&'static str; 4],
    /// Classes of the coarse grid.
    classes: &'static str,
}

const PINS: [Pin; 3] = [
    Pin {
        tissue: Tissue::Brain,
        origin: UmPoint::new(7_000.0, 2_700.0),
        coarse: [
            "f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3",
            "f3f3f3f3f3f3f3f3ebeef3f2f2f1e5df",
            "b7bcc0c2b8bababcc0c3c3c1bfbfc0c2",
            "c5c4c6c2c3c4c4c3c0c0bdc0bebfc1be",
        ],
        fine: [
            "bec3c1ccbeced4cdc6c0c4c7baced2d2",
            "c3c7d1c9c4c8c6c9cdcac7cfcfccc3d0",
            "c1c2c2cdc6cbcdc8c1cac1bdc1cbd6c5",
            "cec9d8c1bed2c6d1c9bfcdc4c5cac3bf",
        ],
        classes: "0000000000000000000000000000000033333333444444444444444411111111",
    },
    Pin {
        tissue: Tissue::Breast,
        origin: UmPoint::new(5_000.0, 4_800.0),
        coarse: [
            "acc9e1dfb4b4b2b3b3a8c6e5b9b3b2ac",
            "b1a5a9b3b3b1aeada7a3a5ada9c2b0ad",
            "a5a5a4a7a9aaa7a3ac9ea0a4a8aaaeb1",
            "a5a1a4a5a9a8aaadaba8a2a5b4b0acad",
        ],
        fine: [
            "988f88bba571919986a8d37b9d7491b0",
            "b87b7c97908fa785788481974f96a086",
            "968a719a8a95839a84c9c87b96747a89",
            "cacab9bfc2988192b88f84c8b8b7b0ae",
        ],
        classes: "2555222223352222233222211113355211113311441311441111214411112232",
    },
    Pin {
        tissue: Tissue::Colon,
        origin: UmPoint::new(20_000.0, 2_000.0),
        coarse: [
            "f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3",
            "f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f2",
            "f0ede2dcc3cbc2b4b0aeaaadafadb1ad",
            "adadb1afaab6b0b1b0b0aeafafb3b1ad",
        ],
        fine: [
            "c3d0c4bac2cdad89bcc9dbcaccbf898a",
            "7f98dfbc7970b6678385b57a6c74888e",
            "8387b79572b9b291d6c2c4777abfc993",
            "d6d887808681cba7cfdbd07b83a5caa8",
        ],
        classes: "0000000000000000000000000000000000002022222212122111212121221112",
    },
];

/// One number a place, in which each channel weighs differently: the mean over the first `side`
/// px both ways of every block of `step` px.
fn grid(picture: &Rgba, step: u32, side: u32) -> Vec<u8> {
    let value = |x: u32, y: u32| {
        let [r, g, b, _] = picture.pixel(x, y).unwrap().map(u32::from);
        r + 2 * g + 3 * b
    };
    let mean = |(column, row): (u32, u32)| {
        let block = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let sum: u32 = block
            .map(|(x, y)| value(column * step + x, row * step + y))
            .sum();
        (sum / (6 * side * side)) as u8
    };
    let places = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (column, row)));
    places.map(mean).collect()
}

fn as_lines(values: &[u8]) -> Vec<String> {
    let line = |part: &[u8]| part.iter().map(|value| format!("{value:02x}")).collect();
    values.chunks(16).map(line).collect()
}

fn assert_near(what: &str, now: &[u8], pinned: &[&str]) {
    let digits = pinned.concat();
    let value = |at: usize| u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok();
    let is_near =
        |(at, now): (usize, &u8)| value(at).is_some_and(|was| was.abs_diff(*now) <= TOLERANCE);
    assert!(
        now.iter().enumerate().all(is_near),
        "{what}: the formula draws other pixels: bump FORMULA_VERSION, then pin {:#?}",
        as_lines(now)
    );
}

#[test]
fn a_version_of_the_formula_draws_what_it_always_drew() {
    assert_eq!(spec::FORMULA_VERSION, PINNED, "pin the new pixels below");
    for pin in PINS {
        let source = PhantomSource::new(PhantomSpec::preset(pin.tissue, 7)).unwrap();
        let coarse = source.render_um(pin.origin, 2.0, SIDE * 32, SIDE * 32);
        let fine_at = UmPoint::new(pin.origin.x + 256.0, pin.origin.y + 400.0);
        let fine = source.render_um(fine_at, 0.25, SIDE * 8, SIDE * 8);
        let classes = source.labels_um(pin.origin, 64.0, SIDE, SIDE);
        let classes: String = classes.iter().map(u8::to_string).collect();
        let name = pin.tissue.name();
        assert_near(name, &grid(&coarse, 32, 32), &pin.coarse);
        assert_near(name, &grid(&fine, 8, 1), &pin.fine);
        assert_eq!(classes, pin.classes, "{name}: bump FORMULA_VERSION");
    }
}

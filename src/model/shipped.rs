//! The weights that are part of the program: a starter encoder, and decoders on it.

use super::weights::Shipped;

/// What stands beside everything that the shipped weights made.
pub const STARTER_NOTICE: &str = "Research use only. Starter weights trained on synthetic tissue.";

/// The encoder. Its card is `assets/encoder-tiny.md`.
pub static ENCODER: Shipped = Shipped {
    name: "tiny",
    bytes: include_bytes!("../../assets/encoder-tiny.safetensors"),
    worth: "",
};

/// The decoder for breast: tumor, stroma, inflammatory, necrosis, other.
pub static BREAST: Shipped = Shipped {
    name: "breast",
    bytes: include_bytes!("../../assets/decoder-breast.safetensors"),
    worth: "macro Dice 71.5 % at 10x, 64.2 % at 40x: ten phantom slides, held out",
};

/// The decoder for brain: background, grey and white matter, leptomeninges, superficial.
pub static BRAIN: Shipped = Shipped {
    name: "brain",
    bytes: include_bytes!("../../assets/decoder-brain.safetensors"),
    worth: "macro Dice 79.7 % at 10x, 63.9 % at 40x: ten phantom slides, held out",
};

/// Every decoder, the one that is used when none is asked for first.
pub fn decoders() -> [Shipped; 2] {
    [BREAST, BRAIN]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ready::ReadyModel;
    use crate::model::weights::WeightsSource;
    use burn::tensor::Device;

    #[test]
    fn what_a_model_is_worth_is_what_its_card_says() {
        for (shipped, card) in [
            (BREAST, include_str!("../../assets/decoder-breast.md")),
            (BRAIN, include_str!("../../assets/decoder-brain.md")),
        ] {
            let row = |start: &str| card.lines().find(|line| line.starts_with(start)).unwrap();
            let dice = |start: &str| row(start).split('|').nth(2).unwrap().split('(').next();
            for (start, at) in [("| 10x", "10x"), ("| 40x", "40x")] {
                let said = format!("{} at {at}", dice(start).unwrap().trim());
                assert!(shipped.worth.contains(&said), "{said}: {}", shipped.worth);
            }
        }
    }

    #[test]
    fn what_ships_fits_together() {
        for shipped in decoders() {
            let source = WeightsSource::Shipped(shipped);
            let model = ReadyModel::open(&source, None, None, &Device::flex()).unwrap();
            assert!(model.card.classes.len() > 2, "{shipped:?}");
            let side = model.card.tile_px;
            let tile = vec![0.8; 3 * side * side];
            let found = model.predictor.probabilities(&tile, side).unwrap();
            assert_eq!(found.len(), model.card.classes.len() * side * side);
        }
    }
}

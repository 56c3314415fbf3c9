//! The weights that are part of the program: a starter encoder, and decoders on it.

use super::weights::Shipped;

/// What stands beside everything that the shipped weights made.
pub const STARTER_NOTICE: &str = "Research use only. Starter weights trained on synthetic tissue.";

/// The encoder. Its card is `assets/encoder-tiny.md`.
pub static ENCODER: Shipped = Shipped {
    name: "tiny",
    bytes: include_bytes!("../../assets/encoder-tiny.safetensors"),
};

/// The decoder for breast: tumor, stroma, inflammatory, necrosis, other.
pub static BREAST: Shipped = Shipped {
    name: "breast",
    bytes: include_bytes!("../../assets/decoder-breast.safetensors"),
};

/// The decoder for brain: background, grey and white matter, leptomeninges, superficial.
pub static BRAIN: Shipped = Shipped {
    name: "brain",
    bytes: include_bytes!("../../assets/decoder-brain.safetensors"),
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

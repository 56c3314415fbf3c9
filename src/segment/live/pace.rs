//! How fast the engine is, and what a turn of a dial costs beside a full run.

use std::time::{Duration, Instant};

/// Share of the newest measurement in the running mean.
const NEWEST: f64 = 0.1;

/// Counts and times.
#[derive(Debug, Default)]
pub struct TilePace {
    /// Tiles encoded.
    pub encoded: u64,
    /// Tiles decoded.
    pub decoded: u64,
    /// Seconds from the last turn of the bias to the whole field in it.
    pub turn_s: Option<f64>,
    full_s: Option<f64>,
    turned: Option<Instant>,
    /// Tiles decoded since the last turn.
    since_turn: u64,
    encode_s: Option<f64>,
    decode_s: Option<f64>,
}

impl TilePace {
    /// The bias was changed.
    pub fn bias_turned(&mut self) {
        self.turned = Some(Instant::now());
        self.since_turn = 0;
    }

    /// Tiles were read and encoded.
    pub fn encoded(&mut self, tiles: usize, took: Duration) {
        // Tiles that were new are no part of what a turn costs.
        self.turned = None;
        self.encoded += tiles as u64;
        mix(&mut self.encode_s, tiles, took);
    }

    /// Tiles were decoded.
    pub fn decoded(&mut self, tiles: usize, took: Duration) {
        self.decoded += tiles as u64;
        self.since_turn += tiles as u64;
        mix(&mut self.decode_s, tiles, took);
    }

    /// All of the field is as asked for.
    pub fn field_done(&mut self) {
        if let Some(turned) = self.turned.take() {
            self.turn_s = Some(turned.elapsed().as_secs_f64());
            let each = self.encode_s.zip(self.decode_s);
            let tiles = self.since_turn as f64;
            self.full_s = each.map(|(encode, decode)| (encode + decode) * tiles);
        }
    }

    /// What the tiles of that turn would take if they were new, seconds.
    pub fn full_s(&self) -> Option<f64> {
        self.full_s
    }

    /// Seconds that decoding a tile takes, once one was decoded.
    pub fn decode_s(&self) -> Option<f64> {
        self.decode_s
    }

    /// New tiles a second.
    pub fn tiles_per_s(&self) -> f64 {
        match (self.encode_s, self.decode_s) {
            (Some(encode), Some(decode)) if encode + decode > 0.0 => 1.0 / (encode + decode),
            _ => 0.0,
        }
    }
}

fn mix(mean_s: &mut Option<f64>, tiles: usize, took: Duration) {
    if tiles > 0 {
        let each = took.as_secs_f64() / tiles as f64;
        *mean_s = Some(mean_s.map_or(each, |mean| mean + NEWEST * (each - mean)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_held_against_its_own_field() {
        let mut pace = TilePace::default();
        pace.encoded(1, Duration::from_millis(90));
        pace.decoded(1, Duration::from_millis(10));
        pace.field_done();
        assert_eq!((pace.turn_s, pace.full_s()), (None, None));
        pace.bias_turned();
        pace.decoded(5, Duration::from_millis(50));
        pace.field_done();
        let of_turn = pace.full_s().unwrap();
        assert!(
            pace.turn_s.is_some() && (of_turn - 0.5).abs() < 1e-9,
            "{of_turn}"
        );
        // Another field, looked at later.
        pace.decoded(50, Duration::from_millis(500));
        pace.field_done();
        assert_eq!(pace.full_s(), Some(of_turn));
    }
}

//! The tokens of a tile's core as they are kept: a byte a value.

/// Tokens in 8 bits a value, each with a scale of its own: a quarter of `f32`. A token's direction
/// from the slide's mean keeps a cosine of 0.999 with what it was (the starter encoder, 10x and 40x).
#[derive(Debug, Clone, PartialEq)]
pub struct TileTokens {
    width: usize,
    /// What a step of each token's values is worth; 0 for tokens on glass, which are not kept.
    steps: Vec<f32>,
    values: Vec<i8>,
}

impl TileTokens {
    /// Keeps tokens; `None` for those on glass.
    pub fn of<'a>(width: usize, tokens: impl Iterator<Item = Option<&'a [f32]>>) -> Self {
        let (mut steps, mut values) = (Vec::new(), Vec::new());
        for token in tokens {
            let token = token.unwrap_or(&[]);
            let most = token.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            // A token of zeros is known too.
            let step = most.max(f32::MIN_POSITIVE) / 127.0;
            steps.push(if token.is_empty() { 0.0 } else { step });
            let end = values.len() + width;
            values.extend(token.iter().map(|value| (value / step).round() as i8));
            values.resize(end, 0);
        }
        Self {
            width,
            steps,
            values,
        }
    }

    /// Whether a token is kept.
    pub fn is_known(&self, index: usize) -> bool {
        self.steps.get(index).is_some_and(|step| *step > 0.0)
    }

    /// The first token that is kept.
    pub fn first_known(&self) -> Option<usize> {
        self.steps.iter().position(|step| *step > 0.0)
    }

    /// Writes a token's values; zeros where it is not kept.
    pub fn read(&self, index: usize, into: &mut [f32]) {
        let from = &self.values[index * self.width..(index + 1) * self.width];
        for (value, kept) in into.iter_mut().zip(from) {
            *value = f32::from(*kept) * self.steps[index];
        }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        (self.values.len() + size_of_val(self.steps.as_slice())) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_nearly_and_glass_stays_unknown() {
        let token: Vec<f32> = (0..192).map(|n| (n as f32 * 0.7).sin() * 3.0).collect();
        let zeros = vec![0.0; 192];
        let rows = [None, Some(token.as_slice()), Some(zeros.as_slice())];
        let kept = TileTokens::of(192, rows.into_iter());
        let known = [0, 1, 2, 3].map(|index| kept.is_known(index));
        assert_eq!(known, [false, true, true, false]);
        assert_eq!((kept.first_known(), kept.bytes()), (Some(1), 3 * (192 + 4)));
        let mut back = vec![9.0; 192];
        kept.read(1, &mut back);
        let apart = token.iter().zip(&back).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) <= 3.0 / 127.0 / 2.0 + 1e-6);
        kept.read(0, &mut back);
        assert!(back.iter().all(|value| *value == 0.0));
    }
}

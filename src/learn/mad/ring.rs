//! Rows kept from the last steps.

/// The last `capacity` rows of a stream, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    width: usize,
    capacity: usize,
    values: Vec<f32>,
}

impl Ring {
    /// An empty ring of rows of `width` values.
    pub fn new(width: usize, capacity: usize) -> Self {
        Self {
            width,
            capacity,
            values: Vec::new(),
        }
    }

    /// Adds rows, forgetting the oldest where there is no room.
    pub fn push(&mut self, rows: &[f32]) {
        self.values.extend_from_slice(rows);
        let most = self.capacity * self.width;
        let extra = self.values.len().saturating_sub(most);
        self.values.drain(..extra);
    }

    /// Puts stored values back; `false`, and no change, where they are no rows of this ring.
    #[must_use]
    pub fn restore(&mut self, values: Vec<f32>) -> bool {
        let fits = self.width > 0
            && values.len().is_multiple_of(self.width)
            && values.len() <= self.capacity * self.width;
        if fits {
            self.values = values;
        }
        fits
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Number of rows kept.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// The mean row; zeros where there is none.
    pub fn mean(&self) -> Vec<f32> {
        let mut sums = vec![0.0_f64; self.width];
        for row in self.values.chunks_exact(self.width.max(1)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let count = self.rows().max(1) as f64;
        sums.into_iter().map(|sum| (sum / count) as f32).collect()
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_rows() {
        let mut ring = Ring::new(2, 2);
        ring.push(&[1.0, 1.0]);
        assert_eq!(ring.rows(), 1);
        ring.push(&[2.0, 2.0, 3.0, 3.0]);
        assert_eq!(ring.values(), [2.0, 2.0, 3.0, 3.0]);
        assert_eq!(ring.mean(), [2.5, 2.5]);
        assert!(!ring.restore(vec![1.0; 3]));
        assert!(!ring.restore(vec![1.0; 6]));
        assert!(ring.restore(vec![4.0; 4]));
        assert_eq!(ring.values(), [4.0; 4]);
    }
}

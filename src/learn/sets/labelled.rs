//! An image with its labels.

use super::resample::{Window, labels_in, rgb_in};

/// Labels of an image, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Class indices, [`super::IGNORE`] for what is not scored.
    pub labels: Vec<u8>,
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
}

/// An image with its labels, in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// `width · height · 3` bytes of sRGB, rows from the top.
    pub rgb: Vec<u8>,
    /// `width · height` class indices, [`super::IGNORE`] for what is not scored.
    pub mask: Vec<u8>,
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
    /// µm per px.
    pub mpp: f64,
}

impl Labelled {
    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.rgb.len() + self.mask.len()
    }

    /// The same image at `mpp` µm/px: colours are means over the exact area of each px, labels are
    /// those of most of its px. Where the image is coarser it is enlarged (colours bilinear, labels
    /// nearest) by at most `upsample` (1 = never), so look at the result's `mpp`. A border of less
    /// than one px is cut off.
    #[must_use]
    pub fn at_mpp(&self, mpp: f64, upsample: f64) -> Self {
        let mpp = mpp.max(self.mpp / upsample.max(1.0));
        let step = mpp / self.mpp;
        if (step - 1.0).abs() < 1e-9 {
            return self.clone();
        }
        let count = |side: usize| ((side as f64 / step + 1e-6) as usize).max(1);
        let window = Window {
            start: (0.0, 0.0),
            step: (step, step),
            count: (count(self.width), count(self.height)),
        };
        Self {
            rgb: self.rgb_in(&window),
            mask: self.labels_in(&window),
            width: window.count.0,
            height: window.count.1,
            mpp,
        }
    }

    /// Colours of the px of `window`; white beyond the image.
    pub(super) fn rgb_in(&self, window: &Window) -> Vec<u8> {
        rgb_in(&self.rgb, (self.width, self.height), window)
    }

    /// Labels of the px of `window`; ignored beyond the image.
    pub(super) fn labels_in(&self, window: &Window) -> Vec<u8> {
        labels_in(&self.mask, (self.width, self.height), window)
    }
}

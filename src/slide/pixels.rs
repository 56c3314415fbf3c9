//! A rectangle of pixels in memory.

/// 8-bit premultiplied RGBA, rows from the top, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgba {
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
    /// `width · height · 4` bytes.
    pub data: Vec<u8>,
}

impl Rgba {
    /// A fully transparent picture.
    pub fn transparent(width: u32, height: u32) -> Self {
        let bytes = width as usize * height as usize * 4;
        Self {
            width,
            height,
            data: vec![0; bytes],
        }
    }

    /// The four bytes at (`x`, `y`), or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = (y as usize * self.width as usize + x as usize) * 4;
        self.data.get(at..at + 4)?.try_into().ok()
    }

    /// Overwrites the pixels from (`left`, `top`) on with `part`; what sticks out is cut off.
    pub fn paste(&mut self, part: &Rgba, left: u32, top: u32) {
        let columns = part.width.min(self.width.saturating_sub(left)) as usize * 4;
        if columns == 0 {
            return;
        }
        let (from_row, to_row) = (part.width as usize * 4, self.width as usize * 4);
        let rows = part.data.chunks_exact(from_row);
        let targets = self.data.chunks_exact_mut(to_row).skip(top as usize);
        for (to, from) in targets.zip(rows) {
            let at = left as usize * 4;
            to[at..at + columns].copy_from_slice(&from[..columns]);
        }
    }

    /// The pixels of a rectangle that lies within the picture; what sticks out is transparent.
    pub fn crop(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        let mut cropped = Self::transparent(width, height);
        let columns = width.min(self.width.saturating_sub(left)) as usize * 4;
        if columns == 0 {
            return cropped;
        }
        let at = left as usize * 4;
        let rows = self
            .data
            .chunks_exact(self.width as usize * 4)
            .skip(top as usize);
        for (to, from) in cropped.data.chunks_exact_mut(width as usize * 4).zip(rows) {
            to[..columns].copy_from_slice(&from[at..at + columns]);
        }
        cropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u32, height: u32) -> Rgba {
        let data = (0..width * height).flat_map(|i| [i as u8; 4]).collect();
        Rgba {
            width,
            height,
            data,
        }
    }

    #[test]
    fn paste_cuts_off_what_sticks_out() {
        let mut canvas = Rgba::transparent(3, 3);
        canvas.paste(&numbered(2, 2), 2, 1);
        assert_eq!(canvas.pixel(2, 1), Some([0; 4]));
        assert_eq!(canvas.pixel(2, 2), Some([2; 4]));
        canvas.paste(&numbered(2, 2), 9, 9);
        assert_eq!(canvas.pixel(1, 1), Some([0; 4]));
    }

    #[test]
    fn crop_is_transparent_beyond_the_picture() {
        let part = numbered(3, 3).crop(1, 2, 3, 2);
        assert_eq!(part.pixel(0, 0), Some([7; 4]));
        assert_eq!(part.pixel(2, 0), Some([0; 4]));
        assert_eq!(part.pixel(0, 1), Some([0; 4]));
        assert_eq!(numbered(3, 3).crop(5, 5, 2, 2), Rgba::transparent(2, 2));
    }
}

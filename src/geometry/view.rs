//! What a viewport looks at, and how its screen pixels relate to the slide.

use super::{
    ScreenPoint, ScreenPx, ScreenSize, ScreenVector, SlidePoint, SlidePx, SlideRect, SlideVector,
};

/// A field of view: centre, scale, rotation and mirror, on a viewport of a given size.
///
/// Rotation and zoom act in a space with square pixels, so that a slide whose pixels are not
/// square is still shown without distortion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Slide point at the middle of the viewport.
    pub center: SlidePoint,
    /// Level-0 px (along x) that one screen px covers; > 0. Below 1 the picture is magnified
    /// beyond what was scanned.
    pub slide_px_per_screen_px: f64,
    /// Clockwise rotation of the picture on screen, radians.
    pub rotation_rad: f64,
    /// Mirrored left to right, before the rotation.
    pub mirrored: bool,
    /// Height of a slide pixel over its width (`mpp.y / mpp.x`); 1 for square pixels.
    pub pixel_aspect: f64,
    /// Size of the viewport, physical px.
    pub size: ScreenSize,
}

/// How far beyond one slide px per screen px the picture may be enlarged.
pub const MAX_ENLARGEMENT: f64 = 32.0;

impl View {
    /// The view that shows all of `content`, upright, on a viewport of `size`.
    pub fn fit(content: SlideRect, pixel_aspect: f64, size: ScreenSize) -> Self {
        let wide = content.width() / size.width.max(1.0);
        let high = content.height() * pixel_aspect / size.height.max(1.0);
        Self {
            center: content.center(),
            // A little margin, so that the slide's edge is seen to be the edge.
            slide_px_per_screen_px: (wide.max(high) * 1.04).max(1.0 / MAX_ENLARGEMENT),
            rotation_rad: 0.0,
            mirrored: false,
            pixel_aspect,
            size,
        }
    }

    /// Affine map from slide px to screen px.
    pub fn screen_from_slide(&self) -> euclid::Transform2D<f64, SlidePx, ScreenPx> {
        let linear = self.screen_from_slide_linear();
        linear
            .pre_translate(-self.center.to_vector())
            .then_translate(self.size.to_vector() / 2.0)
    }

    /// The linear part of [`Self::screen_from_slide`]: maps vectors, not points.
    pub fn screen_from_slide_linear(&self) -> euclid::Transform2D<f64, SlidePx, ScreenPx> {
        let scale = 1.0 / self.slide_px_per_screen_px;
        let mirror = if self.mirrored { -1.0 } else { 1.0 };
        euclid::Transform2D::scale(scale * mirror, scale * self.pixel_aspect)
            .then_rotate(euclid::Angle::radians(self.rotation_rad))
    }

    /// Affine map from screen px to slide px.
    pub fn slide_from_screen(&self) -> euclid::Transform2D<f64, ScreenPx, SlidePx> {
        // The scale is kept > 0 and finite, so the inverse exists.
        self.screen_from_slide().inverse().unwrap_or_default()
    }

    /// Slide point under a screen point.
    pub fn slide_at(&self, point: ScreenPoint) -> SlidePoint {
        self.slide_from_screen().transform_point(point)
    }

    /// Moves the picture by `by` screen px, as a hand on the glass does.
    pub fn pan(&mut self, by: ScreenVector) {
        let by: SlideVector = self.slide_from_screen().transform_vector(by);
        self.center -= by;
    }

    /// Enlarges the picture `factor` times, keeping the slide point under `anchor` where it is.
    pub fn zoom_about(
        &mut self,
        anchor: ScreenPoint,
        factor: f64,
        max_slide_px_per_screen_px: f64,
    ) {
        let wanted = self.slide_px_per_screen_px / factor;
        let range = 1.0 / MAX_ENLARGEMENT..=max_slide_px_per_screen_px.max(1.0);
        let wanted = wanted.clamp(*range.start(), *range.end());
        self.keep_under(anchor, |view| view.slide_px_per_screen_px = wanted);
    }

    /// Rotates the picture clockwise about a screen point.
    pub fn rotate_about(&mut self, anchor: ScreenPoint, by_rad: f64) {
        self.keep_under(anchor, |view| {
            view.rotation_rad = normalised_angle(view.rotation_rad + by_rad);
        });
    }

    /// Applies `change` and then pans so that `anchor` shows the same slide point as before.
    fn keep_under(&mut self, anchor: ScreenPoint, change: impl FnOnce(&mut Self)) {
        let before = self.slide_at(anchor);
        change(self);
        let after = self.slide_at(anchor);
        self.center += before - after;
    }

    /// Keeps the centre within `content`, so that the slide can't be lost out of sight.
    pub fn clamp_center(&mut self, content: SlideRect) {
        self.center = self.center.clamp(content.min, content.max);
    }

    /// The viewport's four corners on the slide: top-left, top-right, bottom-right, bottom-left.
    pub fn corners(&self) -> [SlidePoint; 4] {
        let (w, h) = (self.size.width, self.size.height);
        [(0.0, 0.0), (w, 0.0), (w, h), (0.0, h)].map(|(x, y)| self.slide_at(ScreenPoint::new(x, y)))
    }

    /// The smallest upright slide rectangle that holds the viewport.
    pub fn bounding_rect(&self) -> SlideRect {
        SlideRect::from_points(self.corners())
    }
}

/// `angle` brought into (−π, π].
fn normalised_angle(angle_rad: f64) -> f64 {
    euclid::Angle::radians(angle_rad).signed().get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_view() -> impl Strategy<Value = View> {
        (
            (0.0..1e5, 0.0..1e5),
            0.05..500.0,
            -3.0..3.0,
            any::<bool>(),
            0.8..1.25,
            (100.0..4000.0, 100.0..3000.0),
        )
            .prop_map(
                |(center, scale, rotation_rad, mirrored, pixel_aspect, size)| View {
                    center: center.into(),
                    slide_px_per_screen_px: scale,
                    rotation_rad,
                    mirrored,
                    pixel_aspect,
                    size: size.into(),
                },
            )
    }

    proptest! {
        #[test]
        fn zoom_and_rotation_keep_the_point_under_the_cursor(
            mut view in any_view(), x in 0.0..100.0, y in 0.0..100.0, factor in 0.5..2.0, turn in -2.0..2.0,
        ) {
            let anchor = ScreenPoint::new(x, y);
            let before = view.slide_at(anchor);
            view.zoom_about(anchor, factor, 1e6);
            view.rotate_about(anchor, turn);
            let moved_px = (view.slide_at(anchor) - before).length() / view.slide_px_per_screen_px;
            prop_assert!(moved_px < 1e-6, "moved by {moved_px} screen px");
        }

        #[test]
        fn a_pan_moves_the_picture_by_as_many_screen_px(
            mut view in any_view(), dx in -500.0..500.0, dy in -500.0..500.0,
        ) {
            let point = view.slide_at(ScreenPoint::new(10.0, 20.0));
            view.pan(ScreenVector::new(dx, dy));
            let now = view.screen_from_slide().transform_point(point);
            prop_assert!((now.x - 10.0 - dx).abs() < 1e-6 && (now.y - 20.0 - dy).abs() < 1e-6);
        }
    }

    #[test]
    fn fit_shows_every_corner() {
        let content = SlideRect::new((100.0, 50.0).into(), (5100.0, 2050.0).into());
        let view = View::fit(content, 1.0, ScreenSize::new(640.0, 480.0));
        assert!(view.bounding_rect().contains_box(&content));
    }
}

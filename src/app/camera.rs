//! A view that moves: dragging, gliding on, and settling.

use crate::geometry::{Mpp, ScreenPoint, ScreenSize, ScreenVector, SlidePoint, SlideRect, View};

use super::command::CameraMove;

/// Time in which a glide loses all but 1/e of its speed, seconds.
const GLIDE_TIME_S: f64 = 0.28;

/// Below this speed a glide has ended, screen px per second.
const REST_SPEED: f64 = 12.0;

/// A thrown slide does not fly faster than this many viewports per second.
const FASTEST_VIEWPORTS_PER_S: f64 = 6.0;

/// Slides can be shrunk to this multiple of the fitting scale.
const SHRINK_BEYOND_FIT: f64 = 8.0;

/// A pane's view and its motion.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// What is looked at.
    pub view: View,
    /// How fast the picture moves on screen, px per second.
    pub velocity: ScreenVector,
    /// The part of the slide that holds tissue or was scanned.
    content: SlideRect,
    /// A view restored or asked for before the viewport's size was known is fitted on first show.
    fit_on_resize: bool,
}

impl Camera {
    /// A camera that shows all of `content` once it knows its viewport.
    pub fn new(content: SlideRect, mpp: Option<Mpp>) -> Self {
        let view = View::fit(content, pixel_aspect(mpp), ScreenSize::new(1.0, 1.0));
        Self {
            view,
            velocity: ScreenVector::zero(),
            content,
            fit_on_resize: true,
        }
    }

    /// Starts at a remembered place instead of the whole slide.
    pub fn restore(
        &mut self,
        center: SlidePoint,
        slide_px_per_screen_px: f64,
        rotation_rad: f64,
        mirrored: bool,
    ) {
        let finite = center.is_finite() && rotation_rad.is_finite();
        if !finite || !(1e-6..1e9).contains(&slide_px_per_screen_px) {
            return;
        }
        self.view = View {
            center,
            slide_px_per_screen_px,
            rotation_rad,
            mirrored,
            ..self.view
        };
        self.view.clamp_center(self.content);
        self.fit_on_resize = false;
    }

    /// Tells the size of the viewport, physical px.
    pub fn resize(&mut self, size: ScreenSize) {
        if size == self.view.size {
            return;
        }
        self.view.size = size;
        if self.fit_on_resize && size.width > 1.0 && size.height > 1.0 {
            self.view = View::fit(self.content, self.view.pixel_aspect, size);
            self.fit_on_resize = false;
        }
    }

    /// The slide's scale changed: pixels may no longer be square.
    pub fn set_mpp(&mut self, mpp: Option<Mpp>) {
        self.view.pixel_aspect = pixel_aspect(mpp);
    }

    /// The picture follows the pointer by `by` screen px.
    pub fn drag(&mut self, by: ScreenVector) {
        self.velocity = ScreenVector::zero();
        self.view.pan(by);
        self.view.clamp_center(self.content);
    }

    /// The pointer let go while moving at `velocity` screen px per second: glide on.
    pub fn throw(&mut self, velocity: ScreenVector) {
        let fastest = self.view.size.width.max(self.view.size.height) * FASTEST_VIEWPORTS_PER_S;
        self.velocity = velocity.with_max_length(fastest);
    }

    /// Enlarges about a screen point.
    pub fn zoom_about(&mut self, anchor: ScreenPoint, factor: f64) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let fit = View::fit(self.content, self.view.pixel_aspect, self.view.size);
        let most = fit.slide_px_per_screen_px * SHRINK_BEYOND_FIT;
        self.view.zoom_about(anchor, factor, most);
        self.view.clamp_center(self.content);
    }

    /// Turns about a screen point, clockwise.
    pub fn rotate_about(&mut self, anchor: ScreenPoint, by_rad: f64) {
        self.view.rotate_about(anchor, by_rad);
        self.view.clamp_center(self.content);
    }

    /// Lets a glide go on for `elapsed_s`; tells whether it moves still.
    pub fn glide(&mut self, elapsed_s: f64) -> bool {
        if self.velocity.length() < REST_SPEED {
            self.velocity = ScreenVector::zero();
            return false;
        }
        // The integral of an exponential decay, so that the path does not depend on frame times.
        let decay = (-elapsed_s / GLIDE_TIME_S).exp();
        self.view
            .pan(self.velocity * (GLIDE_TIME_S * (1.0 - decay)));
        self.view.clamp_center(self.content);
        self.velocity *= decay;
        true
    }

    /// Carries out a move. `mpp` is the slide's scale, where known.
    pub fn apply(&mut self, step: CameraMove, mpp: Option<Mpp>) {
        let middle = (self.view.size / 2.0).to_vector().to_point();
        self.fit_on_resize = false;
        match step {
            CameraMove::Fit => {
                let fit = View::fit(self.content, self.view.pixel_aspect, self.view.size);
                self.view = View {
                    rotation_rad: self.view.rotation_rad,
                    mirrored: self.view.mirrored,
                    ..fit
                };
                self.velocity = ScreenVector::zero();
            }
            CameraMove::Magnification(wanted) => {
                let target = slide_px_per_screen_px(wanted, mpp);
                self.zoom_about(middle, self.view.slide_px_per_screen_px / target);
            }
            CameraMove::Zoom(factor) => self.zoom_about(middle, factor),
            CameraMove::ZoomAbout(anchor, factor) => self.zoom_about(anchor, factor),
            CameraMove::Drag(by) => self.drag(by),
            CameraMove::Throw(velocity) => self.throw(velocity),
            CameraMove::Push(velocity) => self.throw(self.velocity + velocity),
            CameraMove::Rotate(by_rad) => self.rotate_about(middle, by_rad),
            CameraMove::Upright => {
                self.view.rotation_rad = 0.0;
                self.view.mirrored = false;
            }
            CameraMove::Mirror => {
                // What is upright on screen stays upright.
                self.view.mirrored = !self.view.mirrored;
                self.view.rotation_rad = -self.view.rotation_rad;
            }
            CameraMove::Flip => {
                // A mirror and half a turn.
                self.view.mirrored = !self.view.mirrored;
                self.view.rotation_rad = std::f64::consts::PI - self.view.rotation_rad;
            }
            CameraMove::CenterOn(point) => {
                self.view.center = point;
                self.view.clamp_center(self.content);
                self.velocity = ScreenVector::zero();
            }
        }
    }

    /// Looks at the same place and in the same direction as `other`, at its own magnification.
    pub fn follow(&mut self, other: &Camera) {
        self.view.center = other.view.center;
        self.view.rotation_rad = other.view.rotation_rad;
        self.view.mirrored = other.view.mirrored;
        self.velocity = other.velocity;
        self.fit_on_resize = false;
    }
}

/// Level-0 px per screen px at a magnification; 40x stands for level 0 where the scale is unknown.
pub fn slide_px_per_screen_px(magnification: f64, mpp: Option<Mpp>) -> f64 {
    let wanted_mpp = crate::geometry::Magnification(magnification).mpp();
    let level_0_mpp = mpp.map_or(crate::geometry::Magnification(40.0).mpp(), |mpp| mpp.x);
    wanted_mpp / level_0_mpp
}

fn pixel_aspect(mpp: Option<Mpp>) -> f64 {
    mpp.map_or(1.0, |mpp| mpp.y / mpp.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        let content = SlideRect::new((0.0, 0.0).into(), (40_000.0, 30_000.0).into());
        let mut camera = Camera::new(content, Mpp::square(0.25));
        camera.resize(ScreenSize::new(1000.0, 800.0));
        camera
    }

    #[test]
    fn a_magnification_is_reached_exactly_whatever_the_slides_scale() {
        for mpp in [0.2325, 0.25, 0.499] {
            let mut camera = camera();
            camera.apply(CameraMove::Magnification(10.0), Mpp::square(mpp));
            let um_per_screen_px = camera.view.slide_px_per_screen_px * mpp;
            assert!((um_per_screen_px - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_glide_ends_and_does_not_depend_on_the_frame_rate() {
        let path = |frame_s: f64| {
            let mut camera = camera();
            camera.apply(CameraMove::Magnification(40.0), Mpp::square(0.25));
            camera.throw(ScreenVector::new(2000.0, -500.0));
            let mut frames = 0;
            while camera.glide(frame_s) {
                frames += 1;
                assert!(frames < 10_000);
            }
            camera.view.center
        };
        let difference = (path(1.0 / 60.0) - path(1.0 / 144.0)).length();
        assert!(difference < 5.0, "paths end {difference} px apart");
    }

    #[test]
    fn the_slide_can_not_be_thrown_out_of_sight() {
        let mut camera = camera();
        camera.drag(ScreenVector::new(1e7, -1e7));
        assert!(
            camera
                .content
                .inflate(1.0, 1.0)
                .contains(camera.view.center)
        );
    }

    #[test]
    fn a_damaged_memory_of_the_last_position_is_ignored() {
        let mut camera = camera();
        let before = camera.clone();
        camera.restore(SlidePoint::new(f64::NAN, 0.0), 1.0, 0.0, false);
        camera.restore(SlidePoint::new(1.0, 0.0), 0.0, 0.0, false);
        assert_eq!(camera, before);
    }

    #[test]
    fn flipping_swaps_top_and_bottom_and_twice_is_none() {
        let mut camera = camera();
        camera.apply(CameraMove::Rotate(0.5), None);
        let point = camera.view.center + euclid::vec2(30.0, 70.0);
        let at = |camera: &Camera| camera.view.screen_from_slide().transform_point(point);
        let before = at(&camera);
        camera.apply(CameraMove::Flip, None);
        let flipped = at(&camera);
        assert!((flipped.x - before.x).abs() < 1e-6);
        assert!((flipped.y + before.y - camera.view.size.height).abs() < 1e-6);
        camera.apply(CameraMove::Flip, None);
        assert!((at(&camera) - before).length() < 1e-6);
    }

    #[test]
    fn mirroring_keeps_up_where_it_was_and_twice_is_none() {
        let mut camera = camera();
        camera.apply(CameraMove::Rotate(0.5), None);
        let before = camera.clone();
        camera.apply(CameraMove::Mirror, None);
        camera.apply(CameraMove::Mirror, None);
        assert!((camera.view.rotation_rad - before.view.rotation_rad).abs() < 1e-12);
        assert_eq!(camera.view.mirrored, before.view.mirrored);
    }
}

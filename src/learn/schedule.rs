//! Values that change over a run.

/// Half a cosine from `first` at step 0 to `last` at step `steps`, and `last` after it.
pub fn cosine([first, last]: [f64; 2], step: u64, steps: u64) -> f64 {
    let done = share(step, steps);
    last + (first - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// A straight line from `first` at step 0 to `last` at step `steps`, and `last` after it.
pub fn line([first, last]: [f64; 2], step: u64, steps: u64) -> f64 {
    first + (last - first) * share(step, steps)
}

/// A straight rise to `most` over `warm_up` steps, then half a cosine down to `last`.
pub fn warm_cosine([most, last]: [f64; 2], warm_up: u64, step: u64, steps: u64) -> f64 {
    if step < warm_up {
        return line(
            [most / warm_up as f64, most],
            step,
            warm_up.saturating_sub(1),
        );
    }
    cosine([most, last], step - warm_up, steps.saturating_sub(warm_up))
}

fn share(step: u64, steps: u64) -> f64 {
    if steps == 0 {
        return 1.0;
    }
    (step as f64 / steps as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_met_and_the_middle_is_between() {
        assert_eq!(cosine([2.0, 1.0], 0, 10), 2.0);
        assert!((cosine([2.0, 1.0], 5, 10) - 1.5).abs() < 1e-12);
        assert!((cosine([2.0, 1.0], 99, 10) - 1.0).abs() < 1e-12);
        assert_eq!(line([0.0, 4.0], 1, 4), 1.0);
        let rate = |step| warm_cosine([1.0, 0.1], 4, step, 20);
        assert_eq!(rate(0), 0.25);
        assert_eq!(rate(3), 1.0);
        assert_eq!(rate(4), 1.0);
        assert!((rate(20) - 0.1).abs() < 1e-12);
        assert_eq!(warm_cosine([1.0, 0.1], 0, 0, 20), 1.0);
    }
}

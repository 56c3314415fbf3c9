//! The learned bias and what of it can be identified.

use serde::{Deserialize, Serialize};

/// The bias of one class. A bias that is the same for all classes does nothing, so each kind of
/// figure has mean 0 over the classes once they went through [`centred`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassBias {
    /// Name of the class.
    pub class: String,
    /// Its share of the training pixels, 0–1.
    pub frequency: f64,
    /// What the prior gives it.
    pub prior: f64,
    /// b_c when training began.
    pub start: f64,
    /// b_c now, without the user's offset.
    pub learned: f64,
    /// b_c now less b_c at the start; [`centred`] works it out.
    pub change: f64,
    /// What a user added.
    pub user_offset: f64,
    /// b_c plus the mean over pixels, heads and biased layers of the rest of the attention logit:
    /// b_c alone could be taken over by the weights around it.
    pub effective_offset: Option<f64>,
    /// Mean over pixels, heads and biased layers of the attention on it, 0–1.
    pub attention_share: Option<f64>,
}

/// The same with every bias and offset less its mean over the classes, and the changes worked out.
pub fn centred(mut classes: Vec<ClassBias>) -> Vec<ClassBias> {
    let all: [fn(&mut ClassBias) -> Option<&mut f64>; 5] = [
        |class| Some(&mut class.prior),
        |class| Some(&mut class.start),
        |class| Some(&mut class.learned),
        |class| Some(&mut class.user_offset),
        |class| class.effective_offset.as_mut(),
    ];
    for figure in all {
        let known: Vec<f64> = classes
            .iter_mut()
            .filter_map(|c| figure(c).copied())
            .collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        for value in classes.iter_mut().filter_map(figure) {
            *value -= mean;
        }
    }
    for class in &mut classes {
        class.change = class.learned - class.start;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_for_all_classes_is_taken_out() {
        let class = |start, learned, effective_offset| ClassBias {
            start,
            learned,
            effective_offset,
            ..ClassBias::default()
        };
        let found = centred(vec![
            class(1.0, 3.0, Some(10.0)),
            class(3.0, 4.0, Some(20.0)),
        ]);
        assert_eq!((found[0].start, found[1].start), (-1.0, 1.0));
        assert_eq!((found[0].learned, found[1].learned), (-0.5, 0.5));
        assert_eq!((found[0].change, found[1].change), (0.5, -0.5));
        assert_eq!(found[0].effective_offset, Some(-5.0));
        let unknown = centred(vec![class(0.0, 0.0, None)]);
        assert_eq!(unknown[0].effective_offset, None);
    }
}

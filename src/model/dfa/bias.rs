//! One number a class, by the class's name: what the prior gives, what training adds, what a user
//! adds.

use std::io;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Largest part of a bias; far below, the softmax has chosen already.
const MOST: f32 = 1000.0;

/// A bias that can't be.
#[derive(Debug, thiserror::Error)]
pub enum BiasError {
    /// Numbers or names that make no bias.
    #[error("{0}")]
    Values(String),
    /// The file can't be read.
    #[error("{}: can't be read: {source}", path.display())]
    Read {
        /// The bias file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("{}: can't be written: {source}", path.display())]
    Write {
        /// The bias file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No bias file, or one of another version.
    #[error("{}: no bias file: {reason}", path.display())]
    Damaged {
        /// The bias file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A bias of other classes.
    #[error("{}: {what}", path.display())]
    OtherClasses {
        /// The bias file.
        path: PathBuf,
        /// What is missing and what is too much.
        what: String,
    },
}

/// The three parts of one class's bias, as files hold them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    class: String,
    prior: f32,
    learned: f32,
    offset: f32,
}

/// The bias b of Dynamic Focal Attention in its three parts, kept apart:
///
/// - `prior`: where training began (fixed modes stop here),
/// - `learned`: how far training moved from there,
/// - `offset`: what a user adds while looking, as typed.
///
/// Since b + t·1 does the same as b, prior and learned part are centred when they are set, and the
/// sum when it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Part>", into = "Vec<Part>")]
pub struct ClassBias {
    classes: Vec<String>,
    prior: Vec<f32>,
    learned: Vec<f32>,
    offset: Vec<f32>,
}

impl ClassBias {
    /// A bias that is nothing but its prior, one value a class.
    ///
    /// # Errors
    /// When names are empty or double, or values are of another number or no numbers within ±1000.
    pub fn new(classes: &[String], prior: &[f64]) -> Result<Self, BiasError> {
        check_names(classes)?;
        let zeros = vec![0.0; classes.len()];
        Ok(Self {
            classes: classes.to_vec(),
            prior: checked(classes, "prior", prior)?,
            learned: zeros.clone(),
            offset: zeros,
        })
    }

    /// No bias.
    ///
    /// # Errors
    /// When names are empty or double.
    pub fn none(classes: &[String]) -> Result<Self, BiasError> {
        Self::new(classes, &vec![0.0; classes.len()])
    }

    /// The same prior, and `bias` as it is after training: prior and learned part together.
    ///
    /// # Errors
    /// When values are of another number or no numbers within ±1000.
    pub fn trained_to(self, bias: &[f64]) -> Result<Self, BiasError> {
        checked(&self.classes, "trained bias", bias)?;
        let moved: Vec<f64> = bias
            .iter()
            .zip(&self.prior)
            .map(|(bias, prior)| bias - f64::from(*prior))
            .collect();
        let learned = checked(&self.classes, "learned bias", &moved)?;
        Ok(Self { learned, ..self })
    }

    /// Sets what a user adds to one class.
    ///
    /// # Errors
    /// When there is no such class, or the value is no number within ±1000.
    pub fn set_offset(&mut self, class: &str, value: f32) -> Result<(), BiasError> {
        let index = self.classes.iter().position(|name| name == class);
        let index = index.ok_or_else(|| {
            let known = self.classes.join(", ");
            BiasError::Values(format!("no class '{class}', expected one of: {known}"))
        })?;
        check_value(class, "offset", value)?;
        self.offset[index] = value;
        Ok(())
    }

    /// The classes, in the order of all values here.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Where training began, centred.
    pub fn prior(&self) -> &[f32] {
        &self.prior
    }

    /// How far training moved, centred.
    pub fn learned(&self) -> &[f32] {
        &self.learned
    }

    /// What the user adds, as typed.
    pub fn offset(&self) -> &[f32] {
        &self.offset
    }

    /// b as it is used: the three parts' sum, centred over all classes.
    pub fn total(&self) -> Vec<f32> {
        let parts = self.prior.iter().zip(&self.learned).zip(&self.offset);
        let sum = parts.map(|((prior, learned), offset)| {
            f64::from(*prior) + f64::from(*learned) + f64::from(*offset)
        });
        in_f32(&centred(&sum.collect::<Vec<f64>>()))
    }

    /// [`ClassBias::total`] for a decoder, \[K\].
    pub fn tensor(&self, device: &Device) -> Tensor<1> {
        Tensor::from_floats(self.total().as_slice(), device)
    }

    /// The same bias with its classes in the order of `classes`.
    ///
    /// # Errors
    /// With what is missing and what is too much, when `classes` are others.
    pub fn in_order_of(&self, classes: &[String]) -> Result<Self, BiasError> {
        check_names(classes)?;
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            let lacks = all.iter().filter(|name| !others.contains(name));
            lacks.map(|name| format!("'{name}'")).collect()
        };
        let missing = without(classes, &self.classes);
        let extra = without(&self.classes, classes);
        if !missing.is_empty() || !extra.is_empty() {
            let list = |names: Vec<String>| match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(", "),
            };
            let (missing, extra, expected) = (list(missing), list(extra), classes.join(", "));
            return Err(BiasError::Values(format!(
                "a bias of other classes: missing {missing}, too many {extra}; expected {expected}"
            )));
        }
        let place = |name: &String| self.classes.iter().position(|own| own == name);
        let places: Vec<usize> = classes.iter().filter_map(place).collect();
        let pick = |values: &[f32]| places.iter().map(|place| values[*place]).collect();
        Ok(Self {
            classes: classes.to_vec(),
            prior: pick(&self.prior),
            learned: pick(&self.learned),
            offset: pick(&self.offset),
        })
    }
}

impl TryFrom<Vec<Part>> for ClassBias {
    type Error = BiasError;

    fn try_from(parts: Vec<Part>) -> Result<Self, BiasError> {
        let classes: Vec<String> = parts.iter().map(|part| part.class.clone()).collect();
        check_names(&classes)?;
        let all = |pick: fn(&Part) -> f32| -> Vec<f64> {
            parts.iter().map(|part| f64::from(pick(part))).collect()
        };
        let mut bias = Self::new(&classes, &all(|part| part.prior))?;
        bias.learned = checked(&classes, "learned bias", &all(|part| part.learned))?;
        for part in &parts {
            bias.set_offset(&part.class, part.offset)?;
        }
        Ok(bias)
    }
}

impl From<ClassBias> for Vec<Part> {
    fn from(bias: ClassBias) -> Self {
        let part = |(n, class): (usize, &String)| Part {
            class: class.clone(),
            prior: bias.prior[n],
            learned: bias.learned[n],
            offset: bias.offset[n],
        };
        bias.classes.iter().enumerate().map(part).collect()
    }
}

/// `values` less their mean: the form in which a bias is used, shown and kept.
pub fn centred(values: &[f64]) -> Vec<f64> {
    centred_over(values, |_| true)
}

/// `values` less the mean of those that count; 0 for those that do not.
pub fn centred_over(values: &[f64], counts: impl Fn(usize) -> bool) -> Vec<f64> {
    let counted = (0..values.len()).filter(|n| counts(*n));
    let sum: f64 = counted.clone().map(|n| values[n]).sum();
    let mean = sum / counted.count().max(1) as f64;
    let of = |(n, value): (usize, &f64)| if counts(n) { value - mean } else { 0.0 };
    values.iter().enumerate().map(of).collect()
}

fn in_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

/// Names that tell classes apart.
fn check_names(classes: &[String]) -> Result<(), BiasError> {
    if classes.is_empty() {
        return Err(BiasError::Values("a bias of no classes".to_owned()));
    }
    let double = |(n, name): &(usize, &String)| name.is_empty() || classes[..*n].contains(name);
    match classes.iter().enumerate().find(double) {
        None => Ok(()),
        Some((_, name)) => Err(BiasError::Values(format!(
            "class '{name}' is named twice or has no name"
        ))),
    }
}

/// One part's values, centred. A mean no larger than f32 rounds is none, so that what was written
/// comes back as it was.
fn checked(classes: &[String], part: &str, values: &[f64]) -> Result<Vec<f32>, BiasError> {
    if values.len() != classes.len() {
        let (found, expected) = (values.len(), classes.len());
        return Err(BiasError::Values(format!(
            "{part} has {found} values, expected {expected}, one a class"
        )));
    }
    for (class, value) in classes.iter().zip(values) {
        check_value(class, part, *value as f32)?;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let largest = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    match mean.abs() <= largest * f64::from(f32::EPSILON) {
        true => Ok(in_f32(values)),
        false => Ok(in_f32(&centred(values))),
    }
}

fn check_value(class: &str, part: &str, value: f32) -> Result<(), BiasError> {
    match value.abs() <= MOST {
        true => Ok(()),
        false => Err(BiasError::Values(format!(
            "{part} of class '{class}' is {value}, expected a number within ±{MOST}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn parts_are_kept_apart_and_their_sum_is_centred() {
        let classes = names(&["a", "b", "c"]);
        let bias = ClassBias::new(&classes, &[2.0, 1.0, 0.0]).unwrap();
        assert!(near(bias.prior(), &[1.0, 0.0, -1.0]));
        let mut bias = bias.trained_to(&[11.5, 10.0, 9.0]).unwrap();
        assert!(near(bias.learned(), &[1.0 / 3.0, -1.0 / 6.0, -1.0 / 6.0]));
        bias.set_offset("c", 0.6).unwrap();
        assert_eq!(bias.offset(), [0.0, 0.0, 0.6]);
        let total = bias.total();
        assert!(near(
            &total,
            &[4.0 / 3.0 - 0.2, -1.0 / 6.0 - 0.2, -7.0 / 6.0 + 0.4]
        ));
        let tensor: Vec<f32> = bias
            .tensor(&Device::flex())
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(tensor, total);
        assert_eq!(ClassBias::none(&classes).unwrap().total(), [0.0; 3]);
    }

    #[test]
    fn an_order_of_names_moves_values_with_them() {
        let bias = ClassBias::new(&names(&["a", "b", "c"]), &[1.0, 0.0, -1.0]).unwrap();
        let mut bias = bias.trained_to(&[1.25, 0.0, -1.25]).unwrap();
        bias.set_offset("b", 3.0).unwrap();
        let other = bias.in_order_of(&names(&["c", "a", "b"])).unwrap();
        assert_eq!(other.prior(), [-1.0, 1.0, 0.0]);
        assert_eq!(other.learned(), [-0.25, 0.25, 0.0]);
        assert_eq!(other.offset(), [0.0, 0.0, 3.0]);
        assert_eq!(other.in_order_of(bias.classes()).unwrap(), bias);
        let error = bias.in_order_of(&names(&["a", "b", "d"])).unwrap_err();
        let words = error.to_string();
        assert!(words.contains("missing 'd', too many 'c'"), "{words}");
        assert!(words.contains("expected a, b, d"), "{words}");
    }

    #[test]
    fn what_is_no_bias_is_refused() {
        let ab = names(&["a", "b"]);
        let says = |result: Result<ClassBias, BiasError>, word: &str| {
            let words = result.unwrap_err().to_string();
            assert!(words.contains(word), "{words}");
        };
        says(ClassBias::none(&[]), "no classes");
        says(ClassBias::none(&names(&["a", "a"])), "'a' is named twice");
        says(ClassBias::none(&names(&[""])), "no name");
        says(ClassBias::new(&ab, &[1.0]), "1 values, expected 2");
        says(ClassBias::new(&ab, &[1.0, f64::NAN]), "'b' is NaN");
        says(ClassBias::new(&ab, &[1e9, 0.0]), "within ±1000");
        let bias = || ClassBias::none(&ab).unwrap();
        says(bias().trained_to(&[0.0]), "trained bias has 1");
        let error = bias().set_offset("z", 1.0).unwrap_err().to_string();
        assert!(error.contains("'z'") && error.contains("a, b"), "{error}");
        assert!(bias().set_offset("a", f32::INFINITY).is_err());
    }

    #[test]
    fn centring_leaves_out_what_does_not_count() {
        assert_eq!(centred(&[3.0, 1.0, 2.0]), [1.0, -1.0, 0.0]);
        let over = centred_over(&[9.0, 1.0, 3.0], |n| n > 0);
        assert_eq!(over, [0.0, -1.0, 1.0]);
        assert!(centred(&[]).is_empty());
        assert_eq!(centred_over(&[4.0], |_| false), [0.0]);
    }
}

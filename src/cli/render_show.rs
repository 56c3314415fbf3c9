//! What `parfocal render` shows of a model's answer, by the names of the window.

use anyhow::Context as _;

use crate::app::overlay::AnalysisMode;
use crate::gpu::overlay::OverlayContent;

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// The most likely class.
    Classes,
    /// How likely a class is: the one of that name, else each px's own.
    Probability(Option<String>),
    /// How undecided the model is.
    Entropy,
    /// Where two magnifications name another class.
    Agreement,
}

impl Show {
    /// As it is typed: `classes`, `probability`, `probability:NAME`, `entropy`, `agreement`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("classes", _) => Ok(Self::Classes),
            ("probability", _) => Ok(Self::Probability(None)),
            ("entropy", _) => Ok(Self::Entropy),
            ("agreement", _) => Ok(Self::Agreement),
            (_, Some(("probability", class))) if !class.is_empty() => {
                Ok(Self::Probability(Some(class.to_owned())))
            }
            _ => Err(
                "write classes, probability, probability:NAME of a class, entropy or agreement"
                    .to_owned(),
            ),
        }
    }

    /// Which part of the map's texels is drawn.
    pub fn content(&self) -> OverlayContent {
        match self {
            Self::Classes | Self::Agreement => OverlayContent::Classes,
            Self::Probability(_) => OverlayContent::Value,
            Self::Entropy => OverlayContent::Extra,
        }
    }

    /// The place of the class whose probability is shown among a model's `classes`; `None`: each
    /// px's own.
    ///
    /// # Errors
    /// When the model has no such class, with those that it has.
    pub fn class(&self, classes: &[String]) -> anyhow::Result<Option<usize>> {
        let Self::Probability(Some(name)) = self else {
            return Ok(None);
        };
        let found = classes.iter().position(|class| class == name);
        let found = found.with_context(|| {
            let known = classes.join(", ");
            format!("--show probability:{name}: the model has no class '{name}', but {known}")
        })?;
        Ok(Some(found))
    }

    /// At which magnification it is shown where none is pinned.
    pub fn mode(&self) -> AnalysisMode {
        match self {
            Self::Agreement => AnalysisMode::Agreement,
            _ => AnalysisMode::Follow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_the_windows_names() {
        let of = |class: &str| Show::Probability(Some(class.to_owned()));
        assert_eq!(Show::parse("classes"), Ok(Show::Classes));
        assert_eq!(Show::parse("probability"), Ok(Show::Probability(None)));
        assert_eq!(Show::parse("probability:a: b"), Ok(of("a: b")));
        for wrong in ["", "probability:", "Entropy", "entropy:tumor", "heat"] {
            assert!(Show::parse(wrong).is_err(), "{wrong}");
        }
        let names = ["tumor", "stroma"].map(str::to_owned);
        assert_eq!(of("stroma").class(&names).unwrap(), Some(1));
        assert_eq!(Show::Entropy.class(&names).unwrap(), None);
        let error = of("fat").class(&names).unwrap_err().to_string();
        assert!(error.contains("tumor, stroma"), "{error}");
    }
}

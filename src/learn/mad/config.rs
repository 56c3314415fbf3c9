//! What a training run is made of: one file says all.

use serde::{Deserialize, Serialize};

use super::network::HeadConfig;
use crate::learn::sampling::GRID;
use crate::model::EncoderConfig;
use crate::model::config::ConfigError;

/// Weights of the losses (methods 2.2); zero leaves one out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Parent against another view of itself.
    pub global: f64,
    /// Context to detail.
    pub context: f64,
    /// Patches under a child against the child's patches.
    pub tokens: f64,
    /// Spread of the class embeddings.
    pub koleo: f64,
    /// Contrast among the children of a parent; off unless asked for.
    pub contrast: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            global: 1.0,
            context: 0.5,
            tokens: 1.0,
            koleo: 0.1,
            contrast: 0.0,
        }
    }
}

/// How the student learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudentConfig {
    /// Greatest and last learning rate.
    pub learning_rate: [f64; 2],
    /// Steps of its rise.
    pub warm_up_steps: u64,
    /// First and last weight decay.
    pub weight_decay: [f64; 2],
    /// Greatest norm of the gradient.
    pub most_gradient: f64,
    /// Temperature of its assignments.
    pub temperature: f64,
}

impl Default for StudentConfig {
    fn default() -> Self {
        Self {
            learning_rate: [5e-4, 1e-5],
            warm_up_steps: 100,
            weight_decay: [0.04, 0.1],
            most_gradient: 3.0,
            temperature: 0.1,
        }
    }
}

/// How the teacher follows and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TeacherConfig {
    /// First and last momentum.
    pub momentum: [f64; 2],
    /// First and last temperature.
    pub temperature: [f64; 2],
    /// Steps from the first to the last temperature.
    pub temperature_steps: u64,
    /// Iterations of Sinkhorn's scaling.
    pub sinkhorn_iterations: usize,
    /// Rows kept for each balance; about four a prototype.
    pub queue_rows: usize,
}

impl Default for TeacherConfig {
    fn default() -> Self {
        Self {
            momentum: [0.99, 0.999],
            temperature: [0.04, 0.07],
            temperature_steps: 500,
            sinkhorn_iterations: 3,
            queue_rows: 1024,
        }
    }
}

/// How long a run remembers its embeddings, and what stops one that goes nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// Steps between two looks at the effective rank.
    pub every_steps: u64,
    /// The last rows of a kind that are kept. The effective rank is taken over them and, where
    /// `head.centred`, so is the mean that rows lose before the head: it changes training.
    pub rows: usize,
    /// Share of the embedding's width below which the run says that it has collapsed (methods 2.2:
    /// about 20 %); it goes on.
    pub low_rank_share: f64,
    /// Share below which the run stops: nothing is left to learn from.
    pub least_rank_share: f64,
    /// Steps before that stops the run.
    pub grace_steps: u64,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            every_steps: 25,
            rows: 1024,
            low_rank_share: 0.2,
            least_rank_share: 0.04,
            grace_steps: 300,
        }
    }
}

/// Which encoder is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EncoderChoice {
    /// By name, as [`EncoderConfig::named`] knows it.
    Name(String),
    /// By its numbers.
    Shape(EncoderConfig),
}

impl Default for EncoderChoice {
    fn default() -> Self {
        Self::Name(EncoderConfig::tiny().name)
    }
}

/// Everything that training depends on but the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadConfig {
    /// Seed of first weights, of sampling and of augmentation.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// The encoder: the name of a shape, or a shape of its own.
    #[serde(default)]
    pub encoder: EncoderChoice,
    /// The projection head.
    #[serde(default)]
    pub head: HeadConfig,
    /// Weights of the losses.
    #[serde(default)]
    pub loss: LossWeights,
    /// The student.
    #[serde(default)]
    pub student: StudentConfig,
    /// The teacher.
    #[serde(default)]
    pub teacher: TeacherConfig,
    /// The watch over it.
    #[serde(default)]
    pub watch: WatchConfig,
    /// Minutes between checkpoints; at most five.
    #[serde(default = "five")]
    pub checkpoint_minutes: f64,
}

fn five() -> f64 {
    5.0
}

/// A configuration that no run can have.
#[derive(Debug, thiserror::Error)]
pub enum MadConfigError {
    /// A value out of its range.
    #[error("{what} is {value}, not in {low}..={high}")]
    OutOfRange {
        /// Which value, as in the file.
        what: &'static str,
        /// The value.
        value: f64,
        /// Least allowed.
        low: f64,
        /// Greatest allowed.
        high: f64,
    },
    /// A tile that children do not divide.
    #[error(
        "a tile of {tile_px} px has {grid} patches a side, and 4 children a side need a multiple of 4"
    )]
    Children {
        /// Side of the tile.
        tile_px: usize,
        /// Patches a side.
        grid: usize,
    },
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] ConfigError),
}

impl MadConfig {
    /// The shape of the encoder.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn encoder(&self) -> Result<EncoderConfig, ConfigError> {
        match &self.encoder {
            EncoderChoice::Name(name) => EncoderConfig::named(name),
            EncoderChoice::Shape(shape) => Ok(shape.clone()),
        }
    }

    /// Checks every value, and that tiles of `tile_px` suit encoder and children.
    ///
    /// # Errors
    /// With the first that is wrong.
    pub fn check(&self, tile_px: usize) -> Result<(), MadConfigError> {
        let encoder = self.encoder()?;
        encoder.check()?;
        let grid = encoder.grid(tile_px)?;
        if !grid.is_multiple_of(GRID) {
            return Err(MadConfigError::Children { tile_px, grid });
        }
        let stops_below = self.watch.least_rank_share * encoder.width as f64;
        let rows = ("watch.rows", self.watch.rows as f64, stops_below, 1e6);
        // Of fewer rows the rank could only be below what stops the run.
        for (what, value, low, high) in self.ranges().into_iter().chain([rows]) {
            // Written so that a NaN is out of range too.
            if !(low..=high).contains(&value) {
                return Err(MadConfigError::OutOfRange {
                    what,
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let (loss, student, teacher) = (&self.loss, &self.student, &self.teacher);
        vec![
            ("steps", self.steps as f64, 1.0, 1e8),
            ("head.hidden", self.head.hidden as f64, 1.0, 65_536.0),
            ("head.bottleneck", self.head.bottleneck as f64, 2.0, 4096.0),
            (
                "head.prototypes",
                self.head.prototypes as f64,
                2.0,
                65_536.0,
            ),
            ("loss.global", loss.global, 0.0, 100.0),
            ("loss.context", loss.context, 0.0, 100.0),
            ("loss.tokens", loss.tokens, 0.0, 100.0),
            ("loss.koleo", loss.koleo, 0.0, 100.0),
            ("loss.contrast", loss.contrast, 0.0, 100.0),
            (
                "student.learning_rate[0]",
                student.learning_rate[0],
                0.0,
                1.0,
            ),
            (
                "student.learning_rate[1]",
                student.learning_rate[1],
                0.0,
                1.0,
            ),
            ("student.weight_decay[0]", student.weight_decay[0], 0.0, 1.0),
            ("student.weight_decay[1]", student.weight_decay[1], 0.0, 1.0),
            ("student.most_gradient", student.most_gradient, 1e-6, 1e6),
            ("student.temperature", student.temperature, 0.02, 10.0),
            ("teacher.momentum[0]", teacher.momentum[0], 0.0, 1.0),
            ("teacher.momentum[1]", teacher.momentum[1], 0.0, 1.0),
            ("teacher.temperature[0]", teacher.temperature[0], 0.02, 10.0),
            ("teacher.temperature[1]", teacher.temperature[1], 0.02, 10.0),
            (
                "teacher.sinkhorn_iterations",
                teacher.sinkhorn_iterations as f64,
                1.0,
                1000.0,
            ),
            ("teacher.queue_rows", teacher.queue_rows as f64, 0.0, 1e6),
            ("watch.every_steps", self.watch.every_steps as f64, 1.0, 1e8),
            ("watch.rows", self.watch.rows as f64, 8.0, 1e6),
            (
                "watch.least_rank_share",
                self.watch.least_rank_share,
                0.0,
                1.0,
            ),
            ("watch.low_rank_share", self.watch.low_rank_share, 0.0, 1.0),
            ("checkpoint_minutes", self.checkpoint_minutes, 0.0, 5.0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> MadConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_short_file_gives_the_methods_values() {
        let config = parse("seed = 1\nsteps = 10\n");
        assert_eq!(config.loss.context, 0.5);
        assert_eq!(config.head.prototypes, 256);
        config.check(128).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str, tile_px| parse(text).check(tile_px).unwrap_err().to_string();
        let base = "seed = 1\nsteps = 10\n";
        assert!(wrong(&format!("{base}encoder = \"big\""), 128).contains("'big'"));
        assert!(wrong(base, 100).contains("100 px"));
        assert!(wrong(base, 96).contains("multiple of 4"));
        let text = format!("{base}[teacher]\nmomentum = [0.9, 1.5]");
        assert!(wrong(&text, 128).contains("teacher.momentum[1] is 1.5"));
        let text = format!("{base}[student]\ntemperature = nan");
        assert!(wrong(&text, 128).contains("student.temperature"));
        let unknown = toml::from_str::<MadConfig>(&format!("{base}[loss]\ntokenz = 1.0"));
        assert!(unknown.unwrap_err().to_string().contains("tokenz"));
    }
}

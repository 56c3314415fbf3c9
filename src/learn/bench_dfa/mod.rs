//! Modes × seeds (× rotations of roles) of the bias, from results in a folder to one table.
//!
//! ```text
//! run ─→ one JSON file each ─→ ResultFolder ─→ BenchTable ─→ Markdown, JSON, pictures
//! ```
//!
//! A run that has its file is not run again, and the table is made from the files alone, so a
//! benchmark may be stopped and taken up at any time. Nothing here trains.

mod folder;
mod markdown;
mod plot;
mod roles;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use folder::{BenchError, ResultFolder};
pub use markdown::to_markdown;
pub use plot::{bias_against_plot, dice_plot};
pub use roles::{Role, role_of};
pub use run::{BiasFigures, ClassRun, RunKey, RunResult, measured_difficulty};
pub use table::{BenchTable, COLOUR, Correlation, GroupRow, MODES, ModeRow, PairRow};

use crate::learn::report::ReportFile;

/// Names and contents of the table's files: `bench.md`, `bench.json` and pictures.
///
/// # Errors
/// When a picture or the JSON can't be made.
pub fn table_files(table: &BenchTable) -> Result<Vec<ReportFile>, BenchError> {
    let mut pictures = vec![("bench-dice.svg".to_owned(), dice_plot(table)?)];
    if let Some(svg) = bias_against_plot(table)? {
        pictures.push(("bench-bias.svg".to_owned(), svg));
    }
    let names: Vec<&str> = pictures.iter().map(|(name, _)| name.as_str()).collect();
    let mut files = vec![
        ("bench.md".to_owned(), to_markdown(table, &names)),
        ("bench.json".to_owned(), table.to_json()?),
    ];
    files.extend(pictures);
    Ok(files)
}

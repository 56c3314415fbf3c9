//! The table for readers.

use std::fmt::Write as _;

use super::table::{BenchTable, COLOUR, GroupRow, ModeRow, PairRow};
use crate::learn::report::markdown::{head, number, row};
use crate::learn::statistics::Figure;

/// The table as Markdown; `pictures` are file names beside it.
pub fn to_markdown(table: &BenchTable, pictures: &[&str]) -> String {
    let mut text = "# Modes of the attention bias\n\n".to_owned();
    let _ = writeln!(
        text,
        "{}; settings {}; differences to `{}`, seed by seed; 95 % intervals by Student's t over \
         the seeds.\n",
        table.programs.join(", "),
        table.settings,
        table.reference
    );
    text += &modes(table);
    for picture in pictures {
        let _ = writeln!(text, "![]({picture})\n");
    }
    text += &dice("role", table, |mode| &mode.roles);
    text += &dice("class", table, |mode| &mode.classes);
    text += &ious(table);
    text += &pairs("role", table, |pair| &pair.roles);
    text += &pairs("class", table, |pair| &pair.classes);
    text += &biases("role", table, |mode| &mode.roles);
    text += &biases("class", table, |mode| &mode.classes);
    text += &correlations(table);
    text + &notes(table)
}

/// Mean and interval of a figure times `scale`.
fn shown(figure: Option<&Figure>, scale: f64, digits: usize) -> String {
    let Some(figure) = figure else {
        return "–".to_owned();
    };
    let one = |value: f64| number(Some(scale * value), digits);
    match figure.interval {
        Some((low, high)) => format!("{} ({} to {})", one(figure.mean), one(low), one(high)),
        None => format!("{} (one seed)", one(figure.mean)),
    }
}

fn points(figure: Option<&Figure>) -> String {
    shown(figure, 100.0, 1)
}

/// Per cent of a mode; colour alone has one value, that no seed goes into.
fn percent(mode: &ModeRow, figure: Option<&Figure>) -> String {
    match mode.mode == COLOUR {
        true => number(figure.map(|figure| 100.0 * figure.mean), 1),
        false => points(figure),
    }
}

/// Median, least and most: a time can't be below 0, as an interval by Student's t may be.
fn range(figure: Option<&Figure>) -> String {
    let Some(figure) = figure else {
        return "–".to_owned();
    };
    let mut values = figure.values.clone();
    values.sort_by(f64::total_cmp);
    let one = |n: usize| number(values.get(n).copied(), 0);
    let middle = values.len() / 2;
    // Of an even number, the mean of the two in the middle.
    let other = if values.len() % 2 == 0 {
        middle - 1
    } else {
        middle
    };
    let median = values.get(middle).zip(values.get(other));
    format!(
        "{} ({}–{})",
        number(median.map(|(a, b)| f64::midpoint(*a, *b)), 0),
        one(0),
        one(values.len() - 1)
    )
}

fn modes(table: &BenchTable) -> String {
    let mut text = head(&[
        "mode",
        "seeds",
        "macro Dice, %",
        "difference, points",
        "pairs",
        "difference, interval for all modes at once",
        "chosen on validation",
        "training, s: median (range)",
    ]);
    for mode in &table.modes {
        let pairs = mode.difference.as_ref().map(|figure| figure.values.len());
        text += &row(&[
            mode.mode.clone(),
            match mode.mode == COLOUR {
                true => "–".to_owned(),
                false => mode.seeds.len().to_string(),
            },
            percent(mode, mode.macro_dice.as_ref()),
            points(mode.difference.as_ref()),
            pairs.map_or("–".to_owned(), |pairs| pairs.to_string()),
            points(mode.difference_of_all.as_ref()),
            chosen(mode),
            range(mode.seconds.as_ref()),
        ]);
    }
    text + "\n"
}

/// α or τ, rotation by rotation.
fn chosen(mode: &ModeRow) -> String {
    if mode.chosen.is_empty() {
        return "–".to_owned();
    }
    let values: Vec<String> = mode.chosen.values().map(f64::to_string).collect();
    values.join(", ")
}

fn names(table: &BenchTable, of: fn(&ModeRow) -> &Vec<GroupRow>) -> Vec<&str> {
    let first = table.modes.first();
    first.map_or_else(Vec::new, |mode| {
        of(mode).iter().map(|g| g.name.as_str()).collect()
    })
}

fn dice(what: &str, table: &BenchTable, of: fn(&ModeRow) -> &Vec<GroupRow>) -> String {
    let names = names(table, of);
    if names.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## Dice by {what}, %, and difference to `{}`\n\n",
        table.reference
    );
    text += &head(&["mode"].into_iter().chain(names).collect::<Vec<&str>>());
    for mode in &table.modes {
        let cell = |group: &GroupRow| match &group.difference {
            Some(difference) => {
                let (dice, by) = (points(group.dice.as_ref()), points(Some(difference)));
                format!("{dice}; Δ {by}")
            }
            None => percent(mode, group.dice.as_ref()),
        };
        let cells = of(mode).iter().map(cell);
        text += &row(&[mode.mode.clone()]
            .into_iter()
            .chain(cells)
            .collect::<Vec<String>>());
    }
    text + "\n"
}

fn ious(table: &BenchTable) -> String {
    let names = names(table, |mode| &mode.classes);
    let mut text = "## IoU by class, %\n\n".to_owned();
    text += &head(&["mode"].into_iter().chain(names).collect::<Vec<&str>>());
    for mode in &table.modes {
        let cells = mode.classes.iter();
        let cells = cells.map(|group| percent(mode, group.iou.as_ref()));
        let cells = [mode.mode.clone()].into_iter().chain(cells);
        text += &row(&cells.collect::<Vec<String>>());
    }
    text + "\n"
}

/// Names and differences of a pair.
type Differences = Vec<(String, Option<Figure>)>;

fn pairs(what: &str, table: &BenchTable, of: fn(&PairRow) -> &Differences) -> String {
    let Some(first) = table.pairs.first().filter(|pair| !of(pair).is_empty()) else {
        return String::new();
    };
    let names = of(first).iter().map(|(name, _)| name.as_str());
    let heads = ["difference", "macro Dice"].into_iter().chain(names);
    let mut text = format!("## Dice of one mode less that of another, points, by {what}\n\n");
    text += &head(&heads.collect::<Vec<&str>>());
    for pair in &table.pairs {
        let cells = of(pair).iter().map(|(_, figure)| points(figure.as_ref()));
        let begin = [
            format!("{} − {}", pair.mode, pair.less),
            points(pair.macro_dice.as_ref()),
        ];
        text += &row(&begin.into_iter().chain(cells).collect::<Vec<String>>());
    }
    text + "\n"
}

fn biases(what: &str, table: &BenchTable, of: fn(&ModeRow) -> &Vec<GroupRow>) -> String {
    let mut rows = String::new();
    for mode in &table.modes {
        for group in of(mode).iter().filter(|group| group.learned.is_some()) {
            rows += &row(&[
                mode.mode.clone(),
                group.name.clone(),
                shown(group.learned.as_ref(), 1.0, 3),
                shown(group.change.as_ref(), 1.0, 3),
                shown(group.effective_offset.as_ref(), 1.0, 3),
                points(group.attention_share.as_ref()),
            ]);
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let head = head(&[
        "mode",
        what,
        "b at the end",
        "change from the start",
        "effective offset",
        "share of attention, %",
    ]);
    format!("## Bias by {what}\n\n{head}{rows}\n")
}

fn correlations(table: &BenchTable) -> String {
    let mut rows = String::new();
    for mode in &table.modes {
        for found in &mode.correlations {
            rows += &row(&[
                mode.mode.clone(),
                found.of.clone(),
                found.with.clone(),
                shown(found.pearson.as_ref(), 1.0, 2),
                shown(found.spearman.as_ref(), 1.0, 2),
                shown(found.partial.as_ref(), 1.0, 2),
                found.points.to_string(),
            ]);
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let head = head(&[
        "mode",
        "figure",
        "with",
        "Pearson's r",
        "Spearman's ρ",
        "r, the other taken out",
        "points a seed",
    ]);
    format!("## What the bias follows\n\n{head}{rows}\n")
}

fn notes(table: &BenchTable) -> String {
    let mut notes = vec![
        "A figure has one value a seed; intervals say what other seeds might give, on the same \
         data. One that holds 0 is a null result."
            .to_owned(),
        "Intervals for all modes at once are Bonferroni's: with 95 % all of them hold their means."
            .to_owned(),
    ];
    if table.rotations.len() > 1 {
        let roles = table.modes.iter().any(|mode| !mode.roles.is_empty());
        let blocks = match roles {
            true => "rotations of the roles over the classes (Latin square)",
            false => "folds",
        };
        notes.push(format!(
            "Each value is the mean over {} {blocks} first; correlations are over the classes of \
             all of them of a seed.",
            table.rotations.len()
        ));
    }
    if table.modes.iter().any(|mode| !mode.correlations.is_empty()) {
        notes.push(
            "Difficulty is 1 − Dice of independent runs without bias. Biases are centred. A bias \
             that starts at a function of frequency goes with it from the start: read the change \
             and the effective offset too."
                .to_owned(),
        );
    }
    if table.modes.iter().any(|mode| mode.mode == COLOUR) {
        notes.push(format!(
            "`{COLOUR}` is no network: a classifier of single pixels' colours, fitted to the training \
             images and scored on the same test pixels."
        ));
    }
    for (mode, seeds) in &table.left_out {
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let seeds = seeds.join(", ");
        notes.push(format!(
            "**Left out**, for want of rotations: `{mode}`, seeds {seeds}."
        ));
    }
    let lines = notes.into_iter().map(|note| format!("- {note}\n"));
    format!("## How to read this\n\n{}", lines.collect::<String>())
}

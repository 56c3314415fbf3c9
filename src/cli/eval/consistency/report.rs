//! The figures in words and pictures.

use plotters::prelude::*;

use super::choose::{Chosen, means};
use super::dials::{DialResult, TURNS};
use super::score::{Score, TOLERANCE_UM};
use super::slide::{FIELD_UM, FIELDS, SlideResult};
use crate::learn::report::markdown::{head, number, percent, row};
use crate::segment::fusion::CONTEXT_STEPS;
use crate::segment::live::MAGNIFICATIONS;

/// All figures.
pub struct Figures<'a> {
    /// The model as it was named.
    pub model: &'a str,
    /// Names of its classes.
    pub classes: &'a [String],
    /// Weights and temperatures.
    pub chosen: &'a Chosen,
    /// Of the validation slides.
    pub sweeps: &'a [SlideResult],
    /// Of the test slides: the chosen weight, the finer map alone, the coarser one alone.
    pub tests: &'a [SlideResult],
    /// Of the dials on the test slides.
    pub dials: &'a [DialResult],
}

/// The report.
pub fn markdown(figures: &Figures) -> String {
    let mut text = format!(
        "# Consistency: {}\n\n{} validation and {} test slides, {FIELDS} fields of {FIELD_UM} µm each. \
         Boundaries are right within {TOLERANCE_UM} µm.\n",
        figures.model,
        figures.sweeps.len(),
        figures.tests.len()
    );
    for scale in figures.chosen.fusion.weight_of_fine.keys() {
        text += &chosen(figures, *scale);
        text += &tested(figures, *scale);
    }
    if !figures.dials.is_empty() {
        text += &dials(figures);
    }
    text
}

fn name(scale: u8) -> String {
    MAGNIFICATIONS[usize::from(scale)].to_string()
}

fn chosen(figures: &Figures, scale: u8) -> String {
    let (fine, coarse) = (name(scale), name(scale + CONTEXT_STEPS));
    let fusion = &figures.chosen.fusion;
    let of = |scale: u8| f64::from(fusion.temperature.get(&scale).copied().unwrap_or(1.0));
    let mut text = format!(
        "\n## {fine} with the context of {coarse}\n\nChosen on validation: w = {:.1}, temperatures \
         {:.2} and {:.2}.\n\n",
        fusion.weight_of_fine.get(&scale).copied().unwrap_or(1.0),
        of(scale),
        of(scale + CONTEXT_STEPS)
    );
    let like_coarse = format!("like {coarse}");
    text += &head(&["w", "macro Dice", "boundary F1", &like_coarse]);
    let weights = figures
        .sweeps
        .first()
        .and_then(|sweep| sweep.weights.get(&scale));
    for (index, weight) in weights.into_iter().flatten().enumerate() {
        let [dice, f1, like] = means(figures.sweeps, scale, index);
        let share = |value: f64| percent(Some(value), 1);
        text += &row(&[format!("{weight:.1}"), share(dice), share(f1), share(like)]);
    }
    text
}

fn tested(figures: &Figures, scale: u8) -> String {
    let (fine, coarse) = (name(scale), name(scale + CONTEXT_STEPS));
    let maps = [
        format!("{fine}, fused"),
        format!("{fine} alone"),
        format!("{coarse} alone"),
    ];
    let mut text = "\nOn the test slides, median (least to most):\n\n".to_owned();
    let like_coarse = format!("like the {coarse} map");
    let mut names = vec!["", "macro Dice", "boundary F1", like_coarse.as_str()];
    names.extend(figures.classes.iter().map(String::as_str));
    text += &head(&names);
    for (index, map) in maps.iter().enumerate() {
        let results = figures.tests.iter();
        let scores: Vec<&Score> = results
            .filter_map(|result| result.scores.get(&scale)?.get(index))
            .collect();
        let of = |value: fn(&Score) -> f64| spread(scores.iter().map(|score| value(score)));
        let mut cells = vec![
            map.clone(),
            of(|score| score.macro_dice),
            of(|score| score.boundary_f1),
            of(|score| score.consistency),
        ];
        for class in 0..figures.classes.len() {
            let dice = scores.iter().filter_map(|score| *score.dice.get(class)?);
            cells.push(spread(dice));
        }
        text += &row(&cells);
    }
    text
}

/// Median, least and most, as percentages.
fn spread(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let Some((least, most)) = values.first().zip(values.last()) else {
        return "–".to_owned();
    };
    let share = |value: f64| number(Some(value * 100.0), 1);
    format!(
        "{} ({}–{})",
        share(median(&values)),
        share(*least),
        share(*most)
    )
}

/// Of sorted values, at least one.
fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

fn dials(figures: &Figures) -> String {
    let mut text =
        "\n## What a dial is worth\n\nAt 10x, the dial of one class turned, the others at \
                    rest: share of the fields that is the class, and in brackets its share of the \
                    first biased layer's attention. Second row: the same added to the finished \
                    scores. Medians over the test slides, in percent.\n\n"
            .to_owned();
    let turns: Vec<String> = TURNS.iter().map(|by| format!("{by:+}")).collect();
    let (left, right) = turns.split_at(TURNS.len() / 2);
    let mut names = vec![""];
    names.extend(left.iter().map(String::as_str));
    names.push("at rest");
    names.extend(right.iter().map(String::as_str));
    text += &head(&names);
    for (class, name) in figures.classes.iter().enumerate() {
        let of = |value: &dyn Fn(&super::dials::DialEffect) -> f64| {
            let effects = figures
                .dials
                .iter()
                .filter_map(|dials| dials.classes.get(class));
            let mut values: Vec<f64> = effects.map(value).collect();
            values.sort_by(f64::total_cmp);
            if values.is_empty() {
                0.0
            } else {
                100.0 * median(&values)
            }
        };
        let both = |area: f64, attention: f64| format!("{area:.1} ({attention:.0})");
        let (mut attention, mut output) = (
            vec![format!("{name}, attention")],
            vec![format!("{name}, scores")],
        );
        for step in 0..TURNS.len() {
            if step == TURNS.len() / 2 {
                attention.push(both(of(&|e| e.area_at_rest), of(&|e| e.attention_at_rest)));
                output.push(format!("{:.1}", of(&|e| e.area_at_rest)));
            }
            attention.push(both(of(&|e| e.area[step]), of(&|e| e.attention[step])));
            output.push(format!("{:.1}", of(&|e| e.area_by_output[step])));
        }
        text += &row(&attention);
        text += &row(&output);
    }
    text
}

/// Plots of the sweep and of the dials, by file name.
pub fn plots(
    sweeps: &[SlideResult],
    dials: &[DialResult],
    classes: &[String],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut plots = Vec::new();
    let scales = sweeps.first().map(|sweep| sweep.weights.clone());
    for (scale, weights) in scales.unwrap_or_default() {
        let each: Vec<[f64; 3]> = (0..weights.len())
            .map(|index| means(sweeps, scale, index))
            .collect();
        let line = |n: usize| -> Vec<(f64, f64)> {
            let values = weights.iter().zip(&each);
            values
                .map(|(weight, means)| (f64::from(*weight), 100.0 * means[n]))
                .collect()
        };
        let lines = [
            ("macro Dice".to_owned(), line(0)),
            ("boundary F1".to_owned(), line(1)),
            (
                format!("like the {} map", name(scale + CONTEXT_STEPS)),
                line(2),
            ),
        ];
        let x = format!("weight of the {} map", name(scale));
        plots.push((
            format!("sweep-{}.svg", name(scale)),
            chart(&x, "%, validation", &lines)?,
        ));
    }
    if !dials.is_empty() {
        let line = |class: usize, of: fn(&super::dials::DialEffect) -> (&Vec<f64>, f64)| {
            let points = TURNS.iter().enumerate().map(|(step, by)| {
                let effects = dials.iter().filter_map(|dials| dials.classes.get(class));
                let mut values: Vec<f64> = effects
                    .map(|effect| 100.0 * (of(effect).0[step] - of(effect).1))
                    .collect();
                values.sort_by(f64::total_cmp);
                (f64::from(*by), median(&values))
            });
            points.collect::<Vec<_>>()
        };
        let of = |of: fn(&super::dials::DialEffect) -> (&Vec<f64>, f64)| -> Vec<(String, Vec<(f64, f64)>)> {
            let numbered = classes.iter().enumerate();
            numbered.map(|(class, name)| (name.clone(), line(class, of))).collect()
        };
        let y = "change of the class's area, points of the field";
        let by_attention = of(|effect| (&effect.area, effect.area_at_rest));
        plots.push((
            "dials-attention.svg".into(),
            chart("turn of the attention dial", y, &by_attention)?,
        ));
        let by_output = of(|effect| (&effect.area_by_output, effect.area_at_rest));
        plots.push((
            "dials-output.svg".into(),
            chart("added to the finished scores", y, &by_output)?,
        ));
    }
    Ok(plots)
}

/// Colours that the colour-blind tell apart (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// Lines over one axis, with a legend.
fn chart(x: &str, y: &str, lines: &[(String, Vec<(f64, f64)>)]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let points = || lines.iter().flat_map(|(_, line)| line);
    let range = |of: fn(&(f64, f64)) -> f64, room: f64| {
        let (least, most) = points()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                (a.min(v), b.max(v))
            });
        let room = (most - least).max(1e-3) * room;
        least - room..most + room
    };
    {
        let area = SVGBackend::with_string(&mut svg, (680, 400)).into_drawing_area();
        area.fill(&WHITE)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(range(|p| p.0, 0.0), range(|p| p.1, 0.08))
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        chart
            .configure_mesh()
            .x_desc(x)
            .y_desc(y)
            .light_line_style(WHITE)
            .draw()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        for ((name, line), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            let series = LineSeries::new(line.iter().copied(), style).point_size(3);
            chart
                .draw_series(series)
                .map_err(|error| anyhow::anyhow!("{error}"))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .draw()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        area.present().map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_medians_with_their_ends() {
        assert_eq!(spread([0.2, 0.5, 0.3].into_iter()), "30.0 (20.0–50.0)");
        assert_eq!(spread(std::iter::empty()), "–");
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}

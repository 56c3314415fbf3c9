//! Rows of Markdown tables.

/// A row of cells, with its line break.
pub fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table and the line under it.
pub fn head(cells: &[&str]) -> String {
    let names: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
    row(&names) + &row(&vec!["---".to_owned(); cells.len()])
}

/// A number with so many digits after the point; a dash for what is not known. Zero has no sign.
pub fn number(value: Option<f64>, digits: usize) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    let text = format!("{value:.digits$}");
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero {
        text.trim_start_matches('-').to_owned()
    } else {
        text.replace('-', "−")
    }
}

/// A share (0–1) in per cent; a dash for what is not known.
pub fn percent(share: Option<f64>, digits: usize) -> String {
    let text = number(share.map(|share| 100.0 * share), digits);
    share.map_or(text.clone(), |_| text + " %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(number(Some(-0.126), 2), "−0.13");
        assert_eq!(number(Some(-0.001), 2), "0.00");
        assert_eq!(number(None, 2), "–");
        assert_eq!(percent(Some(0.125), 1), "12.5 %");
        assert_eq!(percent(None, 1), "–");
        assert_eq!(head(&["a", "b"]), "| a | b |\n| --- | --- |\n");
    }
}

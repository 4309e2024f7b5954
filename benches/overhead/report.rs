//! The table: medians over the rounds, and ratios within the rounds.
//!
//! A ratio is the median of the ratios of each round, so that what slows a whole round down (other
//! work on the machine) falls out of it.

use std::fmt::Write as _;

/// One row: a figure of every subject in every round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    /// By subject, then by round; NaN where there is none.
    pub(crate) values: Vec<Vec<f64>>,
    /// Whether ratios mean something.
    pub(crate) has_ratio: bool,
    /// The aim as a ratio to nginx, or as an absolute number where there are no ratios.
    pub(crate) aim: Option<f64>,
}

/// Names of the subjects and what to compare with.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    pub(crate) nginx: Option<usize>,
    pub(crate) pingora: Option<usize>,
}

const TITLE_WIDTH: usize = 54;
const VALUE_WIDTH: usize = 25;

/// The table as text.
pub(crate) fn table(columns: &Columns, rows: &[Row]) -> String {
    let mut text = format!("{:TITLE_WIDTH$}", "");
    for name in &columns.names {
        let _ = write!(text, "{name:>VALUE_WIDTH$}");
    }
    text.push_str("     aim\n");
    for row in rows {
        let _ = write!(text, "{:TITLE_WIDTH$}", row.title);
        for index in 0..columns.names.len() {
            let _ = write!(text, "{:>VALUE_WIDTH$}", cell(columns, row, index));
        }
        match row.aim {
            Some(aim) if row.has_ratio => _ = write!(text, "  ≤ {aim} ×"),
            Some(aim) => _ = write!(text, "  ≤ {aim}"),
            None => {}
        }
        text.push('\n');
    }
    text.push_str("In parentheses: × nginx, × bare Pingora, medians of the rounds' own ratios.\n");
    text
}

fn cell(columns: &Columns, row: &Row, index: usize) -> String {
    let Some(values) = row.values.get(index) else { return String::new() };
    let value = median(values.clone());
    if value.is_nan() {
        return "–".into();
    }
    let mut text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    if !row.has_ratio {
        return text;
    }
    let against = |other: Option<usize>| {
        let other = row.values.get(other.filter(|&other| other != index)?)?;
        let ratio = median(values.iter().zip(other).map(|(own, other)| own / other).collect());
        (!ratio.is_nan()).then(|| format!("{ratio:.2}"))
    };
    match (against(columns.nginx), against(columns.pingora)) {
        (Some(nginx), Some(pingora)) => _ = write!(text, " ({nginx}, {pingora})"),
        (Some(only), None) => _ = write!(text, " ({only})"),
        _ => {}
    }
    text
}

/// The middle value, or the mean of the middle two; NaN without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|at| values.get(at)).copied();
    lower.map_or(f64::NAN, |lower| f64::midpoint(lower, upper))
}

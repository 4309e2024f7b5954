//! The table: medians over the rounds, and ratios within the rounds.
//!
//! A ratio is the median of the ratios of each round, so that what slows a whole round down (other
//! work on the machine) falls out of it.

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
    let names = columns.names.iter().map(|name| format!("{name:>VALUE_WIDTH$}"));
    let mut lines = vec![format!("{:TITLE_WIDTH$}{}     aim", "", names.collect::<String>())];
    for row in rows {
        let cells = (0..columns.names.len())
            .map(|index| format!("{:>VALUE_WIDTH$}", cell(columns, row, index)));
        let aim = match row.aim {
            Some(aim) if row.has_ratio => format!("  ≤ {aim} ×"),
            Some(aim) => format!("  ≤ {aim}"),
            None => String::new(),
        };
        lines.push(format!("{:TITLE_WIDTH$}{}{aim}", row.title, cells.collect::<String>()));
    }
    lines.push(
        "In parentheses: × nginx, × bare Pingora, medians of the rounds' own ratios.\n".into(),
    );
    lines.join("\n")
}

fn cell(columns: &Columns, row: &Row, index: usize) -> String {
    let Some(values) = row.values.get(index) else { return String::new() };
    let value = median(values.clone());
    if value.is_nan() {
        return "–".into();
    }
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    if !row.has_ratio {
        return text;
    }
    let against = |other: Option<usize>| {
        let other = row.values.get(other.filter(|&other| other != index)?)?;
        let ratio = median(values.iter().zip(other).map(|(own, other)| own / other).collect());
        (!ratio.is_nan()).then(|| format!("{ratio:.2}"))
    };
    match (against(columns.nginx), against(columns.pingora)) {
        (Some(nginx), Some(pingora)) => format!("{text} ({nginx}, {pingora})"),
        (Some(nginx), None) => format!("{text} ({nginx})"),
        (None, _) => text,
    }
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

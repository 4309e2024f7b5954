//! Where the commands write: answers to standard output, everything else to standard error.
//!
//! The only place of `cli` that touches the two; the print macros panic when a pipe is closed.

use std::io::Write;

use serde::Serialize;

use super::CliError;

/// Writes an answer, ending in exactly one line break.
pub(super) fn answer(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end_matches('\n'))?;
    stdout.flush()?;
    Ok(())
}

/// Writes an answer as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value);
    answer(&text.map_err(|error| CliError::Failed(error.to_string()))?)
}

/// Standard output, for an answer too long to be held in memory.
pub(super) fn stream() -> impl Write {
    std::io::stdout().lock()
}

/// Writes a remark. Nobody can be told if that fails.
pub(super) fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(writeln!(stderr, "{text}"));
}

/// Left-aligned columns, two spaces apart.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

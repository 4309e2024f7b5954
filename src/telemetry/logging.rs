//! Logs: JSON lines (or text) on standard output, written by a thread of their own.
//!
//! Pingora and the HTTP/2 library print whole headers at debug level, credentials included; their
//! records are cut off below `info`, whatever level is asked for.

use super::lines::{self, LinesGuard};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Crates whose debug output holds headers.
const LEAKY: &[&str] = &["pingora", "pingora_core", "pingora_proxy", "pingora_http", "h2", "hyper"];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Writes what is waiting when it is dropped.
static WRITER: Mutex<Option<LinesGuard>> = Mutex::new(None);

/// Starts logging, once per process.
pub fn start(level: &str, format: LineFormat) -> Result<(), LoggingError> {
    let (writer, guard) =
        lines::start(std::io::stdout()).map_err(|error| LoggingError(error.to_string()))?;
    let filter =
        EnvFilter::try_new(directives(level)).map_err(|error| LoggingError(error.to_string()))?;
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stdout().is_terminal())
        .with_writer(writer);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LineFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LineFormat::Text => registry.with(layer).try_init(),
    };
    started.map_err(|error| LoggingError(error.to_string()))?;
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    Ok(())
}

/// Writes the lines that wait. Called last thing before the process ends; later lines are lost.
pub fn finish() {
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Logging could not be started.
#[derive(Debug, thiserror::Error)]
#[error("logging could not be started: {0}")]
pub struct LoggingError(String);

fn directives(level: &str) -> String {
    let quiet = LEAKY.iter().map(|name| format!(",{name}=warn"));
    std::iter::once(level.to_owned()).chain(quiet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaky_crates_stay_quiet() {
        let directives = directives("trace");
        assert!(directives.starts_with("trace,"));
        for name in LEAKY {
            assert!(directives.contains(&format!("{name}=warn")), "{name}");
        }
    }
}

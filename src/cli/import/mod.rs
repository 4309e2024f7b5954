//! `arouter import`: the configuration of another gateway as one of ours, with a report.
//!
//! The configuration goes to standard output and has passed the loader; the report, on standard
//! error, names every setting of the input. A secret of the input is never written: neither to the
//! output nor into the report.

mod draft;
mod input;
mod litellm;
mod report;
#[cfg(test)]
mod tests;
mod vendors;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, ReadArgs, output};
use crate::config::{ConfigError, load_text, parse_yaml};
use draft::Draft;
use input::Field;
use report::Report;

/// Largest input.
const MAX_INPUT_BYTES: u64 = 16 * 1024 * 1024;

/// The commands below `arouter import`.
#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Read the config.yaml of a LiteLLM proxy.
    Litellm(LitellmArgs),
}

/// Arguments of `arouter import litellm`.
#[derive(Debug, Args)]
pub(super) struct LitellmArgs {
    /// The config.yaml.
    file: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs one of them.
pub(super) fn run(command: &ImportCommand) -> Result<(), CliError> {
    let ImportCommand::Litellm(args) = command;
    let imported = import_litellm(&args.file, &read(&args.file)?)?;
    if args.read.json {
        return output::json(&json!({ "config": imported.config, "report": imported.report }));
    }
    output::note(&imported.report.text(&args.file));
    output::answer(&imported.config)
}

/// What an import yields.
struct Imported {
    /// A configuration that loads.
    config: String,
    report: Report,
}

fn import_litellm(path: &Path, text: &str) -> Result<Imported, CliError> {
    let root =
        parse_yaml(path, 0, text).map_err(|problem| ConfigError { problems: vec![problem] })?;
    let mut report = Report::default();
    let mut draft = Draft::default();
    let root = Field::root(&root);
    litellm::convert(&root, &mut draft, &mut report);
    report.cover(&root);
    let config = draft.to_toml();
    // Every secret counts as present: what is missing here may be there where it will run.
    let present = |name: &str| Some(format!("value-of-{name}"));
    let loaded = load_text(Path::new("arouter.toml"), &config, &present).map_err(|error| {
        CliError::Failed(format!("the imported configuration would not load:\n{error}"))
    })?;
    report.finish(loaded.warnings);
    Ok(Imported { config, report })
}

fn read(path: &Path) -> Result<String, CliError> {
    let failed =
        |error: &dyn std::fmt::Display| CliError::Failed(format!("{}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > MAX_INPUT_BYTES {
        return Err(failed(&"larger than 16 MiB"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

//! `arouter check`: is this configuration fit to run?
//!
//! Loads the file, and reads what it names, exactly as a start or a reload would, and changes
//! nothing.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;

use super::{CliError, ConfigArgs, ReadArgs, output};
use crate::config::{ConfigError, Loaded, Problem};
use crate::server;

/// Flags of `arouter check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
    /// Treat warnings as errors.
    #[arg(long, env = "AROUTER_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,
}

/// The verdict as JSON.
#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    files: &'a [PathBuf],
    hash: Option<&'a str>,
    problems: &'a [Problem],
    warnings: &'a [Problem],
}

/// Prints what is wrong; an error if that forbids a start.
pub(super) fn run(args: &CheckArgs) -> Result<(), CliError> {
    let result = judge(args);
    if args.read.json {
        let verdict = match &result {
            Ok(loaded) => Verdict {
                ok: true,
                files: &loaded.files,
                hash: Some(&loaded.hash),
                problems: &[],
                warnings: &loaded.warnings,
            },
            Err(error) => Verdict {
                ok: false,
                files: &[],
                hash: None,
                problems: &error.problems,
                warnings: &[],
            },
        };
        output::json(&verdict)?;
    }
    let loaded = result?;
    for warning in &loaded.warnings {
        output::note(&format!("warning: {warning}"));
    }
    if let Some(file) = loaded.files.first() {
        output::note(&format!("{}: ok", file.display()));
    }
    Ok(())
}

fn judge(args: &CheckArgs) -> Result<Loaded, ConfigError> {
    let loaded = args.config.load()?;
    if let Err(error) = server::check(&loaded) {
        let file = loaded.files.first().cloned().unwrap_or_default();
        return Err(ConfigError { problems: vec![Problem::of_file(file, error.to_string())] });
    }
    if args.strict && !loaded.warnings.is_empty() {
        return Err(ConfigError { problems: loaded.warnings });
    }
    Ok(loaded)
}

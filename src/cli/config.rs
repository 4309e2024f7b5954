//! `arouter config show | schema | diff`: looking at configurations without running them.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, json};

use super::{CliError, ConfigArgs, ReadArgs, output};
use crate::config::show::{self, Detail};
use crate::config::{generate, load, process_env};

/// The commands below `arouter config`.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the configuration as it was read. Secrets are never printed.
    Show(ShowArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print the values in which two configurations differ.
    Diff(DiffArgs),
    /// Write the schema, the commented configuration and its reference below a folder.
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// Flags of `arouter config show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
    /// Show every value, defaults included.
    #[arg(long, env = "AROUTER_EFFECTIVE", value_parser = FalseyValueParser::new())]
    effective: bool,
    /// Hide paths, names of variables, key hashes and addresses of databases too.
    #[arg(long, env = "AROUTER_REDACT", value_parser = FalseyValueParser::new())]
    redact: bool,
}

/// Arguments of `arouter config diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The configuration before.
    a: PathBuf,
    /// The configuration after.
    b: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
}

/// Arguments of `arouter config generate`.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Root of the source tree.
    folder: PathBuf,
}

/// Runs one of them.
pub(super) fn run(command: &ConfigCommand) -> Result<(), CliError> {
    match command {
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Schema => output::answer(&generate::schema()),
        ConfigCommand::Diff(args) => diff(args),
        ConfigCommand::Generate(args) => write_artefacts(args),
    }
}

fn show(args: &ShowArgs) -> Result<(), CliError> {
    let loaded = args.config.load()?;
    let detail = if args.redact { Detail::Redacted } else { Detail::Full };
    let table = if args.effective {
        show::effective(&loaded.config, detail)
    } else {
        show::written(&loaded, detail)
    };
    if args.read.json {
        return output::json(&table);
    }
    let text = toml::to_string(&table).map_err(|error| CliError::Failed(error.to_string()))?;
    output::answer(&text)
}

fn diff(args: &DiffArgs) -> Result<(), CliError> {
    let before = load(&args.a, &process_env)?.config;
    let after = load(&args.b, &process_env)?.config;
    let changes = show::diff(&before, &after);
    if args.read.json {
        let changes = changes.into_iter();
        let changes: Map<_, _> = changes
            .map(|(path, before, after)| (path, json!({ "before": before, "after": after })))
            .collect();
        return output::json(&changes);
    }
    for (path, before, after) in changes {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "(not set)".to_owned());
        output::answer(&format!("{path}: {} -> {}", shown(before), shown(after)))?;
    }
    Ok(())
}

fn write_artefacts(args: &GenerateArgs) -> Result<(), CliError> {
    for (path, text) in generate::artefacts() {
        let path = args.folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        output::note(&format!("wrote {}", path.display()));
    }
    Ok(())
}

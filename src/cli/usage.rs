//! `arouter usage`: what was used, from the store that the configuration names.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};

use super::reprice::{self, RepriceArgs};
use super::{CliError, ConfigArgs, output};
use crate::auth::api_key::hash_hex;
use crate::config::{self, Config};
use crate::id;
use crate::store::{Bucket, GroupKey, Store, StoreError, UsageFilter};
use crate::usage::export_csv::{ExportError, export};
use crate::usage::report::{self, Report};
use crate::usage::report_pdf;

/// The commands below `arouter usage`.
#[derive(Debug, Subcommand)]
pub(super) enum UsageCommand {
    /// Print every request, or sums by groups.
    Export(ExportArgs),
    /// Compute the cost of recorded requests anew, with the prices of today.
    Reprice(RepriceArgs),
}

/// Flags of `arouter usage export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Csv, env = "AROUTER_FORMAT")]
    format: Format,
    /// Not before this time: `2026-04-03` (midnight UTC) or `2026-04-03T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = report::time_ms, env = "AROUTER_FROM")]
    from: Option<i64>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = report::time_ms, env = "AROUTER_TO")]
    to: Option<i64>,
    /// Sum by this; without it every request is printed.
    #[arg(long, value_enum, env = "AROUTER_GROUP_BY")]
    group_by: Option<Group>,
    /// Sum in steps of this length.
    #[arg(
        long,
        value_enum,
        default_value_t = Step::None,
        requires = "group_by",
        env = "AROUTER_BUCKET"
    )]
    bucket: Step,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// A table on pages; needs --group-by.
    Pdf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Group {
    /// Model that answered.
    Model,
    /// Gateway key.
    Key,
    /// End user named by the client.
    User,
    /// App named by the client.
    App,
    /// Provider that answered.
    Provider,
}

impl From<Group> for GroupKey {
    fn from(group: Group) -> Self {
        match group {
            Group::Model => Self::Model,
            Group::Key => Self::Key,
            Group::User => Self::User,
            Group::App => Self::App,
            Group::Provider => Self::Provider,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
    /// A calendar month, UTC.
    Month,
    /// All the time together.
    None,
}

impl From<Step> for Bucket {
    fn from(step: Step) -> Self {
        match step {
            Step::Minute => Self::Minute,
            Step::Hour => Self::Hour,
            Step::Day => Self::Day,
            Step::Month => Self::Month,
            Step::None => Self::Whole,
        }
    }
}

/// Runs one of them.
pub(super) fn run(command: &UsageCommand) -> Result<(), CliError> {
    match command {
        UsageCommand::Export(args) => run_export(args),
        UsageCommand::Reprice(args) => reprice::run(args),
    }
}

fn run_export(args: &ExportArgs) -> Result<(), CliError> {
    if args.format == Format::Pdf && args.group_by.is_none() {
        return Err(CliError::Failed("--format pdf needs --group-by".to_owned()));
    }
    let loaded = args.config.load()?;
    let filter = UsageFilter { from_ms: args.from, to_ms: args.to, ..UsageFilter::default() };
    super::block_on(async {
        let store = super::open_store(&loaded.config).await?;
        let mut out = io::BufWriter::new(output::stream());
        match args.group_by {
            None => export(&store, &filter, &mut out).await.map_err(|error| match error {
                ExportError::Io(error) => CliError::Io(error),
                ExportError::Store(error) => failed(&error),
            }),
            Some(by) => {
                let groups = (by.into(), args.bucket.into());
                let names = key_names(&loaded.config, &store).await;
                let names = names.map_err(|error| failed(&error))?;
                let report = Report::make(&store, &filter, groups, &names);
                let report = report.await.map_err(|error| failed(&error))?;
                write(&report, args.format, &mut out)
            }
        }
    })
}

fn write(report: &Report, format: Format, out: &mut impl Write) -> Result<(), CliError> {
    match format {
        Format::Csv => report.write_csv(out),
        Format::Pdf => {
            let pdf = report_pdf::to_pdf(report);
            let pdf = pdf.map_err(|error| CliError::Failed(error.to_string()))?;
            out.write_all(&pdf).and_then(|()| out.flush())
        }
    }
    .map_err(CliError::Io)
}

fn failed(error: &StoreError) -> CliError {
    CliError::Failed(error.to_string())
}

/// The names of the keys of the store and of the file, by hash.
async fn key_names(config: &Config, store: &Store) -> Result<BTreeMap<String, String>, StoreError> {
    // A secret that is not at hand leaves its key without a name.
    let (secrets, _) = config::resolve_secrets(config, &config::process_env);
    let of_file = config.keys.iter().filter_map(|(name, key)| {
        let secret = secrets.keys.get(name).map(|secret| id::key_hash(secret.expose()));
        let hash = secret.or_else(|| key.hash.map(|hash| *hash.as_bytes()))?;
        Some((hash_hex(&hash), name.clone()))
    });
    let stored = store.keys().await?.into_iter().map(|key| (key.hash, key.name));
    Ok(of_file.chain(stored).collect())
}

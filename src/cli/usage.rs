//! `arouter usage`: what was used, from the store that the configuration names.

use std::io;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::reprice::{self, RepriceArgs};
use super::{CliError, ConfigArgs, output};
use crate::store::UsageFilter;
use crate::usage::export_csv::{ExportError, GroupBy, export};

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
    #[arg(long, value_name = "TIME", value_parser = time_ms, env = "AROUTER_FROM")]
    from: Option<i64>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = time_ms, env = "AROUTER_TO")]
    to: Option<i64>,
    /// Sum by these, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', env = "AROUTER_GROUP_BY")]
    group_by: Vec<Group>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Group {
    /// UTC day.
    Day,
    /// Gateway key.
    Key,
    /// Model that answered.
    Model,
    /// Provider that answered.
    Provider,
    /// End user named by the client.
    User,
}

impl From<Group> for GroupBy {
    fn from(group: Group) -> Self {
        match group {
            Group::Day => Self::Day,
            Group::Key => Self::Key,
            Group::Model => Self::Model,
            Group::Provider => Self::Provider,
            Group::User => Self::User,
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
    let Format::Csv = args.format;
    let config = args.config.load()?.config;
    let group_by: Vec<GroupBy> = args.group_by.iter().map(|&group| group.into()).collect();
    let filter = UsageFilter { from_ms: args.from, to_ms: args.to, ..UsageFilter::default() };
    super::block_on(async {
        let store = super::open_store(&config).await?;
        let mut out = io::BufWriter::new(output::stream());
        export(&store, &filter, &group_by, &mut out).await.map_err(|error| match error {
            ExportError::Io(error) => CliError::Io(error),
            ExportError::Store(error) => CliError::Failed(error.to_string()),
        })
    })
}

/// Reads a date, or a point in time, as Unix milliseconds.
pub(super) fn time_ms(text: &str) -> Result<i64, String> {
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', 't', ' ']) => {
            date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        }
        _ => text.parse::<Timestamp>(),
    };
    time.map(Timestamp::as_millisecond).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(time_ms("2026-09-21"), Ok(1_789_948_800_000));
        assert_eq!(time_ms("2026-09-21T14:13:20.123Z"), Ok(1_790_000_000_123));
        assert_eq!(time_ms("2026-09-21T16:13:20.123+02:00"), Ok(1_790_000_000_123));
        assert!(time_ms("2026-09-21T14:13:20").is_err());
        assert!(time_ms("yesterday").is_err());
    }
}

//! `GET /activity/export`: sums of usage as a file, CSV or PDF.
//!
//! A management key exports everything, a regular key what it used itself. The table is that of
//! `usage::report`, which `arouter usage export` writes too.

use super::call::{Context, Reply, store_failed};
use super::query::{Query, wrong};
use super::usage::{failed, range, scope};
use crate::error::{GatewayError, Kind};
use crate::store::{Bucket, GroupKey, UsageFilter};
use crate::usage::report::Report;
use crate::usage::report_pdf;
use bytes::Bytes;
use std::collections::BTreeMap;

const PARAMETERS: &[&str] = &[
    "format",
    "group_by",
    "bucket",
    "start",
    "end",
    "provider_id",
    "model",
    "user",
    "api_key_hash",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Pdf,
}

const FORMATS: &[(&str, Format)] = &[("csv", Format::Csv), ("pdf", Format::Pdf)];
const GROUPS: &[(&str, GroupKey)] = &[
    ("model", GroupKey::Model),
    ("key", GroupKey::Key),
    ("user", GroupKey::User),
    ("app", GroupKey::App),
    ("provider", GroupKey::Provider),
];
const BUCKETS: &[(&str, Bucket)] = &[
    ("none", Bucket::Whole),
    ("minute", Bucket::Minute),
    ("hour", Bucket::Hour),
    ("day", Bucket::Day),
    ("month", Bucket::Month),
];

/// The file.
pub(super) async fn answer(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    query.only(PARAMETERS)?;
    let format = choice(query, "format", FORMATS)?;
    let groups = (choice(query, "group_by", GROUPS)?, choice(query, "bucket", BUCKETS)?);
    let filter = UsageFilter {
        key_hash: scope(context, query, "api_key_hash")?,
        model: query.get("model").map(str::to_owned),
        provider: query.get("provider_id").map(str::to_owned),
        end_user: query.get("user").map(crate::store::generation::recorded),
        ..range(query, ("start", "end"))?
    };
    let names = match groups.0 {
        GroupKey::Key => key_names(context).await?,
        _ => BTreeMap::new(),
    };
    let report = Report::make(context.store, &filter, groups, &names).await.map_err(failed)?;
    // A long table takes longer to write than other requests should wait.
    tokio::task::spawn_blocking(move || file(&report, format))
        .await
        .map_err(|error| GatewayError::internal(format!("export: {error}")))?
}

/// The value of a parameter that has a few; the first of them if it is not given.
fn choice<T: Copy>(
    query: &Query,
    name: &'static str,
    values: &[(&'static str, T)],
) -> Result<T, GatewayError> {
    let expected = || values.iter().map(|(value, _)| *value).collect::<Vec<_>>().join(", ");
    let found = match query.get(name) {
        None => values.first(),
        Some(asked) => values.iter().find(|(value, _)| *value == asked),
    };
    found.map(|(_, value)| *value).ok_or_else(|| wrong(name, format!("one of {}", expected())))
}

/// The names of all keys by their hashes; of a deleted key there is none.
async fn key_names(context: Context<'_>) -> Result<BTreeMap<String, String>, GatewayError> {
    let stored = context.store.keys().await.map_err(store_failed)?;
    let of_file = context.file_keys.iter().cloned();
    Ok(stored.into_iter().chain(of_file).map(|key| (key.hash, key.name)).collect())
}

fn file(report: &Report, format: Format) -> Result<Reply, GatewayError> {
    let (media_type, name, body) = match format {
        Format::Csv => {
            let mut csv = Vec::new();
            report
                .write_csv(&mut csv)
                .map_err(|error| GatewayError::internal(format!("export: {error}")))?;
            ("text/csv; charset=utf-8", "usage.csv", csv)
        }
        Format::Pdf => {
            let pdf = report_pdf::to_pdf(report).map_err(|error| {
                GatewayError::client(Kind::InvalidRequest, error.to_string()).with_param("format")
            })?;
            ("application/pdf", "usage.pdf", pdf)
        }
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = vec![("content-disposition", disposition)];
    Ok(Reply { status: 200, media_type, headers, body: Bytes::from(body) })
}

//! Usage as CSV: one line per request, or sums by groups.
//!
//! Used by `arouter usage export`. Reads the store page by page, so that memory grows with the
//! number of groups only; sums and amounts are integers and agree with the store to the last
//! digit. Lines end in CRLF and cells are quoted as RFC 4180 says.

use crate::money::PicoUsd;
use crate::store::{Generation, PageMark, Store, StoreError, UsageFilter};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::{self, Write};

const PAGE_ROWS: u32 = 1000;

const REQUEST_COLUMNS: [&str; 25] = [
    "id",
    "created_at",
    "key_hash",
    "key_name",
    "operation",
    "requested_model",
    "model",
    "provider",
    "status",
    "outcome",
    "error",
    "streamed",
    "finish_reason",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "usage_estimated",
    "cost_usd",
    "price_version",
    "latency_ms",
    "first_token_ms",
    "attempts",
    "user",
];
const SUM_COLUMNS: [&str; 6] = [
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_usd",
];

/// What requests are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
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

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output takes no more.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the requests that `filter` lets through, or their sums if `group_by` names any group.
pub async fn export(
    store: &Store,
    filter: &UsageFilter,
    group_by: &[GroupBy],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut groups: BTreeMap<Vec<String>, Sums> = BTreeMap::new();
    if group_by.is_empty() {
        write_line(out, REQUEST_COLUMNS.map(str::to_owned))?;
    }
    let mut mark = None;
    loop {
        let page = store.usage_page(filter, mark.as_ref(), PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        mark = Some(PageMark::after(last));
        for request in &page {
            if group_by.is_empty() {
                write_line(out, request_cells(request))?;
            } else {
                let group = group_by.iter().flat_map(|by| by.cells(request)).collect();
                groups.entry(group).or_default().add(request);
            }
        }
    }
    if !group_by.is_empty() {
        let columns = group_by.iter().flat_map(|by| by.columns()).chain(&SUM_COLUMNS);
        write_line(out, columns.map(|&column| column.to_owned()))?;
        for (group, sums) in groups {
            write_line(out, group.into_iter().chain(sums.cells()))?;
        }
    }
    Ok(out.flush()?)
}

impl GroupBy {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Day => &["day"],
            Self::Key => &["key_hash", "key_name"],
            Self::Model => &["model"],
            Self::Provider => &["provider"],
            Self::User => &["user"],
        }
    }

    fn cells(self, request: &Generation) -> Vec<String> {
        match self {
            Self::Day => vec![time(request).strftime("%Y-%m-%d").to_string()],
            Self::Key => vec![request.key_hash.clone(), request.key_name.clone()],
            Self::Model => vec![request.model.clone()],
            Self::Provider => vec![request.provider.clone()],
            Self::User => vec![request.user.clone().unwrap_or_default()],
        }
    }
}

#[derive(Default)]
struct Sums {
    requests: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cost: PicoUsd,
}

impl Sums {
    fn add(&mut self, request: &Generation) {
        let usage = &request.usage;
        let add = |sum: &mut u64, count: Option<u64>| *sum = sum.saturating_add(count.unwrap_or(0));
        add(&mut self.requests, Some(1));
        add(&mut self.prompt_tokens, usage.prompt);
        add(&mut self.cached_tokens, usage.cached);
        add(&mut self.completion_tokens, usage.completion);
        add(&mut self.reasoning_tokens, usage.reasoning);
        self.cost = self.cost.saturating_add(request.cost_pico_usd);
    }

    fn cells(&self) -> [String; SUM_COLUMNS.len()] {
        [
            self.requests.to_string(),
            self.prompt_tokens.to_string(),
            self.cached_tokens.to_string(),
            self.completion_tokens.to_string(),
            self.reasoning_tokens.to_string(),
            self.cost.to_string(),
        ]
    }
}

fn request_cells(request: &Generation) -> [String; REQUEST_COLUMNS.len()] {
    let r = request;
    let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        r.id.clone(),
        time(r).to_string(),
        r.key_hash.clone(),
        r.key_name.clone(),
        r.operation.clone(),
        r.requested_model.clone(),
        r.model.clone(),
        r.provider.clone(),
        r.status.to_string(),
        r.outcome.name().to_owned(),
        text(&r.error),
        r.streamed.to_string(),
        text(&r.finish_reason),
        count(r.usage.prompt),
        count(r.usage.cached),
        r.usage.cache_write().to_string(),
        count(r.usage.completion),
        count(r.usage.reasoning),
        r.usage_estimated.to_string(),
        r.cost_pico_usd.to_string(),
        r.price_version.clone(),
        r.latency_ms.to_string(),
        count(r.first_token_ms),
        r.attempts.to_string(),
        text(&r.user),
    ]
}

fn time(request: &Generation) -> Timestamp {
    Timestamp::from_millisecond(request.created_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn write_line(out: &mut impl Write, cells: impl IntoIterator<Item = String>) -> io::Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write_cell(out, &cell)?;
    }
    out.write_all(b"\r\n")
}

/// Spreadsheets run cells that begin like a formula, and clients choose some of these texts; an
/// apostrophe in front makes them text.
fn write_cell(out: &mut impl Write, cell: &str) -> io::Result<()> {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    if cell.contains(['"', ',', '\n', '\r']) {
        write!(out, "\"{guard}{}\"", cell.replace('"', "\"\""))
    } else {
        write!(out, "{guard}{cell}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exported(rows: &[Generation], filter: UsageFilter, group_by: &[GroupBy]) -> String {
        let store = Store::open("memory:").await.unwrap();
        store.settle_for_test(rows).await;
        let mut out = Vec::new();
        export(&store, &filter, group_by, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn every_request_is_one_line_with_quoted_and_harmless_cells() {
        let mut second = Generation::example("gen-2");
        second.user = Some("=HYPERLINK(1)".to_owned());
        let csv =
            exported(&[Generation::example("gen-1"), second], UsageFilter::default(), &[]).await;
        let lines: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], REQUEST_COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "gen-1,2026-09-21T14:13:20.123Z,9f86d0,demo,chat,claude,anthropic/claude-sonnet-4.6,\
             anthropic,200,complete,,true,stop,14,4,0,6,,false,0.000132,1,1240,310,1,\
             \"end user, \"\"quoted\"\"\""
        );
        assert!(lines[2].ends_with(",'=HYPERLINK(1)"));
    }

    #[tokio::test]
    async fn groups_add_up_to_the_last_digit_over_many_pages() {
        let rows: Vec<_> = (0..2500_i64)
            .map(|at| {
                let mut row = Generation::example(&format!("gen-{at}"));
                row.created_ms += (at % 2) * 86_400_000;
                row.cost_pico_usd = PicoUsd::from_pico(1_000_000_000_001);
                row
            })
            .collect();
        let csv = exported(&rows, UsageFilter::default(), &[GroupBy::Day, GroupBy::Model]).await;
        assert_eq!(
            csv,
            "day,model,requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,\
             cost_usd\r\n\
             2026-09-21,anthropic/claude-sonnet-4.6,1250,17500,5000,7500,0,1250.00000000125\r\n\
             2026-09-22,anthropic/claude-sonnet-4.6,1250,17500,5000,7500,0,1250.00000000125\r\n"
        );
        let filter = UsageFilter { to_ms: Some(1_790_000_000_124), ..UsageFilter::default() };
        let csv = exported(&rows, filter, &[GroupBy::User]).await;
        assert!(
            csv.ends_with(
                "\"end user, \"\"quoted\"\"\",1250,17500,5000,7500,0,1250.00000000125\r\n"
            )
        );
    }
}

//! Usage as CSV, one line per request.
//!
//! Used by `arouter usage export`. Reads the store page by page, so that memory does not grow with
//! the number of requests; amounts have all their digits.

use super::csv::write_line;
use crate::store::{Generation, PageMark, Store, StoreError, UsageFilter};
use jiff::Timestamp;
use std::io::{self, Write};

const PAGE_ROWS: u32 = 1000;

const REQUEST_COLUMNS: [&str; 31] = [
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
    "is_byok",
    "service_tier",
    "price_version",
    "latency_ms",
    "first_token_ms",
    "attempts",
    "user",
    "app",
    "app_title",
    "session_id",
    "user_agent",
];
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

/// Writes the requests that `filter` lets through, oldest first.
pub async fn export(
    store: &Store,
    filter: &UsageFilter,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    write_line(out, REQUEST_COLUMNS)?;
    let mut mark = None;
    loop {
        let page = store.usage_page(filter, mark.as_ref(), PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        mark = Some(PageMark::after(last));
        for request in &page {
            write_line(out, request_cells(request))?;
        }
    }
    Ok(out.flush()?)
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
        r.is_byok.to_string(),
        text(&r.service_tier),
        r.price_version.clone(),
        r.latency_ms.to_string(),
        count(r.first_token_ms),
        r.attempts.to_string(),
        text(&r.user),
        text(&r.referer),
        text(&r.app_title),
        text(&r.session_id),
        text(&r.user_agent),
    ]
}

fn time(request: &Generation) -> Timestamp {
    Timestamp::from_millisecond(request.created_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exported(rows: &[Generation], filter: &UsageFilter) -> String {
        let store = Store::open("memory:").await.unwrap();
        store.settle_for_test(rows).await;
        let mut out = Vec::new();
        export(&store, filter, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn every_request_is_one_line_with_quoted_and_harmless_cells() {
        let mut second = Generation::example("gen-2");
        second.user = Some("=HYPERLINK(1)".to_owned());
        let csv = exported(&[Generation::example("gen-1"), second], &UsageFilter::default()).await;
        let lines: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], REQUEST_COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "gen-1,2026-09-21T14:13:20.123Z,9f86d0,demo,chat,claude,anthropic/claude-sonnet-4.6,\
             anthropic,200,complete,,true,stop,14,4,0,6,,false,0.000132,false,,1,1240,310,1,\
             \"end user, \"\"quoted\"\"\",,,,"
        );
        assert!(lines[2].ends_with(",'=HYPERLINK(1),,,,"));
    }

    #[tokio::test]
    async fn many_pages_hold_every_request_once() {
        let rows: Vec<_> = (0..2500_i64)
            .map(|at| {
                let mut row = Generation::example(&format!("gen-{at:04}"));
                row.created_ms += at % 2;
                row
            })
            .collect();
        let csv = exported(&rows, &UsageFilter::default()).await;
        let mut ids: Vec<&str> =
            csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>());
        let filter = UsageFilter { to_ms: Some(1_790_000_000_124), ..UsageFilter::default() };
        assert_eq!(exported(&rows, &filter).await.lines().count(), 1251);
    }
}

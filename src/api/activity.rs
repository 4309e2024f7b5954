//! `GET /activity`: one path with two answers, and which is given is decided by the kind of key.
//!
//! A management key gets the sums of the last completed days by model and provider. A regular key
//! gets the records of the requests that it made for one end user, newest first, and never
//! anything of another key.

use super::call::{Context, Reply, store_failed};
use super::generation::{Counts, counts, provider};
use super::moment::Moment;
use super::query::{Query, wrong};
use super::usage::{failed, scope};
use super::usd::Usd;
use crate::auth::KeyKind;
use crate::error::GatewayError;
use crate::store::generation::recorded;
use crate::store::{Generation, UsageFilter, UsageSums};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many days that are over can be seen.
const DAYS: u16 = 30;
const DAY_MS: i64 = 86_400_000;
/// How many records a regular key gets if it does not say, and the most it can ask for.
const RECORDS: (u32, u32) = (100, 1000);

#[derive(Serialize)]
struct Listed<T> {
    data: Vec<T>,
}

/// What was used of one model at one provider on one day.
#[derive(Serialize)]
struct Day<'s> {
    date: String,
    model: &'s str,
    model_permaslug: &'s str,
    endpoint_id: String,
    provider_name: &'s str,
    usage: Usd,
    byok_usage_inference: Usd,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
}

/// A request, as the key that made it sees it.
#[derive(Serialize)]
struct Record<'g> {
    id: &'g str,
    created_at: Moment,
    user: Option<&'g str>,
    session_id: Option<&'g str>,
    model: &'g str,
    provider: Option<&'g str>,
    app: Option<&'g str>,
    app_title: Option<&'g str>,
    status: u16,
    outcome: &'static str,
    error: Option<&'g str>,
    streamed: bool,
    finish_reason: Option<&'g str>,
    latency_ms: u64,
    usage: Counts,
}

/// The answer to either kind of key.
pub(super) async fn answer(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    match context.caller.kind {
        KeyKind::Management => days(context, query).await,
        KeyKind::Regular => records(context, query).await,
    }
}

async fn days(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    query.only(&["date", "api_key_hash", "user_id"])?;
    let filter = UsageFilter {
        key_hash: scope(context, query, "api_key_hash")?,
        end_user: query.get("user_id").map(recorded),
        ..day(query, context.clock.unix_ms())?
    };
    // One row, whoever's contract it was: the amounts are apart.
    let mut days: BTreeMap<(i64, Vec<String>), UsageSums> = BTreeMap::new();
    for group in context.store.activity(&filter).await.map_err(failed)? {
        days.entry((group.start_ms, group.names)).or_default().add(&group.sums);
    }
    // The newest day first.
    let data = days.iter().rev().map(|((start_ms, names), sums)| {
        let mut names = names.iter().map(String::as_str);
        row(*start_ms, (names.next().unwrap_or(""), names.next().unwrap_or("")), sums)
    });
    Reply::json(200, &Listed { data: data.collect() })
}

fn row<'s>(start_ms: i64, (model, provider): (&'s str, &'s str), sums: &UsageSums) -> Day<'s> {
    let date = Timestamp::from_millisecond(start_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    Day {
        date: date.strftime("%Y-%m-%d").to_string(),
        model,
        model_permaslug: model,
        endpoint_id: format!("{provider}:{model}"),
        provider_name: provider,
        usage: Usd(sums.cost_pico_usd),
        byok_usage_inference: Usd(sums.byok_cost_pico_usd),
        requests: sums.requests,
        prompt_tokens: sums.prompt_tokens,
        completion_tokens: sums.completion_tokens,
        reasoning_tokens: sums.reasoning_tokens,
        cached_tokens: sums.cached_tokens,
    }
}

/// The days that can be seen, or the one of them that is asked for.
fn day(query: &Query, now_ms: i64) -> Result<UsageFilter, GatewayError> {
    let seen = UsageFilter::completed_days(now_ms, DAYS);
    let Some(asked) = query.get("date") else { return Ok(seen) };
    let expected = format!("one of the last {DAYS} completed UTC days, as 2026-04-03");
    let is_plain =
        asked.len() == 10 && asked.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = asked.parse::<Date>().ok().filter(|_| is_plain);
    let midnight = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    let from_ms = midnight.map(|midnight| midnight.timestamp().as_millisecond());
    let is_seen = |ms: &i64| seen.from_ms <= Some(*ms) && Some(*ms) < seen.to_ms;
    let from_ms = from_ms.filter(is_seen).ok_or_else(|| wrong("date", expected))?;
    Ok(UsageFilter { from_ms: Some(from_ms), to_ms: Some(from_ms + DAY_MS), ..seen })
}

async fn records(context: Context<'_>, query: &Query) -> Result<Reply, GatewayError> {
    query.only(&["user", "limit"])?;
    let user = query.get("user").map(recorded).ok_or_else(|| wrong("user", "an end user"))?;
    let limit = query.read::<u32>("limit", limit_text())?.unwrap_or(RECORDS.0);
    if !(1..=RECORDS.1).contains(&limit) {
        return Err(wrong("limit", limit_text()));
    }
    let own = &context.caller.hash_hex;
    let found = context.store.usage_records_of_user(own, &user, limit).await;
    let found = found.map_err(store_failed)?;
    Reply::json(200, &Listed { data: found.iter().map(record).collect() })
}

fn limit_text() -> String {
    format!("a number from 1 to {}", RECORDS.1)
}

fn record(generation: &Generation) -> Record<'_> {
    Record {
        id: &generation.id,
        created_at: Moment(generation.created_ms),
        user: generation.user.as_deref(),
        session_id: generation.session_id.as_deref(),
        model: &generation.model,
        provider: provider(generation),
        app: generation.referer.as_deref(),
        app_title: generation.app_title.as_deref(),
        status: generation.status,
        outcome: generation.outcome.name(),
        error: generation.error.as_deref(),
        streamed: generation.streamed,
        finish_reason: generation.finish_reason.as_deref(),
        latency_ms: generation.latency_ms,
        usage: counts(generation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_790_000_000_123; // 2026-09-21T14:13:20Z

    #[test]
    fn only_days_that_are_over_and_not_too_old_can_be_asked_for() {
        let asked = |date: &str| day(&Query::parse(Some(&format!("date={date}"))).unwrap(), NOW_MS);
        for date in [
            "2026-09-21",
            "2026-09-22",
            "2026-08-21",
            "2026-02-30",
            "yesterday",
            "2026-9-1",
            "20260920",
            "2026-09-20T00:00:00Z",
            "+02026-09-20",
            "2026-09-20%20",
        ] {
            let error = asked(date).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("date"), "{date}");
        }
        for (date, from) in
            [("2026-09-20", 1_789_862_400_000_i64), ("2026-08-22", 1_787_356_800_000)]
        {
            let filter = asked(date).unwrap();
            assert_eq!((filter.from_ms, filter.to_ms), (Some(from), Some(from + DAY_MS)), "{date}");
        }
        let all = day(&Query::default(), NOW_MS).unwrap();
        assert_eq!(all.from_ms, Some(1_787_356_800_000));
        assert_eq!(all.to_ms, Some(1_789_948_800_000));
    }
}

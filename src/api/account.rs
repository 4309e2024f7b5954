//! The account's money: balance, credits and what moved it.
//!
//! The account is one for all keys. Its balance is what was put on it without what was used of it,
//! so an account that nothing was put on shows what it owes as a balance below zero.

use super::call::{Call, Context, Reply, store_failed};
use super::fields::Fields;
use super::moment::Moment;
use super::once::Start;
use super::query::wrong;
use super::usd::Usd;
use crate::error::{GatewayError, Kind};
use crate::money::PicoUsd;
use crate::store::{Cause, Credit, Movement, MovementMark, StoreError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// Longest description of a credit, in characters.
const MAX_DESCRIPTION_CHARS: usize = 256;
/// Most transactions of a page, and how many there are if the caller does not say.
const MAX_PAGE: u32 = 100;

#[derive(Serialize)]
struct Balance {
    balance: Usd,
    currency: &'static str,
}

#[derive(Serialize)]
struct Credits<T> {
    data: T,
}

#[derive(Serialize)]
struct Totals {
    total_credits: Usd,
    total_usage: Usd,
}

#[derive(Serialize)]
struct Added<'c> {
    id: &'c str,
    amount: Usd,
    description: &'c str,
    created_at: Moment,
    #[serde(flatten)]
    totals: Totals,
    balance: Usd,
}

#[derive(Serialize)]
struct Transactions {
    transactions: Vec<Transaction>,
    next_page_token: Option<String>,
}

#[derive(Serialize)]
struct Transaction {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    amount: Usd,
    description: String,
    created_at: Moment,
}

/// What is left on the account.
pub(super) async fn balance(context: Context<'_>) -> Result<Reply, GatewayError> {
    let (credits, usage) = sums(context).await?;
    let balance = Usd(credits.saturating_sub(usage));
    Reply::json(200, &Balance { balance, currency: "USD" })
}

/// What was put on the account and what was used.
pub(super) async fn credits(context: Context<'_>) -> Result<Reply, GatewayError> {
    let (credits, usage) = sums(context).await?;
    let data = Totals { total_credits: Usd(credits), total_usage: Usd(usage) };
    Reply::json(200, &Credits { data })
}

/// Puts money on the account, or takes a mistake back with an amount below zero.
pub(super) async fn add_credit(
    context: Context<'_>,
    call: &Call<'_>,
) -> Result<Reply, GatewayError> {
    let first = match Start::of(context, call).await? {
        Start::Again(reply) => return Ok(reply),
        Start::First(first) => first,
    };
    let credit = read_credit(context, call)?;
    let (credits, usage) = sums(context).await?;
    let credits = credits.checked_add(credit.amount).ok_or_else(too_large)?;
    let added = Added {
        id: &credit.id,
        amount: Usd(credit.amount),
        description: &credit.description,
        created_at: Moment(credit.created_ms),
        totals: Totals { total_credits: Usd(credits), total_usage: Usd(usage) },
        balance: Usd(credits.saturating_sub(usage)),
    };
    let reply = Reply::json(201, &Credits { data: added })?;
    let mut running = first.begin().await?;
    running.change.add_credit(&credit).await.map_err(|error| match error {
        StoreError::AmountTooLarge => too_large(),
        error => store_failed(error),
    })?;
    let reply = running.commit(reply).await?;
    let (id, amount, by) = (&credit.id, credit.amount, &context.caller.name);
    tracing::info!(target: "audit", id, amount_usd = %amount, by = %by, "credit added");
    Ok(reply)
}

fn read_credit(context: Context<'_>, call: &Call<'_>) -> Result<Credit, GatewayError> {
    let fields = Fields::parse(&call.body, &["amount", "description"])?;
    let amount = fields.amount("amount")?.required("amount", "an amount in USD")?;
    let amount = amount.ok_or_else(|| wrong("amount", "given"))?;
    if amount == PicoUsd::ZERO {
        return Err(wrong("amount", "more or less than zero"));
    }
    let description = fields.text("description", MAX_DESCRIPTION_CHARS)?.null_as_absent();
    let description = description.required("description", "a string")?;
    let by_default = if amount > PicoUsd::ZERO { "Credit" } else { "Correction" };
    Ok(Credit {
        id: crate::id::transaction_id(),
        created_ms: context.clock.unix_ms(),
        amount,
        description: description.unwrap_or_else(|| by_default.to_owned()),
        actor: context.caller.hash_hex.to_string(),
    })
}

/// What moved the account's money, newest first.
pub(super) async fn transactions(
    context: Context<'_>,
    call: &Call<'_>,
) -> Result<Reply, GatewayError> {
    let expected = format!("a number from 1 to {MAX_PAGE}");
    let limit = call.query.read("limit", &expected)?.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(wrong("limit", expected));
    }
    let mark = call
        .query
        .get("page_token")
        .map(|token| read_mark(token).ok_or_else(|| wrong("page_token", "one that a page gave")));
    let mark = mark.transpose()?;
    // One more tells whether another page follows.
    let mut movements =
        context.store.transactions(limit + 1, mark.as_ref()).await.map_err(store_failed)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = movements.len() > limit;
    movements.truncate(limit);
    let next = movements.last().filter(|_| has_more).map(MovementMark::before);
    Reply::json(
        200,
        &Transactions {
            transactions: movements.into_iter().map(transaction).collect(),
            next_page_token: next.map(|mark| URL_SAFE_NO_PAD.encode(mark.to_string())),
        },
    )
}

fn read_mark(token: &str) -> Option<MovementMark> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?.parse().ok()
}

fn transaction(movement: Movement) -> Transaction {
    let (kind, description) = match movement.cause {
        Cause::Credit { description, .. } => ("credit", description),
        Cause::Request { model, prompt_tokens, completion_tokens, .. } => {
            let tokens =
                format!("{prompt_tokens} prompt and {completion_tokens} completion tokens");
            ("usage", format!("{model}: {tokens}"))
        }
    };
    let id = movement.id;
    Transaction {
        id: if id.starts_with("txn_") { id } else { format!("txn_{id}") },
        kind,
        amount: Usd(movement.amount),
        description,
        created_at: Moment(movement.created_ms),
    }
}

/// All that was put on the account, and all that was used of it.
async fn sums(context: Context<'_>) -> Result<(PicoUsd, PicoUsd), GatewayError> {
    let credits = context.store.credits_total().await.map_err(store_failed)?;
    let usage = context.store.account_usage().await.map_err(store_failed)?;
    Ok((credits, usage))
}

fn too_large() -> GatewayError {
    GatewayError::client(Kind::InvalidRequest, "amount is larger than can be kept")
        .with_param("amount")
}

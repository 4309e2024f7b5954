//! A management call: what a handler gets, what it gives back, and which handler answers what.
//!
//! `proxy/manage.rs` makes the call from a request and writes the reply. A handler sees no
//! request and no connection, so that it can be tried without either.

use super::query::Query;
use super::routes::{Handler, Route};
use super::{account, activity, current_key, export, keys, usage};
use crate::auth::{ApiKey, KeyBook};
use crate::clock::Clock;
use crate::error::GatewayError;
use crate::routing::RoutingTable;
use crate::store::{KeyRecord, Store, StoreError};
use bytes::Bytes;
use serde::Serialize;

/// Largest body of a management call.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Media type of most replies.
pub const JSON: &str = "application/json";

/// What a handler may use.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The store.
    pub store: &'a Store,
    /// Changes keys and money.
    pub key_book: &'a KeyBook,
    /// Keys of the configuration file, by name.
    pub file_keys: &'a [KeyRecord],
    /// Which providers there are.
    pub routing: &'a RoutingTable,
    /// Wall clock.
    pub clock: &'a Clock,
    /// The key that calls.
    pub caller: &'a ApiKey,
    /// What it presented. For deriving keys, never for showing.
    pub token: &'a str,
}

/// What is asked.
#[derive(Debug)]
pub struct Call<'a> {
    /// Where it leads.
    pub route: &'a Route,
    /// Parameters of the query.
    pub query: Query,
    /// The body; empty for a call without one.
    pub body: Bytes,
    /// What a repetition of this call is known by.
    pub idempotency_key: Option<&'a str>,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub media_type: &'static str,
    /// More header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, GatewayError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| GatewayError::internal(format!("reply: {error}")))?;
        Ok(Self { status, media_type: JSON, headers: Vec::new(), body: body.into() })
    }
}

/// Answers a call of a key that may make it.
pub async fn answer(context: Context<'_>, call: &Call<'_>) -> Result<Reply, GatewayError> {
    match call.route.handler {
        Handler::ListKeys => keys::list(context, call).await,
        Handler::CreateKey => keys::create(context, call).await,
        Handler::ShowKey => keys::show(context, call).await,
        Handler::UpdateKey => keys::update(context, call).await,
        Handler::DeleteKey => keys::delete(context, call).await,
        Handler::CurrentKey => current_key::answer(context).await,
        Handler::Balance => account::balance(context).await,
        Handler::Credits => account::credits(context).await,
        Handler::AddCredit => account::add_credit(context, call).await,
        Handler::Transactions => account::transactions(context, call).await,
        Handler::Activity => activity::answer(context, &call.query).await,
        Handler::ActivityExport => export::answer(context, &call.query).await,
        Handler::UsageSummary => usage::summary(context, &call.query).await,
        Handler::UsageTimeseries => usage::timeseries(context, &call.query).await,
    }
}

/// What a failure of the store means for the caller.
#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
pub fn store_failed(error: StoreError) -> GatewayError {
    GatewayError::internal(error.to_string())
}

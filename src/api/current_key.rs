//! `GET /v1/key`: the key that asks, with what it has used.

use super::call::{Context, Reply, store_failed};
use super::usd::Usd;
use crate::auth::KeyKind;
use crate::error::GatewayError;
use serde_json::json;

/// The answer to the key that asks.
pub(super) async fn answer(context: Context<'_>) -> Result<Reply, GatewayError> {
    let caller = context.caller;
    let totals = context.store.key_totals(0).await.map_err(store_failed)?;
    let used = totals.into_iter().find(|used| *used.key_hash == *caller.hash_hex);
    let usage = used.map(|used| Usd(used.cost_pico_usd));
    Reply::json(
        200,
        &json!({ "data": {
            "label": caller.name,
            "usage": usage,
            "is_management_key": caller.kind == KeyKind::Management,
        } }),
    )
}

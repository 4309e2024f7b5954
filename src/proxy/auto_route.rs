//! Requests that leave the model to the gateway: what `routing::auto` is told, and its choice in
//! the place of the name that was sent.
//!
//! Used by `admit` before it plans. An alias or a model of the configuration with the name of a
//! router is what the operator made of it.

use super::admit;
use super::state::{Services, Snapshot};
use crate::auth::ApiKey;
use crate::catalog::Abilities;
use crate::catalog::builtin::Modality;
use crate::error::{GatewayError, Kind};
use crate::json::Head;
use crate::money::PicoUsd;
use crate::routing::auto::{
    self, AutoAsk, AutoError, Condition, Contender, Explanation, Need, Options, Router, needs,
};
use crate::routing::{Candidate, Live, RoutingTable};
use std::cmp::Reverse;
use std::sync::Arc;

/// Bytes of text per token.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens of an answer, for prices and for room in the context.
const USUAL_COMPLETION_TOKENS: u64 = 1_000;

/// The router a request asks for with one of its names.
pub fn router(table: &RoutingTable, names: &[String]) -> Option<Router> {
    names.iter().find_map(|name| router_of(table, name))
}

fn router_of(table: &RoutingTable, name: &str) -> Option<Router> {
    let router = Router::named(name)?;
    (!table.is_alias(name) && table.model(name).is_none()).then_some(router)
}

/// Puts chosen models in the place of routers' names, and says why. `kept` is the model that
/// served the conversation before.
pub fn resolve(
    (services, snapshot, key): (&Services, &Snapshot, &ApiKey),
    names: &mut Vec<String>,
    (body, head): (&[u8], &Head),
    kept: Option<&str>,
) -> Result<Option<Explanation>, GatewayError> {
    let Some(router) = router(&snapshot.routing, names) else { return Ok(None) };
    let options = Options::read(head.raw(body, "plugins")).map_err(|error| refused(&error))?;
    let prompt_tokens = u64::try_from(body.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX);
    let ask = AutoAsk {
        router,
        options: &options,
        needs: &needs::of(body, head),
        tokens: prompt_tokens.saturating_add(USUAL_COMPLETION_TOKENS),
        kept,
        dice: rand::random(),
    };
    let contenders = contenders((services, snapshot, key), prompt_tokens);
    let choice = auto::choose(&ask, &contenders).map_err(|error| refused(&error))?;
    let mut resolved: Vec<String> = Vec::new();
    for name in names.drain(..) {
        if router_of(&snapshot.routing, &name).is_some() {
            resolved.extend(choice.models.iter().map(ToString::to_string));
        } else {
            resolved.push(name);
        }
    }
    *names = resolved;
    Ok(Some(choice.explanation))
}

fn refused(error: &AutoError) -> GatewayError {
    let (kind, param) = match error {
        AutoError::Options(_) => (Kind::InvalidRequest, "plugins"),
        AutoError::NothingAllowed | AutoError::NothingFree => (Kind::NotFound, "model"),
    };
    GatewayError::client(kind, error.to_string()).with_param(param)
}

/// The models that the key may use, the best one first: in the operator's order, else the dearest
/// first.
fn contenders(
    (services, snapshot, key): (&Services, &Snapshot, &ApiKey),
    prompt_tokens: u64,
) -> Vec<Contender> {
    let table = &snapshot.routing;
    let listed = &snapshot.settings.auto_models;
    let contender = |id: &Arc<str>| {
        let mut plan = table.plan(&[id], None).ok()?;
        plan.candidates.retain(|candidate| admit::refusal_of(candidate, key).is_none());
        let candidates: Vec<&Candidate> = plan.candidates.iter().map(AsRef::as_ref).collect();
        (!candidates.is_empty()).then(|| of_model(id, &candidates, (services, prompt_tokens)))
    };
    if !listed.is_empty() {
        return listed.iter().filter_map(contender).collect();
    }
    let mut found: Vec<Contender> =
        table.models().filter_map(|model| contender(&model.id)).collect();
    found.sort_by(|one, other| {
        let place = |model: &Contender| (model.price.is_none(), Reverse(model.price));
        place(one).cmp(&place(other)).then_with(|| one.id.cmp(&other.id))
    });
    found
}

fn of_model(
    id: &Arc<str>,
    candidates: &[&Candidate],
    (services, prompt_tokens): (&Services, u64),
) -> Contender {
    let price = |candidate: &&Candidate| -> Option<PicoUsd> {
        Some(candidate.pricing.as_ref()?.estimate(prompt_tokens, USUAL_COMPLETION_TOKENS))
    };
    let view = |candidate: &&Candidate| {
        Live::endpoint(&*services.health, &candidate.provider.slug, &candidate.upstream_model)
    };
    let mut contender = Contender {
        id: Arc::clone(id),
        can: [].into(),
        cannot: [].into(),
        context_length: candidates.iter().filter_map(|found| found.context_length).max(),
        price: candidates.iter().filter_map(price).min(),
        condition: Condition::of(candidates.iter().map(view)),
    };
    for need in ALL_NEEDS {
        let known = candidates.iter().filter_map(|candidate| can(candidate.abilities, need));
        // One endpoint that does it is enough.
        match known.max() {
            Some(true) => _ = contender.can.insert(need),
            Some(false) => _ = contender.cannot.insert(need),
            None => {}
        }
    }
    contender
}

const ALL_NEEDS: [Need; 6] =
    [Need::Images, Need::Files, Need::Audio, Need::Video, Need::Tools, Need::JsonSchema];

/// Whether an endpoint does what is needed, if that is known.
fn can(abilities: Abilities, need: Need) -> Option<bool> {
    let reads =
        |modality| (!abilities.reads.is_empty()).then(|| abilities.reads.contains(modality));
    match need {
        Need::Images => reads(Modality::Image),
        Need::Files => reads(Modality::Pdf),
        Need::Audio => reads(Modality::Audio),
        Need::Video => reads(Modality::Video),
        Need::Tools => abilities.tools,
        Need::JsonSchema => abilities.json_schema,
    }
}

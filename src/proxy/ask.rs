//! From a request to its plan: what the planner is told, and what its refusals are called.
//!
//! Used by `admit` alone. The planner sees plain data; what of it stands where in which format is
//! known here.

use super::demand::Demand;
use super::operation::Operation;
use super::state::Snapshot;
use super::steer::Steer;
use crate::auth::ApiKey;
use crate::catalog::ParameterSet;
use crate::error::{GatewayError, Kind};
use crate::formats::ApiFormat;
use crate::json::{Head, Splice};
use crate::routing::{
    Ask, Partition, Plan, PlanError, Preferences, Preset, RouteError, Shortlist, filter,
};
use bytes::{Bytes, BytesMut};

/// The wishes in a body: its `provider` object, and `route`, which is older than a part of it. The
/// preset is that of the first name.
pub(super) fn preferences(
    body: &Bytes,
    head: &Head,
    preset: Option<&Preset>,
) -> Result<Preferences, GatewayError> {
    let raw = head.raw(body, "provider");
    let mut preferences = match (preset, raw) {
        (Some(preset), raw) => preset.with(raw)?,
        (None, Some(raw)) => Preferences::read(raw)?,
        (None, None) => Preferences::default(),
    };
    let of_route = match head.raw(body, "route") {
        None | Some(b"null") => None,
        Some(br#""fallback""#) => Some(Partition::Model),
        Some(br#""sort""#) => Some(Partition::All),
        Some(_) => {
            let text = "route must be \"fallback\" or \"sort\"";
            return Err(GatewayError::client(Kind::InvalidRequest, text).with_param("route"));
        }
    };
    preferences.partition = preferences.partition.or(of_route);
    Ok(preferences)
}

/// The parameters a body sets. `null` and an empty list are nothing.
fn parameters(body: &Bytes, head: &Head) -> ParameterSet {
    let is_set = |raw: &[u8]| {
        let inner = raw.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        raw != b"null" && !inner.is_some_and(|inner| inner.trim_ascii().is_empty())
    };
    let set = head.members().iter().filter(|member| {
        let raw = body.get(member.value.clone()).unwrap_or_default();
        is_set(raw)
    });
    filter::parameters_of(set.map(|member| head.name_of(member)))
}

/// What a plan is made of.
pub(super) struct Basis<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) key: &'a ApiKey,
    pub(super) operation: &'a Operation,
}

/// Who may serve a request for these models, in order.
pub(super) fn plan(
    basis: &Basis<'_>,
    (names, home, preferences): (&[&str], Option<ApiFormat>, &Preferences),
    (body, head, demand): (&Bytes, &Head, &Demand),
    steer: &mut Steer<'_>,
) -> Result<Plan, GatewayError> {
    let (prompt_tokens, completion_tokens) = demand.probable();
    let ask = Ask {
        home,
        parameters: parameters(body, head),
        body,
        prompt_tokens,
        completion_tokens,
        completion_cap: demand.completion_cap(),
        ..Ask::new(names, preferences)
    };
    let table = &basis.snapshot.routing;
    let shortlist =
        Shortlist::new(table, basis.key, &ask).map_err(|error| refused(basis.operation, &error))?;
    let kept = steer.kept(shortlist.has_choice());
    let live = steer.live();
    Ok(shortlist.into_plan((table, &live), &ask, kept.as_ref(), &mut rand::rng()))
}

/// A request without a plan, in the words of the surface.
fn refused(operation: &Operation, error: &PlanError) -> GatewayError {
    let (kind, param) = match error {
        PlanError::Route(error) => return no_route(operation, error),
        PlanError::ProviderNotAllowed(_) | PlanError::ModelNotAllowed(_) => {
            (Kind::PermissionDenied, "model")
        }
        PlanError::KeyNeedsZdr => (Kind::NotFound, "model"),
        PlanError::NothingLeft { filter, .. } => (Kind::NotFound, filter.param()),
    };
    GatewayError::client(kind, error.to_string()).with_param(param)
}

/// A model that leads nowhere: native APIs answer 404.
fn no_route(operation: &Operation, error: &RouteError) -> GatewayError {
    let native = matches!(
        operation,
        Operation::Gemini { .. } | Operation::Chat(ApiFormat::Anthropic) | Operation::CountTokens
    );
    let unknown = matches!(error, RouteError::Unknown(_) | RouteError::NoEdition { .. });
    let kind = if native && unknown { Kind::NotFound } else { Kind::InvalidRequest };
    let mut converted = GatewayError::client(kind, error.to_string()).with_param("model");
    if unknown {
        converted.provider_code = Some("model_not_found".into());
    }
    converted
}

/// The body with reasoning asked for, as `:thinking` does, unless it says something of it itself
/// or the model cannot; `None` leaves it as it is. The native APIs of Anthropic and Google have
/// their own ways to ask, which the name of a model does not touch.
pub(super) fn thinking(
    client: ApiFormat,
    plan: &Plan,
    (body, head): (&Bytes, &Head),
) -> Option<Bytes> {
    let first = plan.candidates.first().filter(|_| plan.thinks)?;
    let (member, value): (_, &'static [u8]) = match client {
        ApiFormat::OpenAiChat => ("reasoning_effort", b"\"medium\""),
        ApiFormat::OpenAiResponses => ("reasoning", br#"{"effort":"medium"}"#),
        _ => return None,
    };
    let is_stated = ["reasoning", "reasoning_effort"]
        .iter()
        .any(|name| head.raw(body, name).is_some_and(|raw| raw != b"null"));
    if is_stated || first.abilities.reasoning == Some(false) {
        return None;
    }
    let mut splice = Splice::new(body, head);
    splice.insert(member, Bytes::from_static(value));
    let spliced = splice.finish();
    let mut whole = BytesMut::with_capacity(spliced.len);
    spliced.pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    Some(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Parameter;
    use crate::providers::Provider;
    use crate::routing::Candidate;
    use std::sync::Arc;

    fn scanned(text: &str) -> (Bytes, Head) {
        let body = Bytes::copy_from_slice(text.as_bytes());
        let head = Head::scan(&body).unwrap();
        (body, head)
    }

    #[test]
    fn route_is_the_older_word_for_a_partition() {
        let cases = [
            ("{}", Ok(None)),
            (r#"{"route":null}"#, Ok(None)),
            (r#"{"route":"fallback"}"#, Ok(Some(Partition::Model))),
            (r#"{"route":"sort"}"#, Ok(Some(Partition::All))),
            (
                r#"{"route":"sort","provider":{"sort":{"partition":"model"}}}"#,
                Ok(Some(Partition::Model)),
            ),
            (r#"{"route":"best"}"#, Err("route")),
            (r#"{"route":1}"#, Err("route")),
            (r#"{"provider":{"zdr":1}}"#, Err("provider.zdr")),
        ];
        for (text, expected) in cases {
            let (body, head) = scanned(text);
            let found = preferences(&body, &head, None).map(|read| read.partition);
            let found = found.map_err(|error| error.param.unwrap().into_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn parameters_by_the_names_of_every_format() {
        let cases: &[(&str, &[Parameter])] = &[
            (r#"{"model":"m","messages":[],"stream":true,"user":"u"}"#, &[]),
            (r#"{"seed":null,"tools":[ ],"stop":[]}"#, &[]),
            (r#"{"seed":1,"tools":[{}]}"#, &[Parameter::Seed, Parameter::Tools]),
            (
                r#"{"max_output_tokens":5,"reasoning":{}}"#,
                &[Parameter::MaxTokens, Parameter::Reasoning],
            ),
            (r#"{"stop_sequences":["a"],"thinking":{}}"#, &[Parameter::Stop, Parameter::Reasoning]),
            (r#"{"max_completion_tokens":5,"x":1}"#, &[Parameter::MaxTokens]),
        ];
        for (text, expected) in cases {
            let (body, head) = scanned(text);
            let expected: ParameterSet = expected.iter().copied().collect();
            assert_eq!(parameters(&body, &head), expected, "{text}");
        }
    }

    #[test]
    fn thinking_is_asked_for_where_nothing_is_said() {
        let plan = |thinks: bool, reasoning: Option<bool>| {
            let provider = Arc::new(Provider::example("p", ApiFormat::OpenAiChat, &[]));
            let mut candidate = Candidate::opaque(&provider);
            candidate.abilities.reasoning = reasoning;
            Plan { candidates: vec![Arc::new(candidate)], thinks }
        };
        let of = |client, text, plan: &Plan| {
            let (body, head) = scanned(text);
            let changed = thinking(client, plan, (&body, &head));
            changed.map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap())
        };
        let chat = ApiFormat::OpenAiChat;
        let asked = of(chat, r#"{"model":"m"}"#, &plan(true, None)).unwrap();
        assert_eq!(asked["reasoning_effort"], "medium");
        let asked = of(ApiFormat::OpenAiResponses, r#"{"input":"x"}"#, &plan(true, Some(true)));
        assert_eq!(asked.unwrap()["reasoning"]["effort"], "medium");
        assert_eq!(of(chat, r#"{"reasoning":{"enabled":false}}"#, &plan(true, None)), None);
        assert_eq!(of(chat, "{}", &plan(true, Some(false))), None);
        assert_eq!(of(chat, "{}", &plan(false, None)), None);
        assert_eq!(of(ApiFormat::Anthropic, "{}", &plan(true, None)), None);
    }
}

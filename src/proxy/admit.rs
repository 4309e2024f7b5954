//! Phase 1: who calls, what the body asks for, and where it may go.
//!
//! The caller is identified from the header alone, before a byte of the body is read. What comes
//! out is everything the exchange needs; nothing after this phase looks at the request again.

use super::ask;
use super::demand::Demand;
use super::downstream::Downstream;
use super::exchange::Job;
use super::operation::Operation;
use super::settle::UsageGuard;
use super::state::{Services, Snapshot};
use super::steer::{Steer, Steering};
use crate::auth::{ApiKey, Credential, KeyKind};
use crate::error::{GatewayError, Kind};
use crate::formats::{ApiFormat, Framing, Shape};
use crate::json::{Head, HeadError};
use crate::providers::{Provider, UpstreamCall};
use crate::routing::conversation::Turn;
use crate::routing::{Candidate, Plan, Preferences, Preset, Presets};
use crate::store::generation::recorded;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// Most names a request may list in `models`.
const MAX_MODELS: usize = 16;

/// A request that may be served.
#[derive(Debug)]
pub struct Admitted {
    /// What is to be done.
    pub job: Job,
    /// The body as the client sent it.
    pub body: Bytes,
    /// When the last byte of the body was read.
    pub body_read: Instant,
    /// Where its members are.
    pub head: Head,
    /// How much it may use.
    pub demand: Demand,
    /// Who may serve it, in order.
    pub plan: Plan,
    /// What is to be learned from its answer.
    pub steering: Steering,
    /// How the model is named in the answer.
    pub shown: ShownModel,
    /// `gen-…`.
    pub generation_id: Arc<str>,
    /// Header fields of the client that a vendor may want.
    pub client_headers: HeaderMap,
    /// Whose members the answer has; the maker's unless the path says otherwise.
    pub shape: Shape,
    /// Whether the client asked for usage in an OpenAI stream.
    pub wants_usage: bool,
    /// Whether the client wants no reasoning text.
    pub exclude_reasoning: bool,
    /// Whether the client wants an error rather than a loss of what it said.
    pub requires_parameters: bool,
}

/// How the model is named in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownModel {
    /// As the client named it.
    AsSent(Arc<str>),
    /// By the canonical name of the candidate that answered.
    Canonical,
    /// In the provider's own words.
    Untouched,
}

impl ShownModel {
    /// The name to show; `None` leaves the provider's.
    pub fn name(&self, candidate: &Candidate) -> Option<Arc<str>> {
        match self {
            Self::AsSent(name) => Some(Arc::clone(name)),
            Self::Canonical => Some(Arc::clone(&candidate.canonical)),
            Self::Untouched => None,
        }
    }
}

/// Who calls, from the header alone.
pub fn identify(
    services: &Services,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Arc<ApiKey>, GatewayError> {
    let credential = Credential::find(headers, query)?;
    let found = services.authenticator.identify(&snapshot.keys, credential.as_ref());
    if found.is_err() {
        let reason = if credential.is_some() { "invalid" } else { "missing" };
        services.metrics.count_auth_failure(reason);
    }
    found
}

/// Refuses a management key where inference is asked for.
pub fn require_regular(key: &ApiKey) -> Result<(), GatewayError> {
    match key.kind {
        KeyKind::Regular => Ok(()),
        KeyKind::Management => Err(GatewayError::client(
            Kind::PermissionDenied,
            "a management key cannot be used for inference",
        )),
    }
}

/// Reads the body and decides what is to be done with it.
pub async fn admit(
    (snapshot, key): (&Snapshot, &ApiKey),
    (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
    (operation, headers): (&Operation, &HeaderMap),
) -> Result<Admitted, GatewayError> {
    let settings = &snapshot.settings;
    let body = client.read_body(settings.max_body_bytes, settings.body_timeout).await?;
    let body_read = Instant::now();
    guard.note_prompt_bytes(body.len());
    let head = Head::scan(&body).map_err(bad_body)?;
    let mut wishes = Wishes::read(operation, (&body, &head), &settings.presets)?;
    record_wishes(guard, &wishes);
    let services = Arc::clone(guard.services());
    let turn = turn(&wishes.job, headers, (&body, &head));
    let mut steer = Steer::new((&services, key), &wishes.models, (&body, &head, turn));
    steer.choose_models(snapshot, &mut wishes.models)?;
    let names: Vec<&str> = wishes.models.iter().map(AsRef::as_ref).collect();
    let demand = Demand::of((&wishes.job, key.policy.budget_mode), &body, &head);
    let basis = ask::Basis { snapshot, key, operation };
    let asked = (&*names, wishes.home, &wishes.preferences);
    let plan = ask::plan(&basis, asked, (&body, &head, &demand), &mut steer)?;
    guard.holds().reserve(&services, key, (&demand, &plan.candidates))?;
    let shown = if steer.chose() {
        ShownModel::Canonical
    } else {
        shown_model(&snapshot.routing, &names, wishes.home)
    };
    let steering = steer.finish();
    let thinking = match wishes.job {
        Job::Chat { client, .. } => ask::thinking(client, &plan, (&body, &head)),
        Job::Embeddings | Job::CountTokens(_) => None,
    };
    let (body, head) = match thinking {
        Some(body) => (body.clone(), Head::scan(&body).map_err(bad_body)?),
        None => (body, head),
    };
    Ok(Admitted {
        demand,
        plan,
        steering,
        shown,
        shape: Shape::default(),
        generation_id: guard.record().id.as_str().into(),
        client_headers: vendor_headers(headers),
        wants_usage: wishes.wants_usage,
        exclude_reasoning: wishes.exclude_reasoning,
        requires_parameters: wishes.preferences.require_parameters,
        job: wishes.job,
        body_read,
        body,
        head,
    })
}

/// A chat, as far as its conversation is concerned.
fn turn<'a>(
    job: &Job,
    headers: &'a HeaderMap,
    (body, head): (&'a [u8], &'a Head),
) -> Option<Turn<'a>> {
    match *job {
        Job::Chat { client, .. } => Some(Turn { client, headers, body, head }),
        Job::Embeddings | Job::CountTokens(_) => None,
    }
}

/// What the path and the body ask for.
struct Wishes {
    job: Job,
    models: Vec<String>,
    home: Option<ApiFormat>,
    wants_usage: bool,
    exclude_reasoning: bool,
    preferences: Preferences,
    user: Option<String>,
    session_id: Option<String>,
}

impl Wishes {
    fn read(
        operation: &Operation,
        (body, head): (&Bytes, &Head),
        presets: &Presets,
    ) -> Result<Self, GatewayError> {
        let (job, home) = job(operation, body, head)?;
        let models = match operation {
            Operation::Gemini { model, .. } => vec![model.clone()],
            _ => model_names(body, head)?,
        };
        let preset = models.first().and_then(|first| Preset::find(presets, first));
        let options = head.raw(body, "stream_options").unwrap_or_default();
        let reasoning = head.raw(body, "reasoning").unwrap_or_default();
        Ok(Self {
            job,
            models,
            home,
            wants_usage: is_true(options, "include_usage"),
            exclude_reasoning: is_true(reasoning, "exclude"),
            preferences: ask::preferences(body, head, preset)?,
            user: head.string(body, "user").map_err(bad_body)?.map(|user| recorded(&user)),
            session_id: head
                .string(body, "session_id")
                .map_err(bad_body)?
                .map(|session| recorded(&session)),
        })
    }
}

fn job(
    operation: &Operation,
    body: &Bytes,
    head: &Head,
) -> Result<(Job, Option<ApiFormat>), GatewayError> {
    Ok(match operation {
        Operation::Chat(client) => {
            let stream = head.boolean(body, "stream").map_err(bad_body)?.unwrap_or(false);
            require_prompt(*client, body, head)?;
            let job = Job::Chat { client: *client, stream: stream.then_some(Framing::Sse) };
            (job, (*client == ApiFormat::Anthropic).then_some(*client))
        }
        Operation::Gemini { call, .. } => {
            let client = ApiFormat::Gemini;
            require_contents(body, head, *call)?;
            let job = match call {
                UpstreamCall::ChatStream => Job::Chat { client, stream: Some(Framing::Sse) },
                UpstreamCall::ChatArray => Job::Chat { client, stream: Some(Framing::JsonArray) },
                UpstreamCall::CountTokens => Job::CountTokens(client),
                UpstreamCall::Chat | UpstreamCall::Embeddings => Job::Chat { client, stream: None },
            };
            (job, Some(client))
        }
        Operation::CountTokens => {
            require_turns(body, head, "messages")?;
            (Job::CountTokens(ApiFormat::Anthropic), Some(ApiFormat::Anthropic))
        }
        Operation::Embeddings => (Job::Embeddings, None),
        other => return Err(GatewayError::internal(format!("{} is no inference", other.name()))),
    })
}

/// The conversation must be there: a provider asked with none answers in words of its own, or not
/// at all. `member` is what the format calls it.
fn require_turns(body: &Bytes, head: &Head, member: &'static str) -> Result<(), GatewayError> {
    let problem = match head.raw(body, member) {
        None | Some(b"null") => format!("missing required field: {member}"),
        Some(raw) if !raw.starts_with(b"[") => format!("{member} must be an array"),
        Some(raw) if is_empty_array(raw) => format!("{member} must not be empty"),
        Some(_) => return Ok(()),
    };
    Err(GatewayError::client(Kind::InvalidRequest, problem).with_param(member))
}

/// Newer and older formats take a plain text in the place of a conversation.
fn require_prompt(client: ApiFormat, body: &Bytes, head: &Head) -> Result<(), GatewayError> {
    let member = match client {
        ApiFormat::OpenAiResponses => "input",
        ApiFormat::Completions => "prompt",
        _ => return require_turns(body, head, "messages"),
    };
    match head.raw(body, member) {
        Some(raw) if raw.starts_with(b"\"") => Ok(()),
        None | Some(b"null") if head.get("prompt").is_some() => Ok(()),
        _ => require_turns(body, head, member),
    }
}

fn is_empty_array(raw: &[u8]) -> bool {
    raw.strip_prefix(b"[").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"]"))
}

/// Gemini's token count takes the conversation alone or a whole request.
fn require_contents(body: &Bytes, head: &Head, call: UpstreamCall) -> Result<(), GatewayError> {
    if call == UpstreamCall::CountTokens && head.get("generateContentRequest").is_some() {
        return Ok(());
    }
    require_turns(body, head, "contents")
}

/// `model` first, then `models`, without repetition.
fn model_names(body: &Bytes, head: &Head) -> Result<Vec<String>, GatewayError> {
    let mut names: Vec<String> = Vec::with_capacity(1);
    if let Some(model) = head.string(body, "model").map_err(bad_body)? {
        names.push(model.into_owned());
    }
    if let Some(raw) = head.raw(body, "models").filter(|raw| *raw != b"null") {
        let listed: Vec<String> = serde_json::from_slice(raw).map_err(|_| {
            GatewayError::client(Kind::InvalidRequest, "models must be an array of strings")
                .with_param("models")
        })?;
        if listed.len() > MAX_MODELS {
            let text = format!("models may list at most {MAX_MODELS} names");
            return Err(GatewayError::client(Kind::InvalidRequest, text).with_param("models"));
        }
        for name in listed {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

fn is_true(object: &[u8], key: &str) -> bool {
    let value = crate::json::find(object, key).and_then(|range| object.get(range));
    value == Some(b"true".as_slice())
}

fn shown_model(
    routing: &crate::routing::RoutingTable,
    names: &[&str],
    home: Option<ApiFormat>,
) -> ShownModel {
    match names {
        [only] if !only.contains('/') && !routing.is_alias(only) => {
            if home.is_some() {
                ShownModel::Untouched
            } else {
                ShownModel::AsSent((*only).into())
            }
        }
        _ => ShownModel::Canonical,
    }
}

/// Why a key may not use a candidate, if it may not.
pub fn refusal_of(candidate: &Candidate, key: &ApiKey) -> Option<GatewayError> {
    if let Some(refused) = name_refusal(&candidate.provider, key) {
        return Some(refused);
    }
    if key.enforce_zdr && !candidate.data_policy.zdr {
        return Some(needs_zdr());
    }
    if !key.allows_model(&candidate.canonical) {
        let text = format!("model '{}' is not allowed for this API key", candidate.canonical);
        return Some(GatewayError::client(Kind::PermissionDenied, text));
    }
    None
}

/// Why a key may not use a provider, if it may not.
pub fn provider_refusal(provider: &Provider, key: &ApiKey) -> Option<GatewayError> {
    let needs_zdr = || (key.enforce_zdr && !provider.data_policy.zdr).then(needs_zdr);
    name_refusal(provider, key).or_else(needs_zdr)
}

fn name_refusal(provider: &Provider, key: &ApiKey) -> Option<GatewayError> {
    let text = || format!("provider '{}' is not allowed for this API key", provider.slug);
    (!key.allows_provider(provider.names()))
        .then(|| GatewayError::client(Kind::PermissionDenied, text()))
}

fn needs_zdr() -> GatewayError {
    let text = "no endpoint matches the data policy that this API key requires (ZDR)";
    GatewayError::client(Kind::NotFound, text)
}

fn record_wishes(guard: &mut UsageGuard, wishes: &Wishes) {
    let record = guard.record_mut();
    record.requested_model = wishes.models.first().map(|name| recorded(name)).unwrap_or_default();
    record.streamed = matches!(wishes.job, Job::Chat { stream: Some(_), .. });
    record.user.clone_from(&wishes.user);
    if wishes.session_id.is_some() {
        record.session_id.clone_from(&wishes.session_id);
    }
}

fn vendor_headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in ["anthropic-version", "anthropic-beta", "x-anthropic-beta"] {
        for value in headers.get_all(name) {
            kept.append(http::HeaderName::from_static(name), value.clone());
        }
    }
    kept
}

#[expect(clippy::needless_pass_by_value, reason = "this is a conversion for `map_err`")]
fn bad_body(error: HeadError) -> GatewayError {
    let mut converted = GatewayError::client(Kind::InvalidRequest, error.to_string());
    if let Some(param) = error.param() {
        converted.param = Some(param.to_owned().into());
    }
    converted
}

//! One request from arrival to the response: receive, recognise, read, choose, answer.
//!
//! Called by `server` for every request of every connection.
//!
//! Invariant: the journal entry opened on arrival travels into the response body, so whatever
//! happens to the request or the connection closes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

use crate::clock::Clock;

use super::body::{MockBody, Never, plain};
use super::fault_io::{Break, FaultCell};
use super::journal::{Journal, OpenEntry};
use super::prompt::{Prompt, Refusal};
use super::provider_error::Wording;
use super::received::Received;
use super::reply_writer::ReplyWriter;
use super::route::{PathStream, Route};
use super::script::{self, Reply, Script};
use super::stream_plan::Framing;
use super::{
    Format, admin, anthropic, bedrock, cloud, embeddings, google, openai, responses, ws_echo,
};

const BODY_BYTES_MAX: usize = 128 << 20;

/// What all connections share.
pub(super) struct State {
    script: ArcSwap<Script>,
    pub(super) journal: Journal,
    demo: bool,
    last: Mutex<Option<Arc<Received>>>,
}

impl State {
    pub(super) fn new(script: Script, journal: Journal, demo: bool) -> Self {
        Self { script: ArcSwap::from_pointee(script), journal, demo, last: Mutex::default() }
    }

    /// The last request that was not for one of the mock's own pages.
    pub(super) fn last(&self) -> Option<Arc<Received>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the script; its counts start anew.
    pub(super) fn set_script(&self, script: Script) {
        self.script.store(Arc::new(script));
    }

    fn set_last(&self, received: &Arc<Received>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Arc::clone(received));
    }
}

/// Answers one request.
pub(super) async fn handle(
    state: Arc<State>,
    cell: Arc<FaultCell>,
    request: Request<Incoming>,
) -> Result<Response<MockBody>, Never> {
    let route = Route::of(request.method(), request.uri().path(), request.headers());
    if route == Route::WsEcho {
        return Ok(ws_echo::upgrade(request));
    }
    let Some(received) = receive(request).await else {
        let mut response = Response::new(plain("the request body did not arrive\n"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    if let Route::Own(page) = route {
        return Ok(admin::answer(&state, page, &received));
    }
    let received = Arc::new(received);
    state.set_last(&received);
    Ok(respond(&state, cell, &received, &route).await)
}

async fn receive(request: Request<Incoming>) -> Option<Received> {
    let at_ms = Clock::System.unix_ms();
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.ok()?.to_bytes();
    let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
    Some(Received { method, uri, headers, body, at_ms, started })
}

/// A request read as its route wants it.
struct Asked {
    prompt: Prompt,
    body: Value,
}

async fn respond(
    state: &State,
    cell: Arc<FaultCell>,
    received: &Received,
    route: &Route,
) -> Response<MockBody> {
    let format = route.format();
    let entry = OpenEntry::new(&state.journal, received, format.map_or("echo", Format::name));
    let mut writer = ReplyWriter { received, format, cell, entry, reply: Reply::default() };
    if let Some(format) = format
        && !state.demo
        && received.credential(asks_as(received, format)).is_none()
    {
        return writer.error("auth", Wording { message: Some(no_key(format)), ..<_>::default() });
    }
    if !state.demo
        && let Some(refused) = cloud::refusal(received)
    {
        writer.format = Some(refused.format);
        let wording = Wording { message: Some(refused.message), ..<_>::default() };
        return writer.error(refused.error, wording);
    }
    if cloud::is_bedrock(received.uri.path()) {
        writer.format = Some(Format::Bedrock);
    }
    let asked = match read(received, route) {
        Ok(asked) => asked,
        Err(refusal) => {
            let (message, param) = (Some(refusal.message.as_str()), refusal.param.as_deref());
            return writer.error("invalid_request", Wording { message, param, ..<_>::default() });
        }
    };
    writer.entry.asked(&asked.prompt.model, asked.prompt.stream);
    match script::choose(&state.script.load(), received, &asked.prompt) {
        Ok(reply) => writer.reply = reply,
        Err(error) => {
            let message = format!("mock: {error}");
            let wording = Wording { message: Some(&message), ..Wording::default() };
            return writer.error("invalid_request", wording);
        }
    }
    if writer.reply.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(writer.reply.delay_ms)).await;
    }
    answer(writer, route, &asked)
}

/// Everything that goes wrong before an answer, then the answer.
fn answer(mut writer: ReplyWriter<'_>, route: &Route, asked: &Asked) -> Response<MockBody> {
    let fault = &writer.reply.fault;
    let breaks = [
        (fault.reset_before_header, Break::Reset, "reset_before_header"),
        (fault.close_before_header, Break::Close, "close_before_header"),
        (fault.garbage, Break::Garbage, "garbage"),
    ];
    if let Some((_, kind, name)) = breaks.into_iter().find(|(wanted, ..)| *wanted) {
        return writer.break_connection(kind, name);
    }
    if let Some(raw) = writer.reply.raw_body.take() {
        return writer.raw(raw);
    }
    if writer.wants_error() {
        return writer.scripted_error();
    }
    writer.echo_secrets();
    match route {
        Route::Generate { format, stream, .. } => {
            let alt_sse = writer.received.query("alt") == Some("sse");
            let by_path = *stream == Some(PathStream::Yes);
            let framing = match *format {
                Format::Google if by_path && !alt_sse => Some(Framing::JsonArray),
                _ if cloud::is_bedrock(writer.received.uri.path()) => Some(Framing::Binary),
                _ => None,
            };
            writer.generate(*format, &asked.prompt, framing)
        }
        Route::CountTokens { format, .. } => writer.json(count(*format, &asked.prompt)),
        Route::Embed { format, batch, .. } => embed(writer, *format, *batch, asked),
        Route::Models(format) => writer.json(super::model_list::list(*format).to_string()),
        Route::Own(_) | Route::WsEcho | Route::Echo => writer.echo(),
    }
}

fn count(format: Format, prompt: &Prompt) -> String {
    match format {
        Format::Google => google::counted(prompt),
        _ => format!(r#"{{"input_tokens":{}}}"#, prompt.estimated_tokens()),
    }
}

fn embed(
    mut writer: ReplyWriter<'_>,
    format: Format,
    batch: bool,
    asked: &Asked,
) -> Response<MockBody> {
    let prompt_tokens = writer.plan_prompt(&asked.prompt);
    let usage = match (writer.reply.omit_usage, writer.reply.usage_zero) {
        (true, _) => None,
        (false, true) => Some(0),
        (false, false) => Some(prompt_tokens),
    };
    if format == Format::Google {
        return writer
            .json(embeddings::google_answer(&embeddings::google_inputs(&asked.body), batch));
    }
    let texts = embeddings::openai_inputs(&asked.body).unwrap_or_default();
    writer.json(embeddings::openai_answer(&asked.body, &texts, &asked.prompt.model, usage))
}

/// Parses and checks a request like the provider of its route.
fn read(received: &Received, route: &Route) -> Result<Asked, Refusal> {
    let (Some(format), false) = (route.format(), matches!(route, Route::Models(_))) else {
        return Ok(Asked { prompt: Prompt::default(), body: Value::Null });
    };
    let path = received.uri.path();
    let in_cloud = cloud::is_bedrock(path) || path.contains("/publishers/");
    if format == Format::Anthropic && !in_cloud && received.header("anthropic-version").is_none() {
        return Err(Refusal::new("anthropic-version: header is required"));
    }
    let body = parse(&received.body)?;
    let prompt = match route {
        Route::Generate { format: Format::Anthropic, model: Some(model), stream } => {
            let body = cloud::as_at_home(body.clone(), model, path)?;
            let mut prompt = anthropic::read(&body, anthropic::Purpose::Generate)?;
            prompt.stream |= *stream == Some(PathStream::Yes);
            prompt
        }
        Route::Generate { format: Format::Bedrock, model, stream } => {
            let mut prompt = bedrock::read(&body, model.as_deref().unwrap_or_default())?;
            prompt.stream = *stream == Some(PathStream::Yes);
            prompt
        }
        Route::CountTokens { format: Format::Anthropic, .. } if in_cloud => {
            let model = body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut rest = body.clone();
            rest.as_object_mut().and_then(|members| members.remove("model"));
            let rest = cloud::as_at_home(rest, &model, path)?;
            anthropic::read(&rest, anthropic::Purpose::Count)?
        }
        Route::Generate { format: Format::OpenAi, .. } => openai::read(&body)?,
        Route::Generate { format: Format::Responses, .. } => responses::read(&body)?,
        Route::Generate { format: Format::Anthropic, .. } => {
            anthropic::read(&body, anthropic::Purpose::Generate)?
        }
        Route::Generate { model, stream, .. } => {
            let mut prompt = google::read(&body, model.as_deref().unwrap_or_default())?;
            prompt.stream = *stream == Some(PathStream::Yes);
            prompt
        }
        Route::CountTokens { format: Format::Google, model } => {
            google::read_count(&body, model.as_deref().unwrap_or_default())?
        }
        Route::CountTokens { .. } => anthropic::read(&body, anthropic::Purpose::Count)?,
        Route::Embed { model: Some(model), .. } => {
            let inputs = embeddings::google_inputs(&body);
            embeddings::prompt(model, inputs.iter().map(|(text, _)| text))
        }
        _ => {
            let model = body.get("model").and_then(Value::as_str);
            let model = model.ok_or_else(|| Refusal::new("you must provide a model parameter"))?;
            embeddings::prompt(model, embeddings::openai_inputs(&body)?.iter())
        }
    };
    Ok(Asked { prompt, body })
}

fn parse(body: &Bytes) -> Result<Value, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) => Err(Refusal::new("The request body is not a JSON object.")),
        Err(_) => Err(Refusal::new(
            "We could not parse the JSON body of your request. The OpenAI API expects a JSON \
             payload, but what was sent was not valid JSON.",
        )),
    }
}

/// Whose credential is wanted: a cloud's own, whatever the model's format.
fn asks_as(received: &Received, format: Format) -> Format {
    if cloud::is_bedrock(received.uri.path()) { Format::Bedrock } else { format }
}

fn no_key(format: Format) -> &'static str {
    match format {
        Format::OpenAi | Format::Responses => {
            "You didn't provide an API key. You need to provide your API key in an Authorization \
             header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        }
        Format::Anthropic => "x-api-key header is required",
        Format::Bedrock => "Missing Authentication Token",
        Format::Google => {
            "Method doesn't allow unregistered callers (callers without established identity). \
             Please use API Key or other form of API consumer identity to call this API."
        }
    }
}

//! Turns the chosen reply into an HTTP response: head, body, faults of the body.
//!
//! Used by `handle`, one per request.
//!
//! Invariant: every way out consumes the writer and with it the journal entry.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

use super::answer::{Answer, Tokens, random_id};
use super::body::MockBody;
use super::echo::{self, ECHO_TEXT_BYTES_MAX};
use super::fault_io::{Break, FaultCell};
use super::journal::OpenEntry;
use super::prompt::Prompt;
use super::provider_error::{ProviderError, Wording};
use super::received::Received;
use super::script::{Reply, Truncate};
use super::stream_plan::{Ending, Framing, Item, Kind, Piece, Plan, assemble};
use super::{Format, anthropic, bedrock, google, openai, responses};

const HTML: &str = "text/html; charset=utf-8";

/// A reply about to be written.
pub(super) struct ReplyWriter<'a> {
    pub(super) received: &'a Received,
    /// `None` on an echoed path.
    pub(super) format: Option<Format>,
    pub(super) cell: Arc<FaultCell>,
    pub(super) entry: OpenEntry,
    pub(super) reply: Reply,
}

impl ReplyWriter<'_> {
    /// Whether the reply is an HTTP error rather than an answer.
    pub(super) fn wants_error(&self) -> bool {
        let status = self.reply.status.unwrap_or(200);
        let in_stream = self.reply.fault.error_after.is_some();
        !in_stream && (self.reply.error.is_some() || status >= 400)
    }

    /// The error the reply names, by name, whole or by status.
    pub(super) fn scripted_error(self) -> Response<MockBody> {
        let error = self.provider_error();
        self.send_error(&error)
    }

    /// An error the mock raises itself.
    pub(super) fn error(self, name: &str, wording: Wording<'_>) -> Response<MockBody> {
        let format = self.format.unwrap_or(Format::OpenAi);
        let error = ProviderError::named(format, name, wording)
            .unwrap_or_else(|| ProviderError::of_status(format, 500, wording));
        self.send_error(&error)
    }

    fn provider_error(&self) -> ProviderError {
        let format = self.format.unwrap_or(Format::OpenAi);
        let reply = &self.reply;
        let leak = self.leak().map(|key| format!("Incorrect API key provided: {key}."));
        let wording = Wording {
            status: reply.status,
            message: leak.as_deref(),
            retry_after: reply.retry_after,
            ..Wording::default()
        };
        match &reply.error {
            Some(Value::String(name)) => ProviderError::named(format, name, wording)
                .unwrap_or_else(|| {
                    let message = format!("mock: no error is called {name:?}");
                    let wording = Wording { message: Some(&message), ..Wording::default() };
                    ProviderError::of_status(format, 400, wording)
                }),
            Some(body) => ProviderError { status: reply.status.unwrap_or(500), body: body.clone() },
            None if reply.fault.error_after.is_some() => {
                ProviderError::named(format, "overloaded", Wording { status: None, ..wording })
                    .unwrap_or_else(|| ProviderError::of_status(format, 503, wording))
            }
            None => ProviderError::of_status(format, reply.status.unwrap_or(500), wording),
        }
    }

    fn send_error(mut self, error: &ProviderError) -> Response<MockBody> {
        self.reply.status = Some(error.status);
        self.json(error.body.to_string())
    }

    /// Breaks the connection before any header.
    pub(super) fn break_connection(self, kind: Break, name: &'static str) -> Response<MockBody> {
        self.entry.fault(name);
        self.cell.set(kind);
        // The stream refuses this response; it only gives hyper something to write.
        Response::new(super::body::plain("broken"))
    }

    /// A body as scripted, HTML unless the script says otherwise.
    pub(super) fn raw(self, body: String) -> Response<MockBody> {
        self.send_whole(Bytes::from(body), HTML)
    }

    /// The request told back.
    pub(super) fn echo(self) -> Response<MockBody> {
        let body = echo::describe(self.received, ECHO_TEXT_BYTES_MAX);
        self.send_whole(Bytes::from(body), "application/json")
    }

    /// A JSON document.
    pub(super) fn json(self, body: impl Into<Bytes>) -> Response<MockBody> {
        let content_type = match self.format {
            Some(Format::Google) => "application/json; charset=UTF-8",
            _ => "application/json",
        };
        self.send_whole(body.into(), content_type)
    }

    /// Puts the credential where a careless provider might, to see whether it leaks.
    pub(super) fn echo_secrets(&mut self) {
        let Some(key) = self.leak().map(str::to_owned) else { return };
        let text = self.reply.text.take().unwrap_or_else(|| "Your key is".to_owned());
        self.reply.text = Some(format!("{text} {key}"));
        self.reply.headers.insert("x-echo-credential".to_owned(), key);
    }

    fn leak(&self) -> Option<&str> {
        self.reply.fault.echo_secrets.then(|| self.received.any_credential()).flatten()
    }

    /// Bills a prompt without an answer. Returns its tokens.
    pub(super) fn plan_prompt(&mut self, prompt: &Prompt) -> u64 {
        let tokens = self.reply.tokens.prompt.unwrap_or_else(|| prompt.estimated_tokens());
        self.entry.planned("", Tokens { prompt: tokens, ..Tokens::default() });
        tokens
    }

    /// A generated answer, whole or as a stream; `framing` is that of the stream where it is not
    /// the usual one.
    pub(super) fn generate(
        mut self,
        format: Format,
        prompt: &Prompt,
        framing: Option<Framing>,
    ) -> Response<MockBody> {
        let answer = Answer::new(format, &self.reply, prompt, self.received.at_ms);
        self.entry.planned(&answer.id, answer.tokens);
        if prompt.stream {
            return self.stream(format, &answer, prompt, framing);
        }
        let body = match format {
            Format::OpenAi => openai::whole(&answer),
            Format::Responses => responses::whole(&answer),
            Format::Anthropic => anthropic::whole(&answer),
            Format::Google => google::whole(&answer),
            Format::Bedrock => bedrock::whole(&answer),
        };
        self.json(body)
    }

    fn stream(
        self,
        format: Format,
        answer: &Answer,
        prompt: &Prompt,
        framing: Option<Framing>,
    ) -> Response<MockBody> {
        let mut items = match format {
            Format::OpenAi => openai::stream(answer, prompt.include_usage),
            Format::Responses => responses::stream(answer),
            Format::Anthropic => anthropic::stream(answer),
            Format::Google => google::stream(answer),
            Format::Bedrock => bedrock::stream(answer),
        };
        if format != Format::Bedrock && framing == Some(Framing::Binary) {
            items = items.iter().map(bedrock::wrapped).collect();
        }
        let fault = &self.reply.fault;
        let crlf = fault.crlf.unwrap_or(format == Format::Google);
        let usual = if crlf { Framing::SseCrlf } else { Framing::Sse };
        let framing = framing.unwrap_or(usual);
        let error = fault.error_after.map(|_| {
            let body = self.provider_error().body;
            let (event, body) = match format {
                _ if framing == Framing::Binary => (Some("serviceUnavailableException"), body),
                Format::Responses => (Some("error"), responses::error_event(&body)),
                Format::Anthropic => (Some("error"), body),
                Format::OpenAi | Format::Google | Format::Bedrock => (None, body),
            };
            Item { kind: Kind::Done, event, data: body.to_string() }
        });
        let plan = assemble(items, framing, fault, error);
        let content_type = match (framing, format) {
            (Framing::JsonArray, _) => "application/json; charset=UTF-8",
            (Framing::Binary, _) => "application/vnd.amazon.eventstream",
            (_, Format::Google) => "text/event-stream",
            _ => "text/event-stream; charset=utf-8",
        };
        self.send(content_type, None, plan)
    }

    /// A body that is no stream, with the faults such a body can have.
    fn send_whole(mut self, bytes: Bytes, content_type: &'static str) -> Response<MockBody> {
        let fault = &self.reply.fault;
        let half = bytes.slice(..bytes.len() / 2);
        let wrong_length = fault.truncate_json == Some(Truncate::WrongLength);
        let broken = [
            (fault.reset_after.is_some(), Ending::Reset),
            (fault.close_after.is_some() || wrong_length, Ending::Close),
            (fault.stall_after.is_some(), Ending::Stall),
        ];
        let ending = broken.into_iter().find(|(wanted, _)| *wanted).map(|(_, ending)| ending);
        let paced = self.reply.first_token_delay_ms > 0 || fault.slow_body_chunk.is_some();
        let length = bytes.len();
        let sent = match ending {
            Some(_) => half,
            None if fault.truncate_json == Some(Truncate::RightLength) => half,
            None if paced => bytes,
            None => {
                let head = self.head(content_type);
                return head.map(|()| MockBody::whole(bytes, Some(self.entry)));
            }
        };
        let length = if ending.is_some() { length } else { sent.len() };
        let pieces = vec![Piece { bytes: sent, content: false }];
        let ending = ending.unwrap_or(Ending::Clean);
        self.send(content_type, Some(length), Plan { pieces, ending, planned_events: 0 })
    }

    fn send(
        mut self,
        content_type: &'static str,
        length: Option<usize>,
        plan: Plan,
    ) -> Response<MockBody> {
        let mut head = self.head(content_type);
        if let Some(length) = length {
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        head.map(|()| MockBody::stream(plan, &self.reply, self.cell, self.entry))
    }

    fn head(&mut self, content_type: &'static str) -> Response<()> {
        let mut response = Response::new(());
        let status = StatusCode::from_u16(self.reply.status.unwrap_or(200)).unwrap_or_default();
        self.entry.status(status.as_u16());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let content_type = match &self.reply.content_type {
            _ if self.reply.fault.wrong_content_type => HeaderValue::from_static(HTML),
            Some(scripted) => HeaderValue::from_str(scripted)
                .unwrap_or_else(|_| HeaderValue::from_static(content_type)),
            None => HeaderValue::from_static(content_type),
        };
        headers.insert(CONTENT_TYPE, content_type);
        let request_id = match self.format {
            Some(Format::OpenAi | Format::Responses) => Some("x-request-id"),
            Some(Format::Anthropic) => Some("request-id"),
            _ => None,
        };
        if let Some(name) = request_id
            && let Ok(value) = HeaderValue::try_from(random_id("req_", 20))
        {
            headers.insert(HeaderName::from_static(name), value);
        }
        if let Some(seconds) = self.reply.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in &self.reply.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                headers.append(name, value);
            }
        }
        response
    }
}

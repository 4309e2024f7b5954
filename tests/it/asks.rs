//! The ways a client can ask for a chat answer, and how each reads what comes back.

use super::rig::{Http, Rig};
use super::wire::Call;
use serde_json::{Value, json};

/// A client's format and the model it asks, which decides the provider's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub client: Client,
    /// `None` = the bare name of the vendor's own model.
    model: Option<&'static str>,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// OpenAI's chat completions.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's format over server-sent events.
    Gemini,
    /// Gemini's format as one JSON array.
    GeminiArray,
}

const fn ask(client: Client, model: &'static str) -> Ask {
    Ask { client, model: Some(model) }
}

const fn native(client: Client) -> Ask {
    Ask { client, model: None }
}

const BY_OPENAI: &str = "openai/gpt-5.4";
const BY_RESPONSES: &str = "responses/gpt-5.4";
const BY_ANTHROPIC: &str = "anthropic/claude-sonnet-4.5";
const BY_GOOGLE: &str = "google/gemini-2.5-flash";

pub const OPENAI: Ask = ask(Client::OpenAi, BY_OPENAI);
pub const OPENAI_BY_ANTHROPIC: Ask = ask(Client::OpenAi, BY_ANTHROPIC);
pub const OPENAI_BY_GOOGLE: Ask = ask(Client::OpenAi, BY_GOOGLE);
pub const ANTHROPIC: Ask = native(Client::Anthropic);
pub const GEMINI: Ask = native(Client::Gemini);

/// One ask for each way of relaying: every client, and OpenAI's by every kind of provider.
pub const SOME: [Ask; 6] =
    [OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE, ANTHROPIC, GEMINI, native(Client::GeminiArray)];

/// Every pair of client and provider.
pub const ALL: [Ask; 18] = [
    OPENAI,
    ask(Client::OpenAi, BY_RESPONSES),
    OPENAI_BY_ANTHROPIC,
    OPENAI_BY_GOOGLE,
    ask(Client::Responses, BY_OPENAI),
    ask(Client::Responses, BY_RESPONSES),
    ask(Client::Responses, BY_ANTHROPIC),
    ask(Client::Responses, BY_GOOGLE),
    ask(Client::Anthropic, BY_OPENAI),
    ask(Client::Anthropic, BY_RESPONSES),
    ANTHROPIC,
    ask(Client::Anthropic, BY_GOOGLE),
    ask(Client::Gemini, BY_OPENAI),
    ask(Client::Gemini, BY_RESPONSES),
    ask(Client::Gemini, BY_ANTHROPIC),
    GEMINI,
    ask(Client::GeminiArray, BY_ANTHROPIC),
    native(Client::GeminiArray),
];

impl Ask {
    /// OpenAI's chat format, answered by this model.
    pub const fn openai(model: &'static str) -> Self {
        ask(Client::OpenAi, model)
    }

    /// A client that asks for this model.
    pub const fn of(client: Client, model: &'static str) -> Self {
        ask(client, model)
    }

    /// The model that is asked for, where it is named.
    pub fn model(self) -> &'static str {
        self.model.unwrap_or_default()
    }

    /// Whether the rig knows what the model costs.
    pub fn is_priced(self) -> bool {
        self.model.is_some_and(|model| model != BY_RESPONSES)
    }

    /// Path of the request.
    pub fn path(self, stream: bool) -> String {
        let model = self.model.unwrap_or("gemini-2.5-flash").replace('/', "%2F");
        match (self.client, stream) {
            (Client::OpenAi, _) => "/v1/chat/completions".to_owned(),
            (Client::Responses, _) => "/v1/responses".to_owned(),
            (Client::Anthropic, _) => "/v1/messages".to_owned(),
            (Client::Gemini, true) => {
                format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
            (Client::GeminiArray, true) => format!("/v1beta/models/{model}:streamGenerateContent"),
            (Client::Gemini | Client::GeminiArray, false) => {
                format!("/v1beta/models/{model}:generateContent")
            }
        }
    }

    /// Body of the request with this user text.
    pub fn body(self, stream: bool, text: &str) -> String {
        let message = json!([{ "role": "user", "content": text }]);
        let model = self.model.unwrap_or("claude-sonnet-4-5");
        match self.client {
            Client::OpenAi => json!({ "model": model, "messages": message, "stream": stream }),
            Client::Responses => json!({ "model": model, "input": message, "stream": stream }),
            Client::Anthropic => json!({
                "model": model, "max_tokens": 100, "messages": message, "stream": stream,
            }),
            Client::Gemini | Client::GeminiArray => {
                json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
            }
        }
        .to_string()
    }

    /// Asks for a stream; `reply` tells the mock provider what to do.
    pub async fn stream(self, rig: &Rig, version: Http, reply: &Value) -> Call {
        let body = self.body(true, &told(reply));
        Call::post(rig.gateway, version, &self.path(true), &body).await
    }

    /// Asks for a whole answer.
    pub async fn whole(self, rig: &Rig, version: Http, reply: &Value) -> Call {
        let body = self.body(false, &told(reply));
        Call::post(rig.gateway, version, &self.path(false), &body).await
    }

    /// Whether the client's stream is server-sent events.
    pub fn is_sse(self) -> bool {
        self.client != Client::GeminiArray
    }

    /// Whether the provider's own bytes are the answer. OpenAI's streams are added to.
    fn is_untouched(self) -> bool {
        let vendor = match self.client {
            Client::OpenAi | Client::Responses => return false,
            Client::Anthropic => "anthropic",
            Client::Gemini | Client::GeminiArray => "google",
        };
        self.model.is_none_or(|model| model.trim_start_matches("by-").starts_with(vendor))
    }

    /// The JSON events of a client's stream; `[DONE]` is left out. Fails on broken framing.
    pub fn events(self, text: &str) -> Vec<Value> {
        if !self.is_sse() {
            let all: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
            return all.as_array().unwrap().clone();
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let is_ended = text.ends_with("\n\n") || self.is_untouched();
        assert!(is_ended, "the last event is not ended: {text}");
        let text = text.trim_start_matches('\u{feff}');
        let events = text.split("\n\n").map(|event| {
            let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
            lines.collect::<Vec<_>>().join("\n")
        });
        events
            .filter(|data| !data.is_empty() && data.trim() != "[DONE]")
            .map(|data| serde_json::from_str(&data).unwrap_or_else(|e| panic!("{e}: {text}")))
            .collect()
    }

    /// The text of an event of the stream.
    pub fn event_text(self, event: &Value) -> &str {
        let place = match self.client {
            Client::OpenAi => "/choices/0/delta/content",
            Client::Responses if event["type"] == "response.output_text.delta" => "/delta",
            Client::Responses => "/none",
            Client::Anthropic => "/delta/text",
            Client::Gemini | Client::GeminiArray => "/candidates/0/content/parts/0/text",
        };
        event.pointer(place).and_then(Value::as_str).unwrap_or_default()
    }

    /// The text of all events.
    pub fn stream_text(self, text: &str) -> String {
        self.events(text).iter().map(|event| self.event_text(event)).collect()
    }

    /// The error events of a stream.
    pub fn errors(self, text: &str) -> Vec<Value> {
        let is_error = |event: &Value| match self.client {
            Client::Responses => event["type"] == "error",
            _ => event["error"].is_object(),
        };
        self.events(text).into_iter().filter(is_error).collect()
    }
}

/// A prompt that tells the mock provider how to answer.
pub fn told(reply: &Value) -> String {
    format!("[[mock {reply}]]")
}

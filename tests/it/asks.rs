//! The ways a client can ask for a chat answer, and how each reads what comes back.

use super::rig::{Http, Rig};
use super::wire::Call;
use serde_json::{Value, json};

/// A client's format, with the model that decides the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// OpenAI's format, answered by this model.
    OpenAi(&'static str),
    /// Anthropic's format, answered by Anthropic.
    Anthropic,
    /// Gemini's format over server-sent events.
    Gemini,
    /// Gemini's format as one JSON array.
    GeminiArray,
}

pub const OPENAI: Ask = Ask::OpenAi("openai/gpt-5.4");
pub const OPENAI_BY_ANTHROPIC: Ask = Ask::OpenAi("anthropic/claude-sonnet-4.5");
pub const OPENAI_BY_GOOGLE: Ask = Ask::OpenAi("google/gemini-2.5-flash");

/// Every pair of client and provider that is served.
pub const ALL: [Ask; 6] =
    [OPENAI, OPENAI_BY_ANTHROPIC, OPENAI_BY_GOOGLE, Ask::Anthropic, Ask::Gemini, Ask::GeminiArray];

impl Ask {
    /// Path of the request.
    pub fn path(self, stream: bool) -> &'static str {
        match self {
            Self::OpenAi(_) => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
            Self::Gemini if stream => {
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
            }
            Self::GeminiArray if stream => "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            Self::Gemini | Self::GeminiArray => "/v1beta/models/gemini-2.5-flash:generateContent",
        }
    }

    /// Body of the request with this user text.
    pub fn body(self, stream: bool, text: &str) -> String {
        let message = json!([{ "role": "user", "content": text }]);
        match self {
            Self::OpenAi(model) => json!({ "model": model, "messages": message, "stream": stream }),
            Self::Anthropic => json!({
                "model": "claude-sonnet-4-5", "max_tokens": 100, "messages": message, "stream": stream,
            }),
            Self::Gemini | Self::GeminiArray => {
                json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
            }
        }
        .to_string()
    }

    /// Asks for a stream; `reply` tells the mock provider what to do.
    pub async fn stream(self, rig: &Rig, version: Http, reply: &Value) -> Call {
        let body = self.body(true, &told(reply));
        Call::post(rig.gateway, version, self.path(true), &body).await
    }

    /// Asks for a whole answer.
    pub async fn whole(self, rig: &Rig, version: Http, reply: &Value) -> Call {
        let body = self.body(false, &told(reply));
        Call::post(rig.gateway, version, self.path(false), &body).await
    }

    /// Whether the client's stream is server-sent events.
    pub fn is_sse(self) -> bool {
        self != Self::GeminiArray
    }

    /// The JSON events of a client's stream; `[DONE]` is left out. Fails on broken framing.
    pub fn events(self, text: &str) -> Vec<Value> {
        if !self.is_sse() {
            let all: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
            return all.as_array().unwrap().clone();
        }
        let text = text.replace("\r\n", "\n");
        assert!(text.ends_with("\n\n"), "the last event is not ended: {text}");
        let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {text}")))
            .collect()
    }

    /// The text of an event of the stream.
    pub fn event_text(self, event: &Value) -> &str {
        let place = match self {
            Self::OpenAi(_) => "/choices/0/delta/content",
            Self::Anthropic => "/delta/text",
            Self::Gemini | Self::GeminiArray => "/candidates/0/content/parts/0/text",
        };
        event.pointer(place).and_then(Value::as_str).unwrap_or_default()
    }

    /// The text of all events.
    pub fn stream_text(self, text: &str) -> String {
        self.events(text).iter().map(|event| self.event_text(event)).collect()
    }

    /// The error events of a stream.
    pub fn errors(self, text: &str) -> Vec<Value> {
        self.events(text).into_iter().filter(|event| event["error"].is_object()).collect()
    }
}

/// A prompt that tells the mock provider how to answer.
pub fn told(reply: &Value) -> String {
    format!("[[mock {reply}]]")
}

//! Errors as each provider words them, by a short name.
//!
//! `handle` sends them as a whole answer, `stream_plan` as an event in mid-stream.
//!
//! Invariant: status, type and code are those the provider documents for that condition.

use serde_json::{Value, json};

use super::Format;

/// One condition in the words of three providers.
struct Kind {
    name: &'static str,
    /// HTTP status at OpenAI, Anthropic, Google.
    status: [u16; 3],
    openai_type: &'static str,
    openai_code: Option<&'static str>,
    anthropic_type: &'static str,
    google_status: &'static str,
    message: &'static str,
}

const fn kind(
    name: &'static str,
    status: [u16; 3],
    openai: (&'static str, Option<&'static str>),
    types: (&'static str, &'static str),
    message: &'static str,
) -> Kind {
    Kind {
        name,
        status,
        openai_type: openai.0,
        openai_code: openai.1,
        anthropic_type: types.0,
        google_status: types.1,
        message,
    }
}

const INVALID: &str = "invalid_request_error";

/// The conditions a script can name. The first whose status fits serves a bare `status`.
const KINDS: &[Kind] = &[
    kind(
        "invalid_request",
        [400; 3],
        (INVALID, None),
        (INVALID, "INVALID_ARGUMENT"),
        "The request is not valid.",
    ),
    kind(
        "auth",
        [401; 3],
        (INVALID, Some("invalid_api_key")),
        ("authentication_error", "UNAUTHENTICATED"),
        "Incorrect API key provided.",
    ),
    kind(
        "payment_required",
        [402, 400, 402],
        ("insufficient_quota", Some("insufficient_quota")),
        ("billing_error", "FAILED_PRECONDITION"),
        "Your credit balance is too low to access the API.",
    ),
    kind(
        "permission",
        [403; 3],
        ("permission_error", None),
        ("permission_error", "PERMISSION_DENIED"),
        "Your API key does not have permission to use the specified resource.",
    ),
    kind(
        "not_found",
        [404; 3],
        (INVALID, Some("model_not_found")),
        ("not_found_error", "NOT_FOUND"),
        "The model does not exist or you do not have access to it.",
    ),
    kind(
        "request_timeout",
        [408; 3],
        ("timeout", None),
        ("timeout_error", "DEADLINE_EXCEEDED"),
        "Request timed out.",
    ),
    kind(
        "too_large",
        [413; 3],
        (INVALID, Some("request_too_large")),
        ("request_too_large", "INVALID_ARGUMENT"),
        "Request exceeds the maximum size.",
    ),
    kind(
        "rate_limit",
        [429; 3],
        ("requests", Some("rate_limit_exceeded")),
        ("rate_limit_error", "RESOURCE_EXHAUSTED"),
        "Rate limit reached. Please try again later.",
    ),
    kind(
        "server_error",
        [500; 3],
        ("server_error", None),
        ("api_error", "INTERNAL"),
        "The server had an error while processing your request.",
    ),
    kind(
        "bad_gateway",
        [502; 3],
        ("server_error", None),
        ("api_error", "UNAVAILABLE"),
        "Bad gateway.",
    ),
    kind(
        "overloaded",
        [503, 529, 503],
        ("server_error", Some("overloaded")),
        ("overloaded_error", "UNAVAILABLE"),
        "Overloaded",
    ),
    kind(
        "timeout",
        [504; 3],
        ("server_error", Some("timeout")),
        ("timeout_error", "DEADLINE_EXCEEDED"),
        "The request timed out upstream.",
    ),
    kind(
        "quota",
        [429; 3],
        ("insufficient_quota", Some("insufficient_quota")),
        ("rate_limit_error", "RESOURCE_EXHAUSTED"),
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    kind(
        "context_length",
        [400; 3],
        (INVALID, Some("context_length_exceeded")),
        (INVALID, "INVALID_ARGUMENT"),
        "",
    ),
    kind(
        "content_filter",
        [400; 3],
        (INVALID, Some("content_filter")),
        (INVALID, "INVALID_ARGUMENT"),
        "The request was rejected by the safety system.",
    ),
];

/// An error ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct ProviderError {
    /// HTTP status, also when it is sent in a stream.
    pub(super) status: u16,
    /// The JSON body.
    pub(super) body: Value,
}

/// What to say and how.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Wording<'a> {
    /// HTTP status instead of the usual one.
    pub(super) status: Option<u16>,
    /// Text instead of the usual one.
    pub(super) message: Option<&'a str>,
    /// OpenAI's `param`.
    pub(super) param: Option<&'a str>,
    /// Seconds to wait, which Google repeats in the body.
    pub(super) retry_after: Option<u64>,
}

impl ProviderError {
    /// The error of a name in the given format. `None` for an unknown name.
    pub(super) fn named(format: Format, name: &str, wording: Wording<'_>) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).map(|kind| kind.word(format, wording))
    }

    /// The usual error of a status in the given format; unknown ones read like a 500.
    pub(super) fn of_status(format: Format, status: u16, wording: Wording<'_>) -> Self {
        let fits = |kind: &&Kind| kind.status.contains(&status) && kind.name != "payment_required";
        let name = KINDS.iter().find(fits).map_or("server_error", |kind| kind.name);
        let name = if status == 402 { "payment_required" } else { name };
        let wording = Wording { status: Some(status), ..wording };
        Self::named(format, name, wording)
            .unwrap_or(Self { status, body: json!({"error": {"message": "error"}}) })
    }
}

impl Kind {
    fn word(&self, format: Format, wording: Wording<'_>) -> ProviderError {
        let [openai, anthropic, google] = self.status;
        let usual = match format {
            Format::OpenAi | Format::Responses | Format::Bedrock => openai,
            Format::Anthropic => anthropic,
            Format::Google => google,
        };
        let status = wording.status.unwrap_or(usual);
        let message = wording.message.unwrap_or_else(|| self.message(format));
        let body = match format {
            Format::OpenAi | Format::Responses => json!({"error": {
                "message": message, "type": self.openai_type,
                "param": wording.param, "code": self.openai_code}}),
            Format::Anthropic => json!({"type": "error",
                "error": {"type": self.anthropic_type, "message": message},
                "request_id": "req_011CMockMockMockMockMock"}),
            Format::Bedrock => json!({"message": message}),
            Format::Google => {
                let mut error = json!({"code": status, "message": message,
                    "status": self.google_status});
                if let (Some(details), Some(map)) =
                    (self.google_details(wording.retry_after), error.as_object_mut())
                {
                    map.insert("details".to_owned(), details);
                }
                json!({"error": error})
            }
        };
        ProviderError { status, body }
    }

    fn message(&self, format: Format) -> &'static str {
        if self.name != "context_length" {
            return self.message;
        }
        match format {
            Format::Bedrock => "Input is too long for requested model.",
            Format::OpenAi | Format::Responses => {
                "This model's maximum context length is 8192 tokens. However, your messages \
                 resulted in 9000 tokens. Please reduce the length of the messages."
            }
            Format::Anthropic => "prompt is too long: 209000 tokens > 200000 maximum",
            Format::Google => {
                "The input token count (1200000) exceeds the maximum number of tokens allowed \
                 (1048576)."
            }
        }
    }

    fn google_details(&self, retry_after: Option<u64>) -> Option<Value> {
        if self.name == "auth" {
            return Some(json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]));
        }
        let seconds = retry_after?;
        Some(json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s")}]))
    }
}

//! The one error that leaves a module upwards: what happened, whose fault it is, and whether
//! another try could help.
//!
//! `proxy/reject.rs` is the only place that turns it into a reply; no message may hold a secret or
//! text of a provider that was not judged safe.

use crate::money::PicoUsd;
use std::borrow::Cow;
use std::time::Duration;

/// Canonical error kinds, stable across formats; each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is malformed or has wrong fields.
    InvalidRequest,
    /// The prompt does not fit the model.
    ContextLengthExceeded,
    /// A provider's content policy refused the request.
    ContentPolicyViolation,
    /// No credential, or not a valid one.
    Authentication,
    /// Out of credit, or over the key's spending limit.
    PaymentRequired,
    /// The key may not do this.
    PermissionDenied,
    /// No such route, model or object.
    NotFound,
    /// The method is not allowed on this route.
    MethodNotAllowed,
    /// The client sent its request too slowly.
    RequestTimeout,
    /// The request contradicts the present state.
    Conflict,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The request header is larger than allowed.
    HeaderTooLarge,
    /// The body has an encoding the gateway does not read.
    UnsupportedMediaType,
    /// An `Expect` the gateway does not know.
    ExpectationFailed,
    /// The request is well-formed but cannot be done.
    Unprocessable,
    /// A rate limit, ours or the provider's.
    RateLimitExceeded,
    /// The client left before the answer was complete; logged, never sent.
    ClientClosed,
    /// A fault of the gateway.
    Server,
    /// The provider could not be reached, broke off, or sent nonsense.
    ProviderUnavailable,
    /// The provider says it is overloaded, or none is available.
    ProviderOverloaded,
    /// The provider took too long.
    Timeout,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller's.
    Client,
    /// The provider's.
    Upstream,
    /// The gateway's.
    Us,
}

/// Whether another try could help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request would fail everywhere, or there is no time left for it.
    Never,
    /// Another model could take what this one refuses.
    OtherModel,
    /// Another endpoint could answer.
    OtherEndpoint,
    /// Another key of the same provider could answer.
    OtherKey,
    /// The connection was stale and nothing was answered: the same endpoint at once.
    SameEndpoint,
}

/// A time limit of an upstream call that was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeLimit {
    /// Connecting, TLS included.
    Connect,
    /// Until the header of the answer.
    FirstByte,
    /// Until the first content of a stream.
    FirstToken,
    /// Between two pieces of the request or of the answer.
    Idle,
    /// For the whole request, over all attempts.
    Total,
}

impl TimeLimit {
    /// Every limit.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::FirstByte, Self::FirstToken, Self::Idle, Self::Total];

    /// Its name in metrics, logs and the `metadata` of errors: that of its setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::FirstToken => "first_token",
            Self::Idle => "idle",
            Self::Total => "total",
        }
    }

    /// What the caller is told.
    fn text(self) -> &'static str {
        match self {
            Self::Connect => "the provider could not be reached in time",
            Self::FirstByte => "the provider did not answer in time",
            Self::FirstToken => "the provider sent no content in time",
            Self::Idle => "the provider stopped sending",
            Self::Total => "the answer took too long",
        }
    }
}

/// An error with everything a reply, a log line and the failover decision need.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct GatewayError {
    /// What happened.
    pub kind: Kind,
    /// Whose fault it is.
    pub blame: Blame,
    /// Whether another try could help.
    pub retry: Retry,
    /// Text for the caller: no secrets, no provider text that was not judged safe.
    pub message: Cow<'static, str>,
    /// The request field at fault.
    pub param: Option<Cow<'static, str>>,
    /// How long the caller should wait.
    pub retry_after: Option<Duration>,
    /// The time limit that was missed.
    pub late: Option<TimeLimit>,
    /// What the provider's answer was, where the caller is told something else of it.
    pub provider_kind: Option<Kind>,
    /// The provider's own error code, if it is safe to show.
    pub provider_code: Option<Box<str>>,
    /// What a program may want to know of it. Boxed: few errors have any, all are handed about.
    facts: Option<Box<Facts>>,
    /// Detail for the log only.
    pub detail: Option<String>,
}

/// Members of the reply's `metadata`.
#[derive(Debug, Clone, Default)]
struct Facts(Vec<(&'static str, Fact)>);

/// A value in the `metadata` of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// An amount of money.
    Usd(PicoUsd),
    /// A number.
    Count(u64),
    /// A word.
    Word(&'static str),
}

impl std::fmt::Display for Fact {
    /// As JSON.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usd(amount) => amount.fmt(f),
            Self::Count(count) => count.fmt(f),
            // Words of the gateway's own need no escapes.
            Self::Word(word) => write!(f, "\"{word}\""),
        }
    }
}

impl Kind {
    /// HTTP status of the reply.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextLengthExceeded | Self::ContentPolicyViolation => {
                400
            }
            Self::Authentication => 401,
            Self::PaymentRequired => 402,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::ExpectationFailed => 417,
            Self::Unprocessable => 422,
            Self::RateLimitExceeded => 429,
            Self::HeaderTooLarge => 431,
            Self::ClientClosed => 499,
            Self::Server => 500,
            Self::ProviderUnavailable => 502,
            Self::ProviderOverloaded => 503,
            Self::Timeout => 504,
        }
    }

    /// The canonical name (`error_type`), the same in every format.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::MethodNotAllowed
            | Self::UnsupportedMediaType
            | Self::ExpectationFailed
            | Self::HeaderTooLarge => "invalid_request",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::ContentPolicyViolation => "content_policy_violation",
            Self::Authentication => "authentication",
            Self::PaymentRequired => "payment_required",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::RequestTimeout | Self::Timeout => "timeout",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Unprocessable => "unprocessable",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::ClientClosed => "client_closed",
            Self::Server => "server",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderOverloaded => "provider_overloaded",
        }
    }
}

impl GatewayError {
    /// An error the caller can mend.
    pub fn client(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Blame::Client, Retry::Never, message.into())
    }

    /// A failure of a provider that another endpoint may not share.
    pub fn upstream(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Blame::Upstream, Retry::OtherEndpoint, message.into())
    }

    /// A provider that missed a time limit. Another one may be in time, unless it was the last
    /// limit of all.
    pub fn late(limit: TimeLimit) -> Self {
        let mut error = Self::upstream(Kind::Timeout, limit.text());
        error.late = Some(limit);
        if limit == TimeLimit::Total {
            error.retry = Retry::Never;
        }
        error.with_fact("time_limit", Fact::Word(limit.name()))
    }

    /// A fault of the gateway; `detail` goes to the log, the caller sees a general text.
    pub fn internal(detail: impl Into<String>) -> Self {
        let mut error =
            Self::new(Kind::Server, Blame::Us, Retry::Never, "internal server error".into());
        error.detail = Some(detail.into());
        error
    }

    fn new(kind: Kind, blame: Blame, retry: Retry, message: Cow<'static, str>) -> Self {
        Self {
            kind,
            blame,
            retry,
            message,
            param: None,
            retry_after: None,
            late: None,
            provider_kind: None,
            provider_code: None,
            facts: None,
            detail: None,
        }
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a member to the reply's `metadata`.
    #[must_use]
    pub fn with_fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.get_or_insert_default().0.push((name, fact));
        self
    }

    /// Members of the reply's `metadata`.
    pub fn facts(&self) -> &[(&'static str, Fact)] {
        self.facts.as_ref().map_or(&[], |facts| &facts.0)
    }

    /// Adds detail for the log.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Overrides whether another try could help.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Tells the caller how long to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

//! `/{provider}/{path}`: a provider's own API through Pingora's proxy pump.
//!
//! Bytes are opaque and never rewritten; uploads and WebSockets stream through. The caller's
//! credential is exchanged for the provider's, and usage is read from the answer in passing where
//! it has a known form. `raw/health.rs` asks whether the provider is left alone.

mod health;

use super::admit;
use super::authorize;
use super::context::RequestContext;
use super::demand::Demand;
use super::entry::strip_private;
use super::raw_tap::RawTap;
use super::settle::UsageGuard;
use super::state::Snapshot;
use crate::auth::ApiKey;
use crate::auth::credential::query_without_key;
use crate::config::{BudgetMode, RateLimit};
use crate::error::{GatewayError, Kind};
use crate::providers::google_token::Token;
use crate::providers::{Authorization, Provider};
use crate::routing::Candidate;
use crate::usage::Outcome;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, LOCATION};
use http::{HeaderMap, Uri};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::upstreams::peer::HttpPeer;
use std::sync::Arc;

/// Header fields of a provider that concern its account with the operator, not the caller.
const WITHHELD: &[&str] = &[
    "set-cookie",
    "server",
    "via",
    "alt-svc",
    "strict-transport-security",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
];
/// Prefixes of such fields.
const WITHHELD_PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-", "cf-"];

/// State of one raw call.
pub struct RawCall {
    provider: Arc<Provider>,
    /// Position of the key that is used; `None` for a provider without keys.
    key: Option<usize>,
    token: Option<Arc<Token>>,
    target: String,
    model: String,
    tap: RawTap,
    snapshot: Arc<Snapshot>,
    guard: UsageGuard,
}

impl std::fmt::Debug for RawCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawCall").field("provider", &self.provider.slug).finish_non_exhaustive()
    }
}

impl RawCall {
    /// Lets a call of `path` in, if the key may make it and the provider can be asked, and opens
    /// its record. Gives the position of the provider's key to use, if it has any.
    pub fn admit(
        provider: &Arc<Provider>,
        key: &ApiKey,
        path: &str,
        guard: &mut UsageGuard,
    ) -> Result<Option<usize>, GatewayError> {
        permit(provider, key, path)?;
        let candidate = opaque_candidate(provider);
        let services = Arc::clone(guard.services());
        let demand = (&Demand::default(), std::slice::from_ref(&candidate));
        guard.holds().reserve(&services, key, demand)?;
        let (leave, picked) = health::enter((&services.health, provider), named_model(path))?;
        guard.note_attempt(&candidate, leave);
        guard.open_record()?;
        Ok(picked)
    }

    /// A call that was let in with this key of the provider.
    pub fn new(
        (provider, key): (&Arc<Provider>, Option<usize>),
        snapshot: &Arc<Snapshot>,
        (path, query): (&str, Option<&str>),
        guard: UsageGuard,
    ) -> Self {
        let model = named_model(path).unwrap_or_default();
        Self {
            provider: Arc::clone(provider),
            key,
            target: target(&provider.base_path, path, query),
            token: None,
            tap: RawTap::new(provider.format(model)),
            model: model.to_owned(),
            snapshot: Arc::clone(snapshot),
            guard,
        }
    }

    /// Where to connect; fetches the token, if the provider wants one.
    pub async fn peer(&mut self, connector: &Connector) -> Result<HttpPeer, GatewayError> {
        self.token = authorize::raw_token(connector, &self.provider).await?;
        let mut peer = self.provider.upstream.peer().await.map_err(|error| {
            GatewayError::upstream(Kind::ProviderUnavailable, "the provider could not be reached")
                .with_detail(error.to_string())
        })?;
        // The pump has one limit for the header and for every piece of the body.
        peer.options.read_timeout = Some(self.provider.timeouts.whole_first_byte);
        peer.options.write_timeout = Some(self.provider.timeouts.idle);
        Ok(peer)
    }

    /// Makes the caller's header the provider's.
    pub fn rewrite_request(&self, header: &mut RequestHeader) -> Result<(), GatewayError> {
        let bad = |error: String| GatewayError::internal(format!("raw request: {error}"));
        let client = header.headers.clone();
        strip_private(header);
        let uri: Uri = self.target.parse().map_err(|error| bad(format!("{error}")))?;
        header.set_uri(uri);
        header
            .insert_header(HOST, &self.provider.authority)
            .map_err(|error| bad(error.to_string()))?;
        header
            .insert_header(ACCEPT_ENCODING, "identity")
            .map_err(|error| bad(error.to_string()))?;
        for (name, value) in self.provider.vendor.headers(&client, &self.model) {
            if !header.headers.contains_key(&name) {
                header.append_header(name, value).map_err(|error| bad(error.to_string()))?;
            }
        }
        for (name, value) in &self.provider.extra_headers {
            header.insert_header(name.clone(), value).map_err(|error| bad(error.to_string()))?;
        }
        if let Some(key) = self.key.and_then(|index| self.provider.keys.get(index)) {
            header
                .insert_header(key.name.clone(), &key.value)
                .map_err(|error| bad(error.to_string()))?;
        }
        if let Some(token) = &self.token {
            authorize::show(token, header)?;
        }
        Ok(())
    }

    /// Takes out of the provider's header what is not the caller's business.
    pub fn filter_response(&mut self, header: &mut ResponseHeader) -> Result<(), GatewayError> {
        let status = header.status.as_u16();
        if !(100..600).contains(&status) {
            let text = "the provider's answer has no usable status";
            return Err(GatewayError::upstream(Kind::ProviderUnavailable, text));
        }
        if status == 401 {
            // The next call gets another one.
            authorize::refused(&self.provider, self.token.as_ref());
        }
        let withheld: Vec<http::HeaderName> = header
            .headers
            .iter()
            .filter(|(name, value)| {
                is_withheld(name.as_str()) || self.provider.is_secret(value.as_bytes())
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in withheld {
            header.remove_header(&name);
        }
        if !leads_to(&header.headers, &self.provider) {
            header.remove_header(&LOCATION);
        }
        if status >= 200 || status == 101 {
            let services = self.guard.services();
            let used = (&*self.provider, self.key, self.model.as_str());
            health::note_status(services, used, (status, &header.headers));
            self.tap.start(status, &header.headers);
        }
        Ok(())
    }

    /// Watches a piece of the answer's body; secrets that an error echoes are masked.
    pub fn watch(&mut self, body: &mut Option<Bytes>, end_of_stream: bool) {
        self.tap.watch(body, end_of_stream, &self.provider);
        if self.tap.observed().saw_content {
            self.guard.note_first_token();
        }
        if end_of_stream {
            self.observe();
            let status = self.tap.status();
            let outcome = if status < 400 { Outcome::Complete } else { Outcome::Failed };
            self.guard.settle(outcome, status, None);
            health::note_end(&mut self.guard, status);
        }
    }

    /// Notes what was seen of the answer, and by the model it names, what it costs.
    fn observe(&mut self) {
        let observed = self.tap.observed();
        let model = observed.upstream_model.as_deref().unwrap_or(&self.model);
        if !model.is_empty() {
            let name = format!("{}/{model}", self.provider.slug);
            let plan = self.snapshot.routing.plan(&[&name], None);
            let of_provider = |candidate: &Candidate| candidate.provider.slug == self.provider.slug;
            let found = plan.ok().and_then(|plan| plan.candidates.into_iter().find(of_provider));
            if let Some(candidate) = found {
                self.guard.note_answered_by(candidate);
            }
        }
        self.guard.observe(observed);
    }

    /// Ends the record of a call that did not come to its end.
    pub fn close(&mut self, error: Option<&GatewayError>, context: &mut RequestContext) {
        self.observe();
        match error {
            Some(error) => {
                health::note_failure(&mut self.guard, error);
                self.guard.fail(error);
            }
            None => self.guard.settle(Outcome::Complete, self.tap.status(), None),
        }
        context.access.standing = self.guard.standing();
        let record = self.guard.record();
        context.access.provider = Some(Arc::clone(&self.provider.slug));
        context.access.attempts = record.attempts;
        context.access.tokens = record.usage.prompt.zip(record.usage.completion);
    }
}

/// Whether the key may call this provider. A key that is limited to some models may only make
/// calls whose path names one of them, because the body is not read.
fn permit(provider: &Provider, key: &ApiKey, path: &str) -> Result<(), GatewayError> {
    if let Some(refused) = admit::provider_refusal(provider, key) {
        return Err(refused);
    }
    if key.policy.limit.is_some() && key.policy.budget_mode == BudgetMode::Strict {
        let text = "the price of a provider's own API is not known beforehand, and this API key \
             has a strict spending limit";
        return Err(GatewayError::client(Kind::PermissionDenied, text));
    }
    if matches!(provider.vendor.authorization(), Authorization::Signature(_)) {
        let text = format!(
            "requests to provider '{}' are signed, which its own API cannot be here",
            provider.slug
        );
        return Err(GatewayError::client(Kind::InvalidRequest, text));
    }
    if key.allowed_models.is_none() {
        return Ok(());
    }
    let named = named_model(path).map(|model| format!("{}/{model}", provider.slug));
    if named.is_some_and(|model| key.allows_model(&model)) {
        return Ok(());
    }
    Err(GatewayError::client(
        Kind::PermissionDenied,
        "this API key is limited to some models and cannot call a provider's own API",
    ))
}

/// The model that a path names, as Google's do.
fn named_model(path: &str) -> Option<&str> {
    path.split_once("/models/").and_then(|(_, rest)| rest.split([':', '/']).next())
}

fn opaque_candidate(provider: &Arc<Provider>) -> Candidate {
    Candidate {
        provider: Arc::clone(provider),
        upstream_model: "".into(),
        canonical: "".into(),
        configured: false,
        pricing: None,
        context_length: None,
        max_completion_tokens: None,
        rate_limit: RateLimit::default(),
    }
}

/// The provider's path: its base path is not repeated if the caller already wrote it.
fn target(base_path: &str, path: &str, query: Option<&str>) -> String {
    let repeated = path.strip_prefix(base_path).is_some_and(|rest| rest.starts_with('/'));
    let base = if repeated { "" } else { base_path };
    match query_without_key(query) {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    }
}

fn is_withheld(name: &str) -> bool {
    WITHHELD.contains(&name) || WITHHELD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A redirect is only shown if it stays at the provider.
fn leads_to(headers: &HeaderMap, provider: &Provider) -> bool {
    let Some(location) = headers.get(LOCATION) else { return true };
    let Ok(text) = location.to_str() else { return false };
    if text.starts_with("//") || text.contains('\\') {
        return false;
    }
    let before_path = text.split(['/', '?', '#']).next().unwrap_or_default();
    if !before_path.contains(':') {
        return true;
    }
    let uri = text.parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    authority.is_some_and(|found| found.as_str().as_bytes() == provider.authority.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_not_repeated() {
        let cases = [
            ("/v1", "/v1/chat/completions", None, "/v1/chat/completions"),
            ("/v1", "/chat/completions", None, "/v1/chat/completions"),
            ("/v1", "/v1beta/x", None, "/v1/v1beta/x"),
            ("", "/v1/messages", Some("key=s&beta=true"), "/v1/messages?beta=true"),
            ("", "/v1/messages", Some("key=s"), "/v1/messages"),
        ];
        for (base, path, query, expected) in cases {
            assert_eq!(target(base, path, query), expected);
        }
    }

    #[test]
    fn account_headers_are_withheld() {
        for name in ["set-cookie", "x-ratelimit-limit-requests", "openai-organization"] {
            assert!(is_withheld(name), "{name}");
        }
        assert!(!is_withheld("content-type"));
    }
}

//! Builds a snapshot from a configuration: providers ready to be called, the routing table, keys.
//!
//! Pure but for the certificate files it reads; nothing is connected or resolved. What cannot be
//! built is an error, so that a snapshot in force is always whole.

use crate::auth::api_key::hash_hex;
use crate::auth::{ApiKey, KeyKind, KeyTable};
use crate::catalog::{Endpoint, Model, Pricing};
use crate::config::{
    self, Config, EndpointConfig, KeyConfig, Loaded, ModelConfig, ProviderConfig, ProviderFormat,
    ResolvedKey, ResolvedSecrets, StreamUsage,
};
use crate::formats::ApiFormat;
use crate::providers::{KeyPool, Provider, ProviderKey, Timeouts, vendor};
use crate::proxy::state::{Settings, Snapshot};
use crate::routing::RoutingTable;
use crate::upstream::{Http2, Upstream, UpstreamOptions};
use http::{HeaderName, HeaderValue};
use pingora::protocols::tls::CaType;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Why a valid configuration could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A value cannot stand in a header.
    #[error("provider {provider}: {what} cannot be sent in a header")]
    Header {
        /// The provider.
        provider: String,
        /// Which value.
        what: &'static str,
    },
    /// The authority file cannot be used.
    #[error("provider {provider}: ca_file cannot be used: {reason}")]
    Authority {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
}

/// Builds the snapshot of a loaded configuration.
pub fn snapshot(loaded: &Loaded, secrets: &ResolvedSecrets) -> Result<Snapshot, BuildError> {
    let config = &loaded.config;
    let mut providers = Vec::new();
    for (slug, provider) in &config.providers {
        if secrets.enabled(config, slug) {
            let keys = secrets.providers.get(slug).map(Vec::as_slice).unwrap_or_default();
            providers.push(Arc::new(self::provider(slug, provider, keys)?));
        } else {
            tracing::warn!(provider = slug, "the provider has no usable key and is disabled");
        }
    }
    let models = config.models.iter().map(|(id, entry)| model(config, id, entry)).collect();
    let aliases: HashMap<String, Vec<String>> =
        config.aliases.iter().map(|(name, targets)| (name.clone(), targets.clone())).collect();
    let defaults = (config.defaults.provider.as_deref(), config.defaults.model.as_deref());
    Ok(Snapshot {
        settings: settings(config),
        routing: RoutingTable::new(providers, models, aliases, defaults),
        keys: KeyTable::new(keys(config, secrets)),
        hash: loaded.hash.clone(),
    })
}

fn settings(config: &Config) -> Settings {
    let server = &config.server;
    Settings {
        max_body_bytes: usize::try_from(server.max_body_bytes).unwrap_or(usize::MAX),
        max_header_bytes: server.max_header_bytes,
        body_timeout: Duration::from_secs(server.body_timeout_s),
        keepalive_comment: Duration::from_secs(server.keepalive_comment_s),
        always_stream_usage: server.stream_usage == StreamUsage::Always,
        media: config.media.clone(),
        max_attempts: usize::try_from(config.routing.max_attempts).unwrap_or(1).max(1),
    }
}

fn provider(
    slug: &str,
    config: &ProviderConfig,
    keys: &[ResolvedKey],
) -> Result<Provider, BuildError> {
    let base = &config.base_url;
    let vendor = vendor(api_format(config.format));
    let bad = |what| BuildError::Header { provider: slug.to_owned(), what };
    let keys = keys
        .iter()
        .map(|key| {
            let (name, value) = vendor.credential(&key.secret).ok_or_else(|| bad("a key"))?;
            let weight = usize::try_from(key.weight).unwrap_or(1);
            Ok(ProviderKey { name, value, weight, models: key.models.clone() })
        })
        .collect::<Result<_, _>>()?;
    let extra_headers = config
        .headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a header name"))?;
            let value = HeaderValue::from_str(value).map_err(|_| bad("a header value"))?;
            Ok((name, value))
        })
        .collect::<Result<_, _>>()?;
    Ok(Provider {
        slug: slug.into(),
        display_name: display_name(slug).into(),
        aliases: config.aliases.clone(),
        vendor,
        upstream: Upstream::new(upstream_options(slug, config)?),
        authority: HeaderValue::from_str(&base.authority()).map_err(|_| bad("the host"))?,
        base_path: base.path().trim_end_matches('/').to_owned(),
        keys: KeyPool::new(keys),
        extra_headers,
        timeouts: timeouts(config.timeouts),
        honours_cancel: config.honours_cancel,
    })
}

fn api_format(format: ProviderFormat) -> ApiFormat {
    match format {
        ProviderFormat::Openai => ApiFormat::OpenAiChat,
        ProviderFormat::Responses => ApiFormat::OpenAiResponses,
        ProviderFormat::Anthropic => ApiFormat::Anthropic,
        ProviderFormat::Gemini => ApiFormat::Gemini,
    }
}

/// Names whose spelling is not their slug with a capital letter.
const DISPLAY_NAMES: &[(&str, &str)] =
    &[("openai", "OpenAI"), ("xai", "xAI"), ("deepseek", "DeepSeek"), ("vllm", "vLLM")];

fn display_name(slug: &str) -> String {
    if let Some((_, name)) = DISPLAY_NAMES.iter().find(|(known, _)| *known == slug) {
        return (*name).to_owned();
    }
    let mut letters = slug.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn timeouts(config: config::Timeouts) -> Timeouts {
    Timeouts {
        first_byte: Duration::from_millis(config.first_byte_ms),
        first_token: Duration::from_millis(config.first_token_ms),
        idle: Duration::from_millis(config.idle_ms),
        total: Duration::from_millis(config.total_ms),
    }
}

fn upstream_options(slug: &str, config: &ProviderConfig) -> Result<UpstreamOptions, BuildError> {
    let base = &config.base_url;
    let pem = config.ca_file.as_deref().map(|path| authority_file(slug, path)).transpose()?;
    let ca = pem.as_deref().map(|pem| authority(slug, pem)).transpose()?;
    let is_loopback_name = base.host().eq_ignore_ascii_case("localhost");
    Ok(UpstreamOptions {
        host: base.host().to_owned(),
        port: base.port(),
        tls: base.tls(),
        http2: match config.http2 {
            config::Http2::Auto => Http2::Auto,
            config::Http2::Never => Http2::Never,
            config::Http2::Always => Http2::Always,
        },
        ca,
        connect_timeout: Duration::from_millis(config.timeouts.connect_ms),
        allow_private: config.private_network || is_loopback_name,
        group_key: group_key(slug, config.http2, pem.as_deref()),
    })
}

/// Connections are shared by providers only if they are the same in every respect that matters.
/// The authority counts by its content: what was connected under a former one is not used again.
fn group_key(slug: &str, http2: config::Http2, authority: Option<&[u8]>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    slug.hash(&mut hasher);
    authority.hash(&mut hasher);
    format!("{http2:?}").hash(&mut hasher);
    hasher.finish()
}

fn authority_file(slug: &str, path: &Path) -> Result<Vec<u8>, BuildError> {
    let bad = |error: std::io::Error| BuildError::Authority {
        provider: slug.to_owned(),
        reason: format!("{}: {error}", path.display()),
    };
    std::fs::read(path).map_err(bad)
}

/// The certificates of an operator's own authority. They are parsed with rustls first: Pingora's
/// parser panics on what it cannot read.
fn authority(slug: &str, pem: &[u8]) -> Result<Arc<CaType>, BuildError> {
    let bad = |reason: String| BuildError::Authority { provider: slug.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    let mut authorities = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
        authorities.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    if authorities.is_empty() {
        return Err(bad("the file holds no certificate".into()));
    }
    Ok(Arc::from(authorities.into_boxed_slice()))
}

/// A model of the configuration, with what it leaves out filled in.
pub fn model(config: &Config, id: &str, entry: &ModelConfig) -> Model {
    let default = config.defaults.provider.as_deref().unwrap_or_default();
    let (prefix, bare) = id.split_once('/').unwrap_or((default, id));
    let of_prefix = || {
        let provider = config.provider(prefix).map_or(prefix, |(slug, _)| slug);
        vec![Endpoint { provider: provider.into(), upstream_model: bare.into(), pricing: None }]
    };
    let configured = |endpoint: &EndpointConfig| Endpoint {
        provider: endpoint.provider.as_str().into(),
        upstream_model: endpoint.upstream_model.as_deref().unwrap_or(bare).into(),
        pricing: endpoint.price.map(|table| Arc::new(Pricing::new(table))),
    };
    Model {
        id: id.into(),
        endpoints: entry
            .endpoints
            .as_ref()
            .map_or_else(of_prefix, |endpoints| endpoints.iter().map(configured).collect()),
        context_length: entry.context_length,
        max_completion_tokens: entry.max_completion_tokens,
    }
}

fn keys(config: &Config, secrets: &ResolvedSecrets) -> Vec<ApiKey> {
    let mut keys = Vec::new();
    for (name, entry) in &config.keys {
        let secret = secrets.keys.get(name).map(|secret| crate::id::key_hash(secret.expose()));
        if let Some(hash) = secret.or_else(|| entry.hash.map(|hash| *hash.as_bytes())) {
            keys.push(static_key(name, entry, hash));
        } else {
            tracing::warn!(key = name, "the key has no secret and is left out");
        }
    }
    keys
}

fn static_key(name: &str, entry: &KeyConfig, hash: [u8; 32]) -> ApiKey {
    ApiKey {
        hash,
        hash_hex: hash_hex(&hash).into(),
        name: name.into(),
        kind: match entry.kind {
            config::KeyKind::Regular => KeyKind::Regular,
            config::KeyKind::Management => KeyKind::Management,
        },
        disabled: false,
        expires_at_ms: entry.expires_at.map(jiff::Timestamp::as_millisecond),
        allowed_providers: entry.allowed_providers.clone(),
        allowed_models: entry.allowed_models.clone(),
    }
}

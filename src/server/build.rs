//! Builds a snapshot from a configuration: providers ready to be called, the routing table, keys.
//!
//! Pure but for the certificate files it reads; nothing is connected or resolved. What cannot be
//! built is an error, so that a snapshot in force is always whole.

mod providers;

use crate::auth::api_key::hash_hex;
use crate::auth::{ApiKey, KeyKind, KeyTable};
use crate::catalog::{Endpoint, Model, Pricing};
use crate::config::{
    self, Config, EndpointConfig, KeyConfig, Loaded, ModelConfig, ResolvedSecrets, StreamUsage,
};
use crate::proxy::state::{Settings, Snapshot};
use crate::routing::RoutingTable;
use crate::store::KeyRecord;
use std::collections::HashMap;
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
    /// The credential of a cloud cannot be used.
    #[error("provider {provider}: credentials cannot be used: {reason}")]
    Credentials {
        /// The provider.
        provider: String,
        /// Why, without a word of the credential.
        reason: String,
    },
}

/// Builds the snapshot of a loaded configuration.
pub fn snapshot(loaded: &Loaded, secrets: &ResolvedSecrets) -> Result<Snapshot, BuildError> {
    let config = &loaded.config;
    let mut ready = Vec::new();
    for (slug, provider) in &config.providers {
        if secrets.enabled(config, slug) {
            ready.push(Arc::new(providers::provider(slug, provider, secrets)?));
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
        routing: RoutingTable::new(ready, models, aliases, defaults),
        keys: KeyTable::new(keys(config, secrets)),
        file_keys: file_keys(config, secrets),
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
        pricing: endpoint.price.clone().map(|table| Arc::new(Pricing::new(table))),
    };
    Model {
        id: id.into(),
        endpoints: entry
            .endpoints
            .as_ref()
            .map_or_else(of_prefix, |endpoints| endpoints.iter().map(configured).collect()),
        context_length: entry.context_length,
        max_completion_tokens: entry.max_completion_tokens,
        rate_limit: entry.rate_limit,
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

/// The keys of the file as management shows them, by name.
fn file_keys(config: &Config, secrets: &ResolvedSecrets) -> Vec<KeyRecord> {
    let mut listed: Vec<KeyRecord> = keys(config, secrets)
        .into_iter()
        .filter_map(|key| {
            let entry = config.keys.get(&*key.name)?;
            let secret = secrets.keys.get(&*key.name);
            Some(KeyRecord {
                hash: key.hash_hex.to_string(),
                name: key.name.to_string(),
                label: secret.map_or("…".to_owned(), |key| crate::id::key_label(key.expose())),
                kind: entry.kind,
                disabled: false,
                limit: entry.limit_usd,
                limit_reset: entry.limit_reset,
                budget_mode: entry.budget_mode,
                include_byok_in_limit: entry.include_byok_in_limit,
                rate_limit: entry.rate_limit,
                allowed_providers: entry.allowed_providers.clone(),
                allowed_models: entry.allowed_models.clone(),
                enforce_zdr: entry.enforce_zdr,
                creator_hash: None,
                expires_ms: key.expires_at_ms,
                // A file does not say when a line of it was written.
                created_ms: 0,
                updated_ms: None,
            })
        })
        .collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed
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

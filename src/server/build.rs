//! Builds a snapshot from a configuration: providers ready to be called, the routing table, keys.
//!
//! Pure but for the certificate files it reads; nothing is connected or resolved. What cannot be
//! built is an error, so that a snapshot in force is always whole.

mod providers;

use crate::api::catalogue::Catalogue;
use crate::auth::api_key::hash_hex;
use crate::auth::{ApiKey, KeyTable};
use crate::catalog::{Abilities, Endpoint, Known, Model, Pricing};
use crate::config::{
    Config, EndpointConfig, KeyConfig, Loaded, ModelConfig, ResolvedSecrets, StreamUsage,
    Unrecorded,
};
use crate::limits::Meters;
use crate::proxy::failover::FailoverRules;
use crate::proxy::state::{Settings, Snapshot};
use crate::routing::{HedgeRule, HedgeScope, Preset, Presets, RoutingTable};
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
    /// A preset cannot be used.
    #[error("[routing.presets.\"{name}\"]: {reason}")]
    Preset {
        /// The model or alias it is for.
        name: String,
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

/// Builds the snapshot of a loaded configuration; its keys go on with the counters they have in
/// `meters`.
pub fn snapshot(
    loaded: &Loaded,
    secrets: &ResolvedSecrets,
    meters: &Meters,
) -> Result<Snapshot, BuildError> {
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
    let file_keys = file_keys(config, secrets);
    let routing = RoutingTable::new(ready, models, aliases, defaults);
    Ok(Snapshot {
        settings: settings(config)?,
        catalogue: Catalogue::new(&routing),
        routing,
        keys: KeyTable::new(file_keys.iter().filter_map(|key| ApiKey::of(key, meters))),
        file_keys,
        hash: loaded.hash.clone(),
    })
}

fn settings(config: &Config) -> Result<Settings, BuildError> {
    let server = &config.server;
    Ok(Settings {
        presets: presets(config)?,
        max_body_bytes: usize::try_from(server.max_body_bytes).unwrap_or(usize::MAX),
        max_header_bytes: server.max_header_bytes,
        body_timeout: Duration::from_secs(server.body_timeout_s),
        keepalive_comment: Duration::from_secs(server.keepalive_comment_s),
        always_stream_usage: server.stream_usage == StreamUsage::Always,
        media: config.media.clone(),
        serves_unrecorded: config.store.unrecorded == Unrecorded::Serve,
        auto_models: config.routing.auto.models.iter().map(|name| name.as_str().into()).collect(),
        hedges: hedges(config),
        failover: FailoverRules {
            max_attempts: usize::try_from(config.routing.max_attempts).unwrap_or(1).max(1),
            on_context_length: config.routing.fallback_on_context_length,
            on_content_policy: config.routing.fallback_on_content_policy,
        },
    })
}

fn presets(config: &Config) -> Result<Presets, BuildError> {
    let made = config.routing.presets.iter().map(|(name, members)| {
        let made = Preset::new(members);
        let made = made.map_err(|reason| BuildError::Preset { name: name.clone(), reason })?;
        Ok((name.clone(), made))
    });
    made.collect()
}

fn hedges(config: &Config) -> HashMap<String, HedgeRule> {
    let scope = |name| {
        if config.aliases.contains_key(name) { HedgeScope::Alias } else { HedgeScope::Model }
    };
    let rules = config.routing.hedge.iter();
    rules.map(|(name, hedge)| (name.clone(), HedgeRule::new(hedge, scope(name)))).collect()
}

/// A model of the configuration, with what it leaves out filled in: by its prefix, and from the
/// built-in list of whoever serves it.
pub fn model(config: &Config, id: &str, entry: &ModelConfig) -> Model {
    let default = config.defaults.provider.as_deref().unwrap_or_default();
    let (prefix, bare) = id.split_once('/').unwrap_or((default, id));
    let provider = config.provider(prefix).map_or(prefix, |(slug, _)| slug).to_owned();
    let of_prefix = EndpointConfig { provider, ..EndpointConfig::default() };
    let endpoints = entry.endpoints.as_deref().unwrap_or(std::slice::from_ref(&of_prefix));
    let known: Vec<Option<&Known>> = endpoints
        .iter()
        .map(|endpoint| {
            let upstream_model = endpoint.upstream_model.as_deref().unwrap_or(bare);
            known_model(config, &endpoint.provider, upstream_model)
        })
        .collect();
    let first =
        |size: fn(&Known) -> Option<u64>| known.iter().flatten().find_map(|known| size(known));
    Model {
        id: id.into(),
        endpoints: endpoints
            .iter()
            .zip(&known)
            .map(|(endpoint, known)| self::endpoint((entry, bare), endpoint, *known))
            .collect(),
        context_length: entry.context_length.or_else(|| first(|known| known.context_length)),
        max_completion_tokens: entry
            .max_completion_tokens
            .or_else(|| first(|known| known.max_completion_tokens)),
        rate_limit: entry.rate_limit,
        distillable: entry.distillable,
    }
}

/// An endpoint of a model: what is written at it, else at the model, else in the built-in list.
fn endpoint(
    (model, bare): (&ModelConfig, &str),
    entry: &EndpointConfig,
    known: Option<&Known>,
) -> Endpoint {
    let size = |own: Option<u64>, of_model: Option<u64>, known: Option<Option<u64>>| {
        own.or(of_model).or(known.flatten())
    };
    let mut abilities = known.map(Abilities::from).unwrap_or_default();
    if let Some(reads) = &model.input_modalities {
        abilities.reads = reads.iter().copied().collect();
    }
    if let Some(writes) = &model.output_modalities {
        abilities.writes = writes.iter().copied().collect();
    }
    Endpoint {
        provider: entry.provider.as_str().into(),
        upstream_model: entry.upstream_model.as_deref().unwrap_or(bare).into(),
        pricing: match &entry.price {
            Some(table) => Some(Arc::new(Pricing::new(table.clone()))),
            None => known.and_then(|known| known.pricing.clone()),
        },
        context_length: size(
            entry.context_length,
            model.context_length,
            known.map(|known| known.context_length),
        ),
        max_completion_tokens: size(
            entry.max_completion_tokens,
            model.max_completion_tokens,
            known.map(|known| known.max_completion_tokens),
        ),
        quantization: entry.quantization,
        data_policy: entry.data_policy,
        abilities,
        parameters: entry.supported_parameters.as_ref().map(|all| all.iter().copied().collect()),
    }
}

/// The endpoints that the configuration names: providers' slugs and their own names of models.
pub fn named_endpoints(config: &Config) -> Vec<(Box<str>, Box<str>)> {
    let models = config.models.iter().map(|(id, entry)| model(config, id, entry));
    let named = |endpoint: &Endpoint| {
        let slug =
            config.provider(&endpoint.provider).map_or(&*endpoint.provider, |(slug, _)| slug);
        (slug.into(), (*endpoint.upstream_model).into())
    };
    models.flat_map(|model| model.endpoints.iter().map(named).collect::<Vec<_>>()).collect()
}

/// What is known without the configuration of a model that a configured provider serves.
pub fn known_model(
    config: &Config,
    provider: &str,
    upstream_model: &str,
) -> Option<&'static Known> {
    let (_, provider) = config.provider(provider)?;
    providers::price_list(provider)?.find(upstream_model)
}

/// The keys of the file, by name.
fn file_keys(config: &Config, secrets: &ResolvedSecrets) -> Vec<KeyRecord> {
    let mut listed: Vec<KeyRecord> =
        config.keys.iter().filter_map(|(name, entry)| file_key(name, entry, secrets)).collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed
}

fn file_key(name: &str, entry: &KeyConfig, secrets: &ResolvedSecrets) -> Option<KeyRecord> {
    let secret = secrets.keys.get(name);
    let hash = secret.map(|secret| crate::id::key_hash(secret.expose()));
    let Some(hash) = hash.or_else(|| entry.hash.map(|hash| *hash.as_bytes())) else {
        tracing::warn!(key = name, "the key has no secret and is left out");
        return None;
    };
    Some(KeyRecord {
        hash: hash_hex(&hash),
        name: name.to_owned(),
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
        expires_ms: entry.expires_at.map(jiff::Timestamp::as_millisecond),
        // A file does not say when a line of it was written.
        created_ms: 0,
        updated_ms: None,
    })
}

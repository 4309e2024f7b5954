//! The immutable table that turns a model name into candidates.
//!
//! Order of the decisions: alias, configured model, prefix = provider, bare name = the default
//! provider (or, on a vendor's own endpoint, that vendor's provider). The rest of the name after
//! the prefix may hold slashes and reaches the provider as it is.

use super::plan::{Candidate, Plan};
use crate::catalog::{Abilities, Endpoint, Model};
use crate::formats::ApiFormat;
use crate::providers::{Provider, parameters};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest model name, in bytes.
pub const MAX_MODEL_NAME_BYTES: usize = 256;

/// Prefixes that are the same author under another name.
const AUTHOR_ALIASES: &[(&str, &str)] =
    &[("x-ai", "xai"), ("mistralai", "mistral"), ("meta-llama", "meta"), ("google", "gemini")];

/// Why a model name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Neither the request nor the configuration names a model.
    #[error("no model given, and no default model is configured")]
    NoModel,
    /// The name is empty, too long, or holds characters no model name has.
    #[error("the model name is not valid")]
    BadName,
    /// No provider serves it.
    #[error("model '{0}' is not known: no such alias or model, and its prefix names no provider")]
    Unknown(String),
}

/// What a provider calls its models → the configured endpoint.
type ByUpstream = HashMap<Arc<str>, HashMap<Arc<str>, Arc<Candidate>>>;

/// A configured model and the endpoints that serve it, made ready when the table is.
#[derive(Debug)]
struct Entry {
    model: Model,
    candidates: Vec<Arc<Candidate>>,
}

/// Everything that can be named.
#[derive(Debug, Default)]
pub struct RoutingTable {
    providers: Vec<Arc<Provider>>,
    by_name: HashMap<String, Arc<Provider>>,
    models: HashMap<Arc<str>, Entry>,
    by_upstream: ByUpstream,
    aliases: HashMap<String, Vec<String>>,
    default_provider: Option<Arc<Provider>>,
    default_model: Option<String>,
}

impl RoutingTable {
    /// A table of these providers, models and aliases. Names of providers are case-insensitive.
    pub fn new(
        providers: Vec<Arc<Provider>>,
        models: Vec<Model>,
        aliases: HashMap<String, Vec<String>>,
        defaults: (Option<&str>, Option<&str>),
    ) -> Self {
        let mut by_name = HashMap::new();
        for provider in &providers {
            by_name.insert(provider.slug.to_ascii_lowercase(), Arc::clone(provider));
        }
        for provider in &providers {
            for name in provider.names() {
                by_name.entry(name.to_ascii_lowercase()).or_insert_with(|| Arc::clone(provider));
            }
        }
        for (one, other) in AUTHOR_ALIASES {
            for (known, alias) in [(one, other), (other, one)] {
                if let Some(provider) = by_name.get(*known).cloned() {
                    by_name.entry((*alias).to_owned()).or_insert(provider);
                }
            }
        }
        let (default_provider, default_model) = defaults;
        let mut table = Self {
            default_provider: default_provider
                .and_then(|name| by_name.get(&name.to_ascii_lowercase()).cloned()),
            default_model: default_model.map(str::to_owned),
            by_upstream: ByUpstream::new(),
            models: HashMap::with_capacity(models.len()),
            providers,
            by_name,
            aliases,
        };
        models.into_iter().for_each(|model| table.add(model));
        table
    }

    fn add(&mut self, model: Model) {
        let made = model.endpoints.iter().filter_map(|endpoint| {
            let provider = self.provider(&endpoint.provider)?;
            Some(Arc::new(configured(provider, &model, endpoint)))
        });
        let candidates: Vec<Arc<Candidate>> = made.collect();
        for candidate in &candidates {
            let of_provider = self.by_upstream.entry(Arc::clone(&candidate.provider.slug));
            let known = of_provider.or_default().entry(Arc::clone(&candidate.upstream_model));
            known.or_insert_with(|| Arc::clone(candidate));
        }
        self.models.insert(Arc::clone(&model.id), Entry { model, candidates });
    }

    /// The provider with this name or alias.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        match self.by_name.get(name) {
            Some(provider) => Some(provider),
            None => self.by_name.get(&name.to_ascii_lowercase()),
        }
    }

    /// All providers.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// All configured models.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values().map(|entry| &entry.model)
    }

    /// One configured model.
    pub fn model(&self, id: &str) -> Option<&Model> {
        self.models.get(id).map(|entry| &entry.model)
    }

    /// The endpoints of a configured model, in the operator's order; none of those whose provider
    /// is disabled.
    pub fn endpoints(&self, id: &str) -> &[Arc<Candidate>] {
        self.models.get(id).map_or(&[], |entry| &entry.candidates)
    }

    /// All aliases with what they stand for.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.aliases.iter().map(|(name, targets)| (name.as_str(), targets.as_slice()))
    }

    /// Whether a name is an alias of the configuration.
    pub fn is_alias(&self, name: &str) -> bool {
        self.aliases.contains_key(name)
    }

    /// The candidates for these names, in order; none of them twice. `home` is the format of the
    /// endpoint that was called when bare names belong to that vendor. Names that lead nowhere
    /// fail only if no other one leads somewhere.
    pub fn plan(&self, names: &[&str], home: Option<ApiFormat>) -> Result<Plan, RouteError> {
        let default = self.default_model.as_deref();
        let names = if names.is_empty() { default.as_slice() } else { names };
        let mut candidates: Vec<Arc<Candidate>> = Vec::with_capacity(names.len());
        let mut failure = RouteError::NoModel;
        for name in names {
            match self.resolve(name, home) {
                Ok(found) => add_new(&mut candidates, found),
                Err(error) => failure = error,
            }
        }
        if candidates.is_empty() { Err(failure) } else { Ok(Plan { candidates }) }
    }

    fn resolve(
        &self,
        name: &str,
        home: Option<ApiFormat>,
    ) -> Result<Vec<Arc<Candidate>>, RouteError> {
        if !is_legal(name) {
            return Err(RouteError::BadName);
        }
        let Some(targets) = self.aliases.get(name) else {
            return self.resolve_model(name, home);
        };
        let mut found = Vec::new();
        for target in targets {
            add_new(&mut found, self.resolve_model(target, home)?);
        }
        Ok(found)
    }

    fn resolve_model(
        &self,
        name: &str,
        home: Option<ApiFormat>,
    ) -> Result<Vec<Arc<Candidate>>, RouteError> {
        let unknown = || RouteError::Unknown(name.to_owned());
        let served = |entry: &Entry| {
            let candidates = entry.candidates.clone();
            if candidates.is_empty() { Err(unknown()) } else { Ok(candidates) }
        };
        if let Some(entry) = self.models.get(name) {
            return served(entry);
        }
        let (provider, upstream_model) = match name.split_once('/') {
            Some((prefix, rest)) if !rest.is_empty() => {
                (self.provider(prefix).ok_or_else(unknown)?, rest)
            }
            Some(_) => return Err(unknown()),
            None => (self.home_of_bare_names(home).ok_or_else(unknown)?, name),
        };
        let canonical = format!("{}/{upstream_model}", provider.slug);
        if let Some(entry) = self.models.get(canonical.as_str()) {
            return served(entry);
        }
        Ok(vec![Arc::new(self.named(provider, upstream_model, canonical.into()))])
    }

    /// What holds of a model that is named by its provider: what the configuration says of the same
    /// endpoint under whatever name, else what the provider's built-in list says.
    fn named(
        &self,
        provider: &Arc<Provider>,
        upstream_model: &str,
        canonical: Arc<str>,
    ) -> Candidate {
        let of_provider = self.by_upstream.get(&provider.slug);
        if let Some(same) = of_provider.and_then(|models| models.get(upstream_model)) {
            return Candidate { canonical, configured: false, ..Candidate::clone(same) };
        }
        let known = provider.price_list.and_then(|list| list.find(upstream_model));
        let abilities = known.map(Abilities::from).unwrap_or_default();
        Candidate {
            upstream_model: upstream_model.into(),
            canonical,
            pricing: known.and_then(|known| known.pricing.clone()),
            context_length: known.and_then(|known| known.context_length),
            max_completion_tokens: known.and_then(|known| known.max_completion_tokens),
            parameters: parameters::supported(provider, upstream_model, &abilities),
            abilities,
            ..Candidate::opaque(provider)
        }
    }

    fn home_of_bare_names(&self, home: Option<ApiFormat>) -> Option<&Arc<Provider>> {
        let Some(format) = home else { return self.default_provider.as_ref() };
        let native = ["anthropic", "google"].iter().filter_map(|name| self.provider(name));
        native.chain(&self.providers).find(|provider| provider.format("") == format)
    }
}

fn configured(provider: &Arc<Provider>, model: &Model, endpoint: &Endpoint) -> Candidate {
    let supported =
        || parameters::supported(provider, &endpoint.upstream_model, &endpoint.abilities);
    Candidate {
        provider: Arc::clone(provider),
        upstream_model: Arc::clone(&endpoint.upstream_model),
        canonical: Arc::clone(&model.id),
        configured: true,
        pricing: endpoint.pricing.clone(),
        context_length: endpoint.context_length,
        max_completion_tokens: endpoint.max_completion_tokens,
        quantization: endpoint.quantization,
        data_policy: endpoint.data_policy.unwrap_or(provider.data_policy),
        distillable: model.distillable,
        abilities: endpoint.abilities,
        parameters: endpoint.parameters.unwrap_or_else(supported),
        rate_limit: model.rate_limit,
    }
}

/// Names become parts of paths and headers: no dot segments, nothing that needs escaping in JSON.
fn is_legal(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !name.is_empty()
        && name.len() <= MAX_MODEL_NAME_BYTES
        && name.bytes().all(legal)
        && !name.split('/').any(|part| matches!(part, "." | ".."))
}

fn add_new(candidates: &mut Vec<Arc<Candidate>>, found: Vec<Arc<Candidate>>) {
    for candidate in found {
        let same = |known: &Arc<Candidate>| {
            known.provider.slug == candidate.provider.slug
                && known.upstream_model == candidate.upstream_model
        };
        if !candidates.iter().any(same) {
            candidates.push(candidate);
        }
    }
}

#[cfg(test)]
#[path = "table/tests.rs"]
mod tests;

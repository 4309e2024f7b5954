//! The immutable table that turns a model name into candidates.
//!
//! Order of the decisions: alias, configured model, prefix = provider, bare name = the default
//! provider (or, on a vendor's own endpoint, that vendor's provider). The rest of the name after
//! the prefix may hold slashes and reaches the provider as it is.

use super::model_ref::{self, Variant, Variants};
use super::plan::{Candidate, Choice, Plan};
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
/// Names that OpenRouter's clients know providers by, and our own.
const PROVIDER_ALIASES: &[(&str, &str)] =
    &[("google-ai-studio", "google"), ("google-vertex", "vertex"), ("amazon-bedrock", "bedrock")];

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
    /// An edition of a model that nobody has.
    #[error("model '{name}' has no '{edition}' edition: no model is configured under that name")]
    NoEdition {
        /// The name that was asked for.
        name: String,
        /// The variant.
        edition: &'static str,
    },
    /// A search of the web, which there is not yet.
    #[error("':online' is not supported by this version: '{0}' cannot search the web")]
    NoSearch(String),
    /// A preset, which there is not yet.
    #[error("presets are not supported by this version: '{0}'")]
    NoPresets(String),
}

impl RouteError {
    /// Whether the request asks for what does not exist at all, so that no other name helps.
    fn is_final(&self) -> bool {
        matches!(self, Self::NoSearch(_) | Self::NoPresets(_))
    }
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
        for (alias, known) in PROVIDER_ALIASES {
            if let Some(provider) = by_name.get(*known).cloned() {
                by_name.entry((*alias).to_owned()).or_insert(provider);
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
        for model in models {
            table.add(model);
        }
        table
    }

    fn add(&mut self, model: Model) {
        let mut candidates: Vec<Arc<Candidate>> = Vec::with_capacity(model.endpoints.len());
        for endpoint in &model.endpoints {
            let Some(provider) = self.provider(&endpoint.provider) else { continue };
            let candidate = configured(provider, &model, endpoint);
            if !candidates.iter().any(|known| is_same(known, &candidate)) {
                candidates.push(Arc::new(candidate));
            }
        }
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

    /// Whether a request means this provider: by one of its names in any case, or by what stands
    /// before the slash of one, as `google-vertex` is of `google-vertex/us-east5`.
    pub fn is_named(&self, name: &str, provider: &Provider) -> bool {
        if let Some(found) = self.provider(name) {
            return found.slug == provider.slug;
        }
        provider.names().any(|own| {
            let (base, rest) = own.split_at_checked(name.len()).unwrap_or((own, ""));
            rest.starts_with('/') && base.eq_ignore_ascii_case(name)
        })
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

    /// Whether a name is an alias of the configuration, with variants or without.
    pub fn is_alias(&self, name: &str) -> bool {
        self.aliases.contains_key(name) || matches!(self.alias(name), Ok(Some(_)))
    }

    /// The candidates for these names, in order; none of them twice. `home` is the format of the
    /// endpoint that was called when bare names belong to that vendor. Names that lead nowhere
    /// fail only if no other one leads somewhere.
    pub fn plan(&self, names: &[&str], home: Option<ApiFormat>) -> Result<Plan, RouteError> {
        let (choices, thinks) = self.choices(names, home)?;
        let candidates = choices.into_iter().map(|choice| choice.candidate).collect();
        Ok(Plan { candidates, thinks })
    }

    /// The same, each with the model it belongs to; and whether the first model shall reason.
    pub(super) fn choices(
        &self,
        names: &[&str],
        home: Option<ApiFormat>,
    ) -> Result<(Vec<Choice>, bool), RouteError> {
        let default = self.default_model.as_deref();
        let names = if names.is_empty() { default.as_slice() } else { names };
        let mut found = Found { choices: Vec::new(), groups: 0, thinks: None };
        let mut failure = RouteError::NoModel;
        for name in names {
            match self.lead(name, home, &mut found) {
                Err(error) if error.is_final() => return Err(error),
                Err(error) => failure = error,
                Ok(()) => {}
            }
        }
        if found.choices.is_empty() {
            return Err(failure);
        }
        Ok((found.choices, found.thinks.unwrap_or(false)))
    }

    /// Adds what a name leads to: an alias or a model, with or without variants.
    fn lead(
        &self,
        name: &str,
        home: Option<ApiFormat>,
        found: &mut Found,
    ) -> Result<(), RouteError> {
        if !is_legal(name) {
            return Err(RouteError::BadName);
        }
        if name.starts_with("@preset/") || name.contains("@preset/") {
            return Err(RouteError::NoPresets(name.to_owned()));
        }
        let Some((targets, variants)) = self.alias(name)? else {
            return self.lead_to_model(name, home, Variants::default(), found);
        };
        // An alias of which one target leads nowhere is a mistake that nobody shall overlook.
        let before = found.choices.len();
        for target in targets {
            if let Err(error) = self.lead_to_model(target, home, variants, found) {
                found.choices.truncate(before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What an alias stands for, and the variants behind its name.
    fn alias(&self, name: &str) -> Result<Option<(&[String], Variants)>, RouteError> {
        let (mut base, mut variants, mut special) = (name, Variants::default(), None);
        loop {
            if let Some(targets) = self.aliases.get(base) {
                let Some(variant) = special else { return Ok(Some((targets, variants))) };
                return Err(missing(name, variant));
            }
            if self.models.contains_key(base) {
                return Ok(None);
            }
            let Some((shorter, variant)) = model_ref::split(base) else { return Ok(None) };
            base = shorter;
            variants = variants.after(variant);
            special = special.or(Some(variant).filter(|variant| is_special(*variant)));
        }
    }

    /// Adds the endpoints of a model. The longest beginning of its name that is known counts, and
    /// the variants behind it.
    fn lead_to_model(
        &self,
        name: &str,
        home: Option<ApiFormat>,
        outer: Variants,
        found: &mut Found,
    ) -> Result<(), RouteError> {
        let (mut base, mut variants, mut special) = (name, Variants::default(), None);
        let resolved = loop {
            let served = match self.resolve(base, home, name) {
                Ok(configured @ Resolved::Configured(_)) => break configured,
                served => served,
            };
            let is_own = served.as_ref().is_ok_and(Resolved::is_own_name);
            let Some((shorter, variant)) = model_ref::split(base).filter(|_| !is_own) else {
                break served?;
            };
            base = shorter;
            variants = variants.after(variant);
            special = special.or(Some(variant).filter(|variant| is_special(*variant)));
        };
        if let Some(variant) = special {
            return Err(missing(name, variant));
        }
        let variants = outer.or(variants);
        match resolved {
            Resolved::Configured(candidates) => found.add(candidates, variants),
            Resolved::Named(provider, upstream_model, canonical) => {
                let candidate = Arc::new(self.named(provider, upstream_model, canonical));
                found.add(std::slice::from_ref(&candidate), variants);
            }
        }
        Ok(())
    }

    /// Who serves a model of this very name. `asked` is the name that an error shows.
    fn resolve<'n>(
        &self,
        name: &'n str,
        home: Option<ApiFormat>,
        asked: &str,
    ) -> Result<Resolved<'_, 'n>, RouteError> {
        let unknown = || RouteError::Unknown(asked.to_owned());
        let served = |entry: &'_ Entry| {
            if entry.candidates.is_empty() { Err(unknown()) } else { Ok(()) }
        };
        if let Some(entry) = self.models.get(name) {
            return served(entry).map(|()| Resolved::Configured(&entry.candidates));
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
            return served(entry).map(|()| Resolved::Configured(&entry.candidates));
        }
        Ok(Resolved::Named(provider, upstream_model, canonical))
    }

    /// What holds of a model that is named by its provider: what the configuration says of the same
    /// endpoint under whatever name, else what the provider's built-in list says.
    fn named(
        &self,
        provider: &Arc<Provider>,
        upstream_model: &str,
        canonical: String,
    ) -> Candidate {
        let canonical: Arc<str> = canonical.into();
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

/// Who serves a model.
enum Resolved<'t, 'n> {
    /// The endpoints that are configured for it.
    Configured(&'t [Arc<Candidate>]),
    /// The provider of its prefix, by its own name; and the canonical name.
    Named(&'t Arc<Provider>, &'n str, String),
}

/// What the names of a request have led to so far.
struct Found {
    choices: Vec<Choice>,
    groups: usize,
    thinks: Option<bool>,
}

impl Found {
    /// Adds the endpoints of one more model, but for those that are there.
    fn add(&mut self, candidates: &[Arc<Candidate>], variants: Variants) {
        self.thinks.get_or_insert(variants.thinks);
        let before = self.choices.len();
        self.choices.reserve(candidates.len());
        for candidate in candidates {
            let earlier = self.choices.iter().take(before);
            if !earlier.into_iter().any(|choice| is_same(&choice.candidate, candidate)) {
                let (group, sort) = (self.groups, variants.sort);
                self.choices.push(Choice { candidate: Arc::clone(candidate), group, sort });
            }
        }
        self.groups += 1;
    }
}

fn is_same(one: &Candidate, other: &Candidate) -> bool {
    one.upstream_model == other.upstream_model && one.provider.slug == other.provider.slug
}

impl Resolved<'_, '_> {
    /// Whether a name with a variant is a model of the provider's own: its list has it, or its
    /// names end in such words throughout.
    fn is_own_name(&self) -> bool {
        let Self::Named(provider, upstream_model, _) = self else { return true };
        provider.dialect.variants
            || provider.price_list.is_some_and(|list| list.find(upstream_model).is_some())
    }
}

/// Variants that cannot be had of a model that is not configured with them.
fn is_special(variant: Variant) -> bool {
    variant.is_edition() || variant == Variant::Online
}

fn missing(name: &str, variant: Variant) -> RouteError {
    let name = name.to_owned();
    if variant == Variant::Online {
        return RouteError::NoSearch(name);
    }
    RouteError::NoEdition { name, edition: variant.name() }
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

#[cfg(test)]
#[path = "table/tests.rs"]
mod tests;

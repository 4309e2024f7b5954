//! What can be asked for, by whom it is served, and how that is going: lists of models, endpoints,
//! providers and parameters.
//!
//! The [`Catalogue`] is made once per snapshot, with the JSON of every model ready, so that a list
//! is a selection and a copy; `proxy/local.rs` asks [`answer`]. A key sees what it may use and
//! nothing else, so that a list never names what a request would refuse.

mod answer;
mod endpoint;
mod face;
mod filter;
mod gemini;
pub mod lookup;
mod modality;
mod naming;
mod order;
mod pricing;
mod providers;

pub use answer::{View, answer};
pub use lookup::Lookup;

use crate::auth::ApiKey;
use crate::catalog;
use crate::providers::Provider;
use crate::routing::{Candidate, RoutingTable};
use face::{Face, Names};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Everything that can be asked for by a name that is known beforehand: the models of the
/// configuration, its aliases, and the built-in models of its providers.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Sorted by id.
    entries: Vec<Entry>,
    /// A provider's slug and its own name of a model → where the model is in `entries`.
    by_upstream: HashMap<(Arc<str>, Arc<str>), usize>,
}

/// A model, as a key sees it that may use all of its endpoints.
#[derive(Debug)]
struct Entry {
    names: Names,
    face: Face,
}

/// A model as a key sees it.
#[derive(Debug)]
pub struct Seen<'c> {
    /// How it is called.
    names: &'c Names,
    /// What is shown of it.
    face: Cow<'c, Face>,
}

impl Catalogue {
    /// The catalogue of a routing table.
    pub fn new(routing: &RoutingTable) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut configured: HashSet<(Arc<str>, Arc<str>)> = HashSet::new();
        for model in routing.models() {
            let Some(entry) = Entry::model(routing, &model.id) else { continue };
            configured.extend(entry.face.endpoints.iter().map(|endpoint| upstream(endpoint)));
            entries.push(entry);
        }
        for provider in routing.providers() {
            for name in listed(provider) {
                if !configured.contains(&(Arc::clone(&provider.slug), Arc::from(name))) {
                    let id = format!("{}/{name}", provider.slug);
                    entries.extend(Entry::model(routing, &id));
                }
            }
        }
        entries.extend(routing.aliases().filter_map(|(name, _)| Entry::alias(routing, name)));
        entries.sort_by(|one, other| one.names.id.cmp(&other.names.id));
        let mut by_upstream = HashMap::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            for endpoint in entry.face.endpoints.iter().filter(|_| entry.names.target.is_none()) {
                by_upstream.entry(upstream(endpoint)).or_insert(place);
            }
        }
        Self { entries, by_upstream }
    }

    /// The model that a request would mean by a name, as far as the key may see it.
    fn find(&self, routing: &RoutingTable, key: &ApiKey, name: &str) -> Option<Seen<'_>> {
        if let Some(entry) = self.entry(name) {
            return entry.seen_by(key);
        }
        let plan = routing.plan(&[name], None).ok()?;
        let first = plan.candidates.first()?;
        let known = self.entry(&first.canonical).or_else(|| {
            let place = self.by_upstream.get(&upstream(first))?;
            self.entries.get(*place)
        });
        known?.seen_by(key)
    }

    fn entry(&self, id: &str) -> Option<&Entry> {
        let place = self.entries.binary_search_by(|entry| (*entry.names.id).cmp(id)).ok()?;
        self.entries.get(place)
    }
}

/// The built-in models that a provider surely has. Deployments of Azure are named by their owner.
fn listed(provider: &Provider) -> impl Iterator<Item = &'static str> {
    let names_are_deployments = |list: &&'static catalog::List<'static>| {
        catalog::list("azure").is_some_and(|azure| std::ptr::eq(*list, azure))
    };
    let list = provider.price_list.filter(|list| !names_are_deployments(list));
    list.into_iter().flat_map(catalog::List::names)
}

fn upstream(candidate: &Candidate) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&candidate.provider.slug), Arc::clone(&candidate.upstream_model))
}

impl Entry {
    fn model(routing: &RoutingTable, id: &str) -> Option<Self> {
        let plan = routing.plan(&[id], None).ok()?;
        let first = plan.candidates.first()?;
        let (owner, maker) = match id.split_once('/') {
            Some((prefix, _)) => match routing.provider(prefix) {
                Some(provider) => (prefix, provider.display_name.to_string()),
                None => (prefix, naming::title(prefix)),
            },
            None => (&*first.provider.slug, first.provider.display_name.to_string()),
        };
        let title = format!("{maker}: {}", naming::title(id));
        let names = Names { id: id.into(), title: title.into(), owner: owner.into(), target: None };
        let face = Face::new(&names, plan.candidates)?;
        Some(Self { names, face })
    }

    fn alias(routing: &RoutingTable, name: &str) -> Option<Self> {
        let plan = routing.plan(&[name], None).ok()?;
        let target = Arc::clone(&plan.candidates.first()?.canonical);
        let title = Self::model(routing, &target)?.names.title;
        let names = Names {
            id: name.into(),
            title: name.into(),
            owner: "arouter".into(),
            target: Some((target, title)),
        };
        let face = Face::new(&names, plan.candidates)?;
        Some(Self { names, face })
    }

    /// The model with the endpoints that would serve this key; `None` if none would.
    fn seen_by(&self, key: &ApiKey) -> Option<Seen<'_>> {
        let all = &self.face.endpoints;
        let allowed = all.iter().filter(|endpoint| permits(key, endpoint)).count();
        let face = if allowed == all.len() {
            Cow::Borrowed(&self.face)
        } else {
            let some = all.iter().filter(|endpoint| permits(key, endpoint)).cloned().collect();
            Cow::Owned(Face::new(&self.names, some)?)
        };
        Some(Seen { names: &self.names, face })
    }
}

/// Whether a request of the key would be sent there.
fn permits(key: &ApiKey, endpoint: &Candidate) -> bool {
    key.allows_provider(endpoint.provider.names())
        && key.allows_model(&endpoint.canonical)
        && (!key.enforce_zdr || endpoint.data_policy.zdr)
}

#[cfg(test)]
mod tests;

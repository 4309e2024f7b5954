//! The providers a key may use: ARouter's and OpenRouter's objects in one.

use super::Seen;
use crate::auth::ApiKey;
use crate::providers::known;
use crate::routing::RoutingTable;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// A provider as lists show it.
#[derive(Debug, Serialize)]
pub(super) struct ProviderObject<'a> {
    id: &'a str,
    slug: &'a str,
    name: &'a str,
    model_count: usize,
    is_byok_supported: bool,
    is_zdr: bool,
    privacy_policy_url: Option<&'a str>,
    terms_of_service_url: Option<&'a str>,
    status_page_url: Option<&'a str>,
    headquarters: Option<&'a str>,
    datacenters: Option<&'a [String]>,
}

/// All of them, in the operator's order; `models` are those the key may use.
pub(super) fn list<'a>(
    routing: &'a RoutingTable,
    key: &ApiKey,
    models: &[Seen<'_>],
) -> Vec<ProviderObject<'a>> {
    let counts = counts(models);
    let allowed = routing.providers().iter().filter(|provider| {
        key.allows_provider(provider.names())
            && (!key.enforce_zdr || counts.contains_key(&*provider.slug))
    });
    let object = |provider: &'a std::sync::Arc<crate::providers::Provider>| {
        let pages = known::provider(&provider.slug).map(|known| &known.pages);
        let page =
            |of: fn(&known::Pages) -> &Option<String>| pages.and_then(|pages| of(pages).as_deref());
        ProviderObject {
            id: &provider.slug,
            slug: &provider.slug,
            name: &provider.display_name,
            model_count: counts.get(&*provider.slug).copied().unwrap_or(0),
            is_byok_supported: provider.byok,
            is_zdr: provider.data_policy.zdr,
            privacy_policy_url: page(|pages| &pages.privacy),
            terms_of_service_url: page(|pages| &pages.terms),
            status_page_url: page(|pages| &pages.status),
            headquarters: page(|pages| &pages.headquarters),
            datacenters: None,
        }
    };
    allowed.map(object).collect()
}

/// How many models each provider serves. Aliases are no models of their own.
fn counts<'s>(models: &'s [Seen<'_>]) -> HashMap<&'s str, usize> {
    let mut counts = HashMap::new();
    for seen in models.iter().filter(|seen| seen.names.target.is_none()) {
        let slugs: HashSet<&str> =
            seen.face.endpoints.iter().map(|endpoint| &*endpoint.provider.slug).collect();
        for slug in slugs {
            *counts.entry(slug).or_default() += 1;
        }
    }
    counts
}

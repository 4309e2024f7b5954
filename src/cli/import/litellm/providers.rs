//! Which provider a deployment belongs to: one for each address, unless that would mix the keys of
//! groups that were kept apart.

use std::collections::BTreeSet;

use super::super::draft::{Draft, Key, Provider, Use};
use super::deployments::is_provider_name;
use super::target::Target;
use crate::config::BaseUrl;

/// What a deployment asks of its provider.
pub(super) struct Wish<'a> {
    /// The `model_name`.
    pub(super) group: &'a str,
    pub(super) target: &'a Target,
    /// Variable of its credential.
    pub(super) env: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) weight: Option<f64>,
}

impl Wish<'_> {
    /// Finds or adds the provider, adds the credential to its pool, and returns the slug.
    pub(super) fn provider(self, draft: &mut Draft) -> String {
        let fits = |provider: &&mut Provider| self.fits(provider);
        let slug = match draft.providers.iter_mut().find(fits) {
            Some(provider) => provider.slug.clone(),
            None => self.add(draft),
        };
        if let Some(provider) = draft.providers.iter_mut().find(|other| other.slug == slug) {
            self.join(provider);
        }
        slug
    }

    fn fits(&self, provider: &Provider) -> bool {
        let upstream = self.target.upstream_model.as_str();
        let mixes = |other: &Use| {
            let same_model = other.upstream_model == upstream
                || other.upstream_model.contains('*')
                || upstream.contains('*');
            let apart = same_model && other.group != self.group && other.env != self.env;
            apart || other.env.is_none() != self.env.is_none()
        };
        provider.format == self.target.vendor.format
            && provider.base_url == self.target.base_url
            && provider.headers == self.headers
            && !provider.uses.iter().any(mixes)
    }

    fn add(&self, draft: &mut Draft) -> String {
        let Target { vendor, base_url, private_network, .. } = self.target;
        let slug = self.slug(draft);
        draft.providers.push(Provider {
            slug: slug.clone(),
            format: vendor.format,
            base_url: base_url.clone(),
            private_network: *private_network,
            headers: self.headers.clone(),
            aliases: Vec::new(),
            keys: Vec::new(),
            uses: Vec::new(),
            first_byte_ms: None,
            first_token_ms: None,
        });
        slug
    }

    /// The vendor's name, or the host's if the vendor is only meant as a format.
    fn slug(&self, draft: &Draft) -> String {
        let vendor = self.target.vendor;
        let own_address = vendor.base_url.is_empty() || vendor.base_url == self.target.base_url;
        let placeholder = self.target.base_url.contains(".invalid");
        let host = || {
            let url = self.target.base_url.parse::<BaseUrl>().ok()?;
            let name = url.authority().replace([':', '[', ']'], "-");
            is_provider_name(&name).then_some(name).filter(|name| name.len() <= 56)
        };
        let base = if own_address || placeholder { None } else { host() };
        let base = base.unwrap_or_else(|| vendor.slug.to_owned());
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        names.find(|name| draft.provider(name).is_none()).unwrap_or(base)
    }

    fn join(self, provider: &mut Provider) {
        let upstream_model = self.target.upstream_model.clone();
        if let Some(env) = &self.env {
            let any = upstream_model.contains('*');
            match provider.keys.iter_mut().find(|key| key.env == *env) {
                Some(key) if any => key.models = None,
                Some(key) => {
                    if let Some(models) = &mut key.models {
                        models.insert(upstream_model.clone());
                    }
                    key.weight = key.weight.or(self.weight);
                }
                None => provider.keys.push(Key {
                    env: env.clone(),
                    weight: self.weight,
                    models: (!any).then(|| BTreeSet::from([upstream_model.clone()])),
                }),
            }
        }
        provider.uses.push(Use { group: self.group.to_owned(), upstream_model, env: self.env });
    }
}

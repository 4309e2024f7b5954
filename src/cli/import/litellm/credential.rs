//! Credentials: the names of variables, never their texts.
//!
//! A literal key gets the name of a variable that is free, the same one wherever it occurs. The
//! text itself only serves to tell keys apart and leaves with the importer.

use std::collections::{BTreeMap, BTreeSet};

use super::super::input::{Field, Reference};
use super::super::report::Report;
use super::target::{self, Target};
use crate::config::{Node, Value};

/// What people write where a key is asked for and none is needed.
const DUMMIES: [&str; 12] = [
    "",
    "none",
    "null",
    "empty",
    "dummy",
    "fake",
    "fake-key",
    "na",
    "n/a",
    "not-needed",
    "anything",
    "no-key",
];

/// The secrets of the input.
pub(super) struct Secrets {
    /// Names that mean something already.
    taken: BTreeSet<String>,
    /// Names given to literals.
    given: BTreeMap<String, String>,
}

impl Secrets {
    /// Knows every variable that the input refers to.
    pub(super) fn of(root: &Field<'_>) -> Self {
        let mut taken = BTreeSet::new();
        references(root.node(), &mut taken);
        for entry in root.get("model_list").iter().flat_map(Field::children) {
            let Some(params) = entry.get("litellm_params") else { continue };
            if params.get("api_key").is_none() {
                taken.extend(target::default_env(&params).map(str::to_owned));
            }
        }
        Self { taken, given: BTreeMap::new() }
    }

    /// The variable that holds the credential of a deployment; `None`: none is sent.
    pub(super) fn read(
        &mut self,
        params: &Field<'_>,
        target: &Target,
        report: &mut Report,
    ) -> Option<String> {
        let vendor = target.vendor;
        let Some(field) = params.get("api_key").filter(|field| !field.is_null()) else {
            let own_address = vendor.base_url == target.base_url || target.prefix == "azure";
            if vendor.env.is_empty() || !own_address {
                report.approximate(params, "no `api_key`: none is sent to this address");
                return None;
            }
            let reason = format!("no `api_key`: {}, which LiteLLM reads then", vendor.env);
            report.approximate(params, reason);
            return Some(vendor.env.to_owned());
        };
        let base = match vendor.env {
            "" => format!("{}_API_KEY", vendor.slug.to_uppercase()),
            env => env.to_owned(),
        };
        match field.reference() {
            Some(Reference::Literal(text)) if DUMMIES.contains(&text.to_lowercase().as_str()) => {
                report.approximate(&field, "stands for no key: none is sent");
                None
            }
            _ => Some(self.name(&field, &base, report)),
        }
    }

    /// The variable of a secret, called after `base` if the input does not name one.
    pub(super) fn name(&mut self, field: &Field<'_>, base: &str, report: &mut Report) -> String {
        let text = match field.reference() {
            Some(Reference::Env(name)) => {
                report.exact(field, format!("{{ env = \"{name}\" }}"));
                return name.to_owned();
            }
            Some(Reference::Literal(text)) => text.to_owned(),
            // Not a text: told apart by its place.
            Some(Reference::BadEnv) | None => field.path().to_owned(),
        };
        let name = match self.given.get(&text) {
            Some(name) => name.clone(),
            None => self.free(base),
        };
        let reason = format!("secrets are not copied: put it into the environment as {name}");
        report.manual(field, reason);
        self.given.insert(text, name.clone());
        name
    }

    fn free(&mut self, base: &str) -> String {
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        let name = names.find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(name.clone());
        name
    }
}

/// Collects every `os.environ/NAME`.
fn references(node: &Node, names: &mut BTreeSet<String>) {
    match &node.value {
        Value::Text(text) => {
            names.extend(text.trim().strip_prefix("os.environ/").map(str::to_owned));
        }
        Value::List(items) => items.iter().for_each(|item| references(item, names)),
        Value::Table(entries) => entries.iter().for_each(|entry| references(&entry.node, names)),
        _ => {}
    }
}

//! `arouter models list | show`: what the configuration offers, and who serves it.
//!
//! Reads the file and nothing else: whether a provider has its credential or answers at all is not
//! known here. A name a provider serves only by its prefix is in no list.

#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::output::{self, columns};
use super::{CliError, ConfigArgs, ReadArgs};
use crate::catalog::{Endpoint, Model};
use crate::config::{Config, ModelConfig, PriceTable, nearest_names};
use crate::server::build;

/// Most names offered for a mistyped one.
const MAX_OFFERED: usize = 3;

/// The commands below `arouter models`.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models and aliases of the configuration.
    List(ListArgs),
    /// Show one of them, or a model of the built-in catalog.
    Show(ShowArgs),
}

/// Flags of `arouter models list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Arguments of `arouter models show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name of a model or an alias.
    id: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs one of them.
pub(super) fn run(command: &ModelsCommand) -> Result<(), CliError> {
    let (config, read) = match command {
        ModelsCommand::List(args) => (&args.config, &args.read),
        ModelsCommand::Show(args) => (&args.config, &args.read),
    };
    let config = config.load()?.config;
    let all = Listing::of(&config);
    match command {
        ModelsCommand::List(_) if read.json => output::json(&all.json()),
        ModelsCommand::List(_) => output::answer(&all.table()),
        ModelsCommand::Show(args) => {
            let one = all.one(&args.id).or_else(|| built_in(&config, &args.id));
            let one = one.ok_or_else(|| unknown(&config, &args.id))?;
            if read.json { output::json(&one.object()) } else { output::answer(&one.table()) }
        }
    }
}

/// A model that only the built-in catalog knows, under the name of its provider.
fn built_in(config: &Config, id: &str) -> Option<Listing> {
    let (prefix, bare) = id.split_once('/')?;
    build::known_model(config, prefix, bare)?;
    let model = build::model(config, id, &ModelConfig::default());
    Some(Listing { models: vec![model], aliases: Vec::new() })
}

/// What the configuration names, sorted.
struct Listing {
    models: Vec<Model>,
    aliases: Vec<(String, Vec<String>)>,
}

impl Listing {
    fn of(config: &Config) -> Self {
        let models = config.models.iter().map(|(id, entry)| {
            let mut model = build::model(config, id, entry);
            for endpoint in &mut model.endpoints {
                if let Some((slug, _)) = config.provider(&endpoint.provider) {
                    endpoint.provider = slug.into();
                }
            }
            model
        });
        let aliases = config.aliases.iter().map(|(name, targets)| (name.clone(), targets.clone()));
        Self { models: models.collect(), aliases: aliases.collect() }
    }

    /// The listing of one name.
    fn one(&self, id: &str) -> Option<Self> {
        let models: Vec<Model> = self.models.iter().filter(|m| &*m.id == id).cloned().collect();
        let aliases: Vec<_> = self.aliases.iter().filter(|(name, _)| name == id).cloned().collect();
        let found = !models.is_empty() || !aliases.is_empty();
        found.then_some(Self { models, aliases })
    }

    fn json(&self) -> Value {
        json!({
            "models": self.models.iter().map(model_object).collect::<Vec<_>>(),
            "aliases": self.aliases.iter().map(alias_object).collect::<Vec<_>>(),
        })
    }

    /// The only entry.
    fn object(&self) -> Value {
        let model = self.models.first().map(model_object);
        model.or_else(|| self.aliases.first().map(alias_object)).unwrap_or_default()
    }

    fn table(&self) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        if !self.models.is_empty() {
            let head = [
                "MODEL",
                "PROVIDER",
                "UPSTREAM MODEL",
                "PRICE (USD PER MILLION)",
                "CONTEXT",
                "MAX",
            ];
            rows.push(head.map(str::to_owned).to_vec());
        }
        rows.extend(self.models.iter().flat_map(model_rows));
        let mut text = columns(&rows);
        if !self.aliases.is_empty() {
            let mut rows = vec![vec!["ALIAS".to_owned(), "CANDIDATES".to_owned()]];
            rows.extend(self.aliases.iter().map(|(name, t)| vec![name.clone(), t.join(", ")]));
            let gap = if text.is_empty() { "" } else { "\n" };
            text.extend([gap, &columns(&rows)]);
        }
        if text.is_empty() {
            "The configuration names no model; providers serve models by their prefix.".to_owned()
        } else {
            text
        }
    }
}

/// One row an endpoint; what belongs to the model is in the first.
fn model_rows(model: &Model) -> Vec<Vec<String>> {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
    let row = |(index, endpoint): (usize, &Endpoint)| {
        let of_model = |text: String| if index == 0 { text } else { String::new() };
        vec![
            of_model(model.id.to_string()),
            endpoint.provider.to_string(),
            endpoint.upstream_model.to_string(),
            endpoint.pricing.as_ref().map_or("-".to_owned(), |pricing| prices(&pricing.table)),
            of_model(number(model.context_length)),
            of_model(number(model.max_completion_tokens)),
        ]
    };
    model.endpoints.iter().enumerate().map(row).collect()
}

/// `prompt 2.5, completion 10, cache_read 0.25, flex ×0.5; above 272000: prompt 5`.
fn prices(table: &PriceTable) -> String {
    let parts = price_object(table);
    let mut words = rates(&parts);
    let factors = parts.get("factors").and_then(Value::as_object);
    let factors = factors.into_iter().flatten();
    words.extend(factors.map(|(tier, factor)| format!("{tier} ×{}", text(factor))));
    let tiers = parts.get("tiers").and_then(Value::as_array);
    let tiers = tiers.into_iter().flatten().filter_map(Value::as_object).map(|tier| {
        let bound = tier.get("above_prompt_tokens").map(text).unwrap_or_default();
        format!("; above {bound}: {}", rates(tier).join(", "))
    });
    std::iter::once(words.join(", ")).chain(tiers).collect()
}

fn rates(parts: &Map<String, Value>) -> Vec<String> {
    let word = |name: &&str| Some(format!("{name} {}", text(parts.get(*name)?)));
    ORDER.iter().filter_map(word).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Kinds of prices in the order people read them.
const ORDER: [&str; 11] = [
    "prompt",
    "completion",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio",
    "audio_completion",
    "image_completion",
    "request",
    "web_search",
];

/// What is set of a price table, as decimal strings.
fn price_object(table: &PriceTable) -> Map<String, Value> {
    // Plain data always serialises; nothing is the safe answer anyway.
    let mut all = serde_json::to_value(table).unwrap_or_default();
    remove_unset(&mut all);
    if let Value::Object(all) = all { all } else { Map::new() }
}

/// Takes out what is null or has nothing in it.
fn remove_unset(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(remove_unset);
            members.retain(|_, member| match member {
                Value::Null => false,
                Value::Object(members) => !members.is_empty(),
                Value::Array(items) => !items.is_empty(),
                _ => true,
            });
        }
        Value::Array(items) => items.iter_mut().for_each(remove_unset),
        _ => {}
    }
}

fn model_object(model: &Model) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        json!({
            "provider": endpoint.provider,
            "upstream_model": endpoint.upstream_model,
            "price": endpoint.pricing.as_ref().map(|pricing| price_object(&pricing.table)),
        })
    };
    json!({
        "id": model.id,
        "endpoints": model.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "context_length": model.context_length,
        "max_completion_tokens": model.max_completion_tokens,
    })
}

fn alias_object((name, targets): &(String, Vec<String>)) -> Value {
    json!({ "id": name, "targets": targets })
}

fn unknown(config: &Config, id: &str) -> CliError {
    let names = config.models.keys().chain(config.aliases.keys()).map(String::as_str);
    let near = nearest_names(id, names);
    let near: Vec<String> = near.iter().take(MAX_OFFERED).map(|name| format!("`{name}`")).collect();
    let prefix = id.split_once('/').and_then(|(prefix, _)| config.provider(prefix));
    let advice = match (near.is_empty(), prefix) {
        (false, _) => format!("did you mean {}?", near.join(" or ")),
        (true, Some((slug, _))) => {
            format!(
                "requests for it go to the provider `{slug}`, by the prefix and, as the built-in \
                 catalog does not know it, without a price"
            )
        }
        (true, None) => "see `arouter models list`".to_owned(),
    };
    CliError::Failed(format!("no model or alias `{id}` is configured; {advice}"))
}

//! The configuration that is being put together, and its TOML.
//!
//! Filled by `litellm`. Holds only what was checked: names, addresses and prices that the loader
//! accepts, and names of secrets instead of secrets.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Weights are whole; one with a fraction is kept to the hundredth.
const WEIGHT_SCALE: f64 = 100.0;

/// A configuration in the making.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<Model>,
    pub(super) aliases: Vec<(String, Vec<String>)>,
    pub(super) default_provider: Option<String>,
    pub(super) default_model: Option<String>,
    /// Variable that holds the key of callers.
    pub(super) key_env: Option<String>,
    pub(super) max_attempts: Option<u64>,
    pub(super) breaker_failures: Option<u64>,
    pub(super) breaker_open_s: Option<u64>,
    pub(super) max_body_bytes: Option<u64>,
    pub(super) log_format: Option<&'static str>,
    pub(super) log_level: Option<&'static str>,
}

/// One provider.
pub(super) struct Provider {
    pub(super) slug: String,
    pub(super) format: &'static str,
    pub(super) base_url: String,
    pub(super) private_network: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) aliases: Vec<String>,
    pub(super) keys: Vec<Key>,
    /// What it is used for so far.
    pub(super) uses: Vec<Use>,
    /// First byte of an answer, in milliseconds.
    pub(super) first_byte_ms: Option<u64>,
    /// First token of a stream, in milliseconds.
    pub(super) first_token_ms: Option<u64>,
}

/// One use of a provider.
pub(super) struct Use {
    /// Name of the model.
    pub(super) group: String,
    pub(super) upstream_model: String,
    /// Variable of the credential it was given.
    pub(super) env: Option<String>,
}

/// A credential of a provider's pool.
pub(super) struct Key {
    pub(super) env: String,
    pub(super) weight: Option<f64>,
    /// Models it was given for; `None`: any.
    pub(super) models: Option<BTreeSet<String>>,
}

/// One model.
#[derive(Default)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) context_length: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
}

/// A model as one provider serves it.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) provider: String,
    pub(super) upstream_model: String,
    /// Keys of `price` with their values.
    pub(super) price: Vec<(&'static str, String)>,
    /// Lower ones are tried first.
    pub(super) order: f64,
}

impl Draft {
    /// The model of that name.
    pub(super) fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The model of that name, to be changed; a new one if there is none.
    pub(super) fn change_model(&mut self, name: &str, change: impl FnOnce(&mut Model)) {
        if let Some(model) = self.models.iter_mut().find(|model| model.name == name) {
            return change(model);
        }
        let mut model = Model { name: name.to_owned(), ..Model::default() };
        change(&mut model);
        self.models.push(model);
    }

    /// Gives a provider another name.
    pub(super) fn add_alias(&mut self, slug: &str, alias: &str) {
        if let Some(provider) = self.providers.iter_mut().find(|other| other.slug == slug) {
            provider.aliases.push(alias.to_owned());
        }
    }

    /// The provider with that name or alias.
    pub(super) fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.slug == name || p.aliases.iter().any(|a| a == name))
    }

    /// The whole file.
    pub(super) fn to_toml(&self) -> String {
        let mut text =
            "# Imported from a LiteLLM proxy. The report says what still needs a hand.\n\
            version = 1\n"
                .to_owned();
        self.write_process(&mut text);
        for provider in &self.providers {
            provider.write(&mut text);
        }
        for model in &self.models {
            model.write(&mut text);
        }
        if !self.aliases.is_empty() {
            text.push_str("\n[aliases]\n");
        }
        for (name, targets) in &self.aliases {
            line(&mut text, &quoted(name), &list(targets));
        }
        if let Some(env) = &self.key_env {
            text.push_str("\n[keys.master]\n");
            line(&mut text, "secret", &format!("{{ env = {} }}", quoted(env)));
        }
        text
    }

    fn write_process(&self, text: &mut String) {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let open_s = self.breaker_open_s;
        table(text, "server", &[("max_body_bytes", number(self.max_body_bytes))]);
        table(
            text,
            "defaults",
            &[
                ("provider", self.default_provider.as_deref().map(quoted)),
                ("model", self.default_model.as_deref().map(quoted)),
            ],
        );
        table(text, "routing", &[("max_attempts", number(self.max_attempts))]);
        table(
            text,
            "routing.breaker",
            &[
                ("consecutive_failures", number(self.breaker_failures)),
                ("open_s", number(open_s)),
                ("max_open_s", number(open_s.filter(|open_s| *open_s > 300))),
            ],
        );
        table(
            text,
            "log",
            &[("level", self.log_level.map(quoted)), ("format", self.log_format.map(quoted))],
        );
    }
}

impl Endpoint {
    /// Whether both send the same model to the same provider.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.provider == other.provider && self.upstream_model == other.upstream_model
    }
}

impl Provider {
    fn write(&self, text: &mut String) {
        text.extend(["\n[providers.", &quoted_unless_plain(&self.slug), "]\n"]);
        line(text, "format", &quoted(self.format));
        line(text, "base_url", &quoted(&self.base_url));
        if !self.keys.is_empty() {
            line(text, "keys", &format!("[{}]", self.pool().join(", ")));
        }
        if !self.aliases.is_empty() {
            line(text, "aliases", &list(&self.aliases));
        }
        if self.private_network {
            line(text, "private_network", "true");
        }
        if !self.headers.is_empty() {
            line(
                text,
                "headers",
                &inline(self.headers.iter().map(|(k, v)| (quoted(k), quoted(v)))),
            );
        }
        // The whole request may always take ten minutes, as without any setting.
        let longest = self.first_byte_ms.max(self.first_token_ms);
        let times = [
            ("first_byte_ms", self.first_byte_ms),
            ("first_token_ms", self.first_token_ms),
            ("total_ms", longest.filter(|ms| *ms > 600_000)),
        ];
        let times: Vec<(String, String)> = times
            .iter()
            .filter_map(|(k, v)| Some(((*k).to_owned(), v.as_ref()?.to_string())))
            .collect();
        if !times.is_empty() {
            line(text, "timeouts", &inline(times.into_iter()));
        }
    }

    /// The credentials; only a pool needs to say which is for what.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of weights before"
    )]
    fn pool(&self) -> Vec<String> {
        let several = self.keys.len() > 1;
        let fractions = self.keys.iter().any(|key| key.weight.is_some_and(|w| w.fract() != 0.0));
        let scale = if fractions { WEIGHT_SCALE } else { 1.0 };
        let weigh = |weight: f64| (weight * scale).round().clamp(1.0, 1_000_000.0) as u64;
        let weighted = several && self.keys.iter().any(|key| key.weight.is_some());
        let one = |key: &Key| {
            let mut parts = vec![("env".to_owned(), quoted(&key.env))];
            if weighted {
                parts.push(("weight".to_owned(), weigh(key.weight.unwrap_or(1.0)).to_string()));
            }
            if let Some(models) = key.models.as_ref().filter(|_| several) {
                parts.push(("models".to_owned(), list(models)));
            }
            inline(parts.into_iter())
        };
        self.keys.iter().map(one).collect()
    }
}

impl Model {
    fn write(&self, text: &mut String) {
        text.extend(["\n[models.", &quoted(&self.name), "]\nendpoints = [\n"]);
        for endpoint in &self.endpoints {
            let mut parts = vec![
                ("provider".to_owned(), quoted(&endpoint.provider)),
                ("upstream_model".to_owned(), quoted(&endpoint.upstream_model)),
            ];
            if !endpoint.price.is_empty() {
                let prices = endpoint.price.iter().map(|(k, v)| ((*k).to_owned(), quoted(v)));
                parts.push(("price".to_owned(), inline(prices)));
            }
            text.extend(["  ", &inline(parts.into_iter()), ",\n"]);
        }
        text.push_str("]\n");
        for (key, number) in [
            ("context_length", self.context_length),
            ("max_completion_tokens", self.max_completion_tokens),
        ] {
            if let Some(number) = number {
                line(text, key, &number.to_string());
            }
        }
    }
}

/// A table with the values that are set; nothing if none is.
fn table(text: &mut String, name: &str, values: &[(&str, Option<String>)]) {
    if values.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    text.extend(["\n[", name, "]\n"]);
    for (key, value) in values {
        if let Some(value) = value {
            line(text, key, value);
        }
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    writeln!(text, "{key} = {value}").unwrap_or_default();
}

fn inline(parts: impl Iterator<Item = (String, String)>) -> String {
    let parts: Vec<String> = parts.map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A JSON string is a TOML string, but for DEL, which nothing that is checked holds.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_unless_plain(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain { name.to_owned() } else { quoted(name) }
}

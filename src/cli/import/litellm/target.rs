//! Where a deployment sends its requests: vendor, address, credential, upstream model.

use super::super::input::{Field, Reference};
use super::super::report::Report;
use super::super::vendors::{self, Served, Way};
use crate::config::{AddressClass, BaseUrl};

/// Where a deployment sends its requests.
pub(super) struct Target {
    pub(super) vendor: Served,
    /// The vendor's prefix in the input.
    pub(super) prefix: String,
    pub(super) upstream_model: String,
    pub(super) base_url: String,
    pub(super) private_network: bool,
}

/// What stands for an address that the input does not tell; RFC 2606 keeps it from existing.
const PLACEHOLDER_HOST: &str = "set-me.invalid";

/// Reads `model`, `custom_llm_provider` and `api_base`; `None`, with a word in the report, if it
/// cannot be served.
pub(super) fn read(params: &Field<'_>, report: &mut Report) -> Option<Target> {
    let model = params.get("model")?;
    let Some(Reference::Literal(name)) = model.reference() else {
        report.manual(&model, "the model is not written here: add it to `models` by hand");
        return None;
    };
    let (prefix, rest) = split(params, name);
    let Some(prefix) = prefix else {
        report.manual(&model, "no vendor is named and the name tells none: add it by hand");
        return None;
    };
    let vendor = match vendors::find(&prefix) {
        Some(Way::Served(vendor)) => vendor,
        Some(Way::Azure) => {
            let (slug, env) = ("azure", "AZURE_API_KEY");
            Served { slug, format: "openai", base_url: "", env }
        }
        Some(Way::No(reason)) => {
            report.unsupported(&model, format!("`{prefix}`: {reason}"));
            return None;
        }
        None => {
            report.manual(&model, "the vendor is not known: add it to `providers` by hand");
            return None;
        }
    };
    let upstream_model = upstream_model(&prefix, rest);
    if !is_model_name(&upstream_model) {
        report.manual(&model, "the name has characters a model name cannot have here");
        return None;
    }
    let (base_url, private_network) = address(params, (&prefix, vendor), report);
    note_model(&model, &prefix, report);
    Some(Target { vendor, prefix, upstream_model, base_url, private_network })
}

fn note_model(model: &Field<'_>, prefix: &str, report: &mut Report) {
    match prefix {
        "azure" => report.manual(
            model,
            "reached by Azure's v1 API, which takes the deployment as the model: check that the \
             resource offers it",
        ),
        "ollama" | "ollama_chat" => {
            report.approximate(model, "reached by Ollama's OpenAI-compatible API");
        }
        _ => report.exact(model, "an endpoint of the model"),
    }
}

/// Visible characters without quotes.
pub(super) fn is_model_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#');
    (1..=256).contains(&name.len()) && name.chars().all(legal)
}

/// The variable LiteLLM reads for a deployment without a key.
pub(super) fn default_env(params: &Field<'_>) -> Option<&'static str> {
    let model = params.get("model")?;
    match vendors::find(&split(params, model.text()?).0?)? {
        Way::Served(vendor) => Some(vendor.env).filter(|env| !env.is_empty()),
        Way::Azure => Some("AZURE_API_KEY"),
        Way::No(_) => None,
    }
}

/// The vendor's prefix, and the name without it.
fn split<'n>(params: &Field<'_>, name: &'n str) -> (Option<String>, &'n str) {
    let named = params.get("custom_llm_provider").and_then(|field| field.text());
    if let Some(vendor) = named {
        let rest = name.strip_prefix(vendor).and_then(|rest| rest.strip_prefix('/'));
        return (Some(vendor.to_owned()), rest.unwrap_or(name));
    }
    match name.split_once('/') {
        Some((prefix, rest)) if vendors::find(prefix).is_some() => (Some(prefix.to_owned()), rest),
        Some((prefix, rest)) if params.get("api_base").is_none() => (Some(prefix.to_owned()), rest),
        _ => {
            // An address without a vendor is taken for one that speaks OpenAI's format.
            let given = params.get("api_base").map(|_| "openai");
            (vendors::of_bare(name).or(given).map(str::to_owned), name)
        }
    }
}

/// Names that LiteLLM completes.
fn upstream_model(prefix: &str, name: &str) -> String {
    if prefix == "fireworks_ai" && !name.contains(['/', '*']) {
        return format!("accounts/fireworks/models/{name}");
    }
    name.to_owned()
}

/// The address, and whether it is on a private network.
fn address(
    params: &Field<'_>,
    (prefix, vendor): (&str, Served),
    report: &mut Report,
) -> (String, bool) {
    let placeholder = || (format!("https://{}.{PLACEHOLDER_HOST}/v1", vendor.slug), false);
    let field = params.get("api_base").or_else(|| params.get("base_url"));
    let Some(field) = field.filter(|field| !field.is_null()) else {
        if vendor.base_url.is_empty() {
            report.manual(params, "no `api_base`: put the address into `base_url` of the provider");
            return placeholder();
        }
        return (vendor.base_url.to_owned(), false);
    };
    let Some(Reference::Literal(text)) = field.reference() else {
        let reason = "an address cannot come from the environment: put it into `base_url`";
        report.manual(&field, reason);
        return placeholder();
    };
    let (written, changed) = adapted(prefix, text);
    let Ok(url) = written.parse::<BaseUrl>() else {
        report.manual(&field, "not an address a provider can have: put it into `base_url`");
        return placeholder();
    };
    if changed {
        report.approximate(&field, "`base_url`, changed to where the format's paths start");
    } else {
        report.exact(&field, "`base_url`");
    }
    let private = is_private(&url);
    (url.to_string(), private)
}

/// The address as this gateway continues it: paths of a format start at different places.
fn adapted(prefix: &str, text: &str) -> (String, bool) {
    let plain = text.trim_end_matches('/');
    // Servers listen on 0.0.0.0; clients that call it reach their own machine.
    let mut address = plain.replacen("://0.0.0.0", "://127.0.0.1", 1);
    let without = |address: &str, ends: &[&str]| {
        let cut = ends.iter().find_map(|end| address.strip_suffix(end));
        cut.unwrap_or(address).to_owned()
    };
    match prefix {
        "ollama" | "ollama_chat" if !address.ends_with("/v1") => address.push_str("/v1"),
        "anthropic" => address = without(&address, &["/v1/messages", "/v1"]),
        "gemini" => address = without(&address, &["/v1beta/models", "/v1beta", "/v1"]),
        "azure" if !address.ends_with("/openai/v1") => {
            address = without(&address, &["/openai"]);
            address.push_str("/openai/v1");
        }
        _ => address = without(&address, &["/chat/completions"]),
    }
    let changed = address != plain;
    (address, changed)
}

/// Addresses of a private network, and names that only such a network knows.
fn is_private(url: &BaseUrl) -> bool {
    let host = url.host();
    let inner = [".internal", ".local", ".lan", ".svc", ".home.arpa"];
    match url.written_class() {
        Some(class) => class == AddressClass::Private,
        None => !host.contains('.') || inner.iter().any(|end| host.ends_with(end)),
    }
}

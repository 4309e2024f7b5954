//! What a provider's entry leaves out: from what is known of its name, from its kind, and from the
//! environment variables that the clouds' own tools read.
//!
//! Used by `load` on a configuration whose shape is right, before it is checked. What is written is
//! never changed; `validate` reports what is missing all the same.

use std::path::PathBuf;

use super::Config;
use super::providers::{ProviderConfig, ProviderFormat, ProviderKind};
use super::secret_ref::{ProviderKey, SecretRef};
use crate::providers::known::{self, KnownProvider};

/// Looks up an environment variable.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills in every provider.
pub(super) fn inherit(config: &mut Config, env: Env<'_>) {
    for (name, provider) in &mut config.providers {
        if let Some(known) = known::provider(name) {
            inherit_known(provider, known, env);
        }
        let by_format = match provider.format {
            Some(ProviderFormat::Bedrock) => ProviderKind::Bedrock,
            _ => ProviderKind::Standard,
        };
        match *provider.kind.get_or_insert(by_format) {
            ProviderKind::Standard => {}
            ProviderKind::Azure => {
                provider.format.get_or_insert(ProviderFormat::Openai);
            }
            ProviderKind::Bedrock => inherit_aws(provider, env),
            ProviderKind::Vertex => inherit_google(provider, env),
        }
    }
}

fn inherit_known(provider: &mut ProviderConfig, known: &KnownProvider, env: Env<'_>) {
    let kind = match known.kind.as_deref() {
        Some("azure") => ProviderKind::Azure,
        Some("bedrock") => ProviderKind::Bedrock,
        Some("vertex") => ProviderKind::Vertex,
        _ => ProviderKind::Standard,
    };
    let format = format_named(&known.format);
    if provider.kind.is_none() && kind != ProviderKind::Standard {
        provider.kind = Some(kind);
    }
    // Vertex speaks as many formats as its models have makers.
    if provider.format.is_none() && kind != ProviderKind::Vertex {
        provider.format = format;
    }
    provider.dialect.get_or_insert_with(|| known.name.clone());
    let is_elsewhere = provider.base_url.is_some();
    if provider.kind() != kind || !same_address(provider.format, format) {
        return;
    }
    if !is_elsewhere {
        provider.base_url = known.base_url.as_deref().and_then(|url| url.parse().ok());
    }
    // A server of one's own under a known name needs no key, unless there is one.
    if provider.keys.is_none()
        && matches!(kind, ProviderKind::Standard | ProviderKind::Azure)
        && let Some(name) = &known.key_env
        && (is_set(env, name) || !is_elsewhere)
    {
        provider.keys = Some(vec![key_of(name)]);
    }
}

/// Whether a provider known for one format has the other at the same address.
fn same_address(written: Option<ProviderFormat>, known: Option<ProviderFormat>) -> bool {
    let is_openai =
        |format| matches!(format, Some(ProviderFormat::Openai | ProviderFormat::Responses));
    written.is_none() || written == known || (is_openai(written) && is_openai(known))
}

fn format_named(name: &str) -> Option<ProviderFormat> {
    Some(match name {
        "openai_chat" => ProviderFormat::Openai,
        "openai_responses" => ProviderFormat::Responses,
        "anthropic" => ProviderFormat::Anthropic,
        "gemini" => ProviderFormat::Gemini,
        "bedrock" => ProviderFormat::Bedrock,
        _ => return None,
    })
}

fn inherit_aws(provider: &mut ProviderConfig, env: Env<'_>) {
    provider.format.get_or_insert(ProviderFormat::Bedrock);
    if provider.region.is_none() {
        provider.region = first_set(env, &["AWS_REGION", "AWS_DEFAULT_REGION"]);
    }
    if provider.base_url.is_none() {
        let region = provider.region.as_deref().unwrap_or_default();
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let url = format!("https://bedrock-runtime.{region}.amazonaws.com{suffix}");
        provider.base_url = url.parse().ok().filter(|_| is_region(region));
    }
    let states_none = provider.access_key_id.is_none() && provider.secret_access_key.is_none();
    if provider.keys.is_none() && states_none {
        if is_set(env, "AWS_BEARER_TOKEN_BEDROCK") {
            provider.keys = Some(vec![key_of("AWS_BEARER_TOKEN_BEDROCK")]);
            return;
        }
        let variable = |name: &str| Some(SecretRef::Env(name.to_owned()));
        provider.access_key_id = variable("AWS_ACCESS_KEY_ID");
        provider.secret_access_key = variable("AWS_SECRET_ACCESS_KEY");
        if provider.session_token.is_none() && is_set(env, "AWS_SESSION_TOKEN") {
            provider.session_token = variable("AWS_SESSION_TOKEN");
        }
    }
}

fn inherit_google(provider: &mut ProviderConfig, env: Env<'_>) {
    if provider.region.is_none() {
        let written = first_set(env, &["GOOGLE_CLOUD_LOCATION"]);
        provider.region = Some(written.unwrap_or_else(|| "global".to_owned()));
    }
    if provider.project.is_none() {
        provider.project = first_set(env, &["GOOGLE_CLOUD_PROJECT"]);
    }
    if provider.base_url.is_none() {
        let region = provider.region.as_deref().unwrap_or_default();
        let url = match region {
            "global" => "https://aiplatform.googleapis.com".to_owned(),
            "us" | "eu" => format!("https://aiplatform.{region}.rep.googleapis.com"),
            region => format!("https://{region}-aiplatform.googleapis.com"),
        };
        provider.base_url = url.parse().ok().filter(|_| is_region(region));
    }
    if provider.credentials.is_none() {
        let file = first_set(env, &["GOOGLE_APPLICATION_CREDENTIALS"]);
        provider.credentials = file.map(|file| SecretRef::File(PathBuf::from(file)));
    }
}

/// Regions become part of a host name.
pub(super) fn is_region(region: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !region.is_empty() && region.len() <= 40 && region.bytes().all(legal)
}

fn key_of(variable: &str) -> ProviderKey {
    ProviderKey { reference: SecretRef::Env(variable.to_owned()), weight: 1, models: None }
}

fn first_set(env: Env<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env(name).filter(|value| !value.is_empty()))
}

fn is_set(env: Env<'_>, name: &str) -> bool {
    first_set(env, &[name]).is_some()
}

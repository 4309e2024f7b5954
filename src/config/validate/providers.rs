//! Checks of `[providers.<name>]`: names, addresses, timeouts, headers, pools.

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::{Findings, steps};
use crate::config::address::AddressClass;
use crate::config::inherit::is_region;
use crate::config::problem::nearest;
use crate::config::providers::{ProviderConfig, ProviderFormat, ProviderKind, Timeouts};
use crate::config::secret_ref::SecretRef;
use crate::providers::known;

/// First segments of the gateway's own paths, which a provider would hide.
const RESERVED: [&str; 7] = ["v1", "api", "v1beta", "healthz", "metrics", "readyz", "admin"];
/// Headers the gateway sets itself; a second value would contradict the first.
const OWN_HEADERS: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "expect",
    "accept-encoding",
];
/// Headers that carry credentials, which belong into `keys`.
const CREDENTIAL_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"];
/// Longest timeout: one day.
const DAY_MS: u64 = 86_400_000;

pub(super) fn check(findings: &mut Findings<'_>) {
    let config = findings.config;
    if config.providers.is_empty() {
        let hint = "add a table [providers.<name>]";
        findings.warning(&steps!["providers"], "no provider is configured", hint);
    }
    for (name, provider) in &config.providers {
        check_name(findings, name);
        check_aliases(findings, name, provider);
        check_kind(findings, name, provider);
        check_dialect(findings, name, provider);
        check_address(findings, name, provider);
        check_timeouts(findings, name, provider.timeouts);
        check_headers(findings, name, provider);
        check_pool(findings, name, provider);
    }
}

/// A lower-case letter or digit, then up to 63 of those, `_`, `.` and `-`.
fn is_name(name: &str) -> bool {
    let start = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = |b: u8| start(b) || matches!(b, b'_' | b'.' | b'-');
    name.len() <= 64 && name.bytes().next().is_some_and(start) && name.bytes().all(rest)
}

const NAME_HINT: &str =
    "up to 64 lower-case letters, digits, `_`, `.` and `-`, the first a letter or digit";

fn check_name(findings: &mut Findings<'_>, name: &str) {
    let at = steps!["providers", name];
    if RESERVED.contains(&name) {
        let message = format!("`{name}` is a path of the gateway itself");
        findings.key_error(&at, message, "choose another name");
    } else if !is_name(name) {
        findings.key_error(&at, format!("`{name}` cannot name a provider"), NAME_HINT);
    }
}

/// The wire formats of each kind.
fn formats_of(kind: ProviderKind) -> &'static [ProviderFormat] {
    use ProviderFormat::{Anthropic, Bedrock, Gemini, Openai, Responses};
    match kind {
        ProviderKind::Standard => &[Openai, Responses, Anthropic, Gemini],
        ProviderKind::Azure => &[Openai, Responses],
        ProviderKind::Bedrock => &[Bedrock, Anthropic],
        ProviderKind::Vertex => &[Gemini, Anthropic, Openai],
    }
}

/// Settings that mean something to one kind only, or to two.
fn check_kind(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    let kind = provider.kind();
    let table = steps!["providers", name];
    match provider.format {
        Some(format) if !formats_of(kind).contains(&format) => {
            let names: Vec<String> = formats_of(kind).iter().map(shown).collect();
            let message = format!(
                "a provider of kind `{}` does not speak `{}`",
                shown(&kind),
                shown(&format)
            );
            let hint = format!("one of {}", names.join(", "));
            findings.error(&steps!["providers", name, "format"], message, &hint);
        }
        None if kind == ProviderKind::Standard => {
            findings.key_error(&table, "missing key `format`", "add `format = …` to this table");
        }
        _ => {}
    }
    check_region(findings, name, provider);
    let (aws, google) = (kind == ProviderKind::Bedrock, kind == ProviderKind::Vertex);
    for (key, is_written, is_used) in [
        ("api_version", provider.api_version.is_some(), kind == ProviderKind::Azure),
        ("region", provider.region.is_some(), aws || google),
        ("project", provider.project.is_some(), google),
        ("credentials", provider.credentials.is_some(), google),
        ("access_key_id", provider.access_key_id.is_some(), aws),
        ("secret_access_key", provider.secret_access_key.is_some(), aws),
        ("session_token", provider.session_token.is_some(), aws),
        ("keys", !provider.pool().is_empty(), !google),
    ] {
        if is_written && !is_used {
            let message = format!("`{key}` has no effect on a provider of kind `{}`", shown(&kind));
            findings.key_warning(
                &steps!["providers", name, key],
                message,
                "remove it, or set `kind`",
            );
        }
    }
    if aws && provider.access_key_id.is_some() && !provider.pool().is_empty() {
        let at = steps!["providers", name, "keys"];
        let message = "an access key and `keys` are two ways to authorise";
        findings.key_error(&at, message, "remove one of them");
    }
}

fn check_region(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    let table = steps!["providers", name];
    let at = steps!["providers", name, "region"];
    let kind = provider.kind();
    let regional = matches!(kind, ProviderKind::Bedrock | ProviderKind::Vertex);
    match &provider.region {
        Some(region) if regional && !is_region(region) => {
            findings.error(&at, "not the name of a region", "such as \"eu-central-1\"");
        }
        // The region is part of the address, and of every signature.
        None if kind == ProviderKind::Bedrock
            && (provider.base_url.is_none() || provider.pool().is_empty()) =>
        {
            let hint = "add `region = \"…\"` to this table, or set AWS_REGION";
            findings.key_error(&table, "missing key `region`", hint);
        }
        _ if provider.base_url.is_none() => {
            let hint = match kind {
                ProviderKind::Azure => "such as \"https://my-resource.openai.azure.com\"",
                _ => "add `base_url = …` to this table",
            };
            findings.key_error(&table, "missing key `base_url`", hint);
        }
        _ => {}
    }
}

fn check_dialect(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    let Some(dialect) = &provider.dialect else { return };
    if known::provider(dialect).is_none() {
        let names = known::providers().iter().map(|known| known.name.as_str());
        let hint = match nearest(dialect, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "the name of a known provider: see docs/providers.md".to_owned(),
        };
        let at = steps!["providers", name, "dialect"];
        findings.error(&at, format!("no provider is known as `{dialect}`"), &hint);
    }
}

/// A choice as it is written.
fn shown<T: Serialize>(choice: &T) -> String {
    let written = serde_json::to_value(choice).ok();
    written.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn check_aliases(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    let config = findings.config;
    for (index, alias) in provider.aliases.iter().enumerate() {
        let at = steps!["providers", name, "aliases", index];
        if RESERVED.contains(&alias.as_str()) {
            let message = format!("`{alias}` is a path of the gateway itself");
            findings.error(&at, message, "choose another alias");
        } else if !is_name(alias) {
            findings.error(&at, format!("`{alias}` cannot name a provider"), NAME_HINT);
        }
        let twice = provider.aliases.iter().take(index).any(|earlier| earlier == alias);
        let earlier = config.providers.iter().take_while(|(other, _)| *other != name);
        let taken = earlier.filter(|(_, other)| other.aliases.contains(alias)).map(|(n, _)| n);
        let owner = config.providers.get_key_value(alias).map(|(n, _)| n).or(taken.last());
        if let Some(owner) = owner {
            let message = format!("`{alias}` already names the provider `{owner}`");
            findings.error(&at, message, "each alias belongs to one provider");
        } else if twice {
            findings.error(&at, format!("`{alias}` is listed twice"), "remove one of them");
        }
    }
}

fn check_address(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    let at = steps!["providers", name, "base_url"];
    if let Some(file) = provider.ca_file.as_ref().filter(|file| !file.is_file()) {
        let message = format!("file {} does not exist", file.display());
        findings.error(&steps!["providers", name, "ca_file"], message, "check the path");
    }
    let Some(base_url) = &provider.base_url else { return };
    let class = base_url.written_class();
    if class == Some(AddressClass::Private) && !provider.private_network {
        let message = format!("`{}` is a private address", base_url.host());
        findings.error(&at, message, "set private_network = true if that is meant");
    }
    let near = provider.private_network || class == Some(AddressClass::Loopback);
    if !base_url.tls() && !near {
        let message = "prompts and credentials would travel unencrypted";
        findings.warning(&at, message, "use https://, or private_network = true");
    }
}

fn check_timeouts(findings: &mut Findings<'_>, name: &str, timeouts: Timeouts) {
    for (key, number) in [
        ("connect_ms", timeouts.connect_ms),
        ("first_byte_ms", timeouts.first_byte_ms.unwrap_or(1)),
        ("first_token_ms", timeouts.first_token_ms),
        ("idle_ms", timeouts.idle_ms),
        ("total_ms", timeouts.total_ms),
    ] {
        findings.range(&steps!["providers", name, "timeouts", key], number, 1..=DAY_MS);
    }
}

fn check_headers(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    for (header, value) in &provider.headers {
        let at = steps!["providers", name, "headers", header.as_str()];
        let Ok(parsed) = HeaderName::from_bytes(header.as_bytes()) else {
            findings.key_error(
                &at,
                format!("`{header}` is not a header name"),
                "letters, digits and `-`",
            );
            continue;
        };
        if OWN_HEADERS.contains(&parsed.as_str()) {
            let message = format!("the gateway sets `{header}` itself");
            findings.key_error(&at, message, "remove it");
        } else if CREDENTIAL_HEADERS.contains(&parsed.as_str()) {
            let message = format!("`{header}` carries a credential");
            findings.key_error(&at, message, "use `keys`, which refers to the secret");
        }
        if HeaderValue::from_str(value).is_err() {
            let message = format!("the value of `{header}` has characters no header can carry");
            findings.error(&at, message, "use visible ASCII characters and spaces");
        }
    }
}

fn check_pool(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig) {
    for (index, key) in provider.pool().iter().enumerate() {
        let weight = steps!["providers", name, "keys", index, "weight"];
        findings.range(&weight, key.weight.into(), 1..=1_000_000);
        let earlier = provider.pool().iter().take(index);
        if earlier.clone().any(|earlier| earlier.reference == key.reference) {
            let at = steps!["providers", name, "keys", index];
            let message = "the same credential is in the pool twice";
            findings.error(&at, message, "raise its weight instead");
        }
        if matches!(key.reference, SecretRef::Literal(_)) {
            let at = steps!["providers", name, "keys", index, "insecure_literal"];
            let message = "a credential is written into the configuration";
            findings.warning(&at, message, "use { env = \"NAME\" } or { file = \"/path\" }");
        }
    }
}

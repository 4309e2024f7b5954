//! Checks of secrets: that they can be read, can be sent, are not open to everybody, and that two
//! keys are not the same. No message quotes a secret.

use std::collections::BTreeMap;
use std::path::Path;

use http::HeaderValue;

use super::{Findings, steps};
use crate::config::keys::{KeyConfig, KeyHash};
use crate::config::providers::ProviderConfig;
use crate::config::secret_ref::{SecretRef, resolve};
use crate::config::tree::Step;
use crate::money::PicoUsd;
use crate::providers::google_account::ServiceAccount;
use crate::secret::Secret;

/// Looks up an environment variable.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Shortest key that does not invite guessing.
const SHORT_KEY: usize = 16;

pub(super) fn check(findings: &mut Findings<'_>, env: Env<'_>) {
    let config = findings.config;
    for (name, provider) in &config.providers {
        check_pool(findings, name, provider, env);
    }
    let mut seen = BTreeMap::new();
    for (name, key) in &config.keys {
        check_key_name(findings, name);
        check_limit(findings, name, key);
        if let Some((at, digest)) = check_key(findings, name, key, env)
            && let Some(other) = seen.insert(*digest.as_bytes(), name)
        {
            let message = format!("the keys `{other}` and `{name}` are the same secret");
            findings.error(&at, message, "make another one with `arouter keys create`");
        }
    }
    if let Some(tls) = &config.server.tls {
        let at = steps!["server", "tls", "key"];
        if read(findings, &at, &tls.key, env).is_none() {
            let message = format!("the private key is missing: {}", place(&tls.key));
            findings.error(&at, message, "set it, or remove [server.tls]");
        }
    }
}

fn check_pool(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig, env: Env<'_>) {
    check_account(findings, name, provider, env);
    let pool = provider.pool();
    let mut usable = 0;
    for (index, key) in pool.iter().enumerate() {
        let at = steps!["providers", name, "keys", index];
        let Some(secret) = read(findings, &at, &key.reference, env) else { continue };
        usable += 1;
        if HeaderValue::from_str(secret.expose()).is_err() {
            let message =
                format!("the secret has characters no header can carry: {}", place(&key.reference));
            findings.error(&at, message, "it may hold a line break or more than one line");
        }
    }
    if pool.is_empty() || usable == pool.len() {
        return;
    }
    let missing: Vec<String> = pool.iter().map(|key| place(&key.reference)).collect();
    let at = steps!["providers", name, "keys"];
    let which = missing.join(", ");
    if usable > 0 {
        let message = format!("`{name}` has only some of its credentials: {which}");
        findings.warning(&at, message, "set it, or remove it from the pool");
    } else {
        report_missing(findings, &at, (name, provider), &which);
    }
}

/// The secrets that a provider at a cloud has besides a pool.
fn check_account(findings: &mut Findings<'_>, name: &str, provider: &ProviderConfig, env: Env<'_>) {
    let mut missing = Vec::new();
    for (key, reference) in provider.account_secrets() {
        let at = steps!["providers", name, key];
        if matches!(reference, SecretRef::Literal(_)) {
            let message = "a credential is written into the configuration";
            findings.warning(&at, message, "use { env = \"NAME\" } or { file = \"/path\" }");
        }
        match read(findings, &at, reference, env) {
            Some(secret) if key != "credentials" => {
                if HeaderValue::from_str(secret.expose()).is_err() {
                    let place = place(reference);
                    let message = format!("the secret has characters no header can carry: {place}");
                    findings.error(&at, message, "it may hold a line break or more than one line");
                }
            }
            Some(secret) => {
                if let Err(error) = ServiceAccount::read(&secret) {
                    let message = format!("the service account cannot be used: {error}");
                    findings.error(&at, message, "the JSON file that Google gave for its key");
                }
            }
            None if provider.needed_secrets().contains(&key) => missing.push(place(reference)),
            None => {
                let message = format!("`{name}` has no {key}: {}", place(reference));
                findings.warning(&at, message, "set it, or remove it");
            }
        }
    }
    let written = |key: &str| provider.account_secrets().any(|(written, _)| written == key);
    let unwritten = provider.needed_secrets().iter().filter(|key| !written(key));
    missing.extend(unwritten.map(|key| format!("`{key}`")));
    if !missing.is_empty() {
        let at = steps!["providers", name];
        report_missing(findings, &at, (name, provider), &missing.join(", "));
    }
}

fn report_missing(
    findings: &mut Findings<'_>,
    at: &[Step],
    (name, provider): (&str, &ProviderConfig),
    which: &str,
) {
    if provider.required {
        let message = format!("`{name}` is required but has no credential: {which}");
        findings.error(at, message, "set it, or remove `required`");
    } else {
        let message = format!("`{name}` is disabled, it has no credential: {which}");
        findings.warning(at, message, "set it to enable the provider");
    }
}

fn check_key_name(findings: &mut Findings<'_>, name: &str) {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if !(1..=64).contains(&name.len()) || !name.bytes().all(legal) {
        let hint = "up to 64 letters, digits, `_`, `.` and `-`";
        findings.key_error(&steps!["keys", name], format!("`{name}` cannot name a key"), hint);
    }
}

fn check_limit(findings: &mut Findings<'_>, name: &str, key: &KeyConfig) {
    if key.limit_usd.is_some_and(|limit| limit < PicoUsd::ZERO) {
        let at = steps!["keys", name, "limit_usd"];
        findings.error(&at, "the limit is negative", "leave it out for no limit");
    }
}

/// The digest of a static key and where it is written, if it can be known.
fn check_key(
    findings: &mut Findings<'_>,
    name: &str,
    key: &KeyConfig,
    env: Env<'_>,
) -> Option<(Vec<Step>, KeyHash)> {
    let table = steps!["keys", name];
    let at = steps!["keys", name, "secret"];
    match (&key.secret, key.hash) {
        (None, None) => {
            let hint =
                "write secret = { env = \"NAME\" }, or hash = \"…\" from `arouter keys hash`";
            findings.key_error(&table, format!("the key `{name}` has no secret"), hint);
            None
        }
        (Some(_), Some(_)) => {
            let at = steps!["keys", name, "hash"];
            let message = format!("the key `{name}` has both `secret` and `hash`");
            findings.key_error(&at, message, "remove one of them");
            None
        }
        (None, Some(hash)) => Some((steps!["keys", name, "hash"].to_vec(), hash)),
        (Some(reference), None) => {
            if matches!(reference, SecretRef::Literal(_)) {
                let hint = "use `hash` from `arouter keys hash`, or { env = \"NAME\" }";
                findings.warning(&at, "a key is written into the configuration", hint);
            }
            let Some(secret) = read(findings, &at, reference, env) else {
                let message =
                    format!("the key `{name}` is disabled, it has no secret: {}", place(reference));
                findings.warning(&at, message, "set it to enable the key");
                return None;
            };
            if secret.expose().len() < SHORT_KEY {
                let message = format!("the key `{name}` has fewer than {SHORT_KEY} characters");
                findings.warning(&at, message, "make one with `arouter keys create`");
            }
            Some((at.to_vec(), KeyHash::of(secret.expose())))
        }
    }
}

/// Reads a secret; what cannot be read counts as missing, and the reason is a warning.
fn read(
    findings: &mut Findings<'_>,
    at: &[Step],
    reference: &SecretRef,
    env: Env<'_>,
) -> Option<Secret> {
    check_place(findings, at, reference);
    match resolve(reference, env) {
        Ok(secret) => secret,
        Err(error) => {
            findings.warning(at, error.to_string(), "check the path and its permissions");
            None
        }
    }
}

/// A file that everybody may read is no secret; a name that is no name is often the secret itself.
fn check_place(findings: &mut Findings<'_>, at: &[Step], reference: &SecretRef) {
    match reference {
        SecretRef::Env(name) => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(legal) {
                let hint = "`env` takes the name of the variable, not the secret";
                let at = [at, &steps!["env"]].concat();
                findings.error(&at, "not the name of an environment variable", hint);
            }
        }
        SecretRef::File(path) if open_to_all(path) => {
            let message = format!("secret file {} can be read by everybody", path.display());
            let hint = format!("chmod o-r {}", path.display());
            findings.warning(at, message, &hint);
        }
        SecretRef::File(_) | SecretRef::Literal(_) => {}
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn open_to_all(_path: &Path) -> bool {
    false
}

/// Where a secret is looked for, without a name that may itself be a secret.
fn place(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            format!("environment variable {name}")
        }
        SecretRef::Env(_) => "environment variable".to_owned(),
        SecretRef::File(path) => format!("file {}", path.display()),
        SecretRef::Literal(_) => "literal".to_owned(),
    }
}

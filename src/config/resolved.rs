//! The secrets behind a [`Config`]'s references, read once a load.
//!
//! Made next to a snapshot and given to `auth` and `providers`; holds the only copies of the
//! texts. What is missing is left out here and warned about by `validate`.

use std::collections::BTreeMap;

use super::Config;
use super::secret_ref::{SecretError, resolve};
use crate::secret::Secret;

/// The secrets of one load; `Debug` shows names only.
#[derive(Debug, Clone, Default)]
pub struct ResolvedSecrets {
    /// Usable credentials of each provider. A provider with `keys` that is not here, or has an
    /// empty list, is disabled.
    pub providers: BTreeMap<String, Vec<ResolvedKey>>,
    /// What authorises each provider besides its pool; those without such secrets are not here.
    pub accounts: BTreeMap<String, ResolvedAccount>,
    /// Text of each static key given by `secret`; keys given by `hash` are not here.
    pub keys: BTreeMap<String, Secret>,
    /// The private key of `[server.tls]`, in PEM.
    pub tls_key: Option<Secret>,
}

/// The secrets of a provider at a cloud: the written ones that could be read.
#[derive(Debug, Clone, Default)]
pub struct ResolvedAccount {
    /// JSON file of a Google service account.
    pub credentials: Option<Secret>,
    /// Id of an AWS access key.
    pub access_key_id: Option<Secret>,
    /// The AWS access key.
    pub secret_access_key: Option<Secret>,
    /// Session token of a temporary AWS access key.
    pub session_token: Option<Secret>,
}

impl ResolvedAccount {
    /// The secret under its key in the configuration.
    fn slot(&mut self, key: &str) -> Option<&mut Option<Secret>> {
        match key {
            "credentials" => Some(&mut self.credentials),
            "access_key_id" => Some(&mut self.access_key_id),
            "secret_access_key" => Some(&mut self.secret_access_key),
            "session_token" => Some(&mut self.session_token),
            _ => None,
        }
    }

    fn has(&self, key: &str) -> bool {
        self.clone().slot(key).is_some_and(|secret| secret.is_some())
    }
}

/// A credential of a provider's pool, with its text.
#[derive(Debug, Clone)]
pub struct ResolvedKey {
    /// The credential.
    pub secret: Secret,
    /// Share of the requests it gets.
    pub weight: u32,
    /// Models it may be used for; `None`: all, empty: none.
    pub models: Option<Vec<String>>,
    /// Its place in `keys`, which names it in logs and metrics.
    pub index: usize,
}

impl ResolvedSecrets {
    /// Whether requests can be sent to this provider: it needs no credential, or has one.
    pub fn enabled(&self, config: &Config, provider: &str) -> bool {
        let Some(entry) = config.providers.get(provider) else { return false };
        let account = self.accounts.get(provider);
        let has = |key: &&str| account.is_some_and(|account| account.has(key));
        let pool_is_usable = entry.pool().is_empty()
            || self.providers.get(provider).is_some_and(|keys| !keys.is_empty());
        pool_is_usable && entry.needed_secrets().iter().all(has)
    }
}

/// Reads every secret that can be read; those that cannot are left out, with the reason beside.
/// `env` looks up an environment variable; see [`super::process_env`].
pub fn resolve_secrets(
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
) -> (ResolvedSecrets, Vec<SecretError>) {
    let mut errors = Vec::new();
    let mut read = |reference| match resolve(reference, env) {
        Ok(secret) => secret,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let mut resolved = ResolvedSecrets::default();
    for (name, provider) in &config.providers {
        let keys = provider.pool().iter().enumerate().filter_map(|(index, key)| {
            let secret = read(&key.reference)?;
            Some(ResolvedKey { secret, weight: key.weight, models: key.models.clone(), index })
        });
        resolved.providers.insert(name.clone(), keys.collect());
        let mut account = ResolvedAccount::default();
        for (key, reference) in provider.account_secrets() {
            if let Some(slot) = account.slot(key) {
                *slot = read(reference);
            }
        }
        resolved.accounts.insert(name.clone(), account);
    }
    for (name, key) in &config.keys {
        if let Some(secret) = key.secret.as_ref().and_then(&mut read) {
            resolved.keys.insert(name.clone(), secret);
        }
    }
    resolved.tls_key = config.server.tls.as_ref().and_then(|tls| read(&tls.key));
    (resolved, errors)
}

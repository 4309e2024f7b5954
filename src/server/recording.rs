//! Two background loops on one thread: the journal flows into the store, and changed keys flow
//! from the store into the authenticator.

use crate::auth::api_key::hash_from_hex;
use crate::auth::{ApiKey, KeyKind, KeyTable};
use crate::config;
use crate::proxy::state::Services;
use crate::store::KeyRecord;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether keys changed.
const KEYS_POLL: Duration = Duration::from_secs(1);

/// Runs both loops.
pub struct Recording {
    services: Arc<Services>,
}

impl Recording {
    /// Loops over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    async fn follow_keys(&self) {
        let store = &self.services.store;
        let mut known = store.keys_version().await.ok();
        loop {
            tokio::time::sleep(KEYS_POLL).await;
            let now = match store.keys_version().await {
                Ok(version) => Some(version),
                Err(error) => {
                    tracing::warn!(%error, "keys could not be looked up, the known ones stay");
                    continue;
                }
            };
            if now == known {
                continue;
            }
            match store.keys().await {
                Ok(keys) => {
                    self.services.authenticator.replace_stored(key_table(keys));
                    known = now;
                }
                Err(error) => tracing::warn!(%error, "keys could not be read, the known ones stay"),
            }
        }
    }
}

#[async_trait]
impl BackgroundService for Recording {
    async fn start(&self, shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.services.recorder.run(shutdown) => {}
            () = self.follow_keys() => {}
        }
    }
}

/// The authenticator's table of stored keys.
pub fn key_table(keys: Vec<KeyRecord>) -> KeyTable {
    KeyTable::new(keys.into_iter().filter_map(api_key))
}

fn api_key(key: KeyRecord) -> Option<ApiKey> {
    let Some(hash) = hash_from_hex(&key.hash) else {
        tracing::error!(key = key.name, "the stored key has a broken hash and is left out");
        return None;
    };
    Some(ApiKey {
        hash,
        hash_hex: key.hash.into(),
        name: key.name.into(),
        kind: match key.kind {
            config::KeyKind::Regular => KeyKind::Regular,
            config::KeyKind::Management => KeyKind::Management,
        },
        disabled: key.disabled,
        expires_at_ms: key.expires_ms,
        allowed_providers: key.allowed_providers,
        allowed_models: key.allowed_models,
    })
}

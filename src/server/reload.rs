//! Hot reload: parse, validate, resolve, build, swap; or keep everything as it is.
//!
//! Three triggers lead here: SIGHUP, a change in a watched folder, and a call of the admin
//! listener. Requests in flight keep the snapshot they started with. What cannot change without a
//! restart is reported, never ignored.

use super::build;
use super::counters;
use super::tls::Certificate;
use crate::config::{self, Config, Loaded, ResolvedSecrets};
use crate::proxy::state::Services;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Reloads the configuration.
pub struct Reloader {
    path: Option<PathBuf>,
    demo: Option<super::demo::Demo>,
    services: Arc<Services>,
    certificate: Option<Arc<Certificate>>,
    started_with: Config,
    status: Mutex<Status>,
    one_at_a_time: tokio::sync::Mutex<()>,
    watched: Mutex<(Vec<PathBuf>, Vec<PathBuf>)>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What is known about the configuration in force.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// Hash of the configuration in force.
    pub hash: String,
    /// When it was loaded, Unix milliseconds.
    pub loaded_ms: i64,
    /// Why the last reload failed, with `file:line:column`; absent if it succeeded.
    pub error: Option<String>,
    /// Settings that were changed in the file and wait for a restart.
    pub pending_restart: Vec<&'static str>,
}

impl Reloader {
    /// A reloader of the file that was loaded at the start.
    pub fn new(
        path: Option<PathBuf>,
        demo: Option<super::demo::Demo>,
        services: Arc<Services>,
        (loaded, certificate): (&Loaded, Option<Arc<Certificate>>),
    ) -> Self {
        let status = Status {
            hash: loaded.hash.clone(),
            loaded_ms: services.clock.unix_ms(),
            ..Status::default()
        };
        services.metrics.note_config(&status.hash, status.loaded_ms);
        Self {
            path,
            demo,
            certificate,
            started_with: loaded.config.clone(),
            status: Mutex::new(status),
            one_at_a_time: tokio::sync::Mutex::new(()),
            watched: Mutex::new((loaded.files.clone(), loaded.folders.clone())),
            services,
        }
    }

    /// What is known about the configuration in force.
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the files say something else than what is in force.
    pub fn is_stale(&self) -> bool {
        let Some(path) = self.path.as_deref() else { return false };
        let hash = self.status().hash;
        config::load(path, &config::process_env).map_or(true, |loaded| loaded.hash != hash)
    }

    /// Files and folders whose changes matter.
    pub fn watched(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the file anew and puts it in force, or leaves everything as it is.
    pub async fn reload(&self) -> Status {
        let _turn = self.one_at_a_time.lock().await;
        match self.load_and_swap() {
            Ok(loaded) => {
                self.note_success(&loaded);
                // A limit whose period was changed goes on with what was spent in the new one.
                if let Err(error) = counters::raise_spending(&self.services).await {
                    tracing::warn!(%error, "counters could not be compared with the store");
                }
            }
            Err(error) => self.note_failure(error),
        }
        self.status()
    }

    fn load_and_swap(&self) -> Result<Loaded, String> {
        let path = self.path.as_deref().ok_or("the gateway was started without a file")?;
        let mut loaded =
            config::load(path, &config::process_env).map_err(|error| error.to_string())?;
        if let Some(demo) = &self.demo {
            demo.add_to(&mut loaded.config);
        }
        let (secrets, errors) = config::resolve_secrets(&loaded.config, &config::process_env);
        if let Some(error) = errors.first() {
            return Err(error.to_string());
        }
        let snapshot = build::snapshot(&loaded, &secrets, &self.services.meters)
            .map_err(|error| error.to_string())?;
        self.replace_certificate(&loaded.config, &secrets)?;
        snapshot.adopt_addresses(&self.services.snapshot.load());
        self.services.snapshot.store(Arc::new(snapshot));
        let named = build::named_endpoints(&loaded.config);
        self.services.health.configure(&loaded.config.routing, named);
        Ok(loaded)
    }

    fn replace_certificate(
        &self,
        config: &Config,
        secrets: &ResolvedSecrets,
    ) -> Result<(), String> {
        let (Some(certificate), Some(tls)) = (&self.certificate, &config.server.tls) else {
            return Ok(());
        };
        certificate.replace(tls, secrets).map_err(|error| format!("[server.tls]: {error}"))
    }

    fn note_success(&self, loaded: &Loaded) {
        let now_ms = self.services.clock.unix_ms();
        let pending_restart = needs_restart(&self.started_with, &loaded.config);
        tracing::info!(hash = loaded.hash, ?pending_restart, "configuration reloaded");
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        self.services.metrics.note_reload(&loaded.hash, now_ms);
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) =
            (loaded.files.clone(), loaded.folders.clone());
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) =
            Status { hash: loaded.hash.clone(), loaded_ms: now_ms, error: None, pending_restart };
    }

    fn note_failure(&self, error: String) {
        tracing::error!(error, "configuration not reloaded, the old one stays in force");
        self.services.metrics.note_failed_reload();
        self.status.lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
    }
}

/// Settings that are read once, and differ.
fn needs_restart(started: &Config, now: &Config) -> Vec<&'static str> {
    let differs = [
        ("server.listen", started.server.listen != now.server.listen),
        ("server.threads", started.server.threads != now.server.threads),
        ("server.tls", started.server.tls.is_some() != now.server.tls.is_some()),
        ("server.h2c", started.server.h2c != now.server.h2c),
        ("server.header_timeout_s", started.server.header_timeout_s != now.server.header_timeout_s),
        ("server.max_connections", started.server.max_connections != now.server.max_connections),
        ("server.drain_timeout_s", started.server.drain_timeout_s != now.server.drain_timeout_s),
        ("admin.listen", started.admin.listen != now.admin.listen),
        ("store", started.store != now.store),
        ("log", started.log != now.log),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

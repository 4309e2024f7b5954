//! Watches for reasons to reload: SIGHUP and changes of the configuration's folders.
//!
//! Folders are watched, not files, because editors and Kubernetes replace files instead of writing
//! into them. Bursts of changes count once, and a slow poll finds what no event told.

use super::reload::Reloader;
use async_trait::async_trait;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Quiet time after a change before it is looked at.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How often files are looked at without an event.
const POLL: Duration = Duration::from_secs(5);

/// Calls the reloader when there is a reason.
pub struct ReloadWatch {
    reloader: Arc<Reloader>,
    at_start: u64,
}

impl ReloadWatch {
    /// A watch for this reloader; every change from now on counts.
    pub fn new(reloader: Arc<Reloader>) -> Self {
        let at_start = fingerprint(&reloader);
        Self { reloader, at_start }
    }

    async fn reload_if_changed(&self, seen: &mut u64) {
        let now = fingerprint(&self.reloader);
        if now != *seen {
            *seen = now;
            self.reloader.reload().await;
        }
    }
}

#[async_trait]
impl BackgroundService for ReloadWatch {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let (sender, mut changes) = mpsc::channel(1);
        let watcher = watch(&self.reloader.watched().1, sender);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "folders cannot be watched, changes are found by polling");
        }
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => {
                tracing::error!(%error, "SIGHUP cannot be received");
                return;
            }
        };
        let mut seen = fingerprint(&self.reloader);
        // What changed since the files were read for the start came before the watch.
        if seen != self.at_start || self.reloader.is_stale() {
            self.reloader.reload().await;
        }
        loop {
            tokio::select! {
                _ = shutdown.changed() => return,
                _ = hangups.recv() => {
                    seen = fingerprint(&self.reloader);
                    self.reloader.reload().await;
                }
                Some(()) = changes.recv() => {
                    tokio::time::sleep(DEBOUNCE).await;
                    while changes.try_recv().is_ok() {}
                    self.reload_if_changed(&mut seen).await;
                }
                () = tokio::time::sleep(POLL) => self.reload_if_changed(&mut seen).await,
            }
        }
    }
}

fn watch(
    folders: &[PathBuf],
    sender: mpsc::Sender<()>,
) -> Result<RecommendedWatcher, notify::Error> {
    let mut watcher = notify::recommended_watcher(move |event: Result<notify::Event, _>| {
        let is_read_only = event.is_ok_and(|event| event.kind.is_access());
        if !is_read_only {
            // A full channel already holds the news.
            let _full = sender.try_send(());
        }
    })?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// A number that changes when the configuration may have: time and size of every file that was
/// read, and of every file beside them that could be an include.
fn fingerprint(reloader: &Reloader) -> u64 {
    let mut hasher = DefaultHasher::new();
    let (files, folders) = reloader.watched();
    let mut paths = files;
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let beside = entries.filter_map(Result::ok).map(|entry| entry.path());
        paths.extend(beside.filter(|path| is_config(path)));
    }
    paths.sort();
    paths.dedup();
    for path in paths {
        let metadata = std::fs::metadata(&path).ok();
        let state = metadata.map(|metadata| (metadata.len(), metadata.modified().ok()));
        (path, state).hash(&mut hasher);
    }
    hasher.finish()
}

fn is_config(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("toml" | "yaml" | "yml"))
}

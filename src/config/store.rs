//! `[store]`: where keys, usage and the journal are kept.
//!
//! Read by `store` and `usage` at start; changing it needs a restart.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The database and the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://path`, `postgres://host/database`, or `memory:` for tests. A relative path starts
    /// at the working directory.
    #[schemars(with = "String")]
    pub url: StoreUrl,
    /// Folder of the usage journal, which survives a crash; relative to the working directory.
    #[schemars(with = "String")]
    pub journal_dir: PathBuf,
    /// Whether requests are served while their usage cannot be recorded, because the disk is full
    /// or broken: `stop` refuses them, `serve` refuses only keys with a spending limit and counts
    /// what was lost.
    pub unrecorded: Unrecorded,
    /// Days the record of a request is kept; 0: for ever. Sums by day are kept in any case.
    pub retention_days: u32,
}

/// What happens to requests whose usage cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unrecorded {
    /// They are refused.
    #[default]
    Stop,
    /// They are served, unless their key has a spending limit.
    Serve,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl("sqlite://data/arouter.db".to_owned()),
            journal_dir: PathBuf::from("data/journal"),
            unrecorded: Unrecorded::Stop,
            retention_days: 90,
        }
    }
}

/// Address of a database. It may hold a password, so only [`StoreUrl::expose`] shows all of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// An address as the operator wrote it.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole address, for the database driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the address holds a password.
    pub fn has_password(&self) -> bool {
        self.shown() != self.0
    }

    /// The address with its password replaced.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        let (authority, path) = match rest.find(['/', '?']).and_then(|at| rest.split_at_checked(at))
        {
            Some(parts) => parts,
            None => (rest, ""),
        };
        let path = match path.find("password=").and_then(|at| path.split_at_checked(at)) {
            Some((before, _)) => format!("{before}password=***"),
            None => path.to_owned(),
        };
        match authority.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
            Some((Some((user, _)), host)) => format!("{scheme}://{user}:***@{host}{path}"),
            _ => format!("{scheme}://{authority}{path}"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

//! What an operator writes: the typed configuration, how it is loaded, and what is wrong with it.
//!
//! Used by `cli` and by `server`, which builds a snapshot from a [`Config`]. The types are plain
//! data, one table a file; only `load`, `secret_ref` and `resolved` touch files or the
//! environment. A [`Config`] that [`load`] returns has passed every check of `validate`, and it
//! never holds the text of a secret unless the operator wrote an `insecure_literal`.

mod account;
mod address;
mod base_url;
mod keys;
mod limits;
mod media;
mod models;
mod providers;
mod routing;
mod secret_ref;
mod server;
mod store;
mod telemetry;

pub mod generate;
mod inherit;
mod load;
mod prices;
mod problem;
mod resolved;
mod shape;
pub mod show;
mod syntax;
mod tree;
mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::account::AccountConfig;
pub use self::address::{AddressClass, PrivateNetwork};
pub use self::base_url::{BaseUrl, BaseUrlError};
pub use self::keys::{BudgetMode, KeyConfig, KeyHash, KeyHashError, KeyKind, LimitReset};
pub use self::limits::RateLimit;
pub use self::load::{Loaded, find, load, load_text};
pub use self::media::MediaConfig;
pub use self::models::{DefaultsConfig, EndpointConfig, ModelConfig, Quantization};
pub use self::prices::{PriceTable, PriceTier, TierFactors};
pub use self::problem::{ConfigError, Problem, nearest_names};
pub use self::providers::{
    DataPolicy, Http2, ProviderConfig, ProviderFormat, ProviderKind, Timeouts,
};
pub use self::resolved::{ResolvedAccount, ResolvedKey, ResolvedSecrets, resolve_secrets};
pub use self::routing::{AutoConfig, BreakerConfig, HedgeConfig, RoutingConfig};
pub use self::secret_ref::{ProviderKey, SecretError, SecretRef, process_env, resolve};
pub use self::server::{AdminConfig, FileRef, ServerConfig, StreamUsage, TlsConfig};
pub use self::store::{StoreConfig, StoreUrl, Unrecorded};
pub(crate) use self::syntax::parse_yaml;
pub use self::telemetry::{LogConfig, LogFormat, LogLevel};
pub(crate) use self::tree::{Node, Position, Value};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "ARouter configuration")]
pub struct Config {
    /// Version of this format.
    pub version: u32,
    /// Further files, as patterns relative to this one; their tables are merged into it.
    pub include: Vec<String>,
    /// The data plane: where clients connect and what they may send.
    pub server: ServerConfig,
    /// The operator's listener: metrics, readiness, dashboard, configuration API.
    pub admin: AdminConfig,
    /// The database and the journal.
    pub store: StoreConfig,
    /// What a request gets that does not say it.
    pub defaults: DefaultsConfig,
    /// The services requests go to, by name. A name starts the path `/{provider}/…` and a model's
    /// prefix.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// Models that override the built-in catalog, or add to it, by name.
    pub models: BTreeMap<String, ModelConfig>,
    /// Names of one's own for models, each with its candidates in order.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Static keys of callers, by name. Keys made at run time live in the store.
    pub keys: BTreeMap<String, KeyConfig>,
    /// Prepaid or postpaid.
    pub account: AccountConfig,
    /// Fetching what a request names by address, for providers that only take bytes.
    pub media: MediaConfig,
    /// Fallback and circuit breaking.
    pub routing: RoutingConfig,
    /// Logging.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 1,
            include: Vec::new(),
            server: ServerConfig::default(),
            admin: AdminConfig::default(),
            store: StoreConfig::default(),
            defaults: DefaultsConfig::default(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            aliases: BTreeMap::new(),
            keys: BTreeMap::new(),
            account: AccountConfig::default(),
            media: MediaConfig::default(),
            routing: RoutingConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// The configured provider of that name or alias, in any case: its name and configuration.
    pub fn provider(&self, name: &str) -> Option<(&str, &ProviderConfig)> {
        let by_name = self.providers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let by_alias = || {
            self.providers.iter().find(|(_, provider)| {
                provider.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
            })
        };
        by_name.or_else(by_alias).map(|(key, provider)| (key.as_str(), provider))
    }
}

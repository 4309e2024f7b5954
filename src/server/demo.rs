//! `--demo`: a provider and a key out of thin air, so that a newcomer sees a streamed answer
//! before having an account anywhere.
//!
//! The provider is the built-in mock, on a loopback port of its own; the key is made anew at each
//! start and never stored.

use crate::config::{
    BaseUrl, Config, EndpointConfig, KeyConfig, ModelConfig, PriceTable, ProviderConfig,
    ProviderFormat, ProviderKind, SecretRef,
};
use crate::id;
use crate::mock::{Mock, Options};
use crate::money::Price;
use crate::secret::Secret;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::net::{Ipv4Addr, SocketAddr};

/// Name of the built-in provider, and of the key that comes with it.
const PROVIDER: &str = "mock";

/// What the demo adds to a configuration.
#[derive(Debug, Clone)]
pub struct Demo {
    mock: SocketAddr,
    key: Secret,
}

impl Demo {
    /// A demo whose mock listens at this address.
    pub fn new(mock: SocketAddr) -> Self {
        Self { mock, key: id::new_regular_key() }
    }

    /// The key to call the gateway with.
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// Adds the provider `mock`, a model of it, and the key.
    pub fn add_to(&self, config: &mut Config) {
        if let Ok(base_url) = format!("http://{}", self.mock).parse() {
            config.providers.insert(PROVIDER.to_owned(), provider(base_url));
        }
        config.models.insert(format!("{PROVIDER}/demo"), model());
        config.defaults.provider.get_or_insert_with(|| PROVIDER.to_owned());
        config.defaults.model.get_or_insert_with(|| format!("{PROVIDER}/demo"));
        let key = KeyConfig {
            secret: Some(SecretRef::Literal(self.key.clone())),
            ..KeyConfig::default()
        };
        config.keys.insert(PROVIDER.to_owned(), key);
    }

    /// Where the mock listens.
    pub fn address(&self) -> SocketAddr {
        self.mock
    }

    /// A command line that works at once.
    pub fn curl(&self, listen: SocketAddr) -> String {
        format!(
            "curl -N http://{listen}/v1/chat/completions \\\n  \
             -H 'Authorization: Bearer {}' \\\n  \
             -H 'Content-Type: application/json' \\\n  \
             -d '{{\"model\":\"mock/demo\",\"stream\":true,\
             \"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'",
            self.key.expose()
        )
    }
}

fn provider(base_url: BaseUrl) -> ProviderConfig {
    ProviderConfig {
        format: Some(ProviderFormat::Openai),
        base_url: Some(base_url),
        kind: Some(ProviderKind::Standard),
        private_network: true,
        ..ProviderConfig::default()
    }
}

/// A model with a price, so that a newcomer sees costs as well.
fn model() -> ModelConfig {
    let price = PriceTable {
        prompt: Price::from_pico_per_token(1_000_000),
        completion: Price::from_pico_per_token(2_000_000),
        ..PriceTable::default()
    };
    ModelConfig {
        endpoints: Some(vec![EndpointConfig {
            provider: PROVIDER.to_owned(),
            price: Some(price),
            ..EndpointConfig::default()
        }]),
        ..ModelConfig::default()
    }
}

/// Reserves a loopback port for the mock.
pub fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Runs the mock provider beside the gateway.
pub struct MockService {
    address: SocketAddr,
}

impl MockService {
    /// A mock that will listen at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }
}

#[async_trait]
impl BackgroundService for MockService {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        match Mock::bind(self.address, Options { demo: true, ..Options::default() }).await {
            Ok(mock) => {
                mock.serve(async move {
                    // An error means the sender is gone, which is a shutdown as well.
                    let _changed = shutdown.changed().await;
                })
                .await;
            }
            Err(error) => tracing::error!(%error, "the demo provider could not listen"),
        }
    }
}

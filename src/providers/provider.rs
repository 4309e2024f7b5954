//! One configured provider, ready to be called.
//!
//! Built once per configuration and shared by all requests of that generation. Its keys are
//! header values marked sensitive; they leave this type only in a request to this provider.

use super::key_pool::{KeyPool, bare};
use super::{Authorization, Vendor};
use crate::catalog::List;
use crate::error::GatewayError;
use crate::formats::ApiFormat;
use crate::formats::openai_chat::dialect::Dialect;
use crate::upstream::Upstream;
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A provider of the configuration.
pub struct Provider {
    /// Its name in the configuration, in paths and in model prefixes.
    pub slug: Arc<str>,
    /// Its name in answers.
    pub display_name: Arc<str>,
    /// Other names a model prefix may use.
    pub aliases: Vec<String>,
    /// How to talk to it.
    pub vendor: Arc<dyn Vendor>,
    /// How it differs from OpenAI, where it speaks OpenAI's format.
    pub dialect: &'static Dialect,
    /// What its models cost and can, as far as that is known without a configuration.
    pub price_list: Option<&'static List<'static>>,
    /// Where it listens.
    pub upstream: Upstream,
    /// `Host` of its requests.
    pub authority: HeaderValue,
    /// Path that every call begins with, without a trailing slash.
    pub base_path: String,
    /// Its keys.
    pub keys: KeyPool,
    /// Headers the operator adds to every request.
    pub extra_headers: Vec<(HeaderName, HeaderValue)>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Whether closing the connection stops generation and billing.
    pub honours_cancel: bool,
    /// Whether it is called on a contract of the callers' own.
    pub byok: bool,
    /// Whether it has agreed to keep nothing of what it is sent.
    pub zero_retention: bool,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("slug", &self.slug).finish_non_exhaustive()
    }
}

impl Provider {
    /// Wire format in which it serves a model.
    pub fn format(&self, model: &str) -> ApiFormat {
        self.vendor.format(model)
    }

    /// Overwrites everything secret that a request carries in an answer that echoes it, with as
    /// many characters, so that lengths stay true.
    pub fn mask(&self, text: &mut [u8]) {
        self.with_secrets(|secret| overwrite(text, secret));
    }

    /// Whether a text holds anything secret that a request carries.
    pub fn is_secret(&self, text: &[u8]) -> bool {
        let mut found = false;
        self.with_secrets(|secret| found |= memchr::memmem::find(text, secret).is_some());
        found
    }

    /// An error without the secrets that the provider's words hold.
    pub fn masked(&self, mut error: GatewayError) -> GatewayError {
        let clean = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            self.mask(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if let Cow::Owned(message) = &error.message {
            error.message = clean(message).into();
        }
        error.provider_code = error.provider_code.as_deref().map(|code| clean(code).into());
        error.detail = error.detail.as_deref().map(clean);
        error
    }

    /// Shows every secret as it appears in a header.
    fn with_secrets(&self, mut show: impl FnMut(&[u8])) {
        self.keys.secrets().for_each(&mut show);
        match self.vendor.authorization() {
            Authorization::Key => {}
            Authorization::Signature(signer) => signer.sent_secrets().for_each(show),
            Authorization::Token(tokens) => {
                tokens.sent().for_each(|token| show(bare(token.header().as_bytes())));
            }
        }
    }

    /// Every name the provider goes by: slug, display name, aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&*self.slug, &*self.display_name]
            .into_iter()
            .chain(self.aliases.iter().map(String::as_str))
    }
}

/// The time limits of an upstream call.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the end of the request until the response header of a stream.
    pub first_byte: Duration,
    /// The same of a whole answer, whose header often comes with its last byte.
    pub whole_first_byte: Duration,
    /// From the response header until the first content event.
    pub first_token: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// For the whole request, over all attempts.
    pub total: Duration,
}

fn overwrite(text: &mut [u8], secret: &[u8]) {
    let found: Vec<usize> = memchr::memmem::find_iter(text, secret).collect();
    for start in found {
        let end = start.saturating_add(secret.len());
        if let Some(part) = text.get_mut(start..end) {
            part.fill(b'*');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::formats::openai_chat::dialect::OPENAI;
    use crate::providers::{ProviderKey, vendor};
    use crate::upstream::{Http2, UpstreamOptions};

    fn provider(keys: Vec<ProviderKey>) -> Provider {
        let second = Duration::from_secs(1);
        let options = UpstreamOptions {
            host: "127.0.0.1".into(),
            port: 1,
            tls: false,
            http2: Http2::Never,
            ca: None,
            connect_timeout: second,
            allow_private: true,
            group_key: 0,
        };
        Provider {
            slug: "p".into(),
            display_name: "P".into(),
            aliases: Vec::new(),
            vendor: vendor(ApiFormat::OpenAiChat),
            dialect: &OPENAI,
            price_list: None,
            upstream: Upstream::new(options),
            authority: HeaderValue::from_static("h"),
            base_path: String::new(),
            keys: KeyPool::new(keys),
            extra_headers: Vec::new(),
            timeouts: Timeouts {
                first_byte: second,
                whole_first_byte: second,
                first_token: second,
                idle: second,
                total: second,
            },
            honours_cancel: true,
            byok: false,
            zero_retention: false,
        }
    }

    #[test]
    fn a_key_is_masked_wherever_it_stands() {
        let key = |secret: &str| ProviderKey {
            name: http::header::AUTHORIZATION,
            value: format!("Bearer {secret}").parse().unwrap(),
            weight: 1,
            models: None,
        };
        let pool = provider(vec![key("sk-1"), key("other")]);
        assert!(pool.is_secret(b"the other one") && !pool.is_secret(b"none"));
        let mut text = *b"abc sk-1 sk-1x other";
        pool.mask(&mut text);
        assert_eq!(&text, b"abc **** ****x *****");
        let error = GatewayError::upstream(Kind::InvalidRequest, "no sk-1".to_owned());
        let masked = pool.masked(error.with_detail("key other"));
        assert_eq!((&*masked.message, masked.detail.as_deref()), ("no ****", Some("key *****")));
        let mut nothing = *b"abc";
        provider(vec![key("")]).mask(&mut nothing);
        assert_eq!(&nothing, b"abc");
    }
}

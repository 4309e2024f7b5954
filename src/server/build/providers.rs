//! One provider of the configuration, ready to be called: its vendor, its address, its keys.
//!
//! Used by [`super::snapshot`]. Pure but for the certificate files it reads; nothing is connected,
//! resolved or fetched.

use super::BuildError;
use crate::catalog::{self, List};
use crate::config::{
    self, BaseUrl, ProviderConfig, ProviderFormat, ProviderKind, ResolvedAccount, ResolvedKey,
    ResolvedSecrets,
};
use crate::formats::ApiFormat;
use crate::formats::openai_chat::dialect::{Dialect, OPENAI};
use crate::providers::azure::Azure;
use crate::providers::bedrock::{self, Bedrock};
use crate::providers::google_account::ServiceAccount;
use crate::providers::google_token::{TokenService, TokenSource};
use crate::providers::known::KnownProvider;
use crate::providers::sigv4::{AwsCredential, Signer};
use crate::providers::vertex::Vertex;
use crate::providers::{KeyPool, Provider, ProviderKey, Timeouts, Vendor, known, vendor};
use crate::upstream::{Http2, Upstream, UpstreamOptions};
use http::{HeaderName, HeaderValue};
use pingora::protocols::tls::CaType;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Builds a provider with the secrets that could be read.
pub(super) fn provider(
    slug: &str,
    config: &ProviderConfig,
    secrets: &ResolvedSecrets,
) -> Result<Provider, BuildError> {
    let bad = |what| BuildError::Header { provider: slug.to_owned(), what };
    // A configuration that was checked has both.
    let base = config.base_url.as_ref().ok_or_else(|| bad("an address that is missing"))?;
    let account = secrets.accounts.get(slug).cloned().unwrap_or_default();
    let options = upstream_options(slug, config, base)?;
    let vendor = vendor_of(slug, config, (base, &options, &account))?;
    let keys = secrets.providers.get(slug).map(Vec::as_slice).unwrap_or_default();
    let base_path = match config.kind() {
        ProviderKind::Azure => Azure::base_path(base.path()),
        _ => base.path(),
    };
    Ok(Provider {
        slug: slug.into(),
        display_name: display_name(slug).into(),
        aliases: config.aliases.clone(),
        keys: KeyPool::new(pool(slug, &*vendor, keys)?),
        vendor,
        dialect: dialect(config),
        price_list: price_list(config),
        upstream: Upstream::new(options),
        authority: HeaderValue::from_str(&base.authority()).map_err(|_| bad("the host"))?,
        base_path: base_path.trim_end_matches('/').to_owned(),
        extra_headers: extra_headers(slug, config)?,
        timeouts: timeouts(config.timeouts),
        honours_cancel: config.honours_cancel,
        byok: config.byok,
        zero_retention: config.data_policy.zdr,
    })
}

fn pool(
    slug: &str,
    vendor: &dyn Vendor,
    keys: &[ResolvedKey],
) -> Result<Vec<ProviderKey>, BuildError> {
    let bad = || BuildError::Header { provider: slug.to_owned(), what: "a key" };
    let usable = |key: &ResolvedKey| {
        let (name, value) = vendor.credential(&key.secret).ok_or_else(bad)?;
        let weight = usize::try_from(key.weight).unwrap_or(1);
        Ok(ProviderKey { name, value, weight, models: key.models.clone() })
    };
    keys.iter().map(usable).collect()
}

fn extra_headers(
    slug: &str,
    config: &ProviderConfig,
) -> Result<Vec<(HeaderName, HeaderValue)>, BuildError> {
    let bad = |what| BuildError::Header { provider: slug.to_owned(), what };
    let header = |(name, value): (&String, &String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a header name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| bad("a header value"))?;
        Ok((name, value))
    };
    config.headers.iter().map(header).collect()
}

/// How the provider is spoken to.
fn vendor_of(
    slug: &str,
    config: &ProviderConfig,
    (base, options, account): (&BaseUrl, &UpstreamOptions, &ResolvedAccount),
) -> Result<Arc<dyn Vendor>, BuildError> {
    let format = config.format.map(api_format);
    Ok(match config.kind() {
        ProviderKind::Standard => vendor(format.unwrap_or(ApiFormat::OpenAiChat)),
        ProviderKind::Azure => Arc::new(Azure::new(
            format.unwrap_or(ApiFormat::OpenAiChat),
            config.api_version.as_deref(),
            base.path(),
        )),
        ProviderKind::Bedrock => {
            let signer = signer(config, account);
            if signer.as_ref().is_some_and(|signer| !signer.is_sendable()) {
                let what = "an access key";
                return Err(BuildError::Header { provider: slug.to_owned(), what });
            }
            Arc::new(Bedrock::new(format.unwrap_or(ApiFormat::Bedrock), signer))
        }
        ProviderKind::Vertex => {
            let (project, tokens) = google(slug, config, (options, account))?;
            let region = config.region.as_deref().unwrap_or("global");
            Arc::new(Vertex::new((&project, region), format, tokens))
        }
    })
}

fn signer(config: &ProviderConfig, account: &ResolvedAccount) -> Option<Signer> {
    let credential = AwsCredential {
        access_key_id: account.access_key_id.clone()?,
        secret_access_key: account.secret_access_key.clone()?,
        session_token: account.session_token.clone(),
    };
    let region = config.region.as_deref().unwrap_or_default();
    Some(Signer::new(credential, region, bedrock::SERVICE))
}

/// The project of a service account and the tokens it gives.
fn google(
    slug: &str,
    config: &ProviderConfig,
    (options, account): (&UpstreamOptions, &ResolvedAccount),
) -> Result<(String, TokenSource), BuildError> {
    let bad = |reason: String| BuildError::Credentials { provider: slug.to_owned(), reason };
    let missing = |what: &str| bad(format!("there is no {what}"));
    let json = account.credentials.as_ref().ok_or_else(|| missing("service account"))?;
    let account = ServiceAccount::read(json).map_err(|error| bad(error.to_string()))?;
    let project = config.project.clone().or_else(|| account.project.clone());
    let project = project.ok_or_else(|| missing("project; set `project`"))?;
    let bad_uri = |reason: String| bad(format!("its `token_uri` cannot be called: {reason}"));
    let (address, query) = match account.token_uri.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (account.token_uri.as_str(), String::new()),
    };
    let base: BaseUrl = address.parse().map_err(|error| bad_uri(format!("{error}")))?;
    let is_private = base.written_class() == Some(config::AddressClass::Private);
    if is_private && !config.private_network {
        return Err(bad_uri("it is a private address; private_network = true allows it".into()));
    }
    let service = TokenService {
        upstream: Upstream::new(UpstreamOptions {
            group_key: options.group_key.wrapping_add(1),
            ..address_options(&base, config, options)
        }),
        authority: HeaderValue::from_str(&base.authority())
            .map_err(|error| bad_uri(error.to_string()))?,
        target: format!("{}{query}", base.path()),
    };
    Ok((project, TokenSource::new(account, service)))
}

/// Another address under the same rules.
fn address_options(
    base: &BaseUrl,
    config: &ProviderConfig,
    options: &UpstreamOptions,
) -> UpstreamOptions {
    UpstreamOptions {
        host: base.host().to_owned(),
        port: base.port(),
        tls: base.tls(),
        allow_private: config.private_network || base.host().eq_ignore_ascii_case("localhost"),
        ..options.clone()
    }
}

fn api_format(format: ProviderFormat) -> ApiFormat {
    match format {
        ProviderFormat::Openai => ApiFormat::OpenAiChat,
        ProviderFormat::Responses => ApiFormat::OpenAiResponses,
        ProviderFormat::Anthropic => ApiFormat::Anthropic,
        ProviderFormat::Gemini => ApiFormat::Gemini,
        ProviderFormat::Bedrock => ApiFormat::Bedrock,
    }
}

/// How it differs from OpenAI.
fn dialect(config: &ProviderConfig) -> &'static Dialect {
    let known = config.dialect.as_deref().and_then(known::provider);
    known.map_or(&OPENAI, |known| &known.dialect)
}

/// The built-in list that says what its models cost: that of the cloud, of the provider it is like,
/// or of the provider at the same address.
pub(super) fn price_list(config: &ProviderConfig) -> Option<&'static List<'static>> {
    let name = match config.kind() {
        ProviderKind::Azure => Some("azure"),
        ProviderKind::Bedrock => Some("bedrock"),
        ProviderKind::Vertex => Some("vertex"),
        ProviderKind::Standard => config.dialect.as_deref(),
    };
    if let Some(name) = name {
        return catalog::list(name);
    }
    let address = config.base_url.as_ref()?.to_string();
    let same = |known: &&KnownProvider| {
        known.base_url.as_deref().is_some_and(|url| url == address.trim_end_matches('/'))
    };
    known::providers().iter().find(same).and_then(|known| catalog::list(&known.name))
}

/// The name people know; a slug of one's own gets a capital letter.
fn display_name(slug: &str) -> String {
    if let Some(known) = known::provider(slug) {
        return known.display_name.clone();
    }
    if let Some((_, name)) = DISPLAY_NAMES.iter().find(|(known, _)| *known == slug) {
        return (*name).to_owned();
    }
    let mut letters = slug.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Names whose spelling is not their slug with a capital letter.
const DISPLAY_NAMES: &[(&str, &str)] = &[("xai", "xAI"), ("vllm", "vLLM")];

/// How long a stream may keep the first byte back, if nobody says.
const STREAM_FIRST_BYTE_MS: u64 = 60_000;

fn timeouts(config: config::Timeouts) -> Timeouts {
    let first_byte =
        |unless_said| Duration::from_millis(config.first_byte_ms.unwrap_or(unless_said));
    Timeouts {
        first_byte: first_byte(STREAM_FIRST_BYTE_MS),
        whole_first_byte: first_byte(config.total_ms),
        first_token: Duration::from_millis(config.first_token_ms),
        idle: Duration::from_millis(config.idle_ms),
        total: Duration::from_millis(config.total_ms),
    }
}

fn upstream_options(
    slug: &str,
    config: &ProviderConfig,
    base: &BaseUrl,
) -> Result<UpstreamOptions, BuildError> {
    let pem = config.ca_file.as_deref().map(|path| authority_file(slug, path)).transpose()?;
    let ca = pem.as_deref().map(|pem| authority(slug, pem)).transpose()?;
    let is_loopback_name = base.host().eq_ignore_ascii_case("localhost");
    Ok(UpstreamOptions {
        host: base.host().to_owned(),
        port: base.port(),
        tls: base.tls(),
        http2: match config.http2 {
            config::Http2::Auto => Http2::Auto,
            config::Http2::Never => Http2::Never,
            config::Http2::Always => Http2::Always,
        },
        ca,
        connect_timeout: Duration::from_millis(config.timeouts.connect_ms),
        allow_private: config.private_network || is_loopback_name,
        group_key: group_key(slug, config.http2, pem.as_deref()),
    })
}

/// Connections are shared by providers only if they are the same in every respect that matters.
/// The authority counts by its content: what was connected under a former one is not used again.
fn group_key(slug: &str, http2: config::Http2, authority: Option<&[u8]>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    slug.hash(&mut hasher);
    authority.hash(&mut hasher);
    format!("{http2:?}").hash(&mut hasher);
    hasher.finish()
}

fn authority_file(slug: &str, path: &Path) -> Result<Vec<u8>, BuildError> {
    let bad = |error: std::io::Error| BuildError::Authority {
        provider: slug.to_owned(),
        reason: format!("{}: {error}", path.display()),
    };
    std::fs::read(path).map_err(bad)
}

/// The certificates of an operator's own authority. They are parsed with rustls first: Pingora's
/// parser panics on what it cannot read.
fn authority(slug: &str, pem: &[u8]) -> Result<Arc<CaType>, BuildError> {
    let bad = |reason: String| BuildError::Authority { provider: slug.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    let mut authorities = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
        authorities.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    if authorities.is_empty() {
        return Err(bad("the file holds no certificate".into()));
    }
    Ok(Arc::from(authorities.into_boxed_slice()))
}

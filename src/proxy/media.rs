//! Pictures and files that a request names by address, fetched where the provider only takes bytes.
//!
//! The addresses come from callers, so that every one is judged: the scheme, the host by the
//! operator's list, and each address the host resolves to; a redirection may not leave the host.
//! Sizes, types, number and time are bounded. What was fetched is kept for the request's next attempt.

use crate::chat::message::Media;
use crate::chat::{Part, Request};
use crate::config::MediaConfig;
use crate::error::{GatewayError, Kind};
use crate::formats::{self, ApiFormat, MediaKind, Target};
use crate::upstream::side_call::{self, Bounds, SideCallError};
use crate::upstream::{Http2, Upstream, UpstreamOptions, address_policy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::try_join_all;
use http::Uri;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Most addresses of one request that are fetched.
const MAX_FETCHES: usize = 16;
/// Redirections that are followed for one address.
const MAX_REDIRECTIONS: usize = 3;
/// What is said of a file that did not come.
const LATE: &str = "a file could not be fetched in time";
/// Time to connect to a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What was fetched for one request, by address.
#[derive(Debug, Default)]
pub struct Fetched(HashMap<String, File>);

#[derive(Debug, Clone)]
struct File {
    mime: String,
    base64: String,
}

impl Fetched {
    /// Puts bytes in the place of every address the provider's format cannot take.
    pub async fn inline(
        &mut self,
        request: &mut Request<'_>,
        (upstream, target): (ApiFormat, Target<'_>),
        (connector, policy): (&Connector, &MediaConfig),
    ) -> Result<(), GatewayError> {
        let mut wanted: Vec<String> = Vec::new();
        visit(request, &mut |kind, media| {
            if let Media::Url(url) = media
                && formats::needs_bytes(upstream, target, kind, url)
                && !self.0.contains_key(url.as_ref())
                && !wanted.iter().any(|known| known == url.as_ref())
            {
                wanted.push(url.to_string());
            }
        });
        if !wanted.is_empty() {
            self.fetch_all(wanted, connector, policy).await?;
        }
        visit(request, &mut |kind, media| {
            let Media::Url(url) = &*media else { return };
            if !formats::needs_bytes(upstream, target, kind, url) {
                return;
            }
            if let Some(file) = self.0.get(url.as_ref()).cloned() {
                *media = Media::Base64 { mime: file.mime.into(), data: file.base64.into() };
            }
        });
        Ok(())
    }

    async fn fetch_all(
        &mut self,
        wanted: Vec<String>,
        connector: &Connector,
        policy: &MediaConfig,
    ) -> Result<(), GatewayError> {
        if !policy.fetch {
            return Err(refused("the provider of this model takes files as data only"));
        }
        if wanted.len() > MAX_FETCHES {
            return Err(refused(format!("more than {MAX_FETCHES} files would have to be fetched")));
        }
        let fetches = wanted.into_iter().map(|url| async move {
            let file = fetch(&url, connector, policy).await?;
            Ok::<_, GatewayError>((url, file))
        });
        let limit = Duration::from_secs(policy.timeout_s);
        let files = tokio::time::timeout(limit, try_join_all(fetches))
            .await
            .unwrap_or_else(|_| Err(refused(LATE)))?;
        self.0.extend(files);
        Ok(())
    }
}

/// Sees a place of a request where media stand.
type See<'s> = dyn FnMut(MediaKind, &mut Media<'_>) + 's;

/// Shows every place of a request where media stand.
fn visit(request: &mut Request<'_>, see: &mut See<'_>) {
    for message in &mut request.messages {
        visit_parts(&mut message.parts, see);
    }
}

fn visit_parts(parts: &mut [Part<'_>], see: &mut See<'_>) {
    for part in parts {
        match part {
            Part::Image { source, .. } => see(MediaKind::Image, source),
            Part::File { source, .. } => see(MediaKind::File, source),
            Part::Video { source } => see(MediaKind::Video, source),
            Part::ToolResult { parts, .. } => visit_parts(parts, see),
            _ => {}
        }
    }
}

fn refused(text: impl Into<std::borrow::Cow<'static, str>>) -> GatewayError {
    let mut error = GatewayError::client(Kind::InvalidRequest, text).with_param("messages");
    error.provider_code = Some("image_download_failed".into());
    error
}

fn unreachable_host() -> GatewayError {
    refused("a file named in the request could not be fetched")
}

/// An address that may be asked.
struct Place {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Place {
    fn judge(url: &str, policy: &MediaConfig) -> Result<Self, GatewayError> {
        let uri: Uri =
            url.parse().map_err(|_| refused("an address in the request is not valid"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if policy.allowed_hosts.is_some() => false,
            _ => return Err(refused("only https addresses can be fetched")),
        };
        let authority = uri.authority().ok_or_else(unreachable_host)?;
        if authority.as_str().contains('@') {
            return Err(refused("an address in the request holds a credential"));
        }
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let listed = policy.allowed_hosts.as_ref().map(|hosts| is_listed(hosts, &host));
        if listed == Some(false) {
            return Err(refused("files of this host are not fetched"));
        }
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let private_allowed = policy.private_network && listed == Some(true);
        if literal.is_ok_and(|address| !private_allowed && !address_policy::is_public(address)) {
            return Err(refused("files of this host are not fetched"));
        }
        Ok(Self { uri, host, port, tls })
    }

    fn upstream(&self, policy: &MediaConfig) -> Upstream {
        Upstream::new(UpstreamOptions {
            host: self.host.clone(),
            port: self.port,
            tls: self.tls,
            http2: Http2::Never,
            ca: None,
            connect_timeout: CONNECT_TIMEOUT,
            allow_private: policy.private_network && policy.allowed_hosts.is_some(),
            // Nobody else uses a connection that a caller's address led to.
            group_key: rand::random(),
        })
    }

    fn header(&self) -> Result<RequestHeader, GatewayError> {
        let bad = |_| unreachable_host();
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut header = RequestHeader::build("GET", target.as_bytes(), Some(4)).map_err(bad)?;
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        header.insert_header(HOST, authority).map_err(bad)?;
        header.insert_header(ACCEPT, "*/*").map_err(bad)?;
        header.insert_header(ACCEPT_ENCODING, "identity").map_err(bad)?;
        header
            .insert_header(USER_AGENT, concat!("arouter/", env!("CARGO_PKG_VERSION")))
            .map_err(bad)?;
        Ok(header)
    }
}

/// `*.example.com` stands for every name below `example.com`.
fn is_listed(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|listed| match listed.strip_prefix("*.") {
        Some(parent) => {
            host.strip_suffix(&parent.to_ascii_lowercase()).is_some_and(|rest| rest.ends_with('.'))
        }
        None => listed.eq_ignore_ascii_case(host),
    })
}

async fn fetch(
    url: &str,
    connector: &Connector,
    policy: &MediaConfig,
) -> Result<File, GatewayError> {
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTIONS {
        let place = Place::judge(&url, policy)?;
        match get(&place, connector, policy).await? {
            Got::File(file) => return Ok(file),
            Got::Elsewhere(location) => {
                let next = absolute(&place, &location);
                let host = Place::judge(&next, policy)?.host;
                if host != place.host {
                    return Err(refused("a file named in the request is at another host"));
                }
                url = next;
            }
        }
    }
    Err(refused("a file named in the request is redirected too often"))
}

enum Got {
    File(File),
    Elsewhere(String),
}

/// A redirection may name a path only.
fn absolute(place: &Place, location: &str) -> String {
    if location.starts_with('/') && !location.starts_with("//") {
        let scheme = if place.tls { "https" } else { "http" };
        let authority = place.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    }
}

async fn get(
    place: &Place,
    connector: &Connector,
    policy: &MediaConfig,
) -> Result<Got, GatewayError> {
    let time = Duration::from_secs(policy.timeout_s);
    let bounds = Bounds { max_bytes: policy.max_bytes, time };
    let request = (place.header()?, Bytes::new());
    let answer = side_call::call(connector, &place.upstream(policy), request, bounds)
        .await
        .map_err(|error| unfetched(&error))?;
    let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    match answer.status {
        200 => {}
        301 | 302 | 303 | 307 | 308 => {
            let location = text(LOCATION).ok_or_else(unreachable_host)?;
            return Ok(Got::Elsewhere(location.to_owned()));
        }
        _ => return Err(unreachable_host()),
    }
    let declared = text(CONTENT_TYPE).unwrap_or_default();
    let mime = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !is_usable(&mime) {
        return Err(refused("a file named in the request is of no usable type"));
    }
    Ok(Got::File(File { mime, base64: STANDARD.encode(&answer.body) }))
}

fn unfetched(error: &SideCallError) -> GatewayError {
    match error {
        SideCallError::TooLarge(bytes) => refused(format!("a file is larger than {bytes} bytes")),
        SideCallError::Late(_) => refused(LATE),
        _ => unreachable_host(),
    }
}

/// Types that a model can read; what stands in a page about the file is none.
fn is_usable(mime: &str) -> bool {
    const PLAIN: [&str; 5] =
        ["", "application/octet-stream", "application/pdf", "text/plain", "text/csv"];
    let kinds = ["image/", "audio/", "video/"];
    PLAIN.contains(&mime) || kinds.iter().any(|kind| mime.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, policy: &MediaConfig) -> Option<String> {
        Place::judge(url, policy).err().map(|error| error.message.into_owned())
    }

    #[test]
    fn only_what_the_operator_allows_is_asked() {
        let open = MediaConfig::default();
        for url in ["https://example.com/a.png", "https://example.com:8080/", "https://8.8.8.8/x"] {
            assert_eq!(refusal(url, &open), None, "{url}");
        }
        for url in [
            "ftp://example.com/a",
            "http://example.com/a",
            "file:///etc/passwd",
            "https://user:pw@example.com/a",
            "http://127.0.0.1/a",
            "http://[::1]/a",
            "http://[::ffff:169.254.169.254]/a",
            "http://169.254.169.254/latest/meta-data",
            "//example.com/a",
            "",
        ] {
            assert!(refusal(url, &open).is_some(), "{url}");
        }
        let listed = MediaConfig {
            allowed_hosts: Some(vec!["cdn.example.com".into(), "*.img.example".into()]),
            ..MediaConfig::default()
        };
        assert_eq!(refusal("https://CDN.example.com/a", &listed), None);
        assert_eq!(refusal("http://a.b.img.example/a", &listed), None);
        for url in ["https://example.com/a", "https://img.example/a", "https://evilimg.example/a"] {
            assert!(refusal(url, &listed).is_some(), "{url}");
        }
    }

    #[test]
    fn private_hosts_have_to_be_listed() {
        let host = |hosts| MediaConfig {
            private_network: true,
            allowed_hosts: hosts,
            ..MediaConfig::default()
        };
        assert!(refusal("http://127.0.0.1/a", &host(None)).is_some());
        let listed = host(Some(vec!["127.0.0.1".into()]));
        assert_eq!(refusal("http://127.0.0.1:9/a", &listed), None);
    }

    #[test]
    fn redirections_may_be_relative() {
        let place = Place::judge("https://example.com:444/a/b", &MediaConfig::default()).unwrap();
        assert_eq!(absolute(&place, "/c"), "https://example.com:444/c");
        assert_eq!(absolute(&place, "http://x.example/"), "http://x.example/");
        assert!(refusal(&absolute(&place, "//127.0.0.1/c"), &MediaConfig::default()).is_some());
    }
}

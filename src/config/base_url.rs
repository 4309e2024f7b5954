//! [`BaseUrl`]: the strictly read address of a provider.
//!
//! Used by `upstream` to connect and by `providers` to build paths. Only one spelling of a host is
//! accepted, so that the address that was checked is the address that is called: no user part, no
//! query, no backslash, no IP address in an odd form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::AddressClass;

/// `http` or `https`, a host, a port and a path.
#[derive(Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct BaseUrl {
    tls: bool,
    host: String,
    address: Option<IpAddr>,
    port: u16,
    explicit_port: bool,
    path: String,
}

/// Why a text is not the address of a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Another scheme, or none.
    #[error("an address starts with https:// or http://")]
    Scheme,
    /// `user@` or `user:password@`.
    #[error("an address has no user part; credentials belong into `keys`")]
    UserPart,
    /// `?` or `#`.
    #[error("an address has no query and no fragment; use `headers` or the format's own settings")]
    Query,
    /// White space, control characters, backslashes, or anything outside ASCII.
    #[error("an address has only visible ASCII characters and no backslash")]
    Character,
    /// Not a name and not an address.
    #[error("not a host name or IP address")]
    Host,
    /// An IPv4 address that is not four decimal numbers.
    #[error("an IP address is written as four decimal numbers, like 192.0.2.1")]
    OddAddress,
    /// A host that is never a provider.
    #[error("providers cannot be at link-local, metadata, multicast or unspecified addresses")]
    Forbidden,
    /// Not from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// `..`, `.`, empty or encoded segments.
    #[error("a path has no empty, `.` or `..` segments and no percent encoding")]
    Path,
}

impl BaseUrl {
    /// Whether the connection is encrypted.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Host name in lower case, or IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, if the host is written as one.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Port, 443 or 80 if not written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path without a trailing slash: empty, or `/v1`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Host` header: host, and port if written.
    pub fn authority(&self) -> String {
        let host = match self.address {
            Some(IpAddr::V6(_)) => format!("[{}]", self.host),
            _ => self.host.clone(),
        };
        if self.explicit_port { format!("{host}:{}", self.port) } else { host }
    }

    /// What kind of network the host is in, if that is plain from how it is written.
    pub fn written_class(&self) -> Option<AddressClass> {
        let localhost = self.host == "localhost" || self.host.ends_with(".localhost");
        let by_name = localhost.then_some(AddressClass::Loopback);
        self.address.map(AddressClass::of).or(by_name)
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        if text.bytes().any(|b| !b.is_ascii_graphic() || b == b'\\') {
            return Err(BaseUrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BaseUrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(BaseUrlError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(BaseUrlError::Query);
        }
        let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some(parts) => parts,
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(BaseUrlError::UserPart);
        }
        let (host, port) = split_port(authority)?;
        let (host, address) = read_host(host)?;
        if address.is_some_and(|ip| AddressClass::of(ip) == AddressClass::Forbidden) {
            return Err(BaseUrlError::Forbidden);
        }
        let port_number = port.unwrap_or(if tls { 443 } else { 80 });
        let path = read_path(path)?;
        Ok(Self { tls, host, address, port: port_number, explicit_port: port.is_some(), path })
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), BaseUrlError> {
    if authority.starts_with('[') && !authority.contains(']') {
        return Err(BaseUrlError::Host);
    }
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (_, tail) = authority.split_at_checked(after_bracket).ok_or(BaseUrlError::Host)?;
    let Some((before, port)) = tail.split_once(':') else { return Ok((authority, None)) };
    let host =
        authority.split_at_checked(after_bracket + before.len()).ok_or(BaseUrlError::Host)?;
    let plain = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if plain && number > 0 => Ok((host.0, Some(number))),
        _ => Err(BaseUrlError::Port),
    }
}

fn read_host(host: &str) -> Result<(String, Option<IpAddr>), BaseUrlError> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(BaseUrlError::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| BaseUrlError::Host)?;
        return Ok((address.to_string(), Some(IpAddr::V6(address))));
    }
    let host = host.to_ascii_lowercase();
    let last_label = host.rsplit('.').next().unwrap_or_default();
    let numeric = !last_label.is_empty() && last_label.bytes().all(|b| b.is_ascii_digit());
    if numeric || last_label.starts_with("0x") {
        let address: Ipv4Addr = host.parse().map_err(|_| BaseUrlError::OddAddress)?;
        return Ok((address.to_string(), Some(IpAddr::V4(address))));
    }
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(BaseUrlError::Host);
    }
    // The metadata services' names resolve to addresses refused above.
    if matches!(host.as_str(), "metadata.google.internal" | "metadata.goog" | "instance-data") {
        return Err(BaseUrlError::Forbidden);
    }
    Ok((host, None))
}

fn is_label(label: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(legal)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn read_path(path: &str) -> Result<String, BaseUrlError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let legal = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('%');
    if path.is_empty() || path.split('/').skip(1).all(legal) {
        return Ok(path.to_owned());
    }
    Err(BaseUrlError::Path)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_are_taken_apart() {
        for (text, host, port, path, authority) in [
            ("https://api.openai.com/v1", "api.openai.com", 443, "/v1", "api.openai.com"),
            ("https://Api.OpenAI.com/v1/", "api.openai.com", 443, "/v1", "api.openai.com"),
            ("http://127.0.0.1:9001", "127.0.0.1", 9001, "", "127.0.0.1:9001"),
            ("http://[::1]:9001/a/b", "::1", 9001, "/a/b", "[::1]:9001"),
            ("http://localhost/", "localhost", 80, "", "localhost"),
        ] {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.path()), (host, port, path), "{text}");
            assert_eq!(url.authority(), authority);
            assert_eq!(url.to_string().parse::<BaseUrl>().unwrap(), url);
        }
    }

    #[test]
    fn odd_addresses_are_refused() {
        use BaseUrlError as E;
        for (text, error) in [
            ("api.openai.com", E::Scheme),
            ("ftp://a.com", E::Scheme),
            ("https://a@b.com", E::UserPart),
            ("https://b.com/?x=1", E::Query),
            ("https://b.com/#x", E::Query),
            ("https://b.com\\@c.com", E::Character),
            ("https://b.com /", E::Character),
            ("https://bü.com", E::Character),
            ("http://169.254.169.254", E::Forbidden),
            ("http://[fd00:ec2::254]", E::Forbidden),
            ("http://[::ffff:7f00:1]", E::Forbidden),
            ("http://[::ffff:127.0.0.1]", E::Forbidden),
            ("http://0.0.0.0", E::Forbidden),
            ("http://0x7f000001", E::OddAddress),
            ("http://2130706433", E::OddAddress),
            ("http://0177.0.0.1", E::OddAddress),
            ("http://127.1", E::OddAddress),
            ("http://127.0.0.0x1", E::OddAddress),
            ("http://metadata.google.internal", E::Forbidden),
            ("http://localhost.", E::Host),
            ("http://127.0.0.1.", E::Host),
            ("http://", E::Host),
            ("http://-a.com", E::Host),
            ("http://[::1", E::Host),
            ("http://a.com:0", E::Port),
            ("http://a.com:+80", E::Port),
            ("http://a.com:65536", E::Port),
            ("http://a.com:", E::Port),
            ("http://a.com/../b", E::Path),
            ("http://a.com//b", E::Path),
            ("http://a.com/%2e", E::Path),
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(error), "{text}");
        }
    }
}

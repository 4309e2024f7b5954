//! Where one provider listens, ready to connect to.
//!
//! The peer is prepared once per configuration; a request clones it and fills in the address.
//! `group_key` keeps the connections of different providers apart, whatever they share, so that
//! nothing of one tenant's provider can reach another's.

use super::resolver::{ResolveError, Resolver};
use pingora::protocols::ALPN;
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::{HttpPeer, PeerOptions, Scheme};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Idle time after which a pooled connection is closed.
const POOL_IDLE: Duration = Duration::from_secs(90);
/// Interval of HTTP/2 pings, which is how a dead connection is noticed.
const H2_PING: Duration = Duration::from_secs(20);
/// Streams multiplexed on one HTTP/2 connection.
const MAX_H2_STREAMS: usize = 100;
/// What a provider may send ahead on one HTTP/2 stream: all of it is kept when a client stalls.
const H2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What it may send ahead on one connection: the windows of all streams fit in, so that stalled
/// streams do not take it from the others.
const H2_CONNECTION_WINDOW_BYTES: u32 = 100 * H2_STREAM_WINDOW_BYTES;
/// Kernel receive buffer per connection, so that a slow client does not make the kernel hoard.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// How to reach a provider.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// Host name or literal address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// Protocols offered.
    pub http2: Http2,
    /// Certificates trusted besides the system's; empty = the system's only.
    pub ca: Option<Arc<CaType>>,
    /// Time to connect, TLS not included.
    pub connect_timeout: Duration,
    /// Whether private addresses are allowed.
    pub allow_private: bool,
    /// Separates connection pools.
    pub group_key: u64,
}

/// Whether HTTP/2 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// Negotiated on TLS, not used without.
    Auto,
    /// HTTP/1.1 only.
    Never,
    /// HTTP/2 only, with prior knowledge on cleartext.
    Always,
}

/// A provider's listening place.
#[derive(Debug)]
pub struct Upstream {
    template: HttpPeer,
    literal: Option<SocketAddr>,
    resolver: Arc<Resolver>,
}

impl Upstream {
    /// Prepares the peer; nothing is resolved or connected yet.
    pub fn new(options: UpstreamOptions) -> Self {
        let literal = bare_host(&options.host)
            .parse::<IpAddr>()
            .ok()
            .map(|address| SocketAddr::new(address, options.port));
        let placeholder = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), options.port);
        let template = HttpPeer {
            _address: PeerAddress::Inet(literal.unwrap_or(placeholder)),
            scheme: if options.tls { Scheme::HTTPS } else { Scheme::HTTP },
            sni: bare_host(&options.host).to_owned(),
            proxy: None,
            client_cert_key: None,
            group_key: options.group_key,
            options: peer_options(&options),
        };
        let resolver = Resolver::new(options.host, options.port, options.allow_private);
        Self { template, literal, resolver: Arc::new(resolver) }
    }

    /// Goes on with the addresses that an older configuration's upstream learned of the same name.
    pub fn adopt(&self, older: &Self) {
        self.resolver.adopt(&older.resolver);
    }

    /// A peer with an address, to connect to now.
    pub async fn peer(&self) -> Result<HttpPeer, ResolveError> {
        let mut peer = self.template.clone();
        if self.literal.is_none() {
            peer._address = PeerAddress::Inet(self.resolver.next().await?);
        }
        Ok(peer)
    }
}

/// A literal IPv6 address stands in brackets in a URL.
fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn peer_options(options: &UpstreamOptions) -> PeerOptions {
    let mut peer = PeerOptions::new();
    peer.connection_timeout = Some(options.connect_timeout);
    // TCP and TLS each get the connect timeout.
    peer.total_connection_timeout = Some(options.connect_timeout.saturating_mul(2));
    peer.idle_timeout = Some(POOL_IDLE);
    peer.h2_ping_interval = Some(H2_PING);
    peer.max_h2_streams = MAX_H2_STREAMS;
    peer.h2_stream_window_size = Some(H2_STREAM_WINDOW_BYTES);
    peer.h2_connection_window_size = Some(H2_CONNECTION_WINDOW_BYTES);
    peer.tcp_recv_buf = Some(RECEIVE_BUFFER_BYTES);
    peer.ca.clone_from(&options.ca);
    peer.alpn = match (options.http2, options.tls) {
        (Http2::Always, _) => ALPN::H2,
        (Http2::Auto, true) => ALPN::H2H1,
        (Http2::Auto, false) | (Http2::Never, _) => ALPN::H1,
    };
    peer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(host: &str) -> UpstreamOptions {
        UpstreamOptions {
            host: host.into(),
            port: 443,
            tls: true,
            http2: Http2::Auto,
            ca: None,
            connect_timeout: Duration::from_secs(2),
            allow_private: false,
            group_key: 7,
        }
    }

    #[tokio::test]
    async fn literal_addresses_need_no_resolver() {
        for (host, expected) in
            [("192.0.2.1", "192.0.2.1:443"), ("[2001:db8::1]", "[2001:db8::1]:443")]
        {
            let peer = Upstream::new(options(host)).peer().await.unwrap();
            assert_eq!(peer._address.to_string(), expected);
            assert_eq!(peer.group_key, 7);
            assert!(!peer.sni.is_empty(), "an empty SNI switches verification off");
        }
    }
}

//! The least that Pingora can be: every request goes to one peer, no hook does anything.
//!
//! Run by the benchmark as a process of its own, with the gateway's allocator and one thread. What
//! the gateway costs beyond it is the gateway's own doing.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::prelude::{HttpPeer, http_proxy_service};
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;

use crate::Failure;

struct Bare {
    peer: HttpPeer,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _context: &mut (),
    ) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.peer.clone()))
    }
}

/// Serves on `port` in front of `upstream`, until the process is ended.
pub(crate) fn serve(port: &str, upstream: &str) -> Result<(), Failure> {
    let upstream: SocketAddr = upstream.parse()?;
    let conf = ServerConf { threads: 1, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let bare = Bare { peer: HttpPeer::new(upstream, false, String::new()) };
    let conf = Arc::clone(&server.configuration);
    let mut service = http_proxy_service(&conf, bare);
    service.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(service);
    server.run_forever()
}

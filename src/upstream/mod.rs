//! Connections to providers: which address, over which protocol, with which timeouts.
//!
//! Nothing here blocks a worker: names are resolved asynchronously and cached, and a request that
//! finds a fresh answer touches no lock.

pub mod address_policy;
pub mod inflate;
pub mod peer;
pub mod resolver;
pub mod side_call;

pub use inflate::{Inflate, InflateError};
pub use peer::{Http2, Upstream, UpstreamOptions};
pub use resolver::ResolveError;

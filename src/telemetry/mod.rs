//! What operators see: metrics and logs. Nothing here ever holds a credential, a prompt or an
//! answer, and no label takes its value from a request.

pub mod health_metrics;
mod lines;
pub mod logging;
pub mod metrics;
mod parameters;

pub use metrics::Metrics;

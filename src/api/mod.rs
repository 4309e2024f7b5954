//! Answers the gateway gives itself: from what is known to JSON.
//!
//! Models and generations are pure functions; management is [`call`] with its [`routes`].

pub mod call;
mod current_key;
pub mod generation;
pub mod models;
pub mod query;
pub mod routes;
pub mod usd;

pub use call::{Call, Context, Reply};
pub use routes::{Callers, Handler, Route};

//! Answers the gateway gives itself: from what is known to JSON.
//!
//! Models and generations are pure functions; management is [`call`] with its [`routes`].

mod account;
mod activity;
mod amount;
pub mod call;
pub mod catalogue;
mod current_key;
mod export;
pub mod fields;
pub mod generation;
pub mod keys;
pub mod moment;
mod once;
pub mod query;
pub mod routes;
mod seal;
mod usage;
pub mod usd;

pub use call::{Call, Context, Reply};
pub use routes::{Callers, Handler, Route};

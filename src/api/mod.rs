//! Answers the gateway gives itself: pure functions from what is known to JSON.

pub mod generation;
pub mod models;
pub mod usd;

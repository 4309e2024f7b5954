//! ARouter: a self-hosted LLM gateway on Pingora.
//!
//! Reading order: [`proxy`] is the life of a request from top to bottom; [`formats`] and [`chat`]
//! are the wire formats and the neutral vocabulary between them; [`config`] is what an operator
//! writes and [`server`] what is built from it.

pub mod cli;
pub mod server;

pub mod api;
pub mod mock;
pub mod proxy;

pub mod auth;
pub mod billing;
pub mod limits;
pub mod routing;
pub mod usage;

pub mod formats;
pub mod providers;
pub mod upstream;

pub mod catalog;
pub mod chat;
pub mod config;
pub mod store;
pub mod telemetry;

pub mod clock;
pub mod error;
pub mod id;
pub mod json;
pub mod money;
pub mod secret;
pub mod sse;

//! Integration tests: one binary, one module per subject.

mod asks;
mod bodies;
mod disconnects;
mod errors;
mod errors_table;
mod failures;
mod load;
mod observability;
mod operations;
mod peer;
mod rig;
mod routes;
mod secrets;
mod smuggling;
mod smuggling_table;
mod streams;
mod tidy;
mod transparency;
mod usage;
mod wire;

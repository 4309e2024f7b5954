//! Integration tests: one binary, one module per subject.

mod errors;
mod errors_table;
mod load;
mod observability;
mod operations;
mod rig;
mod routes;
mod secrets;
mod smuggling;
mod smuggling_table;
mod tidy;
mod usage;

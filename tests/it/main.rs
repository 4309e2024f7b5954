//! Integration tests: one binary, one module per subject.

mod errors;
mod errors_table;
mod rig;
mod tidy;

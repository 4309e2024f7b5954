//! Integration tests: one binary, one module per subject.

mod rig;
mod tidy;

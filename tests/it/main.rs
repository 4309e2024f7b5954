//! Integration tests: one binary, one module per subject.

mod bodies;
mod peer;
mod rig;
mod tidy;
mod wire;

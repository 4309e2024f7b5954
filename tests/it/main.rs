//! Integration tests: one binary, one module per subject.

mod asks;
mod bodies;
mod disconnects;
mod failures;
mod peer;
mod raw;
mod rig;
mod streams;
mod tidy;
mod transparency;
mod wire;

//! Integration tests: one binary, one module per subject.

mod certificates;
mod goaway;
mod http2;
mod process;
mod rig;
mod tidy;
mod tls_down;
mod tls_up;
mod upgrade;

//! The binary: install the TLS provider, then do what the command line says.

use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Two TLS providers in one process have no default; a second installation is refused, and the
    // first one stays, which is the same.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    arouter::cli::main()
}

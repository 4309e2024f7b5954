//! The `arouter` program: chooses the cryptography of every TLS connection, then does what the
//! command line says. See [`arouter::cli`] for the commands and their exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything can open a connection: rustls has no default when several are compiled in.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::FAILURE;
    }
    arouter::cli::main()
}

//! What a person types: one subcommand per file.
pub mod admin_call;
pub mod run;

use clap::Parser;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "arouter", version, about = "Self-hosted LLM gateway")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve.
    Run(run::RunArgs),
    /// Make the running gateway reload its configuration.
    Reload(admin_call::AdminArgs),
    /// Ask the running gateway whether it is ready.
    Health(admin_call::AdminArgs),
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(args) => match run::run(&args) { Ok(()) => ExitCode::SUCCESS, Err(e) => { tracing::error!("{e}"); use std::io::Write; let _x = writeln!(std::io::stderr(), "{e}"); ExitCode::from(78) } },
        Command::Reload(_) | Command::Health(_) => ExitCode::SUCCESS,
    }
}

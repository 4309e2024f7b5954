//! What a person types: the command tree, its flags, and its exit codes.
//!
//! Used by `main` alone. One subcommand is one file. Data goes to standard output, everything else
//! to standard error; every flag has an `AROUTER_…` twin in the environment, which it overrides.
//!
//! Exit codes: 0 done, 1 failed while running, 2 wrong usage, 78 wrong configuration.

mod admin_call;
mod check;
mod config;
mod credits;
mod import;
mod keys;
mod mock;
mod models;
mod output;
mod reprice;
mod run;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Loaded, Problem, find, load, process_env};
use crate::store::Store;

/// `EX_CONFIG` of sysexits.h: an init system need not try again.
const EXIT_CONFIG: u8 = 78;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "arouter", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One file of this folder each.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve.
    Run(run::RunArgs),
    /// Check a configuration: exit 0, or 78 with file:line:column and a hint.
    Check(check::CheckArgs),
    /// Show, describe or compare configurations.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Work with the keys of callers.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Work with the account's money.
    #[command(subcommand)]
    Credits(credits::CreditsCommand),
    /// What can be asked for, and who serves it.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Turn the configuration of another gateway into one of ARouter.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// What was used.
    #[command(subcommand)]
    Usage(usage::UsageCommand),
    /// Make the running gateway reload its configuration.
    Reload(admin_call::AdminArgs),
    /// Ask the running gateway whether it is ready.
    Health(admin_call::AdminArgs),
    /// Serve a scriptable mock provider for all formats.
    Mock(mock::MockArgs),
}

/// Which configuration a command works on.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// Configuration file; otherwise ./arouter.toml, then /etc/arouter/arouter.toml.
    #[arg(short, long, value_name = "FILE", env = "AROUTER_CONFIG")]
    config: Option<PathBuf>,
}

/// How a command that reads something answers.
#[derive(Debug, Args)]
struct ReadArgs {
    /// Answer in JSON.
    #[arg(long, env = "AROUTER_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Anything else, said in full.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::from(EXIT_CONFIG),
            Self::Io(_) | Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

/// Does what the command line says and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error),
    };
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Credits(command) => credits::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Import(command) => import::run(&command),
        Command::Usage(command) => usage::run(&command),
        Command::Reload(args) => admin_call::reload(&args),
        Command::Health(args) => admin_call::health(&args),
        Command::Mock(args) => mock::run(args).map_err(|error| CliError::Failed(error.to_string())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(CliError::Io(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&error.to_string());
            error.exit_code()
        }
    }
}

/// Help and version are answers (0, standard output); everything else is wrong usage (2).
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().is_ok();
    match u8::try_from(error.exit_code()) {
        Ok(code) if printed => ExitCode::from(code),
        _ => ExitCode::FAILURE,
    }
}

impl ConfigArgs {
    /// Loads the configuration that was asked for.
    fn load(&self) -> Result<Loaded, ConfigError> {
        let Some(path) = find(self.config.as_deref()) else {
            let mut problem = Problem::of_file("arouter.toml", "no configuration file found");
            problem.hint = Some("name one with --config FILE or AROUTER_CONFIG".to_owned());
            return Err(ConfigError { problems: vec![problem] });
        };
        load(&path, &process_env)
    }
}

/// Runs a command that talks to the store.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The store of a configuration. One in memory belongs to the process that made it, so a command
/// on it would see and change nothing.
async fn open_store(config: &Config) -> Result<Store, CliError> {
    let url = config.store.url.expose();
    if url == "memory:" {
        let message = "store.url is `memory:`, which only the gateway itself can see";
        return Err(CliError::Failed(message.to_owned()));
    }
    Store::open(url).await.map_err(|error| CliError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Calls `test` with every command and its path, such as `arouter config show`.
    fn each(command: &clap::Command, path: &str, test: &mut impl FnMut(&str, &clap::Command)) {
        let path = format!("{path} {}", command.get_name());
        test(&path, command);
        command.get_subcommands().for_each(|sub| each(sub, &path, test));
    }

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_twin_in_the_environment() {
        each(&Cli::command(), "", &mut |path, command| {
            for flag in command.get_arguments().filter(|flag| !flag.is_positional()) {
                let name = flag.get_id().as_str();
                if !matches!(name, "help" | "version") {
                    let twin = flag.get_env().and_then(|twin| twin.to_str()).unwrap_or_default();
                    assert!(twin.starts_with("AROUTER_"), "{path} --{name}");
                }
            }
        });
    }

    #[test]
    fn every_command_and_flag_is_described() {
        each(&Cli::command(), "", &mut |path, command| {
            assert!(command.get_about().is_some(), "{path}");
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some(), "{path} {}", flag.get_id());
            }
        });
    }
}

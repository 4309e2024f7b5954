//! `arouter run`: serve.
//!
//! A configuration file is optional in demo mode only: then the defaults and the built-in provider
//! are the whole configuration.

use crate::config::{self, Config, Loaded, LogFormat};
use crate::server::demo::{Demo, free_address};
use crate::server::{self, Start};
use crate::telemetry::logging::{self, LineFormat};
use std::io::Write;
use std::path::PathBuf;

/// Serve.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Configuration file; without it `./arouter.toml`, then `/etc/arouter/arouter.toml`.
    #[arg(short, long, env = "AROUTER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Add a built-in provider `mock/…` and a key to call it with.
    #[arg(long, env = "AROUTER_DEMO")]
    pub demo: bool,
    /// Take the listeners over from the running process, which then drains.
    #[arg(long)]
    pub upgrade: bool,
}

/// Why `run` ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is missing or wrong.
    #[error("{0}")]
    Config(String),
    /// The process could not start.
    #[error("{0}")]
    Start(String),
}

/// Serves until a signal ends the process.
pub fn run(args: &RunArgs) -> Result<(), RunError> {
    let (path, mut loaded) = load(args)?;
    let demo = args.demo.then(demo).transpose()?;
    if let Some(demo) = &demo {
        demo.add_to(&mut loaded.config);
    }
    let format = match loaded.config.log.format {
        LogFormat::Json => LineFormat::Json,
        LogFormat::Text => LineFormat::Text,
    };
    let _written_at_the_end = logging::start(loaded.config.log.level.as_str(), format)
        .map_err(|error| RunError::Start(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(demo) = &demo {
        announce(demo, &loaded);
    }
    server::serve(&loaded, Start { path, demo, upgrade: args.upgrade })
        .map_err(|error| RunError::Start(error.to_string()))
}

/// The configuration of a demo without a file.
fn defaults() -> Loaded {
    Loaded {
        config: Config::default(),
        warnings: Vec::new(),
        files: Vec::new(),
        folders: Vec::new(),
        hash: "defaults".into(),
        written: String::new(),
    }
}

fn load(args: &RunArgs) -> Result<(Option<PathBuf>, Loaded), RunError> {
    match config::find(args.config.as_deref()) {
        Some(path) => {
            let loaded = config::load(&path, &config::process_env)
                .map_err(|error| RunError::Config(error.to_string()))?;
            Ok((Some(path), loaded))
        }
        None if args.demo => Ok((None, defaults())),
        None => Err(RunError::Config(
            "no configuration file: give one with --config, or try `arouter run --demo`".into(),
        )),
    }
}

fn demo() -> Result<Demo, RunError> {
    let address = free_address().map_err(|error| RunError::Start(error.to_string()))?;
    Ok(Demo::new(address))
}

/// For the person who typed the command; on standard error, because the log is on standard output.
fn announce(demo: &Demo, loaded: &Loaded) {
    let Some(listen) = loaded.config.server.listen.first() else { return };
    let text = format!(
        "\nARouter serves on http://{listen} with a built-in demo provider.\n\
         Key: {}\nTry:\n\n{}\n\n",
        demo.key().expose(),
        demo.curl(*listen)
    );
    if let Err(error) = std::io::stderr().write_all(text.as_bytes()) {
        tracing::warn!(%error, "the demo key could not be shown");
    }
}

//! `arouter run`: serve.
//!
//! A configuration file is optional in demo mode only: then the defaults and the built-in provider
//! are the whole configuration.

use super::{CliError, ConfigArgs, output};
use crate::config::{self, Config, Loaded, LogFormat};
use crate::server::demo::{Demo, free_address};
use crate::server::{self, Start};
use crate::telemetry::logging::{self, LineFormat};
use clap::builder::FalseyValueParser;
use std::path::PathBuf;

/// Serve.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Add a built-in provider `mock/…` and a key to call it with.
    #[arg(long, env = "AROUTER_DEMO", value_parser = FalseyValueParser::new())]
    demo: bool,
    /// Take the listeners over from the running process, which then drains.
    #[arg(long, env = "AROUTER_UPGRADE", value_parser = FalseyValueParser::new())]
    upgrade: bool,
}

/// Serves until a signal ends the process.
pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let (path, mut loaded) = load(args)?;
    let demo = args.demo.then(demo).transpose()?;
    if let Some(demo) = &demo {
        demo.add_to(&mut loaded.config);
    }
    let format = match loaded.config.log.format {
        LogFormat::Json => LineFormat::Json,
        LogFormat::Text => LineFormat::Text,
    };
    logging::start(loaded.config.log.level.as_str(), format)
        .map_err(|error| CliError::Failed(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(demo) = &demo {
        announce(demo, &loaded);
    }
    let served = server::serve(&loaded, Start { path, demo, upgrade: args.upgrade });
    logging::finish();
    served.map_err(|error| CliError::Failed(error.to_string()))
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

fn load(args: &RunArgs) -> Result<(Option<PathBuf>, Loaded), CliError> {
    let path = config::find(args.config.config.as_deref());
    if path.is_none() && args.demo {
        return Ok((None, defaults()));
    }
    Ok((path, args.config.load()?))
}

fn demo() -> Result<Demo, CliError> {
    let address = free_address().map_err(|error| CliError::Failed(error.to_string()))?;
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
    output::note(&text);
}

//! `arouter keys hash`: the digest of a key, for a static key of the configuration.

use std::io::{IsTerminal, Read};

use clap::Args;
use serde_json::json;

use super::super::{CliError, ReadArgs, output};
use crate::config::KeyHash;
use crate::secret::Secret;

/// Longest text taken for a key.
const MAX_KEY_BYTES: u64 = 4096;

/// Flags of `arouter keys hash`.
#[derive(Debug, Args)]
pub(in crate::cli) struct HashArgs {
    #[command(flatten)]
    read: ReadArgs,
}

/// The key comes from standard input, because arguments are seen by every user of the machine.
pub(super) fn run(args: &HashArgs) -> Result<(), CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        output::note("type the key, then Enter and Ctrl-D:");
    }
    let mut text = String::new();
    stdin.lock().take(MAX_KEY_BYTES + 1).read_to_string(&mut text)?;
    let text = Secret::new(text);
    let key = text.expose().trim_end_matches(['\r', '\n']);
    if key.is_empty() || key.len() as u64 > MAX_KEY_BYTES || key.contains(char::is_whitespace) {
        let message = "expected one key of at most 4096 characters on standard input";
        return Err(CliError::Failed(message.to_owned()));
    }
    let hash = KeyHash::of(key).to_string();
    if args.read.json { output::json(&json!({ "hash": hash })) } else { output::answer(&hash) }
}

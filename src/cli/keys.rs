//! `arouter keys`: the keys of callers, in the store that the configuration names.
//!
//! A running gateway notices a change by itself. A key's text is printed once, when it is made;
//! the store has its hash only. Keys of the configuration file are listed, never changed.

mod hash;
mod policy;
#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CliError, ConfigArgs, ReadArgs, output};
use crate::clock::Clock;
use crate::config::{Config, KeyConfig, KeyKind};
use crate::id;
use crate::secret::Secret;
use crate::store::{KeyRecord, KeyTotals, Store, StoreError};
use policy::{CreateArgs, UpdateArgs, word};

/// Fewest digits of a hash that name a key.
const MIN_HASH_DIGITS: usize = 6;

/// The commands below `arouter keys`.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key and print it; it cannot be shown again.
    Create(CreateArgs),
    /// List all keys.
    List(ListArgs),
    /// Show one key and what it has used.
    Show(NamedArgs),
    /// Change a key; what is not given stays as it is.
    Update(UpdateArgs),
    /// Make a key open nothing, until `update --disabled false`.
    Disable(NamedArgs),
    /// Delete a key; its usage stays.
    Delete(NamedArgs),
    /// Replace the secret of a key and print the new one; the old one opens nothing any more.
    Rotate(NamedArgs),
    /// Read a key from standard input and print its digest, for `hash` in the configuration.
    Hash(hash::HashArgs),
}

/// Flags of `arouter keys list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Flags of commands on one key.
#[derive(Debug, Args)]
pub(super) struct NamedArgs {
    /// Its hash, the first digits of it, or its name.
    key: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs one of them.
pub(super) fn run(command: &KeysCommand) -> Result<(), CliError> {
    let config = match command {
        KeysCommand::Hash(args) => return hash::run(args),
        KeysCommand::Create(args) => &args.config,
        KeysCommand::Update(args) => &args.named.config,
        KeysCommand::List(args) => &args.config,
        KeysCommand::Show(args)
        | KeysCommand::Disable(args)
        | KeysCommand::Delete(args)
        | KeysCommand::Rotate(args) => &args.config,
    };
    let config = config.load()?.config;
    super::block_on(async {
        let keys = Keys::open(config).await?;
        match command {
            KeysCommand::Create(args) => keys.create(args).await,
            KeysCommand::List(args) => keys.list(args).await,
            KeysCommand::Show(args) => keys.show(args).await,
            KeysCommand::Update(args) => keys.update(args).await,
            KeysCommand::Disable(args) => keys.disable(args).await,
            KeysCommand::Delete(args) => keys.delete(args).await,
            KeysCommand::Rotate(args) => keys.rotate(args).await,
            KeysCommand::Hash(args) => hash::run(args),
        }
    })
}

/// The keys a command works on.
struct Keys {
    config: Config,
    store: Store,
    now_ms: i64,
}

impl Keys {
    async fn open(config: Config) -> Result<Self, CliError> {
        let store = super::open_store(&config).await?;
        Ok(Self { config, store, now_ms: Clock::System.unix_ms() })
    }

    async fn create(&self, args: &CreateArgs) -> Result<(), CliError> {
        let secret = new_secret(args.kind());
        let mut key = KeyRecord {
            hash: id::key_hash_hex(secret.expose()),
            label: id::key_label(secret.expose()),
            created_ms: self.now_ms,
            ..args.record()
        };
        args.policy.apply(&mut key);
        self.refuse_static(&key.name)?;
        let mut write = self.store.begin_write().await.map_err(failed)?;
        write.insert_key(&key).await.map_err(failed)?;
        write.commit().await.map_err(failed)?;
        print_secret(&secret, &key, &args.read)
    }

    async fn list(&self, args: &ListArgs) -> Result<(), CliError> {
        let keys = self.store.keys().await.map_err(failed)?;
        let totals = self.store.key_totals(0).await.map_err(failed)?;
        if args.read.json {
            let of_store = keys.iter().map(|key| object(key, &totals_of(&totals, key)));
            let of_file = self.config.keys.iter().map(|(name, key)| static_object(name, key));
            return output::json(&json!({ "data": of_store.chain(of_file).collect::<Vec<_>>() }));
        }
        let mut lines = vec!["HASH          KIND        STATE     USED (USD)    NAME".to_owned()];
        for key in &keys {
            let state = if key.disabled { "disabled" } else { "active" };
            let used = totals_of(&totals, key).cost_pico_usd.to_string();
            let short: String = key.hash.chars().take(12).collect();
            let (kind, name) = (word(&key.kind), &key.name);
            lines.push(format!("{short:<13} {kind:<11} {state:<9} {used:<13} {name}"));
        }
        for (name, key) in &self.config.keys {
            lines.push(format!(
                "{:<13} {:<11} {:<9} {:<13} {name}",
                "(file)",
                word(&key.kind),
                "",
                ""
            ));
        }
        output::answer(&lines.join("\n"))
    }

    async fn show(&self, args: &NamedArgs) -> Result<(), CliError> {
        let key = self.find(&args.key).await?;
        let totals = self.store.key_totals(0).await.map_err(failed)?;
        print_key(&key, &totals_of(&totals, &key), &args.read)
    }

    async fn update(&self, args: &UpdateArgs) -> Result<(), CliError> {
        let mut key = self.find(&args.named.key).await?;
        args.apply(&mut key);
        self.refuse_static(&key.name)?;
        self.save(key, &args.named.read).await
    }

    async fn disable(&self, args: &NamedArgs) -> Result<(), CliError> {
        let mut key = self.find(&args.key).await?;
        key.disabled = true;
        self.save(key, &args.read).await
    }

    async fn save(&self, mut key: KeyRecord, read: &ReadArgs) -> Result<(), CliError> {
        key.updated_ms = Some(self.now_ms);
        let mut write = self.store.begin_write().await.map_err(failed)?;
        if !write.update_key(&key).await.map_err(failed)? {
            return Err(gone());
        }
        write.commit().await.map_err(failed)?;
        let totals = self.store.key_totals(0).await.map_err(failed)?;
        print_key(&key, &totals_of(&totals, &key), read)
    }

    async fn delete(&self, args: &NamedArgs) -> Result<(), CliError> {
        let key = self.find(&args.key).await?;
        let mut write = self.store.begin_write().await.map_err(failed)?;
        if !write.delete_key(&key.hash).await.map_err(failed)? {
            return Err(gone());
        }
        write.commit().await.map_err(failed)?;
        if args.read.json {
            return output::json(&json!({ "data": { "deleted": true }, "deleted": true }));
        }
        output::answer(&format!("deleted {} ({})", key.name, key.label))
    }

    async fn rotate(&self, args: &NamedArgs) -> Result<(), CliError> {
        let mut key = self.find(&args.key).await?;
        let secret = new_secret(key.kind);
        let old_hash = std::mem::replace(&mut key.hash, id::key_hash_hex(secret.expose()));
        key.label = id::key_label(secret.expose());
        key.updated_ms = Some(self.now_ms);
        let mut write = self.store.begin_write().await.map_err(failed)?;
        if !write.rotate_key(&old_hash, &key).await.map_err(failed)? {
            return Err(gone());
        }
        write.commit().await.map_err(failed)?;
        print_secret(&secret, &key, &args.read)
    }

    /// The one key of the store that `text` names.
    async fn find(&self, text: &str) -> Result<KeyRecord, CliError> {
        let keys = self.store.keys().await.map_err(failed)?;
        let short = text.len() < MIN_HASH_DIGITS;
        let mut found: Vec<KeyRecord> = keys
            .into_iter()
            .filter(|key| key.name == text || (!short && key.hash.starts_with(text)))
            .collect();
        match (found.pop(), found.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), others) => Err(CliError::Failed(format!(
                "{} keys are called `{text}`: give the hash of one",
                others.saturating_add(1)
            ))),
            (None, _) => {
                self.refuse_static(text)?;
                Err(CliError::Failed(format!("there is no key `{text}`; see `arouter keys list`")))
            }
        }
    }

    /// A key of the store may not shadow one of the file, nor can that be changed here.
    fn refuse_static(&self, name: &str) -> Result<(), CliError> {
        if !self.config.keys.contains_key(name) {
            return Ok(());
        }
        Err(CliError::Failed(format!(
            "`{name}` is a key of the configuration file: change [keys.{name}] there"
        )))
    }
}

fn new_secret(kind: KeyKind) -> Secret {
    match kind {
        KeyKind::Regular => id::new_regular_key(),
        KeyKind::Management => id::new_management_key(),
    }
}

/// The only place that shows a key's text.
fn print_secret(secret: &Secret, key: &KeyRecord, read: &ReadArgs) -> Result<(), CliError> {
    if read.json {
        let data = object(key, &KeyTotals::default());
        return output::json(&json!({ "data": data, "key": secret.expose() }));
    }
    output::note(&format!(
        "{} key `{}`, hash {}. Keep the key: it cannot be shown again.",
        word(&key.kind),
        key.name,
        key.hash
    ));
    output::answer(secret.expose())
}

fn print_key(key: &KeyRecord, used: &KeyTotals, read: &ReadArgs) -> Result<(), CliError> {
    let object = object(key, used);
    if read.json {
        return output::json(&json!({ "data": object }));
    }
    let lines = object.as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        value => format!("{name}: {value}"),
    });
    output::answer(&lines.collect::<Vec<_>>().join("\n"))
}

/// A key as the management API shows it.
fn object(key: &KeyRecord, used: &KeyTotals) -> Value {
    let time = |ms: i64| Timestamp::from_millisecond(ms).ok().map(|time| time.to_string());
    json!({
        "hash": key.hash,
        "name": key.name,
        "label": key.label,
        "key_type": word(&key.kind),
        "disabled": key.disabled,
        "limit": key.limit.map(|limit| limit.to_string()),
        "limit_reset": word(&key.limit_reset),
        "budget_mode": word(&key.budget_mode),
        "rate_limit": key.rate_limit,
        "allowed_providers": key.allowed_providers,
        "allowed_models": key.allowed_models,
        "requests": used.requests,
        "usage": used.cost_pico_usd.to_string(),
        "created_at": time(key.created_ms),
        "updated_at": key.updated_ms.and_then(time),
        "expires_at": key.expires_ms.and_then(time),
    })
}

fn static_object(name: &str, key: &KeyConfig) -> Value {
    json!({
        "name": name,
        "source": "file",
        "key_type": word(&key.kind),
        "limit": key.limit_usd.map(|limit| limit.to_string()),
        "allowed_providers": key.allowed_providers,
        "allowed_models": key.allowed_models,
    })
}

fn totals_of(totals: &[KeyTotals], key: &KeyRecord) -> KeyTotals {
    totals.iter().find(|totals| totals.key_hash == key.hash).cloned().unwrap_or_default()
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn failed(error: StoreError) -> CliError {
    CliError::Failed(error.to_string())
}

fn gone() -> CliError {
    CliError::Failed("the key was deleted meanwhile".to_owned())
}

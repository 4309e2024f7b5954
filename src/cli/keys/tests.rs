//! The key commands on a store, driven as from the command line.

use super::*;
use crate::cli::Cli;
use clap::Parser;
use std::path::Path;

/// Runs `arouter keys <line>` on the configuration in `dir`.
fn keys(dir: &Path, line: &str) -> Result<(), CliError> {
    let file = dir.join("arouter.toml");
    let words = ["arouter", "keys"].into_iter().chain(line.split(' '));
    let config = ["--config", file.to_str().unwrap()];
    match Cli::try_parse_from(words.chain(config)).unwrap().command {
        super::super::Command::Keys(command) => run(&command),
        _ => panic!("not a key command"),
    }
}

fn stored(dir: &Path) -> Vec<KeyRecord> {
    crate::cli::block_on(async {
        let url = format!("sqlite://{}", dir.join("a.db").display());
        Ok(Store::open(&url).await.unwrap().keys().await.unwrap())
    })
    .unwrap()
}

fn gateway() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let digest = "9".repeat(64);
    let text = format!(
        "version = 1\n[store]\nurl = \"sqlite://{}\"\n[keys.fixed]\nhash = \"sha256:{digest}\"\n",
        dir.path().join("a.db").display()
    );
    std::fs::write(dir.path().join("arouter.toml"), text).unwrap();
    dir
}

#[test]
fn a_key_lives_from_create_to_delete() {
    let dir = gateway();
    let dir = dir.path();
    keys(dir, "create --name ci --limit 5.00 --limit-reset daily --allowed-providers none")
        .unwrap();
    let made = stored(dir).remove(0);
    assert_eq!((made.name.as_str(), made.hash.len()), ("ci", 64));
    assert_eq!(made.limit, "5".parse().ok());
    assert_eq!((made.allowed_providers.clone(), made.allowed_models.clone()), (Some(vec![]), None));

    keys(dir, "update ci --limit none --allowed-models openai/*,anthropic/* --concurrent 3")
        .unwrap();
    let changed = stored(dir).remove(0);
    assert_eq!((changed.limit, changed.limit_reset), (None, made.limit_reset));
    assert_eq!(changed.allowed_models.as_deref().unwrap(), ["openai/*", "anthropic/*"]);
    assert_eq!(changed.rate_limit.concurrent, Some(3));
    assert_eq!(changed.allowed_providers, Some(vec![]));

    keys(dir, "disable ci").unwrap();
    assert!(stored(dir)[0].disabled);
    keys(dir, &format!("rotate {}", made.hash.get(..8).unwrap())).unwrap();
    let rotated = stored(dir).remove(0);
    assert_ne!(rotated.hash, made.hash);
    assert_eq!(rotated.allowed_models, changed.allowed_models);
    keys(dir, "list --json").unwrap();
    keys(dir, "show ci").unwrap();
    keys(dir, "delete ci").unwrap();
    assert!(stored(dir).is_empty());
}

#[test]
fn a_key_of_the_file_is_neither_changed_nor_shadowed() {
    let dir = gateway();
    for line in ["disable fixed", "delete fixed", "rotate fixed", "create --name fixed"] {
        let error = keys(dir.path(), line).unwrap_err().to_string();
        assert!(error.contains("[keys.fixed]"), "{line}: {error}");
    }
}

#[test]
fn an_unclear_name_changes_nothing() {
    let dir = gateway();
    keys(dir.path(), "create --name twin").unwrap();
    keys(dir.path(), "create --name twin").unwrap();
    let error = keys(dir.path(), "delete twin").unwrap_err().to_string();
    assert!(error.contains("2 keys"), "{error}");
    assert!(keys(dir.path(), "delete nobody").is_err());
    assert!(keys(dir.path(), "delete a").is_err());
    assert_eq!(stored(dir.path()).len(), 2);
}

#[test]
fn a_management_key_is_named_by_its_prefix() {
    let dir = gateway();
    keys(dir.path(), "create --kind management").unwrap();
    let key = stored(dir.path()).remove(0);
    assert!(key.label.starts_with("lr_mgmt_"));
    assert_eq!((key.name.as_str(), key.kind), ("management", KeyKind::Management));
}

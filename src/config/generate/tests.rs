//! The committed artefacts are current, and what they show is valid.

use std::collections::BTreeMap;
use std::path::Path;

use super::artefacts;
use crate::config::{Config, HedgeConfig, Loaded, RoutingConfig, load};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Loads a text next to the files it refers to.
fn load_beside_files(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        std::fs::write(folder.path().join("tls").join(name), "x").unwrap();
    }
    let path = folder.path().join("arouter.toml");
    std::fs::write(&path, text).unwrap();
    load(&path, &|_| Some("0123456789abcdef".to_owned())).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn committed_artefacts_are_current() {
    for (path, text) in artefacts() {
        let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(committed == text, "{path} is outdated: run `arouter config generate .`");
    }
}

#[test]
fn the_commented_file_is_the_default_and_valid_when_uncommented() {
    let text = artefacts().into_iter().find(|(path, _)| *path == "conf/arouter.toml").unwrap().1;
    assert_eq!(load_beside_files(&text).config, Config::default());
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c == '[' || c.is_alphabetic()) => {
                setting
            }
            _ => line,
        })
        .collect();
    let config = load_beside_files(&uncommented.join("\n")).config;
    assert_eq!(config.providers["openai"].pool().len(), 1);
    assert_eq!(config.models["openai/gpt-5.4"].endpoints.as_ref().unwrap().len(), 1);
    assert!(config.keys["demo"].expires_at.is_some());
    // Keys with a default show it.
    assert_eq!(config.routing.hedge["name"], HedgeConfig::default());
    let routing = RoutingConfig { hedge: BTreeMap::new(), ..config.routing };
    assert_eq!(routing, Config::default().routing);
    assert_eq!(config.log, Config::default().log);
}

#[test]
fn every_key_is_described() {
    for table in super::reference::tables(&super::schema_value()) {
        for key in &table.keys {
            assert!(
                !key.description.is_empty() || key.name == "<name>",
                "{} {}",
                table.path,
                key.name
            );
        }
        assert!(!table.description.is_empty(), "{}", table.path);
    }
}

#[test]
fn every_example_loads() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("conf/examples")).unwrap() {
        let path = entry.unwrap().path();
        let account = include_str!("../../providers/google_token/test_account.json");
        let loaded = load(&path, &|name| {
            Some(match name {
                "VERTEX_SERVICE_ACCOUNT" => account.to_owned(),
                _ => format!("secret-of-{name}"),
            })
        });
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{}: {:?}", path.display(), loaded.warnings);
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "clouds.toml",
            "demo.toml",
            "keys.toml",
            "minimal.toml",
            "multi-provider.toml",
            "vendors.toml"
        ]
    );
}

//! Includes, secret files, digests, folders to watch.

use crate::config::{ProviderKey, SecretRef, load, resolve, resolve_secrets};

use super::{Folder, env};

const PROVIDER: &str = "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n";

#[test]
fn includes_are_merged_and_watched() {
    let folder = Folder::new();
    let main = folder.file("arouter.toml", "include = ['conf.d/*.toml']\n[server]\nthreads = 1\n");
    folder.file("conf.d/a.toml", PROVIDER);
    folder.file("conf.d/b.toml", "[server]\nh2c = true\n");
    let loaded = load(&main, &env).unwrap();
    assert!(loaded.config.providers.contains_key("a"));
    assert!(loaded.config.server.h2c);
    assert_eq!(loaded.config.server.threads, 1);
    assert_eq!(loaded.files.len(), 3);
    assert!(loaded.folders.contains(&folder.0.path().join("conf.d")));
    folder.file("conf.d/b.toml", "[server]\nh2c = false\n");
    assert_ne!(load(&main, &env).unwrap().hash, loaded.hash);
}

#[test]
fn a_name_defined_twice_names_both_files() {
    let folder = Folder::new();
    for (table, name) in [(PROVIDER, "providers.a"), ("[log]\nlevel = 'info'\n", "log.level")] {
        let main = folder.file("arouter.toml", &format!("include = ['more.toml']\n{table}"));
        folder.file("more.toml", &format!("\n{table}"));
        let error = load(&main, &env).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.problems.len(), 1, "{text}");
        assert!(text.contains(&format!("`{name}` is defined twice")), "{text}");
        assert!(text.contains("more.toml:2:") || text.contains("more.toml:3:"), "{text}");
        assert!(text.contains("first defined in") && text.contains("arouter.toml:"), "{text}");
    }
}

#[test]
fn problems_name_the_included_file() {
    let folder = Folder::new();
    let main = folder.file("arouter.toml", "include = ['more.yaml']\n");
    let more = folder.file("more.yaml", "server:\n  thraeds: 1\n");
    let problem = load(&main, &env).unwrap_err().problems.remove(0);
    assert_eq!((problem.file, problem.line, problem.column), (more, 2, 3));
}

#[test]
fn includes_do_not_nest_and_must_exist() {
    let folder = Folder::new();
    let main = folder.file("arouter.toml", "include = ['more.toml']\n");
    assert!(load(&main, &env).unwrap_err().to_string().contains("does not exist"));
    folder.file("more.toml", "include = ['other.toml']\n");
    assert!(load(&main, &env).unwrap_err().to_string().contains("cannot include others"));
    let main = folder.file("arouter.toml", "include = ['conf.d/*.toml', '*.toml']\n");
    folder.file("more.toml", "");
    assert_eq!(load(&main, &env).unwrap().files.len(), 2, "itself is not included");
}

#[test]
fn secret_files_are_relative_to_the_file_that_names_them() {
    let folder = Folder::new();
    let keys = "keys = [{ file = 'key' }]\n";
    let main = folder.file("arouter.toml", "include = ['sub/a.toml']\n");
    folder.file("sub/a.toml", &format!("{PROVIDER}{keys}"));
    let secret = folder.file("sub/key", "first\n");
    let loaded = load(&main, &env).unwrap();
    assert_eq!(loaded.warnings, []);
    assert!(loaded.files.contains(&secret));
    let read = || resolve_secrets(&loaded.config, &env).0.providers["a"][0].secret.clone();
    assert_eq!(read().expose(), "first");
    folder.file("sub/key", "second\r\n");
    assert_eq!(read().expose(), "second");
}

#[test]
fn the_credentials_folder_is_the_second_place() {
    let folder = Folder::new();
    let main = folder.file("arouter.toml", &format!("{PROVIDER}keys = [{{ file = 'key' }}]\n"));
    folder.file("credentials/key", "secret");
    let credentials = folder.0.path().join("credentials").to_string_lossy().into_owned();
    let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| credentials.clone());
    let loaded = load(&main, &env).unwrap();
    assert_eq!(loaded.warnings, []);
    assert!(resolve_secrets(&loaded.config, &env).0.enabled(&loaded.config, "a"));
}

#[test]
fn only_one_line_break_is_cut_and_empty_is_missing() {
    let folder = Folder::new();
    for (text, secret) in [
        ("x", Some("x")),
        ("x\n", Some("x")),
        ("x\r\n", Some("x")),
        ("x\n\n", Some("x\n")),
        (" x ", Some(" x ")),
        ("", None),
        ("\n", None),
    ] {
        let path = folder.file("key", text);
        let resolved = resolve(&SecretRef::File(path), &env).unwrap();
        assert_eq!(resolved.as_ref().map(crate::secret::Secret::expose), secret, "{text:?}");
    }
    assert!(resolve(&SecretRef::Env("NOT_SET".to_owned()), &env).unwrap().is_none());
    assert!(resolve(&SecretRef::File(folder.0.path().join("none")), &env).unwrap().is_none());
}

#[test]
fn providers_without_their_secret_are_disabled() {
    let folder = Folder::new();
    let table = format!("{PROVIDER}keys = [{{ env = 'NOT_SET' }}, {{ env = 'OPENAI_API_KEY' }}]\n");
    let loaded = load(&folder.file("arouter.toml", &table), &env).unwrap();
    let secrets = resolve_secrets(&loaded.config, &env).0;
    assert!(secrets.enabled(&loaded.config, "a"));
    assert_eq!(secrets.providers["a"][0].index, 1, "its place in the file");
    assert!(loaded.warnings[0].message.contains("only some"), "{:?}", loaded.warnings);
    let none = |_: &str| None;
    let loaded = load(&folder.file("arouter.toml", &table), &none).unwrap();
    assert!(!resolve_secrets(&loaded.config, &none).0.enabled(&loaded.config, "a"));
    assert!(loaded.warnings[0].message.contains("disabled"), "{:?}", loaded.warnings);
    let required = format!("{table}required = true\n");
    assert!(load(&folder.file("arouter.toml", &required), &none).is_err());
    let keyless = load(&folder.file("arouter.toml", PROVIDER), &none).unwrap();
    assert!(resolve_secrets(&keyless.config, &none).0.enabled(&keyless.config, "a"));
}

#[cfg(unix)]
#[test]
fn files_open_to_everybody_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let main = folder.file("arouter.toml", &format!("{PROVIDER}keys = [{{ file = 'key' }}]\n"));
    let secret = folder.file("key", "secret");
    assert_eq!(load(&main, &env).unwrap().warnings, []);
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o644)).unwrap();
    let warnings = load(&main, &env).unwrap().warnings;
    assert!(warnings[0].message.contains("everybody"), "{warnings:?}");
    assert_eq!((warnings[0].line, warnings[0].column), (4, 9));
}

#[test]
fn a_file_cut_to_nothing_is_refused() {
    let folder = Folder::new();
    for (name, text) in [("a.toml", ""), ("a.toml", " \n"), ("a.yaml", "")] {
        let error = load(&folder.file(name, text), &env).unwrap_err().to_string();
        assert!(error.contains(":1:1: ") && error.contains("empty"), "{error}");
    }
}

#[test]
fn what_is_no_readable_file_is_refused() {
    let folder = Folder::new();
    let missing = folder.0.path().join("none.toml");
    let latin1 = folder.0.path().join("latin1.toml");
    std::fs::write(&latin1, b"# caf\xe9\n").unwrap();
    for path in [missing, latin1, folder.0.path().to_owned()] {
        let text = load(&path, &env).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}:1:1: cannot read", path.display())), "{text}");
    }
}

#[test]
fn pools_keep_weights_and_models() {
    let folder = Folder::new();
    let keys = "keys = [{ env = 'OPENAI_API_KEY', weight = 3, models = ['x'] }]\n";
    let loaded = load(&folder.file("a.toml", &format!("{PROVIDER}{keys}")), &env).unwrap();
    let expected = ProviderKey {
        reference: SecretRef::Env("OPENAI_API_KEY".to_owned()),
        weight: 3,
        models: Some(vec!["x".to_owned()]),
    };
    assert_eq!(loaded.config.providers["a"].pool(), [expected]);
}

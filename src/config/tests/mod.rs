//! Loading whole files: the documented example, notations, includes, secrets, bad files.

mod bad;
mod files;
mod good;
mod inherit;
mod mutated;
mod prices;

use std::path::PathBuf;

use super::{ConfigError, Loaded, load};

/// A folder with configuration files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file that only its owner may read.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        }
        path
    }
}

/// The environment of the tests.
fn env(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" | "GEMINI_API_KEY" => Some(format!("sk-{name}")),
        "AROUTER_DEMO_KEY" => Some("lr_live_0123456789abcdef".to_owned()),
        "BROKEN" => Some("two\nlines".to_owned()),
        _ => None,
    }
}

/// Loads one TOML text.
fn load_text(text: &str) -> Result<Loaded, ConfigError> {
    let folder = Folder::new();
    load(&folder.file("arouter.toml", text), &env)
}

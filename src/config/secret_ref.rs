//! References to secrets, and the only place that reads them.
//!
//! A configuration says where a secret is (`env`, `file`), not what it is; a literal needs the
//! telling name `insecure_literal`. Secrets are read anew on every load, so a changed file is a
//! rotated credential. References may be shown and logged: they print the place, never the text.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Largest secret file; a private key with its chain is a few KiB.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Where a secret is: exactly one of `env`, `file` and `insecure_literal`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "SecretTable", into = "SecretTable")]
#[schemars(with = "SecretTable")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one trailing line break is not part of the secret.
    File(PathBuf),
    /// The secret itself, in the configuration file.
    Literal(Secret),
}

/// A credential of a provider's pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ProviderKeyTable", into = "ProviderKeyTable")]
#[schemars(with = "ProviderKeyTable")]
pub struct ProviderKey {
    /// Where the credential is.
    pub reference: SecretRef,
    /// Share of the requests it gets, relative to the others of the pool.
    pub weight: u32,
    /// Models it may be used for; `None`: all, empty: none.
    pub models: Option<Vec<String>>,
}

/// Where a secret is: exactly one of these.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SecretRef")]
struct SecretTable {
    /// Name of the environment variable that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    /// File that holds the secret. A relative path starts at the folder of the configuration file,
    /// or at `$CREDENTIALS_DIRECTORY` if there is no such file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The secret itself. Anyone who can read this file can use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    insecure_literal: Option<String>,
}

/// Where a credential is (exactly one of `env`, `file`, `insecure_literal`), and when it is used.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProviderKey")]
struct ProviderKeyTable {
    /// Name of the environment variable that holds the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    /// File that holds the credential. A relative path starts at the folder of the configuration
    /// file, or at `$CREDENTIALS_DIRECTORY` if there is no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The credential itself. Anyone who can read this file can use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    insecure_literal: Option<String>,
    /// Share of the requests this credential gets, relative to the others of the pool.
    #[serde(default = "one")]
    weight: u32,
    /// Models it may be used for; omitted: all, `[]`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
}

fn one() -> u32 {
    1
}

impl TryFrom<SecretTable> for SecretRef {
    type Error = &'static str;

    fn try_from(table: SecretTable) -> Result<Self, Self::Error> {
        match (table.env, table.file, table.insecure_literal) {
            (Some(name), None, None) => Ok(Self::Env(name)),
            (None, Some(path), None) => Ok(Self::File(PathBuf::from(path))),
            (None, None, Some(text)) => Ok(Self::Literal(Secret::new(text))),
            (None, None, None) => Err("a secret needs one of `env`, `file` or `insecure_literal`"),
            _ => Err("a secret has only one of `env`, `file` and `insecure_literal`"),
        }
    }
}

impl From<SecretRef> for SecretTable {
    fn from(reference: SecretRef) -> Self {
        match reference {
            SecretRef::Env(name) => Self { env: Some(name), ..Self::default() },
            SecretRef::File(path) => {
                Self { file: Some(path.to_string_lossy().into_owned()), ..Self::default() }
            }
            SecretRef::Literal(_) => {
                Self { insecure_literal: Some("***".to_owned()), ..Self::default() }
            }
        }
    }
}

impl TryFrom<ProviderKeyTable> for ProviderKey {
    type Error = &'static str;

    fn try_from(table: ProviderKeyTable) -> Result<Self, Self::Error> {
        let ProviderKeyTable { env, file, insecure_literal, weight, models } = table;
        let reference = SecretRef::try_from(SecretTable { env, file, insecure_literal })?;
        Ok(Self { reference, weight, models })
    }
}

impl From<ProviderKey> for ProviderKeyTable {
    fn from(key: ProviderKey) -> Self {
        let SecretTable { env, file, insecure_literal } = key.reference.into();
        Self { env, file, insecure_literal, weight: key.weight, models: key.models }
    }
}

impl PartialEq for SecretRef {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Env(a), Self::Env(b)) => a == b,
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Literal(a), Self::Literal(b)) => a.expose() == b.expose(),
            _ => false,
        }
    }
}

/// Why a referenced secret cannot be used. A secret that is merely absent is not an error.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is there but cannot be read.
    #[error("cannot read secret file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is far larger than any secret.
    #[error("secret file {0} is larger than 64 KiB")]
    TooLarge(PathBuf),
}

/// Reads the secret behind a reference. `Ok(None)`: the variable or the file does not exist, or
/// is empty. `env` looks up an environment variable; see [`process_env`].
pub fn resolve(
    reference: &SecretRef,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Secret>, SecretError> {
    let text = match reference {
        SecretRef::Env(name) => env(name).map(Secret::new),
        SecretRef::File(path) => read_secret_file(path)?,
        SecretRef::Literal(secret) => Some(secret.clone()),
    };
    Ok(text.map(|secret| without_line_break(&secret)).filter(|s| !s.expose().is_empty()))
}

/// The environment of this process.
pub fn process_env(name: &str) -> Option<String> {
    // `var_os` would accept what is not UTF-8, which no HTTP header can carry anyway.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok()
}

/// A written path as seen from `folder`: as it is if absolute, else below the folder, else, if that
/// does not exist, below `$CREDENTIALS_DIRECTORY`.
pub(super) fn locate(
    folder: &Path,
    written: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> PathBuf {
    let path = if folder == Path::new(".") { written.to_owned() } else { folder.join(written) };
    if written.is_absolute() || path.exists() {
        return path;
    }
    let credential = env("CREDENTIALS_DIRECTORY").map(|base| Path::new(&base).join(written));
    credential.filter(|credential| credential.exists()).unwrap_or(path)
}

fn read_secret_file(path: &Path) -> Result<Option<Secret>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_SECRET_BYTES => {
            Err(SecretError::TooLarge(path.to_owned()))
        }
        Ok(_) => std::fs::read_to_string(path).map(|t| Some(Secret::new(t))).map_err(unreadable),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// Files end in a line break that nobody means; only one is cut.
fn without_line_break(secret: &Secret) -> Secret {
    let text = secret.expose();
    let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    Secret::new(text)
}

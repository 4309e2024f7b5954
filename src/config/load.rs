//! From files to a checked [`Config`].
//!
//! Used by `cli` at start and by `server::reload` on every change. Loading has no effect but
//! reading: an error leaves everything as it was. Each file is read once, so the digest is that of
//! exactly the bytes that were parsed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::problem::{ConfigError, Problem};
use super::providers::ProviderConfig;
use super::secret_ref::{SecretRef, locate};
use super::tree::{Node, Position, Step, Tree, Value, merge};
use super::{Config, inherit, shape, syntax, validate};

/// Largest configuration file.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Where a configuration is looked for if none is named.
const SEARCH: [&str; 2] = ["arouter.toml", "/etc/arouter/arouter.toml"];

/// A configuration that passed every check.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration; paths in it are resolved against the files they are written in.
    pub config: Config,
    /// What is worth a look but does not prevent a start.
    pub warnings: Vec<Problem>,
    /// Every file whose change matters: the configuration, its includes, secret and TLS files.
    pub files: Vec<PathBuf>,
    /// Folders in which such files live or may appear, to be watched for changes.
    pub folders: Vec<PathBuf>,
    /// SHA-256 of the text of all configuration files, in hexadecimal digits.
    pub hash: String,
    /// What the files say, without defaults, as TOML; literal secrets are replaced.
    pub written: String,
}

/// The file to load: the named one, or the first of `./arouter.toml` and
/// `/etc/arouter/arouter.toml` that exists. (`$AROUTER_CONFIG` is the command line's twin of
/// `--config`.)
pub fn find(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => SEARCH.iter().map(PathBuf::from).find(|path| path.is_file()),
    }
}

/// Reads, merges, types and checks a configuration file and its includes. `env` looks up an
/// environment variable; see [`super::process_env`].
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let mut source = Source::default();
    let tree = source.read(path).map_err(ConfigError::new)?;
    finish(path, source, &tree, env)
}

/// Types and checks a configuration that is not in a file yet; `path` is where it will be. It
/// cannot include others.
pub fn load_text(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigError> {
    let mut source = Source::default();
    let root = source.parse_text(path, 0, text).map_err(ConfigError::new)?;
    finish(path, source, &Tree { files: vec![path.to_owned()], root }, env)
}

fn finish(
    path: &Path,
    source: Source,
    tree: &Tree,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigError> {
    if source.main_is_blank {
        // A file cut to nothing by a full disk must not take every provider away.
        let hint = "write at least version = 1".to_owned();
        let problem = Problem::of_file(path, "the file is empty");
        return Err(ConfigError::new(vec![Problem { hint: Some(hint), ..problem }]));
    }
    let mut config: Config = shape::read(tree).map_err(ConfigError::new)?;
    locate_files(&mut config, tree, env);
    inherit::inherit(&mut config, env);
    let (errors, warnings) = validate::check(&config, tree, env);
    if !errors.is_empty() {
        return Err(ConfigError::new(errors));
    }
    let mut files = tree.files.clone();
    files.extend(secret_files(&config));
    let folders = files.iter().map(|file| parent(file)).chain(source.folders);
    Ok(Loaded {
        warnings: ConfigError::new(warnings).problems,
        folders: folders.collect::<BTreeSet<_>>().into_iter().collect(),
        hash: hex(&source.digest.finalize()),
        written: super::show::tree_as_toml(&tree.root),
        files,
        config,
    })
}

/// Collects what is learned while files are read.
#[derive(Default)]
struct Source {
    digest: Sha256,
    folders: Vec<PathBuf>,
    main_is_blank: bool,
}

impl Source {
    /// Reads the main file and merges its includes.
    fn read(&mut self, path: &Path) -> Result<Tree, Vec<Problem>> {
        let root = self.parse(path, 0)?;
        let mut tree = Tree { files: vec![path.to_owned()], root };
        let mut problems = Vec::new();
        for included in self.included(&tree)? {
            let index = tree.files.len();
            tree.files.push(included.clone());
            match self.parse(&included, index) {
                Ok(node) => problems.extend(merge_file(&mut tree, node)),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(tree) } else { Err(problems) }
    }

    fn parse(&mut self, path: &Path, index: usize) -> Result<Node, Vec<Problem>> {
        let text = read_text(path).map_err(|problem| vec![problem])?;
        self.parse_text(path, index, &text)
    }

    fn parse_text(&mut self, path: &Path, index: usize, text: &str) -> Result<Node, Vec<Problem>> {
        // Lengths keep two files from being taken for one.
        self.digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.digest.update(text.as_bytes());
        self.main_is_blank |= index == 0 && text.trim().is_empty();
        syntax::parse(path, index, text)
    }

    /// The files that the `include` patterns of the main file match, sorted, each once.
    fn included(&mut self, tree: &Tree) -> Result<Vec<PathBuf>, Vec<Problem>> {
        let Some(entry) = tree.root.entry("include") else { return Ok(Vec::new()) };
        let Value::List(patterns) = &entry.node.value else { return Ok(Vec::new()) };
        let folder = parent(tree.file(entry.at));
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for node in patterns {
            let Value::Text(pattern) = &node.value else { continue };
            self.folders.push(parent(&folder.join(pattern)));
            match matches(&folder, pattern) {
                Ok(paths) => found.extend(paths),
                Err(message) => {
                    let hint = "patterns are relative to this file".to_owned();
                    problems.push(tree.problem(node.at, message, Some(hint)));
                }
            }
        }
        self.folders.retain(|folder| folder.is_dir());
        let main = tree.files.first().and_then(|path| path.canonicalize().ok());
        let mut seen = BTreeSet::new();
        found
            .retain(|path: &PathBuf| path.canonicalize().ok() != main && seen.insert(path.clone()));
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }
}

fn matches(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    let full = Path::new(&folder).join(pattern);
    let paths =
        glob::glob(&full.to_string_lossy()).map_err(|e| format!("bad pattern: {}", e.msg))?;
    let paths: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|p| p.is_file()).collect();
    if paths.is_empty() && !pattern.contains(['*', '?', '[']) {
        return Err(format!("included file `{pattern}` does not exist"));
    }
    Ok(paths)
}

fn merge_file(tree: &mut Tree, node: Node) -> Vec<Problem> {
    if let Some(entry) = node.entry("include") {
        let hint = "list all files in the main file".to_owned();
        return vec![tree.problem(entry.at, "an included file cannot include others", Some(hint))];
    }
    let clashes = merge(&mut tree.root, node);
    let describe = |(first, second, name): (Position, Position, String)| {
        let hint = format!("first defined in {}:{}", tree.file(first).display(), first.line);
        tree.problem(second, format!("`{name}` is defined twice"), Some(hint))
    };
    clashes.into_iter().map(describe).collect()
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        let hint = "name the file with --config or AROUTER_CONFIG".to_owned();
        let message = format!("cannot read the file: {error}");
        Problem { hint: Some(hint), ..Problem::of_file(path, message) }
    };
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(failed(&"it is not a file"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(failed(&"it is larger than 16 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8"))
}

/// Makes file references absolute to the file they are written in, or to the credentials folder.
fn locate_files(config: &mut Config, tree: &Tree, env: &dyn Fn(&str) -> Option<String>) {
    let resolve = |path: &mut PathBuf, steps: &[Step]| {
        *path = locate(&parent(tree.file(tree.value_at(steps))), path, env);
    };
    let resolve_ref = |reference: &mut SecretRef, steps: &[Step]| {
        if let SecretRef::File(path) = reference {
            resolve(path, steps);
        }
    };
    for (name, provider) in &mut config.providers {
        let at = |key: &str| vec![Step::from("providers"), name.as_str().into(), key.into()];
        for (index, key) in provider.keys.iter_mut().flatten().enumerate() {
            resolve_ref(&mut key.reference, &[at("keys"), vec![index.into()]].concat());
        }
        for (key, reference) in provider.account_secrets_mut() {
            resolve_ref(reference, &at(key));
        }
        if let Some(path) = &mut provider.ca_file {
            resolve(path, &at("ca_file"));
        }
    }
    for (name, key) in &mut config.keys {
        if let Some(secret) = &mut key.secret {
            resolve_ref(secret, &["keys".into(), name.as_str().into(), "secret".into()]);
        }
    }
    if let Some(tls) = &mut config.server.tls {
        let at = |key: &str| [Step::from("server"), "tls".into(), key.into()];
        resolve(&mut tls.cert.file, &at("cert"));
        resolve_ref(&mut tls.key, &at("key"));
    }
}

/// Files outside the configuration whose change asks for a reload.
fn secret_files(config: &Config) -> Vec<PathBuf> {
    let pools = config.providers.values().flat_map(ProviderConfig::pool).map(|key| &key.reference);
    let accounts = config.providers.values().flat_map(ProviderConfig::account_secrets);
    let pools = pools.chain(accounts.map(|(_, reference)| reference));
    let keys = config.keys.values().filter_map(|key| key.secret.as_ref());
    let tls = config.server.tls.iter();
    let references = pools.chain(keys).chain(tls.clone().map(|tls| &tls.key));
    let secrets = references.filter_map(|reference| match reference {
        SecretRef::File(path) => Some(path.clone()),
        SecretRef::Env(_) | SecretRef::Literal(_) => None,
    });
    let ca = config.providers.values().filter_map(|p| p.ca_file.clone());
    secrets.chain(ca).chain(tls.map(|tls| tls.cert.file.clone())).collect()
}

/// The folder of a file; `.` for a bare name.
fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

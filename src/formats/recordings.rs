//! Recorded exchanges with providers, for the tests of every format, where they are present.

use std::path::Path;

/// The files of a folder, in the order of their names; none when the recordings are not there.
pub(super) fn files(folder: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/corpus").join(folder);
    let Ok(entries) = std::fs::read_dir(corpus) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

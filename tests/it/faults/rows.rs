//! docs/faults.md promises a test for every row; here it is held to it.

use std::fs;
use std::path::{Path, PathBuf};

/// How many faults of each side there are.
const ROWS: [(char, usize); 2] = [('u', 38), ('c', 5)];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the tables: their name and the tests in their last cell.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let lines = text.lines().filter(|line| line.starts_with("| u") || line.starts_with("| c"));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let tests = cells.last().unwrap().split('`').skip(1).step_by(2).map(str::to_owned);
        (cells[0].to_owned(), tests.collect())
    });
    rows.collect()
}

/// The files that may hold a test of this path.
fn files(module: &str) -> Vec<PathBuf> {
    let path = module.replace("::", "/");
    let inner = path.strip_suffix("/tests").map(str::to_owned);
    let names = [Some(path), inner];
    let both = |name: &String| [format!("{name}.rs"), format!("{name}/mod.rs")];
    let names = names.iter().flatten().flat_map(both);
    let folders = ["tests/it", "tests", "src"];
    names.flat_map(|name| folders.map(|folder| root().join(folder).join(&name))).collect()
}

/// Whether a file has a test of this name.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let is_test = matches!(pair[0], "#[test]" | "#[tokio::test]");
        let function = pair[1].trim_start_matches("async ").strip_prefix("fn ");
        is_test && function.is_some_and(|rest| rest.split('(').next() == Some(name))
    })
}

fn exists(test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else { return false };
    files(module).iter().any(|file| has_test(file, name))
}

#[test]
fn every_row_has_its_tests() {
    let rows = rows(&fs::read_to_string(root().join("docs/faults.md")).unwrap());
    let mut wrong = Vec::new();
    for (side, count) in ROWS {
        for number in 1..=count {
            let name = format!("{side}{number:02}");
            let of: Vec<_> = rows.iter().filter(|(row, _)| *row == name).collect();
            let tests = of.first().map(|(_, tests)| tests.as_slice()).unwrap_or_default();
            if of.len() != 1 || tests.is_empty() {
                wrong.push(format!("{name}: {} rows, tests {tests:?}", of.len()));
            }
            let missing = tests.iter().filter(|test| !exists(test));
            wrong.extend(missing.map(|test| format!("{name}: there is no test {test}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        !exists("faults::rows::no_such_test") && exists("faults::rows::every_row_has_its_tests")
    );
}

//! Damaged files: an error with a position or a configuration, never a panic.

use proptest::prelude::*;

use super::good::EXAMPLE;
use super::{Folder, env};

/// Every text ends in a verdict whose positions are inside the file.
fn judge(name: &str, text: &str) -> Result<(), TestCaseError> {
    let folder = Folder::new();
    let path = folder.0.path().join(name);
    std::fs::write(&path, text).unwrap();
    if let Err(error) = crate::config::load(&path, &env) {
        prop_assert!(!error.problems.is_empty());
        for problem in error.problems {
            let lines = text.lines().count().max(1) + 1;
            prop_assert!((1..=lines).contains(&problem.line), "{problem}");
            prop_assert!(problem.column >= 1, "{problem}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_toml_never_panics(
        at in 0..EXAMPLE.len(),
        length in 0_usize..40,
        insert in "[\\[\\]{}\",=.'\\-a-z0-9\n é]{0,6}",
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, insert.bytes());
        judge("a.toml", &String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn damaged_yaml_never_panics(text in "[a-z:\\[\\]{}\"&*!|>, \n\t-]{0,80}") {
        judge("a.yaml", &format!("providers:\n  {text}"))?;
    }

    #[test]
    fn swapped_lines_never_panic(order in Just((0..EXAMPLE.lines().count()).collect::<Vec<_>>()).prop_shuffle()) {
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        let text: Vec<&str> = order.into_iter().take(20).map(|line| lines[line]).collect();
        judge("a.toml", &text.join("\n"))?;
    }
}

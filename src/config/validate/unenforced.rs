//! Warns about every setting an operator wrote that this version does nothing with.
//!
//! What is not written is not warned about, whatever its default.

use super::Findings;
use crate::config::tree::{Node, Step, Value};
use crate::config::unenforced::UNENFORCED;

pub(super) fn check(findings: &mut Findings<'_>) {
    for setting in UNENFORCED {
        let names: Vec<&str> = setting.split('.').collect();
        let mut found = Vec::new();
        find(&findings.tree.root, &names, &mut Vec::new(), &mut |path| {
            found.push(path.to_vec());
        });
        let name = names.last().copied().unwrap_or_default();
        for path in found {
            let message = format!("`{name}` is not enforced by this version");
            findings.key_warning(&path, message, "remove it, or do not rely on it");
        }
    }
}

/// Calls `report` with every value at the end of `names`, in which `*` is any step.
fn find(node: &Node, names: &[&str], path: &mut Vec<Step>, report: &mut impl FnMut(&[Step])) {
    let Some((name, rest)) = names.split_first() else {
        report(path);
        return;
    };
    let children: Vec<(Step, &Node)> = match &node.value {
        Value::Table(entries) => {
            let meant = entries.iter().filter(|entry| *name == "*" || entry.key == *name);
            meant.map(|entry| (entry.key.as_str().into(), &entry.node)).collect()
        }
        Value::List(items) if *name == "*" => {
            items.iter().enumerate().map(|(index, item)| (index.into(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (step, child) in children {
        path.push(step);
        find(child, rest, path, report);
        path.pop();
    }
}

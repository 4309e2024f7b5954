//! Warns about every setting an operator wrote that this version does nothing with.
//!
//! What is not written is not warned about, whatever its default.

use super::Findings;
use crate::config::tree::{Node, Step, Value};
use crate::config::unenforced::{UNENFORCED, Unenforced};

pub(super) fn check(findings: &mut Findings<'_>) {
    for setting in UNENFORCED {
        let names: Vec<&str> = setting.path.split('.').collect();
        let mut found = Vec::new();
        find(&findings.tree.root, &names, &mut Vec::new(), &mut |path, node| {
            if is_meant(setting, node) {
                found.push(path.to_vec());
            }
        });
        let name = names.last().copied().unwrap_or_default();
        for path in found {
            let message = format!("`{name}` is not {} by this version", setting.verb);
            findings.key_warning(&path, message, "remove it, or do not rely on it");
        }
    }
}

fn is_meant(setting: &Unenforced, node: &Node) -> bool {
    match (setting.value, &node.value) {
        (None, _) => true,
        (Some(value), Value::Text(text)) => text == value,
        (Some(_), _) => false,
    }
}

/// Calls `report` with every value at the end of `names`, in which `*` is any step.
fn find(
    node: &Node,
    names: &[&str],
    path: &mut Vec<Step>,
    report: &mut impl FnMut(&[Step], &Node),
) {
    let Some((name, rest)) = names.split_first() else {
        report(path, node);
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

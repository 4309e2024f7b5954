//! Tests of `splice`: examples of comma handling, and a property against a map of raw values.

use super::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn edited(json: &str, edit: impl FnOnce(&mut Splice<'_>)) -> String {
    let body = Bytes::copy_from_slice(json.as_bytes());
    let head = Head::scan(&body).unwrap();
    let mut splice = Splice::new(&body, &head);
    edit(&mut splice);
    String::from_utf8(splice.finish().to_bytes().to_vec()).unwrap()
}

#[test]
fn commas_and_whitespace_stay_right() {
    let pretty = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n";
    for (json, removed, expected) in [
        ("{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "c", "{\"a\":1,\"b\":2}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "ab", "{\"c\":3}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "bc", "{\"a\":1}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "ca", "{\"b\":2}"),
        ("{\"a\":1,\"b\":2,\"c\":3}", "abc", "{}"),
        ("{ \"a\" : 1 }", "a", "{  }"),
        (pretty, "a", "{\n  \"b\": 2,\n  \"c\": 3\n}\n"),
        (pretty, "b", "{\n  \"a\": 1,\n  \"c\": 3\n}\n"),
        (pretty, "c", "{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
        ("{}", "a", "{}"),
    ] {
        let without = edited(json, |splice| {
            for name in removed.split("").filter(|name| !name.is_empty()) {
                splice.remove(name);
            }
        });
        assert_eq!(without, expected, "{json} without {removed}");
    }
}

#[test]
fn insertion_is_last_and_replacement_in_place() {
    assert_eq!(edited("{}", |s| _ = s.insert("x", "1").insert("y", "2")), r#"{"x":1,"y":2}"#);
    assert_eq!(edited("{ \"a\":1\n}", |s| _ = s.insert("x\"", "1")), "{ \"a\":1,\"x\\\"\":1\n}");
    assert_eq!(edited(r#"{"a":1}"#, |s| _ = s.remove("a").insert("x", "[]")), r#"{"x":[]}"#);
    let escaped = "{\"mod\\u0065l\" : \"m\",\"b\":2}";
    assert_eq!(
        edited(escaped, |s| _ = s.replace("model", "\"n\"")),
        escaped.replace("\"m\"", "\"n\"")
    );
    assert_eq!(edited(escaped, |s| _ = s.replace("missing", "1")), escaped);
}

#[test]
fn the_last_edit_of_a_name_wins() {
    let json = r#"{"a":1,"b":2}"#;
    assert_eq!(edited(json, |s| _ = s.remove("a").insert("a", "9")), r#"{"a":9,"b":2}"#);
    assert_eq!(edited(json, |s| _ = s.insert("a", "9").remove("a")), r#"{"b":2}"#);
    assert_eq!(edited(json, |s| _ = s.remove("a").replace("a", "9")), r#"{"b":2}"#);
    assert_eq!(edited(json, |s| _ = s.insert("x", "1").insert("x", "2")), r#"{"a":1,"b":2,"x":2}"#);
    assert_eq!(
        edited(json, |s| _ = s.insert("x", "1").replace("x", "3")),
        r#"{"a":1,"b":2,"x":3}"#
    );
    assert_eq!(edited(json, |s| _ = s.insert("x", "1").remove("x")), json);
}

#[test]
fn the_original_is_shared_not_copied() {
    let long = format!(r#"{{"model":"m","prompt":"{}","n":1}}"#, "x".repeat(JOIN_BELOW_BYTES));
    for (json, pieces) in [(long.as_str(), 3), (r#"{"model":"m"}"#, 1)] {
        let body = Bytes::copy_from_slice(json.as_bytes());
        let head = Head::scan(&body).unwrap();
        let same = Splice::new(&body, &head).finish();
        assert_eq!((same.pieces.len(), same.pieces[0].as_ptr()), (1, body.as_ptr()));

        let new = Splice::new(&body, &head).replace("model", "\"other\"").finish();
        assert_eq!(new.pieces.len(), pieces);
        assert_eq!(new.len, body.len() + 4);
        assert_eq!(new.to_bytes().len(), new.len);
        if let [before, _, after] = new.pieces.as_slice() {
            assert_eq!(before.as_ptr(), body.as_ptr());
            assert_eq!(after.as_ptr(), body[head.get("model").unwrap().value.end..].as_ptr());
        }
    }
    assert_eq!(Body::from(Bytes::new()).to_bytes(), Bytes::new());
}

#[derive(Debug, Clone)]
enum Op {
    Replace(usize),
    Remove(usize),
    Insert(usize),
}

const NAMES: [&str; 9] = ["a", "b", "c", "model", "x\"y", "ü", "", "new", "n\n"];

fn member() -> impl Strategy<Value = (usize, &'static str, &'static str)> {
    let values = ["1", "\"s,}\"", "{\"a\": [1 , 2]}", "[ ]", "null", "-0.5e+3", "\"\\\"\""];
    (
        0..NAMES.len(),
        prop::sample::select(values.to_vec()),
        prop::sample::select(vec!["", " ", "\n\t"]),
    )
}

/// The members of `json` as text, in order.
fn raw_members(json: &str) -> Vec<(String, String)> {
    let head = Head::scan(json.as_bytes()).unwrap();
    serde_json::from_str::<std::collections::HashMap<String, Box<RawValue>>>(json).unwrap();
    head.members()
        .iter()
        .map(|member| {
            (head.name_of(member).to_owned(), json.get(member.value.clone()).unwrap().to_owned())
        })
        .collect()
}

proptest! {
    #[test]
    fn edits_give_the_edited_map(
        members in prop::collection::vec(member(), 0..7),
        ops in prop::collection::vec(
            (0..3_usize, 0..NAMES.len()).prop_map(|(kind, name)| match kind {
                0 => Op::Replace(name),
                1 => Op::Remove(name),
                _ => Op::Insert(name),
            }), 0..6),
    ) {
        let mut seen = std::collections::HashSet::new();
        let texts: Vec<String> = members
            .iter()
            .filter(|(name, ..)| seen.insert(*name))
            .map(|(name, value, ws)| {
                format!("{ws}{}{ws}:{ws}{value}{ws}", serde_json::to_string(NAMES[*name]).unwrap())
            })
            .collect();
        let json = format!(" {{{}}}\n", texts.join(","));

        let mut expected = raw_members(&json);
        let original: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
        let mut gone = vec![];
        let result = edited(&json, |splice| {
            for (step, op) in ops.iter().enumerate() {
                let new = format!("{{\"step\":{step}}}");
                match *op {
                    Op::Replace(name) => {
                        splice.replace(NAMES[name], new.clone());
                        if let Some(member) = expected.iter_mut().find(|m| m.0 == NAMES[name]) {
                            member.1 = new;
                        }
                    }
                    Op::Remove(name) => {
                        splice.remove(NAMES[name]);
                        expected.retain(|m| m.0 != NAMES[name]);
                        gone.push(NAMES[name]);
                    }
                    Op::Insert(name) => {
                        splice.insert(NAMES[name], new.clone());
                        expected.retain(|m| m.0 != NAMES[name]);
                        expected.push((NAMES[name].to_owned(), new));
                    }
                }
            }
        });
        // Members the body had keep their place, new ones follow in the order of insertion.
        let place = |name: &str| original.iter().position(|o| o == name).unwrap_or(usize::MAX);
        expected.sort_by_key(|(name, _)| place(name));
        prop_assert_eq!(raw_members(&result), expected, "{} -> {}", json, result);
    }
}

//! Turns a [`Tree`] into typed configuration, reporting every key and value that does not fit.
//!
//! Used by `load`. It is a `serde` deserializer over the tree: unknown keys are noted and skipped;
//! a value of the wrong shape is noted, taken out, and the rest read again, until nothing is left
//! to complain about. Messages name kinds of values, never the values, which may be secrets.

use std::cell::RefCell;
use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::problem::{Problem, nearest};
use super::tree::{Entry, Node, Position, Step, Tree, Value};

/// Problems after which the rest of a hopeless file is left unread.
const MAX_PROBLEMS: usize = 100;

/// Reads a value of type `T` from the whole tree.
pub(super) fn read<T: DeserializeOwned>(tree: &Tree) -> Result<T, Vec<Problem>> {
    let mut root = tree.root.clone();
    let mut problems = Vec::new();
    let mut removed: Vec<Vec<Step>> = Vec::new();
    loop {
        let notes = Notes::default();
        let result = T::deserialize(Reader { node: &root, key: None, notes: &notes });
        let unknown = notes.unknown.into_inner();
        let error = match result {
            Ok(value) if problems.is_empty() && unknown.is_empty() => return Ok(value),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let path = error.as_ref().map(|error| error.path.clone());
        if let Some(error) = error
            && !follows(&error, &removed, &unknown)
        {
            problems.push(error.into_problem(tree));
        }
        problems.extend(unknown.into_iter().map(|error| error.into_problem(tree)));
        let Some(path) = path else { return Err(problems) };
        if problems.len() >= MAX_PROBLEMS || !root.remove(&path) {
            return Err(problems);
        }
        removed.push(path);
    }
}

/// Whether an error is only the consequence of another: a key that was taken out because it was
/// wrong is not missing, and neither is one that is there but mistyped.
fn follows(error: &ShapeError, removed: &[Vec<Step>], unknown: &[ShapeError]) -> bool {
    let mut mistyped = unknown.iter().filter(|other| other.path == error.path);
    match error.missing_key {
        Some(key) => {
            let meant = format!("did you mean `{key}`?");
            removed.iter().any(|r| r.split_last() == Some((&Step::from(key), &error.path)))
                || mistyped.any(|other| other.hint.as_ref() == Some(&meant))
        }
        None => mistyped.next().is_some(),
    }
}

/// What is noted while reading goes on.
#[derive(Default)]
struct Notes {
    path: RefCell<Vec<Step>>,
    unknown: RefCell<Vec<ShapeError>>,
}

/// Why a value does not fit; the position is filled in by the innermost reader.
#[derive(Debug)]
struct ShapeError {
    message: String,
    hint: Option<String>,
    at: Option<Position>,
    path: Vec<Step>,
    missing_key: Option<&'static str>,
}

impl ShapeError {
    fn new(message: String, hint: Option<String>) -> Self {
        Self { message, hint, at: None, path: Vec::new(), missing_key: None }
    }

    /// Gives an error without a hint the one that belongs to its key.
    fn explain(&mut self) {
        if self.hint.is_some() {
            return;
        }
        let key = self.path.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        let hint = match (self.missing_key, key.unwrap_or_default()) {
            (Some(missing), _) => format!("add `{missing} = …` to this table"),
            (None, "base_url") => "such as \"https://api.openai.com/v1\"".to_owned(),
            (None, "listen") => "write ip:port, such as \"127.0.0.1:8080\"".to_owned(),
            (None, "expires_at") => "such as 2027-01-31T00:00:00Z".to_owned(),
            (None, "hash") => "`arouter keys hash` makes one".to_owned(),
            (None, "limit_usd" | "opening_balance_usd") => "USD, such as \"5.00\"".to_owned(),
            (None, _) if self.path.iter().any(|step| *step == Step::from("price")) => {
                "a decimal string in quotes, such as \"2.50\"".to_owned()
            }
            (
                None,
                "keys" | "secret" | "key" | "credentials" | "access_key_id" | "secret_access_key"
                | "session_token",
            ) => "write { env = \"NAME\" } or { file = \"/path\" }".to_owned(),
            _ => "`arouter config schema` describes every key".to_owned(),
        };
        self.hint = Some(hint);
    }

    fn into_problem(self, tree: &Tree) -> Problem {
        tree.problem(self.at.unwrap_or(tree.root.at), self.message, self.hint)
    }
}

impl Display for ShapeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ShapeError {}

impl de::Error for ShapeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string(), None)
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = plain(&expected.to_string());
        let hint = match (found, expected.as_str()) {
            (de::Unexpected::Str(_), "a list") => Some("put it in brackets: [\"…\"]".to_owned()),
            (de::Unexpected::Str(_), "true or false" | "a number") => {
                Some("remove the quotes".to_owned())
            }
            (de::Unexpected::Str(_), text) if text.starts_with("a whole number") => {
                Some("remove the quotes".to_owned())
            }
            (de::Unexpected::Signed(_) | de::Unexpected::Float(_), "a string") => {
                Some("put it in quotes".to_owned())
            }
            (de::Unexpected::Str(_), text) if text.contains("secret") => {
                Some("write { env = \"NAME\" } or { file = \"/path\" }".to_owned())
            }
            _ => None,
        };
        Self::new(format!("expected {expected}, found {}", kind(found)), hint)
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            de::Unexpected::Signed(number) => number.to_string(),
            de::Unexpected::Unsigned(number) => number.to_string(),
            other => kind(other).to_owned(),
        };
        Self::new(format!("expected {}, found {found}", plain(&expected.to_string())), None)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected, "one of");
        Self::new(format!("unknown value `{variant}`"), Some(hint))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(field, expected, "known keys:");
        Self::new(format!("unknown key `{field}`"), Some(hint))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::new(format!("missing key `{field}`"), None);
        error.missing_key = Some(field);
        error
    }
}

/// The nearest name, or all of them.
fn did_you_mean(typed: &str, names: &[&str], list: &str) -> String {
    match nearest(typed, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{list} {}", names.join(", ")),
    }
}

fn kind(found: de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "true or false",
        de::Unexpected::Signed(_) | de::Unexpected::Unsigned(_) => "a whole number",
        de::Unexpected::Float(_) => "a number with a decimal point",
        de::Unexpected::Str(_) | de::Unexpected::Char(_) | de::Unexpected::Bytes(_) => "a string",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a table",
        _ => "nothing",
    }
}

/// `serde` speaks Rust; operators do not.
fn plain(expected: &str) -> String {
    match expected {
        "u32" | "u64" | "usize" | "u128" => "a whole number, 0 or more".to_owned(),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "struct SecretTable" | "struct ProviderKeyTable" => {
            "a table that says where the secret is".to_owned()
        }
        text if text.starts_with("struct ") => "a table".to_owned(),
        text => text.to_owned(),
    }
}

/// Reads one node; `key` is its key in the table above.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    key: Option<Position>,
    notes: &'a Notes,
}

impl<'a> Reader<'a> {
    /// Gives an error that has no place yet the place of this node.
    fn placed<T>(&self, result: Result<T, ShapeError>) -> Result<T, ShapeError> {
        result.map_err(|mut error| {
            if error.at.is_none() {
                // What a table lacks is said at its name; `[a.b]` has both on one line.
                let name = error.missing_key.and(self.key);
                error.at = Some(name.unwrap_or(self.node.at));
                error.path.clone_from(&self.notes.path.borrow());
                error.explain();
            }
            error
        })
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Integer(number) => visit_integer(*number, visitor),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => {
                visitor.visit_seq(Items { nodes: items, next: 0, notes: self.notes })
            }
            Value::Table(entries) => visitor.visit_map(self.entries(entries, None)),
        };
        self.placed(result)
    }

    fn entries(
        &self,
        entries: &'a [Entry],
        fields: Option<&'static [&'static str]>,
    ) -> Entries<'a> {
        Entries { rest: entries, current: None, fields, notes: self.notes }
    }
}

fn visit_integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, ShapeError> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => visitor.visit_i64(number),
        (_, Ok(number)) => visitor.visit_u64(number),
        _ => Err(de::Error::custom("the number is too large")),
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let result = visitor.visit_newtype_struct(self);
        self.placed(result)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        match &self.node.value {
            Value::Table(entries) => {
                let result = visitor.visit_map(self.entries(entries, Some(fields)));
                self.placed(result)
            }
            // A list would be taken for the fields in order, which no operator means.
            other => {
                let expected: &dyn de::Expected = &visitor;
                let found = match other {
                    Value::List(_) => de::Unexpected::Seq,
                    Value::Text(text) => de::Unexpected::Str(text),
                    Value::Bool(truth) => de::Unexpected::Bool(*truth),
                    Value::Integer(_) => de::Unexpected::Signed(0),
                    Value::Float(number) => de::Unexpected::Float(*number),
                    Value::Null | Value::Table(_) => de::Unexpected::Unit,
                };
                self.placed(Err(de::Error::invalid_type(found, expected)))
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let result = match &self.node.value {
            Value::Text(text) => {
                let text: StrDeserializer<'_, ShapeError> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            other => {
                let message = format!("expected a string, found {}", other.kind());
                Err(ShapeError::new(message, None))
            }
        };
        self.placed(result)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The items of a list.
struct Items<'a> {
    nodes: &'a [Node],
    next: usize,
    notes: &'a Notes,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = ShapeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeError> {
        let Some(node) = self.nodes.get(self.next) else { return Ok(None) };
        self.notes.path.borrow_mut().push(Step::Index(self.next));
        self.next += 1;
        let reader = Reader { node, key: None, notes: self.notes };
        // Placed here too: a conversion may fail after the reader has returned.
        let value = reader.placed(seed.deserialize(reader))?;
        self.notes.path.borrow_mut().pop();
        Ok(Some(value))
    }
}

/// The entries of a table; those not among `fields` are noted and skipped.
struct Entries<'a> {
    rest: &'a [Entry],
    current: Option<&'a Entry>,
    fields: Option<&'static [&'static str]>,
    notes: &'a Notes,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ShapeError> {
        while let Some((entry, rest)) = self.rest.split_first() {
            self.rest = rest;
            if let Some(fields) = self.fields
                && !fields.contains(&entry.key.as_str())
            {
                let mut unknown: ShapeError = de::Error::unknown_field(&entry.key, fields);
                unknown.at = Some(entry.at);
                unknown.path.clone_from(&self.notes.path.borrow());
                self.notes.unknown.borrow_mut().push(unknown);
                continue;
            }
            self.current = Some(entry);
            let key: StrDeserializer<'_, ShapeError> = entry.key.as_str().into_deserializer();
            return seed.deserialize(key).map(Some).map_err(|mut error| {
                error.at = Some(entry.at);
                error.path.clone_from(&self.notes.path.borrow());
                error.path.push(Step::Key(entry.key.clone()));
                error
            });
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ShapeError> {
        let Some(entry) = self.current.take() else {
            return Err(de::Error::custom("a value was read before its key"));
        };
        self.notes.path.borrow_mut().push(Step::Key(entry.key.clone()));
        let reader = Reader { node: &entry.node, key: Some(entry.at), notes: self.notes };
        let value = reader.placed(seed.deserialize(reader))?;
        self.notes.path.borrow_mut().pop();
        Ok(value)
    }
}

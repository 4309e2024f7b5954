//! What a request asks, whatever format it is in.
//!
//! The conversation is brought to one form: turns of one role that follow each other are one, calls
//! are numbered in their order and results refer to these numbers, results come before what else
//! the person says, and text is compared without white space.

use crate::json::Json;
use crate::reading::Arguments;
use std::collections::{BTreeMap, BTreeSet};

/// A request as its reader understands it.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    /// `auto`, `none`, `required`, `one:name`, `some:a,b`, `must:a,b`; empty when not said.
    pub choice: String,
    pub parallel: Option<bool>,
    /// Settings by OpenAI's names.
    pub settings: BTreeMap<&'static str, String>,
    /// `json`, or the shape of the schema; empty for free text.
    pub format: String,
    pub stream: bool,
    /// What a format may have no place for: the encoder may refuse the request by name.
    pub special: BTreeSet<&'static str>,
    /// Ids of calls in order.
    pub ids: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    pub role: &'static str,
    /// Text without white space.
    pub text: String,
    /// Calls as `#n name arguments`.
    pub calls: Vec<String>,
    /// Results as `#n text`, by number.
    pub results: Vec<String>,
    pub media: Vec<String>,
    /// Reasoning with its signature, as `text|signature`.
    pub reasoning: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// Every property with its type, sorted.
    pub shape: BTreeSet<String>,
}

impl Ask {
    /// The turn of this role that is being said.
    pub fn turn(&mut self, role: &'static str) -> &mut Turn {
        if self.turns.last().is_none_or(|turn| turn.role != role) {
            self.turns.push(Turn { role, ..Turn::default() });
        }
        self.turns.last_mut().unwrap()
    }

    pub fn say(&mut self, role: &'static str, text: &str) {
        let mut text = without_space(text);
        if role == "user" {
            text = text.strip_prefix("System:").map(str::to_owned).unwrap_or(text);
        }
        if !text.is_empty() {
            self.turn(role).text.push_str(&text);
        }
    }

    /// Instructions lead; those that come later are said in the person's turn.
    pub fn instruct(&mut self, text: &str) {
        let leading = self.turns.iter().all(|turn| turn.role == "system");
        if !leading && !without_space(text).is_empty() {
            self.special.insert("late system");
        }
        self.say(if leading { "system" } else { "user" }, text);
    }

    pub fn call(&mut self, id: &str, name: &str, arguments: &Arguments) {
        let number = self.ids.len();
        self.ids.push(if id.is_empty() { format!("{name}#{number}") } else { id.to_owned() });
        let call = format!("#{number} {name} {}", arguments.value);
        self.turn("assistant").calls.push(call);
    }

    /// A result of the call with this id; the last one of that id is meant.
    pub fn result(&mut self, id: &str, text: &str) {
        let number = self.ids.iter().rposition(|known| known == id);
        let number = number.map_or_else(
            || {
                self.special.insert("orphan result");
                "?".to_owned()
            },
            |number| number.to_string(),
        );
        let result = format!("#{number} {}", result_text(text));
        let turn = self.turn("user");
        turn.results.push(result);
        turn.results.sort();
    }

    pub fn set(&mut self, name: &'static str, value: &Json) {
        if value.is_null() {
            return;
        }
        let text = match value.float() {
            Some(number) => number.to_string(),
            None => value.str().map_or_else(|| value.to_string(), str::to_owned),
        };
        self.settings.insert(name, text);
    }

    pub fn tool(&mut self, name: &str, description: &str, schema: &Json) {
        let (name, description) = (name.to_owned(), description.to_owned());
        self.tools.push(Tool { name, description, shape: shape(schema) });
    }

    /// Drops turns in which nothing is said.
    pub fn settled(mut self) -> Self {
        let mut turns: Vec<Turn> = Vec::new();
        for turn in std::mem::take(&mut self.turns) {
            let is_empty = turn == Turn { role: turn.role, ..Turn::default() };
            let same_role = turns.last().is_some_and(|last| last.role == turn.role);
            if is_empty {
                continue;
            }
            match turns.last_mut() {
                Some(last) if same_role => {
                    last.text.push_str(&turn.text);
                    last.calls.extend(turn.calls);
                    last.results.extend(turn.results);
                    last.results.sort();
                    last.media.extend(turn.media);
                    last.reasoning.extend(turn.reasoning);
                }
                _ => turns.push(turn),
            }
        }
        self.turns = turns;
        self
    }
}

pub fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A result as Gemini's object and as text are the same; so is an error and its text.
pub fn result_text(text: &str) -> String {
    let object = Json::parse(text).filter(Json::is_object);
    let Some(object) = object else { return without_space(text) };
    if let [(key, value)] = object.members()
        && ["result", "output", "return_value", "content", "error"].contains(&key.as_str())
    {
        return match value {
            Json::Text(text) => result_text(text),
            other => without_space(&other.to_string()),
        };
    }
    without_space(&object.to_string())
}

/// What a schema asks for: every property, its type and its enum, in any dialect.
pub fn shape(schema: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(schema, "", &mut found);
    found
}

const KINDS: [&str; 8] = ["", "string", "number", "integer", "boolean", "array", "object", "null"];

fn walk(schema: &Json, path: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].members() {
        let path = format!("{path}.{name}");
        let kind = match property["type"].int() {
            // Google's REST clients write the numbers of its enum.
            Some(number) => {
                usize::try_from(number).ok().and_then(|at| KINDS.get(at)).map_or("", |k| k)
            }
            None => property["type"].text(),
        };
        let kind = kind.to_lowercase();
        found.insert(format!("{path}: {kind}"));
        for value in property["enum"].list() {
            found.insert(format!("{path} = {}", value.text()));
        }
        walk(property, &path, found);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), found);
    }
    for name in schema["required"].list() {
        found.insert(format!("{path}.{} required", name.text()));
    }
}

/// `data:` URLs are their bytes.
pub fn media(url: &str) -> String {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((kind, data)) => {
            let mime = kind.split(';').next().unwrap_or_default().to_lowercase();
            inline(&mime, data)
        }
        None => format!("at {url}"),
    }
}

/// The kind of an inline picture may be corrected by its bytes.
pub fn inline(mime: &str, data: &str) -> String {
    let family = mime.split('/').next().unwrap_or_default().to_lowercase();
    let data = without_space(data).replace('-', "+").replace('_', "/");
    format!("{family} {}", data.trim_end_matches('='))
}

#[test]
fn conversations_come_to_one_form() {
    let mut ask = Ask::default();
    ask.instruct("Be \n nice");
    ask.say("user", "a");
    ask.say("user", " b");
    ask.call("x", "f", &Arguments::from_text("{\"n\":1.0}"));
    ask.call("y", "f", &Arguments::from_text(""));
    ask.result("y", "{\"result\": \"two\"}");
    ask.result("x", "{\"a\": 1}");
    ask.instruct("late");
    let turns = ask.settled().turns;
    assert_eq!(turns.len(), 4);
    assert_eq!((turns[0].text.as_str(), turns[1].text.as_str()), ("Benice", "ab"));
    assert_eq!(turns[2].calls, ["#0 f {\"n\":1.0}", "#1 f {}"]);
    assert_eq!(turns[3].results, ["#0 {\"a\":1}", "#1 two"]);
    assert_eq!(turns[3].text, "late");
    let schema = |text: &str| shape(&Json::parse(text).unwrap());
    let google = schema(r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}"#);
    assert_eq!(google, schema(r#"{"properties":{"a":{"type":"string","title":"A"}}}"#));
    assert_ne!(google, schema(r#"{"properties":{"a":{"type":"number"}}}"#));
}

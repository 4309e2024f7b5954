//! A JSON reader of the judge's own: it keeps the order of keys and the spelling of numbers, so
//! that tool arguments can be compared as they were written, and shares no code with the gateway.

use std::fmt::{self, Display, Write};
use std::iter::Peekable;
use std::ops::Index;
use std::str::CharIndices;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

static NULL: Json = Json::Null;

impl Json {
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, chars: text.char_indices().peekable() };
        let value = reader.value()?;
        reader.space();
        reader.chars.peek().is_none().then_some(value)
    }

    /// Null for what is not there.
    pub fn get(&self, key: &str) -> &Json {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(name, _)| name == key).map_or(&NULL, |(_, v)| v)
            }
            _ => &NULL,
        }
    }

    /// The first of several spellings that has a value.
    pub fn any(&self, keys: &[&str]) -> &Json {
        keys.iter().map(|key| self.get(key)).find(|value| !value.is_null()).unwrap_or(&NULL)
    }

    pub fn list(&self) -> &[Json] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    pub fn members(&self) -> &[(String, Json)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub fn str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, or an empty one.
    pub fn text(&self) -> &str {
        self.str().unwrap_or_default()
    }

    pub fn int(&self) -> Option<u64> {
        match self {
            Self::Number(number) => {
                number.parse().ok().or_else(|| number.strip_suffix(".0")?.parse().ok())
            }
            _ => None,
        }
    }

    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Writes a member over, or adds it.
    pub fn set(&mut self, key: &str, value: Json) {
        *self.slot(key) = value;
    }

    /// The member, made if it is missing; what is no object becomes one.
    pub fn slot(&mut self, key: &str) -> &mut Json {
        if !self.is_object() {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { unreachable!() };
        let at = members.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            members.push((key.to_owned(), Self::Null));
            members.len() - 1
        });
        &mut members[at].1
    }

    pub fn remove(&mut self, key: &str) {
        if let Self::Object(members) = self {
            members.retain(|(name, _)| name != key);
        }
    }

    /// Appends text to a text member.
    pub fn append(&mut self, key: &str, piece: &str) {
        match self.slot(key) {
            Self::Text(text) => text.push_str(piece),
            other => *other = Self::Text(piece.to_owned()),
        }
    }

    /// Appends to a list member.
    pub fn push(&mut self, key: &str, value: Json) {
        match self.slot(key) {
            Self::List(list) => list.push(value),
            other => *other = Self::List(vec![value]),
        }
    }

    /// The element of a list member, made if it is missing.
    pub fn element(&mut self, key: &str, at: usize) -> &mut Json {
        let slot = self.slot(key);
        if !matches!(slot, Self::List(_)) {
            *slot = Self::List(Vec::new());
        }
        let Self::List(list) = slot else { unreachable!() };
        while list.len() <= at {
            list.push(Self::Object(Vec::new()));
        }
        &mut list[at]
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Index<&str> for Json {
    type Output = Json;
    fn index(&self, key: &str) -> &Json {
        self.get(key)
    }
}

impl Index<usize> for Json {
    type Output = Json;
    fn index(&self, at: usize) -> &Json {
        self.list().get(at).unwrap_or(&NULL)
    }
}

impl Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(number) => out.write_str(number),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                out.write_char('[')?;
                for (at, value) in list.iter().enumerate() {
                    write!(out, "{}{value}", if at > 0 { "," } else { "" })?;
                }
                out.write_char(']')
            }
            Self::Object(members) => {
                out.write_char('{')?;
                for (at, (key, value)) in members.iter().enumerate() {
                    out.write_str(if at > 0 { "," } else { "" })?;
                    write_text(key, out)?;
                    write!(out, ":{value}")?;
                }
                out.write_char('}')
            }
        }
    }
}

fn write_text(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

struct Reader<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.chars.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        word.chars().all(|c| self.eat(c)).then_some(value)
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.chars.peek()?.1 {
            'n' => self.word("null", Json::Null),
            't' => self.word("true", Json::Bool(true)),
            'f' => self.word("false", Json::Bool(false)),
            '"' => self.string().map(Json::Text),
            '[' => self.items(']', Self::value).map(Json::List),
            '{' => self.items('}', Self::member).map(Json::Object),
            _ => self.number(),
        }
    }

    fn member(&mut self) -> Option<(String, Json)> {
        self.space();
        let key = self.string()?;
        self.space();
        self.eat(':').then_some(())?;
        Some((key, self.value()?))
    }

    fn items<T>(&mut self, end: char, one: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.chars.next();
        let mut items = Vec::new();
        self.space();
        if self.eat(end) {
            return Some(items);
        }
        loop {
            items.push(one(self)?);
            self.space();
            if self.eat(end) {
                return Some(items);
            }
            self.eat(',').then_some(())?;
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.chars.peek()?.0;
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        while self.chars.next_if(|(_, c)| digit(*c)).is_some() {}
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let number = &self.text[start..end];
        number.parse::<f64>().ok()?;
        Some(Json::Number(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.eat('"').then_some(())?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = self.chars.next()?.1;
            match c {
                '"' => return Some(String::from_utf16_lossy(&units)),
                '\\' => units.push(self.escape()?),
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        Some(match self.chars.next()?.1 {
            'n' => 10,
            't' => 9,
            'r' => 13,
            'b' => 8,
            'f' => 12,
            'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit * 16 + self.chars.next()?.1.to_digit(16)?;
                }
                u16::try_from(unit).ok()?
            }
            c @ ('"' | '\\' | '/') => u16::try_from(u32::from(c)).ok()?,
            _ => return None,
        })
    }
}

#[test]
fn numbers_and_key_order_stay_as_written() {
    let text = r#"{"z":1.50,"a":[12345678901234567890,"\ud83d\ude00\n",null],"b":{}}"#;
    let value = Json::parse(text).unwrap();
    assert_eq!(value["z"], Json::Number("1.50".into()));
    assert_eq!(value["a"][1].text(), "😀\n");
    assert_eq!(
        value.to_string(),
        "{\"z\":1.50,\"a\":[12345678901234567890,\"😀\\u000a\",null],\"b\":{}}"
    );
    assert_eq!(Json::parse("{\"a\":1"), None);
    assert_eq!(Json::parse("{} x"), None);
}

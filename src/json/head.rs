//! The gate every client body passes: strict JSON, bounded, and a map of its top-level members.
//!
//! Made once per request at admission; routing reads single members through it and
//! [`super::Splice`] rewrites them. A body that got past it means the same to every parser: no
//! key appears twice at the top level, however it is escaped. Memory is proportional to the
//! top-level members, time to the bytes.

use std::{borrow::Cow, ops::Range, str::from_utf8};

use thiserror::Error;

use super::{
    MAX_DEPTH,
    scan::{Fault, MAX_VALUES, Scanner},
    text::{as_str, unescape},
};

/// How many members the body's object may have.
pub const MAX_MEMBERS: usize = 1_024;

/// Up to here comparing all pairs of keys beats sorting them.
const PAIRWISE_MEMBERS: usize = 32;

/// Why a request body was refused. The messages are written for the API's client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The body is not JSON.
    #[error("invalid JSON at line {line} column {column}: {reason}")]
    Syntax {
        /// Bytes before the fault.
        offset: usize,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// What was wrong there.
        reason: &'static str,
    },
    /// The body is JSON, but not an object.
    #[error("the request body must be a JSON object")]
    NotAnObject,
    /// A top-level key appears twice; keys are compared unescaped.
    #[error("duplicate key `{key}` in the request body")]
    DuplicateKey {
        /// The key, shortened to 64 characters.
        key: String,
    },
    /// Containers nest deeper than [`MAX_DEPTH`].
    #[error("the request body nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The body holds more than 1,000,000 values.
    #[error("the request body holds more than {MAX_VALUES} values")]
    TooManyValues,
    /// The body has more than [`MAX_MEMBERS`] top-level members.
    #[error("the request body has more than {MAX_MEMBERS} members")]
    TooManyMembers,
    /// A member does not have the type it was read as.
    #[error("`{key}` must be {expected}")]
    WrongType {
        /// The member's key.
        key: String,
        /// The type, with its article.
        expected: &'static str,
    },
}

impl HeadError {
    /// The member at fault, if it is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::DuplicateKey { key } | Self::WrongType { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// Where one top-level member is. Offsets are bytes into the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadMember {
    name: Range<usize>,
    /// Offset of the key's opening quote.
    pub start: usize,
    /// Range of the value.
    pub value: Range<usize>,
}

/// The top-level members of one checked request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// All keys, unescaped, one after the other: two allocations however many members.
    names: String,
    members: Vec<HeadMember>,
    closing_brace: usize,
}

impl Head {
    /// Checks `body` from its first to its last byte and maps its members.
    pub fn scan(body: &[u8]) -> Result<Self, HeadError> {
        let text =
            from_utf8(body).map_err(|e| syntax_error(body, e.valid_up_to(), "invalid UTF-8"))?;
        let mut head = Self {
            names: String::with_capacity(128),
            members: Vec::with_capacity(12),
            closing_brace: 0,
        };
        let mut scanner = Scanner::new(body);
        scanner.skip_whitespace();
        let read = if scanner.peek() == Some(b'{') {
            head.read_members(text, &mut scanner)
        } else {
            scanner.value(0).and_then(|()| end(&mut scanner)).map(|()| Some(HeadError::NotAnObject))
        };
        match read {
            Ok(None) => head.duplicate().map_or(Ok(head), Err),
            Ok(Some(refusal)) => Err(refusal),
            Err(Fault::Syntax { offset, reason }) => Err(syntax_error(body, offset, reason)),
            Err(Fault::TooDeep) => Err(HeadError::TooDeep),
            Err(Fault::TooManyValues) => Err(HeadError::TooManyValues),
        }
    }

    /// The member called `name` (unescaped).
    pub fn get(&self, name: &str) -> Option<&HeadMember> {
        self.members.iter().find(|member| self.name_of(member) == name)
    }

    /// All members in the order of the body.
    pub fn members(&self) -> &[HeadMember] {
        &self.members
    }

    /// The unescaped key of one of this head's members.
    pub fn name_of(&self, member: &HeadMember) -> &str {
        self.names.get(member.name.clone()).unwrap_or_default()
    }

    /// Offset of the brace that ends the body's object.
    pub fn closing_brace(&self) -> usize {
        self.closing_brace
    }

    /// The text of a member's value. `body` must be the bytes that were scanned.
    pub fn raw<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        body.get(self.get(name)?.value.clone())
    }

    /// A string member; absent and `null` are `None`, as for the other typed accessors.
    pub fn string<'a>(
        &self,
        body: &'a [u8],
        name: &str,
    ) -> Result<Option<Cow<'a, str>>, HeadError> {
        self.typed(body, name, "a string", as_str)
    }

    /// A boolean member.
    pub fn boolean(&self, body: &[u8], name: &str) -> Result<Option<bool>, HeadError> {
        self.typed(body, name, "a boolean", |raw| match raw {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        })
    }

    /// A non-negative integer member: digits only, so neither `1.0` nor `1e3`.
    pub fn unsigned(&self, body: &[u8], name: &str) -> Result<Option<u64>, HeadError> {
        self.typed(body, name, "a non-negative integer", |raw| from_utf8(raw).ok()?.parse().ok())
    }

    fn typed<'a, T>(
        &self,
        body: &'a [u8],
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, HeadError> {
        match self.raw(body, name) {
            None | Some(b"null") => Ok(None),
            Some(raw) => match read(raw) {
                Some(value) => Ok(Some(value)),
                None => Err(HeadError::WrongType { key: name.to_owned(), expected }),
            },
        }
    }

    /// Reads the whole document, whose opening brace is under the cursor.
    fn read_members(
        &mut self,
        text: &str,
        scanner: &mut Scanner<'_>,
    ) -> Result<Option<HeadError>, Fault> {
        scanner.count_value()?;
        scanner.take(b'{');
        scanner.skip_whitespace();
        let mut more = !scanner.take(b'}');
        while more {
            if self.members.len() == MAX_MEMBERS {
                return Ok(Some(HeadError::TooManyMembers));
            }
            self.read_member(text, scanner)?;
            scanner.skip_whitespace();
            more = scanner.take(b',');
            if more {
                scanner.skip_whitespace();
            } else if !scanner.take(b'}') {
                return Err(scanner.fault("expected `,` or `}`"));
            }
        }
        self.closing_brace = scanner.offset() - 1;
        end(scanner)?;
        Ok(None)
    }

    fn read_member(&mut self, text: &str, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        let start = scanner.offset();
        let key_end = scanner.key()?;
        let from = scanner.offset();
        scanner.value(1)?;
        let name_start = self.names.len();
        let key = text.get(start + 1..key_end - 1).unwrap_or_default();
        // The scanner has checked the escapes; were it wrong, the key must not go unnoticed.
        if unescape(key, &mut self.names).is_none() {
            return Err(Fault::Syntax { offset: start, reason: "invalid key" });
        }
        let name = name_start..self.names.len();
        self.members.push(HeadMember { name, start, value: from..scanner.offset() });
        Ok(())
    }

    /// The error for the first key found twice.
    fn duplicate(&self) -> Option<HeadError> {
        let name = |member| self.name_of(member);
        let twice = if self.members.len() <= PAIRWISE_MEMBERS {
            self.members.iter().enumerate().map(|(index, member)| (index, name(member))).find_map(
                |(index, key)| {
                    self.members.iter().take(index).any(|m| name(m) == key).then_some(key)
                },
            )
        } else {
            // Sorted, not hashed: no client can choose keys that make this slow.
            let mut names: Vec<&str> = self.members.iter().map(name).collect();
            names.sort_unstable();
            names.array_windows().find_map(|[a, b]| (a == b).then_some(*a))
        };
        twice.map(|key| HeadError::DuplicateKey { key: key.chars().take(64).collect() })
    }
}

/// Only whitespace may follow the document.
fn end(scanner: &mut Scanner<'_>) -> Result<(), Fault> {
    scanner.skip_whitespace();
    match scanner.peek() {
        None => Ok(()),
        Some(_) => Err(scanner.fault("unexpected text after the JSON value")),
    }
}

#[cold]
fn syntax_error(body: &[u8], offset: usize, reason: &'static str) -> HeadError {
    let before = body.get(..offset).unwrap_or(body);
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let is_character_start = |byte: &&u8| **byte & 0xC0 != 0x80;
    let column = before.get(line_start..).unwrap_or_default().iter().filter(is_character_start);
    HeadError::Syntax {
        offset,
        line: memchr::memchr_iter(b'\n', before).count() + 1,
        column: column.count() + 1,
        reason,
    }
}

#[cfg(test)]
pub(super) mod tests;

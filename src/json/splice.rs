//! Edits to single members of a request body, without touching or copying the others.
//!
//! Used on the same-format path: `model` is replaced, a member or two added or dropped, and every
//! other byte reaches the provider as the client wrote it. The result shares the original's
//! memory.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{Head, HeadMember, write_string};

/// Shorter bodies are joined into one piece: one write costs less than several.
const JOIN_BELOW_BYTES: usize = 16 * 1024;

/// A request body as the pieces it is sent in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// In order; none is empty.
    pub pieces: Vec<Bytes>,
    /// The sum of the pieces, in bytes: the `Content-Length`.
    pub len: usize,
}

impl Body {
    /// The whole body as one piece, copied when there are several.
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            pieces => pieces.concat().into(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        Self { pieces: if len == 0 { Vec::new() } else { vec![bytes] }, len }
    }
}

/// Pending edits to one body. The last edit of a name wins.
#[derive(Debug, Clone)]
pub struct Splice<'a> {
    body: &'a Bytes,
    head: &'a Head,
    /// By index of the member, sorted; `None` removes it.
    edits: Vec<(usize, Option<Bytes>)>,
    added: Vec<(&'a str, Bytes)>,
}

impl<'a> Splice<'a> {
    /// No edits yet. `head` must be the scan of `body`.
    pub fn new(body: &'a Bytes, head: &'a Head) -> Self {
        Self { body, head, edits: Vec::new(), added: Vec::new() }
    }

    /// Replaces the value of `name` by a JSON text; does nothing when there is no such member.
    pub fn replace(&mut self, name: &str, raw_json: impl Into<Bytes>) -> &mut Self {
        if let Some(added) = self.added.iter_mut().find(|(added, _)| *added == name) {
            added.1 = raw_json.into();
        } else if let Some(index) = self.index_of(name)
            && !self.edits.contains(&(index, None))
        {
            self.edit(index, Some(raw_json.into()));
        }
        self
    }

    /// Removes the member `name`, if there is one, with the comma that belongs to it.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.added.retain(|(added, _)| *added != name);
        if let Some(index) = self.index_of(name) {
            self.edit(index, None);
        }
        self
    }

    /// Sets `name` to a JSON text: in place when the body has it, else as its last member.
    pub fn insert(&mut self, name: &'a str, raw_json: impl Into<Bytes>) -> &mut Self {
        if let Some(index) = self.index_of(name) {
            self.edit(index, Some(raw_json.into()));
        } else {
            self.added.retain(|(added, _)| *added != name);
            self.added.push((name, raw_json.into()));
        }
        self
    }

    /// The edited body; without edits it is the very same bytes.
    pub fn finish(&self) -> Body {
        if self.edits.is_empty() && self.added.is_empty() {
            return Body::from(self.body.clone());
        }
        let mut pieces = Vec::with_capacity(2 * (self.edits.len() + self.added.len()) + 1);
        let mut kept_to = 0;
        for (cut, new) in self.cuts() {
            pieces.push(slice(self.body, kept_to..cut.start));
            pieces.push(new);
            kept_to = cut.end;
        }
        pieces.push(slice(self.body, kept_to..self.body.len()));
        pieces.retain(|piece| !piece.is_empty());
        let len = pieces.iter().map(Bytes::len).sum();
        if len < JOIN_BELOW_BYTES && pieces.len() > 1 {
            pieces = vec![pieces.concat().into()];
        }
        Body { pieces, len }
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.head.members().iter().position(|member| self.head.name_of(member) == name)
    }

    fn edit(&mut self, index: usize, new: Option<Bytes>) {
        match self.edits.binary_search_by_key(&index, |(edited, _)| *edited) {
            Ok(at) => {
                if let Some(edit) = self.edits.get_mut(at) {
                    edit.1 = new;
                }
            }
            Err(at) => self.edits.insert(at, (index, new)),
        }
    }

    /// Ranges of the body and what takes their place, in order and without overlap.
    fn cuts(&self) -> Vec<(Range<usize>, Bytes)> {
        let members = self.head.members();
        let mut cuts = Vec::with_capacity(self.edits.len() + 1);
        let mut removed = 0;
        for (index, new) in &self.edits {
            let Some(member) = members.get(*index) else { continue };
            if let Some(new) = new {
                cuts.push((member.value.clone(), new.clone()));
            } else {
                // A member's comma is the one before it, unless nothing before it stays.
                let previous = index.checked_sub(1).filter(|_| removed < *index);
                cuts.push((removal(members, previous, *index, member), Bytes::new()));
                removed += 1;
            }
        }
        if !self.added.is_empty() {
            let at = members.last().map_or(self.head.closing_brace(), |last| last.value.end);
            cuts.push((at..at, self.addition(removed < members.len())));
        }
        cuts
    }

    /// The text of the added members.
    fn addition(&self, after_member: bool) -> Bytes {
        let mut out = BytesMut::new();
        for (name, raw_json) in &self.added {
            if after_member || !out.is_empty() {
                out.extend_from_slice(b",");
            }
            write_string(&mut out, name);
            out.extend_from_slice(b":");
            out.extend_from_slice(raw_json);
        }
        out.freeze()
    }
}

/// What goes with the member at `index`: everything since the value of the member before it, or,
/// when none before it stays, everything up to the next member.
fn removal(
    members: &[HeadMember],
    previous: Option<usize>,
    index: usize,
    member: &HeadMember,
) -> Range<usize> {
    if let Some(previous) = previous.and_then(|previous| members.get(previous)) {
        return previous.value.end..member.value.end;
    }
    member.start..members.get(index + 1).map_or(member.value.end, |next| next.start)
}

/// `Bytes::slice` without its panic.
fn slice(body: &Bytes, range: Range<usize>) -> Bytes {
    let end = range.end.min(body.len());
    body.slice(range.start.min(end)..end)
}

#[cfg(test)]
mod tests;

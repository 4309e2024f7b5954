//! What a stream's encoder holds back of one alternative, and how much of it at most.

use crate::chat::FinishReason;
use crate::chat::response::Citation;
use crate::formats::gemini::grounding::TextMap;
use crate::formats::gemini::parts::Call;
use crate::formats::gemini::signature::Signature;

/// How much text is held back of all alternatives together.
pub(super) const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;
/// Most calls that are open at once.
const MAX_OPEN_CALLS: usize = 1_024;
/// Most signatures that wait for a part.
const MAX_SIGNATURES: usize = 64;
/// Most sources.
const MAX_CITATIONS: usize = 4_096;
/// Longest refusal that is held back.
const MAX_REFUSAL_BYTES: usize = 8 * 1024;

/// State of one alternative.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) index: u32,
    /// Whether any part was written.
    pub(super) begun: bool,
    /// The visible text, to which sources point.
    pub(super) text: TextMap,
    /// A refusal, as long as nothing else was said.
    pub(super) refusal: String,
    /// Signatures of other makers, until a part comes that can carry one.
    pub(super) waiting: Vec<Signature<'static>>,
    pub(super) citations: Vec<Citation<'static>>,
    pub(super) finish: Option<(FinishReason, Option<String>)>,
    /// Format of the sound so far.
    pub(super) sound: Option<String>,
    calls: Vec<HeldCall>,
    /// Gemini's own signatures of calls that are not complete, which name the call.
    call_signatures: Vec<Signature<'static>>,
}

/// A call whose arguments still arrive.
#[derive(Debug)]
pub(super) struct HeldCall {
    call: u32,
    pub(super) id: String,
    name: String,
    custom: bool,
    arguments: String,
}

impl HeldCall {
    /// The room that is free again once the call is written.
    pub(super) fn room(&self) -> usize {
        self.arguments.len()
    }

    pub(super) fn as_call(&self) -> Call<'_> {
        Call { id: &self.id, name: &self.name, arguments: &self.arguments, custom: self.custom }
    }
}

impl Choice {
    pub(super) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    /// Keeps a piece of a refusal; false if it has to be written now.
    pub(super) fn hold_refusal(&mut self, text: &str) -> bool {
        let room = self.refusal.len() + text.len() <= MAX_REFUSAL_BYTES;
        let held = !self.begun && room;
        if held {
            self.refusal.push_str(text);
        }
        held
    }

    /// Keeps a signature for the part it belongs to; gives it back if it has to be written now.
    pub(super) fn hold_signature(
        &mut self,
        signature: Signature<'static>,
        room: &mut usize,
    ) -> Option<Signature<'static>> {
        let place = match (signature.is_own(), &signature.id) {
            (true, Some(_)) => &mut self.call_signatures,
            (true, None) => return Some(signature),
            (false, _) => &mut self.waiting,
        };
        if place.len() >= MAX_SIGNATURES || !take(room, signature.data.len()) {
            return Some(signature);
        }
        place.push(signature);
        None
    }

    /// Takes Gemini's own signature of a call.
    pub(super) fn signature_of(&mut self, id: &str) -> Option<String> {
        let of_call = |signature: &Signature<'_>| signature.id.as_deref() == Some(id);
        let at = self.call_signatures.iter().position(of_call)?;
        Some(self.call_signatures.swap_remove(at).data.into_owned())
    }

    /// Takes the signatures that found no part.
    pub(super) fn signatures_left(&mut self) -> Vec<Signature<'static>> {
        let mut left = std::mem::take(&mut self.waiting);
        left.append(&mut self.call_signatures);
        left
    }

    pub(super) fn begin_call(&mut self, call: u32, id: &str, name: &str, custom: bool) {
        if self.calls.len() < MAX_OPEN_CALLS {
            let (id, name) = (id.to_owned(), name.to_owned());
            self.calls.push(HeldCall { call, id, name, custom, arguments: String::new() });
        }
    }

    /// Adds to the arguments of a call; what is beyond the limit is lost, which the reader sees
    /// by arguments that are no JSON.
    pub(super) fn grow_call(&mut self, call: u32, json: &str, room: &mut usize) {
        let held = self.calls.iter_mut().rfind(|held| held.call == call);
        if let Some(held) = held.filter(|_| take(room, json.len())) {
            held.arguments.push_str(json);
        }
    }

    /// Takes a call that is complete.
    pub(super) fn take_call(&mut self, call: u32) -> Option<HeldCall> {
        let at = self.calls.iter().position(|held| held.call == call)?;
        Some(self.calls.remove(at))
    }

    /// Indices of the calls that are not complete.
    pub(super) fn open_calls(&self) -> impl Iterator<Item = u32> {
        self.calls.iter().map(|held| held.call)
    }

    /// Keeps sources for the last event, each once.
    pub(super) fn hold_citations(&mut self, citations: &[Citation<'_>], room: &mut usize) {
        for Citation { url, title, start, end } in citations {
            let (start, end) = (*start, *end);
            if self.citations.len() >= MAX_CITATIONS {
                return;
            }
            let known = self.citations.iter().any(|known| {
                known.start == start
                    && known.end == end
                    && known.url == *url
                    && known.title == *title
            });
            if !known && take(room, url.len() + title.len()) {
                let (url, title) = (url.clone().into_owned(), title.clone().into_owned());
                self.citations.push(Citation { url: url.into(), title: title.into(), start, end });
            }
        }
    }
}

/// Takes room for so many bytes, if there is as much.
fn take(room: &mut usize, bytes: usize) -> bool {
    let left = room.checked_sub(bytes);
    *room = left.unwrap_or(*room);
    left.is_some()
}

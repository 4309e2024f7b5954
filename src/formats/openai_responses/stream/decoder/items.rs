//! The items of an answer as they come in: which began, what of them was told already.
//!
//! Used by the stream decoder. The number of items that are followed is bounded; nothing of their
//! text is kept.

use super::Sink;
use crate::chat::Event;
use crate::chat::message::ReasoningKind;
use crate::formats::openai_responses::item::{self, Content, Kind};
use crate::formats::openai_responses::object::Object;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most items of one answer that are followed.
const MAX_ITEMS: usize = 4_096;

/// The items of one answer.
#[derive(Debug, Default)]
pub(super) struct Items {
    tracked: Vec<Tracked>,
    /// Tool calls announced.
    calls: u32,
    /// Reasoning blocks begun.
    blocks: u32,
    /// Characters of text told.
    chars: u64,
    searches: u64,
}

/// One item.
#[derive(Debug)]
struct Tracked {
    index: u64,
    kind: Kind,
    state: State,
    /// Piece that is going on, and where its text begins among the whole answer's.
    part: Option<(ReasoningKind, u64)>,
    base: u64,
    /// Number of the call, once it is announced.
    call: Option<u32>,
    /// Block of the reasoning that is going on.
    block: u32,
    /// Whether any content was told.
    is_told: bool,
    /// Whether any source was told.
    is_cited: bool,
    /// Maker of the reasoning.
    maker: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
}

impl Items {
    /// The item at a position; one that was not announced begins. `None` beyond the limit, or when
    /// it is done.
    fn open(&mut self, index: u64, kind: Kind) -> Option<&mut Tracked> {
        if let Some(at) = self.tracked.iter().rposition(|item| item.index == index) {
            return self.tracked.get_mut(at).filter(|item| item.state == State::Open);
        }
        if self.tracked.len() >= MAX_ITEMS {
            return None;
        }
        self.tracked.push(Tracked {
            index,
            kind,
            state: State::Open,
            part: None,
            base: self.chars,
            call: None,
            block: 0,
            is_told: false,
            is_cited: false,
            maker: super::item::maker(&Object::default()),
        });
        self.tracked.last_mut()
    }

    pub(super) fn text(&mut self, (index, part): (u64, u64), text: &str, sink: &mut Sink<'_>) {
        let base = self.chars;
        let Some(item) = self.open(index, Kind::Message) else { return };
        item.is_told = true;
        if item.part != Some((ReasoningKind::Text, part)) {
            item.part = Some((ReasoningKind::Text, part));
            item.base = base;
        }
        self.chars += text.chars().count() as u64;
        sink(Event::Text { choice: 0, text: Cow::Borrowed(text) });
    }

    pub(super) fn refusal(&mut self, (index, _): (u64, u64), text: &str, sink: &mut Sink<'_>) {
        let Some(item) = self.open(index, Kind::Message) else { return };
        item.is_told = true;
        sink(Event::Refusal { choice: 0, text: Cow::Borrowed(text) });
    }

    pub(super) fn reasoning(
        &mut self,
        (index, part): (u64, u64),
        text: &str,
        kind: ReasoningKind,
        sink: &mut Sink<'_>,
    ) {
        let next = self.blocks;
        let Some(item) = self.open(index, Kind::Reasoning) else { return };
        item.is_told = true;
        let begins = item.part != Some((kind, part));
        if begins {
            item.part = Some((kind, part));
            item.block = next;
        }
        let (format, block) = (item.maker, item.block);
        self.blocks += u32::from(begins);
        sink(Event::Reasoning { choice: 0, text: Cow::Borrowed(text), kind, format, block });
    }

    pub(super) fn arguments(&mut self, index: u64, json: &str, sink: &mut Sink<'_>) {
        let Some(item) = self.open(index, Kind::Function) else { return };
        // Without its name a call cannot be announced; the finished item has all of it.
        let Some(call) = item.call else { return };
        item.is_told = true;
        sink(Event::ToolCallArguments { choice: 0, call, json: Cow::Borrowed(json) });
    }

    pub(super) fn annotation(&mut self, index: u64, note: &Object<'_>, sink: &mut Sink<'_>) {
        let Some(item) = self.open(index, Kind::Message) else { return };
        item.is_cited = true;
        if let Some(citation) = item::citation(note, item.base) {
            sink(Event::Citations { choice: 0, citations: vec![citation] });
        }
    }

    pub(super) fn added(&mut self, index: u64, item: &Object<'_>, sink: &mut Sink<'_>) {
        let kind = Kind::of(item);
        let maker = item::maker(item);
        let Some(tracked) = self.open(index, kind) else { return };
        tracked.kind = kind;
        tracked.maker = maker;
        if kind.is_call() {
            self.announce(index, item, sink);
        }
    }

    /// Tells that a call begins, once its name is known.
    fn announce(&mut self, index: u64, item: &Object<'_>, sink: &mut Sink<'_>) -> Option<u32> {
        let call = self.calls;
        let name = item.word("name");
        let tracked = self.open(index, Kind::of(item))?;
        if tracked.call.is_some() {
            return tracked.call;
        }
        let name = name?;
        tracked.call = Some(call);
        let custom = tracked.kind == Kind::Custom;
        self.calls += 1;
        let id = item::call_id(item, index);
        sink(Event::ToolCallStart { choice: 0, call, id, name, custom });
        Some(call)
    }

    /// An item is complete: tells what no piece told, and closes it.
    pub(super) fn done(&mut self, index: u64, item: &Object<'_>, sink: &mut Sink<'_>) {
        self.added(index, item, sink);
        let Some(tracked) = self.open(index, Kind::of(item)) else { return };
        let is_told = tracked.is_told;
        match tracked.kind {
            Kind::Message => self.message_done(index, item, sink),
            Kind::Reasoning => self.reasoning_done(index, item, is_told, sink),
            kind @ (Kind::Function | Kind::Custom) => {
                let words = item::arguments(item, kind).filter(|words| !words.is_empty());
                if let Some(words) = words.filter(|_| !is_told) {
                    self.arguments(index, &words, sink);
                }
            }
            Kind::WebSearch => self.searches += u64::from(item::is_search(item)),
            Kind::Image => {
                if let Some((mime, data)) = item::image(item) {
                    sink(Event::Image { choice: 0, mime, data });
                }
            }
            Kind::Other => {}
        }
        self.close(index, sink);
    }

    fn message_done(&mut self, index: u64, item: &Object<'_>, sink: &mut Sink<'_>) {
        let Some(tracked) = self.open(index, Kind::Message) else { return };
        let (is_told, is_cited) = (tracked.is_told, tracked.is_cited);
        let contents = item::contents(item);
        let length = |content: &Content<'_>| match content {
            Content::Text { text, .. } => text.chars().count() as u64,
            Content::Refusal(_) => 0,
        };
        // The text ends where the answer's text ends, unless items ran side by side.
        let whole: u64 = contents.iter().map(length).sum();
        let mut base = if is_told { self.chars.saturating_sub(whole) } else { self.chars };
        for (part, content) in contents.iter().enumerate() {
            match content {
                Content::Text { text, annotations, logprobs } => {
                    if !is_told && !text.is_empty() {
                        self.text((index, part as u64), text, sink);
                        tell_logprobs(
                            logprobs.map(RawValue::get).unwrap_or_default().as_bytes(),
                            sink,
                        );
                    }
                    let cite = |note| item::citation(note, base);
                    let citations: Vec<_> = annotations.iter().filter_map(cite).collect();
                    if !is_cited && !citations.is_empty() {
                        sink(Event::Citations { choice: 0, citations });
                    }
                    base += length(content);
                }
                Content::Refusal(text) if !is_told && !text.is_empty() => {
                    sink(Event::Refusal { choice: 0, text: Cow::Borrowed(text) });
                }
                Content::Refusal(_) => {}
            }
        }
    }

    fn reasoning_done(
        &mut self,
        index: u64,
        item: &Object<'_>,
        is_told: bool,
        sink: &mut Sink<'_>,
    ) {
        for (part, piece) in item::reasoning(item).into_iter().enumerate() {
            let Some(data) = piece.signature else {
                if !is_told {
                    self.reasoning((index, part as u64), &piece.text, piece.kind, sink);
                }
                continue;
            };
            let next = self.blocks;
            let Some(tracked) = self.open(index, Kind::Reasoning) else { return };
            let is_first = !tracked.is_told;
            let block = if is_first { next } else { tracked.block };
            let format = tracked.maker;
            self.blocks += u32::from(is_first);
            let (choice, encrypted, id) = (0, true, piece.id);
            sink(Event::ReasoningSignature { choice, data, encrypted, format, block, id });
        }
    }

    fn close(&mut self, index: u64, sink: &mut Sink<'_>) {
        let Some(item) = self.open(index, Kind::Other) else { return };
        item.state = State::Done;
        if let Some(call) = item.call {
            sink(Event::ToolCallEnd { choice: 0, call });
        }
    }

    /// The answer is complete: closes what is open, with the finished items at hand.
    pub(super) fn complete(&mut self, answer: &Object<'_>, sink: &mut Sink<'_>) {
        let is_open = |item: &&Tracked| item.state == State::Open;
        let open: Vec<u64> = self.tracked.iter().filter(is_open).map(|item| item.index).collect();
        if open.is_empty() && !self.tracked.is_empty() {
            return;
        }
        let untold = self.tracked.is_empty();
        for (index, item) in answer.objects("output").iter().enumerate() {
            let index = index as u64;
            let same = |tracked: &Tracked| tracked.index == index && tracked.kind == Kind::of(item);
            if untold || (open.contains(&index) && self.tracked.iter().any(same)) {
                self.done(index, item, sink);
            }
        }
        for index in open {
            self.close(index, sink);
        }
    }

    /// Number of items that are followed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tracked.len()
    }

    /// Searches the provider made, if any.
    pub(super) fn searches(&self) -> Option<u64> {
        (self.searches > 0).then_some(self.searches)
    }

    /// Whether the model called a tool that the client has to answer.
    pub(super) fn called(&self) -> bool {
        self.calls > 0
    }
}

/// Log probabilities of the text just told, in the chat format's shape.
pub(super) fn tell_logprobs(list: &[u8], sink: &mut Sink<'_>) {
    if !list.contains(&b'{') {
        return;
    }
    let Ok(list) = std::str::from_utf8(list) else { return };
    if let Ok(json) = RawValue::from_string(format!(r#"{{"content":{list}}}"#)) {
        sink(Event::Logprobs { choice: 0, json: Cow::Owned(json) });
    }
}

//! What a stream of the Responses format must look like: numbered events, balanced items and parts,
//! deltas that add up to the text their end states, one last event.

use crate::json::Json;
use crate::protocol::{Complaints, parsed};
use crate::sse::Event;
use std::collections::BTreeMap;

pub fn check(events: &[Event], failed: bool, complaints: &mut Complaints) {
    let mut state = State::default();
    let jsons = parsed(events, complaints);
    for (at, (event, json)) in events.iter().zip(&jsons).enumerate() {
        let kind = json["type"].text();
        complaints.expect(event.name == kind, || format!("event {} is a {kind}", event.name));
        let number = json["sequence_number"].int();
        complaints
            .expect(number == Some(at as u64), || format!("event {at} has number {number:?}"));
        complaints.expect(!state.ended || kind == "error", || format!("{kind} after the end"));
        state.event(kind, json, complaints);
    }
    let begins = jsons.first().is_some_and(|json| json["type"].text() == "response.created");
    complaints.expect(begins || failed, || "no response.created first".to_owned());
    if failed {
        let last = jsons.last().map(|json| json["type"].text().to_owned()).unwrap_or_default();
        let told = matches!(last.as_str(), "error" | "response.failed");
        complaints.expect(told, || format!("{last} is last after an error"));
        return;
    }
    complaints.expect(state.ended, || "no last event".to_owned());
    complaints.expect(state.open_items.is_empty(), || "an item stays open".to_owned());
    complaints.expect(state.texts.is_empty(), || format!("open: {:?}", state.texts.keys()));
    complaints.expect(state.parts == 0, || "a part stays open".to_owned());
    let whole = &jsons.last().unwrap_or(&Json::Null)["response"];
    let output = whole["output"].list();
    complaints.expect(output == state.items, || {
        format!("the finished items are not the output: {output:?} / {:?}", state.items)
    });
}

#[derive(Default)]
struct State {
    ended: bool,
    parts: i32,
    open_items: BTreeMap<u64, String>,
    items: Vec<Json>,
    /// What the deltas of one text add up to.
    texts: BTreeMap<String, String>,
}

impl State {
    fn event(&mut self, kind: &str, json: &Json, complaints: &mut Complaints) {
        let at = json["output_index"].int().unwrap_or(99);
        match kind {
            "response.completed" | "response.incomplete" | "response.failed" => self.ended = true,
            "response.output_item.added" => {
                let next = (self.items.len() + self.open_items.len()) as u64;
                complaints.expect(at == next, || format!("item {at} instead of {next}"));
                self.open_items.insert(at, json["item"]["id"].text().to_owned());
            }
            "response.output_item.done" => {
                let id = self.open_items.remove(&at);
                let same = id.as_deref() == json["item"]["id"].str();
                complaints.expect(same, || format!("item {at} ends with another id"));
                self.items.push(json["item"].clone());
            }
            _ if kind.ends_with("part.added") => self.parts += 1,
            _ if kind.ends_with("part.done") => self.parts -= 1,
            _ => self.text(kind, json, complaints),
        }
    }

    fn text(&mut self, kind: &str, json: &Json, complaints: &mut Complaints) {
        let at = json["output_index"].int().unwrap_or(99);
        let key = |stem: &str| {
            let part = json.any(&["content_index", "summary_index"]);
            format!("{stem} {at} {part}")
        };
        if let Some(stem) = kind.strip_suffix(".delta") {
            let is_open = self.open_items.get(&at).map(String::as_str) == json["item_id"].str();
            complaints.expect(is_open, || format!("{kind} of no open item"));
            self.texts.entry(key(stem)).or_default().push_str(json["delta"].text());
        } else if let Some(stem) = kind.strip_suffix(".done") {
            let told = self.texts.remove(&key(stem)).unwrap_or_default();
            let whole = json.any(&["text", "arguments", "refusal", "input"]).text();
            complaints.expect(told == whole, || format!("{kind}: {told:?} is not {whole:?}"));
        }
    }
}

#[test]
fn deltas_that_do_not_add_up_are_found() {
    let stream = |text: &str| {
        let parts = [
            r#"{"type":"response.created","response":{"output":[]}"#.to_owned(),
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"m"}"#.to_owned(),
            r#"{"type":"response.output_text.delta","output_index":0,"item_id":"m","content_index":0,"delta":"ab""#.to_owned(),
            format!(r#"{{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"{text}""#),
            r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"m"}"#.to_owned(),
            r#"{"type":"response.completed","response":{"output":[{"id":"m"}]}"#.to_owned(),
        ];
        let events: Vec<Event> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| {
                let data = format!("{part},\"sequence_number\":{at}}}");
                Event { name: Json::parse(&data).unwrap()["type"].text().to_owned(), data }
            })
            .collect();
        let mut complaints = Complaints::default();
        check(&events, false, &mut complaints);
        format!("{complaints:?}")
    };
    assert_eq!(stream("ab"), "Complaints([])");
    assert_ne!(stream("abc"), "Complaints([])");
}

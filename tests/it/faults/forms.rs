//! Streams in unusual but readable forms, and in forms that only look readable: u23 to u26 and u38.

use super::script::{Case, Expect, Stage, Step, both, say, streamed};
use super::words::{LAST_CHUNK, Talk, chunk};
use crate::asks::{Ask, Client, OPENAI};
use crate::peer::{Peer, Say, by_hand, read_request};
use crate::process::resident_bytes;
use crate::rig::{Http, Plan, Rig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// The usual stream in another form.
fn formed(talk: Talk, form: fn(&str) -> String) -> Vec<Step> {
    let all = form(&talk.all().replace("\r\n", "\n"));
    vec![say([&talk.chunked(), &chunk(&all), LAST_CHUNK].concat())]
}

const FORMS: &[Case] = &[
    streamed("u23 LF", |talk| formed(talk, str::to_owned), Expect::Fine),
    streamed("u23 CR LF", |t| formed(t, |all| all.replace('\n', "\r\n")), Expect::Fine),
    streamed("u23 CR", |t| formed(t, |all| all.replace('\n', "\r")), Expect::Fine),
    streamed(
        "u23 mixed line ends",
        |t| formed(t, |all| all.replace("\n\n", "\r\n\n")),
        Expect::Fine,
    ),
    streamed(
        "u23 no space after the colon",
        |t| formed(t, |all| all.replace(": {", ":{")),
        Expect::Fine,
    ),
    streamed(
        "u23 comments",
        |t| formed(t, |all| all.replace("data:", ": hm\n:\ndata:")),
        Expect::Fine,
    ),
    streamed(
        "u23 comments as events",
        |t| formed(t, |all| all.replace("\n\n", "\n\n: hm\n\n")),
        Expect::Fine,
    ),
    streamed(
        "u23 data in lines",
        |t| formed(t, |all| all.replace("data: {", "data: {\ndata: ")),
        Expect::Fine,
    ),
    streamed("u23 the name behind the data", |t| formed(t, turned), Expect::Fine),
    streamed(
        "u23 a mark at the start",
        |t| formed(t, |all| format!("\u{feff}{all}")),
        Expect::Fine,
    ),
    streamed("u23 other fields", |t| formed(t, |all| all.replace("data:", OTHERS)), Expect::Fine),
    streamed(
        "u23 a NUL in an id",
        |t| formed(t, |all| all.replace("data:", "id: a\0b\ndata:")),
        Expect::Fine,
    ),
    streamed(
        "u23 events without data",
        |t| formed(t, |a| a.replace("\n\n", "\n\nevent: x\n\n")),
        Expect::Fine,
    ),
    streamed(
        "u23 empty lines",
        |t| formed(t, |all| all.replace("\n\n", "\n\n\n\n\n")),
        Expect::Fine,
    ),
    streamed(
        "u23 no line end at the end",
        |t| formed(t, |a| a.trim_end().to_owned()),
        Expect::Fine,
    ),
    streamed(
        "u23 no empty line at the end",
        |t| formed(t, |a| format!("{}\n", a.trim_end())),
        Expect::Fine,
    ),
    streamed("u23 half an event at the end", half_an_event, Expect::Broken),
    both("u24 chunks of one byte", bytewise, Expect::Fine),
    both("u24 writes of one byte", dripping, Expect::Fine),
    streamed("u25 a character in two chunks", torn, Expect::Fine),
    streamed("u25 bytes that are no text", senseless, Expect::Fine),
];

const OTHERS: &str = "retry: 10\nid: 7\nwhat: ever\ndata:";

/// `event:` after `data:`.
fn turned(all: &str) -> String {
    let events = all.split("\n\n").map(|event| {
        let mut lines: Vec<&str> = event.lines().collect();
        lines.reverse();
        lines.join("\n")
    });
    events.collect::<Vec<_>>().join("\n\n")
}

fn half_an_event(talk: Talk) -> Vec<Step> {
    vec![say([&talk.begun(), &chunk("data: {\"id\":\"c1\",\"cho"), LAST_CHUNK].concat())]
}

fn bytewise(talk: Talk) -> Vec<Step> {
    let mut bytes = talk.chunked().into_bytes();
    for byte in talk.all().bytes() {
        bytes.extend([b"1\r\n".as_slice(), &[byte], b"\r\n"].concat());
    }
    bytes.extend(LAST_CHUNK.bytes());
    vec![say(bytes)]
}

fn dripping(talk: Talk) -> Vec<Step> {
    let all = talk.all();
    let (first, last) = all.split_at(60);
    let head = talk.head(&format!("content-length: {}\r\n", all.len()));
    let mut steps: Vec<Step> =
        first.bytes().flat_map(|byte| [say([byte]), Step::Wait(1)]).collect();
    steps.insert(0, say(head));
    steps.push(say(last));
    steps
}

/// The stream with a word before it, of these bytes.
fn before_it(talk: Talk, word: &[u8]) -> Vec<u8> {
    let event = talk.word("QQ");
    let (head, tail) = event.split_once("QQ").unwrap();
    let rest = [talk.one(), talk.rest()].concat();
    let opening = talk.opening();
    [opening.as_bytes(), head.as_bytes(), word, tail.as_bytes(), rest.as_bytes()].concat()
}

fn torn(talk: Talk) -> Vec<Step> {
    let all = before_it(talk, "\u{1f600}".as_bytes());
    let at = all.iter().position(|byte| *byte == 0xf0).unwrap();
    let mut steps = vec![say(talk.chunked())];
    for part in [&all[..=at], &all[at + 1..at + 3], &all[at + 3..]] {
        let head = format!("{:x}\r\n", part.len());
        steps.extend([say([head.as_bytes(), part, b"\r\n"].concat()), Step::Wait(20)]);
    }
    steps.push(say(LAST_CHUNK));
    steps
}

fn senseless(talk: Talk) -> Vec<Step> {
    let all = before_it(talk, b"\xff\xc3\xed\xa0\x80");
    let head = talk.head(&format!("content-length: {}\r\n", all.len()));
    vec![say(head), say(all)]
}

#[tokio::test]
async fn streams_in_every_form() {
    Stage::of(FORMS).await.play().await;
}

/// Empty events between two words.
const TINY_EVENTS: usize = 1_000_000;
/// Bytes by which they may grow the gateway.
const MAX_GROWTH_BYTES: u64 = 24 * 1024 * 1024;

#[tokio::test]
async fn a_million_tiny_events_cost_no_memory() {
    let address = by_hand(|mut stream, _| async move {
        let request = read_request(&mut stream).await.unwrap();
        let talk = Talk::of(&String::from_utf8_lossy(&request));
        stream
            .write_all([talk.head(""), talk.opening(), talk.one()].concat().as_bytes())
            .await
            .unwrap();
        let piece = ":\n\n".repeat(1000);
        for _ in 0..TINY_EVENTS / 1000 {
            stream.write_all(piece.as_bytes()).await.unwrap();
        }
        stream.write_all(talk.rest().as_bytes()).await.unwrap();
    })
    .await;
    let rig = Rig::with(Plan { upstream: Some(address), ..Plan::default() }).await;
    for model in ["openai/tiny", "anthropic/tiny"] {
        let ask = Ask::of(Client::OpenAi, model);
        let before = resident_bytes(rig.pid());
        let started = Instant::now();
        let text = ask.stream(&rig, Http::One, &json!({})).await.text().await;
        let took = started.elapsed();
        let growth = resident_bytes(rig.pid()).saturating_sub(before);
        println!("{model}: {took:?} for {TINY_EVENTS} empty events, {} KiB more", growth / 1024);
        assert_eq!(ask.stream_text(&text), "one two");
        assert!(growth < MAX_GROWTH_BYTES, "{} KiB", growth / 1024);
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}

fn event(id: &str, choice: &str, more: &str) -> String {
    format!(
        "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":9999999999,\"model\":\"m\",\"choices\":[{choice}]{more}}}\n\n"
    )
}

const WORD: &str = r#"{"index":0,"delta":{"content":"one"},"finish_reason":null}"#;
const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
const DONE: &str = "data: [DONE]\n\n";

fn usage(prompt: u32, completion: u32) -> String {
    let total = prompt + completion;
    format!(
        r#","usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}"#
    )
}

/// A tool call in an odd form.
fn call(members: &str) -> String {
    format!(r#"{{"index":0,"delta":{{"tool_calls":[{members}]}},"finish_reason":null}}"#)
}

const CALLED: &str = r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#;

/// Streams that say odd things, and the tokens that count.
fn oddities() -> Vec<(&'static str, Vec<String>, [u32; 2])> {
    let word = || event("c", WORD, "");
    let named = r#"{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}"#;
    vec![
        ("usage twice", vec![event("c", WORD, &usage(3, 1)), event("c", STOP, ""), event("c", "", &usage(3, 2))], [3, 2]),
        ("usage null, then real", vec![event("c", WORD, ",\"usage\":null"), event("c", STOP, ""), event("c", "", &usage(3, 2))], [3, 2]),
        ("usage real, then null", vec![word(), event("c", STOP, &usage(3, 2)), event("c", "", ",\"usage\":null")], [3, 2]),
        ("usage that grows", vec![event("c", WORD, &usage(3, 1)), event("c", WORD, &usage(3, 2)), event("c", STOP, &usage(3, 3))], [3, 3]),
        ("null deltas", vec![r#"{"index":0,"delta":null,"finish_reason":null}"#, r#"{"index":0,"delta":{"content":null,"tool_calls":null,"role":null},"finish_reason":null}"#, WORD, STOP].into_iter().map(|choice| event("c", choice, "")).chain([event("c", "", &usage(3, 2))]).collect(), [3, 2]),
        ("no choices at all", vec!["data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\"}\n\n".to_owned(), word(), event("c", STOP, &usage(3, 2))], [3, 2]),
        ("arguments that are no JSON", vec![event("c", &call(named), ""), event("c", &call(r#"{"index":0,"function":{"arguments":"{\"a\": tru"}}"#), ""), event("c", CALLED, &usage(3, 2))], [3, 2]),
        ("calls whose index jumps", vec![event("c", &call(named), ""), event("c", &call(r#"{"index":7,"id":"t7","type":"function","function":{"name":"g","arguments":"{}"}}"#), ""), event("c", CALLED, &usage(3, 2))], [3, 2]),
        ("ids of another request", vec![word(), event("other", STOP, ""), event("third", "", &usage(3, 2))], [3, 2]),
        ("a choice nobody asked for", vec![word(), event("other", r#"{"index":3,"delta":{"content":"POISON"},"finish_reason":"stop"}"#, ""), event("c", STOP, &usage(3, 2))], [3, 2]),
    ]
}

#[tokio::test]
async fn odd_words_in_streams_are_understood() {
    let oddities = oddities();
    let bodies: Vec<String> =
        oddities.iter().map(|(_, events, _)| events.concat() + DONE).collect();
    let peer = Peer::with(move |got| {
        let body = String::from_utf8_lossy(&got.body);
        let (_, number) = body.split_once("oddity-").unwrap();
        let number: usize = number.split('"').next().unwrap().parse().unwrap();
        Say::events(bodies[number].clone())
    })
    .await;
    let rig = Rig::with(Plan { upstream: Some(peer.address), ..Plan::default() }).await;
    for (number, (name, _, tokens)) in oddities.iter().enumerate() {
        let model: &'static str = format!("openai/oddity-{number}").leak();
        for client in [Client::OpenAi, Client::Anthropic, Client::Gemini] {
            let ask = Ask::of(client, model);
            let case = format!("{name}, {client:?}");
            let mut call = ask.stream(&rig, Http::One, &json!({})).await;
            let id = call.header("x-generation-id").to_owned();
            assert_eq!(call.status, 200, "{case}");
            let text = call.text().await;
            assert!(ask.errors(&text).is_empty(), "{case}: {text}");
            let record = rig.generation(&id).await;
            assert_eq!(record["data"]["outcome"], "complete", "{case}: {record}");
            let counted =
                ["prompt_tokens", "completion_tokens"].map(|n| record["usage"][n].clone());
            assert_eq!(json!(counted), json!(tokens), "{case}: {text}");
            if client == Client::OpenAi {
                own_names(&ask.events(&text), &id, &case);
            }
        }
    }
}

/// Every chunk has the gateway's id and a time that is not the provider's.
fn own_names(events: &[Value], id: &str, case: &str) {
    for chunk in events {
        assert_eq!(chunk["id"], id, "{case}: {chunk}");
    }
}

#[tokio::test]
async fn a_time_that_a_provider_tells_moves_no_clock() {
    let body = [event("c", WORD, ""), event("c", STOP, &usage(3, 2))].concat() + DONE;
    let peer = Peer::saying(Say::events(body)).await;
    let rig = Rig::with(Plan { upstream: Some(peer.address), ..Plan::default() }).await;
    let now_s = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let started = now_s();
    let mut call = OPENAI.stream(&rig, Http::One, &json!({})).await;
    let id = call.header("x-generation-id").to_owned();
    call.text().await;
    let record = rig.generation(&id).await;
    let created = record["data"]["created_at"].as_str().unwrap();
    let created: jiff::Timestamp = created.parse().unwrap();
    let created_s = u64::try_from(created.as_second()).unwrap();
    assert!((started..=now_s()).contains(&created_s), "{record}");
    let took = record["data"]["generation_time"].as_f64().unwrap();
    assert!((0.0..10_000.0).contains(&took), "{record}");
}

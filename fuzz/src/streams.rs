//! Streams through the translator: every provider's format to every client's.
//!
//! However the input is cut, the client gets the same bytes; whatever the input is, these are a
//! stream that a strict client accepts, of bounded size, and they say what the provider said.

use super::binary;
use super::client_stream::{self, End};
use super::said::Said;
use super::splitters::{events, sse_frames};
use super::{
    CLIENTS, DECISIONS, PROVIDERS, assert_bounded, cut, label, parts, pick, told, unidentified,
};
use arouter::chat::Event;
use arouter::formats::translator::Translator;
use arouter::formats::{ApiFormat, Framing, StreamFault, stream_decoder};
use arouter::sse::{self, Frames};
use bytes::Bytes;

/// One stream.
pub fn run(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let (upstream, client) = (pick(PROVIDERS, decisions[0]), pick(CLIENTS, decisions[1]));
    let array = client == ApiFormat::Gemini && decisions[2] & 8 != 0;
    let framing = if array { Framing::JsonArray } else { Framing::Sse };
    let carrier = Route::carrier(upstream, client, decisions[3]);
    let route = Route { upstream, client, framing, carrier, decisions };
    let input = match (upstream, carrier) {
        (ApiFormat::Bedrock, _) => binary::of_lines(body),
        (_, Some(Framing::EventStream)) => binary::of_events(body),
        _ => body.to_vec(),
    };
    let whole = route.relay(&[&input]);
    let split = route.relay(&cut(&input, decisions));
    assert_eq!(whole.end, split.end, "the cuts changed the end");
    // An event that passes through may end in another kind of line break.
    let same = if upstream == client && framing == Framing::Sse {
        events(&sse_frames(&[&whole.sent])) == events(&sse_frames(&[&split.sent]))
    } else {
        unidentified(&whole.sent) == unidentified(&split.sent)
    };
    assert!(
        same,
        "the cuts changed the stream:\n{}\n--\n{}",
        String::from_utf8_lossy(&whole.sent),
        String::from_utf8_lossy(&split.sent)
    );
    assert_bounded(whole.sent.len(), input.len());
    if upstream == client {
        return;
    }
    let end = if whole.end.is_none() { End::Whole } else { End::Failed };
    let heard = client_stream::read(client, framing, &whole.sent, end);
    if let (End::Whole, Some(said)) = (end, route.said(&input)) {
        said.assert_heard(&heard, client != ApiFormat::Completions);
    }
}

#[derive(Debug, Clone, Copy)]
struct Route {
    upstream: ApiFormat,
    client: ApiFormat,
    framing: Framing,
    /// The provider's framing where it is not the usual one.
    carrier: Option<Framing>,
    decisions: [u8; DECISIONS],
}

/// What a client got, and the fault that ended it, if one did.
struct Relayed {
    sent: Vec<u8>,
    end: Option<String>,
}

impl Route {
    /// Gemini's array for clients of other formats, and Anthropic's models at Bedrock.
    fn carrier(upstream: ApiFormat, client: ApiFormat, decision: u8) -> Option<Framing> {
        match (upstream, decision % 3) {
            (ApiFormat::Gemini, 1) if client != upstream => Some(Framing::JsonArray),
            (ApiFormat::Anthropic, 1) => Some(Framing::EventStream),
            _ => None,
        }
    }

    /// Sends the stream through the gateway as the proxy does.
    fn relay(self, pieces: &[&[u8]]) -> Relayed {
        let label = label(self.decisions[2]);
        let mut translator =
            Translator::new(self.upstream, self.client, self.framing, label).unwrap();
        if let Some(carrier) = self.carrier {
            translator = translator.with_upstream_framing(carrier);
        }
        let mut sent = Vec::new();
        let mut outcome = Ok(());
        for piece in pieces {
            match translator.push(Bytes::copy_from_slice(piece)) {
                Ok(out) => sent.extend_from_slice(&out),
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        let outcome = outcome.and_then(|()| translator.finish());
        match outcome {
            Ok(out) => {
                sent.extend_from_slice(&out);
                assert_eq!(translator.push(Bytes::from_static(b"data: {}\n\n")).unwrap(), "");
                assert_eq!(translator.finish().unwrap(), "");
                Relayed { sent, end: None }
            }
            Err(fault) => {
                sent.extend_from_slice(&translator.take_output());
                // After the provider's own end a fault changes nothing for the client.
                let ended = translator.observed().ended;
                sent.extend_from_slice(&translator.fail(&told(&fault), "req-1"));
                let end =
                    (!ended || self.client == ApiFormat::Gemini).then(|| format!("{fault:?}"));
                Relayed { sent, end }
            }
        }
    }

    /// What the provider says, read by its decoder alone.
    fn said(self, body: &[u8]) -> Option<Said> {
        if self.carrier.is_some() || self.upstream == ApiFormat::Bedrock {
            return None;
        }
        let mut decoder = stream_decoder(self.upstream).ok()?;
        let (mut said, mut ended) = (Said::default(), false);
        let mut frames = Frames::new();
        frames.push(Bytes::copy_from_slice(body));
        let mut hear = |event: Event<'_>, ended: &mut bool| {
            said.hear(&event);
            *ended |= matches!(event, Event::End);
        };
        while let Some(frame) = frames.next().ok()? {
            let Some(event) = sse::parse(&frame).filter(|_| !ended) else { continue };
            let name = event.name.as_deref();
            decoder.event(name, &event.data, &mut |event| hear(event, &mut ended)).ok()?;
        }
        if let Some(event) = frames.finish().as_deref().and_then(sse::parse).filter(|_| !ended) {
            let name = event.name.as_deref();
            match decoder.event(name, &event.data, &mut |event| hear(event, &mut ended)) {
                Ok(()) | Err(StreamFault::Malformed(_)) => {}
                Err(_) => return None,
            }
        }
        decoder.finish(&mut |event| hear(event, &mut ended)).ok()?;
        Some(said)
    }
}

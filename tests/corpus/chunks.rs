//! The client gets the same bytes however the network cuts the provider's stream, and whatever
//! line ends and comments the provider writes.
//!
//! Every stream is cut into single bytes and into pieces of 7 for every client. Besides, every byte
//! offset is a cut between long pieces, and in short streams between two halves, in its own format
//! and for one client, each recording for the next; `AROUTER_CORPUS_FULL` does it for all clients.

use crate::answers::{CLIENTS, label};
use crate::masks::masked;
use crate::recordings::{Recording, Shape};
use crate::report::{Report, Verdict, each, pair};
use crate::streams::{self, Relayed, Stream};
use arouter::formats::translator::Translator;
use arouter::formats::{ApiFormat, Framing};
use bytes::Bytes;

/// Longest stream that is cut at every offset.
const MAX_CUT_BYTES: usize = 64 << 10;
/// Longest stream that is cut in two at every offset.
const MAX_HALVED_BYTES: usize = 1_500;
/// Length of the long pieces.
const PIECE_BYTES: usize = 61;

#[test]
fn every_cut_gives_the_same_output() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some(stream) = streams::stream_of(recording) else { return };
        let from = recording.format;
        let next = recording.id.bytes().map(usize::from).sum::<usize>() % CLIENTS.len();
        let full = std::env::var_os("AROUTER_CORPUS_FULL").is_some();
        // Of one format, arrays and binary frames pass through in tests of their own.
        let is_plain = |to| to != from || stream.framing == Framing::Sse;
        for (at, to) in CLIENTS.into_iter().enumerate().filter(|(_, to)| is_plain(*to)) {
            let stream = Stream { framing: stream.framing, bytes: stream.bytes.clone() };
            let runs = Runs { recording, stream, from, to };
            let everywhere = full || at == next || to == from;
            report.note(&pair(from, to), &recording.id, &Verdict::of(&runs.cuts(everywhere)));
        }
    });
    report.close("Streams, cut at every offset: the same output");
}

#[test]
fn line_ends_and_comments_change_nothing() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some(stream) = streams::stream_of(recording) else { return };
        let Ok(text) = std::str::from_utf8(&stream.bytes) else { return };
        if stream.framing != Framing::Sse {
            return;
        }
        let from = recording.format;
        for to in CLIENTS.into_iter().filter(|to| *to != from) {
            let stream = Stream { framing: stream.framing, bytes: stream.bytes.clone() };
            let runs = Runs { recording, stream, from, to };
            report.note(&pair(from, to), &recording.id, &Verdict::of(&runs.dresses(text)));
        }
    });
    report.close("Streams, with other line ends, comments and several data lines: the same output");
}

struct Runs<'r> {
    recording: &'r Recording,
    stream: Stream,
    from: ApiFormat,
    to: ApiFormat,
}

impl Runs<'_> {
    fn run(&self, chunks: impl IntoIterator<Item = Bytes>) -> Relayed {
        streams::relay(self.translator(), chunks)
    }

    fn translator(&self) -> Translator {
        streams::translator(self.from, self.to, &self.stream).unwrap()
    }

    fn cuts(&self, everywhere: bool) -> Vec<String> {
        let bytes = &self.stream.bytes;
        let whole = self.run([bytes.clone()]);
        let mut complaints = Vec::new();
        let mut compare = |name: String, got: &Relayed| {
            complaints.extend(self.difference(&whole, got).map(|what| format!("{name}: {what}")));
        };
        for size in [1, 7] {
            compare(format!("pieces of {size}"), &self.run(pieces(bytes, 0, size)));
        }
        if everywhere && bytes.len() <= MAX_CUT_BYTES {
            for phase in 1..=PIECE_BYTES {
                let got = self.run(pieces(bytes, phase, PIECE_BYTES));
                compare(format!("phase {phase}"), &got);
            }
        }
        if everywhere && bytes.len() <= MAX_HALVED_BYTES {
            for at in 1..bytes.len() {
                let got = self.run([bytes.slice(..at), bytes.slice(at..)]);
                compare(format!("cut at {at}"), &got);
            }
        }
        complaints.truncate(3);
        complaints
    }

    /// Ways to write the same events.
    fn dresses(&self, text: &str) -> Vec<String> {
        let whole = self.run([self.stream.bytes.clone()]);
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        let closed = format!("{}\n\n", lines.trim_end_matches('\n'));
        let variants = [
            ("LF", closed.clone()),
            ("CR LF", closed.replace('\n', "\r\n")),
            ("CR", closed.replace('\n', "\r")),
            ("comments", format!(": hi\n\n{}", closed.replace("\n\n", "\n\n: hello\n:\n\n"))),
            ("comments inside", closed.replace("\ndata:", "\n: hello\ndata:")),
            ("fields", closed.replace("\n\n", "\nid: 7\nretry: 10\n\n")),
            ("no space", closed.replace("data: ", "data:")),
            ("data lines", closed.replace("\ndata: {\"", "\ndata: {\ndata: \"")),
        ];
        let mut complaints = Vec::new();
        for (name, text) in variants {
            let got = self.run([Bytes::from(text)]);
            complaints.extend(self.difference(&whole, &got).map(|what| format!("{name}: {what}")));
        }
        complaints
    }

    fn difference(&self, whole: &Relayed, got: &Relayed) -> Option<String> {
        let faults = (&whole.fault, &got.fault);
        let same_fault = match faults {
            (Some(a), Some(b)) => a.to_string() == b.to_string(),
            (a, b) => a.is_none() && b.is_none(),
        };
        if !same_fault {
            return Some(format!("fault {:?} became {:?}", faults.0, faults.1));
        }
        if whole.bytes == got.bytes {
            return None;
        }
        let input = &self.recording.body;
        let (a, b) = (masked(&whole.bytes, input), masked(&got.bytes, input));
        let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let near =
            |text: &str| text.chars().skip(at.saturating_sub(30)).take(90).collect::<String>();
        (a != b).then(|| format!("{:?} became {:?}", near(&a), near(&b)))
    }
}

/// The first piece has `first` bytes, the others `size`.
fn pieces(bytes: &Bytes, first: usize, size: usize) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut pieces = vec![rest.split_to(first.min(rest.len()))];
    while !rest.is_empty() {
        pieces.push(rest.split_to(size.min(rest.len())));
    }
    pieces
}

/// Arrays that pass through are cut as well.
#[test]
fn every_cut_of_an_array_gives_the_same_output() {
    let report = Report::default();
    each(&report, |report, recording| {
        if recording.shape != Shape::Array || streams::stream_of(recording).is_none() {
            return;
        }
        let gemini = ApiFormat::Gemini;
        let bytes = Bytes::from(recording.body.clone());
        let run = |chunks: Vec<Bytes>| {
            let framing = Framing::JsonArray;
            streams::relay(Translator::new(gemini, gemini, framing, label(None)).unwrap(), chunks)
        };
        let whole = run(vec![bytes.clone()]).bytes;
        let phases = 1..=if bytes.len() <= MAX_CUT_BYTES { PIECE_BYTES } else { 1 };
        let sizes = phases.map(|phase| (phase, PIECE_BYTES)).chain([(0, 1), (0, 7)]);
        let wrong = sizes.filter(|(phase, size)| run(pieces(&bytes, *phase, *size)).bytes != whole);
        let wrong: Vec<String> = wrong.map(|(phase, size)| format!("{phase} {size}")).collect();
        report.note(&pair(gemini, gemini), &recording.id, &Verdict::of(&wrong));
    });
    report.close("Array streams, cut at every offset: the same output");
}

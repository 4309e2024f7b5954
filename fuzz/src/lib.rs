//! What the fuzzers try: each target is a plain function of bytes that panics when a promise of
//! the gateway's formats is broken.
//!
//! `cargo fuzz` calls them from `fuzz/fuzz_targets/`, `make test` from `tests/fuzz/`. An input is
//! eight bytes of decisions (formats, framing, where to cut) and then the bytes to be read, so a
//! recorded body with any eight bytes before it is a good seed.

pub mod answers;
pub mod binary;
pub mod errors;
pub mod requests;
pub mod splitters;
pub mod streams;

mod client_stream;
mod responses_stream;
mod said;

use arouter::error::{GatewayError, Kind};
use arouter::formats::{AnswerLabel, ApiFormat, StreamFault};
use std::sync::Arc;

/// A target and the name of its program.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("requests", requests::run),
    ("answers", answers::run),
    ("streams", streams::run),
    ("errors", errors::run),
    ("sse_frames", splitters::sse),
    ("array_frames", splitters::array),
    ("binary_frames", splitters::binary),
];

/// Bytes of an input that decide how the rest is used.
pub const DECISIONS: usize = 8;

/// Formats providers speak; their places are the first decision of most targets.
pub const PROVIDERS: [ApiFormat; 5] = [
    ApiFormat::OpenAiChat,
    ApiFormat::OpenAiResponses,
    ApiFormat::Anthropic,
    ApiFormat::Gemini,
    ApiFormat::Bedrock,
];

/// Formats clients speak.
pub const CLIENTS: [ApiFormat; 5] = [
    ApiFormat::OpenAiChat,
    ApiFormat::OpenAiResponses,
    ApiFormat::Anthropic,
    ApiFormat::Gemini,
    ApiFormat::Completions,
];

/// The decisions and the bytes to be read.
fn parts(data: &[u8]) -> Option<([u8; DECISIONS], &[u8])> {
    let (decisions, body) = data.split_first_chunk()?;
    Some((*decisions, body))
}

/// The element a decision stands for.
fn pick(formats: [ApiFormat; 5], decision: u8) -> ApiFormat {
    formats[usize::from(decision) % formats.len()]
}

/// Numbers that look random and follow from a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which must not be zero.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// Cuts `body` as the decisions say: into single bytes, small pieces, or a few large ones.
fn cut(body: &[u8], decisions: [u8; DECISIONS]) -> Vec<&[u8]> {
    let mut random = Random::new(u64::from_le_bytes(decisions));
    let largest = match decisions[7] % 4 {
        0 if body.len() <= 2_048 => 1,
        0 | 1 => 24,
        2 => 1 + body.len() / 3,
        _ => 1 + body.len(),
    };
    let (mut pieces, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let length = 1 + random.below(largest.min(rest.len()));
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The bytes with the random part of identifiers (`call_…`, `msg_…`) made equal: providers that send
/// none get them from the gateway. Carried signatures hold such identifiers in base64.
fn unidentified(sent: &[u8]) -> Vec<u8> {
    const SHORTEST: usize = 16;
    const CARRIED: &[u8] = b"YXJvdXRlci1z";
    let mut masked = sent.to_vec();
    let mut at = 0;
    while at < masked.len() {
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
        let run = masked[at..].iter().take_while(|byte| is_base64(byte)).count();
        let named = masked[..at].ends_with(b"_") || masked[..at].ends_with(b"responseId\":\"");
        let identifies = run >= SHORTEST && named;
        if identifies || masked[at..].starts_with(CARRIED) {
            masked[at..at + run].fill(b'x');
        }
        at += run + 1;
    }
    masked
}

fn label(decision: u8) -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1767225600-0123456789abcdef01234567"),
        model: (decision & 1 == 0).then(|| Arc::from("acme/\"model\"")),
        provider: Arc::from("Acme"),
        created_s: 1_767_225_600,
        include_usage: decision & 2 == 0,
        exclude_reasoning: decision & 4 != 0,
        shape: arouter::formats::Shape::Maker,
        charges: None,
    }
}

/// What the client is told of a fault.
fn told(fault: &StreamFault) -> GatewayError {
    let kind = match fault {
        StreamFault::Upstream(failure) => failure.kind,
        _ => Kind::ProviderUnavailable,
    };
    GatewayError::upstream(kind, format!("the stream broke:\n\"{kind:?}\""))
}

/// Output must stay in proportion to input.
fn assert_bounded(written: usize, read: usize) {
    let most = 64 * 1_024 + 256 * read;
    assert!(written <= most, "{written} bytes written for {read} bytes read");
}

//! What is sent and answered: requests and answers as prebuilt bytes, and what they must say.
//!
//! Used by the upstream, which answers, and by the load, which asks. Every request carries a
//! marker `bench:SHAPE:LANE` in its text, by which the upstream knows what to answer, and which
//! client is waiting; both sides build the same bytes from it.

use serde_json::{Value, json};

/// Text events of one stream.
pub(crate) const EVENTS: usize = 100;
/// Tokens that answers report as input, and as output.
pub(crate) const PROMPT_TOKENS: u64 = 21;
pub(crate) const OUTPUT_TOKENS: u64 = 100;
/// The model's name at the upstream.
pub(crate) const MODEL: &str = "bench-model";
/// What a caller of the gateway presents.
pub(crate) const CALLER_KEY: &str = "lr_live_bench_0123456789abcdef0123456789abcdef";
/// Identifier of the upstream's answers.
pub(crate) const ANSWER_ID: &str = "chatcmpl-BENCH0123456789abcdefghij";
/// Bytes of the large request body, about.
const LARGE_BODY_BYTES: usize = 1_000_000;

/// What the messages of a large request are full of.
const CODE: &str = r#"fn total(prices: &[Price]) -> Result<Amount, Error> {
    let mut sum = Amount::ZERO;
    for price in prices {
        sum = sum.checked_add(price.amount).ok_or(Error::Overflow)?;
    }
    log::debug!("the sum of {} prices", prices.len());
    Ok(sum)
}
"#;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A whole answer of 1 KB, one client.
    Chat1,
    /// The same, 64 clients.
    Chat64,
    /// A stream, event by event.
    Stream,
    /// A stream that the gateway translates from Anthropic's format.
    Translate,
    /// A request of 1 MB.
    Body,
}

impl Shape {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 5] =
        [Self::Chat1, Self::Chat64, Self::Stream, Self::Translate, Self::Body];

    /// Its name on the command line and in the marker.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat1 => "chat1",
            Self::Chat64 => "chat64",
            Self::Stream => "stream",
            Self::Translate => "translate",
            Self::Body => "body",
        }
    }

    /// Its name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Chat1 => "1 KB chat, C=1",
            Self::Chat64 => "1 KB chat, C=64",
            Self::Stream => "100-event stream, C=8",
            Self::Translate => "Anthropic stream, C=8 (gateway: to OpenAI)",
            Self::Body => "1 MB body, C=4",
        }
    }

    /// Clients at once.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Chat1 => 1,
            Self::Chat64 => 64,
            Self::Stream | Self::Translate => 8,
            Self::Body => 4,
        }
    }

    /// Whether the answer is a stream.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Stream | Self::Translate)
    }

    /// Units of work in one request: events of a stream.
    pub(crate) fn units(self) -> usize {
        if self.is_stream() { EVENTS } else { 1 }
    }
}

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// The upstream, directly or through a proxy that changes nothing.
    Plain,
    /// The gateway: its key, its model names.
    Gateway,
}

/// The marker of one client.
fn marker(shape: Shape, lane: usize) -> String {
    format!("bench:{}:{lane:04}", shape.name())
}

/// Finds the marker of a request.
pub(crate) fn find_marker(body: &[u8]) -> Option<(Shape, usize)> {
    // The marker stands at the end of the last message: searched from behind, it is found at once.
    let at = memchr::memmem::rfind(body, b"bench:")?;
    let rest = body.get(at + 6..)?;
    let colon = memchr::memchr(b':', rest)?;
    let shape = Shape::ALL.into_iter().find(|s| Some(s.name().as_bytes()) == rest.get(..colon))?;
    let lane = std::str::from_utf8(rest.get(colon + 1..colon + 5)?).ok()?.parse().ok()?;
    Some((shape, lane))
}

/// The text of the user's message.
pub(crate) fn user_text(shape: Shape, lane: usize) -> String {
    let marker = marker(shape, lane);
    format!("Explain in a few words why the sky is blue, and nothing else. ({marker})")
}

/// The text of the system message.
pub(crate) const SYSTEM_TEXT: &str = "You are a helpful assistant. Answer briefly and precisely.";

/// A request body in OpenAI's format. `model` comes last, as the Python SDK sends it.
pub(crate) fn openai_body(shape: Shape, lane: usize, model: &str) -> Vec<u8> {
    let message =
        |role: &str, text: &str| format!("{{\"role\":\"{role}\",\"content\":{}}}", json!(text));
    let mut messages = vec![message("system", SYSTEM_TEXT)];
    if shape == Shape::Body {
        large_history(&mut messages);
    }
    messages.push(message("user", &user_text(shape, lane)));
    let stream = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    let stream = if shape.is_stream() { stream } else { "" };
    format!(
        "{{\"messages\":[{}],\"temperature\":0.7{stream},\"model\":\"{model}\"}}",
        messages.join(",")
    )
    .into_bytes()
}

/// A long conversation about code, as agents send it: many quotes and line ends.
fn large_history(messages: &mut Vec<String>) {
    let text = json!(CODE.repeat(30)).to_string();
    let turns = LARGE_BODY_BYTES / text.len();
    messages.extend(
        ["user", "assistant"]
            .iter()
            .cycle()
            .take(turns)
            .map(|role| format!("{{\"role\":\"{role}\",\"content\":{text}}}")),
    );
}

/// A request body in Anthropic's format.
fn anthropic_body(shape: Shape, lane: usize) -> Vec<u8> {
    let body = json!({
        "model": MODEL, "max_tokens": 1024, "stream": true, "system": SYSTEM_TEXT,
        "messages": [{"role": "user", "content": user_text(shape, lane)}],
    });
    body.to_string().into_bytes()
}

/// A whole request, header and body, as a client sends it.
pub(crate) fn request(shape: Shape, via: Via, lane: usize) -> Vec<u8> {
    let (path, body) = match (shape, via) {
        (Shape::Translate, Via::Plain) => ("/v1/messages", anthropic_body(shape, lane)),
        (Shape::Translate, Via::Gateway) => {
            ("/v1/chat/completions", openai_body(shape, lane, "other/bench-model"))
        }
        (_, Via::Plain) => ("/v1/chat/completions", openai_body(shape, lane, MODEL)),
        (_, Via::Gateway) => {
            ("/v1/chat/completions", openai_body(shape, lane, "bench/bench-model"))
        }
    };
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: OpenAI/Python 2.8.0\r\n\
         Accept: application/json\r\nAuthorization: Bearer {CALLER_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}

/// The text of a whole answer: it fills the answer to 1 KB.
pub(crate) fn answer_text() -> String {
    "Rayleigh scattering favours short wavelengths. ".repeat(11)
}

/// A whole answer in OpenAI's format.
pub(crate) fn answer() -> String {
    let text = json!(answer_text());
    format!(
        "{{\"id\":\"{ANSWER_ID}\",\"object\":\"chat.completion\",\"created\":1767225600,\
         \"model\":\"{MODEL}\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":{text},\"refusal\":null,\"annotations\":[]}},\"logprobs\":null,\
         \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":{PROMPT_TOKENS},\
         \"completion_tokens\":{OUTPUT_TOKENS},\"total_tokens\":121,\"prompt_tokens_details\":\
         {{\"cached_tokens\":0,\"audio_tokens\":0}},\"completion_tokens_details\":\
         {{\"reasoning_tokens\":0,\"audio_tokens\":0}}}},\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_0123456789\"}}"
    )
}

/// The text of each event.
pub(crate) fn words() -> Vec<String> {
    (0..EVENTS).map(|index| format!(" word{index:03}")).collect()
}

/// A stream: what precedes the text, an event for each word, what follows.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) opening: Vec<String>,
    pub(crate) events: Vec<String>,
    pub(crate) closing: Vec<String>,
}

/// A stream in OpenAI's format.
pub(crate) fn openai_stream() -> Stream {
    let head = format!(
        "data: {{\"id\":\"{ANSWER_ID}\",\"object\":\"chat.completion.chunk\",\
         \"created\":1767225600,\"model\":\"{MODEL}\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_0123456789\""
    );
    let chunk = |delta: &str, finish: &str| {
        format!(
            "{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let usage = format!(
        "{head},\"choices\":[],\"usage\":{{\"prompt_tokens\":{PROMPT_TOKENS},\
         \"completion_tokens\":{OUTPUT_TOKENS},\"total_tokens\":121}}}}\n\n"
    );
    let opening = "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}";
    Stream {
        opening: vec![chunk(opening, "null")],
        events: words()
            .iter()
            .map(|w| chunk(&format!("{{\"content\":\"{w}\"}}"), "null"))
            .collect(),
        closing: vec![chunk("{}", "\"stop\""), usage, "data: [DONE]\n\n".into()],
    }
}

/// A stream in Anthropic's format.
pub(crate) fn anthropic_stream() -> Stream {
    let event = |data: Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let message = json!({
        "id": "msg_bench0123456789abcdef", "type": "message", "role": "assistant", "model": MODEL,
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
    });
    let delta = |word: &String| {
        let text = json!({"type": "text_delta", "text": word});
        event(json!({"type": "content_block_delta", "index": 0, "delta": text}))
    };
    let block = json!({"type": "text", "text": ""});
    Stream {
        opening: vec![
            event(json!({"type": "message_start", "message": message})),
            event(json!({"type": "content_block_start", "index": 0, "content_block": block})),
            event(json!({"type": "ping"})),
        ],
        events: words().iter().map(delta).collect(),
        closing: vec![
            event(json!({"type": "content_block_stop", "index": 0})),
            event(json!({"type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"output_tokens": OUTPUT_TOKENS}})),
            event(json!({"type": "message_stop"})),
        ],
    }
}

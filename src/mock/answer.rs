//! A reply resolved for one request: every default filled in, every id chosen.
//!
//! Made by `handle` from a [`Reply`] and a [`Prompt`], worded by the format modules.
//!
//! Invariant: [`Tokens`] count like a canonical bill: `prompt` includes cached and written tokens,
//! `completion` includes reasoning.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::Format;
use super::prompt::Prompt;
use super::script::{Reply, ToolPlan};

/// The words of a text made to have a wanted number of events.
const COUNTING: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// What the provider bills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) cached: u64,
    pub(super) cache_write_5m: u64,
    pub(super) cache_write_1h: u64,
    pub(super) reasoning: u64,
}

/// A tool call with its arguments in both forms.
#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    /// As an object; a text that is no JSON is wrapped as `{"raw": …}`.
    pub(super) input: Value,
    /// As text.
    pub(super) arguments: String,
}

/// The answer to one request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) model: String,
    /// Unix seconds.
    pub(super) created: i64,
    pub(super) text: String,
    pub(super) reasoning: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) tools: Vec<ToolCall>,
    pub(super) finish: Option<String>,
    pub(super) image_out: bool,
    /// What the provider bills.
    pub(super) tokens: Tokens,
    /// What the client is told: the same, zeros, or nothing.
    pub(super) usage: Option<Tokens>,
    /// Text pieces of a stream.
    pub(super) text_pieces: Vec<String>,
    /// Pieces each tool's arguments are sent in.
    pub(super) argument_pieces: usize,
}

impl Answer {
    /// Resolves a reply.
    pub(super) fn new(format: Format, reply: &Reply, prompt: &Prompt, at_ms: i64) -> Self {
        let text = text(reply, prompt);
        let mut text_pieces = pieces(&text, reply.events);
        let mut whole = text;
        if let Some(bytes) = reply.fault.huge_event_bytes {
            let huge = "x".repeat(bytes);
            whole.push_str(&huge);
            text_pieces.push(huge);
        }
        let tools: Vec<_> = reply.tools.iter().map(|plan| tool_call(format, plan)).collect();
        let tokens = tokens(reply, prompt, &whole, &tools);
        let usage = match (reply.omit_usage, reply.usage_zero) {
            (true, _) => None,
            (false, true) => Some(Tokens::default()),
            (false, false) => Some(tokens),
        };
        Self {
            id: response_id(format),
            model: prompt.model.clone(),
            created: at_ms / 1000,
            text: whole,
            reasoning: reply.reasoning.clone(),
            signature: reply.signature.clone(),
            refusal: reply.refusal.clone(),
            tools,
            finish: reply.finish.clone(),
            image_out: reply.image_out,
            tokens,
            usage,
            text_pieces,
            argument_pieces: reply.argument_pieces.unwrap_or(4),
        }
    }

    /// The reasoning in the pieces of a stream.
    pub(super) fn reasoning_pieces(&self) -> Vec<String> {
        self.reasoning.as_deref().map(|text| pieces(text, None)).unwrap_or_default()
    }

    /// The arguments of a tool call in the pieces of a stream.
    pub(super) fn argument_pieces<'a>(&self, tool: &'a ToolCall) -> Vec<&'a str> {
        split_evenly(&tool.arguments, self.argument_pieces)
    }
}

/// The text: as scripted; none beside tool calls or a refusal; as many words as events were
/// wanted; else a sentence that names the model.
fn text(reply: &Reply, prompt: &Prompt) -> String {
    let text = match (&reply.text, reply.events) {
        (Some(text), _) => text.clone(),
        (None, _) if !reply.tools.is_empty() || reply.refusal.is_some() => String::new(),
        (None, Some(count)) => {
            let words: Vec<_> = COUNTING.iter().copied().cycle().take(count).collect();
            words.join(" ")
        }
        (None, None) => format!("Hello from {}, the mock speaking.", prompt.model),
    };
    text.repeat(reply.text_repeat.unwrap_or(1))
}

fn pieces(text: &str, count: Option<usize>) -> Vec<String> {
    match count {
        _ if text.is_empty() => Vec::new(),
        Some(count) if text.split(' ').count() != count => {
            split_evenly(text, count).into_iter().map(str::to_owned).collect()
        }
        _ => text.split_inclusive(' ').map(str::to_owned).collect(),
    }
}

/// Cuts a text in `count` pieces of almost equal length; fewer when it has fewer characters.
fn split_evenly(text: &str, count: usize) -> Vec<&str> {
    let chars = text.chars().count();
    let count = count.clamp(1, chars.max(1));
    let mut rest = text;
    let mut done = 0;
    let mut pieces = Vec::with_capacity(count);
    for piece in 1..=count {
        let until = chars * piece / count;
        let at = rest.char_indices().nth(until - done).map_or(rest.len(), |(at, _)| at);
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        pieces.push(head);
        rest = tail;
        done = until;
    }
    pieces
}

fn tokens(reply: &Reply, prompt: &Prompt, text: &str, tools: &[ToolCall]) -> Tokens {
    let plan = reply.tokens;
    let words = |text: &str| text.split_whitespace().count() as u64;
    let reasoning = plan.reasoning.unwrap_or_else(|| reply.reasoning.as_deref().map_or(0, words));
    let arguments: u64 = tools.iter().map(|tool| tool.arguments.len().div_ceil(4) as u64).sum();
    let refusal = reply.refusal.as_deref().map_or(0, words);
    let counted = words(text) + reasoning + arguments + refusal;
    let cache = plan.cached + plan.cache_write_5m + plan.cache_write_1h;
    Tokens {
        prompt: plan.prompt.unwrap_or_else(|| prompt.estimated_tokens()).max(cache),
        completion: plan.completion.unwrap_or(counted).max(reasoning),
        cached: plan.cached,
        cache_write_5m: plan.cache_write_5m,
        cache_write_1h: plan.cache_write_1h,
        reasoning,
    }
}

fn tool_call(format: Format, plan: &ToolPlan) -> ToolCall {
    let (input, arguments) = match &plan.arguments {
        Value::String(text) => {
            let parsed = serde_json::from_str(text);
            (parsed.unwrap_or_else(|_| serde_json::json!({"raw": text})), text.clone())
        }
        object => (object.clone(), object.to_string()),
    };
    let id = plan.id.clone().unwrap_or_else(|| match format {
        Format::OpenAi | Format::Responses => random_id("call_", 24),
        Format::Anthropic => random_id("toolu_01", 22),
        Format::Google => random_id("", 8),
        Format::Bedrock => random_id("tooluse_", 22),
    });
    ToolCall { id, name: plan.name.clone(), input, arguments }
}

fn response_id(format: Format) -> String {
    match format {
        Format::OpenAi => random_id("chatcmpl-", 29),
        Format::Responses => random_id("resp_", 48),
        Format::Anthropic => random_id("msg_01", 22),
        Format::Google | Format::Bedrock => random_id("", 22),
    }
}

/// A prefix and so many base-62 characters, different at each call and in each process.
pub(super) fn random_id(prefix: &str, length: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static STATE: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(rand::random()));
    let mut id = String::with_capacity(prefix.len() + length);
    id.push_str(prefix);
    let mut bits = 0;
    for at in 0..length {
        if at % 10 == 0 {
            bits = mix(STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
        }
        let digit = usize::try_from(bits % 62).ok().and_then(|digit| DIGITS.get(digit));
        id.push(digit.map_or('0', |digit| char::from(*digit)));
        bits /= 62;
    }
    id
}

/// The finaliser of splitmix64.
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

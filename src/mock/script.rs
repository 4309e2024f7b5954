//! What an answer shall look like, and who decides it.
//!
//! [`Reply`] is the grammar shared by the `x-mock` header, the prompt directive and the script
//! file; [`Script`] is the file. `handle` calls [`choose`] once per request.
//!
//! Invariant: an instruction with an unknown field is an error, never silently ignored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::Value;

use super::directive::{self, Directive};
use super::prompt::Prompt;
use super::received::Received;
use super::tool_arguments;

/// One scripted answer; everything is optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) text: Option<String>,
    pub(super) text_repeat: Option<usize>,
    pub(super) tokens: TokenPlan,
    pub(super) omit_usage: bool,
    pub(super) usage_zero: bool,
    pub(super) events: Option<usize>,
    pub(super) delay_ms: u64,
    pub(super) first_token_delay_ms: u64,
    pub(super) event_delay_ms: u64,
    pub(super) status: Option<u16>,
    pub(super) error: Option<Value>,
    pub(super) retry_after: Option<u64>,
    pub(super) raw_body: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) tools: Vec<ToolPlan>,
    pub(super) argument_pieces: Option<usize>,
    pub(super) reasoning: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) finish: Option<String>,
    pub(super) image_out: bool,
    pub(super) fault: Fault,
}

/// Token counts to report; what is absent is counted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokenPlan {
    pub(super) prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) cached: u64,
    pub(super) cache_write_5m: u64,
    pub(super) cache_write_1h: u64,
    pub(super) reasoning: Option<u64>,
}

/// A tool call to make. `arguments` is an object, or a string to send verbatim.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolPlan {
    pub(super) name: String,
    #[serde(default = "no_arguments")]
    pub(super) arguments: Value,
    #[serde(default)]
    pub(super) id: Option<String>,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What goes wrong. In a script either the name of a switch or a table of several.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "FaultForm")]
pub(super) struct Fault(FaultTable);

impl std::ops::Deref for Fault {
    type Target = FaultTable;

    fn deref(&self) -> &FaultTable {
        &self.0
    }
}

/// The faults by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as a script writes them")]
pub(super) struct FaultTable {
    pub(super) reset_before_header: bool,
    pub(super) close_before_header: bool,
    pub(super) garbage: bool,
    pub(super) reset_after: Option<After>,
    pub(super) close_after: Option<After>,
    pub(super) end_after: Option<After>,
    pub(super) stall_after: Option<After>,
    pub(super) error_after: Option<After>,
    pub(super) bad_json_after: Option<After>,
    pub(super) end_without_done: bool,
    pub(super) huge_event_bytes: Option<usize>,
    pub(super) truncate_json: Option<Truncate>,
    pub(super) wrong_content_type: bool,
    pub(super) slow_body_chunk: Option<usize>,
    pub(super) crlf: Option<bool>,
    pub(super) echo_secrets: bool,
}

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum After {
    /// After so many content events; 0 is before any event at all.
    Events(usize),
    /// After the opening events and before the first content.
    Named(AfterName),
}

/// Places with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AfterName {
    Start,
}

/// How a body that is not a stream is cut in half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Truncate {
    /// `content-length` matches the half that is sent: only a JSON parser notices.
    RightLength,
    /// `content-length` promises the whole: the connection ends early.
    WrongLength,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FaultForm {
    Name(String),
    Table(FaultTable),
}

impl TryFrom<FaultForm> for Fault {
    type Error = serde_json::Error;

    fn try_from(form: FaultForm) -> Result<Self, Self::Error> {
        let table = match form {
            FaultForm::Table(table) => table,
            FaultForm::Name(name) => {
                let one = serde_json::Map::from_iter([(name, Value::Bool(true))]);
                serde_json::from_value(Value::Object(one))?
            }
        };
        Ok(Self(table))
    }
}

/// Why an instruction was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    /// Not a script in JSON.
    #[error("script: {0}")]
    Json(#[from] serde_json::Error),
    /// Not a script in TOML.
    #[error("script: {0}")]
    Toml(#[from] toml::de::Error),
    /// The `x-mock` header is not a reply.
    #[error("x-mock header: {0}")]
    Header(serde_json::Error),
    /// The directive in the prompt is not a reply.
    #[error("[[mock]] directive: {0}")]
    Directive(String),
}

/// The rules of a script file, each with its count of matching requests.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<(Rule, AtomicU64)>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default, rename = "match")]
    condition: Condition,
    #[serde(default)]
    reply: Reply,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Condition {
    model: Option<Glob>,
    path: Option<Glob>,
    nth: Vec<u64>,
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Glob(glob::Pattern);

impl TryFrom<String> for Glob {
    type Error = glob::PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        glob::Pattern::new(&text).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<Rule>,
}

impl Script {
    /// Reads JSON (a list, or an object with `rules`) or TOML (`[[rules]]`).
    pub(super) fn parse(text: &str) -> Result<Self, ScriptError> {
        let start = text.trim_start();
        let rules = if start.starts_with('{') {
            serde_json::from_str::<RuleFile>(text)?.rules
        } else if start.starts_with('[') && !start.starts_with("[[") {
            serde_json::from_str(text)?
        } else {
            toml::from_str::<RuleFile>(text)?.rules
        };
        Ok(Self(rules.into_iter().map(|rule| (rule, AtomicU64::new(0))).collect()))
    }

    /// The reply of the first rule that applies; counts the request at each rule it passes.
    fn find(&self, received: &Received, model: &str) -> Option<&Reply> {
        self.0.iter().find_map(|(rule, seen)| {
            if !rule.condition.admits(received, model) {
                return None;
            }
            let nth = seen.fetch_add(1, Ordering::Relaxed) + 1;
            let wanted = &rule.condition.nth;
            (wanted.is_empty() || wanted.contains(&nth)).then_some(&rule.reply)
        })
    }
}

impl Condition {
    fn admits(&self, received: &Received, model: &str) -> bool {
        let fits =
            |glob: &Option<Glob>, text: &str| glob.as_ref().is_none_or(|g| g.0.matches(text));
        let key = received.any_credential().unwrap_or_default();
        fits(&self.model, model)
            && fits(&self.path, received.uri.path())
            && self.key.as_ref().is_none_or(|part| key.contains(part))
    }
}

/// The reply for a request: header, then directive, then script, then defaults.
pub(super) fn choose(
    script: &Script,
    received: &Received,
    prompt: &Prompt,
) -> Result<Reply, ScriptError> {
    if let Some(header) = received.headers.get("x-mock") {
        return serde_json::from_slice(header.as_bytes()).map_err(ScriptError::Header);
    }
    match directive::find(&prompt.last_user_text) {
        Some(Ok(directive)) => Ok(directed(directive, prompt)),
        Some(Err(problem)) => Err(ScriptError::Directive(problem)),
        None => Ok(script.find(received, &prompt.model).cloned().unwrap_or_default()),
    }
}

/// A directive stays in the prompt while a tool loop goes on, so its tool calls are made only in
/// answer to the user message itself; the turn after the tool results is a text.
fn directed(directive: Directive, prompt: &Prompt) -> Reply {
    let mut reply = match directive {
        Directive::Reply(reply) => *reply,
        Directive::CallFirstTool => {
            let first = prompt.tools.first().map(|tool| ToolPlan {
                name: tool.name.clone(),
                arguments: tool_arguments::example(&tool.schema),
                id: None,
            });
            Reply { tools: first.into_iter().collect(), ..Reply::default() }
        }
    };
    if !prompt.ends_with_user {
        reply.tools.clear();
    }
    reply
}

//! Which differences between two readings of a request the translation table allows on a way
//! through formats.

use crate::ask::{Ask, Turn};
use crate::json::Json;
use arouter::formats::ApiFormat::{self, Anthropic, Gemini, OpenAiChat, OpenAiResponses};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// The complaints about `got`, which is `told` after its way along `path`.
pub fn compare(told: &Ask, got: &Ask, path: &[ApiFormat], dropped: &[String]) -> Vec<String> {
    let mut judge = Judge { told, got, path, dropped, complaints: Vec::new() };
    judge.conversation();
    judge.tools();
    judge.settings();
    judge.complaints
}

struct Judge<'j> {
    told: &'j Ask,
    got: &'j Ask,
    path: &'j [ApiFormat],
    dropped: &'j [String],
    complaints: Vec<String>,
}

impl Judge<'_> {
    fn complain(&mut self, what: &str, told: impl Debug, got: impl Debug) {
        let (told, got) = (format!("{told:?}"), format!("{got:?}"));
        let same = told.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
        let short =
            |text: &str| text.chars().skip(same.saturating_sub(60)).take(200).collect::<String>();
        self.complaints.push(format!("{what}: {} became {}", short(&told), short(&got)));
    }

    fn passes(&self, format: ApiFormat) -> bool {
        self.path.contains(&format)
    }

    fn is_own(&self) -> bool {
        self.path.iter().all(|format| *format == self.path[0])
    }

    fn is_dropped(&self, name: &str) -> bool {
        let stem = name.split(['.', '[']).next().unwrap_or(name);
        self.dropped.iter().any(|dropped| dropped.split(['.', '[']).next() == Some(stem))
    }

    fn conversation(&mut self) {
        let loosely = ["hosted item", "text document", "media result", "other part"];
        if loosely.iter().any(|word| self.told.special.contains(word)) {
            // Only one format has a place for these: calls and results are compared alone.
            let calls = |ask: &Ask| -> Vec<String> {
                ask.turns.iter().flat_map(|turn| turn.calls.clone()).collect()
            };
            let (told, got) = (calls(self.told), calls(self.got));
            if told != got {
                self.complain("calls", told, got);
            }
            return;
        }
        let bare = |ask: &Ask| -> Vec<Turn> {
            let turns = ask.turns.iter().cloned().map(|mut turn| {
                turn.reasoning.clear();
                turn
            });
            let mut kept = Ask { turns: turns.collect(), ..Ask::default() }.settled().turns;
            for turn in &mut kept {
                turn.media.sort();
            }
            kept
        };
        let (told, mut got) = (bare(self.told), bare(self.got));
        self.forgive_instructions(&told, &mut got);
        self.forgive_beginning(&told, &mut got);
        if told != got {
            self.complain("conversation", told, got);
        }
        if self.is_own() && self.path[0] != OpenAiChat {
            let pieces = |ask: &Ask| -> Vec<String> {
                ask.turns.iter().flat_map(|turn| turn.reasoning.clone()).collect()
            };
            let (mut told, got) = (pieces(self.told), pieces(self.got));
            // Without its signature no provider takes a thought back.
            told.retain(|piece| !piece.ends_with('|') || got.contains(piece));
            if told != got {
                self.complain("reasoning", told, got);
            }
        }
    }

    /// Anthropic's conversations begin with the person; a dot stands for what was not said.
    fn forgive_beginning(&self, told: &[Turn], got: &mut Vec<Turn>) {
        let first = |turns: &[Turn]| turns.iter().position(|turn| turn.role != "system");
        let Some(at) = first(got) else { return };
        let is_model_first = first(told).is_some_and(|at| told[at].role == "assistant");
        let dot = Turn { role: "user", text: ".".to_owned(), ..Turn::default() };
        if self.passes(Anthropic) && is_model_first && got[at] == dot {
            got.remove(at);
        }
    }

    /// JSON without a schema is asked of Anthropic in words, at the end of the instructions.
    fn forgive_instructions(&self, told: &[Turn], got: &mut Vec<Turn>) {
        if self.told.format != "json" || !self.passes(Anthropic) {
            return;
        }
        let Some(first) = got.first_mut().filter(|turn| turn.role == "system") else { return };
        match told.first().filter(|turn| turn.role == "system") {
            Some(own) if first.text.starts_with(&own.text) => first.text.clone_from(&own.text),
            None => drop(got.remove(0)),
            Some(_) => {}
        }
    }

    fn tools(&mut self) {
        let (told, got) = (&self.told.tools, &self.got.tools);
        let is_subset = self.told.choice.contains("some:") || self.told.choice.contains("must:");
        let expected: Vec<_> = told
            .iter()
            .filter(|tool| {
                !(is_subset && got.len() < told.len()) || got.iter().any(|g| g.name == tool.name)
            })
            .collect();
        if expected.len() != got.len() {
            let names = |tools: &[crate::ask::Tool]| {
                tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()
            };
            return self.complain("tools", names(told), names(got));
        }
        for (told, got) in expected.into_iter().zip(got) {
            let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let may_rename = !told.name.chars().all(alphabet) || told.name.len() > 64;
            if told.name != got.name && !may_rename {
                self.complain("tool name", &told.name, &got.name);
            }
            if told.description != got.description {
                self.complain("tool description", &told.description, &got.description);
            }
            if !told.shape.is_subset(&got.shape) {
                let lost: BTreeSet<_> = told.shape.difference(&got.shape).collect();
                self.complain("tool schema lost", lost, &got.name);
            }
        }
        self.choice();
    }

    fn choice(&mut self) {
        let (told, got) = (self.told.choice.as_str(), self.got.choice.as_str());
        let no_tools = self.told.tools.is_empty();
        let is_default = |word: &str| word.is_empty() || word == "auto";
        let degraded =
            self.told.special.contains("reasoning") && self.passes(Anthropic) && is_default(got);
        let subset = told.contains("some:") || told.contains("must:");
        let same = told == got || (is_default(told) && is_default(got));
        if !same && !no_tools && !degraded && !subset && !self.is_dropped("tool_choice") {
            self.complain("tool_choice", told, got);
        }
        let (told, got) = (self.told.parallel, self.got.parallel);
        let forbids = told == Some(false) && got != Some(false);
        if forbids && !no_tools && !self.is_dropped("parallel_tool_calls") {
            self.complain("parallel_tool_calls", told, got);
        }
    }

    fn settings(&mut self) {
        for (name, told) in self.told.settings.clone() {
            let got = self.got.settings.get(name).cloned();
            if got.as_ref() == Some(&told) {
                continue;
            }
            match got {
                Some(got) if self.may_change(name) => drop(got),
                Some(got) => self.complain(name, &told, got),
                None if self.is_nothing(name, &told) => {}
                None if self.is_dropped(name) && !self.must_keep(name) => {}
                None => self.complain(name, &told, format!("nothing, dropped: {:?}", self.dropped)),
            }
        }
        if self.told.format != self.got.format {
            let is_emulated = self.passes(Anthropic) && self.told.format == "json";
            let rest = |text: &str| -> BTreeSet<String> {
                text.split("\", \"").map(str::to_owned).collect()
            };
            let kept = rest(self.told.format.trim_matches(['{', '}', '"']))
                .is_subset(&rest(self.got.format.trim_matches(['{', '}', '"'])));
            if !is_emulated && !kept && !self.is_dropped("response_format") {
                self.complain("response_format", &self.told.format, &self.got.format);
            }
        }
    }

    /// What the table clamps or raises.
    fn may_change(&self, name: &str) -> bool {
        match name {
            "temperature" => self.passes(Anthropic),
            "max_tokens" => self.passes(Anthropic) && self.told.special.contains("reasoning"),
            "stop" => self.is_dropped("stop"),
            _ => false,
        }
    }

    /// A value that says what would be so anyway.
    fn is_nothing(&self, name: &str, told: &str) -> bool {
        let without_log = !self.told.settings.contains_key("logprobs");
        let is_space = |list: &str| {
            Json::parse(list)
                .is_some_and(|list| list.list().iter().all(|text| text.text().trim().is_empty()))
        };
        matches!((name, told), ("n", "1") | ("logprobs", "false"))
            || (name.ends_with("_penalty") && told == "0")
            || (name == "stop" && self.passes(Anthropic) && is_space(told))
            || (name == "top_logprobs" && (told == "0" || without_log))
    }

    /// What every format on the way has a word for may not be dropped.
    fn must_keep(&self, name: &str) -> bool {
        let thinks = self.told.special.contains("reasoning");
        let holders: &[ApiFormat] = match name {
            "temperature" if thinks => &[OpenAiChat, Gemini, OpenAiResponses],
            "max_tokens" | "temperature" => &[OpenAiChat, Anthropic, Gemini, OpenAiResponses],
            "top_p" => &[OpenAiChat, Gemini, OpenAiResponses],
            "stop" => &[OpenAiChat, Anthropic, Gemini],
            "seed" | "frequency_penalty" | "presence_penalty" | "n" => &[OpenAiChat, Gemini],
            "top_k" if thinks => &[Gemini],
            "top_k" => &[Anthropic, Gemini],
            _ => &[],
        };
        self.path.iter().all(|format| holders.contains(format))
    }
}

#[test]
fn what_a_request_loses_is_found() {
    let body = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":
        {"type":"object","properties":{"a":{"type":"string"}}}}}],"tool_choice":"required",
        "temperature":0.5,"max_tokens":9,"parallel_tool_calls":false,
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":
        {"type":"object","properties":{"q":{"type":"string"}}}}}}"#;
    let told = crate::ask_chat::chat(&Json::parse(body).unwrap());
    let path = [OpenAiChat, Gemini];
    assert_eq!(compare(&told, &told, &path, &[]), [""; 0]);
    let spoil: [fn(&mut Ask); 9] = [
        |ask| ask.turns[1].text.clear(),
        |ask| drop(ask.turns.remove(0)),
        |ask| ask.tools[0].description.clear(),
        |ask| ask.tools[0].shape.clear(),
        |ask| ask.tools.clear(),
        |ask| ask.choice.clear(),
        |ask| drop(ask.settings.remove("max_tokens")),
        |ask| ask.format.clear(),
        |ask| ask.parallel = None,
    ];
    for (at, spoil) in spoil.iter().enumerate() {
        let mut got = told.clone();
        spoil(&mut got);
        assert_eq!(compare(&told, &got, &path, &["max_tokens".to_owned()]).len(), 1, "{at}");
    }
}

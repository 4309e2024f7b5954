//! Reads OpenAI's chat answers, in the dialects of all who borrow the format.

use crate::json::Json;
use crate::reading::{Answer, Arguments, Call, Choice, Counts, Finish};

pub fn answer(body: &Json) -> Answer {
    let mut choices: Vec<(u64, Choice)> = Vec::new();
    for (at, choice) in body["choices"].list().iter().enumerate() {
        let index = choice["index"].int().unwrap_or(at as u64);
        choices.push((index, self::choice(choice)));
    }
    choices.sort_by_key(|(index, _)| *index);
    let mut choices: Vec<Choice> = choices.into_iter().map(|(_, choice)| choice).collect();
    if let [only] = choices.as_mut_slice()
        && only.sources.is_empty()
    {
        let cited = body["citations"].list().iter().filter_map(Json::str);
        only.sources = cited.map(|url| (url.to_owned(), String::new())).collect();
    }
    let error = &body["error"];
    Answer {
        choices,
        usage: usage(&body["usage"]),
        model: body["model"].text().to_owned(),
        error: (!error.is_null()).then(|| error.to_string()),
    }
}

fn choice(choice: &Json) -> Choice {
    let message = &choice["message"];
    let mut read = Choice {
        refusal: message["refusal"].text().to_owned(),
        transcript: message["audio"]["transcript"].text().to_owned(),
        finish: finish(&choice["finish_reason"]),
        ..Choice::default()
    };
    content(&message["content"], &mut read);
    reasoning(message, &mut read);
    calls(message, &mut read);
    for note in message["annotations"].list() {
        let cited = &note["url_citation"];
        if let Some(url) = cited["url"].str() {
            read.sources.push((url.to_owned(), cited["title"].text().to_owned()));
        }
    }
    for image in message["images"].list() {
        let url = image["image_url"]["url"].text();
        read.images.push(url.split_once(',').map_or(url, |(_, data)| data).to_owned());
    }
    for token in choice["logprobs"]["content"].list() {
        read.logprobs.push(format!("{} {:?}", token["token"], token["logprob"].float()));
    }
    read.settle()
}

/// A string, a list of typed parts (Mistral), or the JSON itself that was asked for (Cloudflare).
fn content(content: &Json, read: &mut Choice) {
    match content {
        Json::Text(text) => read.text.push_str(text),
        Json::Object(_) => read.text.push_str(&content.to_string()),
        Json::List(parts) => {
            for part in parts {
                match part["type"].text() {
                    "thinking" => {
                        let whole = part["thinking"].text();
                        read.reasoning.push_str(whole);
                        for piece in part["thinking"].list() {
                            read.reasoning.push_str(piece["text"].text());
                        }
                    }
                    "refusal" => read.refusal.push_str(part["refusal"].text()),
                    "text" | "output_text" | "" => {
                        read.text.push_str(part.str().unwrap_or_else(|| part["text"].text()));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// The same reasoning may be told up to three times: the typed form is preferred.
fn reasoning(message: &Json, read: &mut Choice) {
    let details = message["reasoning_details"].list();
    let typed: String =
        details.iter().map(|detail| detail.any(&["text", "summary"]).text()).collect();
    let plain = ["reasoning", "reasoning_content", "reasoning_text", "thinking"];
    let plain = plain.iter().map(|key| message[*key].text()).find(|text| !text.is_empty());
    let thought = if typed.is_empty() { plain.unwrap_or_default() } else { &typed };
    read.reasoning.push_str(thought);
    for detail in details {
        read.sign(&detail["signature"]);
        read.sign(&detail["data"]);
    }
    if details.is_empty() {
        read.sign(&message["reasoning_opaque"]);
    }
}

fn calls(message: &Json, read: &mut Choice) {
    for call in message["tool_calls"].list() {
        let function = &call["function"];
        let custom = &call["custom"];
        let (name, arguments) = if custom.is_object() && function["name"].text().is_empty() {
            (custom["name"].text(), Arguments::from_input(custom["input"].text()))
        } else {
            (function["name"].text(), arguments(&function["arguments"]))
        };
        let (id, name) = (call["id"].text().to_owned(), name.to_owned());
        read.calls.push(Call { id, name, arguments });
    }
    let old = &message["function_call"];
    if read.calls.is_empty()
        && let Some(name) = old["name"].str().filter(|name| !name.is_empty())
    {
        let arguments = arguments(&old["arguments"]);
        read.calls.push(Call { id: String::new(), name: name.to_owned(), arguments });
    }
}

fn arguments(written: &Json) -> Arguments {
    match written {
        Json::Text(text) => Arguments::from_text(text),
        other => Arguments::from_value(other),
    }
}

fn finish(word: &Json) -> Finish {
    match word.text() {
        "" => Finish::Missing,
        "length" | "model_length" | "MAX_TOKENS" | "max_tokens" | "max_output_tokens" => {
            Finish::Length
        }
        "tool_calls" | "function_call" | "TOOL_CALL" => Finish::ToolCalls,
        "content_filter" | "guardrail_intervened" | "refusal" => Finish::Filter,
        "error" | "network_error" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// Inclusive counts, with the habits of those who count otherwise.
pub fn usage(usage: &Json) -> Counts {
    let (inner, outer) = (&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
    let mut counts = Counts::new();
    let mut put = |name, value: Option<u64>| {
        if let Some(value) = value {
            counts.insert(name, value);
        }
    };
    let prompt = usage["prompt_tokens"].int();
    let completion = usage["completion_tokens"].int();
    let reasoning = outer["reasoning_tokens"].int().or_else(|| usage["reasoning_tokens"].int());
    let audio = inner["audio_tokens"].int();
    let total = usage["total_tokens"].int();
    let sum = prompt.unwrap_or(0) + completion.unwrap_or(0);
    let beside = |part: Option<u64>| part.is_some_and(|part| part > 0 && total == Some(sum + part));
    put("prompt", prompt.map(|p| if beside(audio) { p + audio.unwrap_or(0) } else { p }));
    put(
        "completion",
        completion.map(|c| match (reasoning, total) {
            (Some(r), _) if beside(reasoning) || r > c => c + r,
            (None | Some(0), Some(total)) if total > sum && !beside(audio) => {
                total - prompt.unwrap_or(0)
            }
            _ => c,
        }),
    );
    let top = usage.any(&["prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"]);
    put("cached", inner["cached_tokens"].int().or_else(|| top.int()));
    put("write", inner["cache_write_tokens"].int());
    put("reasoning", reasoning);
    put("audio_prompt", audio);
    put("audio_completion", outer["audio_tokens"].int());
    counts
}

#[test]
fn the_dialects_come_to_one_reading() {
    let read = |text: &str| answer(&Json::parse(text).unwrap());
    let mistral = read(
        r#"{"choices":[{"finish_reason":"stop","message":{"content":[
            {"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"b"],
            "tool_calls":[{"id":"x","function":{"name":"f","arguments":{"z":1,"a":2}}}]}}]}"#,
    );
    let choice = &mistral.choices[0];
    assert_eq!((choice.text.as_str(), choice.reasoning.as_str()), ("ab", "hm"));
    assert_eq!(choice.finish, Finish::ToolCalls);
    assert_eq!(choice.calls[0].arguments.value.to_string(), r#"{"z":1,"a":2}"#);
    let twice = read(
        r#"{"choices":[{"message":{"content":null,"reasoning":"r","reasoning_content":"r",
            "reasoning_details":[{"type":"reasoning.text","text":"r","signature":"s"}]}}]}"#,
    );
    assert_eq!(twice.choices[0].reasoning, "r");
    assert_eq!(twice.choices[0].signatures, ["s"]);
    assert_eq!(twice.choices[0].finish, Finish::Stop);
}

#[test]
fn completion_counts_reasoning_whoever_counts() {
    let completion = |text: &str| usage(&Json::parse(text).unwrap())["completion"];
    let details = r#""completion_tokens_details":{"reasoning_tokens":30}"#;
    for (counts, expected) in [
        (r#""prompt_tokens":10,"completion_tokens":50,"total_tokens":60"#, 50),
        (r#""prompt_tokens":10,"completion_tokens":50,"total_tokens":90"#, 80),
        (r#""prompt_tokens":10,"completion_tokens":20,"total_tokens":30"#, 50),
    ] {
        assert_eq!(completion(&format!("{{{counts},{details}}}")), expected, "{counts}");
    }
    let google = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":40}"#;
    assert_eq!(completion(google), 30);
}

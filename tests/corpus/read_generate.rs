//! Reads Gemini's answers.

use crate::json::Json;
use crate::reading::{Answer, Arguments, Call, Choice, Counts, Finish};

pub fn answer(body: &Json) -> Answer {
    let mut choices: Vec<(u64, Choice)> = Vec::new();
    for (at, candidate) in body["candidates"].list().iter().enumerate() {
        let index = candidate["index"].int().unwrap_or(at as u64);
        choices.push((index, self::candidate(candidate)));
    }
    choices.sort_by_key(|(index, _)| *index);
    let mut choices: Vec<Choice> = choices.into_iter().map(|(_, choice)| choice).collect();
    let feedback = body.any(&["promptFeedback", "prompt_feedback"]);
    let blocked = feedback.any(&["blockReason", "block_reason"]);
    if choices.is_empty() && !blocked.is_null() {
        let stated = feedback.any(&["blockReasonMessage", "block_reason_message"]).text();
        let word = blocked.str().map_or_else(|| blocked.to_string(), str::to_owned);
        let refusal =
            if stated.is_empty() { format!("Blocked: {word}") } else { stated.to_owned() };
        choices.push(Choice { refusal, finish: Finish::Filter, ..Choice::default() });
    }
    let error = &body["error"];
    Answer {
        choices,
        usage: usage(body.any(&["usageMetadata", "usage_metadata"])),
        model: body.any(&["modelVersion", "model_version"]).text().to_owned(),
        error: (!error.is_null()).then(|| error.to_string()),
    }
}

fn candidate(candidate: &Json) -> Choice {
    let finish = finish(candidate.any(&["finishReason", "finish_reason"]));
    let mut read = Choice { finish, ..Choice::default() };
    for part in candidate["content"]["parts"].list() {
        self::part(part, &mut read);
    }
    let grounding = candidate.any(&["groundingMetadata", "grounding_metadata"]);
    let chunks = grounding.any(&["groundingChunks", "grounding_chunks"]);
    let supports = grounding.any(&["groundingSupports", "grounding_supports"]).list();
    if supports.is_empty() {
        let web = chunks.list().iter().map(|chunk| &chunk["web"]);
        read.sources.extend(web.filter_map(source));
    }
    for support in supports {
        for at in support.any(&["groundingChunkIndices", "grounding_chunk_indices"]).list() {
            let Some(at) = at.int().and_then(|at| usize::try_from(at).ok()) else { continue };
            read.sources.extend(source(&chunks[at]["web"]));
        }
    }
    for token in candidate["logprobsResult"]["chosenCandidates"].list() {
        read.logprobs.push(format!("{} {:?}", token["token"], token["logProbability"].float()));
    }
    read.settle()
}

fn source(web: &Json) -> Option<(String, String)> {
    Some((web["uri"].str()?.to_owned(), web["title"].text().to_owned()))
}

fn part(part: &Json, read: &mut Choice) {
    let hosted = ["toolCall", "toolResponse", "executableCode", "codeExecutionResult"];
    let mark = part.any(&["thoughtSignature", "thought_signature"]);
    if part.any(&hosted).is_null() {
        read.sign(mark);
    } else {
        read.loose_signatures.extend(mark.str().map(str::to_owned));
    }
    let text = part["text"].text();
    if part["thought"].is_true() {
        read.reasoning.push_str(text);
    } else {
        read.text.push_str(text);
    }
    let call = part.any(&["functionCall", "function_call"]);
    if let Some(name) = call["name"].str() {
        read.calls.push(Call {
            id: call["id"].text().to_owned(),
            name: name.to_owned(),
            arguments: Arguments::from_value(&call["args"]),
        });
    }
    let data = part.any(&["inlineData", "inline_data"]);
    if let Some(base64) = data["data"].str()
        && data.any(&["mimeType", "mime_type"]).text().starts_with("image/")
        && !part["thought"].is_true()
    {
        read.images.push(base64.to_owned());
    }
    let code = part.any(&["executableCode", "executable_code"]);
    if code.is_object() {
        read.text.push_str(&["```python\n", code["code"].text(), "\n```"].concat());
    }
    let result = part.any(&["codeExecutionResult", "code_execution_result"]);
    if result.is_object() {
        read.text.push_str(&["```\n", result["output"].text(), "\n```"].concat());
    }
}

/// Words, or the numbers that Google's REST clients ask for.
fn finish(word: &Json) -> Finish {
    if let Some(number) = word.int() {
        return match number {
            0 => Finish::Missing,
            2 => Finish::Length,
            3 | 4 | 6 | 7 | 8 => Finish::Filter,
            9 => Finish::Error,
            _ => Finish::Stop,
        };
    }
    match word.text() {
        "" => Finish::Missing,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::Filter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// Thoughts are beside the candidates' tokens, the cache is inside the prompt's.
pub fn usage(usage: &Json) -> Counts {
    let count = |camel: &str, snake: &str| usage.any(&[camel, snake]).int();
    let prompt = count("promptTokenCount", "prompt_token_count");
    let tool = count("toolUsePromptTokenCount", "tool_use_prompt_token_count");
    let candidates = count("candidatesTokenCount", "candidates_token_count");
    let thoughts = count("thoughtsTokenCount", "thoughts_token_count");
    let completion = (candidates.is_some() || thoughts.is_some())
        .then(|| candidates.unwrap_or(0) + thoughts.unwrap_or(0));
    let counts = [
        ("prompt", prompt.map(|prompt| prompt + tool.unwrap_or(0))),
        ("completion", completion),
        ("cached", count("cachedContentTokenCount", "cached_content_token_count")),
        ("reasoning", thoughts),
        ("audio_prompt", audio(usage, "promptTokensDetails")),
        ("audio_completion", audio(usage, "candidatesTokensDetails")),
    ];
    counts.into_iter().filter_map(|(name, count)| Some((name, count?))).collect()
}

fn audio(usage: &Json, key: &str) -> Option<u64> {
    let detail = usage[key].list().iter().find(|detail| detail["modality"].text() == "AUDIO")?;
    detail["tokenCount"].int()
}

#[test]
fn parts_are_told_apart() {
    let body = Json::parse(
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},
            {"text":"a","thoughtSignature":"s"},{"functionCall":{"name":"f"}},{"text":""}]},
            "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,
            "candidatesTokenCount":3,"thoughtsTokenCount":4,"cachedContentTokenCount":2}}"#,
    );
    let read = answer(&body.unwrap());
    let choice = &read.choices[0];
    assert_eq!((choice.text.as_str(), choice.reasoning.as_str()), ("a", "hm"));
    assert_eq!(choice.finish, Finish::ToolCalls);
    assert_eq!((choice.signatures.len(), choice.calls.len()), (1, 1));
    assert_eq!((read.usage["prompt"], read.usage["completion"]), (5, 7));
    let blocked = Json::parse(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#).unwrap();
    assert_eq!(answer(&blocked).choices[0].refusal, "Blocked: SAFETY");
}

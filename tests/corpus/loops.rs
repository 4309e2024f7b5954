//! Tool loops: an answer goes to a client of another format, the client sends it back with results,
//! and the provider gets its own calls, ids, reasoning and signatures back.

use crate::answers::{is_whole_answer, label, whole};
use crate::ask::Ask;
use crate::compare::read;
use crate::json::Json;
use crate::reading::Answer;
use crate::report::{Report, Verdict, each, pair};
use crate::requests;
use arouter::formats::answer::relay;
use arouter::formats::{ApiFormat, Target, decode_request, encode_request};
use bytes::Bytes;

const CLIENTS: [ApiFormat; 4] =
    [ApiFormat::OpenAiChat, ApiFormat::OpenAiResponses, ApiFormat::Anthropic, ApiFormat::Gemini];

#[test]
fn tool_loops_close_through_every_client() {
    let report = Report::default();
    each(&report, |report, recording| {
        let provider = recording.format;
        if !is_whole_answer(recording) || provider == ApiFormat::Bedrock {
            return;
        }
        let told = read(provider, &whole(recording).unwrap());
        let calls = told.choices.first().map(|choice| &choice.calls);
        if calls
            .is_none_or(|calls| calls.is_empty() || calls.iter().any(|call| call.arguments.torn))
        {
            return;
        }
        for client in CLIENTS {
            let body = Bytes::from(recording.body.clone());
            let verdict = relay(provider, client, body, &label(None))
                .map_err(|fault| fault.to_string())
                .and_then(|answer| {
                    Json::parse(std::str::from_utf8(&answer.body).unwrap()).ok_or("no JSON".into())
                })
                .and_then(|answer| followed(&answer, client, provider))
                .map_or_else(Verdict::Failed, |ask| Verdict::of(&judge(&told, &ask, provider)));
            report.note(&pair(provider, client), &recording.id, &verdict);
        }
    });
    report.close("Tool loops, answer to client and back: calls, ids, reasoning, signatures");
}

/// What the provider is asked when the client replays its answer with results.
fn followed(answer: &Json, client: ApiFormat, provider: ApiFormat) -> Result<Ask, String> {
    let request = replayed(answer, client).to_string();
    let decoded = decode_request(client, request.as_bytes()).map_err(|error| error.to_string())?;
    let mut target = Target::new(match provider {
        ApiFormat::Anthropic => "claude-sonnet-4-5",
        ApiFormat::Gemini => "gemini-3-pro-preview",
        _ => "gpt-5",
    });
    target.stream = false;
    let written = encode_request(provider, &decoded, target).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&written.body).unwrap();
    let body = Json::parse(text).ok_or_else(|| format!("no JSON: {text}"))?;
    Ok(requests::read(provider, &body))
}

/// The client's next request, written as its own SDK would.
fn replayed(answer: &Json, client: ApiFormat) -> Json {
    let calls = read(client, answer).choices[0].calls.clone();
    let results = calls.iter().enumerate().map(|(at, call)| match client {
        // OpenAI's older calls have no id; their results name the function.
        ApiFormat::OpenAiChat if call.id.is_empty() => {
            format!(r#"{{"role":"function","name":"{}","content":"r{at}"}}"#, call.name)
        }
        ApiFormat::OpenAiChat => {
            format!(r#"{{"role":"tool","tool_call_id":"{}","content":"r{at}"}}"#, call.id)
        }
        ApiFormat::OpenAiResponses => {
            format!(r#"{{"type":"function_call_output","call_id":"{}","output":"r{at}"}}"#, call.id)
        }
        ApiFormat::Anthropic => {
            format!(r#"{{"type":"tool_result","tool_use_id":"{}","content":"r{at}"}}"#, call.id)
        }
        _ => format!(
            r#"{{"functionResponse":{{"id":"{}","name":"{}","response":{{"result":"r{at}"}}}}}}"#,
            call.id, call.name
        ),
    });
    let results: Vec<Json> = results.map(|result| Json::parse(&result).unwrap()).collect();
    let mut request = Json::Null;
    let user = |content: Json, key: &str| {
        let mut message = Json::Null;
        message.set("role", "user".into());
        message.set(key, content);
        message
    };
    match client {
        ApiFormat::OpenAiChat => {
            let mut messages = vec![user("go".into(), "content")];
            messages.push(answer["choices"][0]["message"].clone());
            messages.extend(results);
            request.set("messages", Json::List(messages));
            request.set("model", "m".into());
        }
        ApiFormat::OpenAiResponses => {
            let mut input = vec![user("go".into(), "content")];
            // What OpenAI's own tools did is replayed to OpenAI alone, as bytes.
            let portable = ["message", "reasoning", "function_call", "custom_tool_call"];
            let items = answer["output"].list().iter();
            input.extend(items.filter(|item| portable.contains(&item["type"].text())).cloned());
            input.extend(results);
            request.set("input", Json::List(input));
            request.set("model", "m".into());
            request.set("store", Json::Bool(false));
        }
        ApiFormat::Anthropic => {
            let mut assistant = user(answer["content"].clone(), "content");
            assistant.set("role", "assistant".into());
            let messages =
                vec![user("go".into(), "content"), assistant, user(Json::List(results), "content")];
            request.set("messages", Json::List(messages));
            request.set("model", "m".into());
            request.set("max_tokens", Json::Number("9999".into()));
        }
        _ => {
            let text = Json::parse(r#"[{"text":"go"}]"#).unwrap();
            let model = answer["candidates"][0]["content"].clone();
            let contents = vec![user(text, "parts"), model, user(Json::List(results), "parts")];
            request.set("contents", Json::List(contents));
        }
    }
    request
}

fn judge(told: &Answer, ask: &Ask, provider: ApiFormat) -> Vec<String> {
    let choice = &told.choices[0];
    let mut complaints = Vec::new();
    let assistant: Vec<_> = ask.turns.iter().filter(|turn| turn.role == "assistant").collect();
    let calls: Vec<String> = assistant.iter().flat_map(|turn| turn.calls.clone()).collect();
    let expected: Vec<String> = choice
        .calls
        .iter()
        .enumerate()
        .map(|(at, call)| format!("#{at} {} {}", call.name, call.arguments.value))
        .collect();
    if calls != expected {
        complaints.push(format!("calls {expected:?} became {calls:?}"));
    }
    let results: Vec<String> = ask.turns.iter().flat_map(|turn| turn.results.clone()).collect();
    let expected: Vec<String> = (0..choice.calls.len()).map(|at| format!("#{at} r{at}")).collect();
    if results != expected {
        complaints.push(format!("results {expected:?} became {results:?}"));
    }
    let ids = choice.calls.iter().zip(&ask.ids).filter(|(call, _)| !call.id.is_empty());
    for (call, id) in ids {
        let fits = call.id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let most = if provider == ApiFormat::OpenAiChat { 40 } else { 64 };
        if call.id != *id && fits && call.id.len() <= most {
            complaints.push(format!("call id {} became {id}", call.id));
        }
    }
    // Only OpenAI's chat has nothing that must come back.
    if provider != ApiFormat::OpenAiChat {
        let kept: Vec<String> = assistant.iter().flat_map(|turn| turn.reasoning.clone()).collect();
        let marks: Vec<&str> =
            kept.iter().filter_map(|piece| piece.rsplit_once('|')).map(|(_, mark)| mark).collect();
        for mark in &choice.signatures {
            if !marks.contains(&mark.as_str()) {
                complaints.push(format!("a signature is lost: {mark}, {} are left", marks.len()));
            }
        }
        let is_signed = !choice.signatures.is_empty() && provider == ApiFormat::Anthropic;
        let thought: String =
            kept.iter().filter_map(|piece| piece.rsplit_once('|')).map(|(t, _)| t).collect();
        if is_signed && thought != choice.reasoning {
            complaints.push(format!("reasoning {:?} became {thought:?}", choice.reasoning));
        }
    }
    complaints
}

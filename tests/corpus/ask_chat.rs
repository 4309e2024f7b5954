//! Reads requests of OpenAI's chat and Responses APIs.

use crate::ask::{Ask, inline, media, shape};
use crate::json::Json;
use crate::reading::Arguments;

pub fn chat(body: &Json) -> Ask {
    let mut ask = Ask::default();
    for message in body["messages"].list() {
        chat_message(message, &mut ask);
    }
    let old = body["functions"].list().iter();
    let new = body["tools"].list().iter().map(|tool| (&tool["type"], tool));
    for function in old {
        let schema = &function["parameters"];
        ask.tool(function["name"].text(), function["description"].text(), schema);
    }
    for (kind, tool) in new {
        let function = &tool["function"];
        let custom = &tool["custom"];
        match kind.text() {
            "function" | "" if function.is_object() => {
                let schema = &function["parameters"];
                ask.tool(function["name"].text(), function["description"].text(), schema);
            }
            "custom" => {
                ask.special.insert("custom tool");
                ask.tool(custom["name"].text(), custom["description"].text(), &input_schema());
            }
            _ => drop(ask.special.insert("hosted tool")),
        }
    }
    let old_choice = &body["function_call"];
    ask.choice = if body["tool_choice"].is_null() && !old_choice.is_null() {
        choice(old_choice)
    } else {
        choice(&body["tool_choice"])
    };
    let format = &body["response_format"];
    response_format(format["type"].text(), &format["json_schema"]["schema"], &mut ask);
    ask.set("max_tokens", body.any(&["max_completion_tokens", "max_tokens"]));
    common(body, &mut ask);
    for name in ["seed", "frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs"] {
        ask.set(name, &body[name]);
    }
    let stop = &body["stop"];
    let stop = if let Json::Text(_) = stop { Json::List(vec![stop.clone()]) } else { stop.clone() };
    if !stop.list().is_empty() {
        ask.set("stop", &stop);
    }
    specials(body, &mut ask);
    ask.settled()
}

/// A legacy completion: its prompt is what the person says.
pub fn completions(body: &Json) -> Ask {
    let mut ask = Ask::default();
    match &body["prompt"] {
        Json::List(prompts) => match prompts.as_slice() {
            [Json::Text(only)] => ask.say("user", only),
            _ => drop(ask.special.insert("several prompts")),
        },
        prompt => ask.say("user", prompt.text()),
    }
    for name in ["suffix", "echo", "best_of", "logprobs"] {
        if !body[name].is_null() && body[name] != Json::Bool(false) {
            ask.special.insert(name);
        }
    }
    ask.set("max_tokens", &body["max_tokens"]);
    common(body, &mut ask);
    for name in ["seed", "frequency_penalty", "presence_penalty", "n"] {
        ask.set(name, &body[name]);
    }
    let stop = &body["stop"];
    let stop = if let Json::Text(_) = stop { Json::List(vec![stop.clone()]) } else { stop.clone() };
    if !stop.list().is_empty() {
        ask.set("stop", &stop);
    }
    specials(body, &mut ask);
    ask.settled()
}

fn specials(body: &Json, ask: &mut Ask) {
    let modalities = body["modalities"].list();
    if modalities.iter().any(|word| word.text() != "text") {
        ask.special.insert("modalities");
    }
    if body["n"].int().is_some_and(|n| n > 1) {
        ask.special.insert("n");
    }
    for name in [
        "web_search_options",
        "prediction",
        "previous_response_id",
        "conversation",
        "prompt",
        "background",
    ] {
        if !body[name].is_null() && body[name] != Json::Bool(false) {
            ask.special.insert(name);
        }
    }
}

/// What chat and Responses spell alike.
fn common(body: &Json, ask: &mut Ask) {
    for name in ["temperature", "top_p", "top_k", "parallel_tool_calls"] {
        ask.set(name, &body[name]);
    }
    ask.parallel = ask.settings.remove("parallel_tool_calls").map(|word| word == "true");
    ask.set("user", body.any(&["safety_identifier", "user"]));
    ask.stream = body["stream"].is_true();
    let effort = body.any(&["reasoning_effort", "reasoning", "thinking", "enable_thinking"]);
    if !effort.is_null() {
        ask.special.insert("reasoning");
    }
}

fn response_format(kind: &str, schema: &Json, ask: &mut Ask) {
    ask.format = match kind {
        "json_object" => "json".to_owned(),
        "json_schema" => format!("{:?}", shape(schema)),
        _ => String::new(),
    };
}

pub fn input_schema() -> Json {
    let text = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
    Json::parse(text).unwrap_or(Json::Null)
}

fn choice(choice: &Json) -> String {
    let allowed = &choice["allowed_tools"];
    let allowed = if allowed.is_object() { allowed } else { choice };
    match (choice.text(), choice["type"].text()) {
        ("any", _) => "required".to_owned(),
        (word, _) if !word.is_empty() => word.to_owned(),
        (_, "allowed_tools") => {
            let names = allowed["tools"].list().iter();
            let names = names.map(|tool| tool.any(&["function", "custom"])["name"].text());
            let names: Vec<&str> = names.collect();
            let names = if names.iter().all(|name| name.is_empty()) {
                allowed["tools"].list().iter().map(|tool| tool["name"].text()).collect()
            } else {
                names
            };
            let mode = if allowed["mode"].text() == "required" { "must" } else { "some" };
            format!("{mode}:{}", names.join(","))
        }
        _ => {
            let name = choice.any(&["function", "custom"])["name"].text();
            let name = if name.is_empty() { choice["name"].text() } else { name };
            if name.is_empty() { String::new() } else { format!("one:{name}") }
        }
    }
}

fn chat_message(message: &Json, ask: &mut Ask) {
    let content = &message["content"];
    match message["role"].text() {
        "system" | "developer" => ask.instruct(&joined(content)),
        "tool" => {
            ask.result(message["tool_call_id"].text(), &joined(content));
            media_of(content, ask);
        }
        "function" => {
            let name = message["name"].text();
            let id = ask.ids.iter().rfind(|id| id.starts_with(&format!("{name}#"))).cloned();
            ask.result(&id.unwrap_or_default(), &joined(content));
        }
        "assistant" => {
            parts(content, "assistant", ask);
            ask.say("assistant", message["refusal"].text());
            if message["audio"].is_object() {
                ask.special.insert("audio");
            }
            for call in message["tool_calls"].list() {
                assistant_call(call, ask);
            }
            let old = &message["function_call"];
            if old["name"].str().is_some_and(|name| !name.is_empty()) {
                ask.call("", old["name"].text(), &arguments(&old["arguments"]));
            }
        }
        _ => parts(content, "user", ask),
    }
}

/// What a tool's result holds besides text.
fn media_of(content: &Json, ask: &mut Ask) {
    let media: Vec<Json> =
        content.list().iter().filter(|part| part["text"].is_null()).cloned().collect();
    if !media.is_empty() {
        ask.special.insert("media result");
        parts(&Json::List(media), "user", ask);
    }
}

fn assistant_call(call: &Json, ask: &mut Ask) {
    let function = &call["function"];
    let custom = &call["custom"];
    if custom.is_object() && function["name"].text().is_empty() {
        let arguments = Arguments::from_input(custom["input"].text());
        return ask.call(call["id"].text(), custom["name"].text(), &arguments);
    }
    ask.call(call["id"].text(), function["name"].text(), &arguments(&function["arguments"]));
}

fn arguments(written: &Json) -> Arguments {
    match written {
        Json::Text(text) => Arguments::from_text(text),
        other => Arguments::from_value(other),
    }
}

/// The text of a string or of a list of parts.
fn joined(content: &Json) -> String {
    match content {
        Json::Text(text) => text.clone(),
        list => list.list().iter().map(|part| part.any(&["text", "refusal"]).text()).collect(),
    }
}

/// Parts of both APIs: their type words differ, their meaning does not.
pub fn parts(content: &Json, role: &'static str, ask: &mut Ask) {
    if let Json::Text(text) = content {
        return ask.say(role, text);
    }
    for part in content.list() {
        match part["type"].text() {
            "text" | "input_text" | "output_text" | "" => {
                // What replaces a picture in a tool's result is the gateway's own text.
                ask.say(role, part.str().unwrap_or_else(|| part["text"].text()));
            }
            "refusal" => ask.say(role, part["refusal"].text()),
            "image_url" | "input_image" => {
                let url = &part["image_url"];
                let url = url.str().unwrap_or_else(|| url["url"].text());
                if !part["file_id"].is_null() {
                    ask.special.insert("file id");
                }
                add_media(media(url), role, ask);
            }
            "file" | "input_file" => file(part, role, ask),
            "input_audio" => {
                ask.special.insert("audio");
                let audio = &part["input_audio"];
                let item = inline("audio/x", audio["data"].str().unwrap_or(audio.text()));
                add_media(item, role, ask);
            }
            "video_url" => {
                ask.special.insert("video");
                add_media(media(part["video_url"]["url"].text()), role, ask);
            }
            "thinking" | "reasoning" => {}
            _ => drop(ask.special.insert("other part")),
        }
    }
}

fn add_media(item: String, role: &'static str, ask: &mut Ask) {
    if item.starts_with("at ") {
        ask.special.insert("media url");
    }
    ask.turn(role).media.push(item);
}

fn file(part: &Json, role: &'static str, ask: &mut Ask) {
    let file = if part["file"].is_object() { &part["file"] } else { part };
    if file["file_id"].str().is_some() {
        ask.special.insert("file id");
        return;
    }
    ask.special.insert("file");
    let url = file.any(&["file_data", "file_url"]).text();
    let item = if url.contains(':') { media(url) } else { inline("application/x", url) };
    add_media(item, role, ask);
}

pub fn responses(body: &Json) -> Ask {
    let mut ask = Ask::default();
    ask.instruct(body["instructions"].text());
    if let Json::Text(text) = &body["input"] {
        ask.say("user", text);
    }
    body["tools"].list().iter().for_each(|tool| self::tool(tool, &mut ask));
    for item in body["input"].list() {
        responses_item(item, &mut ask);
    }
    let wanted = body["include"].list().iter().map(Json::text);
    if wanted.into_iter().any(|word| word == "message.output_text.logprobs") {
        ask.set("logprobs", &Json::Bool(true));
    }
    ask.set("top_logprobs", &body["top_logprobs"]);
    ask.choice = choice(&body["tool_choice"]);
    let format = &body["text"]["format"];
    response_format(format["type"].text(), &format["schema"], &mut ask);
    ask.set("max_tokens", &body["max_output_tokens"]);
    common(body, &mut ask);
    specials(body, &mut ask);
    ask.settled()
}

fn tool(tool: &Json, ask: &mut Ask) {
    match tool["type"].text() {
        "function" => {
            ask.tool(tool["name"].text(), tool["description"].text(), &tool["parameters"]);
        }
        "custom" => {
            ask.special.insert("custom tool");
            ask.tool(tool["name"].text(), tool["description"].text(), &input_schema());
        }
        _ => drop(ask.special.insert("hosted tool")),
    }
}

fn responses_item(item: &Json, ask: &mut Ask) {
    let output = || match &item["output"] {
        Json::Text(text) => text.clone(),
        list => joined(list),
    };
    match item["type"].text() {
        "message" | "" => match item["role"].text() {
            "system" | "developer" => ask.instruct(&joined(&item["content"])),
            "assistant" => parts(&item["content"], "assistant", ask),
            _ => parts(&item["content"], "user", ask),
        },
        "function_call" => {
            let arguments = Arguments::from_text(item["arguments"].text());
            ask.call(item["call_id"].text(), item["name"].text(), &arguments);
        }
        "custom_tool_call" => {
            let arguments = Arguments::from_input(item["input"].text());
            ask.call(item["call_id"].text(), item["name"].text(), &arguments);
        }
        "function_call_output" | "custom_tool_call_output" => {
            ask.result(item["call_id"].text(), &output());
            media_of(&item["output"], ask);
        }
        "reasoning" => {
            let text = item["summary"].list().iter().map(|part| part["text"].text());
            let mark = crate::reading::bare_signature(item["encrypted_content"].text());
            let piece = format!("{}|{mark}", text.collect::<String>());
            if piece != "|" {
                ask.turn("assistant").reasoning.push(piece);
            }
        }
        "additional_tools" => item["tools"].list().iter().for_each(|tool| self::tool(tool, ask)),
        "item_reference" => drop(ask.special.insert("item reference")),
        _ => drop(ask.special.insert("hosted item")),
    }
}

#[test]
fn both_apis_ask_the_same() {
    let of_chat = chat(
        &Json::parse(
            r#"{"messages":[{"role":"system","content":"s"},
            {"role":"user","content":[{"type":"text","text":"u"},{"type":"image_url",
                "image_url":{"url":"data:image/png;base64,AA=="}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
                "function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c","content":"r"}],
            "tool_choice":{"type":"function","function":{"name":"f"}},"max_tokens":7}"#,
        )
        .unwrap(),
    );
    let of_responses = responses(
        &Json::parse(
            r#"{"instructions":"s","input":[
            {"role":"user","content":[{"type":"input_text","text":"u"},
                {"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
            {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":"r"}],
            "tool_choice":{"type":"function","name":"f"},"max_output_tokens":7}"#,
        )
        .unwrap(),
    );
    assert_eq!(of_chat.turns, of_responses.turns);
    assert_eq!(of_chat.choice, "one:f");
    assert_eq!(of_chat.choice, of_responses.choice);
    assert_eq!(of_chat.settings, of_responses.settings);
}

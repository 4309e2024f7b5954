//! Reads requests of Anthropic's and Gemini's APIs.

use crate::ask::{Ask, inline, media, shape};
use crate::json::Json;
use crate::reading::{Arguments, bare_signature};

pub fn messages(body: &Json) -> Ask {
    let mut ask = Ask::default();
    match &body["system"] {
        Json::Text(text) => ask.instruct(text),
        blocks => blocks.list().iter().for_each(|block| ask.instruct(block["text"].text())),
    }
    for message in body["messages"].list() {
        let role = if message["role"].text() == "assistant" { "assistant" } else { "user" };
        match &message["content"] {
            Json::Text(text) => ask.say(role, text),
            blocks => {
                let is_result = |block: &&Json| block["type"].text() == "tool_result";
                let (first, rest): (Vec<_>, Vec<_>) = blocks.list().iter().partition(is_result);
                for block in first {
                    tool_result(block, &mut ask);
                }
                for block in rest {
                    self::block(block, role, &mut ask);
                }
            }
        }
    }
    for tool in body["tools"].list() {
        match tool["type"].text() {
            "" | "custom" => {
                ask.tool(tool["name"].text(), tool["description"].text(), &tool["input_schema"]);
            }
            _ => drop(ask.special.insert("hosted tool")),
        }
    }
    let choice = &body["tool_choice"];
    ask.choice = match choice["type"].text() {
        "any" => "required".to_owned(),
        "tool" => format!("one:{}", choice["name"].text()),
        word => word.to_owned(),
    };
    if let Json::Bool(disabled) = choice["disable_parallel_tool_use"] {
        ask.parallel = Some(!disabled);
    }
    let schema = body.any(&["output_config", "output_format"]);
    let schema = if schema["format"].is_object() { &schema["format"] } else { schema };
    if schema["type"].text() == "json_schema" {
        ask.format = format!("{:?}", shape(&schema["schema"]));
    }
    for name in ["max_tokens", "temperature", "top_p", "top_k"] {
        ask.set(name, &body[name]);
    }
    if !body["stop_sequences"].list().is_empty() {
        ask.set("stop", &body["stop_sequences"]);
    }
    ask.set("user", &body["metadata"]["user_id"]);
    ask.stream = body["stream"].is_true();
    for name in ["mcp_servers", "container", "context_management"] {
        if !body[name].is_null() {
            ask.special.insert("mcp");
        }
    }
    if !body["thinking"].is_null() || !body["output_config"]["effort"].is_null() {
        ask.special.insert("reasoning");
    }
    ask.settled()
}

fn block(block: &Json, role: &'static str, ask: &mut Ask) {
    match block["type"].text() {
        "text" => ask.say(role, block["text"].text()),
        "image" | "document" => document(block, role, ask),
        "tool_use" => {
            let arguments = Arguments::from_value(&block["input"]);
            ask.call(block["id"].text(), block["name"].text(), &arguments);
        }
        "thinking" => {
            let mark = bare_signature(block["signature"].text());
            let piece = format!("{}|{mark}", block["thinking"].text());
            ask.turn("assistant").reasoning.push(piece);
        }
        "redacted_thinking" => {
            let mark = bare_signature(block["data"].text());
            ask.turn("assistant").reasoning.push(format!("|{mark}"));
        }
        _ => drop(ask.special.insert("hosted item")),
    }
}

fn document(block: &Json, role: &'static str, ask: &mut Ask) {
    let source = &block["source"];
    if block["type"].text() == "document" {
        ask.special.insert("file");
    }
    let item = match source["type"].text() {
        "base64" => inline(source["media_type"].text(), source["data"].text()),
        "url" => {
            ask.special.insert("media url");
            media(source["url"].text())
        }
        "file" => {
            ask.special.insert("file id");
            return;
        }
        // Written as a document or as text, which no two formats do alike.
        _ => {
            ask.special.insert("text document");
            return;
        }
    };
    ask.turn(role).media.push(item);
}

fn tool_result(block: &Json, ask: &mut Ask) {
    let id = block["tool_use_id"].text();
    match &block["content"] {
        Json::Text(text) => ask.result(id, text),
        blocks => {
            let texts = blocks.list().iter().map(|block| block["text"].text());
            ask.result(id, &texts.collect::<String>());
            for block in blocks.list().iter().filter(|block| block["type"].text() != "text") {
                ask.special.insert("media result");
                self::block(block, "user", ask);
            }
        }
    }
    if block["is_error"].is_true() {
        ask.special.insert("error result");
    }
}

pub fn generate(body: &Json) -> Ask {
    let mut ask = Ask::default();
    let system = body.any(&["systemInstruction", "system_instruction"]);
    ask.instruct(system.text());
    parts_of(system).for_each(|part| ask.instruct(part["text"].text()));
    for content in body["contents"].list() {
        let role = if content["role"].text() == "model" { "assistant" } else { "user" };
        let results = parts_of(content).filter(|part| !result_of(part).is_null());
        results.for_each(|part| function_response(result_of(part), &mut ask));
        let rest = parts_of(content).filter(|part| result_of(part).is_null());
        rest.for_each(|part| self::part(part, role, &mut ask));
    }
    if let Json::Text(text) = &body["contents"] {
        ask.say("user", text);
    }
    for tool in body["tools"].list() {
        let functions = tool.any(&["functionDeclarations", "function_declarations"]);
        for function in functions.list() {
            let plain = function.any(&["parametersJsonSchema", "parameters_json_schema"]);
            let schema = if plain.is_null() { &function["parameters"] } else { plain };
            ask.tool(function["name"].text(), function["description"].text(), schema);
        }
        let is_hosted =
            |(key, value): &(String, Json)| !key.starts_with("function") && !value.is_null();
        if tool.members().iter().any(is_hosted) {
            ask.special.insert("hosted tool");
        }
    }
    let config = body.any(&["toolConfig", "tool_config"]);
    ask.choice = choice(config.any(&["functionCallingConfig", "function_calling_config"]));
    settings(body.any(&["generationConfig", "generation_config"]), &mut ask);
    if !body.any(&["cachedContent", "cached_content"]).is_null() {
        ask.special.insert("cached content");
    }
    ask.settled()
}

fn parts_of(content: &Json) -> impl Iterator<Item = &Json> {
    let one = content["parts"].is_object().then_some(&content["parts"]);
    content["parts"].list().iter().chain(one)
}

fn result_of(part: &Json) -> &Json {
    part.any(&["functionResponse", "function_response"])
}

fn choice(config: &Json) -> String {
    let names = config.any(&["allowedFunctionNames", "allowed_function_names"]).list();
    let names: Vec<&str> = names.iter().map(Json::text).collect();
    match (config["mode"].text().to_uppercase().as_str(), names.as_slice()) {
        ("ANY", []) => "required".to_owned(),
        ("ANY", [one]) => format!("one:{one}"),
        ("ANY", names) => format!("must:{}", names.join(",")),
        ("NONE", _) => "none".to_owned(),
        ("VALIDATED", []) | ("AUTO", _) => "auto".to_owned(),
        ("VALIDATED", names) => format!("some:{}", names.join(",")),
        _ => String::new(),
    }
}

fn settings(config: &Json, ask: &mut Ask) {
    for (name, camel, snake) in [
        ("max_tokens", "maxOutputTokens", "max_output_tokens"),
        ("temperature", "temperature", "temperature"),
        ("top_p", "topP", "top_p"),
        ("top_k", "topK", "top_k"),
        ("seed", "seed", "seed"),
        ("frequency_penalty", "frequencyPenalty", "frequency_penalty"),
        ("presence_penalty", "presencePenalty", "presence_penalty"),
        ("n", "candidateCount", "candidate_count"),
        ("logprobs", "responseLogprobs", "response_logprobs"),
        ("top_logprobs", "logprobs", "logprobs"),
    ] {
        ask.set(name, config.any(&[camel, snake]));
    }
    let stop = config.any(&["stopSequences", "stop_sequences"]);
    if !stop.list().is_empty() {
        ask.set("stop", stop);
    }
    if config.any(&["candidateCount", "candidate_count"]).int().is_some_and(|n| n > 1) {
        ask.special.insert("n");
    }
    let modalities = config.any(&["responseModalities", "response_modalities"]).list();
    if modalities.iter().any(|word| word.text().to_uppercase() != "TEXT") {
        ask.special.insert("modalities");
    }
    if !config.any(&["thinkingConfig", "thinking_config"]).is_null() {
        ask.special.insert("reasoning");
    }
    let schema = config.any(&[
        "responseJsonSchema",
        "response_json_schema",
        "_responseJsonSchema",
        "responseSchema",
        "response_schema",
    ]);
    let mime = config.any(&["responseMimeType", "response_mime_type"]).text();
    ask.format = match (mime, schema) {
        ("text/x.enum", _) => {
            ask.special.insert("enum answer");
            String::new()
        }
        (_, schema) if schema.is_object() => format!("{:?}", shape(schema)),
        ("application/json", _) => "json".to_owned(),
        _ => String::new(),
    };
}

fn part(part: &Json, role: &'static str, ask: &mut Ask) {
    let mark = bare_signature(part.any(&["thoughtSignature", "thought_signature"]).text());
    let text = part["text"].text();
    if part["thought"].is_true() {
        ask.turn("assistant").reasoning.push(format!("{text}|{mark}"));
        return;
    }
    if !mark.is_empty() {
        ask.turn("assistant").reasoning.push(format!("|{mark}"));
    }
    ask.say(role, text);
    let call = part.any(&["functionCall", "function_call"]);
    if call.is_object() {
        let name = call["name"].text();
        // Without ids the order within a name tells which result belongs to which call.
        let id = call["id"].str().map_or_else(|| waiting(name), str::to_owned);
        ask.call(&id, name, &Arguments::from_value(&call["args"]));
    }
    let data = part.any(&["inlineData", "inline_data"]);
    if data.is_object() {
        let mime = data.any(&["mimeType", "mime_type"]).text();
        match mime.split('/').next() {
            Some("audio") => drop(ask.special.insert("audio")),
            Some("video") => drop(ask.special.insert("video")),
            // Written as a document or as text, which no two formats do alike.
            Some("text") => drop(ask.special.insert("text document")),
            Some("image") => {}
            _ => drop(ask.special.insert("file")),
        }
        ask.turn(role).media.push(inline(mime, data["data"].text()));
    }
    let file = part.any(&["fileData", "file_data"]);
    if file.is_object() {
        ask.special.insert("media url");
        ask.turn(role).media.push(media(file.any(&["fileUri", "file_uri"]).text()));
    }
    let hosted = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];
    if !part.any(&hosted).is_null() || !part.any(&["executable_code"]).is_null() {
        ask.special.insert("hosted item");
    }
}

fn waiting(name: &str) -> String {
    format!("{name}?")
}

/// The oldest call of the name that has no result yet.
fn function_response(response: &Json, ask: &mut Ask) {
    let name = response["name"].text();
    let id = response["id"].str().filter(|id| ask.ids.iter().any(|known| known == id));
    let text = response["response"].to_string();
    let id = id.map_or_else(|| waiting(name), str::to_owned);
    if let Some(at) = ask.ids.iter().position(|known| *known == id && id.ends_with('?')) {
        let number = format!("{name}#{at}");
        ask.ids[at].clone_from(&number);
        ask.result(&number, &text);
    } else {
        ask.result(&id, &text);
    }
    for part in response["parts"].list() {
        ask.special.insert("media result");
        self::part(part, "user", ask);
    }
    if !response["response"]["error"].is_null() {
        ask.special.insert("error result");
    }
}

#[test]
fn gemini_matches_results_by_order_and_anthropic_by_id() {
    let gemini = generate(
        &Json::parse(
            r#"{"system_instruction":{"parts":[{"text":"s"}]},"contents":[
            {"role":"user","parts":[{"text":"u"}]},
            {"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},
                "thoughtSignature":"g"},{"functionCall":{"name":"f"}}]},
            {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"1"}}},
                {"functionResponse":{"name":"f","response":{"output":"2"}}}]}],
            "generationConfig":{"maxOutputTokens":7,"stopSequences":["x"]}}"#,
        )
        .unwrap(),
    );
    let claude = messages(
        &Json::parse(
            r#"{"system":"s","max_tokens":7,"stop_sequences":["x"],"messages":[
            {"role":"user","content":"u"},
            {"role":"assistant","content":[{"type":"tool_use","id":"p","name":"f","input":{"a":1}},
                {"type":"tool_use","id":"q","name":"f","input":{}}]},
            {"role":"user","content":[
                {"type":"tool_result","tool_use_id":"q","content":[{"type":"text","text":"2"}]},
                {"type":"tool_result","tool_use_id":"p","content":"1"}]}]}"#,
        )
        .unwrap(),
    );
    let mut turns = gemini.turns.clone();
    assert_eq!(turns[2].reasoning, ["|g"]);
    turns[2].reasoning.clear();
    assert_eq!(turns, claude.turns);
    assert_eq!(gemini.settings, claude.settings);
}

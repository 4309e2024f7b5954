//! Answers of the three formats: whole, streamed, tools, reasoning, usage, errors, refusals.

use serde_json::{Value, json};

use super::rig::{ANTHROPIC, GOOGLE, OPENAI, Rig};
use crate::mock::Options;

#[tokio::test]
async fn openai_plain() {
    let rig = Rig::start().await;
    let body = json!({"model": "gpt-x", "messages": [{"role": "user", "content": "12345"}]});
    let reply = rig.send("POST", "/chat/completions", OPENAI, &body.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello from gpt-x, the mock speaking.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    let entry = rig.entry().await;
    assert_eq!(entry.id, answer["id"].as_str().unwrap());
    assert_eq!((entry.prompt_tokens, entry.completion_tokens), (2, 6));
    assert_eq!((entry.status, entry.finished, entry.client_closed), (200, true, false));
    assert_eq!((entry.format, entry.key_suffix.as_str()), ("openai", "1234"));
    assert_eq!(entry.path, "/chat/completions");
    assert!(entry.request_headers.contains(&"authorization".to_owned()));
}

#[tokio::test]
async fn openai_stream_with_usage_and_done() {
    let rig = Rig::start().await;
    let reply = rig.openai(&json!({"events": 5}), true).await;
    assert!(reply.head.contains("content-type: text/event-stream"), "{}", reply.head);
    assert_eq!(reply.events().last().unwrap(), "[DONE]");
    let chunks = reply.chunks();
    let text: String =
        chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "one two three four five");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let [.., finish, usage] = chunks.as_slice() else { panic!() };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["usage"]["completion_tokens"], 5);
    assert_eq!(usage["choices"], json!([]));
    let entry = rig.entry().await;
    assert_eq!((entry.events_sent, entry.completion_tokens, entry.finished), (5, 5, true));
}

#[tokio::test]
async fn openai_stream_tells_usage_only_when_asked() {
    let rig = Rig::start().await;
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let reply = rig.send("POST", "/v1/chat/completions", OPENAI, &body.to_string()).await;
    assert!(!reply.body.contains("usage"), "{}", reply.body);
}

#[tokio::test]
async fn anthropic_plain_and_stream() {
    let rig = Rig::start().await;
    let tokens = json!({"prompt": 100, "cached": 60, "cache_write_5m": 10, "cache_write_1h": 5, "completion": 7, "reasoning": 3});
    let directive =
        json!({"text": "a b", "reasoning": "hm hm", "signature": "c2ln", "tokens": tokens});
    let answer = rig.anthropic(&directive, false).await.json();
    assert_eq!(
        answer["content"][0],
        json!({"type": "thinking", "thinking": "hm hm", "signature": "c2ln"})
    );
    assert_eq!(answer["content"][1], json!({"type": "text", "text": "a b"}));
    let usage = &answer["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(25), &json!(7)));
    assert_eq!(
        usage["cache_creation"],
        json!({"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5})
    );

    let reply = rig.anthropic(&directive, true).await;
    assert!(reply.body.starts_with("event: message_start\ndata: {"), "{}", reply.body);
    let kinds: Vec<_> =
        reply.chunks().iter().map(|c| c["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let delta = &reply.chunks()[11];
    assert_eq!(delta["usage"]["output_tokens"], 7);
    assert_eq!(delta["usage"]["output_tokens_details"]["thinking_tokens"], 3);
    let entries = rig.entries(2).await;
    assert_eq!((entries[1].prompt_tokens, entries[1].cached_tokens), (100, 60));
    assert_eq!((entries[1].cache_write_5m_tokens, entries[1].cache_write_1h_tokens), (10, 5));
    assert_eq!(entries[1].events_sent, 4);
}

#[tokio::test]
async fn google_plain_sse_and_array() {
    let rig = Rig::start().await;
    let directive = json!({"text": "a b", "reasoning": "hm", "tokens": {"prompt": 9, "completion": 5, "reasoning": 2, "cached": 4}});
    let answer = rig.google(&directive, "generateContent").await.json();
    assert_eq!(
        answer["candidates"][0]["content"]["parts"],
        json!([{"text": "hm", "thought": true}, {"text": "a b"}])
    );
    let usage = json!({"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 3,
        "thoughtsTokenCount": 2, "totalTokenCount": 14, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]});
    assert_eq!(answer["usageMetadata"], usage);

    let sse = rig.google(&directive, "streamGenerateContent?alt=sse").await;
    assert!(sse.body.starts_with("data: {") && sse.body.ends_with("}\r\n\r\n"), "{:?}", sse.body);
    let last = sse.chunks().pop().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"], usage);

    let array = rig.google(&directive, "streamGenerateContent").await;
    assert!(array.head.contains("content-type: application/json"), "{}", array.head);
    assert_eq!(array.json().as_array().unwrap().len(), 4);
    assert!(rig.entries(3).await.iter().all(|e| e.finished && e.model == "gemini-x"));
}

#[tokio::test]
async fn tools_are_called_in_every_format() {
    let rig = Rig::start().await;
    let directive = json!({"tools": [{"name": "f", "arguments": {"x": [[1]]}, "id": "id1"}, {"name": "g"}], "argument_pieces": 3});

    let message = &rig.openai(&directive, false).await.json()["choices"][0];
    assert_eq!(message["finish_reason"], "tool_calls");
    assert_eq!(message["message"]["content"], Value::Null);
    assert_eq!(
        message["message"]["tool_calls"][0],
        json!({"id": "id1", "type": "function",
        "function": {"name": "f", "arguments": "{\"x\":[[1]]}"}})
    );
    let chunks = rig.openai(&directive, true).await.chunks();
    let calls: Vec<_> = chunks.iter().map(|c| &c["choices"][0]["delta"]["tool_calls"][0]).collect();
    let arguments: String = calls
        .iter()
        .filter(|c| c["index"] == 0)
        .filter_map(|c| c["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"x\":[[1]]}");
    assert_eq!(calls.iter().filter(|c| c["index"] == 0).count(), 4);

    let answer = rig.anthropic(&directive, false).await.json();
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(
        answer["content"][0],
        json!({"type": "tool_use", "id": "id1", "name": "f", "input": {"x": [[1]]}})
    );
    let chunks = rig.anthropic(&directive, true).await.chunks();
    let json: String = chunks
        .iter()
        .filter(|c| c["index"] == 0)
        .filter_map(|c| c["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(json, "{\"x\":[[1]]}");

    let answer = rig.google(&directive, "generateContent").await.json();
    let call = &answer["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call, &json!({"name": "f", "args": {"x": [[1]]}, "id": "id1"}));
}

#[tokio::test]
async fn the_shorthand_calls_the_first_tool_once() {
    let rig = Rig::start().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"},
        "unit": {"enum": ["C", "F"]}, "days": {"type": "array", "items": {"type": "integer"}}}});
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "[[mock tools]]"}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]});
    let answer = rig.send("POST", "/v1/chat/completions", OPENAI, &body.to_string()).await.json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "weather");
    assert_eq!(call["arguments"], r#"{"city":"example","days":[1],"unit":"C"}"#);

    let results = json!([{"role": "assistant", "content": null, "tool_calls": []},
        {"role": "tool", "tool_call_id": "x", "content": "sunny"}]);
    let messages = body["messages"].as_array_mut().unwrap();
    messages.extend(results.as_array().unwrap().iter().cloned());
    let answer = rig.send("POST", "/v1/chat/completions", OPENAI, &body.to_string()).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn errors_have_the_shape_of_the_provider() {
    let rig = Rig::start().await;
    let limited = json!({"error": "rate_limit", "retry_after": 7});
    let reply = rig.openai(&limited, true).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (429, &json!("rate_limit_exceeded"))
    );
    assert!(reply.head.contains("retry-after: 7"), "{}", reply.head);
    let reply = rig.google(&limited, "generateContent").await;
    assert_eq!(reply.json()["error"]["details"][0]["retryDelay"], "7s");
    let reply = rig.anthropic(&json!({"error": "overloaded"}), false).await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (529, &json!("overloaded_error")));
    let reply = rig.anthropic(&json!({"error": "context_length"}), false).await;
    assert!(reply.json()["error"]["message"].as_str().unwrap().starts_with("prompt is too long"));
    let reply = rig.openai(&json!({"status": 500}), false).await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (500, &json!("server_error")));
    let page = json!({"status": 502, "raw_body": "<html>no</html>"});
    let reply = rig.openai(&page, false).await;
    assert_eq!((reply.status, reply.body.as_str()), (502, "<html>no</html>"));
    assert!(reply.head.contains("content-type: text/html"), "{}", reply.head);
}

#[tokio::test]
async fn a_request_without_a_credential_is_refused_unless_in_a_demo() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}).to_string();
    let rig = Rig::start().await;
    let reply = rig.send("POST", "/v1/chat/completions", "", &body).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    let foreign = rig.send("POST", "/v1/chat/completions", ANTHROPIC, &body).await;
    assert_eq!(foreign.status, 401, "x-api-key is not OpenAI's header");
    let demo = Rig::with(Options { demo: true, ..Options::default() }).await;
    assert_eq!(demo.send("POST", "/v1/chat/completions", "", &body).await.status, 200);
}

#[tokio::test]
async fn what_a_provider_refuses_is_refused() {
    let rig = Rig::start().await;
    let user = json!([{"role": "user", "content": "x"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "x"}]}]);
    let google = "/v1beta/models/m:generateContent";
    let cases = [
        ("/v1/chat/completions", OPENAI, json!({"model": "m"}), "messages"),
        (
            "/v1/chat/completions",
            OPENAI,
            json!({"model": "m", "messages": user, "provider": {}}),
            "provider",
        ),
        (
            "/v1/chat/completions",
            OPENAI,
            json!({"model": "m", "messages": [{"role": "model", "content": "x"}]}),
            "role",
        ),
        (
            "/v1/messages",
            ANTHROPIC,
            json!({"model": "m", "messages": user}),
            "max_tokens: Field required",
        ),
        (
            "/v1/messages",
            ANTHROPIC,
            json!({"model": "m", "max_tokens": 1, "messages": user, "n": 1}),
            "n: Extra inputs",
        ),
        (
            "/v1/messages",
            ANTHROPIC,
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "system", "content": "x"}]}),
            "Unexpected role",
        ),
        (
            "/v1/messages",
            "x-api-key: k\r\n",
            json!({"model": "m", "max_tokens": 1, "messages": user}),
            "anthropic-version",
        ),
        (
            google,
            GOOGLE,
            json!({"contents": contents, "messages": []}),
            "Unknown name \\\"messages\\\"",
        ),
        (
            google,
            GOOGLE,
            json!({"contents": contents, "generationConfig": {"top": 1}}),
            "generation_config",
        ),
        (google, GOOGLE, json!({"contents": [{"role": "assistant", "parts": []}]}), "valid role"),
    ];
    for (path, headers, body, word) in cases {
        let reply = rig.send("POST", path, headers, &body.to_string()).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.body.contains(word), "{word} in {}", reply.body);
    }
    let typo = rig.openai(&json!({"txt": "x"}), false).await;
    assert_eq!(typo.status, 400);
    assert!(typo.body.contains("unknown field"), "{}", typo.body);
}

#[tokio::test]
async fn the_same_prompt_costs_the_same_everywhere() {
    let rig = Rig::start().await;
    let chat = json!({"model": "m", "messages": [{"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what now?"}]},
        {"role": "assistant", "content": null, "tool_calls": []},
        {"role": "tool", "tool_call_id": "a", "content": "forty-two"}]});
    let messages = json!({"model": "m", "max_tokens": 1, "system": [{"type": "text", "text": "be brief"}],
        "messages": [{"role": "user", "content": "what now?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "forty-two"}]}]});
    let contents = json!({"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": [
        {"role": "user", "parts": [{"text": "what now?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "forty-two"}}}]}]});
    for (path, headers, body) in [
        ("/v1/chat/completions", OPENAI, chat),
        ("/v1/messages", ANTHROPIC, messages),
        ("/v1beta/models/m:generateContent", GOOGLE, contents),
    ] {
        assert_eq!(rig.send("POST", path, headers, &body.to_string()).await.status, 200);
    }
    let tokens: Vec<_> = rig.entries(3).await.iter().map(|e| e.prompt_tokens).collect();
    assert_eq!(tokens, [7, 7, 7]);
}

#[tokio::test]
async fn embeddings_counts_and_models() {
    let rig = Rig::start().await;
    let body = json!({"model": "e", "input": ["abcd", "efgh"], "dimensions": 3}).to_string();
    let floats = rig.send("POST", "/v1/embeddings", OPENAI, &body).await.json();
    assert_eq!(floats["data"][1]["embedding"].as_array().unwrap().len(), 3);
    assert_eq!(floats["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    let body = json!({"model": "e", "input": "abcd", "encoding_format": "base64"}).to_string();
    let encoded = rig.send("POST", "/v1/embeddings", OPENAI, &body).await.json();
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().len(), 88, "64 bytes");
    let body = json!({"requests": [{"model": "models/e", "content": {"parts": [{"text": "abcd"}]}, "outputDimensionality": 3}]});
    let google = rig
        .send("POST", "/v1beta/models/e:batchEmbedContents", GOOGLE, &body.to_string())
        .await
        .json();
    assert_eq!(google["embeddings"][0]["values"], floats["data"][0]["embedding"]);
    let body =
        json!({"model": "m", "messages": [{"role": "user", "content": "12345"}]}).to_string();
    let counted = rig.send("POST", "/v1/messages/count_tokens", ANTHROPIC, &body).await;
    assert_eq!(counted.body, r#"{"input_tokens":2}"#);
    let body = json!({"contents": [{"parts": [{"text": "12345"}]}]}).to_string();
    let counted = rig.send("POST", "/v1beta/models/m:countTokens", GOOGLE, &body).await;
    assert_eq!(counted.json()["totalTokens"], 2);
    assert_eq!(rig.send("GET", "/v1/models", OPENAI, "").await.json()["object"], "list");
    assert_eq!(rig.send("GET", "/v1/models", ANTHROPIC, "").await.json()["has_more"], false);
    let models = rig.send("GET", "/v1beta/models", GOOGLE, "").await.json();
    assert_eq!(models["models"][0]["name"], "models/mock-small");
    let tokens: Vec<_> = rig.entries(8).await.iter().map(|e| e.prompt_tokens).collect();
    assert_eq!(tokens, [2, 1, 1, 0, 0, 0, 0, 0], "counting and listing are free");
}

#[tokio::test]
async fn refusals_images_and_silence_about_usage() {
    let rig = Rig::start().await;
    let refused = json!({"refusal": "I will not"});
    let answer = rig.openai(&refused, false).await.json();
    assert_eq!(answer["choices"][0]["message"]["refusal"], "I will not");
    assert_eq!(rig.anthropic(&refused, false).await.json()["stop_reason"], "refusal");
    let answer = rig.google(&refused, "generateContent").await.json();
    assert_eq!(answer["promptFeedback"]["blockReasonMessage"], "I will not");
    let silent = json!({"omit_usage": true, "finish": "odd"});
    for stream in [false, true] {
        assert!(!rig.openai(&silent, stream).await.body.contains("_tokens"));
        assert!(!rig.anthropic(&silent, stream).await.body.contains("_tokens"));
    }
    assert!(!rig.google(&silent, "generateContent").await.body.contains("usageMetadata"));
    assert_eq!(rig.openai(&silent, false).await.json()["choices"][0]["finish_reason"], "odd");
    assert_eq!(
        rig.openai(&json!({"usage_zero": true}), false).await.json()["usage"]["total_tokens"],
        0
    );
    assert!(
        rig.google(&json!({"image_out": true}), "generateContent")
            .await
            .body
            .contains("inlineData")
    );
    assert!(rig.entries(11).await.iter().skip(3).all(|e| e.completion_tokens > 0));
}

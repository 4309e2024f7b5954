//! Tests of what a legacy request comes to mean, and of what is refused.

use super::*;
use crate::chat::request::ResponseFormat;
use std::path::Path as File;

fn text_of(request: &chat::Request<'_>) -> String {
    let [Message { role: Role::User, name: None, parts }] = request.messages.as_slice() else {
        panic!("{:?}", request.messages)
    };
    let [Part::Text { text, cache: None }] = parts.as_slice() else { panic!("{parts:?}") };
    text.to_string()
}

#[test]
fn every_setting_finds_its_place() {
    let body = br#"{
        "model": "m", "prompt": "Say \"hi\"\n", "max_tokens": 7, "temperature": 0.5, "top_p": 0.9,
        "n": 2, "stop": ["\n", "END"], "presence_penalty": 1, "frequency_penalty": -1.5, "seed": -4,
        "logprobs": 3, "user": "u-1", "stream": true, "stream_options": {"include_usage": true},
        "logit_bias": {"50256": -100}, "best_of": 3, "suffix": null, "echo": false,
        "metadata": {"team": "a"}, "response_format": {"type": "json_object"}, "min_p": 0.1
    }"#;
    let request = decode(body).unwrap();
    assert_eq!(text_of(&request), "Say \"hi\"\n");
    assert_eq!(request.max_tokens, Some(7));
    assert_eq!(
        request.sampling,
        Sampling {
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: None,
            frequency_penalty: Some(-1.5),
            presence_penalty: Some(1.0),
            seed: Some(-4),
            n: Some(2),
            logprobs: Some(true),
            top_logprobs: Some(3),
        }
    );
    assert_eq!(request.stop, ["\n", "END"]);
    assert_eq!(request.user.as_deref(), Some("u-1"));
    assert!(request.stream);
    assert!(matches!(request.response_format, ResponseFormat::JsonObject));
    assert_eq!(request.metadata.unwrap().get(), r#"{"team": "a"}"#);
    assert_eq!(request.unmapped, ["best_of", "logit_bias", "min_p"]);
}

#[test]
fn what_is_null_or_says_nothing_is_not_there() {
    let body = br#"{"prompt": ["only"], "max_tokens": null, "n": null, "stop": null, "user": null,
        "logprobs": null, "logit_bias": {}, "best_of": 1, "suffix": "", "echo": null, "seed": null,
        "stream": null, "metadata": null, "response_format": null, "temperature": null}"#;
    let request = decode(body).unwrap();
    assert_eq!(text_of(&request), "only");
    assert_eq!(request.max_tokens, None);
    assert_eq!(request.sampling, Sampling::default());
    assert!(request.stop.is_empty() && request.user.is_none() && !request.stream);
    assert!(request.metadata.is_none());
    assert_eq!(request.unmapped, [""; 0]);
}

#[test]
fn the_chosen_tokens_alone_can_be_asked_for() {
    let sampling = decode(br#"{"prompt":"x","logprobs":0}"#).unwrap().sampling;
    assert_eq!((sampling.logprobs, sampling.top_logprobs), (Some(true), Some(0)));
    // The chat format's member of this name does not exist here.
    let sampling = decode(br#"{"prompt":"x","top_logprobs":4}"#).unwrap().sampling;
    assert_eq!((sampling.logprobs, sampling.top_logprobs), (None, None));
}

#[test]
fn what_no_chat_model_can_do_is_refused_by_name() {
    for (body, param) in [
        (r"{}", "prompt"),
        (r#"{"prompt": null}"#, "prompt"),
        (r#"{"prompt": ""}"#, "prompt"),
        (r#"{"prompt": []}"#, "prompt"),
        (r#"{"prompt": [""]}"#, "prompt"),
        (r#"{"prompt": ["a", "b"]}"#, "prompt"),
        (r#"{"prompt": ["a", 1]}"#, "prompt"),
        (r#"{"prompt": [12345, 123456]}"#, "prompt"),
        (r#"{"prompt": [[1, 2], [3]]}"#, "prompt"),
        (r#"{"prompt": [{}]}"#, "prompt"),
        (r#"{"prompt": 5}"#, "prompt"),
        (r#"{"prompt": "a", "suffix": "b"}"#, "suffix"),
        (r#"{"prompt": "a", "echo": true}"#, "echo"),
        (r#"{"prompt": "a", "echo": "yes"}"#, "echo"),
        (r#"{"prompt": "a", "logprobs": 21}"#, "logprobs"),
        (r#"{"prompt": "a", "logprobs": true}"#, "logprobs"),
        (r#"{"prompt": "a", "best_of": 0}"#, "best_of"),
        (r#"{"prompt": "a", "logit_bias": []}"#, "logit_bias"),
        (r#"{"prompt": "a", "metadata": "x"}"#, "metadata"),
        (r#"{"prompt": "a", "max_tokens": 0}"#, "max_tokens"),
        (r#"{"prompt": "a", "n": 0}"#, "n"),
        (r#"{"prompt": "a", "temperature": 3}"#, "temperature"),
        (r#"{"prompt": "a", "stop": [1]}"#, "stop[0]"),
    ] {
        let error = decode(body.as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
    for body in ["", "[]", "{\"prompt\":", "{\"prompt\":\"a\"} x"] {
        assert_eq!(decode(body.as_bytes()).unwrap_err().param, None, "{body}");
    }
}

/// The requests clients really send are read with their text unchanged, unless they hold tokens.
#[test]
fn recorded_requests_are_read() {
    let corpus = File::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/corpus"));
    let Ok(folders) = std::fs::read_dir(corpus) else { return };
    let mut read = 0;
    for folder in folders.map(|folder| folder.unwrap().path()) {
        if !folder.to_str().unwrap().ends_with("-completions") {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap() {
            let recording: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            let sent = &recording["request"]["body"];
            let prompt = &sent["prompt"];
            let text = prompt.as_str().or_else(|| prompt[0].as_str());
            let body = sent.to_string();
            match (decode(body.as_bytes()), text) {
                (Ok(request), Some(text)) => {
                    assert_eq!(text_of(&request), text);
                    assert_eq!(request.max_tokens, sent["max_tokens"].as_u64());
                    assert_eq!(request.stream, sent["stream"] == true);
                    read += 1;
                }
                (Err(error), None) => {
                    assert!(error.param.is_none_or(|param| param == "prompt"), "{body}");
                }
                (outcome, text) => panic!("{}: {outcome:?} {text:?}", recording["id"]),
            }
        }
    }
    assert!(read > 15, "{read}");
}

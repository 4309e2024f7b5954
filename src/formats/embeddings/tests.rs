//! Requests checked and written, answers relayed, and the recorded ones.

use super::*;
use crate::formats::charge::tests::PerToken;
use crate::formats::gemini::recordings;
use base64::Engine as _;
use serde_json::{Value, json};

fn encode(format: ApiFormat, body: &Value) -> Result<Prepared, FormatError> {
    encode_request(format, &Bytes::from(body.to_string()), "provider-model")
}

fn answer(
    format: ApiFormat,
    body: &str,
    expected: Expected,
) -> Result<(Value, Usage), StreamFault> {
    let (bytes, usage) =
        relay(format, Bytes::from(body.to_owned()), expected, ("shown \"model\"", None))?;
    Ok((serde_json::from_slice(&bytes).unwrap(), usage))
}

fn expect(inputs: usize, encoding: Encoding) -> Expected {
    Expected { inputs, encoding, estimated_tokens: 42 }
}

#[test]
fn every_form_of_input() {
    for (input, inputs, tokens, text) in [
        (json!("abcde"), 1, 2, true),
        (json!(["a", "b\n"]), 2, 2, true),
        (json!([1, 2, 3]), 1, 3, false),
        (json!([[1, 2], [3]]), 2, 3, false),
    ] {
        let body = json!({"model": "m", "input": input});
        let expected = encode(ApiFormat::OpenAiChat, &body).unwrap().expected;
        assert_eq!(
            expected,
            Expected { inputs, encoding: Encoding::Float, estimated_tokens: tokens }
        );
        let gemini = encode(ApiFormat::Gemini, &body);
        assert_eq!(gemini.is_ok(), text);
        assert_eq!(gemini.err().and_then(|error| error.param), (!text).then(|| "input".into()));
    }
}

#[test]
fn wrong_requests_name_the_field() {
    for (members, param) in [
        (json!({}), "input"),
        (json!({"input": null}), "input"),
        (json!({"input": ""}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 5}), "input"),
        (json!({"input": {"text": "a"}}), "input"),
        (json!({"input": ["a", 1]}), "input"),
        (json!({"input": ["a", ""]}), "input[1]"),
        (json!({"input": [1, -2]}), "input"),
        (json!({"input": [1.5]}), "input"),
        (json!({"input": [[1], []]}), "input[1]"),
        (json!({"input": vec!["a"; 2049]}), "input"),
        (json!({"input": "a", "encoding_format": "int8"}), "encoding_format"),
        (json!({"input": "a", "dimensions": 0}), "dimensions"),
        (json!({"input": "a", "dimensions": "many"}), "dimensions"),
        (json!({"input": "a", "input_type": 1}), "input_type"),
    ] {
        for format in [ApiFormat::OpenAiChat, ApiFormat::Gemini] {
            let error = encode(format, &members).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{members}");
        }
    }
    for body in ["", "[]", "{", r#"{"input":"a","input":"b"}"#, "{} {}"] {
        let body = Bytes::from(body);
        assert!(encode_request(ApiFormat::OpenAiChat, &body, "m").is_err(), "{body:?}");
    }
    let error = encode(ApiFormat::Anthropic, &json!({"input": "a"})).unwrap_err();
    assert!(error.message.contains("no embeddings"));
}

#[test]
fn own_format_keeps_the_clients_members() {
    let body = r#"{ "z":1.50, "model":"a/b", "provider":{"only":["x"]}, "input":["\u0041"],
        "new":{"deep":[ 1 ]}, "user":"u" }"#;
    let prepared = encode_request(ApiFormat::OpenAiChat, &Bytes::from(body), "text-3").unwrap();
    assert_eq!(
        prepared.request.body,
        r#"{"z":1.50,"model":"text-3","input":["\u0041"],"new":{"deep":[ 1 ]},"user":"u"}"#
    );
    assert!(prepared.request.dropped.is_empty());
}

#[test]
fn gemini_gets_a_batch() {
    let body = json!({
        "model": "m", "input": ["a", "b"], "dimensions": 256, "input_type": "search_query",
        "user": "u", "provider": {}, "trace": null, "encoding_format": "base64"
    });
    let prepared = encode(ApiFormat::Gemini, &body).unwrap();
    let item = |text| {
        json!({"model": "models/provider-model", "content": {"parts": [{"text": text}]},
            "outputDimensionality": 256, "taskType": "RETRIEVAL_QUERY"})
    };
    let written: Value = serde_json::from_slice(&prepared.request.body).unwrap();
    assert_eq!(written, json!({"requests": [item("a"), item("b")]}));
    assert_eq!(prepared.request.dropped, ["user"]);
    assert_eq!(prepared.expected.encoding, Encoding::Base64);
    for (word, task) in [
        ("search_document", json!("RETRIEVAL_DOCUMENT")),
        ("classification", json!("CLASSIFICATION")),
        ("clustering", json!("CLUSTERING")),
        ("semantic_similarity", json!("SEMANTIC_SIMILARITY")),
        ("poetry", Value::Null),
    ] {
        let body = json!({"input": "a", "input_type": word});
        let prepared = encode(ApiFormat::Gemini, &body).unwrap();
        let written: Value = serde_json::from_slice(&prepared.request.body).unwrap();
        assert_eq!(written["requests"][0]["taskType"], task);
        assert_eq!(prepared.request.dropped.len(), usize::from(task.is_null()));
    }
}

#[test]
fn own_format_answers_get_the_shown_name() {
    let body = r#"{"object":"list","data":[{"embedding":[0.10,-2e-7]}],"model":"x","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let expected = expect(1, Encoding::Float);
    let (bytes, usage) =
        relay(ApiFormat::OpenAiChat, Bytes::from(body), expected, ("shown", None)).unwrap();
    assert_eq!(bytes, body.replace("\"x\"", "\"shown\""));
    assert_eq!((usage.prompt, usage.completion), (Some(5), Some(0)));
    let bare = r#"{"data":[],"usage":{"total_tokens":9}}"#;
    let (body, usage) = answer(ApiFormat::OpenAiChat, bare, expected).unwrap();
    assert_eq!((&body["model"], usage.prompt), (&json!("shown \"model\""), Some(9)));
    let silent = answer(ApiFormat::OpenAiChat, r#"{"data":[]}"#, expected).unwrap();
    assert!(silent.1.is_missing());
    for bad in ["", "{}", "<html>", r#"{"error":{}}"#] {
        assert!(answer(ApiFormat::OpenAiChat, bad, expected).is_err(), "{bad}");
    }
}

#[test]
fn gemini_answers_in_both_forms() {
    let body = r#"{"embeddings":[{"values":[ 0.10, -2e-7 ]},{"values":[1,2]}],"usageMetadata":{"promptTokenCount":7}}"#;
    let bytes = Bytes::from(body);
    let float = expect(2, Encoding::Float);
    let (text, usage) = relay(ApiFormat::Gemini, bytes, float, ("m", None)).unwrap();
    assert_eq!(
        text,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-7]},{"object":"embedding","index":1,"embedding":[1,2]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#
    );
    assert_eq!(usage.prompt, Some(7));
    let (packed, usage) = answer(ApiFormat::Gemini, body, expect(2, Encoding::Base64)).unwrap();
    assert_eq!(usage.prompt, Some(7));
    let decode = |at: usize| -> Vec<f32> {
        let text = packed["data"][at]["embedding"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    assert_eq!((decode(0), decode(1)), (vec![0.1, -2e-7], vec![1.0, 2.0]));
    assert_eq!(packed["model"], "shown \"model\"");
}

#[test]
fn gemini_answers_that_do_not_fit() {
    for (body, inputs) in [
        (r#"{"embeddings":[{"values":[1]}]}"#, 2),
        (r#"{"embeddings":[{"values":["x"]}]}"#, 1),
        (r#"{"embeddings":[{"values":{}}]}"#, 1),
        (r#"{"embeddings":[{}]}"#, 1),
        ("{}", 1),
        ("", 1),
        ("nonsense", 1),
    ] {
        for encoding in [Encoding::Float, Encoding::Base64] {
            assert!(answer(ApiFormat::Gemini, body, expect(inputs, encoding)).is_err(), "{body}");
        }
    }
    let single = r#"{"embedding":{"values":[1.5]}}"#;
    for encoding in [Encoding::Float, Encoding::Base64] {
        let (body, usage) = answer(ApiFormat::Gemini, single, expect(1, encoding)).unwrap();
        assert_eq!(body["usage"]["prompt_tokens"], 42);
        assert!(usage.is_missing());
    }
}

#[test]
fn recorded_answers_keep_every_number() {
    for recording in recordings::load("google-embed") {
        if recording.status != 200 {
            continue;
        }
        let value: Value = serde_json::from_str(&recording.body).unwrap();
        let vectors: Vec<Value> = match value["embeddings"].as_array() {
            Some(list) => list.iter().map(|item| item["values"].clone()).collect(),
            None => vec![value["embedding"]["values"].clone()],
        };
        let float = expect(vectors.len(), Encoding::Float);
        let (relayed, _) = answer(ApiFormat::Gemini, &recording.body, float).unwrap();
        let packed = expect(vectors.len(), Encoding::Base64);
        let (packed, _) = answer(ApiFormat::Gemini, &recording.body, packed).unwrap();
        for (at, vector) in vectors.iter().enumerate() {
            assert_eq!(&relayed["data"][at]["embedding"], vector, "{}", recording.id);
            let text = packed["data"][at]["embedding"].as_str().unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            let floats: Vec<f32> = serde_json::from_value(vector.clone()).unwrap();
            let expected: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            assert_eq!(bytes, expected, "{}", recording.id);
        }
    }
}

#[test]
fn the_cost_is_told_in_usage() {
    let charges: &dyn Charges = &PerToken;
    let expected = Expected { inputs: 1, encoding: Encoding::Float, estimated_tokens: 3 };
    let told = |format, body: &str| {
        let body = Bytes::from(body.to_owned());
        let (body, _) = relay(format, body, expected, ("m", Some(charges))).unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let details = r#""is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.000000000009,"upstream_inference_completions_cost":0}"#;
    let body = r#"{"object":"list","data":[{"embedding":[1.50]}],"model":"x","usage":{"prompt_tokens":9,"total_tokens":9}}"#;
    assert_eq!(
        told(ApiFormat::OpenAiChat, body),
        format!(
            r#"{{"object":"list","data":[{{"embedding":[1.50]}}],"model":"m","usage":{{"prompt_tokens":9,"total_tokens":9,"cost":0.000000000009,{details}}}}}"#
        )
    );
    let silent = r#"{"data":[{"embedding":[1.50]}],"model":"m"}"#;
    assert_eq!(told(ApiFormat::OpenAiChat, silent), silent);
    let body = r#"{"embeddings":[{"values":[1.50]}],"usageMetadata":{"promptTokenCount":9}}"#;
    let found = told(ApiFormat::Gemini, body);
    assert!(
        found.ends_with(&format!(
            r#""usage":{{"prompt_tokens":9,"total_tokens":9,"cost":0.000000000009,{details}}}}}"#
        )),
        "{found}"
    );
    // The estimate that is charged for, not the one of the format.
    let found = told(ApiFormat::Gemini, r#"{"embeddings":[{"values":[1.50]}]}"#);
    assert!(
        found.contains(r#""prompt_tokens":7,"total_tokens":7,"cost":0.000000007007"#),
        "{found}"
    );
}

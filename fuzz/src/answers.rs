//! Whole answers: every provider's format to every client's, and read again where the client's
//! format is one that providers speak too.

use super::said::Said;
use super::{CLIENTS, PROVIDERS, assert_bounded, label, parts, pick, unidentified};
use arouter::chat::FinishReason;
use arouter::formats::answer::relay;
use arouter::formats::{ApiFormat, decode_response, encode_response};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

/// One answer.
pub fn run(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let (upstream, client) = (pick(PROVIDERS, decisions[0]), pick(CLIENTS, decisions[1]));
    let label = label(decisions[2]);
    let Ok(answer) = relay(upstream, client, Bytes::copy_from_slice(body), &label) else { return };
    assert_bounded(answer.body.len(), body.len());
    if upstream == client {
        if label.model.is_none() && client != ApiFormat::OpenAiChat {
            assert_eq!(answer.body, body, "bytes changed without a reason");
        }
        return;
    }
    // A number too large for serde_json's tree may stand in the arguments of a call.
    if serde_json::from_slice::<Value>(&answer.body).is_err() {
        serde_json::from_slice::<IgnoredAny>(&answer.body).expect("no JSON");
        return;
    }
    shape(client, &answer.body);
    let response = decode_response(upstream, body).unwrap();
    let again = encode_response(client, &response, &label).unwrap();
    assert!(
        unidentified(&again) == unidentified(&answer.body),
        "the same answer is written in two ways:\n{}\n--\n{}",
        String::from_utf8_lossy(&again),
        String::from_utf8_lossy(&answer.body)
    );
    // An answer that its provider broke off is a failed one in this format, and read as none.
    let failed = response.choices.first().is_some_and(|c| c.finish == FinishReason::Error);
    if client == ApiFormat::OpenAiResponses && failed {
        return;
    }
    if PROVIDERS.contains(&client) {
        let read = decode_response(client, &answer.body).unwrap_or_else(|error| {
            panic!("refused by its own reader: {error}: {}", String::from_utf8_lossy(&answer.body))
        });
        Said::of(&response).assert_heard(&Said::of(&read), true);
    }
}

/// The members without which a client does not take the answer for one.
fn shape(client: ApiFormat, body: &[u8]) {
    let answer: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)));
    let fits = match client {
        ApiFormat::OpenAiChat => {
            answer["object"] == "chat.completion"
                && all(&answer["choices"], |choice| {
                    choice["message"]["role"] == "assistant" && choice["finish_reason"].is_string()
                })
        }
        ApiFormat::Completions => {
            answer["object"] == "text_completion"
                && all(&answer["choices"], |choice| choice["text"].is_string())
        }
        ApiFormat::OpenAiResponses => {
            answer["object"] == "response"
                && answer["status"].is_string()
                && all(&answer["output"], |item| item["type"].is_string())
        }
        ApiFormat::Anthropic => {
            answer["type"] == "message"
                && answer["role"] == "assistant"
                && answer["usage"]["output_tokens"].is_u64()
                && all(&answer["content"], |block| block["type"].is_string())
        }
        ApiFormat::Gemini => {
            let has = |member: &str| answer.get(member).is_some();
            (has("candidates") || has("promptFeedback"))
                && (answer.get("candidates").is_none()
                    || all(&answer["candidates"], |candidate| {
                        candidate.get("content").is_none()
                            || all(&candidate["content"]["parts"], Value::is_object)
                    }))
        }
        ApiFormat::Bedrock => false,
    };
    assert!(fits, "{answer}");
}

fn all(items: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    items.as_array().is_some_and(|items| items.iter().all(fits))
}

//! Reads answers of OpenAI's Responses API.

use crate::json::Json;
use crate::reading::{Answer, Arguments, Call, Choice, Counts, Finish};

pub fn answer(body: &Json) -> Answer {
    let mut read = Choice { finish: finish(body), ..Choice::default() };
    for item in body["output"].list() {
        match item["type"].text() {
            "message" => message(item, &mut read),
            "reasoning" => {
                let shown = item["content"].list().iter().map(|part| part["text"].text());
                let shown: String = shown.collect();
                let summary = item["summary"].list().iter().map(|part| part["text"].text());
                let summary: String = summary.collect();
                read.reasoning.push_str(&summary);
                read.reasoning.push_str(&shown);
                read.sign(&item["encrypted_content"]);
            }
            "function_call" => read.calls.push(Call {
                id: item["call_id"].text().to_owned(),
                name: item["name"].text().to_owned(),
                arguments: Arguments::from_text(item["arguments"].text()),
            }),
            "custom_tool_call" => read.calls.push(Call {
                id: item["call_id"].text().to_owned(),
                name: item["name"].text().to_owned(),
                arguments: Arguments::from_input(item["input"].text()),
            }),
            "image_generation_call" => {
                read.images.extend(item["result"].str().map(str::to_owned));
            }
            _ => {}
        }
    }
    let error = &body["error"];
    Answer {
        choices: vec![read.settle()],
        usage: usage(&body["usage"]),
        model: body["model"].text().to_owned(),
        error: (!error.is_null()).then(|| error.to_string()),
    }
}

fn message(item: &Json, read: &mut Choice) {
    for part in item["content"].list() {
        match part["type"].text() {
            "output_text" => read.text.push_str(part["text"].text()),
            "refusal" => read.refusal.push_str(part["refusal"].text()),
            _ => {}
        }
        for note in part["annotations"].list() {
            if note["type"].text() == "url_citation" {
                let title = note["title"].text().to_owned();
                read.sources.push((note["url"].text().to_owned(), title));
            }
        }
        for token in part["logprobs"].list() {
            read.logprobs.push(format!("{} {:?}", token["token"], token["logprob"].float()));
        }
    }
}

fn finish(body: &Json) -> Finish {
    match (body["status"].text(), body["incomplete_details"]["reason"].text()) {
        ("incomplete", "content_filter") => Finish::Filter,
        ("incomplete", _) => Finish::Length,
        ("failed" | "cancelled", _) => Finish::Error,
        ("completed", _) => Finish::Stop,
        _ => Finish::Missing,
    }
}

pub fn usage(usage: &Json) -> Counts {
    let details = &usage["input_tokens_details"];
    let counts = [
        ("prompt", usage["input_tokens"].int()),
        ("completion", usage["output_tokens"].int()),
        ("cached", details["cached_tokens"].int()),
        ("write", details["cache_write_tokens"].int()),
        ("reasoning", usage["output_tokens_details"]["reasoning_tokens"].int()),
    ];
    counts.into_iter().filter_map(|(name, count)| Some((name, count?))).collect()
}

#[test]
fn items_are_told_apart() {
    let body = Json::parse(
        r#"{"status":"completed","output":[
            {"type":"reasoning","summary":[{"text":"hm"}],"encrypted_content":"e"},
            {"type":"web_search_call","id":"w"},
            {"type":"message","content":[{"type":"output_text","text":"a","annotations":[
                {"type":"url_citation","url":"u","title":"t"}]},{"type":"refusal","refusal":"no"}]},
            {"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":""},
            {"type":"custom_tool_call","call_id":"d","name":"g","input":"x"}]}"#,
    );
    let read = answer(&body.unwrap());
    let choice = &read.choices[0];
    assert_eq!((choice.words().as_str(), choice.reasoning.as_str()), ("ano", "hm"));
    assert_eq!(choice.finish, Finish::ToolCalls);
    let calls: Vec<_> = choice.calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(calls, ["c", "d"]);
    assert_eq!(choice.calls[1].arguments.value.to_string(), r#"{"input":"x"}"#);
    let cut = r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#;
    assert_eq!(answer(&Json::parse(cut).unwrap()).choices[0].finish, Finish::Length);
}

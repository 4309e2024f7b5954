//! Tests of what newer OpenAI clients and those of imitators send.

use super::*;
use crate::chat::request::ReasoningRequest;

#[test]
fn free_form_tools_and_spoken_answers_are_read() {
    let body = r#"{"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"audio":{"id":"audio_1"},"tool_calls":[
            {"id":"c1","type":"custom","custom":{"name":"note","input":"a \"b\""}}]},
        {"role":"tool","tool_call_id":"c1","content":"R"}],
        "audio":{"voice":"alloy","format":"wav"},
        "tools":[{"type":"custom","custom":{"name":"note","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"s"}}}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"custom","custom":{"name":"note"}}]}}}"#;
    let request = decode(body.as_bytes()).unwrap();
    let tool = &request.tools[0];
    let format = tool.custom.as_ref().unwrap().format.as_deref().map(RawValue::get);
    let grammar = r#"{"type":"grammar","syntax":"lark","definition":"s"}"#;
    assert_eq!((tool.name.as_ref(), format), ("note", Some(grammar)));
    let allowed = ToolChoice::Allowed { names: vec!["note".into()], required: false };
    assert_eq!(request.tool_choice, Some(allowed));
    let audio = request.audio.as_deref().map(RawValue::get);
    assert_eq!(audio, Some(r#"{"voice":"alloy","format":"wav"}"#));
    let parts = &request.messages[1].parts;
    assert!(
        matches!(&parts[0], Part::SpokenAnswer(sound) if sound.id.as_deref() == Some("audio_1"))
    );
    let Part::ToolCall(call) = &parts[1] else { panic!() };
    assert_eq!((call.custom, call.arguments.as_ref()), (true, r#"a "b""#));
    let named = with(r#""tool_choice":{"type":"custom","custom":{"name":"n"}}"#);
    let choice = decode(named.as_bytes()).unwrap().tool_choice;
    assert_eq!(choice, Some(ToolChoice::Named("n".into())));
}

#[test]
fn spellings_of_imitators_are_read() {
    let body = message(
        r#"{"role":"user","content":[
            {"type":"input_audio","input_audio":"//NkxAAA"},
            {"type":"input_audio","input_audio":"UklGRiQAAABXQVZFZm10IBAAAAABAAEA"},
            {"type":"document_url","document_url":"https://d/a.pdf","document_name":"a"}]},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":[{"type":"text","text":"T"},{"type":"text","text":"U"}]},
            {"type":"thinking","thinking":[]},{"type":"text","text":"A"}]},
        {"role":"assistant","content":"B","reasoning":"R","reasoning_details":[
            {"type":"reasoning.encrypted","data":"E","format":"openai-responses-v1"}]}"#,
    );
    let request = decode(body.as_bytes()).unwrap();
    let user = &request.messages[0].parts;
    let sound = |part: &Part<'_>, wanted: &str| matches!(part, Part::Audio { format, .. } if format == wanted);
    assert!(sound(&user[0], "mp3") && sound(&user[1], "wav"), "{user:?}");
    assert!(matches!(&user[2], Part::File { source: Media::Url(_), filename: Some(_), .. }));
    let thinking = &request.messages[1].parts;
    assert!(matches!(&thinking[0], Part::Reasoning(piece) if piece.text == "TU"));
    assert_eq!(thinking.len(), 2);
    let kept = &request.messages[2].parts;
    assert!(matches!(&kept[0], Part::Reasoning(piece) if piece.text == "R"));
    assert!(matches!(&kept[1], Part::Reasoning(piece) if piece.kind == ReasoningKind::Encrypted));
    let wanted = |members: &str| decode(with(members).as_bytes()).unwrap().reasoning;
    assert_eq!(wanted(r#""reasoning_effort":"default""#).enabled, Some(true));
    assert_eq!(wanted(r#""thinking":{"clear_thinking":false}"#), ReasoningRequest::default());
    assert_faults(&[
        (
            &message(r#"{"role":"user","content":[{"type":"input_audio","input_audio":"AAAA"}]}"#),
            "messages[0].content[0].input_audio",
        ),
        (&message(r#"{"role":"assistant","audio":{}}"#), "messages[0].audio.id"),
        (&with(r#""metadata":"x""#), "metadata"),
        (&with(r#""tools":[{"type":"custom"}]"#), "tools[0].custom"),
    ]);
}

//! All recorded requests: read, written for Gemini and read again they mean the same.

use super::*;
use crate::chat::message::Part;

/// What a provider accepted and the gateway refuses to translate.
const REFUSED: [&str; 2] = ["cachedContent", "tools["];

/// The meaning without what has no way back: names of dropped fields, and a budget that the model
/// decides itself.
fn comparable(mut request: Request<'_>) -> String {
    request.unmapped.clear();
    request.metadata = None;
    let dynamic = request.reasoning.enabled == Some(true);
    let silent = request.reasoning.effort.is_none();
    if dynamic || silent {
        request.reasoning = crate::chat::request::ReasoningRequest::default();
    }
    for message in &mut request.messages {
        let unsigned = |part: &Part<'_>| matches!(part, Part::Reasoning(reasoning) if reasoning.signature.is_none());
        // Gemini does not want thoughts back of which nobody knows the maker.
        message.parts.retain(|part| !unsigned(part));
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        // Named addresses have no name.
        if let Part::File { filename, .. } = part {
            *filename = None;
        }
        // A result that is an object travels as one, whose blanks mean nothing.
        if let Part::ToolResult { parts, .. } = part {
            for inner in parts {
                if let Part::Text { text, .. } = inner
                    && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
                {
                    *text = value.to_string().into();
                }
            }
        }
    }
    format!("{request:#?}")
}

#[test]
fn recorded_requests_survive_the_way_through_neutral_terms() {
    let (mut read, mut refused) = (0, 0);
    for recording in recordings::answers().iter().filter(|recording| recording.status == 200) {
        let Some((path, body)) = &recording.request else { continue };
        let request = match decode(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                let param = error.param.as_deref().unwrap_or_default();
                let expected = REFUSED.iter().any(|start| param.starts_with(start));
                assert!(expected, "{}: {error} ({param})", recording.id);
                refused += 1;
                continue;
            }
        };
        let model = path.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap();
        let written = gemini::request::encode(&request, Target::new(model));
        let written = written.unwrap_or_else(|error| panic!("{}: {error}", recording.id));
        let again =
            decode(&written.body).unwrap_or_else(|error| panic!("{}: {error}", recording.id));
        assert!(again.unmapped.is_empty(), "{}: {:?}", recording.id, again.unmapped);
        let (before, after) = (comparable(request.clone()), comparable(again));
        assert_eq!(before, after, "{}", recording.id);
        read += 1;
    }
    assert!(
        recordings::answers().is_empty() || (read > 150 && refused > 20),
        "{read} read, {refused} refused"
    );
}

//! The model lists, one in each provider's shape.
//!
//! Invariant: all three name the same models.

use serde_json::{Value, json};

use super::Format;

/// The models listed; any other name is answered too.
const MODELS: [&str; 4] = ["mock-small", "mock-large", "mock-reasoning", "mock-embedding"];

/// The list in the given shape.
pub(super) fn list(format: Format) -> Value {
    let each = |entry: fn(&str) -> Value| MODELS.iter().map(|id| entry(id)).collect::<Vec<_>>();
    match format {
        Format::OpenAi | Format::Responses => json!({"object": "list", "data": each(|id| json!({
            "id": id, "object": "model", "created": 1_700_000_000, "owned_by": "mock"}))}),
        Format::Anthropic => json!({
            "data": each(|id| json!({"type": "model", "id": id, "display_name": id,
                "created_at": "2025-01-01T00:00:00Z"})),
            "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last()}),
        Format::Google | Format::Bedrock => json!({"models": each(|id| json!({
            "name": format!("models/{id}"), "version": "001", "displayName": id,
            "description": "A model of the mock provider.",
            "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
            "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}))}),
    }
}

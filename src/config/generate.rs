//! Generated artefacts.

/// x
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(super::Config)).unwrap_or_default()
}
/// x
pub fn artefacts() -> Vec<(&'static str, String)> {
    Vec::new()
}

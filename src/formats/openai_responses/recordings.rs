//! Recorded exchanges in this format, for tests, where the recordings are present.

use crate::formats::recordings::files;
use serde_json::Value;

const FOLDERS: [&str; 9] = [
    "openai-responses",
    "azure-responses",
    "xai-responses",
    "bedrock-responses",
    "chatgpt-responses",
    "copilot-responses",
    "deepseek-responses",
    "local-responses",
    "openrouter-responses",
];

/// One recorded exchange.
pub(in crate::formats) struct Recording {
    pub(in crate::formats) id: String,
    pub(in crate::formats) status: u64,
    /// The client's body; null where it was not recorded.
    pub(in crate::formats) request: Value,
    pub(in crate::formats) body: String,
}

impl Recording {
    /// Whether the answer is a stream.
    pub(in crate::formats) fn is_stream(&self) -> bool {
        !self.body.trim_start().starts_with('{') && self.body.contains("data:")
    }

    /// The events of a stream.
    pub(in crate::formats) fn events(&self) -> Vec<String> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.trim().to_owned()).collect()
    }
}

/// All exchanges in this format.
pub(in crate::formats) fn all() -> Vec<Recording> {
    let all: Vec<_> = FOLDERS.iter().flat_map(|folder| load(folder)).collect();
    assert!(all.is_empty() || all.len() > 300, "{} recordings", all.len());
    all
}

/// The exchanges of a folder.
pub(in crate::formats) fn load(folder: &str) -> Vec<Recording> {
    files(folder).iter().map(|file| read(file)).collect()
}

fn read(file: &[u8]) -> Recording {
    let value: Value = serde_json::from_slice(file).unwrap();
    Recording {
        id: value["id"].as_str().unwrap().to_owned(),
        status: value["response"]["status"].as_u64().unwrap_or(0),
        request: value["request"]["body"].clone(),
        body: value["response"]["body"].as_str().unwrap_or_default().to_owned(),
    }
}

//! Recorded answers of Amazon Bedrock, for tests, where the recordings are present.

use crate::formats::recordings::files;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// One recorded exchange.
pub(in crate::formats) struct Recording {
    pub(in crate::formats) id: String,
    pub(in crate::formats) status: u16,
    pub(in crate::formats) body: Vec<u8>,
    /// The request's body.
    pub(in crate::formats) request: Value,
}

/// All binary streams, of `converse-stream` and of `invoke-with-response-stream`.
pub(in crate::formats) fn streams() -> Vec<Recording> {
    let folders = ["bedrock-converse-stream", "bedrock-invoke-with-response-stream"];
    let all = folders.iter().flat_map(|folder| load(folder));
    all.filter(|recording| recording.status == 200).collect()
}

/// All recordings of a folder; none when the recordings are not there.
pub(in crate::formats) fn load(folder: &str) -> Vec<Recording> {
    files(folder).iter().map(|file| read(file)).collect()
}

fn read(file: &[u8]) -> Recording {
    let value: Value = serde_json::from_slice(file).unwrap();
    let response = &value["response"];
    let text = response["body"].as_str().unwrap_or_default().as_bytes().to_vec();
    let binary = response["body_b64"].as_str().map(|text| STANDARD.decode(text).unwrap());
    Recording {
        id: value["id"].as_str().unwrap().to_owned(),
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        body: binary.unwrap_or(text),
        request: value["request"]["body"].clone(),
    }
}

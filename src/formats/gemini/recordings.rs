//! Recorded answers of Gemini and Vertex, for tests, where the recordings are present.

use crate::formats::recordings::files;
use serde_json::Value;

/// One recorded exchange.
pub(in crate::formats) struct Recording {
    pub(in crate::formats) id: String,
    pub(in crate::formats) status: u16,
    pub(in crate::formats) body: String,
    /// Path and JSON body of the request, where it was recorded.
    pub(in crate::formats) request: Option<(String, String)>,
}

impl Recording {
    /// Whether another protocol than Gemini's was recorded.
    fn is_foreign(&self) -> bool {
        self.request.as_ref().is_some_and(|(path, _)| !path.contains("enerateContent"))
    }

    /// The events: of a stream in either framing, or the whole answer as the only one.
    pub(in crate::formats) fn events(&self) -> Vec<String> {
        if self.body.trim_start().starts_with("data:") {
            let lines = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
            return lines.map(str::to_owned).collect();
        }
        match serde_json::from_str(&self.body).unwrap() {
            Value::Array(events) => events.iter().map(Value::to_string).collect(),
            _ => vec![self.body.clone()],
        }
    }
}

/// Exchanges of `generateContent` and `streamGenerateContent`.
pub(in crate::formats) fn answers() -> Vec<Recording> {
    let folders = ["google-generate", "vertex-generate", "local-generate"];
    let all = folders.iter().flat_map(|folder| load(folder));
    all.filter(|recording| !recording.is_foreign()).collect()
}

/// All recordings of a folder; none when the recordings are not there.
pub(in crate::formats) fn load(folder: &str) -> Vec<Recording> {
    files(folder).iter().map(|file| read(file)).collect()
}

fn read(file: &[u8]) -> Recording {
    #[derive(serde::Deserialize)]
    struct Exchange {
        request: Option<Request>,
    }
    #[derive(serde::Deserialize)]
    struct Request {
        path: String,
        body: Box<serde_json::value::RawValue>,
    }
    let value: Value = serde_json::from_slice(file).unwrap();
    let exchange: Exchange = serde_json::from_slice(file).unwrap();
    let request = exchange.request.filter(|request| request.body.get().starts_with('{'));
    Recording {
        request: request.map(|request| (request.path, request.body.get().to_owned())),
        id: value["id"].as_str().unwrap().to_owned(),
        status: value["response"]["status"].as_u64().unwrap().try_into().unwrap(),
        body: value["response"]["body"].as_str().unwrap_or_default().to_owned(),
    }
}

//! The mock's own pages: health, journal, last request, script.
//!
//! Tests in other languages use them in place of the in-process handles. Called by `handle`.
//!
//! Invariant: these pages leave no journal entry and are never "the last request".

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use super::body::{MockBody, plain};
use super::cloud;
use super::echo;
use super::handle::State;
use super::received::Received;
use super::route::Own;
use super::script::Script;

/// Answers one page.
pub(super) fn answer(state: &State, page: Own, received: &Received) -> Response<MockBody> {
    match page {
        Own::Health => text(StatusCode::OK, "ok\n"),
        Own::ReadJournal => {
            let since = received.query("since").and_then(|seq| seq.parse().ok()).unwrap_or(0);
            json(serde_json::to_vec(&state.journal.since(since)).unwrap_or_default())
        }
        Own::ClearJournal => {
            state.journal.clear();
            text(StatusCode::NO_CONTENT, "")
        }
        Own::Last => match state.last() {
            Some(last) => json(echo::describe(&last, usize::MAX)),
            None => text(StatusCode::NOT_FOUND, "no request yet\n"),
        },
        Own::SetScript => set_script(state, received),
        Own::Token => {
            let (status, body) = cloud::token(received);
            let mut response = json(body.to_string().into_bytes());
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
            response
        }
    }
}

fn set_script(state: &State, received: &Received) -> Response<MockBody> {
    let Ok(source) = std::str::from_utf8(&received.body) else {
        return text(StatusCode::BAD_REQUEST, "the script is not UTF-8\n");
    };
    match Script::parse(source) {
        Ok(script) => {
            state.set_script(script);
            text(StatusCode::NO_CONTENT, "")
        }
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response<MockBody> {
    let mut response = Response::new(plain(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn json(body: Vec<u8>) -> Response<MockBody> {
    let mut response = Response::new(plain(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

//! What a client says of itself in its header: the app, its session, its software.
//!
//! Noted in the record of every request that goes to a provider, raw ones included. None of it
//! but the `User-Agent` is ever sent on; `entry` sees to that for raw calls, and all others
//! have headers of the gateway's own.

use crate::store::Generation;
use crate::store::generation::recorded;
use http::HeaderMap;
use http::header::{REFERER, USER_AGENT};

/// Fills the record in.
pub fn note(record: &mut Generation, headers: &HeaderMap) {
    record.referer = text(headers, "http-referer").or_else(|| text(headers, REFERER.as_str()));
    record.app_title = text(headers, "x-title").or_else(|| text(headers, "x-openrouter-title"));
    record.app_categories = text(headers, "x-openrouter-categories");
    record.session_id = text(headers, "x-session-id");
    record.user_agent = text(headers, USER_AGENT.as_str());
}

/// A field that is there and not empty. Titles are sent as UTF-8 as well as ASCII.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
    Some(recorded(value.trim())).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn noted(fields: &[(&'static str, &[u8])]) -> Generation {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let mut record = Generation::example("gen-1");
        note(&mut record, &headers);
        record
    }

    #[test]
    fn an_app_names_itself_in_several_ways() {
        let record = noted(&[
            ("http-referer", b"https://app.example"),
            ("referer", b"https://page.example"),
            ("x-openrouter-title", "Caf\u{e9}".as_bytes()),
            ("x-openrouter-categories", b"cli-agent,cloud-agent"),
            ("x-session-id", b"s-1"),
            ("user-agent", b"client/1"),
        ]);
        assert_eq!(record.referer.as_deref(), Some("https://app.example"));
        assert_eq!(record.app_title.as_deref(), Some("Caf\u{e9}"));
        assert_eq!(record.app_categories.as_deref(), Some("cli-agent,cloud-agent"));
        assert_eq!(record.session_id.as_deref(), Some("s-1"));
        assert_eq!(record.user_agent.as_deref(), Some("client/1"));
        let record = noted(&[("referer", b"https://page.example"), ("x-title", b"Plain")]);
        assert_eq!(record.referer.as_deref(), Some("https://page.example"));
        assert_eq!(record.app_title.as_deref(), Some("Plain"));
    }

    #[test]
    fn what_says_nothing_is_none_and_what_is_long_is_cut() {
        let record = noted(&[
            ("http-referer", b"  "),
            ("x-title", b"\xff"),
            ("x-session-id", &[b's'; 1000]),
        ]);
        assert_eq!((record.referer, record.app_title), (None, None));
        assert_eq!(record.session_id, Some("s".repeat(256)));
    }
}

//! Requests that must not pass the gate, and some that must.

use super::*;

fn request(fields: &[(&str, &str)]) -> RequestHeader {
    let mut header = RequestHeader::build("POST", b"/v1/chat/completions", None).unwrap();
    for (name, value) in fields {
        header.append_header((*name).to_owned(), *value).unwrap();
    }
    header
}

fn verdict(fields: &[(&str, &str)]) -> Option<Kind> {
    gate(&request(fields), None, 32 * 1024).err().map(|error| error.kind)
}

#[test]
fn ordinary_requests_pass() {
    assert_eq!(verdict(&[("host", "a"), ("content-length", "3")]), None);
    assert_eq!(verdict(&[("host", "a"), ("transfer-encoding", "Chunked")]), None);
    assert_eq!(verdict(&[("host", "a"), ("expect", "100-Continue")]), None);
    assert_eq!(verdict(&[("host", "a"), ("content-encoding", "identity")]), None);
}

#[test]
fn doubtful_requests_do_not() {
    type Fields = &'static [(&'static str, &'static str)];
    let bad = Some(Kind::InvalidRequest);
    let cases: &[(Fields, Option<Kind>)] = &[
        (&[], bad),
        (&[("host", "a"), ("host", "b")], bad),
        (&[("host", "a"), ("content-length", "3"), ("transfer-encoding", "chunked")], bad),
        (&[("host", "a"), ("transfer-encoding", "gzip, chunked")], bad),
        (&[("host", "a"), ("transfer-encoding", ",chunked")], bad),
        (&[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], bad),
        (&[("host", "a"), ("transfer-encoding", "identity")], bad),
        (&[("host", "a"), ("expect", "tea")], Some(Kind::ExpectationFailed)),
        (&[("host", "a"), ("content-encoding", "gzip")], Some(Kind::UnsupportedMediaType)),
    ];
    for (fields, expected) in cases {
        assert_eq!(verdict(fields), *expected, "{fields:?}");
    }
}

#[test]
fn another_host_in_the_target() {
    let mut header = request(&[("host", "a")]);
    header.set_uri("http://b/v1/chat/completions".parse().unwrap());
    assert!(gate(&header, None, 1024).is_err());
    header.set_uri("http://a/v1/chat/completions".parse().unwrap());
    assert!(gate(&header, None, 1024).is_ok());
}

#[test]
fn sizes() {
    let header = request(&[("host", "a"), ("x-long", &"v".repeat(2000))]);
    assert_eq!(gate(&header, None, 1024).unwrap_err().kind, Kind::HeaderTooLarge);
    let mut many = request(&[("host", "a")]);
    for index in 0..=MAX_FIELDS {
        many.append_header(format!("x-{index}"), "v").unwrap();
    }
    assert_eq!(gate(&many, None, 1 << 20).unwrap_err().kind, Kind::HeaderTooLarge);
    let mut long = request(&[("host", "a")]);
    long.set_uri(format!("/{}", "p".repeat(MAX_TARGET_BYTES)).parse().unwrap());
    assert_eq!(gate(&long, None, 1 << 20).unwrap_err().kind, Kind::HeaderTooLarge);
}

#[test]
fn bare_line_feeds() {
    let header = request(&[("host", "a")]);
    let good = b"POST / HTTP/1.1\r\nhost: a\r\n\r\n";
    assert!(gate(&header, Some(good), 1024).is_ok());
    for raw in [&b"POST / HTTP/1.1\nhost: a\r\n\r\n"[..], b"POST / HTTP/1.1\r\nhost: a\n\r\n"] {
        assert!(gate(&header, Some(raw), 1024).is_err());
    }
}

#[test]
fn a_length_that_the_parser_took_away_is_still_seen() {
    let header = request(&[("host", "a"), ("transfer-encoding", "chunked")]);
    let raw =
        b"POST / HTTP/1.1\r\nhost: a\r\nContent-LENGTH: 5\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(gate(&header, Some(raw), 1024).is_err());
    let raw = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(gate(&header, Some(raw), 1024).is_ok());
}

#[test]
fn old_clients_are_not_kept_unasked() {
    let mut headers = HeaderMap::new();
    assert!(may_be_kept(Version::HTTP_11, &headers));
    assert!(!may_be_kept(Version::HTTP_10, &headers));
    headers.insert(CONNECTION, HeaderValue::from_static("Keep-Alive"));
    assert!(may_be_kept(Version::HTTP_10, &headers));
}

#[test]
fn private_fields_are_taken_out() {
    let mut header = request(&[
        ("host", "a"),
        ("authorization", "Bearer s"),
        ("x-api-key", "s"),
        ("cookie", "s"),
        ("x-forwarded-for", "1"),
        ("proxy-authorization", "s"),
        ("x-arouter-x", "s"),
        ("content-type", "application/json"),
        ("openai-beta", "x"),
    ]);
    strip_private(&mut header);
    let mut left: Vec<&str> = header.headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-type", "host", "openai-beta"]);
}

#[test]
fn request_ids() {
    let id = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", value.parse().unwrap());
        request_id(&headers)
    };
    assert_eq!(id("abc-1"), "abc-1");
    assert_ne!(id("a b"), "a b");
    assert_ne!(id(&"x".repeat(200)), "x".repeat(200));
    assert!(!request_id(&HeaderMap::new()).is_empty());
}

//! Signatures that others made: AWS's published test suite, and botocore's of requests like ours.

use super::*;

fn signer(region: &str, service: &'static str, token: Option<&str>) -> Signer {
    let credential = AwsCredential {
        access_key_id: Secret::new("AKIDEXAMPLE"),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(Secret::new),
    };
    Signer::new(credential, region, service)
}

fn header<'a>(signed: &'a [(HeaderName, HeaderValue)], name: &str) -> &'a str {
    signed.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.to_str().unwrap())
}

fn signature(signed: &[(HeaderName, HeaderValue)]) -> &str {
    header(signed, "authorization").rsplit_once("Signature=").unwrap().1
}

/// 2015-08-30 12:36:00, the time of the published suite.
const SUITE_TIME_S: u64 = 1_440_938_160;

/// Name in the suite, method, target, headers besides `host`, body, signature.
type Vector = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const SUITE: &[Vector] = &[
    (
        "get-vanilla",
        "GET",
        "/",
        &[],
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-vanilla-query-order-key-case",
        "GET",
        "/?Param2=value2&Param1=value1",
        &[],
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "get-vanilla-empty-query-key",
        "GET",
        "/?Param1=value1",
        &[],
        "",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    (
        "get-vanilla-utf8-query",
        "GET",
        "/?\u{1234}=bar",
        &[],
        "",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    (
        "get-utf8",
        "GET",
        "/\u{1234}",
        &[],
        "",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    (
        "get-header-key-duplicate",
        "GET",
        "/",
        &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
        "",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "get-header-value-trim",
        "GET",
        "/",
        &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "post-vanilla",
        "POST",
        "/",
        &[],
        "",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "post-x-www-form-urlencoded",
        "POST",
        "/",
        &[("content-type", "application/x-www-form-urlencoded")],
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
];

#[test]
fn published_vectors() {
    for (name, method, target, headers, body, expected) in SUITE {
        let mut all = vec![("host", b"example.amazonaws.com".as_slice())];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let body = [Bytes::from_static(body.as_bytes())];
        let at_s = SUITE_TIME_S;
        let request = Unsigned { method, target, headers: &all, body: &body, at_s };
        let signed = signer("us-east-1", "service", None).sign(&request).unwrap();
        assert_eq!(signature(&signed), *expected, "{name}");
    }
}

/// Made by botocore 1.44 for Bedrock, with a path that is encoded and a token.
#[test]
fn requests_to_bedrock() {
    let host = b"bedrock-runtime.eu-central-1.amazonaws.com".as_slice();
    let profile = "arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fx";
    let cases = [
        (
            "/model/us.amazon.nova-micro-v1%3A0/converse".to_owned(),
            "application/json",
            r#"{"messages":[]}"#,
            None,
            "66aa2ac80e57ce1a15059d096edf273bf0617994f28ef54e542a8c2ed2230100",
        ),
        (
            format!("/model/{profile}/invoke-with-response-stream"),
            "application/vnd.amazon.eventstream",
            r#"{"a":"é"}"#,
            Some("FwoG/session=="),
            "2cb82a7d1382f49133ba7f91d4628e55cb226ba859280d8df3ae6a25d82b5992",
        ),
    ];
    for (target, accept, body, token, expected) in cases {
        let headers = [
            ("content-type", b"application/json".as_slice()),
            ("accept", accept.as_bytes()),
            ("host", host),
        ];
        // In pieces, as bodies are sent.
        let (first, rest) = body.as_bytes().split_at(3);
        let body = [Bytes::copy_from_slice(first), Bytes::copy_from_slice(rest)];
        let (target, at_s) = (target.as_str(), 1_772_600_767);
        let request = Unsigned { method: "POST", target, headers: &headers, body: &body, at_s };
        let signed = signer("eu-central-1", "bedrock", token).sign(&request).unwrap();
        assert_eq!(signature(&signed), expected, "{target}");
        assert_eq!(header(&signed, "x-amz-date"), "20260304T050607Z");
        assert_eq!(header(&signed, "x-amz-security-token"), token.unwrap_or_default());
        assert!(signed.iter().all(|(name, value)| name == "x-amz-date" || value.is_sensitive()));
    }
}

#[test]
fn nothing_of_the_credential_is_printed() {
    let text = format!("{:?}", signer("eu-central-1", "bedrock", Some("token-canary")));
    for canary in ["AKIDEXAMPLE", "wJalr", "token-canary"] {
        assert!(!text.contains(canary), "{text}");
    }
}

//! Tokens against a small service of the test: fetched once, renewed ahead, forgotten when refused.

use super::*;
use crate::secret::Secret;
use crate::upstream::{Http2, UpstreamOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ACCOUNT: &str = include_str!("test_account.json");

fn account() -> ServiceAccount {
    ServiceAccount::read(&Secret::new(ACCOUNT)).unwrap()
}

/// A source of tokens at an address of the test.
pub(in crate::providers) fn source(uri: &str) -> TokenSource {
    let address = uri.strip_prefix("http://").unwrap().split('/').next().unwrap();
    source_at(address.parse().unwrap())
}

fn source_at(address: SocketAddr) -> TokenSource {
    let upstream = Upstream::new(UpstreamOptions {
        host: address.ip().to_string(),
        port: address.port(),
        tls: false,
        http2: Http2::Never,
        ca: None,
        connect_timeout: Duration::from_secs(2),
        allow_private: true,
        group_key: 1,
    });
    let authority = HeaderValue::from_str(&address.to_string()).unwrap();
    TokenSource::new(account(), TokenService { upstream, authority, target: "/token".into() })
}

/// Answers every request with the next of `answers` (the last one again and again) after a pause;
/// counts them.
async fn service(answers: Vec<(u16, &'static str)>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    #[expect(clippy::disallowed_methods, reason = "a service of the test")]
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 8192];
            let _read = stream.read(&mut request).await;
            let number = counter.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (status, body) = answers[number.min(answers.len() - 1)];
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _written = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, count)
}

fn connector() -> Connector {
    Connector::new(None)
}

#[tokio::test]
async fn many_requests_share_one_fetch() {
    let (address, count) = service(vec![(200, r#"{"access_token":"t1","expires_in":3600}"#)]).await;
    let (source, connector) = (source_at(address), connector());
    let asking = (0..20).map(|_| source.token(&connector));
    for token in futures::future::join_all(asking).await {
        assert_eq!(token.unwrap().header(), "Bearer t1");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(source.in_hand().unwrap().header().is_sensitive());
}

#[tokio::test]
async fn a_refused_token_is_forgotten_once() {
    let answers = vec![(200, r#"{"access_token":"t1"}"#), (200, r#"{"access_token":"t2"}"#)];
    let (address, count) = service(answers).await;
    let (source, connector) = (source_at(address), connector());
    let first = source.token(&connector).await.unwrap();
    assert!(source.forget(&first));
    assert!(!source.forget(&first));
    let second = source.token(&connector).await.unwrap();
    assert_eq!(second.header(), "Bearer t2");
    assert!(!source.forget(&first), "another token is in force");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_expired_token_is_replaced_and_an_old_one_renewed_by_one_request() {
    let answers = vec![
        (200, r#"{"access_token":"t1","expires_in":0}"#),
        (200, r#"{"access_token":"t2","expires_in":1}"#),
        (200, r#"{"access_token":"t3","expires_in":3600}"#),
    ];
    let (address, count) = service(answers).await;
    let (source, connector) = (source_at(address), connector());
    source.token(&connector).await.unwrap();
    assert_eq!(source.token(&connector).await.unwrap().header(), "Bearer t2");
    tokio::time::sleep(Duration::from_millis(800)).await;
    let asking = (0..3).map(|_| source.token(&connector));
    let mut got: Vec<String> = futures::future::join_all(asking)
        .await
        .into_iter()
        .map(|token| token.unwrap().header().to_str().unwrap().to_owned())
        .collect();
    got.sort();
    assert_eq!(got, ["Bearer t2", "Bearer t2", "Bearer t3"], "nobody waits but the one that asks");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_failure_is_shared_and_not_repeated_at_once() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let (address, count) = service(vec![(400, refusal)]).await;
    let (source, connector) = (source_at(address), connector());
    let asking = (0..20).map(|_| source.token(&connector));
    for failed in futures::future::join_all(asking).await {
        let error = failed.unwrap_err();
        assert_eq!(error.kind, Kind::ProviderUnavailable);
        assert!(error.detail.unwrap().contains("invalid_grant"));
    }
    source.token(&connector).await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    tokio::time::sleep(PAUSE).await;
    source.token(&connector).await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn an_assertion_is_signed_and_says_who_for_what_and_how_long() {
    let assertion = account().assertion(1_800_000_000).unwrap();
    let (signed, signature) = assertion.expose().rsplit_once('.').unwrap();
    let file: serde_json::Value = serde_json::from_str(ACCOUNT).unwrap();
    let pem = file["private_key"].as_str().unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    let parts: Vec<serde_json::Value> = signed
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "test-key-1"}));
    let expected = serde_json::json!({
        "iss": "gateway@test-project.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "http://127.0.0.1:1/token",
        "iat": 1_800_000_000, "exp": 1_800_003_600,
    });
    assert_eq!(parts[1], expected);
}

#[test]
fn a_file_that_is_no_account_says_why_and_nothing_of_itself() {
    use crate::providers::google_account::AccountError as E;
    let cases = [
        ("canary", E::Shape),
        (r#"{"type":"service_account","client_email":"canary"}"#, E::Shape),
        (r#"{"type":"authorized_user","client_id":"canary"}"#, E::Type),
        (r#"{"client_email":"canary","private_key":"canary"}"#, E::Key),
    ];
    for (text, expected) in cases {
        let error = ServiceAccount::read(&Secret::new(text)).unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(!error.to_string().contains("canary"));
    }
    assert_eq!(format!("{:?}", account()), "ServiceAccount(***)");
}

//! A Google service account: read from its JSON file, it signs assertions of who it is.
//!
//! Made by `server::build`, used by [`super::google_token`]. Errors and `Debug` say what is wrong
//! with a file, never what is in it.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

/// What a token may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Life of an assertion in seconds, the longest that is accepted.
const ASSERTION_LIFE_S: u64 = 3600;
/// Where tokens come from unless the file says otherwise.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A service account.
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: RsaKeyPair,
    /// Where its tokens come from.
    pub token_uri: String,
    /// The project it belongs to.
    pub project: Option<String>,
}

/// Why a file is not a service account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Not JSON, or without `client_email` or `private_key`.
    #[error("not the JSON file of a service account")]
    Shape,
    /// A credential of another type.
    #[error("only credentials of the type `service_account` are supported")]
    Type,
    /// The key is no RSA key in PKCS #8 PEM.
    #[error("its `private_key` is not an RSA key in PEM")]
    Key,
}

#[derive(Deserialize)]
struct File {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceAccount(***)")
    }
}

impl ServiceAccount {
    /// Reads the JSON file of an account.
    pub fn read(json: &Secret) -> Result<Self, AccountError> {
        let file: File = serde_json::from_str(json.expose()).map_err(|_| AccountError::Shape)?;
        if file.r#type.is_some_and(|kind| kind != "service_account") {
            return Err(AccountError::Type);
        }
        let (Some(email), Some(pem)) = (file.client_email, file.private_key.map(Secret::new))
        else {
            return Err(AccountError::Shape);
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|_| AccountError::Key)?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| AccountError::Key)?;
        Ok(Self {
            email,
            key_id: file.private_key_id,
            key,
            token_uri: file.token_uri.unwrap_or_else(|| TOKEN_URI.to_owned()),
            project: file.project_id,
        })
    }

    /// A signed statement of who asks, valid from now on for an hour.
    pub fn assertion(&self, now_s: u64) -> Option<Secret> {
        let header = Header { alg: "RS256", typ: "JWT", kid: self.key_id.as_deref() };
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now_s,
            exp: now_s.saturating_add(ASSERTION_LIFE_S),
        };
        let mut text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).ok()?));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).ok()?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(&signature));
        Some(Secret::new(text))
    }
}

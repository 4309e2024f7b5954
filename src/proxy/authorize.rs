//! The provider's credential goes into a request that is otherwise complete: a key, a token that
//! may have to be fetched first, or a signature over all that is sent.
//!
//! Used by `dispatch` and `raw`. Nothing signed may change after this.

use super::dispatch::Outgoing;
use crate::error::GatewayError;
use crate::providers::google_token::Token;
use crate::providers::sigv4::{Signer, Unsigned};
use crate::providers::{Authorization, Provider};
use http::header::AUTHORIZATION;
use pingora::BError;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use std::sync::Arc;

/// Headers a signature covers, in lower case.
const SIGNED: [&str; 3] = ["host", "content-type", "accept"];

/// Adds the credential; gives the token, if it is one.
pub async fn authorize(
    connector: &Connector,
    outgoing: &Outgoing,
    header: &mut RequestHeader,
) -> Result<Option<Arc<Token>>, GatewayError> {
    match outgoing.provider.vendor.authorization() {
        Authorization::Key => {
            if let Some(key) = outgoing.key() {
                header.insert_header(key.name.clone(), &key.value).map_err(|e| unfit(&e))?;
            }
            Ok(None)
        }
        Authorization::Token(tokens) => {
            let token = tokens.token(connector).await?;
            show(&token, header)?;
            Ok(Some(token))
        }
        Authorization::Signature(signer) => sign(signer, outgoing, header).map(|()| None),
    }
}

/// The token for a request whose body is not looked at; `None` for a provider that uses none.
pub async fn raw_token(
    connector: &Connector,
    provider: &Provider,
) -> Result<Option<Arc<Token>>, GatewayError> {
    match provider.vendor.authorization() {
        Authorization::Token(tokens) => tokens.token(connector).await.map(Some),
        Authorization::Key | Authorization::Signature(_) => Ok(None),
    }
}

/// Puts a token into a request.
pub fn show(token: &Token, header: &mut RequestHeader) -> Result<(), GatewayError> {
    header.insert_header(AUTHORIZATION, token.header()).map_err(|error| unfit(&error))
}

/// Whether another try with a new token may help: the provider refused one that seemed good.
pub fn refused(provider: &Provider, token: Option<&Arc<Token>>) -> bool {
    match (provider.vendor.authorization(), token) {
        (Authorization::Token(tokens), Some(token)) => tokens.forget(token),
        _ => false,
    }
}

fn sign(
    signer: &Signer,
    outgoing: &Outgoing,
    header: &mut RequestHeader,
) -> Result<(), GatewayError> {
    let headers: Vec<(&str, &[u8])> = SIGNED
        .iter()
        .flat_map(|name| header.headers.get_all(*name).iter().map(|value| (*name, value)))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let unsigned = Unsigned {
        method: header.method.as_str(),
        target: &outgoing.target,
        headers: &headers,
        body: &outgoing.body,
        at_s: outgoing.at_s,
    };
    let added = signer
        .sign(&unsigned)
        .ok_or_else(|| GatewayError::internal("the request could not be signed"))?;
    for (name, value) in added {
        header.insert_header(name, value).map_err(|error| unfit(&error))?;
    }
    Ok(())
}

fn unfit(error: &BError) -> GatewayError {
    GatewayError::internal(format!("upstream header: {error}"))
}

//! Judges the header of an answer: a success is to be read, everything else becomes an error.
//!
//! Used by every attempt. What a provider says of an error is decoded in its own words, and what is
//! no answer at all, or cannot be read, is never passed on as one.

use super::authorize;
use super::dispatch::UpstreamAnswer;
use crate::clock::Clock;
use crate::error::{GatewayError, Kind, Retry};
use crate::formats;
use crate::providers::{classify, retry_after};
use crate::routing::Candidate;

/// An answer that is not a success becomes an error.
pub async fn judge(
    clock: &Clock,
    candidate: &Candidate,
    upstream: &mut UpstreamAnswer,
) -> Result<(), GatewayError> {
    let status = upstream.status;
    if status == 200 {
        return upstream.check_coding();
    }
    let now_s = clock.unix_s();
    let wait = upstream.headers().and_then(|headers| retry_after(headers, now_s));
    let body = upstream.read_error().await;
    if (200..400).contains(&status) {
        let text = "the provider's answer has an unexpected status";
        return Err(GatewayError::upstream(Kind::ProviderUnavailable, text)
            .with_detail(format!("status {status}")));
    }
    let format = candidate.provider.vendor.error_format(&candidate.upstream_model);
    let failure = formats::decode_error(format, status, &body);
    let error = classify(failure, wait);
    let renewable =
        status == 401 && authorize::refused(&candidate.provider, upstream.token.as_ref());
    Err(if renewable { error.with_retry(Retry::SameEndpoint) } else { error })
}

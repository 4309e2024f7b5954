//! How a request found its way: which endpoints there were, which were tried, which one answered.
//!
//! Told to callers who ask for it (`X-OpenRouter-Metadata: enabled`), as OpenRouter tells it: the
//! member `openrouter_metadata` of an answer, of the last chunk of a stream, or of an error.

use super::{Exchange, Job};
use crate::formats::annotate::{self, Member};
use crate::routing::Candidate;
use crate::routing::auto::Explanation;
use crate::store::Generation;
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

/// Name of the member.
pub(in crate::proxy) const MEMBER: &str = "openrouter_metadata";
/// Header fields that ask for it.
const ASKING: [&str; 3] =
    ["x-openrouter-metadata", "x-openrouter-experimental-metadata", "x-arouter-metadata"];
/// Endpoints that are listed; the total counts all.
const MAX_LISTED: usize = 64;

#[derive(Serialize)]
struct Metadata<'m> {
    requested: &'m str,
    strategy: &'static str,
    region: Option<&'m str>,
    summary: String,
    attempt: u32,
    is_byok: bool,
    endpoints: Endpoints<'m>,
    attempts: Vec<Tried<'m>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pipeline: Vec<Step<'m>>,
}

/// Something that had a say before a model was asked.
#[derive(Serialize)]
struct Step<'m> {
    r#type: &'static str,
    name: &'static str,
    summary: String,
    data: &'m Explanation,
}

impl<'m> Step<'m> {
    fn of(explanation: &'m Explanation) -> Self {
        let summary = explanation.reasons.join("; ");
        Self { r#type: "plugin", name: "auto-router", summary, data: explanation }
    }
}

#[derive(Serialize)]
struct Endpoints<'m> {
    total: usize,
    available: Vec<Listed<'m>>,
}

#[derive(Serialize)]
struct Listed<'m> {
    provider: &'m str,
    model: &'m str,
    selected: bool,
}

#[derive(Serialize)]
struct Tried<'m> {
    provider: &'m str,
    model: &'m str,
    status: u16,
}

/// Whether a caller wants to know how its request found its way.
pub(in crate::proxy) fn is_asked_for(headers: &HeaderMap) -> bool {
    ASKING.iter().any(|name| {
        headers.get(*name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"enabled"))
    })
}

impl Exchange<'_> {
    /// The caller gets to know how its request found its way.
    #[must_use]
    pub fn with_metadata(mut self) -> Self {
        self.tells_metadata = true;
        self
    }

    /// A whole answer with the metadata, if the caller wants them and its format has a place.
    pub fn annotated(&self, body: Bytes, (record, candidate): (&Generation, &Candidate)) -> Bytes {
        use crate::formats::ApiFormat::Gemini;
        if !matches!(self.admitted.job, Job::Chat { client, .. } if client != Gemini) {
            return body;
        }
        match self.metadata(record, Some(candidate)) {
            Some(value) => annotate::whole(body, Member { name: MEMBER, value: &value }),
            None => body,
        }
    }

    /// The end of a stream with the metadata, on the same terms.
    pub fn annotated_end(
        &self,
        output: Bytes,
        (record, candidate): (&Generation, &Candidate),
    ) -> Bytes {
        let Job::Chat { client, .. } = self.admitted.job else { return output };
        let Some(value) = self.metadata(record, Some(candidate)) else { return output };
        let mut label = self.label(candidate);
        label.model.get_or_insert_with(|| std::sync::Arc::clone(&candidate.canonical));
        annotate::end_of_stream(client, output, Member { name: MEMBER, value: &value }, &label)
    }

    /// The metadata as JSON, if the caller wants them; `answering` is the endpoint that answered.
    pub fn metadata(&self, record: &Generation, answering: Option<&Candidate>) -> Option<Bytes> {
        if !self.tells_metadata {
            return None;
        }
        let candidates = &self.admitted.plan.candidates;
        let mut attempts: Vec<Tried<'_>> = record
            .failed_attempts
            .iter()
            .map(|failed| Tried {
                provider: self.display_name(&failed.provider),
                model: &failed.model,
                status: failed.status,
            })
            .collect();
        attempts.extend(answering.map(|candidate| Tried {
            provider: &candidate.provider.display_name,
            model: &candidate.canonical,
            status: 200,
        }));
        let metadata = Metadata {
            requested: &record.requested_model,
            strategy: self.strategy(&record.requested_model),
            region: None,
            summary: summary(candidates.len(), record.attempts, answering),
            attempt: record.attempts,
            is_byok: answering.is_some_and(|candidate| candidate.provider.byok),
            endpoints: Endpoints {
                total: candidates.len(),
                available: listed(candidates, answering),
            },
            attempts,
            pipeline: self.admitted.steering.auto.iter().map(Step::of).collect(),
        };
        serde_json::to_vec(&metadata).ok().map(Bytes::from)
    }

    /// OpenRouter's word for how the candidates were found.
    fn strategy(&self, requested: &str) -> &'static str {
        if let Some(explanation) = &self.admitted.steering.auto {
            return explanation.router;
        }
        let candidates = &self.admitted.plan.candidates;
        let Some(first) = candidates.first() else { return "direct" };
        let has_several = candidates.iter().any(|next| next.canonical != first.canonical);
        let (_, bare) = first.canonical.split_once('/').unwrap_or_default();
        match () {
            () if requested == &*first.canonical || requested == bare => {
                if has_several {
                    "fallback"
                } else {
                    "direct"
                }
            }
            () if requested.contains('/') || requested.is_empty() => "direct",
            () => "alias",
        }
    }

    fn display_name<'m>(&'m self, slug: &'m str) -> &'m str {
        let candidates = &self.admitted.plan.candidates;
        let found = candidates.iter().find(|candidate| &*candidate.provider.slug == slug);
        found.map_or(slug, |candidate| &candidate.provider.display_name)
    }
}

fn listed<'m>(candidates: &'m [Candidate], answering: Option<&Candidate>) -> Vec<Listed<'m>> {
    let is_selected = |candidate: &Candidate| {
        answering.is_some_and(|answering| {
            answering.provider.slug == candidate.provider.slug
                && answering.upstream_model == candidate.upstream_model
        })
    };
    let all = candidates.iter().map(|candidate| Listed {
        provider: &candidate.provider.display_name,
        model: &candidate.canonical,
        selected: is_selected(candidate),
    });
    all.take(MAX_LISTED).collect()
}

fn summary(endpoints: usize, attempts: u32, answering: Option<&Candidate>) -> String {
    match answering {
        Some(candidate) => format!(
            "{} answered at attempt {attempts}; endpoints that could: {endpoints}",
            candidate.provider.display_name
        ),
        None => format!("no answer after {attempts} attempts; endpoints that could: {endpoints}"),
    }
}

//! Log probabilities in OpenAI's shape.

use super::answer::Text;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Gemini's `logprobsResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chosen<'a> {
    #[serde(borrow, alias = "chosen_candidates")]
    chosen_candidates: Option<Vec<Token<'a>>>,
    #[serde(borrow, alias = "top_candidates")]
    top_candidates: Option<Vec<Top<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Token<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(alias = "log_probability")]
    log_probability: Option<f64>,
}

#[derive(Serialize)]
struct Logprobs<'a> {
    content: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Entry<'a>>>,
}

impl Chosen<'_> {
    /// `{"content":[{token,logprob,bytes,top_logprobs}]}`; nothing when there are no tokens.
    pub(super) fn in_openai_shape(&self) -> Option<Box<RawValue>> {
        let chosen = self.chosen_candidates.as_ref().filter(|tokens| !tokens.is_empty())?;
        let tops = self.top_candidates.as_deref().unwrap_or_default();
        let content = chosen.iter().enumerate().map(|(at, token)| {
            let top = tops.get(at).and_then(|top| top.candidates.as_deref()).unwrap_or_default();
            let top_logprobs = Some(top.iter().map(|token| entry(token, None)).collect());
            entry(token, top_logprobs)
        });
        serde_json::value::to_raw_value(&Logprobs { content: content.collect() }).ok()
    }
}

fn entry<'t>(token: &'t Token<'_>, top_logprobs: Option<Vec<Entry<'t>>>) -> Entry<'t> {
    let text = token.token.as_ref().map_or("", |text| text.0.as_ref());
    let logprob = token.log_probability.unwrap_or(0.0);
    Entry { token: text, logprob, bytes: text.as_bytes(), top_logprobs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_alternatives() {
        let chosen: Chosen<'_> = serde_json::from_str(
            r#"{"chosenCandidates":[{"token":"é","logProbability":-0.5,"tokenId":1}],
            "topCandidates":[{"candidates":[{"token":"e","logProbability":-2}]}]}"#,
        )
        .unwrap();
        assert_eq!(
            chosen.in_openai_shape().unwrap().get(),
            r#"{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"e","logprob":-2.0,"bytes":[101]}]}]}"#
        );
        assert!(Chosen::default().in_openai_shape().is_none());
    }
}

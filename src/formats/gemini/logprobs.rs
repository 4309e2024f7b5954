//! Log probabilities: Gemini's shape read into OpenAI's, and OpenAI's written in Gemini's.

use super::answer::Text;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
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

/// OpenAI's `logprobs` object.
#[derive(Debug, Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    content: Option<Vec<GivenToken<'a>>>,
}

#[derive(Debug, Deserialize)]
struct GivenToken<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    logprob: Option<&'a RawValue>,
    #[serde(borrow)]
    top_logprobs: Option<Vec<GivenToken<'a>>>,
}

/// Appends `,"logprobsResult":{…}` made of OpenAI's object; nothing when it says nothing.
pub(super) fn write(openai: &RawValue, out: &mut BytesMut) {
    let given = serde_json::from_str::<Given<'_>>(openai.get()).ok();
    let Some(tokens) = given.and_then(|given| given.content).filter(|list| !list.is_empty()) else {
        return;
    };
    out.put_slice(br#","logprobsResult":{"topCandidates":["#);
    for (at, token) in tokens.iter().enumerate() {
        out.put_slice(if at > 0 { br#",{"candidates":"# } else { br#"{"candidates":"# });
        write_tokens(token.top_logprobs.as_deref().unwrap_or_default(), out);
        out.put_u8(b'}');
    }
    out.put_slice(br#"],"chosenCandidates":"#);
    write_tokens(&tokens, out);
    out.put_u8(b'}');
}

fn write_tokens(tokens: &[GivenToken<'_>], out: &mut BytesMut) {
    out.put_u8(b'[');
    for (at, token) in tokens.iter().enumerate() {
        out.put_slice(if at > 0 { br#",{"token":"# } else { br#"{"token":"# });
        write_string(out, &token.token.0);
        // What a provider puts in a number's place, clients cannot read.
        if let Some(number) = token.logprob.map(RawValue::get).filter(|text| is_number(text)) {
            out.put_slice(br#","logProbability":"#);
            out.put_slice(number.as_bytes());
        }
        out.put_u8(b'}');
    }
    out.put_u8(b']');
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
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
    fn written_ones_read_the_same() {
        let openai = r#"{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"e","logprob":-2.0,"bytes":[101]}]},{"token":"\"","logprob":-1.0,"bytes":[34],"top_logprobs":[]}]}"#;
        let mut out = BytesMut::from(&b"{\"a\":1"[..]);
        write(serde_json::from_str(openai).unwrap(), &mut out);
        out.put_u8(b'}');
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let result = value["logprobsResult"].to_string();
        let chosen: Chosen<'_> = serde_json::from_str(&result).unwrap();
        assert_eq!(chosen.in_openai_shape().unwrap().get(), openai);
        for nothing in ["null", "{}", r#"{"content":[]}"#, r#"{"content":5}"#] {
            let mut out = BytesMut::new();
            write(serde_json::from_str(nothing).unwrap(), &mut out);
            assert!(out.is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        for other in ["{}", "null", "\"-1\"", "[ -1\n]"] {
            let openai = format!(r#"{{"content":[{{"token":"a","logprob":{other}}}]}}"#);
            let mut out = BytesMut::new();
            write(serde_json::from_str(&openai).unwrap(), &mut out);
            let expected = r#","logprobsResult":{"topCandidates":[{"candidates":[]}],"chosenCandidates":[{"token":"a"}]}"#;
            assert_eq!(out, expected, "{other}");
        }
    }

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

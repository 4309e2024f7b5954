//! One rich request as every known provider gets it.

use crate::formats::Target;
use crate::formats::openai_chat::dialect::Dialect;
use crate::formats::openai_chat::request::{decode, encode};
use serde_json::Value;

/// A request with something for every dialect to say differently.
const RICH: &str = include_str!("../rich_request.json");

/// The rich request as every known provider of this format gets it.
#[test]
fn every_known_provider_gets_its_own_form() {
    let known: toml::Table = include_str!("../../../../../../conf/providers.toml").parse().unwrap();
    let request = decode(RICH.as_bytes()).unwrap();
    for (name, facts) in &known {
        if facts["format"].as_str() != Some("openai_chat") {
            continue;
        }
        let dialect: Dialect = match facts.get("dialect") {
            Some(facts) => facts.clone().try_into().unwrap(),
            None => Dialect::default(),
        };
        let target = Target { stream: true, dialect: &dialect, ..Target::new("model-x") };
        let sent = match encode(&request, target) {
            Ok(encoded) => {
                let body: Value = serde_json::from_slice(&encoded.body).unwrap();
                format!("dropped: {}\n{body:#}", encoded.dropped.join(", "))
            }
            Err(error) => format!("refused: {error}"),
        };
        insta::assert_snapshot!(name.clone(), sent);
    }
}

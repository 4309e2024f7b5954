//! What requests for a name wish of their providers unless they say otherwise.
//!
//! Used by `proxy::ask`. A preset is written as a request's `provider` object is, and read by the same
//! code; a member that a request writes itself takes the place of the preset's.

use super::model_ref;
use super::preferences::Preferences;
use crate::error::GatewayError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Members that a preset may have.
const MEMBERS: [&str; 13] = [
    "order",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "enforce_distillable_text",
    "only",
    "ignore",
    "quantizations",
    "sort",
    "preferred_min_throughput",
    "preferred_max_latency",
    "max_price",
];

/// Presets by the name that callers ask for: a model or an alias.
pub type Presets = HashMap<String, Preset>;

/// The wishes for one name.
#[derive(Debug)]
pub struct Preset {
    members: Map<String, Value>,
    /// The same, read.
    preferences: Preferences,
}

impl Preset {
    /// A preset of these members; the error says which of them is wrong, and why.
    pub fn new(members: &BTreeMap<String, Value>) -> Result<Self, String> {
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(format!("`{unknown}` is no member of `provider`: {}", MEMBERS.join(", ")));
        }
        let members: Map<String, Value> = members.clone().into_iter().collect();
        let text = serde_json::to_vec(&members).map_err(|error| error.to_string())?;
        let preferences = Preferences::read(&text).map_err(|error| error.message.to_string())?;
        Ok(Self { members, preferences })
    }

    /// The preset for a name that a caller asks for, with or without variants.
    pub fn find<'p>(presets: &'p Presets, name: &str) -> Option<&'p Self> {
        model_ref::find(presets, name)
    }

    /// The wishes of a request whose `provider` is `raw`.
    pub fn with(&self, raw: Option<&[u8]>) -> Result<Preferences, GatewayError> {
        let Some(raw) = raw.filter(|raw| *raw != b"null") else {
            return Ok(self.preferences.clone());
        };
        // Whatever is wrong with it is said of what the request wrote.
        Preferences::read(raw)?;
        let own: Map<String, Value> = serde_json::from_slice(raw).map_err(|error| {
            GatewayError::internal(format!("a `provider` that was read: {error}"))
        })?;
        let mut all = self.members.clone();
        all.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
        let text = serde_json::to_vec(&all)
            .map_err(|error| GatewayError::internal(format!("a preset: {error}")))?;
        Preferences::read(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::SortBy;
    use serde_json::json;

    fn preset(members: &Value) -> Result<Preset, String> {
        Preset::new(&serde_json::from_value(members.clone()).unwrap())
    }

    #[test]
    fn a_request_is_heard_before_its_preset() {
        let preset = preset(&json!({ "sort": "price", "ignore": ["a"], "zdr": true })).unwrap();
        let with = |raw: &str| preset.with(Some(raw.as_bytes())).unwrap();
        for alone in
            [preset.with(None).unwrap(), with("null"), with("{}"), with(r#"{"sort":null}"#)]
        {
            assert_eq!((alone.sort, alone.zdr), (Some(SortBy::Price), true));
            assert_eq!(alone.ignore, ["a"]);
        }
        let both = with(r#"{"sort":"latency","zdr":false,"order":["b"],"unheard_of":1}"#);
        assert_eq!((both.sort, both.zdr), (Some(SortBy::Latency), false));
        assert_eq!((both.ignore, both.order), (vec!["a".to_owned()], vec!["b".to_owned()]));
    }

    #[test]
    fn what_a_request_writes_wrong_is_its_own_fault() {
        let preset = preset(&json!({ "sort": "price" })).unwrap();
        for raw in ["7", "[]", r#"{"sort":"odd"}"#, r#"{"order":1}"#, "{"] {
            let error = preset.with(Some(raw.as_bytes())).unwrap_err();
            assert!(error.param.is_some_and(|param| param.starts_with("provider")), "{raw}");
        }
    }

    #[test]
    fn a_preset_is_checked_when_it_is_made() {
        for (members, word) in [
            (json!({ "sorted": "price" }), "`sorted`"),
            (json!({ "sort": "odd" }), "provider.sort"),
            (json!({ "order": "a" }), "provider.order"),
        ] {
            let error = preset(&members).unwrap_err();
            assert!(error.contains(word), "{members}: {error}");
        }
        for name in MEMBERS {
            assert!(preset(&json!({ name: null })).is_ok(), "{name}");
            assert!(preset(&json!({ name: "\u{0}" })).is_err(), "{name} is not read");
        }
    }
}

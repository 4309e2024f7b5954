//! Who is asked: every wish of a request, every variant, aliases and limited keys, through the
//! gateway. The mock's journal is the judge of the order.

use crate::rig::{Answer, KEY, Plan, Rig};
use crate::routing_table::{Expected, KEYS, REQUESTS, Setting};
use futures::StreamExt;
use serde_json::{Value, json};
use std::fmt::Write;

/// A case with what is its own: providers, models, the caller's key.
struct Case {
    id: String,
    setting: Setting,
    /// What the key may; empty for the rig's own.
    key: &'static str,
    members: &'static str,
    expected: Expected,
}

fn cases() -> Vec<Case> {
    let of_requests =
        REQUESTS.iter().map(|(setting, members, expected)| (*setting, "", *members, *expected));
    let all = of_requests.chain(KEYS.iter().copied());
    let numbered = all.enumerate().map(|(number, (setting, key, members, expected))| Case {
        id: format!("{number:03}"),
        setting,
        key,
        members,
        expected,
    });
    numbered.collect()
}

impl Case {
    /// A text of the table with the names of this case.
    fn named(&self, text: &str) -> String {
        let id = &self.id;
        let mut named = text.to_owned();
        for letter in ["a", "b", "c", "d"] {
            named = named.replace(&format!("@{letter}"), &format!("p{id}{letter}"));
            let shouted = letter.to_uppercase();
            named = named.replace(&format!("@{shouted}"), &format!("P{id}{shouted}"));
        }
        named
            .replace("@x", &format!("x{id}/m"))
            .replace("@y", &format!("y{id}/m"))
            .replace("@f", &format!("f{id}"))
    }

    fn secret(&self) -> String {
        if self.key.is_empty() { KEY.to_owned() } else { format!("lr_live_{:0>48}", self.id) }
    }

    fn endpoint(&self, letter: &str, more: &str) -> String {
        let id = &self.id;
        format!("{{ provider = 'p{id}{letter}', upstream_model = 'm{id}{letter}'{more} }}")
    }

    fn priced(&self, endpoints: &[(&str, &str)]) -> String {
        let priced = |(letter, price): &(&str, &str)| {
            let price = format!(", price = {{ prompt = '{price}', completion = '{price}' }}");
            self.endpoint(letter, &price)
        };
        endpoints.iter().map(priced).collect::<Vec<_>>().join(", ")
    }

    /// The endpoints of its models, by name.
    fn models(&self) -> Vec<(&'static str, String)> {
        let each =
            |of: [(&str, &str); 3]| of.map(|(one, more)| self.endpoint(one, more)).join(", ");
        let plain = || each([("a", ""), ("b", ""), ("c", "")]);
        match self.setting {
            Setting::Plain | Setting::Alias | Setting::Wishes => vec![("@x", plain())],
            Setting::Edition => vec![("@x", plain()), ("@x:free", self.endpoint("d", ""))],
            Setting::Priced => vec![("@x", self.priced(&[("c", "3"), ("a", "1"), ("b", "2")]))],
            Setting::Policies => {
                let zdr = ", data_policy = { zdr = true }";
                let no_day = ", data_policy = { retains_days = 0 }";
                vec![("@x", each([("a", zdr), ("b", no_day), ("c", "")]))]
            }
            Setting::Quantized => {
                let (fp8, int4) = (", quantization = 'fp8'", ", quantization = 'int4'");
                vec![("@x", each([("a", fp8), ("b", int4), ("c", "")]))]
            }
            Setting::Limited => {
                let (none, all) = (self.endpoint("a", ", supported_parameters = []"), "b");
                vec![("@x", format!("{none}, {}", self.endpoint(all, "")))]
            }
            Setting::TwoModels | Setting::Preset => vec![
                ("@x", self.priced(&[("a", "3"), ("b", "1")])),
                ("@y", self.priced(&[("c", "2"), ("d", "0.5")])),
            ],
        }
    }

    /// Its line of `[aliases]`.
    fn alias(&self) -> String {
        match self.setting {
            Setting::Alias => self.named("@f = ['@a/n', '@x']\n"),
            Setting::Preset => self.named("@f = ['@x:floor', '@y:floor']\n"),
            Setting::Wishes => self.named("@f = ['@x']\n"),
            _ => String::new(),
        }
    }

    /// Its tables of the configuration.
    fn config(&self) -> String {
        let mut text = String::new();
        for letter in ["a", "b", "c", "d"] {
            write!(
                text,
                "[providers.p{}{letter}]\nformat = 'openai'\nbase_url = 'http://MOCK_ADDRESS/v1'\n\
                 keys = [{{ insecure_literal = 'sk-routing-{}{letter}' }}]\n",
                self.id, self.id
            )
            .unwrap();
        }
        for (name, endpoints) in self.models() {
            write!(text, "[models.'{}']\nendpoints = [{endpoints}]\n", self.named(name)).unwrap();
        }
        if self.setting == Setting::Wishes {
            let preset = "[routing.presets.'@f']\norder = ['@c']\nignore = ['@a']\n";
            text.push_str(&self.named(preset));
        }
        if !self.key.is_empty() {
            let (id, secret) = (&self.id, self.secret());
            let may = self.named(self.key);
            write!(text, "[keys.k{id}]\nsecret = {{ insecure_literal = '{secret}' }}\n{may}\n")
                .unwrap();
        }
        text
    }

    async fn ask(&self, rig: &Rig, text: &str) -> Answer {
        let mut body = json!({
            "model": self.named("@x"), "messages": [{ "role": "user", "content": text }],
        });
        let members: Value = serde_json::from_str(&self.named(self.members)).unwrap();
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        let auth = format!("Bearer {}", self.secret());
        let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
        rig.send("POST", "/v1/chat/completions", &headers, body.to_string()).await
    }

    /// The first of the order answers; where all fail, all are asked in that order.
    async fn check(&self, rig: &Rig) {
        let case = format!("{:?} {} {}", self.setting, self.key, self.members);
        let answer = self.ask(rig, "hello").await;
        match self.expected {
            Expected::Refused(status, param) => {
                assert_eq!(answer.status, status, "{case}: {}", answer.text());
                assert_eq!(answer.json()["error"]["param"], param, "{case}: {}", answer.text());
            }
            Expected::Asked(order) => {
                assert_eq!(answer.status, 200, "{case}: {}", answer.text());
                let first = format!("p{}{}", self.id, &order[..1]);
                assert_eq!(answer.header("x-arouter-provider"), first, "{case}");
                assert_eq!(answer.header("x-arouter-attempts"), "1", "{case}");
                let answer = self.ask(rig, r#"[[mock {"error":"overloaded"}]]"#).await;
                assert_eq!(answer.status, 503, "{case}: {}", answer.text());
            }
        }
    }

    /// Whom the journal saw of this case, by the key that each provider is asked with.
    fn asked(&self, journal: &[Value]) -> String {
        let keys = journal.iter().filter_map(|entry| entry["key_suffix"].as_str());
        keys.filter_map(|key| key.strip_prefix(self.id.as_str())).collect()
    }
}

#[tokio::test]
async fn the_order_is_what_the_request_says() {
    let cases = cases();
    let mut more: String = "[routing]\nmax_attempts = 8\n".to_owned();
    for case in &cases {
        more.push_str(&case.config());
    }
    let aliases: String = cases.iter().map(Case::alias).collect();
    let rig = Rig::with(Plan { aliases: &aliases, more: &more, ..Plan::default() }).await;
    let all = cases.iter().map(|case| case.check(&rig));
    futures::stream::iter(all).buffer_unordered(8).collect::<()>().await;
    let journal = rig.journal().await;
    for case in &cases {
        let expected = match case.expected {
            Expected::Asked(order) => format!("{}{order}", &order[..1]),
            Expected::Refused(..) => String::new(),
        };
        let found = case.asked(&journal);
        assert_eq!(found, expected, "{:?} {} {}", case.setting, case.key, case.members);
    }
}

#[tokio::test]
async fn wishes_hold_on_every_api() {
    let rig = Rig::start().await;
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let apis = [
        ("/v1/chat/completions", json!({ "messages": messages })),
        ("/v1/responses", json!({ "input": "hello" })),
        ("/v1/messages", json!({ "messages": messages, "max_tokens": 50 })),
        ("/v1/embeddings", json!({ "input": "hello" })),
    ];
    for (path, body) in apis {
        let asked = async |wishes: Value| {
            let mut body = body.clone();
            body["model"] = json!("openai/gpt-5.4");
            body["provider"] = wishes;
            let answer = rig.post(path, &body).await;
            (answer.status, answer.text())
        };
        assert_eq!(asked(json!({ "only": ["OpenAI"] })).await.0, 200, "{path}");
        let (status, text) = asked(json!({ "ignore": ["openai"] })).await;
        assert!(status == 404 && text.contains("provider.ignore"), "{path}: {status} {text}");
        let (status, text) = asked(json!({ "only": "openai" })).await;
        assert!(status == 400 && text.contains("provider.only"), "{path}: {status} {text}");
    }
}

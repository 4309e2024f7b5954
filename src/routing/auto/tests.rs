//! What the auto router chooses, and what it says about it.

use super::*;
use proptest::prelude::*;

/// A model of a price in micro-dollars that can what is listed and cannot what is listed after.
fn model(id: &str, price: impl Into<Option<i128>>, can: &[Need], cannot: &[Need]) -> Contender {
    Contender {
        id: id.into(),
        can: can.iter().copied().collect(),
        cannot: cannot.iter().copied().collect(),
        context_length: None,
        price: price.into().map(|micro| PicoUsd::from_pico(micro * 1_000_000)),
        condition: Condition::Well,
    }
}

/// Best first: each better one is dearer.
fn ladder() -> Vec<Contender> {
    let rungs = [("a/best", 100), ("a/good", 40), ("b/fair", 20), ("b/small", 5), ("c/tiny", 1)];
    rungs.map(|(id, price)| model(id, price, &[], &[])).into()
}

fn options(json: &str) -> Options {
    Options::read(Some(json.as_bytes())).unwrap()
}

fn plugin(members: &str) -> Options {
    options(&format!(r#"[{{"id":"web"}},{{"id":"auto-router"{members}}}]"#))
}

fn ask<'a>(options: &'a Options, needs: &'a BTreeSet<Need>) -> AutoAsk<'a> {
    AutoAsk { router: Router::Auto, options, needs, tokens: 1_000, kept: None, dice: 0 }
}

fn chosen(options: &Options, needs: &[Need], models: &[Contender]) -> Vec<String> {
    let needs = needs.iter().copied().collect();
    let choice = choose(&ask(options, &needs), models).unwrap();
    assert_eq!(choice.explanation.model, choice.models[0]);
    choice.models.iter().map(ToString::to_string).collect()
}

#[test]
fn names() {
    let cases = [
        ("auto", Some(Router::Auto)),
        ("openrouter/auto", Some(Router::Auto)),
        ("openrouter/auto-beta", Some(Router::Auto)),
        ("openrouter/free", Some(Router::Free)),
        ("free", None),
        ("openai/auto", None),
        ("AUTO", None),
    ];
    for (name, router) in cases {
        assert_eq!(Router::named(name), router, "{name}");
    }
}

#[test]
fn patterns() {
    let cases = [
        ("a/b", "a/b", true),
        ("a/b", "a/bc", false),
        ("a/*", "a/b", true),
        ("a/*", "ab/c", false),
        ("*", "a/b", true),
        ("*/b", "a/b", true),
        ("*-mini", "a/b-mini", true),
        ("*-mini", "a/b-mini-2", false),
        ("a/*-5*mini", "a/gpt-5-mini", true),
        ("a/*-5*mini", "a/gpt-mini-5", false),
        ("a*a", "a", false),
        ("", "a", false),
        ("**", "", true),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn the_plugin_entry() {
    for json in ["null", "[]", r#"[{"id":"web","allowed_models":7}]"#, "[{}]"] {
        assert_eq!(Options::read(Some(json.as_bytes())), Ok(Options::default()), "{json}");
    }
    assert_eq!(Options::read(None), Ok(Options::default()));
    let off = r#"[{"id":"auto-router","enabled":false,"excluded_models":["*"]}]"#;
    assert_eq!(options(off), Options::default());
    let read = plugin(r#","allowed_models":["a/*"],"pin_model":true,"cost_tier":"xhigh""#);
    assert_eq!((&*read.allowed_models[0], read.cost_tier), ("a/*", Some(CostTier::XHigh)));
    for json in [
        "7",
        "[7]",
        r#"[{"id":"auto-router","cost_quality_tradeoff":11}]"#,
        r#"[{"id":"auto-router","cost_quality_tradeoff":-1}]"#,
        r#"[{"id":"auto-router","cost_tier":"free"}]"#,
        r#"[{"id":"auto-beta-router","allowed_models":"a"}]"#,
    ] {
        assert!(Options::read(Some(json.as_bytes())).is_err(), "{json}");
    }
}

#[test]
fn the_balance_of_quality_and_price() {
    let models = ladder();
    let cases = [
        ("", "b/small"),
        (r#","cost_quality_tradeoff":0"#, "a/best"),
        (r#","cost_quality_tradeoff":2"#, "a/good"),
        (r#","cost_quality_tradeoff":5"#, "b/fair"),
        (r#","cost_quality_tradeoff":10"#, "c/tiny"),
        (r#","cost_tier":"low","cost_quality_tradeoff":0"#, "b/small"),
        (r#","cost_tier":"medium","cost_quality_tradeoff":0"#, "b/fair"),
        (r#","cost_tier":"max","cost_quality_tradeoff":0"#, "a/best"),
        (r#","allowed_models":["a/*"]"#, "a/good"),
        (r#","allowed_models":["a/*"],"excluded_models":["*good"]"#, "a/best"),
        (r#","excluded_models":["c/tiny","b/*"],"cost_quality_tradeoff":10"#, "a/good"),
    ];
    for (members, expected) in cases {
        assert_eq!(chosen(&plugin(members), &[], &models)[0], expected, "{members}");
    }
    let neighbours = chosen(&plugin(r#","cost_quality_tradeoff":5"#), &[], &models);
    assert_eq!(neighbours, ["b/fair", "a/good", "b/small", "a/best", "c/tiny"]);
}

#[test]
fn a_model_that_is_neither_better_nor_cheaper_comes_last() {
    let models = [
        model("a/best", 10, &[], &[]),
        model("a/dear", 90, &[], &[]),
        model("a/unpriced", None, &[], &[]),
        model("a/cheap", 1, &[], &[]),
    ];
    let dearest = plugin(r#","cost_quality_tradeoff":0"#);
    assert_eq!(chosen(&dearest, &[], &models), ["a/best", "a/cheap", "a/dear", "a/unpriced"]);
    let priced = plugin(r#","cost_tier":"high","cost_quality_tradeoff":0"#);
    assert_eq!(chosen(&priced, &[], &models), ["a/best", "a/cheap", "a/dear"]);
}

#[test]
fn needs_decide_before_the_balance() {
    use Need::{Audio, Images, Tools};
    let models = [
        model("a/best", 9, &[Images, Tools], &[Audio]),
        model("b/text", 1, &[Tools], &[Images, Audio]),
        model("c/unknown", 2, &[], &[]),
    ];
    let any = Options::default();
    assert_eq!(chosen(&any, &[], &models), ["b/text", "a/best", "c/unknown"]);
    assert_eq!(chosen(&any, &[Tools], &models), ["b/text", "a/best", "c/unknown"]);
    assert_eq!(chosen(&any, &[Images], &models), ["a/best", "c/unknown"]);
    assert_eq!(chosen(&any, &[Audio], &models), ["c/unknown"]);
    // No model is known to do it: the providers decide, the gateway does not refuse.
    assert_eq!(chosen(&any, &[Audio], &models[..2]), ["b/text", "a/best"]);
}

#[test]
fn length_and_health() {
    let small = Contender { context_length: Some(999), ..model("a/small", 1, &[], &[]) };
    let large = Contender { context_length: Some(1_000), ..model("a/large", 9, &[], &[]) };
    let any = Options::default();
    assert_eq!(chosen(&any, &[], &[large.clone(), small.clone()]), ["a/large"]);
    assert_eq!(chosen(&any, &[], std::slice::from_ref(&small)), ["a/small"]);
    let in_condition = |condition| Contender { condition, ..model("a/other", 1, &[], &[]) };
    let ailing = [large.clone(), in_condition(Condition::Ailing)];
    assert_eq!(chosen(&any, &[], &ailing), ["a/large", "a/other"]);
    assert_eq!(chosen(&any, &[], &[large, in_condition(Condition::Down)]), ["a/large"]);
    assert_eq!(chosen(&any, &[], &[in_condition(Condition::Down)]), ["a/other"]);
}

#[test]
fn conditions() {
    let view =
        |gate, recent_outage| EndpointView { gate, recent_outage, ..EndpointView::default() };
    let open = view(Gate::Open { retry_in_ms: 1 }, true);
    let cases: &[(&[EndpointView], Condition)] = &[
        (&[EndpointView::default(), open], Condition::Well),
        (&[view(Gate::Closed, true), open], Condition::Ailing),
        (&[view(Gate::HalfOpen, false)], Condition::Ailing),
        (&[open, open], Condition::Down),
        (&[], Condition::Down),
    ];
    for (views, expected) in cases {
        assert_eq!(Condition::of(views.iter().copied()), *expected, "{views:?}");
    }
}

#[test]
fn a_conversation_stays_with_its_model_while_that_may_serve_it() {
    let (models, needs) = (ladder(), BTreeSet::new());
    let kept = |options: &Options, models: &[Contender]| {
        let ask = AutoAsk { kept: Some("a/good"), ..ask(options, &needs) };
        choose(&ask, models).unwrap().models[0].to_string()
    };
    assert_eq!(kept(&Options::default(), &models), "a/good");
    assert_eq!(kept(&plugin(r#","excluded_models":["a/good"]"#), &models), "b/small");
    let mut down = models;
    down[1].condition = Condition::Down;
    assert_eq!(kept(&Options::default(), &down), "b/small");
}

#[test]
fn free_models_are_drawn() {
    let (options, needs) = (Options::default(), BTreeSet::from([Need::Images]));
    let models = [
        model("a/paid", 1, &[Need::Images], &[]),
        model("b/free", 0, &[Need::Images], &[]),
        model("c/blind", 0, &[], &[Need::Images]),
        model("d/free", 0, &[Need::Images], &[]),
        model("e/unpriced", None, &[Need::Images], &[]),
    ];
    let drawn = |dice| {
        let ask = AutoAsk { router: Router::Free, dice, ..ask(&options, &needs) };
        choose(&ask, &models).unwrap().models.iter().map(ToString::to_string).collect()
    };
    let (one, other): (Vec<String>, Vec<String>) = (drawn(0), drawn(1));
    assert_eq!(
        (one, other),
        (vec!["b/free".into(), "d/free".into()], vec!["d/free".into(), "b/free".into()])
    );
    let ask = AutoAsk { router: Router::Free, ..ask(&options, &needs) };
    assert_eq!(choose(&ask, &models[..1]), Err(AutoError::NothingFree));
}

#[test]
fn nothing_is_left_only_where_the_caller_says_so() {
    let nothing = plugin(r#","allowed_models":["x/*"]"#);
    let needs = BTreeSet::new();
    assert_eq!(choose(&ask(&nothing, &needs), &ladder()), Err(AutoError::NothingAllowed));
    assert_eq!(choose(&ask(&Options::default(), &needs), &[]), Err(AutoError::NothingAllowed));
}

#[test]
fn the_reasons_are_told() {
    let needs = BTreeSet::from([Need::Tools]);
    let mut models = ladder();
    models[4].cannot.insert(Need::Tools);
    let options = plugin(r#","excluded_models":["a/best"],"cost_tier":"high""#);
    let told = serde_json::to_value(choose(&ask(&options, &needs), &models).unwrap().explanation);
    let expected = serde_json::json!({
        "router": "auto",
        "model": "b/fair",
        "reasons": [
            "the request's patterns allow 4 of 5 models",
            "may take tools: 3 of 4 models",
            "balance 7 of 10 between quality (0) and price (10): place 2 of 3"
        ]
    });
    assert_eq!(told.unwrap(), expected);
}

proptest! {
    /// Whatever is asked, no model is named twice, none that is excluded is named, and there is
    /// one unless everything is excluded.
    #[test]
    fn there_is_a_choice(
        facts in proptest::collection::vec((any::<Option<u8>>(), any::<u8>(), 0_u8..3), 1..12),
        tradeoff in prop::option::of(0_u8..=10),
        tier in prop::sample::select(vec!["low", "medium", "high", "xhigh", "max"]),
        excluded in 0_usize..12,
        dice in any::<u64>(),
        free in any::<bool>(),
    ) {
        use Need::{Audio, Images, Tools};
        let models: Vec<Contender> = facts.iter().enumerate().map(|(n, (price, bits, condition))| {
            let all = [Audio, Images, Tools];
            let with = |mask: u8| all.into_iter().enumerate()
                .filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, need)| need).collect::<Vec<_>>();
            let condition = [Condition::Well, Condition::Ailing, Condition::Down][usize::from(*condition)];
            let price = price.map(|price| i128::from(price / 64));
            let room = (bits & 128 == 0).then_some(500);
            let plain = model(&format!("m/{n:02}"), price, &with(bits & 7), &with(!bits & bits >> 3 & 7));
            Contender { condition, context_length: room, ..plain }
        }).collect();
        let options = Options {
            excluded_models: vec![format!("m/{excluded:02}")],
            cost_quality_tradeoff: tradeoff,
            cost_tier: options(&format!(r#"[{{"id":"auto-router","cost_tier":"{tier}"}}]"#)).cost_tier,
            ..Options::default()
        };
        let needs = BTreeSet::from([Audio, Images, Tools]);
        let router = if free { Router::Free } else { Router::Auto };
        let ask = AutoAsk { router, dice, ..ask(&options, &needs) };
        match choose(&ask, &models) {
            Ok(choice) => {
                let names: BTreeSet<&str> = choice.models.iter().map(|name| &**name).collect();
                prop_assert_eq!(names.len(), choice.models.len());
                prop_assert!(names.len() <= MAX_CHOSEN && !names.contains(&*options.excluded_models[0]));
            }
            Err(AutoError::NothingFree) => prop_assert!(free),
            Err(error) => prop_assert!(models.len() == 1 && excluded == 0, "{error}"),
        }
    }
}

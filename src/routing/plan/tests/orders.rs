//! The order among endpoints that may all serve: by speed, by how they are doing, by chance.

use super::*;
use crate::routing::ToolErrors;

#[test]
fn speed() {
    let cases = [
        (r#"{"sort":"throughput"}"#, "bac"),
        (r#"{"sort":"latency"}"#, "abc"),
        (r#"{"sort":{"by":"latency"}}"#, "abc"),
        (r#"{"preferred_min_throughput":20}"#, "bca"),
        (r#"{"preferred_min_throughput":{"p50":5,"p99":12}}"#, "bca"),
        (r#"{"preferred_min_throughput":{"p90":26}}"#, "cab"),
        (r#"{"preferred_max_latency":0.5}"#, "acb"),
        (r#"{"preferred_max_latency":{"p90":0.1}}"#, "cab"),
        (r#"{"preferred_max_latency":0.5,"preferred_min_throughput":20}"#, "cab"),
        (r#"{"preferred_max_latency":0.5,"order":["b"]}"#, "bac"),
    ];
    for (wishes, expected) in cases {
        assert_eq!(order(measured(), wishes), expected, "{wishes}");
    }
}

#[test]
fn states_of_endpoints() {
    let make = || Case::of(vec![endpoint("a", ""), endpoint("b", ""), endpoint("c", "")]);
    let open = Gate::Open { retry_in_ms: 9 };
    let mut outage = make();
    outage.view("a").recent_outage = true;
    assert_eq!(order(outage, "{}"), "bca");
    let mut ordered = make();
    ordered.view("a").recent_outage = true;
    assert_eq!(order(ordered, r#"{"order":["a"]}"#), "abc", "the request knows what it wants");
    let mut closed = make();
    closed.view("a").gate = open;
    assert_eq!(order(closed, r#"{"order":["a"]}"#), "bca", "never dropped");
    let mut probed = make();
    probed.view("a").gate = Gate::HalfOpen;
    assert_eq!(order(probed, "{}"), "abc", "somebody has to find out");
    let mut byok = make();
    byok.provider("c").byok = true;
    assert_eq!(order(byok, r#"{"order":["b"]}"#), "cba");
    let mut ill = make();
    ill.provider("c").byok = true;
    ill.view("c").gate = open;
    assert_eq!(order(ill, "{}"), "abc");
}

#[test]
fn the_endpoint_of_the_conversation() {
    let kept = || Kept { provider: "c".into(), upstream_model: "m".into(), model: "x/m".into() };
    let of = |case: Case, wishes: &str| {
        let plan = case.whole_plan(&["x/m"], wishes, Some(&kept()), nothing).unwrap();
        plan.candidates.iter().map(|one| one.provider.slug.to_string()).collect::<String>()
    };
    assert_eq!(of(unpriced(), "{}"), "cab");
    assert_eq!(of(measured(), r#"{"sort":"throughput"}"#), "cba");
    assert_eq!(of(unpriced(), r#"{"order":["b"]}"#), "bac");
    assert_eq!(of(unpriced(), r#"{"ignore":["c"]}"#), "ab");
    let mut ill = unpriced();
    ill.view("c").recent_outage = true;
    assert_eq!(of(ill, "{}"), "abc");
}

#[test]
fn requests_with_tools() {
    let make = || {
        let mut case = unpriced();
        case.view("a").tool_errors = Some(ToolErrors { requests: 100, errors: 50 });
        case.view("c").tool_errors = Some(ToolErrors { requests: 100, errors: 0 });
        case
    };
    let tools = |ask: &mut Ask<'_>| ask.parameters.insert(Parameter::Tools);
    let of = |wishes: &str| make().plan(wishes, tools).unwrap().concat();
    assert_eq!(of("{}"), "cba");
    assert_eq!(of(r#"{"sort":"price"}"#), "abc");
    assert_eq!(of(r#"{"order":["a"]}"#), "abc");
    assert_eq!(order(make(), "{}"), "abc", "without tools it does not matter");
    assert_eq!(order(make(), r#"{"sort":"exacto"}"#), "cba");
    let exacto = make().whole_plan(&["x/m:exacto"], "{}", None, nothing).unwrap();
    assert_eq!(&*exacto.candidates[0].provider.slug, "c");
}

/// How often each provider comes first in 10,000 plans.
fn firsts(case: Case) -> HashMap<String, u32> {
    let providers = case.providers.into_iter().map(Arc::new).collect();
    let table = RoutingTable::new(providers, case.models, case.aliases, (None, None));
    let preferences = Preferences::default();
    let ask = Ask::new(&["x/m"], &preferences);
    let mut dice = StdRng::seed_from_u64(7);
    let mut counts = HashMap::new();
    for _ in 0..10_000 {
        let plan = choose((&table, &case.views), (&case.key, None), &ask, &mut dice).unwrap();
        *counts.entry(plan.candidates[0].provider.slug.to_string()).or_default() += 1;
    }
    counts
}

#[test]
fn the_cheaper_the_likelier() {
    // 1/1² to 1/3² is 9:1. The square of what is between found and expected, as chi-square has
    // it, is above 10.8 once in a thousand seeds; this one is fixed.
    let counts = firsts(Case::of(vec![endpoint("a", "3"), endpoint("b", "1")]));
    let (dear, cheap) = (f64::from(counts["a"]), f64::from(counts["b"]));
    let chi_square = (dear - 1_000.0).powi(2) / 1_000.0 + (cheap - 9_000.0).powi(2) / 9_000.0;
    assert!(chi_square < 10.8, "{counts:?}");
    // 1 : 1/4 : 1/9 are 36 : 9 : 4 of 49.
    let counts = firsts(priced());
    for (slug, share) in [("a", 36.0), ("b", 9.0), ("c", 4.0)] {
        let expected = 10_000.0 * share / 49.0;
        let found = f64::from(counts[slug]);
        assert!((found - expected).abs() < 4.0 * f64::sqrt(expected), "{slug}: {counts:?}");
    }
}

#[test]
fn chance_has_its_limits() {
    let free = firsts(Case::of(vec![endpoint("a", "1"), endpoint("b", "0")]));
    assert_eq!(free["b"], 10_000, "nothing beats what is free");
    let equal = firsts(Case::of(vec![endpoint("a", "0"), endpoint("b", "0")]));
    assert!((4_700..5_300).contains(&equal["a"]), "{equal:?}");
    let unknown = firsts(Case::of(vec![endpoint("a", "9"), endpoint("b", ""), endpoint("c", "1")]));
    assert_eq!(unknown["a"], 10_000, "the operator's order");
    let mut outage = priced();
    outage.view("a").recent_outage = true;
    assert!(!firsts(outage).contains_key("a"));
    let mut byok = priced();
    byok.provider("c").byok = true;
    assert_eq!(firsts(byok)["c"], 10_000);
}

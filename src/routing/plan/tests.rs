//! Every rule by which endpoints are chosen and ordered: who may serve a request and who suits it.
//! What names lead to and what the order depends on is tested beside.

mod names;
mod orders;

use super::*;
use crate::catalog::{Endpoint, Modality, Model};
use crate::formats::ApiFormat;
use crate::providers::Provider;
use crate::routing::{EndpointView, Gate, Percentiles};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::HashMap;

/// How endpoints are doing, by provider.
#[derive(Default)]
struct Views(HashMap<&'static str, EndpointView>);

impl Live for Views {
    fn endpoint(&self, provider: &str, _upstream_model: &str) -> EndpointView {
        self.0.get(provider).copied().unwrap_or_default()
    }
}

/// An endpoint at a provider, with prices in USD per million; an empty price is not known.
fn endpoint(provider: &str, price: &str) -> Endpoint {
    let price = (!price.is_empty()).then(|| {
        let price = price.parse().unwrap();
        let table = crate::config::PriceTable {
            prompt: price,
            completion: price,
            ..crate::config::PriceTable::default()
        };
        Arc::new(Pricing::new(table))
    });
    Endpoint {
        provider: provider.into(),
        upstream_model: "m".into(),
        pricing: price,
        context_length: None,
        max_completion_tokens: None,
        quantization: Quantization::default(),
        data_policy: None,
        abilities: Abilities::default(),
        parameters: None,
    }
}

fn model(id: &str, endpoints: Vec<Endpoint>) -> Model {
    Model {
        id: id.into(),
        endpoints,
        context_length: None,
        max_completion_tokens: None,
        rate_limit: RateLimit::default(),
        distillable: None,
    }
}

/// What a test asks, with what it changes.
struct Case {
    providers: Vec<Provider>,
    models: Vec<Model>,
    aliases: HashMap<String, Vec<String>>,
    views: Views,
    key: ApiKey,
}

impl Case {
    /// One model at these providers.
    fn of(endpoints: Vec<Endpoint>) -> Self {
        Self {
            providers: ["a", "b", "c", "d"].map(provider).into(),
            models: vec![model("x/m", endpoints)],
            aliases: HashMap::new(),
            views: Views::default(),
            key: ApiKey::example("k"),
        }
    }

    fn provider(&mut self, slug: &str) -> &mut Provider {
        self.providers.iter_mut().find(|one| &*one.slug == slug).unwrap()
    }

    fn view(&mut self, provider: &'static str) -> &mut EndpointView {
        self.views.0.entry(provider).or_default()
    }

    /// Providers in the order of the plan, or the error, with `change` made to the request.
    fn plan(self, wishes: &str, change: impl Fn(&mut Ask<'_>)) -> Result<Vec<String>, PlanError> {
        let plan = self.whole_plan(&["x/m"], wishes, None, change)?;
        Ok(plan.candidates.iter().map(|one| one.provider.slug.to_string()).collect())
    }

    fn whole_plan(
        self,
        names: &[&str],
        wishes: &str,
        kept: Option<&Kept>,
        change: impl Fn(&mut Ask<'_>),
    ) -> Result<Plan, PlanError> {
        let providers = self.providers.into_iter().map(Arc::new).collect();
        let table = RoutingTable::new(providers, self.models, self.aliases, (Some("a"), None));
        let preferences = Preferences::read(wishes.as_bytes()).unwrap();
        let mut ask = Ask::new(names, &preferences);
        change(&mut ask);
        let mut dice = StdRng::seed_from_u64(1);
        choose((&table, &self.views), (&self.key, kept), &ask, &mut dice)
    }
}

fn provider(slug: &str) -> Provider {
    Provider::example(slug, ApiFormat::OpenAiChat, &[])
}

/// Three endpoints whose prices are not known: the operator's order is kept.
fn unpriced() -> Case {
    Case::of(vec![endpoint("a", ""), endpoint("b", ""), endpoint("c", "")])
}

/// Three endpoints that cost 1, 2 and 3.
fn priced() -> Case {
    Case::of(vec![endpoint("c", "3"), endpoint("a", "1"), endpoint("b", "2")])
}

fn nothing(_: &mut Ask<'_>) {}

fn order(case: Case, wishes: &str) -> String {
    case.plan(wishes, nothing).unwrap().concat()
}

/// What half, three quarters, … of the calls reach.
fn throughput(p50: f32) -> Percentiles {
    Percentiles { p50, p75: p50, p90: p50 / 2.0, p99: p50 / 4.0 }
}

/// What half, three quarters, … of the calls stay below.
fn latency(p50: f32) -> Percentiles {
    Percentiles { p50, p75: p50, p90: p50 * 2.0, p99: p50 * 4.0 }
}

/// Unpriced, with figures: `b` is fastest, `a` answers first, of `c` nothing is known.
fn measured() -> Case {
    let mut case = unpriced();
    for (slug, tps, ms) in [("a", 10.0, 100.0), ("b", 50.0, 900.0)] {
        case.view(slug).throughput_tps = Some(throughput(tps));
        case.view(slug).latency_ms = Some(latency(ms));
    }
    case
}

#[test]
fn names_of_providers() {
    let cases = [
        (r#"{"order":["c","b"]}"#, "cba"),
        (r#"{"order":["C"]}"#, "cab"),
        (r#"{"order":["nobody","b"]}"#, "bac"),
        (r#"{"order":["b"],"allow_fallbacks":false}"#, "b"),
        (r#"{"order":["c","b"],"allow_fallbacks":false}"#, "cb"),
        (r#"{"allow_fallbacks":false}"#, "a"),
        (r#"{"only":["b","c"]}"#, "bc"),
        (r#"{"only":["b","c"],"ignore":["b"]}"#, "c"),
        (r#"{"only":["b","c"],"order":["c","a"]}"#, "cb"),
        (r#"{"ignore":["a"]}"#, "bc"),
        (r#"{"order":["b"],"sort":"price"}"#, "bac"),
    ];
    for (wishes, expected) in cases {
        assert_eq!(order(unpriced(), wishes), expected, "{wishes}");
    }
}

#[test]
fn other_names_of_providers() {
    let mut case = unpriced();
    case.provider("c").display_name = "See".into();
    case.provider("b").aliases = vec!["google-vertex/us-east5".to_owned()];
    assert_eq!(order(case, r#"{"only":["google-vertex","sEE"]}"#), "bc");
    let mut case = unpriced();
    case.provider("b").aliases = vec!["google-vertex/us-east5".to_owned()];
    assert_eq!(order(case, r#"{"ignore":["Google-Vertex/US-east5","google"]}"#), "ac");
    let mut case = unpriced();
    case.provider("b").aliases = vec!["b/turbo".to_owned()];
    let left = case.plan(r#"{"only":["b/fast"]}"#, nothing);
    assert!(matches!(left, Err(PlanError::NothingLeft { filter: Filter::Only, .. })));
}

#[test]
fn policies_are_of_the_endpoint_or_else_of_the_provider() {
    let keeps_nothing = DataPolicy { zdr: true, ..DataPolicy::default() };
    let kept_no_day = DataPolicy { retains_days: Some(0), ..DataPolicy::default() };
    let kept = DataPolicy { retains_days: Some(30), ..DataPolicy::default() };
    let learned = DataPolicy { trains: true, ..kept_no_day };
    let make = || {
        let mut case = unpriced();
        case.provider("a").data_policy = keeps_nothing;
        case.provider("b").data_policy = kept_no_day;
        case.models[0].endpoints[2].data_policy = Some(keeps_nothing);
        case
    };
    assert_eq!(order(make(), r#"{"zdr":true}"#), "ac");
    assert_eq!(order(make(), r#"{"zdr":false}"#), "abc");
    assert_eq!(order(make(), r#"{"data_collection":"deny"}"#), "abc");
    for policy in [kept, learned, DataPolicy::default()] {
        let mut case = make();
        case.models[0].endpoints[0].data_policy = Some(policy);
        assert_eq!(order(case, r#"{"data_collection":"deny"}"#), "bc", "{policy:?}");
    }
    let mut case = make();
    case.key.enforce_zdr = true;
    assert_eq!(order(case, "{}"), "ac");
    let mut case = unpriced();
    case.key.enforce_zdr = true;
    assert_eq!(case.plan("{}", nothing), Err(PlanError::KeyNeedsZdr));
}

#[test]
fn what_an_endpoint_is_and_costs() {
    let make = || {
        let mut case = priced();
        case.models[0].endpoints[0].quantization = Quantization::Fp8;
        case.models[0].endpoints.push(endpoint("d", ""));
        case
    };
    let cases = [
        (r#"{"quantizations":["fp8"]}"#, "c"),
        (r#"{"quantizations":["fp8","unknown"],"sort":"price"}"#, "abcd"),
        (r#"{"max_price":{"prompt":2},"sort":"price"}"#, "ab"),
        (r#"{"max_price":{"completion":"1.9999999"},"sort":"price"}"#, "a"),
        (r#"{"max_price":{"image":0,"request":0},"sort":"price"}"#, "abc"),
        (r#"{"sort":"price"}"#, "abcd"),
        (r#"{"sort":"price","allow_fallbacks":false}"#, "a"),
    ];
    for (wishes, expected) in cases {
        assert_eq!(order(make(), wishes), expected, "{wishes}");
    }
    let mut case = unpriced();
    let left = |case: Case| case.plan(r#"{"enforce_distillable_text":true}"#, nothing);
    assert!(left(unpriced()).is_err());
    case.models[0].distillable = Some(true);
    assert_eq!(left(case).unwrap().concat(), "abc");
}

#[test]
fn an_empty_list_names_what_emptied_it() {
    let cases = [
        (r#"{"only":["nobody"]}"#, "provider.only"),
        (r#"{"only":[]}"#, "provider.only"),
        (r#"{"ignore":["a","b","c"]}"#, "provider.ignore"),
        (r#"{"order":["d"],"allow_fallbacks":false}"#, "provider.order"),
        (r#"{"zdr":true}"#, "provider.zdr"),
        (r#"{"data_collection":"deny"}"#, "provider.data_collection"),
        (r#"{"enforce_distillable_text":true}"#, "provider.enforce_distillable_text"),
        (r#"{"quantizations":["int4"]}"#, "provider.quantizations"),
        (r#"{"max_price":{"prompt":9}}"#, "provider.max_price"),
        (r#"{"require_parameters":true}"#, "provider.require_parameters"),
    ];
    for (wishes, param) in cases {
        let ask = |ask: &mut Ask<'_>| ask.parameters.insert(Parameter::TopA);
        let error = unpriced().plan(wishes, ask).unwrap_err();
        assert!(error.to_string().contains(param), "{wishes}: {error}");
        let PlanError::NothingLeft { model, filter } = error else { panic!("{error}") };
        assert_eq!((&*model, filter.param()), ("x/m", param));
    }
}

#[test]
fn keys_that_are_limited() {
    let limited = |providers: Option<&[&str]>, models: Option<&[&str]>| {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mut case = unpriced();
        case.key.allowed_providers = providers.map(list);
        case.key.allowed_models = models.map(list);
        case.plan("{}", nothing).map(|plan| plan.concat())
    };
    assert_eq!(limited(Some(&["B", "c"]), None), Ok("bc".to_owned()));
    assert_eq!(limited(None, Some(&["x/*"])), Ok("abc".to_owned()));
    assert_eq!(limited(Some(&[]), None), Err(PlanError::ProviderNotAllowed("a".into())));
    assert_eq!(limited(None, Some(&["y"])), Err(PlanError::ModelNotAllowed("x/m".into())));
}

#[test]
fn those_that_can_go_before_those_that_cannot() {
    let mut able = endpoint("b", "");
    able.context_length = Some(1_000);
    able.max_completion_tokens = Some(500);
    let mut unable = endpoint("a", "");
    unable.context_length = Some(10);
    unable.max_completion_tokens = Some(5);
    unable.parameters = Some(ParameterSet::NONE);
    unable.abilities.reads = [Modality::Text].into_iter().collect();
    let of = |endpoints: &[&Endpoint], change: &dyn Fn(&mut Ask<'_>)| {
        let endpoints = endpoints.iter().map(|&one| one.clone()).collect();
        Case::of(endpoints).plan("{}", change).unwrap().concat()
    };
    let both = [&unable, &able];
    let changes: [&dyn Fn(&mut Ask<'_>); 6] = [
        &|ask| ask.completion_cap = Some(6),
        &|ask| ask.body = &[b' '; 44],
        &|ask| ask.parameters.insert(Parameter::Tools),
        &|ask| ask.parameters.insert(Parameter::ResponseFormat),
        &|ask| ask.parameters.insert(Parameter::Verbosity),
        &|ask| ask.body = b"\"image_url\"",
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(of(&both, change), "b", "{number}");
        assert_eq!(of(&[&unable], change), "a", "{number}: the provider says what is wrong");
    }
    assert_eq!(of(&both, &|ask| ask.parameters.insert(Parameter::Seed)), "ab");
    assert_eq!(of(&both, &|ask| ask.body = &[b' '; 40]), "ab");
    let requires = r#"{"require_parameters":true}"#;
    let case = Case::of(vec![unable.clone(), able.clone()]);
    let seed = |ask: &mut Ask<'_>| ask.parameters.insert(Parameter::Seed);
    assert_eq!(case.plan(requires, seed).unwrap().concat(), "b");
}

//! What names of models lead to: variants, editions, several models.

use super::*;

#[test]
fn variants_order_unless_the_body_does() {
    let of = |name: &str, wishes: &str| {
        let plan = measured().whole_plan(&[name], wishes, None, nothing).unwrap();
        let slugs: Vec<&str> = plan.candidates.iter().map(|one| &*one.provider.slug).collect();
        (slugs.concat(), plan.thinks)
    };
    assert_eq!(of("x/m:nitro", "{}"), ("bac".to_owned(), false));
    assert_eq!(of("x/m:nitro:thinking", "{}"), ("bac".to_owned(), true));
    assert_eq!(of("x/m:nitro", r#"{"sort":"latency"}"#).0, "abc");
    assert_eq!(of("x/m:nitro", r#"{"order":["c"]}"#).0, "cba");
    assert_eq!(of("x/m:thinking", "{}"), ("abc".to_owned(), true));
    let floor = |name| {
        let plan = priced().whole_plan(&[name], "{}", None, nothing).unwrap();
        plan.candidates.iter().map(|one| one.provider.slug.to_string()).collect::<String>()
    };
    assert_eq!(floor("x/m:floor"), "abc");
    assert_eq!(floor("x/m:nitro:floor"), "abc");
}

#[test]
fn editions_are_models_of_their_own() {
    let of = |name: &str| {
        let mut case = unpriced();
        case.models.push(model("x/m:free", vec![endpoint("d", "")]));
        case.models.push(model("x/m:8b", vec![endpoint("d", "")]));
        case.aliases.insert("fast".into(), vec!["x/m:nitro".into(), "a/other:8b".into()]);
        let plan = case.whole_plan(&[name], "{}", None, nothing)?;
        let shown = |one: &Arc<Candidate>| format!("{}={}", one.provider.slug, one.canonical);
        Ok(plan.candidates.iter().map(shown).collect::<Vec<_>>().join(" "))
    };
    let edition = |name: &str, edition| {
        Err(PlanError::Route(RouteError::NoEdition { name: name.to_owned(), edition }))
    };
    assert_eq!(of("x/m:free"), Ok("d=x/m:free".to_owned()));
    assert_eq!(of("x/m:free:nitro"), Ok("d=x/m:free".to_owned()));
    assert_eq!(of("x/m:8b:floor"), Ok("d=x/m:8b".to_owned()));
    assert_eq!(of("a/llama:8b"), Ok("a=a/llama:8b".to_owned()));
    assert_eq!(of("a/llama:8b:nitro"), Ok("a=a/llama:8b".to_owned()));
    assert_eq!(of("fast"), Ok("a=x/m b=x/m c=x/m a=a/other:8b".to_owned()));
    assert_eq!(of("fast:floor"), of("fast"));
    assert_eq!(of("x/m:extended"), edition("x/m:extended", "extended"));
    assert_eq!(of("a/llama:free"), edition("a/llama:free", "free"));
    assert_eq!(of("fast:free"), edition("fast:free", "free"));
    let search = |name: &str| Err(PlanError::Route(RouteError::NoSearch(name.to_owned())));
    assert_eq!(of("x/m:online"), search("x/m:online"));
    assert_eq!(of("fast:online:nitro"), search("fast:online:nitro"));
    for name in ["@preset/p", "x/m@preset/p"] {
        assert_eq!(of(name), Err(PlanError::Route(RouteError::NoPresets(name.to_owned()))));
    }
}

#[test]
fn a_service_with_variants_of_its_own_keeps_them() {
    let dialect = &crate::providers::known::provider("openrouter").unwrap().dialect;
    let mut case = unpriced();
    case.provider("a").dialect = dialect;
    let plan = case.whole_plan(&["a/x/y:online"], "{}", None, nothing).unwrap();
    assert_eq!(&*plan.candidates[0].upstream_model, "x/y:online");
}

#[test]
fn several_models() {
    let of = |wishes: &str| {
        let mut case = Case::of(vec![endpoint("a", "3"), endpoint("b", "1")]);
        case.models.push(model("x/n", vec![endpoint("c", "2"), endpoint("d", "0.5")]));
        let plan = case.whole_plan(&["x/m:floor", "x/n:floor"], wishes, None, nothing).unwrap();
        plan.candidates.iter().map(|one| one.provider.slug.to_string()).collect::<String>()
    };
    assert_eq!(of("{}"), "badc");
    assert_eq!(of(r#"{"sort":"price"}"#), "badc");
    assert_eq!(of(r#"{"sort":{"by":"price","partition":"none"}}"#), "dbca");
    assert_eq!(of(r#"{"sort":{"partition":"none"}}"#), "dbca");
    assert_eq!(of(r#"{"allow_fallbacks":false}"#), "bd");
    assert_eq!(of(r#"{"order":["a","c"]}"#), "abcd");
}

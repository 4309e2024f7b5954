//! Filters, orders and pages, row by row.

use super::*;

const TALL: &str = "acme/gpt-tall-2025-08-07";
const PAINTER: &str = "acme/painter";
const EMBEDDER: &str = "acme/text-embedder";
const SECRET: &str = "beta/secret";
const SMALL: &str = "beta/small";

/// What a query lets through, in order.
const FILTERS: &[(&str, &[&str])] = &[
    ("", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("output_modalities=text", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("output_modalities=image", &[PAINTER]),
    ("output_modalities=embeddings", &[EMBEDDER]),
    ("output_modalities=image,embeddings", &[PAINTER, EMBEDDER]),
    ("output_modalities=audio", &[]),
    ("output_modalities=all", &[TALL, PAINTER, EMBEDDER, SECRET, SMALL, "quick"]),
    ("output_modalities=", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("input_modalities=image", &[TALL]),
    ("input_modalities=text,image", &[TALL]),
    ("input_modalities=audio", &[]),
    ("supported_parameters=vision", &[TALL]),
    ("supported_parameters=seed", &[TALL, PAINTER]),
    ("supported_parameters=seed,%20vision", &[TALL]),
    ("context=8000", &[TALL, SMALL, "quick"]),
    ("context=8001", &[TALL]),
    ("context=200001", &[]),
    ("min_price=0", &[TALL, SMALL, "quick"]),
    ("max_price=0", &[SMALL, "quick"]),
    ("min_price=3&max_price=3.0", &[TALL]),
    ("min_price=3.000001", &[]),
    ("max_output_price=14.999999", &[SMALL, "quick"]),
    ("min_output_price=15", &[TALL]),
    ("q=TALL", &[TALL]),
    ("q=gpt-tall%202025", &[]),
    ("q=GPT%20tall", &[TALL]),
    ("q=quick", &["quick"]),
    ("arch=gpt", &[TALL]),
    ("model_authors=acme", &[TALL, PAINTER]),
    ("model_authors=AC,beta", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("model_authors=nobody", &[]),
    ("providers=beta", &[TALL, SECRET, SMALL, "quick"]),
    ("providers=Acme", &[TALL, PAINTER, "quick"]),
    ("distillable=true", &[TALL]),
    ("distillable=false", &[SMALL, "quick"]),
    ("zdr=true", &[TALL, PAINTER, "quick"]),
    ("zdr=false", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("min_age_days=147", &[TALL]),
    ("min_age_days=148", &[]),
    ("max_age_days=146", &[]),
    ("max_age_days=147", &[TALL]),
    ("category=programming", &[]),
    ("region=eu", &[]),
    ("min_coding_index=1", &[]),
    ("client_version=0.1&unheard_of=1", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("use_rss=false", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("sort=pricing-low-to-high", &[SMALL, "quick", TALL, PAINTER, SECRET]),
    ("sort=pricing-high-to-low", &[TALL, SMALL, "quick", PAINTER, SECRET]),
    ("sort=context-high-to-low", &[TALL, SMALL, "quick", PAINTER, SECRET]),
    ("sort=newest", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("sort=most-popular", &[TALL, PAINTER, SECRET, SMALL, "quick"]),
    ("limit=2", &[TALL, PAINTER]),
    ("offset=3", &[SMALL, "quick"]),
    ("offset=1&limit=2", &[PAINTER, SECRET]),
    ("offset=9", &[]),
    ("after_id=beta/secret", &[SMALL, "quick"]),
    ("after_id=beta/secret&limit=1", &[SMALL]),
    ("before_id=beta/secret&limit=1", &[PAINTER]),
    ("before_id=beta/secret", &[TALL, PAINTER]),
    ("sort=newest&providers=beta&limit=1", &[TALL]),
];

#[tokio::test]
async fn filters() {
    let rig = Rig::small();
    for (query, expected) in FILTERS {
        for path in ["/models", "/models/user"] {
            assert_eq!(rig.ids(&format!("{path}?{query}")).await, *expected, "{path} {query}");
        }
    }
    assert_eq!(rig.ids("/embeddings/models").await, [EMBEDDER]);
    assert_eq!(rig.ids("/embeddings/models?offset=1").await, [""; 0]);
    for (query, count) in [("", 5), ("?output_modalities=all", 6), ("?zdr=true", 3)] {
        let answer = rig.get(&format!("/models/count{query}")).await;
        assert_eq!(answer, json!({ "data": { "count": count } }), "{query}");
    }
}

#[tokio::test]
async fn wrong_values_are_named() {
    let rig = Rig::small();
    let table = [
        ("output_modalities=smell", "output_modalities"),
        ("output_modalities=text,", ""),
        ("output_modalities=Text", "output_modalities"),
        ("input_modalities=embeddings", "input_modalities"),
        ("supported_parameters=tool", "supported_parameters"),
        ("context=many", "context"),
        ("context=-1", "context"),
        ("min_price=cheap", "min_price"),
        ("max_price=-1", "max_price"),
        ("max_price=1e3", "max_price"),
        ("max_price=0.0000001", "max_price"),
        ("min_output_price=x", "min_output_price"),
        ("min_age_days=1.5", "min_age_days"),
        ("category=cooking", "category"),
        ("region=mars", "region"),
        ("sort=best", "sort"),
        ("zdr=perhaps", "zdr"),
        ("distillable=2", "distillable"),
        ("use_rss=true", "use_rss"),
        ("min_coding_index=high", "min_coding_index"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-5", "limit"),
        ("offset=-1", "offset"),
        ("after_id=nobody/x", "after_id"),
        ("after_id=beta/small&before_id=beta/small", "after_id"),
        ("after_id=beta/small&offset=2", "after_id"),
        ("before_id=beta/small&offset=2", "before_id"),
        ("limit=1&limit=2", "limit"),
    ];
    for (query, param) in table {
        let found = rig.try_get(&format!("/models?{query}")).await;
        let Some(param) = Some(param).filter(|param| !param.is_empty()) else {
            assert!(found.is_ok(), "{query}");
            continue;
        };
        let error = found.expect_err(query);
        assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)));
        assert_eq!(error.kind.status(), 400);
    }
    let of = rig.try_get("/parameters/beta/small?provider=acme").await.unwrap_err();
    assert_eq!((of.kind, of.param.as_deref()), (Kind::InvalidRequest, Some("provider")));
}

#[tokio::test]
async fn pages_lead_to_each_other() {
    let rig = Rig::small();
    let mut target = "/models?output_modalities=all&key=lr_secret&q=e&limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = rig.get(&target).await;
        assert_eq!(page["total_count"], 5, "{page}");
        let data = page["data"].as_array().unwrap();
        assert_eq!(page["first_id"], data[0]["id"]);
        assert_eq!(page["last_id"], data[data.len() - 1]["id"]);
        ids.extend(data.iter().map(|model| model["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["has_more"], page["links"]["next"].is_string());
        let Some(next) = page["links"]["next"].as_str() else { break };
        assert!(!next.contains("secret") || next.contains("beta"), "{next}");
        target = next.strip_prefix("/v1").unwrap().to_owned();
    }
    assert_eq!(ids, rig.ids("/models?output_modalities=all&q=e").await);
    // Those who go on from an id are told so by another member.
    let page = rig.get("/models?after_id=acme/painter&limit=1").await;
    assert_eq!((&page["has_more"], &page["links"]["next"]), (&json!(true), &Value::Null));
    let page = rig.get("/models?before_id=acme/painter&limit=1").await;
    assert_eq!((&page["has_more"], &page["first_id"]), (&json!(false), &json!(TALL)));
}

//! Every member in every form, and what is refused.

use super::*;

fn read(text: &str) -> Preferences {
    Preferences::read(text.as_bytes()).unwrap()
}

fn all(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn nothing_is_the_default() {
    let every_null = r#"{"order":null,"allow_fallbacks":null,"require_parameters":null,
        "data_collection":null,"zdr":null,"enforce_distillable_text":null,"only":null,
        "ignore":null,"quantizations":null,"sort":null,"preferred_min_throughput":null,
        "preferred_max_latency":null,"max_price":null}"#;
    let quiet = [
        "null",
        "{}",
        every_null,
        r#"{"experimental":{"x":1},"sort":{"by":null,"partition":null},"max_price":{}}"#,
        r#"{"allow_fallbacks":true,"data_collection":"allow","zdr":false,"order":[]}"#,
    ];
    for text in quiet {
        assert_eq!(read(text), Preferences::default(), "{text}");
    }
}

#[test]
fn every_member() {
    let text = r#"{"order":["OpenAI","azure"],"allow_fallbacks":false,"require_parameters":true,
        "data_collection":"deny","zdr":true,"enforce_distillable_text":true,"only":["a"],
        "ignore":["b\u002fc"],"quantizations":["fp8","unknown"],
        "sort":{"by":"latency","partition":"none"},"preferred_min_throughput":12.5,
        "preferred_max_latency":{"p50":1,"p99":2.5,"p10":3},
        "max_price":{"prompt":1.5,"completion":"2","request":"0.01","image":1e-3,"audio":0}}"#;
    let expected = Preferences {
        order: all(&["OpenAI", "azure"]),
        allow_fallbacks: false,
        require_parameters: true,
        denies_storage: true,
        zdr: true,
        enforce_distillable_text: true,
        only: Some(all(&["a"])),
        ignore: all(&["b/c"]),
        quantizations: Some(vec![Quantization::Fp8, Quantization::Unknown]),
        sort: Some(SortBy::Latency),
        partition: Some(Partition::All),
        min_throughput_tps: Cutoffs { p50: Some(12.5), ..Cutoffs::default() },
        max_latency_ms: Cutoffs { p50: Some(1_000.0), p99: Some(2_500.0), ..Cutoffs::default() },
        max_price: MaxPrice {
            prompt: Some("1.5".parse().unwrap()),
            completion: Some("2".parse().unwrap()),
            audio: Some(Price::ZERO),
            request: Some("0.01".parse().unwrap()),
            image: Some("0.001".parse().unwrap()),
        },
    };
    assert_eq!(read(text), expected);
}

#[test]
fn the_order_in_its_forms() {
    let sorts = [
        (r#""price""#, Some(SortBy::Price), None),
        (r#""throughput""#, Some(SortBy::Throughput), None),
        (r#""latency""#, Some(SortBy::Latency), None),
        (r#""exacto""#, Some(SortBy::Exacto), None),
        (r#"{"by":"price"}"#, Some(SortBy::Price), None),
        (r#"{"by":"price","partition":"model"}"#, Some(SortBy::Price), Some(Partition::Model)),
        (r#"{"partition":"none"}"#, None, Some(Partition::All)),
    ];
    for (text, sort, partition) in sorts {
        let found = read(&format!(r#"{{"sort":{text}}}"#));
        assert_eq!((found.sort, found.partition), (sort, partition), "{text}");
    }
    assert_eq!(read(r#"{"only":[]}"#).only, Some(Vec::new()), "nobody is not everybody");
}

#[test]
fn what_does_not_fit_is_refused_by_its_name() {
    let many = format!(r#"{{"ignore":[{}"x"]}}"#, r#""x","#.repeat(MAX_NAMES));
    let cases = [
        ("[]", "provider"),
        (r#""openai""#, "provider"),
        ("1", "provider"),
        (r#"{"only":["a"],"only":["b"]}"#, "provider"),
        (r#"{"order":"openai"}"#, "provider.order"),
        (r#"{"order":[1]}"#, "provider.order"),
        (r#"{"order":[null]}"#, "provider.order"),
        (r#"{"allow_fallbacks":"false"}"#, "provider.allow_fallbacks"),
        (r#"{"require_parameters":1}"#, "provider.require_parameters"),
        (r#"{"data_collection":"never"}"#, "provider.data_collection"),
        (r#"{"data_collection":false}"#, "provider.data_collection"),
        (r#"{"zdr":"yes"}"#, "provider.zdr"),
        (r#"{"enforce_distillable_text":0}"#, "provider.enforce_distillable_text"),
        (r#"{"only":{}}"#, "provider.only"),
        (&many, "provider.ignore"),
        (r#"{"quantizations":["fp7"]}"#, "provider.quantizations"),
        (r#"{"quantizations":"fp8"}"#, "provider.quantizations"),
        (r#"{"sort":"speed"}"#, "provider.sort"),
        (r#"{"sort":["price"]}"#, "provider.sort"),
        (r#"{"sort":{"by":"speed"}}"#, "provider.sort.by"),
        (r#"{"sort":{"by":"price","partition":"all"}}"#, "provider.sort.partition"),
        (r#"{"preferred_min_throughput":"50"}"#, "provider.preferred_min_throughput"),
        (r#"{"preferred_min_throughput":-1}"#, "provider.preferred_min_throughput"),
        (r#"{"preferred_max_latency":{"p50":"1"}}"#, "provider.preferred_max_latency"),
        (r#"{"preferred_max_latency":[1]}"#, "provider.preferred_max_latency"),
        (r#"{"max_price":1}"#, "provider.max_price"),
        (r#"{"max_price":{"prompt":"free"}}"#, "provider.max_price.prompt"),
        (r#"{"max_price":{"prompt":"-1"}}"#, "provider.max_price.prompt"),
        (r#"{"max_price":{"completion":true}}"#, "provider.max_price.completion"),
        (r#"{"max_price":{"request":[]}}"#, "provider.max_price.request"),
        (r#"{"max_price":{"image":"x"}}"#, "provider.max_price.image"),
        (r#"{"max_price":{"audio":{}}}"#, "provider.max_price.audio"),
    ];
    for (text, param) in cases {
        let error = Preferences::read(text.as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (Kind::InvalidRequest, Some(param)),
            "{text}"
        );
        assert!(error.message.starts_with(param), "{text}: {}", error.message);
    }
}

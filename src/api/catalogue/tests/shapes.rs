//! Every answer, as it was judged right once.

use super::*;

#[tokio::test]
async fn answers_have_their_shapes() {
    let rig = Rig::small();
    for (name, target) in [
        ("list", "/models?q=small&limit=1"),
        ("model", "/models/acme/gpt-tall-2025-08-07"),
        ("alias", "/models/quick"),
        ("unknown_price", "/models/beta/secret"),
        ("endpoints", "/models/acme/gpt-tall-2025-08-07/endpoints"),
        ("zdr_endpoints", "/endpoints/zdr"),
        ("providers", "/providers"),
        ("parameters", "/parameters/acme/gpt-tall-2025-08-07"),
        ("parameters_of_one", "/parameters/acme/gpt-tall-2025-08-07?provider=AC"),
        ("gemini_page", "/v1beta/models?pageSize=2"),
        ("gemini_model", "/v1beta/models/beta/small"),
    ] {
        let answer = rig.get(target).await;
        let shown = serde_json::to_string_pretty(&answer).unwrap();
        insta::assert_snapshot!(name, shown);
    }
}

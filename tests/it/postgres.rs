//! The whole gateway on PostgreSQL instead of a file.

use arouter::store::Store;
use serde_json::json;

use crate::postgres_server;
use crate::rig::{Plan, Rig};

/// Keys made on the command line open the gateway, and what was delivered is recorded once, through
/// the death of the process.
#[tokio::test]
async fn the_gateway_keeps_keys_and_usage_in_postgresql() {
    let url = postgres_server::new_database().await;
    let mut rig = Rig::with(Plan { store_url: Some(&url), ..Plan::default() }).await;
    let body =
        json!({ "model": "openai/gpt-5.4", "messages": [{ "role": "user", "content": "a" }] });
    let mut ids = Vec::new();
    for _ in 0..5 {
        let answer = rig.post("/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(answer.header("x-generation-id").to_owned());
        rig.crash_and_restart().await;
    }
    for id in &ids {
        assert_eq!(rig.generation(id).await["data"]["outcome"], "complete", "{id}");
    }
    let made = rig.command(&["keys", "create", "--name", "ci"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let listed = rig.command(&["keys", "list"]).await;
    assert!(String::from_utf8_lossy(&listed.stdout).contains(" ci"), "{listed:?}");

    let store = Store::open(&url).await.unwrap();
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.requests).sum::<u64>(), 5, "each once");
    store.close().await;
}

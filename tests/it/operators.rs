//! What operators do over HTTP, with the admin key.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::host::{Host, on_every_host};
use crate::server::Server;

on_every_host!(
    keys_are_added_listed_and_revoked,
    only_the_admin_key_opens_the_operators_routes,
    rw_1_what_a_miner_has_earned_elsewhere_is_restored,
);

/// Whatever one instance of a host remembers, another learns within this.
const KNOWN_WITHIN: Duration = Duration::from_secs(90);
/// A task that nobody has.
const NO_TASK: &str = "123e4567-e89b-12d3-a456-426614174001";

async fn until(server: &Server, status: u16) {
    let seen = async {
        while server.get(&format!("/get_status?id={NO_TASK}")).await.status != status {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(KNOWN_WITHIN, seen).await.unwrap_or_else(|_| panic!("never answered {status}"));
}

async fn keys_are_added_listed_and_revoked(host: Host) {
    let mut server = host.mining(0).await;
    let owner = format!("a studio, {}", server.now_ms());
    let wanted = json!({ "owner": owner, "hourly": 7 });
    let made = server.operate(Method::POST, "/admin/keys", &wanted).await.json();
    let (key, prefix) = (made["key"].as_str().unwrap(), made["prefix"].as_str().unwrap());
    key.clone_into(&mut server.api_key);
    until(&server, 200).await;

    let list = server.operate(Method::GET, "/admin/keys", &Value::Null).await;
    assert!(!list.text().contains(key), "keys are never shown again");
    let rows = list.json();
    let row = rows.as_array().unwrap().iter().find(|row| row["owner"] == owner).unwrap();
    assert_eq!((&row["prefix"], &row["hourly"]), (&json!(prefix), &json!(7)));

    let path = format!("/admin/keys/{prefix}");
    assert_eq!(server.operate(Method::DELETE, &path, &Value::Null).await.json(), json!({ "revoked": 1 }));
    until(&server, 401).await;
    assert_eq!(server.operate(Method::DELETE, &path, &Value::Null).await.status, 404);
}

async fn only_the_admin_key_opens_the_operators_routes(host: Host) {
    let mut server = host.mining(0).await;
    let known = server.operate(Method::GET, "/admin/metagraph", &Value::Null).await;
    assert_eq!(known.status, 200, "{}", known.text());
    server.admin_key = "x".repeat(server.admin_key.len());
    for (method, path) in
        [(Method::GET, "/admin/keys"), (Method::POST, "/admin/keys"), (Method::PUT, "/admin/metagraph")]
    {
        let answer = server.operate(method, path, &json!({})).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
}

/// The standings with this miner alone, whatever others there are.
async fn standings_of(server: &Server, address: &str) -> Value {
    let mut path = "/admin/standings".to_owned();
    loop {
        let answer = server.operate(Method::GET, &path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut page = answer.json();
        let found =
            page["miners"].as_array().unwrap().iter().find(|miner| miner["hotkey"] == address).cloned();
        let next = page.as_object_mut().unwrap().remove("next");
        if let Some(miner) = found {
            page["miners"] = json!([miner]);
            return page;
        }
        path = format!("/admin/standings?after={}", next.expect("the miner is registered"));
    }
}

/// Restores one miner's standing and checks what came of it.
async fn restore(server: &Server, query: &str, standings: &Value, outcome: &str) {
    let answer = server.operate(Method::PUT, &format!("/admin/standings{query}"), standings).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["miners"][0]["outcome"], outcome, "{}", answer.text());
}

async fn rw_1_what_a_miner_has_earned_elsewhere_is_restored(host: Host) {
    let server = host.mining(1).await;
    let address = server.miner(1).address();
    let fresh = standings_of(&server, &address).await;
    let mut earned = fresh.clone();
    let (now, miner) = (server.now_secs(), &mut earned["miners"][0]);
    miner["rating"] =
        json!({ "rating": 1_668.946_772_549_41, "deviation": 296.194_179_566_731_2, "volatility": 0.2 });
    miner["accepted"] = json!([now - 120, now - 60]);
    miner["average_score"] = json!(0.1 + 0.2);
    miner["duels"] = json!(1);
    miner["wins"] = json!(1);
    miner["history"] = json!([{
        "nonce": now - 600, "at_ms": 1000 * (now - 300) + 17, "opponent": address, "owner": address,
        "score": 1.0, "rating": 1_668.946_772_549_41, "deviation": 296.194_179_566_731_2, "moved": 168.946_772_549_41,
    }]);
    restore(&server, "?dry_run=true", &earned, "restored").await;
    restore(&server, "", &earned, "restored").await;
    restore(&server, "", &earned, "unchanged").await;
    let seen = async {
        while standings_of(&server, &address).await["miners"] != earned["miners"] {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(KNOWN_WITHIN, seen).await.expect("shown as it was restored");
    let told = server.get(&format!("/leaderboard/{address}/history")).await.json();
    let duel = json!({
        "nonce": now - 600, "at": told["duels"][0]["at"], "opponent": address, "owner": address, "score": 1.0,
        "rating": 1_668.946_772_549_41, "deviation": 296.194_179_566_731_2, "moved": 168.946_772_549_41,
    });
    assert_eq!(told["duels"], json!([duel]), "and so it is to anybody");
    restore(&server, "", &fresh, "restored").await;
}

//! What anybody may look at, without a key: standings, duels and their pictures.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use sn17_app::ports::BlobKey;
use sn17_core::ledger::Write;
use sn17_core::state::{Duel, DuelNonce, Entry, Item, Key};
use sn17_store::conformance::samples;
use sn17_wire::ss58;

use crate::deployment::Deployment;
use crate::host::{Host, on_edges, on_embedded, on_lambda};
use crate::server::{Answer, Server};

on_embedded!(anybody_may_read_standings_and_duels_and_nobody_may_change_them);
// A duel is left in the table: in a process of its own, one takes a judge and two scores.
on_lambda!(
    anybody_may_read_standings_and_duels_and_nobody_may_change_them,
    du_1_a_duel_is_shown_as_it_was_judged,
);
on_edges!(
    anybody_may_read_standings_and_duels_and_nobody_may_change_them,
    du_1_a_duel_is_shown_as_it_was_judged,
);

/// A picture of a duel, as far as hosts are concerned.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n four views";
/// Whatever one instance of a host has learnt, the others know within this.
const KNOWN_WITHIN: Duration = Duration::from_secs(90);
/// Standings may be noted between two requests, but hardly so often.
const TRIES: usize = 3;
/// How often a list is looked at.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// A request of somebody without any key.
async fn look(server: &Server, method: Method, path: &str, known: Option<&str>) -> Answer {
    let mut request = server.http.request(method, format!("{}{path}", server.url));
    if let Some(tag) = known {
        request = request.header("if-none-match", tag);
    }
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn read(server: &Server, path: &str) -> Answer {
    look(server, Method::GET, path, None).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.text()), (status, json!({ "message": message }).to_string()));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*", "a page may say why");
    assert_eq!(answer.header("cache-control"), "", "nobody keeps a refusal");
}

/// An answer that caches keep: whoever has it already, or only asks for its head, gets no body.
async fn is_kept(server: &Server, path: &str, cache: &str) -> Value {
    for _ in 0..TRIES {
        let whole = read(server, path).await;
        assert_eq!(whole.status, 200, "{path}: {}", whole.text());
        assert_eq!(whole.header("content-type"), "application/json");
        assert_eq!(whole.header("access-control-allow-origin"), "*");
        let tag = whole.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 2, "{path}: {tag}");
        let head = look(server, Method::HEAD, path, None).await;
        let again = look(server, Method::GET, path, Some(&tag)).await;
        if head.header("etag") != tag || again.header("etag") != tag {
            continue;
        }
        assert_eq!((head.status, again.status), (200, 304), "{path}");
        for answer in [&head, &again] {
            assert!(answer.body.is_empty(), "{path}: {}", answer.text());
        }
        for answer in [&whole, &head, &again] {
            assert_eq!(answer.header("cache-control"), cache, "{path}");
        }
        let other = look(server, Method::GET, path, Some("\"another\"")).await;
        assert_eq!(other.status, 200, "{path}");
        return whole.json();
    }
    panic!("{path} changes all the time");
}

async fn anybody_may_read_standings_and_duels_and_nobody_may_change_them(host: Host) {
    let server = host.mining(1).await;
    let standings = is_kept(&server, "/leaderboard", "public, max-age=20").await;
    assert!(standings["taken"].is_null() || standings["taken"].is_number(), "{standings}");
    assert!(standings["synthetic"].is_boolean(), "{standings}");
    for (rank, row) in (1..).zip(standings["rows"].as_array().unwrap()) {
        assert_eq!(row["rank"], rank);
        assert!(row["hotkey"].is_string() && row["uid"].is_u64(), "{row}");
        for figure in ["rating", "deviation", "accepted", "reward", "weight", "duels", "wins", "draws"] {
            assert!(row[figure].is_number(), "{figure} in {row}");
        }
        assert!(row["win_rate"].is_null() || row["win_rate"].is_number(), "{row}");
    }
    let duels = is_kept(&server, "/duels?before=1", "public, max-age=20").await;
    assert_eq!(duels, json!({ "duels": [], "next": null }), "no duel is so old");
    let history = format!("/leaderboard/{}/history", server.stranger().address());
    assert_eq!(is_kept(&server, &history, "public, max-age=20").await, json!({ "duels": [] }));

    let not_yet = "no such duel, or no verdict yet";
    let no_picture = "no picture: no such duel, no verdict yet, no result of this side, or too long ago";
    let no_number = "a duel's nonce is a whole number";
    let no_hotkey = "not a hotkey's address: not the base58 text of 35 bytes";
    for (path, status, message) in [
        ("/duels/1", 404, not_yet),
        ("/duels/1/left.png", 404, no_picture),
        ("/duels/1/front.png", 404, "Not found"),
        ("/leaderboard/x", 404, "Not found"),
        ("/leaderboard/nobody/history", 400, no_hotkey),
        ("/duels/x", 400, no_number),
        ("/duels/-8/right.png", 400, no_number),
        ("/duels?before=x", 400, no_number),
        ("/duels?limit=0", 400, "limit must be 1 to 100"),
        ("/duels?limit=101", 400, "limit must be 1 to 100"),
    ] {
        refused(&read(&server, path).await, status, message);
    }
    for path in ["/leaderboard", &history, "/duels", "/duels/1", "/duels/1/left.png"] {
        for method in [Method::POST, Method::DELETE] {
            let answer = look(&server, method, path, None).await;
            refused(&answer, 405, "Method not allowed");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        }
    }
}

async fn du_1_a_duel_is_shown_as_it_was_judged(host: Host) {
    let server = host.mining(0).await;
    let (nonce, duel) = judged(server.deployment(), server.now_secs()).await;
    let path = format!("/duels/{nonce}");
    let record = is_kept(&server, &path, "public, max-age=86400, immutable").await;
    assert_eq!((&record["timestamp_nonce"], &record["winner"]), (&json!(nonce), &json!(1)));
    assert_eq!(record["left"]["hotkey"], ss58::encode(&duel.left.hotkey));
    let listed = async {
        loop {
            let page = read(&server, &format!("/duels?limit=1&before={}", nonce + 1)).await.json();
            if page["duels"][0] == record {
                return page;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    let page = tokio::time::timeout(KNOWN_WITHIN, listed).await.expect("the list has it");
    assert_eq!(page["next"], nonce);

    // Either the picture or a link to it, which clients follow.
    let left = read(&server, &format!("{path}/left.png")).await;
    assert_eq!((left.status, &*left.body), (200, PICTURE));
    let head = look(&server, Method::HEAD, &format!("{path}/left.png"), None).await;
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, "image/png", 0));
    let right = read(&server, &format!("{path}/right.png")).await;
    assert_eq!(right.status, 404, "the right side has no result: {}", right.text());
}

/// A duel that the left side has won, with its picture, as a duelist leaves it.
async fn judged(deployment: &Deployment, nonce: u64) -> (u64, Duel) {
    let app = deployment.outputs.worker.app().await;
    let (ports, now) = (app.ports(), app.now());
    let mut duel = samples::duel(now);
    duel.left.entry = Entry::Delivered { score: 0.9, sha256: [1; 32], synthetic: true };
    duel.right.entry = Entry::Missing { reason: "an empty result".to_owned() };
    duel.state = samples::judged(now);
    let upload = ports.blobs.begin(&BlobKey(format!("duels/{nonce}/left.png"))).await.unwrap();
    ports.blobs.part(&upload, Bytes::from_static(PICTURE)).await.unwrap();
    ports.blobs.finish(&upload).await.unwrap();
    let (key, expires) = (Key::Duel(DuelNonce(nonce)), now.plus_secs(3600));
    let write = Write::create(key, Item::Duel(duel.clone()), Some(expires));
    samples::commit(&*ports.ledger, now, vec![write]).await.unwrap();
    (nonce, duel)
}

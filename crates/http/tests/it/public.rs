//! What anybody may look at.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};
use sn17_app::ports::BlobKey;
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_core::state::{Duel, DuelNonce, Entry, History, Item, Key, RatingPoint};
use sn17_http::{HttpOptions, RateLimit, RateLimits};
use sn17_store::conformance::samples;
use sn17_wire::ss58;

use crate::results::Addressed;
use crate::world::{Answer, World, miner, options, world, world_over, world_with};

const NOT_YET: &str = "no such duel, or no verdict yet";
const NO_PICTURE: &str = "no picture: no such duel, no verdict yet, no result of this side, or too long ago";

/// A request of somebody without any key.
async fn look(world: &World, path: &str) -> Answer {
    world.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn put(world: &World, key: Key, item: Item) {
    samples::create(&*world.app.ports().ledger, world.app.now(), key, item).await;
}

/// A duel that the left side has won, and what the judge saw of it.
async fn judged(world: &World, nonce: u64) -> Duel {
    let now = world.app.now();
    let mut duel = samples::duel(now);
    duel.left.entry = Entry::Delivered { score: 0.9, sha256: [1; 32], synthetic: true };
    duel.right.entry = Entry::Missing { reason: "an empty result".to_owned() };
    duel.state = samples::judged(now);
    put(world, Key::Duel(DuelNonce(nonce)), Item::Duel(duel.clone())).await;
    let blob = format!("previews/{}/{}.grid.png", duel.task, ss58::encode(&duel.left.hotkey));
    let blobs = &world.app.ports().blobs;
    let upload = blobs.begin(&BlobKey(blob)).await.unwrap();
    blobs.part(&upload, Bytes::from_static(b"four views")).await.unwrap();
    blobs.finish(&upload).await.unwrap();
    duel
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.json()), (status, json!({ "message": message })));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*", "a page may say why");
    assert_eq!(answer.header("cache-control"), "", "nobody keeps a refusal");
}

#[tokio::test]
async fn the_leaderboard_is_empty_before_the_first_note_and_then_ranked() {
    let world = world().await;
    let before = look(&world, "/leaderboard").await;
    assert_eq!(
        (before.status, before.json()),
        (200, json!({ "taken": null, "synthetic": false, "rows": [] }))
    );
    world.app.note_leaderboard().await.unwrap();
    let noted = look(&world, "/leaderboard").await.json();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let taken = world.app.now().secs() as f64;
    assert_eq!((&noted["taken"], &noted["synthetic"]), (&json!(taken), &json!(false)));
    // Equals are in the order of the day's lots.
    let rows = noted["rows"].as_array().unwrap();
    let place = rows.iter().position(|row| row["uid"] == 1).expect("it is registered");
    let row = json!({
        "rank": place + 1, "hotkey": ss58::encode(&miner(1).hotkey()), "uid": 1, "rating": 1500.0, "deviation": 350.0,
        "accepted": 0, "reward": 0.0, "weight": 0.0, "duels": 0, "wins": 0, "draws": 0, "win_rate": null,
    });
    assert_eq!((&rows[place], rows.len()), (&row, 3));
    let stale = look(&world, "/leaderboard").await.json();
    world.advance(60);
    assert_eq!(look(&world, "/leaderboard").await.json(), stale, "the standings are those noted");
}

#[tokio::test]
async fn standings_that_rest_on_synthetic_scores_say_so() {
    let world = world().await;
    judged(&world, world.app.now().secs()).await;
    world.app.note_leaderboard().await.unwrap();
    assert_eq!(look(&world, "/leaderboard").await.json()["synthetic"], true);
}

#[tokio::test]
async fn answers_are_kept_by_caches_and_found_unchanged() {
    let world = world().await;
    judged(&world, 5).await;
    for (path, cache) in [
        ("/leaderboard", "public, max-age=20"),
        ("/duels", "public, max-age=20"),
        ("/duels/5", "public, max-age=86400, immutable"),
    ] {
        let first = look(&world, path).await;
        let tag = first.header("etag").to_owned();
        assert_eq!(
            (first.header("cache-control"), first.header("content-type")),
            (cache, "application/json")
        );
        assert_eq!(first.header("access-control-allow-origin"), "*");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let request = Request::get(path).header("if-none-match", &known).body(Body::empty());
            let again = world.send(request.unwrap()).await;
            assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, &*tag), "{known}");
            assert_eq!(again.header("cache-control"), cache);
        }
        let request = Request::get(path).header("if-none-match", "\"another\"").body(Body::empty());
        let other = world.send(request.unwrap()).await;
        assert_eq!((other.status, &other.body), (200, &first.body));
    }
}

#[tokio::test]
async fn a_miners_history_is_told_and_a_strangers_is_empty() {
    let world = world().await;
    let (owner, rival) = (Hotkey([0x33; 32]), miner(2).hotkey());
    let point = RatingPoint {
        nonce: DuelNonce(9),
        at: world.app.now(),
        opponent: rival,
        owner: Some(owner),
        score: 0.5,
        rating: 1512.5,
        deviation: 290.0,
        moved: 12.5,
    };
    let history = History { points: vec![point, RatingPoint { owner: None, nonce: DuelNonce(11), ..point }] };
    put(&world, Key::History(miner(1).hotkey()), Item::History(history)).await;
    let path = |hotkey: &Hotkey| format!("/leaderboard/{}/history", ss58::encode(hotkey));
    let told = look(&world, &path(&miner(1).hotkey())).await;
    let rows = &told.json()["duels"];
    let expected = json!({
        "nonce": 9, "at": rows[0]["at"], "opponent": ss58::encode(&rival), "owner": ss58::encode(&owner),
        "score": 0.5, "rating": 1512.5, "deviation": 290.0, "moved": 12.5,
    });
    assert_eq!((told.status, &rows[0]), (200, &expected));
    assert_eq!((&rows[1]["nonce"], &rows[1]["owner"]), (&json!(11), &Value::Null));
    let stranger = look(&world, &path(&Hotkey([0x44; 32]))).await;
    assert_eq!((stranger.status, stranger.json()), (200, json!({ "duels": [] })));
    let message = "not a hotkey's address: not the base58 text of 35 bytes";
    refused(&look(&world, "/leaderboard/nobody/history").await, 400, message);
}

#[tokio::test]
async fn duels_are_listed_page_by_page_the_latest_first() {
    let world = world().await;
    let now = world.app.now().secs();
    // A duel that has been over for as long as records are kept has expired, whatever the store still holds.
    let Policy { duels, .. } = Policy::default();
    let oldest = now - duels.lifetime_secs - Policy::default().duel_secs_max();
    for nonce in [oldest, now - 3, oldest - 1, now - 2] {
        judged(&world, nonce).await;
    }
    put(&world, Key::Duel(DuelNonce(now)), Item::Duel(samples::duel(world.app.now()))).await;
    let page = async |query: &str| {
        let page = look(&world, &format!("/duels{query}")).await.json();
        let duels = page["duels"].as_array().unwrap();
        let nonces = duels.iter().map(|duel| duel["timestamp_nonce"].as_u64().unwrap()).collect::<Vec<_>>();
        (nonces, page["next"].as_u64())
    };
    assert_eq!(page("").await, (vec![now - 2, now - 3, oldest], None), "an open duel is nobody's business");
    assert_eq!(page("?limit=2").await, (vec![now - 2, now - 3], Some(now - 3)));
    assert_eq!(page(&format!("?limit=2&before={}", now - 3)).await, (vec![oldest], None));
    for nothing in [oldest, oldest - 1, 0] {
        assert_eq!(page(&format!("?before={nothing}")).await, (vec![], None));
    }
    for limit in ["0", "101", "-1", "all", ""] {
        refused(&look(&world, &format!("/duels?limit={limit}")).await, 400, "limit must be 1 to 100");
    }
    for before in ["-1", "x", "18446744073709551616"] {
        let answer = look(&world, &format!("/duels?before={before}")).await;
        refused(&answer, 400, "a duel's nonce is a whole number");
    }
}

#[tokio::test]
async fn du_1_a_duels_record_and_picture_are_there_once_it_has_a_verdict() {
    let world = world().await;
    let duel = judged(&world, 8).await;
    put(&world, Key::Duel(DuelNonce(9)), Item::Duel(samples::duel(world.app.now()))).await;
    let record = look(&world, "/duels/8").await.json();
    assert_eq!((&record["timestamp_nonce"], &record["winner"]), (&json!(8), &json!(1)));
    assert_eq!(record["left"]["hotkey"], ss58::encode(&duel.left.hotkey));
    let picture = look(&world, "/duels/8/left.png").await;
    assert_eq!((picture.status, &*picture.body), (200, &b"four views"[..]));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", "10"),
        ("cache-control", "public, max-age=86400, immutable"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(picture.header(name), value);
    }
    for path in ["/duels/7", "/duels/9"] {
        refused(&look(&world, path).await, 404, NOT_YET);
    }
    for path in ["/duels/8/right.png", "/duels/9/left.png", "/duels/7/left.png"] {
        refused(&look(&world, path).await, 404, NO_PICTURE);
    }
    for path in ["/duels/8/front.png", "/duels/8/left.png/more", "/leaderboard/x"] {
        refused(&look(&world, path).await, 404, "Not found");
    }
    for path in ["/duels/x", "/duels/-8/left.png"] {
        refused(&look(&world, path).await, 400, "a duel's nonce is a whole number");
    }
    let blob = format!("previews/{}/{}.grid.png", duel.task, ss58::encode(&duel.left.hotkey));
    world.app.ports().blobs.delete(&BlobKey(blob)).await.unwrap();
    refused(&look(&world, "/duels/8/left.png").await, 404, NO_PICTURE);
}

#[tokio::test]
async fn a_large_picture_is_fetched_from_the_store_itself() {
    for (redirect_above, is_redirected) in [(None, false), (Some(10), false), (Some(9), true)] {
        let host = HttpOptions { redirect_above, ..options() };
        let world = world_over(Arc::new(Addressed::default()), host).await;
        judged(&world, 8).await;
        let picture = look(&world, "/duels/8/left.png").await;
        if !is_redirected {
            assert_eq!((picture.status, &*picture.body), (200, &b"four views"[..]));
            continue;
        }
        assert_eq!((picture.status, picture.body.len()), (302, 0));
        let location = picture.header("location");
        assert!(location.starts_with("https://store.example/previews/"), "{location}");
        assert!(location.ends_with("?valid=300&as=left.png"), "{location}");
        assert_eq!(picture.header("cache-control"), "public, max-age=60", "less than the link is good for");
        let head = Request::head("/duels/8/left.png").body(Body::empty()).unwrap();
        let head = world.send(head).await;
        assert_eq!((head.status, head.header("content-length")), (200, "10"), "the link is signed for GET");
    }
}

#[tokio::test]
async fn public_routes_are_limited_by_address_and_by_method() {
    let twice = Some(RateLimit { requests: 2, window_secs: 60, ban_secs: 0 });
    let limits = RateLimits { public: twice, ..RateLimits::NONE };
    let world = world_with(Policy::default(), HttpOptions { limits, ..options() }).await;
    assert_eq!(look(&world, "/leaderboard").await.status, 200);
    assert_eq!(look(&world, "/duels").await.status, 200, "all routes count together");
    for path in ["/leaderboard", "/duels", "/duels/1", "/duels/1/left.png", "/leaderboard/x/history"] {
        let answer = look(&world, path).await;
        refused(&answer, 429, "too many requests");
        assert_eq!(answer.header("retry-after"), "60");
        let post = world.send(Request::post(path).body(Body::empty()).unwrap()).await;
        refused(&post, 405, "Method not allowed");
        assert_eq!(post.header("allow"), "GET,HEAD");
    }
    world.advance(60);
    assert_eq!(look(&world, "/leaderboard").await.status, 200);
    let metrics = world.get("/metrics").await;
    for line in [
        "sn17_http_requests_total{route=\"/leaderboard\",method=\"GET\",status=\"200\"} 2",
        "sn17_http_requests_total{route=\"/duels/{nonce}/{picture}\",method=\"POST\",status=\"405\"} 1",
        "sn17_http_refusals_total{route=\"/leaderboard/{hotkey}/history\",reason=\"address_rate\",invariant=\"\"} 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} is not in {}", metrics.text());
    }
}

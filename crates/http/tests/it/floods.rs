//! Requests that come too often, or never end.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use futures_util::FutureExt as _;
use serde_json::json;
use sn17_core::policy::Policy;
use sn17_http::{HttpOptions, RateLimit, RateLimits, RemoteIp};

use crate::world::{FORM, endless, form, miner, options, post, world_with};

const ONCE: Option<RateLimit> = Some(RateLimit { requests: 1, window_secs: 5, ban_secs: 0 });

#[tokio::test]
async fn in_1_bodies_that_never_end_take_up_no_more_than_their_memory() {
    let memory = HttpOptions { body_memory_bytes: 64 << 10, prompt_memory_bytes: 2 << 20, ..options() };
    let world = world_with(Policy::default(), memory).await;
    let announcing = |mut request: Request<Body>, bytes: u64| {
        request.headers_mut().insert("content-length", HeaderValue::from(bytes));
        request
    };
    let add = || {
        let request = Request::post("/add_task").header("x-api-key", &world.key);
        request
            .header("content-type", "application/json")
            .body(Body::from("{\"prompt\":\"a robot\"}"))
            .unwrap()
    };
    // Miner 9 is not registered: anybody can be one.
    let pull = |number| post(world.pull_request(&miner(number)));
    let small = pull(1).into_body();
    let bytes = axum::body::HttpBody::size_hint(&small).exact().unwrap();
    let (of_pull, of_add) = (64 << 10, 2 << 20);
    for (is_full, pull_bytes, add_bytes) in [(true, of_pull, of_add), (false, of_pull - bytes, of_add - 20)] {
        let mut parked = [
            Box::pin(world.send(endless(announcing(pull(9), pull_bytes)))),
            Box::pin(world.send(endless(announcing(add(), add_bytes)))),
        ];
        for _ in 0..100 {
            assert!(parked.iter_mut().all(|request| request.now_or_never().is_none()));
            tokio::task::yield_now().await;
        }
        let pulled = world.send(announcing(pull(1), bytes)).await;
        let added = world.send(announcing(add(), 20)).await;
        if is_full {
            assert_eq!((pulled.status, pulled.header("retry-after")), (503, "5"));
            assert_eq!(pulled.json(), json!({ "message": "too many requests are being received" }));
            assert_eq!((added.status, added.header("retry-after")), (503, "5"));
            assert_eq!(added.text(), "Service unavailable: too many requests are being received");
        } else {
            assert_eq!((pulled.status, added.status), (200, 200), "{} {}", pulled.text(), added.text());
        }
    }
    assert_eq!(world.send(pull(2)).await.status, 200, "what was parked has given its memory back");
    assert_eq!(world.send(add()).await.status, 200);
}

#[tokio::test]
async fn in_1_a_form_that_never_ends_is_counted_with_its_copy() {
    let picture = form(&[("image", &[0; 1000])]);
    let bytes = picture.len();
    for (memory, status) in [(4 * bytes, 400), (4 * bytes - 1, 503)] {
        let options = HttpOptions { prompt_memory_bytes: memory, ..options() };
        let world = world_with(Policy::default(), options).await;
        let request = || {
            let request =
                Request::post("/add_task").header("x-api-key", &world.key).header("content-type", FORM);
            request.header("content-length", bytes).body(Body::from(picture.clone())).unwrap()
        };
        let mut parked = Box::pin(world.send(endless(request())));
        for _ in 0..100 {
            assert!((&mut parked).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        assert_eq!(world.send(request()).await.status, status);
    }
}

#[tokio::test]
async fn a_hotkey_is_limited_before_anything_is_stored() {
    let limits = RateLimits { synapses: ONCE, ..RateLimits::NONE };
    let world = world_with(Policy::default(), HttpOptions { limits, ..options() }).await;
    let (first, second) = (world.pull_request(&miner(1)), world.pull_request(&miner(1)));
    assert_eq!(world.send_synapse(first).await.status, 200);
    for path in ["/PullTask", "/GetVersion", "/SubmitResults"] {
        let mut request = second.clone();
        request.path = path;
        let refused = world.send_synapse(request).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "5"), "{path}");
        assert_eq!(refused.json(), json!({ "message": "too many requests of this hotkey" }));
        assert_eq!(refused.header("bt_header_axon_status_code"), "429");
    }
    assert_eq!(world.send_synapse(world.pull_request(&miner(2))).await.status, 200, "others are not held up");
    world.advance(5);
    assert_eq!(world.send_synapse(second).await.status, 200, "the nonce was not used up");
}

#[tokio::test]
async fn wrong_signatures_are_limited_by_address() {
    let limits = RateLimits { wrong_signatures: ONCE, ..RateLimits::NONE };
    let world = world_with(Policy::default(), HttpOptions { limits, ..options() }).await;
    let forged = || {
        let mut request = post(world.pull_request(&miner(1)));
        request.headers_mut().insert("bt_header_dendrite_uuid", HeaderValue::from_static("another"));
        request
    };
    let old = world.pull_request(&miner(1));
    world.advance(17);
    for _ in 0..3 {
        assert_eq!(world.send_synapse(old.clone()).await.status, 401, "a slow clock is no forgery");
    }
    assert_eq!(world.send(forged()).await.status, 401);
    let good = || post(world.pull_request(&miner(1)));
    for request in [forged(), good()] {
        let refused = world.send(request).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
        assert_eq!(refused.json(), json!({ "message": "too many requests with a wrong signature" }));
    }
    let mut elsewhere = good();
    elsewhere.extensions_mut().insert(RemoteIp(None));
    let answer =
        crate::world::read(tower::ServiceExt::oneshot(world.router.clone(), elsewhere).await.unwrap());
    assert_eq!(answer.await.status, 200, "an address that is not known is not limited");
    world.advance(5);
    assert_eq!(world.send(good()).await.status, 200);
}

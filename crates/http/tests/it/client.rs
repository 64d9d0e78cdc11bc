//! `add_task`, `get_status`, and what all client routes share.

use axum::body::Body;
use axum::http::Request;
use sn17_app::KeyLimits;
use sn17_core::policy::Policy;
use sn17_http::{HttpOptions, RateLimit, RateLimits};

use crate::world::{Answer, FORM, form, options, world, world_with};

const UNKNOWN_ID: &str = "123e4567-e89b-12d3-a456-426614174001";

/// Content type and body, then status and body of the answer.
type BodyCase<'a> = ((&'a str, Vec<u8>), u16, &'a str);

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[track_caller]
fn check(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text()), (status, body));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{body}");
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{body}");
}

#[tokio::test]
async fn every_key_error_has_its_text() {
    let world = world().await;
    let cases = [
        (None, 401, "Unauthorized request: Missing API key"),
        (Some("secret"), 400, "Bad request: Invalid API key format"),
        (Some("123e4567e89b12d3a456426614174001"), 400, "Bad request: Invalid API key format"),
        (Some(UNKNOWN_ID), 401, "Unauthorized request: Invalid API key"),
    ];
    for (key, status, text) in cases {
        for (method, path) in [
            ("POST", "/add_task"),
            ("GET", "/get_status?id=x"),
            ("GET", "/get_result?id=x"),
            ("GET", "/get_preview?id=x"),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(key) = key {
                request = request.header("x-api-key", key);
            }
            check(&world.send(request.body(Body::empty()).unwrap()).await, status, text);
        }
    }
}

#[tokio::test]
async fn every_body_error_of_add_task_has_its_text() {
    let world = world().await;
    let long = "x".repeat(385);
    let json = |text: &str| ("application/json", text.as_bytes().to_vec());
    let text = |fields: &[(&str, &str)]| {
        let fields: Vec<(&str, &[u8])> = fields.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        (FORM, form(&fields))
    };
    let both = (FORM, form(&[("prompt", b"a robot"), ("image", &png(2, 2))]));
    let too_big = (FORM, form(&[("image", &vec![0; (2 << 20) + 1])]));
    let cases: [BodyCase<'_>; 22] = [
        (
            ("", vec![]),
            415,
            "Unsupported media type: content-type must be application/json or multipart/form-data",
        ),
        (
            ("text/plain", b"a robot".to_vec()),
            415,
            "Unsupported media type: content-type must be application/json or multipart/form-data",
        ),
        (("multipart/form-data", vec![]), 400, "Bad request: Missing boundary in content-type"),
        (json("{}"), 400, "Bad request: Must provide either prompt or image"),
        (json("{\"prompt\":\"\"}"), 400, "Bad request: Must provide either prompt or image"),
        (
            json("{\"prompt\":\"ab\"}"),
            400,
            "Bad request: Prompt is too short: minimum length is 3 characters (got 2)",
        ),
        (
            json(&format!("{{\"prompt\":\"{long}\"}}")),
            400,
            "Bad request: Prompt is too long: maximum length is 384 characters (got 385)",
        ),
        (
            json("{\"prompt\":\"naïve\"}"),
            400,
            "Bad request: Prompt contains invalid characters; allowed pattern: ^[A-Za-z0-9 .,'():;/?!+%-]+$",
        ),
        (
            json("{\"prompt\":\"a robot\",\"model\":\"404-mesh\"}"),
            400,
            "Bad request: Unsupported model '404-mesh'. Supported models: [\"404-3dgs\"]",
        ),
        (
            text(&[("prompt", "ab")]),
            400,
            "Bad request: Prompt is too short: minimum length is 3 characters (got 2)",
        ),
        (
            text(&[("prompt", &long)]),
            400,
            "Bad request: Prompt is too long: maximum length is 384 characters (got 385)",
        ),
        (text(&[("promt", "a robot")]), 400, "Bad request: Field error: unknown field `promt`"),
        (
            text(&[("prompt", "a robot"), ("prompt", "a fox")]),
            400,
            "Bad request: Field error: field `prompt` occurs twice",
        ),
        (
            text(&[("prompt", "a robot"), ("seed", "4294967296")]),
            400,
            "Bad request: Invalid seed value: number too large to fit in target type",
        ),
        (
            text(&[("prompt", "a robot"), ("model", "404-mesh")]),
            400,
            "Bad request: Unsupported model '404-mesh'. Supported models: [\"404-3dgs\"]",
        ),
        (text(&[]), 400, "Bad request: Must provide either prompt or image"),
        (both, 400, "Bad request: Cannot provide both prompt and image. Choose one."),
        (
            (FORM, form(&[("image", b"GIF89a and more")])),
            400,
            "Bad request: Image format 'gif' not allowed. Allowed formats: [\"png\", \"jpg\", \"webp\"]",
        ),
        (
            (FORM, form(&[("image", b"no picture")])),
            400,
            "Bad request: Failed to guess image format: The image format could not be determined",
        ),
        (
            (FORM, form(&[("image", &png(1025, 4))])),
            400,
            "Bad request: Image too wide: 1025 pixels (maximum is 1024 pixels)",
        ),
        (
            (FORM, form(&[("image", &png(4, 1025))])),
            400,
            "Bad request: Image too tall: 1025 pixels (maximum is 1024 pixels)",
        ),
        (too_big, 400, "Bad request: Image too large: 2097153 bytes (maximum is 2097152 bytes)"),
    ];
    for ((content_type, body), status, text) in cases {
        let answer = world.add(content_type, body).await;
        if text.contains("Image too large") {
            assert!(answer.text().starts_with("Bad request: Image too large: "), "{}", answer.text());
            assert_eq!(answer.status, status);
        } else {
            check(&answer, status, text);
        }
    }
    let request = Request::post("/add_task").header("x-api-key", &world.key).body(Body::empty()).unwrap();
    check(&world.send(request).await, 400, "Bad request: Missing content-type");
    let answer = world.add("application/json", "{\"prompt\"").await;
    assert!(answer.text().starts_with("Bad request: Invalid JSON: "), "{}", answer.text());
    let answer = world.add("application/json", vec![b' '; (2 << 20) + 1]).await;
    check(&answer, 413, "Bad request: Payload too large: maximum is 2097152 bytes");
    let answer =
        world.add(FORM, "--b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na robo").await;
    assert!(answer.text().starts_with("Bad request: Field error: "), "{}", answer.text());
    assert_eq!(world.app.ports().ledger.open_tasks().await.unwrap(), 0, "nothing was accepted");
}

#[tokio::test]
async fn every_good_prompt_becomes_a_task() {
    let world = world().await;
    let longest = "x".repeat(384);
    let cases: [(&str, Vec<u8>); 7] = [
        ("application/json", b"{\"prompt\":\"a robot\"}".to_vec()),
        ("application/json; charset=utf-8", format!("{{\"prompt\":\"{longest}\"}}").into()),
        (FORM, form(&[("prompt", longest.as_bytes())])),
        (FORM, form(&[("prompt", b"abc")])),
        (FORM, form(&[("image", &png(1024, 1024)), ("model", b"404-3dgs"), ("seed", b"4294967295")])),
        ("multipart/form-data; boundary=\"b\"", form(&[("seed", b"-5"), ("image", &png(1, 1))])),
        ("application/json", b"{\"prompt\":\"a robot\",\"model\":\"404-3dgs\",\"seed\":-1}".to_vec()),
    ];
    for (content_type, body) in cases {
        let answer = world.add(content_type, body).await;
        let id = answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
        assert_eq!(answer.text(), format!("{{\"id\":\"{id}\"}}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(world.get(&format!("/get_status?id={id}")).await.text(), "{\"status\":\"NoResult\"}");
    }
    assert_eq!(world.app.ports().ledger.open_tasks().await.unwrap(), 7);
}

#[tokio::test]
async fn status_takes_a_good_id() {
    let world = world().await;
    check(&world.get("/get_status").await, 400, "Bad request: Missing task ID");
    check(&world.get("/get_status?id=7").await, 400, "Bad request: Invalid task ID format");
    let unknown = world.get(&format!("/get_status?x=1&id={UNKNOWN_ID}")).await;
    assert_eq!((unknown.status, unknown.text()), (200, "{\"status\":\"NoResult\"}"));
}

#[tokio::test]
async fn a_task_without_results_fails_at_its_deadline() {
    let world = world().await;
    let id = world.task("a robot").await;
    world.advance(600);
    let status = world.get(&format!("/get_status?id={id}")).await;
    assert_eq!(status.text(), "{\"status\":\"Failure\",\"reason\":\"no miner took the task in time\"}");
    let text = format!(
        "No successful results found for task ID {id}. Failure reason: no miner took the task in time"
    );
    check(&world.get(&format!("/get_result?id={id}")).await, 404, &text);
}

#[tokio::test]
async fn a_full_queue_and_a_used_up_quota_say_when_to_come_back() {
    let mut policy = Policy::default();
    policy.tasks.open_max = 1;
    let full = world_with(policy, options()).await;
    full.task("a robot").await;
    let answer = full.add("application/json", "{\"prompt\":\"a fox\"}").await;
    check(&answer, 503, "Service unavailable: Task queue is full");
    assert_eq!(answer.header("retry-after"), "30");

    let mut world = world().await;
    world.key = world.app.add_key("poor", KeyLimits { hourly: Some(1), daily: None }).await.unwrap().text;
    world.task("a robot").await;
    let answer = world.add("application/json", "{\"prompt\":\"a fox\"}").await;
    check(&answer, 429, "Too many requests: User rate limit exceeded");
    let secs: u64 = answer.header("retry-after").parse().unwrap();
    assert_eq!(secs, 3600 - world.app.now().secs() % 3600);

    // A day that is used up is what a client hears of, however often it asks.
    let limits = KeyLimits { hourly: Some(2), daily: Some(1) };
    world.key = world.app.add_key("poor by day", limits).await.unwrap().text;
    world.task("a robot").await;
    for _ in 0..3 {
        let answer = world.add("application/json", "{\"prompt\":\"a fox\"}").await;
        let secs: u64 = answer.header("retry-after").parse().unwrap();
        assert_eq!((answer.status, secs), (429, 86_400 - world.app.now().secs() % 86_400));
    }
}

#[tokio::test]
async fn addresses_are_limited() {
    let once = Some(RateLimit { requests: 1, window_secs: 60, ban_secs: 0 });
    let with = |limits| HttpOptions { limits, ..options() };
    let text = "Too many requests: Rate limit exceeded";

    let world =
        world_with(Policy::default(), with(RateLimits { get_status: once, ..RateLimits::NONE })).await;
    let path = format!("/get_status?id={UNKNOWN_ID}");
    assert_eq!(world.get(&path).await.status, 200);
    let refused = world.get(&path).await;
    check(&refused, 429, text);
    assert_eq!(refused.header("retry-after"), "60");
    world.advance(60);
    assert_eq!(world.get(&path).await.status, 200);

    let limits = RateLimits { unauthorised_add_task: once, ..RateLimits::NONE };
    let world = world_with(Policy::default(), with(limits)).await;
    let unauthorised = || Request::post("/add_task").body(Body::empty()).unwrap();
    check(&world.send(unauthorised()).await, 401, "Unauthorized request: Missing API key");
    check(&world.send(unauthorised()).await, 429, text);
    world.task("a good key is not held up").await;

    let limits = RateLimits { wrong_keys: once, ..RateLimits::NONE };
    let mut world = world_with(Policy::default(), with(limits)).await;
    let good = std::mem::replace(&mut world.key, UNKNOWN_ID.to_owned());
    check(&world.get(&path).await, 401, "Unauthorized request: Invalid API key");
    check(&world.get(&path).await, 429, text);
    world.key = good;
    check(&world.get(&path).await, 429, text);
}

#[tokio::test]
async fn paths_methods_and_headers_are_refused_in_plain_text() {
    let world = world().await;
    check(&world.get("/nope").await, 404, "Not found");
    let wrong = world.get("/add_task").await;
    check(&wrong, 405, "Method not allowed");
    assert_eq!(wrong.header("allow"), "POST");
    let request = Request::delete("/get_result?id=1").body(Body::empty()).unwrap();
    let wrong = world.send(request).await;
    check(&wrong, 405, "Method not allowed");
    assert_eq!(wrong.header("allow"), "GET,HEAD");

    let padded =
        |bytes: usize| Request::get("/healthz").header("x-pad", "x".repeat(bytes - 5)).body(Body::empty());
    assert_eq!(world.send(padded(16 << 10).unwrap()).await.status, 200);
    let answer = world.send(padded((16 << 10) + 1).unwrap()).await;
    check(&answer, 431, "Request header fields too large: headers have more than 16384 bytes");

    let request = Request::options("/add_task").header("access-control-request-method", "POST");
    let preflight = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type, x-api-key, x-client-origin");
    assert_eq!(preflight.header("x-request-id").len(), 16);
}

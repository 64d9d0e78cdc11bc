//! A task's results, as its client gets them.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt as _;
use sn17_app::KeyLimits;
use sn17_app::ports::{BlobKey, BlobRead, Blobs, PortResult, UploadId};
use sn17_core::ledger::LoadSpec;
use sn17_core::policy::Policy;
use sn17_core::state::Key;
use sn17_http::{Blocking, HttpOptions};
use sn17_splat::{Limits, Splats, SpzDialect, decode, encode_spz, inspect};
use sn17_store::MemoryBlobs;
use tower::ServiceExt as _;

use crate::world::{World, measured, miner, options, world_over, world_with};

/// A splat that can be told from others by its place.
fn spz(x: f32) -> Vec<u8> {
    let splats = Splats {
        positions: vec![[x, 0.0, 0.0]; 50],
        scales: vec![[-3.0; 3]; 50],
        rotations: vec![[1.0, 0.0, 0.0, 0.0]; 50],
        opacities: vec![0.0; 50],
        colors: vec![[0.5; 3]; 50],
        ..Splats::default()
    };
    encode_spz(&splats, SpzDialect::Network, 1).unwrap()
}

async fn succeeded() -> (World, String) {
    succeeded_with(options()).await
}

/// A task of two results, the better one of miner 2 and by synthetic weights.
async fn succeeded_with(options: HttpOptions) -> (World, String) {
    succeeded_in(world_with(Policy::default(), options).await).await
}

async fn succeeded_in(world: World) -> (World, String) {
    let id = world.task("a robot").await.to_string();
    world.deliver(&miner(1), &spz(1.0), measured(0.90, false).0).await;
    world.deliver(&miner(2), &spz(2.0), measured(0.95, true).0).await;
    let before = world.get(&format!("/get_status?id={id}")).await;
    assert_eq!(before.text(), "{\"status\":\"NoResult\"}", "the final choice is not made yet");
    let text = format!("No results found for task ID {id}");
    assert_eq!(world.get(&format!("/get_result?id={id}")).await.text(), text);
    world.advance(30);
    (world, id)
}

#[tokio::test]
async fn partial_results_are_told_where_the_policy_says_so_and_the_client_copes() {
    for (partial_results, origin, expected) in [
        (false, "", "NoResult"),
        (true, "", "PartialResult(1)"),
        (true, "discord", "PartialResult(1)"),
        (true, "unity", "NoResult"),
        (true, "blender", "NoResult"),
    ] {
        let mut policy = Policy::default();
        policy.tasks.partial_results = partial_results;
        let world = world_with(policy, options()).await;
        let request = Request::post("/add_task")
            .header("x-api-key", &world.key)
            .header("content-type", "application/json")
            .header("x-client-origin", origin);
        let answer = world.send(request.body(Body::from("{\"prompt\":\"a robot\"}")).unwrap()).await;
        let path = format!("/get_status?id={}", answer.json()["id"].as_str().unwrap());
        assert_eq!(world.get(&path).await.text(), "{\"status\":\"NoResult\"}");
        world.deliver(&miner(1), &spz(1.0), measured(0.90, false).0).await;
        let status = world.get(&path).await;
        assert_eq!(status.text(), format!("{{\"status\":\"{expected}\"}}"), "{origin}");
        world.advance(30);
        assert!(world.get(&path).await.text().starts_with("{\"status\":\"Success\""));
    }
}

#[tokio::test]
async fn a_conversion_keeps_nobody_waiting() {
    let work = Arc::new(Mutex::new(Vec::new()));
    let waiting = Arc::clone(&work);
    let blocking = Blocking::new(move |job| waiting.lock().unwrap().push(job));
    let (world, id) = succeeded_with(HttpOptions { blocking, ..options() }).await;
    let path = format!("/get_result?id={id}&format=ply");
    let mut ply = Box::pin(world.get(&path));
    while work.lock().unwrap().is_empty() {
        assert!((&mut ply).now_or_never().is_none(), "it is not converted on this thread");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    let jobs = std::mem::take(&mut *work.lock().unwrap());
    jobs.into_iter().for_each(|job| job());
    assert_eq!(ply.await.status, 200);
}

#[tokio::test]
async fn the_best_result_comes_first_and_as_often_as_asked_for() {
    let (world, id) = succeeded().await;
    let best = sn17_wire::ss58::encode(&miner(2).hotkey());
    let status = world.get(&format!("/get_status?id={id}")).await;
    let expected = format!(
        "{{\"status\":\"Success\",\"miner_hotkey\":\"{best}\",\"miner_uid\":2,\"miner_rating\":1500.0,\"synthetic\":true}}"
    );
    assert_eq!(status.text(), expected);
    assert_eq!(status.header("x-sn17-synthetic"), "true");
    for _ in 0..3 {
        let result = world.get(&format!("/get_result?id={id}")).await;
        assert!(result.body == spz(2.0), "the best result's very bytes");
        assert_eq!(result.header("content-type"), "application/octet-stream");
        assert_eq!(result.header("content-disposition"), "attachment; filename=\"result.spz\"");
        assert_eq!(result.header("content-length"), spz(2.0).len().to_string());
        assert_eq!(result.header("x-sn17-synthetic"), "true");
    }
    world.app.sweep().await.unwrap();
    world.advance(24 * 3600);
    let text = format!("Task ID {id} not found");
    assert_eq!(world.get(&format!("/get_result?id={id}")).await.text(), text, "expired");
}

#[tokio::test]
async fn a_result_comes_as_ply() {
    let (world, id) = succeeded().await;
    for query in ["format=ply", "compress=0", "compress=false", "compress=no", "format=spz&compress=off"] {
        let result = world.get(&format!("/get_result?id={id}&{query}")).await;
        assert_eq!(result.header("content-disposition"), "attachment; filename=\"result.ply\"", "{query}");
        assert_eq!(result.header("content-length"), result.body.len().to_string());
        let splats = decode(&result.body, &Limits::default()).unwrap();
        assert!((splats.positions[0][0] - 2.0).abs() < 0.01 && splats.len() == 50, "{query}");
    }
    for (query, name) in
        [("format=obj", "format"), ("compress=maybe", "compress"), ("all=true&format=ply", "all")]
    {
        let answer = world.get(&format!("/get_result?id={id}&{query}")).await;
        assert_eq!(
            (answer.status, answer.text()),
            (400, &*format!("Bad request: Invalid value of `{name}`"))
        );
    }
}

#[tokio::test]
async fn all_results_come_as_a_zip() {
    let (world, id) = succeeded().await;
    let answer = world.get(&format!("/get_result?id={id}&all=true")).await;
    assert_eq!(answer.header("content-type"), "application/zip");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"results.zip\"");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(answer.body)).unwrap();
    assert_eq!(archive.len(), 2);
    for (name, expected) in [("1.spz", spz(2.0)), ("2.spz", spz(1.0))] {
        let mut file = archive.by_name(name).unwrap();
        assert_eq!(file.compression(), zip::CompressionMethod::Stored);
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert!(content == expected, "{name}");
    }
}

#[tokio::test]
async fn a_task_is_its_owners() {
    let (world, id) = succeeded().await;
    let other = world.app.add_key("other", KeyLimits::default()).await.unwrap().text;
    let get = |path: String| Request::get(path).header("x-api-key", &other).body(Body::empty()).unwrap();
    let status = world.send(get(format!("/get_status?id={id}"))).await;
    assert_eq!(status.text(), "{\"status\":\"NoResult\"}");
    let result = world.send(get(format!("/get_result?id={id}"))).await;
    assert_eq!((result.status, result.text()), (404, &*format!("Task ID {id} not found")));
    let preview = world.send(get(format!("/get_preview?id={id}"))).await;
    assert_eq!((preview.status, preview.text()), (404, &*format!("Task ID {id} not found")));
}

#[tokio::test]
async fn pictures_are_those_of_the_best_result_and_are_missing_where_none_were_kept() {
    let (world, id) = succeeded().await;
    let none = format!("No results found for task ID {id}");
    let best = sn17_wire::ss58::encode(&miner(2).hotkey());
    for (picture, file, media_type) in [
        ("", "front.png", "image/png"),
        ("&picture=front", "front.png", "image/png"),
        ("&picture=grid", "grid.png", "image/png"),
        ("&picture=turntable", "turntable.webp", "image/webp"),
    ] {
        let path = format!("/get_preview?id={id}{picture}");
        let key = BlobKey(format!("previews/{id}/{best}.{file}"));
        let blobs = &world.app.ports().blobs;
        blobs.delete(&key).await.unwrap();
        let answer = world.get(&path).await;
        assert_eq!((answer.status, answer.text()), (404, &*none), "{picture}");
        let upload = blobs.begin(&key).await.unwrap();
        blobs.part(&upload, file.into()).await.unwrap();
        blobs.finish(&upload).await.unwrap();
        let answer = world.get(&path).await;
        assert_eq!((answer.status, answer.text()), (200, file), "{picture}");
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("content-length"), file.len().to_string());
    }
    for picture in ["neutral", "Front", ""] {
        let answer = world.get(&format!("/get_preview?id={id}&picture={picture}")).await;
        assert_eq!(answer.status, 400, "{picture}");
    }
}

#[tokio::test]
async fn a_lost_result_is_a_fault_of_ours_without_details() {
    let (world, id) = succeeded().await;
    let load = LoadSpec::keys([Key::Task(id.parse().unwrap())]);
    let view = world.app.ports().ledger.read(world.app.now(), load).await.unwrap();
    let (_, task) = view.task(id.parse().unwrap()).unwrap();
    for result in &task.results {
        world.app.ports().blobs.delete(&BlobKey(result.blob.clone())).await.unwrap();
    }
    let answer = world.get(&format!("/get_result?id={id}")).await;
    assert_eq!(
        (answer.status, answer.text()),
        (500, "Internal Server Error: the request failed on our side")
    );
}

#[tokio::test]
async fn memory_for_conversions_is_bounded_and_one_alone_always_fits() {
    let (world, id) = succeeded_with(HttpOptions { conversion_memory_bytes: 1, ..options() }).await;
    let request = || {
        let path = format!("/get_result?id={id}&format=ply");
        Request::get(path).header("x-api-key", &world.key).body(Body::empty()).unwrap()
    };
    let unread = world.router.clone().oneshot(request()).await.unwrap();
    assert_eq!(unread.status(), 200);
    let busy = world.send(request()).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "2"));
    assert_eq!(busy.text(), "Service unavailable: too many results are being converted");
    drop(unread);
    assert_eq!(world.send(request()).await.status, 200);
}

#[tokio::test]
async fn in_1_a_conversion_that_no_memory_is_there_for_is_refused() {
    let bytes = spz(2.0);
    let needed = usize::try_from(2 * inspect(&bytes).unwrap().decoded_bytes).unwrap() + bytes.len();
    let text =
        "Bad request: the result is too large to be turned into PLY on this host: ask for it with format=spz";
    for (bytes_max, is_turned) in
        [(needed, true), (needed - 1, false), (bytes.len(), false), (bytes.len() - 1, false)]
    {
        let options = HttpOptions { conversion_bytes_max: Some(bytes_max), ..options() };
        let (world, id) = succeeded_with(options).await;
        let ply = world.get(&format!("/get_result?id={id}&format=ply")).await;
        if is_turned {
            assert!(ply.status == 200 && ply.body.starts_with(b"ply\n"), "{bytes_max}");
            continue;
        }
        assert_eq!((ply.status, ply.text()), (400, text), "{bytes_max}");
        let same = world.get(&format!("/get_result?id={id}&format=spz")).await;
        assert!(same.status == 200 && same.body == bytes, "{bytes_max}");
        let metrics = world.get("/metrics").await;
        let line =
            "sn17_http_refusals_total{route=\"/get_result\",reason=\"conversion_size\",invariant=\"IN-1\"} 1";
        assert!(metrics.text().contains(line), "{}", metrics.text());
    }
}

/// Blobs that have addresses of their own.
#[derive(Default)]
pub(crate) struct Addressed(MemoryBlobs);

#[async_trait::async_trait]
impl Blobs for Addressed {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        self.0.begin(key).await
    }
    async fn part(&self, upload: &UploadId, bytes: bytes::Bytes) -> PortResult<()> {
        self.0.part(upload, bytes).await
    }
    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        self.0.finish(upload).await
    }
    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        self.0.abort(upload).await
    }
    fn forget(&self, upload: &UploadId) {
        self.0.forget(upload);
    }
    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        self.0.get(key).await
    }
    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        self.0.delete(key).await
    }
    async fn presign(&self, key: &BlobKey, secs: u32, filename: &str) -> PortResult<Option<String>> {
        Ok(Some(format!("https://store.example/{}?valid={secs}&as={filename}", key.0)))
    }
}

#[tokio::test]
async fn a_large_result_is_fetched_from_the_store_itself() {
    let bytes = spz(2.0).len() as u64;
    for (redirect_above, is_redirected) in [(None, false), (Some(bytes), false), (Some(bytes - 1), true)] {
        let options = HttpOptions { redirect_above, ..options() };
        let world = world_over(Arc::new(Addressed::default()), options).await;
        let (world, id) = succeeded_in(world).await;
        let result = world.get(&format!("/get_result?id={id}")).await;
        assert_eq!(result.header("x-sn17-synthetic"), "true");
        if !is_redirected {
            assert!(result.status == 200 && result.body == spz(2.0), "{redirect_above:?}");
            continue;
        }
        assert_eq!((result.status, result.body.len()), (302, 0));
        let location = result.header("location");
        assert!(location.starts_with("https://store.example/submissions/"), "{location}");
        assert!(location.ends_with("?valid=300&as=result.spz"), "{location}");
        assert_eq!(result.header("cache-control"), "no-store");
        assert_eq!(result.header("access-control-allow-origin"), "*");
        // Everything that the link does not give comes directly.
        let head = Request::head(format!("/get_result?id={id}")).header("x-api-key", &world.key);
        let head = world.send(head.body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.header("content-length")), (200, &*bytes.to_string()));
        for query in ["direct=true", "direct=1", "format=ply", "all=true"] {
            let answer = world.get(&format!("/get_result?id={id}&{query}")).await;
            assert!(answer.status == 200 && !answer.body.is_empty(), "{query}");
        }
        assert!(world.get(&format!("/get_result?id={id}&direct=on")).await.body == spz(2.0));
        assert_eq!(world.get(&format!("/get_result?id={id}&direct=no")).await.status, 302);
        let wrong = world.get(&format!("/get_result?id={id}&direct=maybe")).await;
        assert_eq!((wrong.status, wrong.text()), (400, "Bad request: Invalid value of `direct`"));
    }
}

#[tokio::test]
async fn a_store_without_addresses_streams_whatever_the_size() {
    let (world, id) = succeeded_with(HttpOptions { redirect_above: Some(0), ..options() }).await;
    let result = world.get(&format!("/get_result?id={id}")).await;
    assert!(result.status == 200 && result.body == spz(2.0));
}

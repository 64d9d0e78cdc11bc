//! What users see when a port fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use sn17_app::ports::{
    BlobKey, BlobRead, Blobs, Decide, Due, Ledger, Nonce, PortError, PortErrorKind, PortResult, QuotaWindow,
    UploadId,
};
use sn17_app::{AddTask, AddTaskError, App, Host, KeyLimits, KeySecret, NewPrompt, Ports, PromptBook};
use sn17_core::UnixMs;
use sn17_core::ledger::{DecisionId, LoadSpec, Stored, View};
use sn17_core::policy::Policy;
use sn17_core::state::{DuelNonce, Key, KeyHash, Origin};
use sn17_http::router;
use sn17_store::{Clock, Embedded, MemoryBlobs, Options};
use tower::ServiceExt as _;

use crate::world::{ADMIN_KEY, miner, options, post, read, validator, world};

/// A ledger that fails always, in one way.
struct Broken(PortErrorKind);

impl Broken {
    fn fail<T>(&self) -> PortResult<T> {
        Err(PortError::new(self.0, "table sn17-prod at 10.0.0.3"))
    }
}

#[async_trait]
impl Ledger for Broken {
    async fn transact(&self, _: DecisionId, _: UnixMs, _: LoadSpec, _: Decide) -> PortResult<()> {
        self.fail()
    }
    async fn read(&self, _: UnixMs, _: LoadSpec) -> PortResult<View> {
        self.fail()
    }
    async fn claim_nonce(&self, _: &Nonce, _: UnixMs, _: UnixMs) -> PortResult<bool> {
        self.fail()
    }
    async fn bump(&self, _: &QuotaWindow, _: UnixMs, _: u32) -> PortResult<bool> {
        self.fail()
    }
    async fn watch(&self, _: &Key, _: u64, _: UnixMs) -> PortResult<Option<Stored>> {
        self.fail()
    }
    async fn due(&self, _: UnixMs, _: usize) -> PortResult<Vec<Due>> {
        self.fail()
    }
    async fn open_tasks(&self) -> PortResult<u64> {
        self.fail()
    }
    async fn api_keys(&self) -> PortResult<Vec<(KeyHash, Stored)>> {
        self.fail()
    }
    async fn duels(
        &self,
        _: UnixMs,
        _: DuelNonce,
        _: Option<DuelNonce>,
        _: usize,
    ) -> PortResult<Vec<(DuelNonce, Stored)>> {
        self.fail()
    }
}

#[tokio::test]
async fn each_kind_has_its_status_and_no_details() {
    let (passing, ours) = ("try again shortly", "the request failed on our side");
    let cases = [
        (PortErrorKind::Unavailable, 503, "Service unavailable", passing),
        (PortErrorKind::Throttled, 503, "Service unavailable", passing),
        (PortErrorKind::Conflict, 503, "Service unavailable", passing),
        (PortErrorKind::Corrupt, 500, "Internal Server Error", ours),
    ];
    let good = world().await;
    for (kind, status, prefix, message) in cases {
        let now = good.app.now();
        let queue = Embedded::memory(Clock::new(move || now), Options::default()).unwrap();
        let ports = Ports {
            ledger: Arc::new(Broken(kind)),
            blobs: Arc::new(MemoryBlobs::default()),
            queue: Arc::new(queue),
        };
        let host = Host { now: Arc::new(move || now), random: Arc::new(|| 4) };
        let policy = Policy::default();
        let app = App::new(ports, host, policy, validator(), KeySecret([7; 32]), PromptBook::default());
        let router = router(Arc::new(app), options());
        let get = |path| Request::get(path).header("x-api-key", &good.key).header("x-admin-key", ADMIN_KEY);
        let text = format!("{prefix}: {message}");
        let json = format!("{{\"message\":\"{message}\"}}");
        let requests = [
            (get("/readyz").body(Body::empty()).unwrap(), &text),
            (get("/get_status?id=x").body(Body::empty()).unwrap(), &text),
            (get("/admin/keys").body(Body::empty()).unwrap(), &json),
            (post(good.pull_request(&miner(1))), &json),
            (post(good.submit_request(&miner(1), "x", "prompt", b"x")), &json),
        ];
        for (request, body) in requests {
            let answer = read(router.clone().oneshot(request).await.unwrap()).await;
            assert_eq!((answer.status, answer.text()), (status, body.as_str()));
            assert_eq!(answer.header("retry-after"), if status == 503 { "2" } else { "" });
        }
    }
}

/// Blobs of which the first cannot be made durable, and how many were begun and deleted.
#[derive(Default)]
struct FullOnce {
    blobs: MemoryBlobs,
    begun: AtomicUsize,
    deleted: AtomicUsize,
}

#[async_trait]
impl Blobs for FullOnce {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.blobs.begin(key).await
    }
    async fn part(&self, upload: &UploadId, bytes: bytes::Bytes) -> PortResult<()> {
        self.blobs.part(upload, bytes).await
    }
    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        if self.begun.load(Ordering::SeqCst) == 1 {
            return Err(PortError::new(PortErrorKind::Unavailable, "no space left on device"));
        }
        self.blobs.finish(upload).await
    }
    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        self.blobs.abort(upload).await
    }
    fn forget(&self, upload: &UploadId) {
        self.blobs.forget(upload);
    }
    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        self.blobs.get(key).await
    }
    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        self.deleted.fetch_add(1, Ordering::SeqCst);
        self.blobs.delete(key).await
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_stored_is_not_charged() {
    let now = UnixMs::from_secs(1_800_000_000);
    let store = Embedded::memory(Clock::new(move || now), Options::default()).unwrap();
    let blobs = Arc::new(FullOnce::default());
    let ports = Ports {
        ledger: Arc::new(store.clone()),
        blobs: Arc::clone(&blobs) as Arc<dyn Blobs>,
        queue: Arc::new(store),
    };
    let random = std::sync::atomic::AtomicU64::new(1);
    let random = move || u128::from(random.fetch_add(1, Ordering::SeqCst));
    let host = Host { now: Arc::new(move || now), random: Arc::new(random) };
    let secret = KeySecret([7; 32]);
    let app = App::new(ports, host, Policy::default(), validator(), secret, PromptBook::default());
    let limits = KeyLimits { hourly: Some(1), daily: Some(1) };
    let key = app.add_key("poor", limits).await.unwrap();
    let caller = app.authenticate(&key.text).await.unwrap().unwrap();
    let add = async || {
        let picture = NewPrompt::Image(bytes::Bytes::from_static(b"a picture"));
        app.add_task(&caller, AddTask { prompt: picture, origin: Origin::Api }).await
    };
    assert!(matches!(add().await, Err(AddTaskError::Port(_))));
    assert!(add().await.is_ok(), "the quota of one was not used up");
    for refused in 1..=3 {
        assert!(matches!(add().await, Err(AddTaskError::QuotaExceeded { .. })));
        let (begun, deleted) = (blobs.begun.load(Ordering::SeqCst), blobs.deleted.load(Ordering::SeqCst));
        assert_eq!((begun, deleted), (3, 1), "once known, nothing is stored: refusal {refused}");
    }
}

//! The client and the judge against a server that reads requests strictly.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]
#![expect(clippy::print_stderr, reason = "a test that cannot be tried here says so")]

mod chat;
mod generators;
mod judge;
mod limits;
mod pleading;
mod real;
mod secrecy;
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "dots are small numbers")]
#[path = "../../../render/tests/it/text.rs"]
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sn17_app::Host;
use sn17_app::ports::Ledger;
use sn17_core::UnixMs;
use sn17_judge_server::{Asked, ModelServer};
use sn17_llm::{ApiKey, Chat, ChatError, Completion, Endpoint, Message, Request};
use sn17_store::conformance::ManualClock;
use sn17_store::{Embedded, Options};

/// The key that every server of these tests asks for.
const KEY: &str = "sk-not-to-be-seen";
/// 2025-01-01 00:00:00 UTC.
const NEW_YEAR: UnixMs = UnixMs::from_secs(1_735_689_600);

/// A host whose clock stands where it is set, and whose waits are as short as they can be.
#[derive(Clone, Debug)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(now: UnixMs) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    fn set(&self, now: UnixMs) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    fn host(&self) -> Host {
        let now = Arc::clone(&self.0);
        Host { now: Arc::new(move || UnixMs(now.load(Ordering::SeqCst))), random: Arc::new(|| 0) }
    }
}

/// A server whose model answers by a function.
async fn serve(answer: impl Fn(&Asked) -> Result<String, String> + Send + Sync + 'static) -> ModelServer {
    let address = "127.0.0.1:0".parse().unwrap();
    ModelServer::start(address, Some(KEY.to_owned()), answer).await.unwrap()
}

/// A server whose model has one thing to say.
async fn parrot() -> ModelServer {
    serve(|_| Ok("yes".to_owned())).await
}

/// The endpoint of a server. Nothing is timed, so a try may take long.
fn endpoint(server: &ModelServer) -> Endpoint {
    Endpoint {
        api_key: Some(ApiKey::new(KEY)),
        timeout: Duration::from_secs(60),
        ..Endpoint::new(server.url(), "a-model")
    }
}

/// An endpoint that is given up on soon, where nothing is to come.
fn hasty(server: &ModelServer) -> Endpoint {
    Endpoint { timeout: Duration::from_millis(300), tries: 2, ..endpoint(server) }
}

/// A ledger in memory, whose clock is the one of these tests where a call says the time.
fn ledger() -> Arc<dyn Ledger> {
    Arc::new(Embedded::memory(ManualClock::default().clock(), Options::default()).unwrap())
}

fn chat(endpoint: Endpoint) -> Chat {
    Chat::new(endpoint, Clock::at(NEW_YEAR).host()).unwrap()
}

fn hello() -> Request {
    Request::new(vec![Message::user("hello")])
}

async fn ask(chat: &Chat) -> Result<Completion, ChatError> {
    chat.complete(&hello()).await
}

//! The platform's clock, timers and randomness.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sn17_app::Host;
use sn17_aws::edge::Platform;
use sn17_core::UnixMs;
use worker::send::SendFuture;
use worker::{Date, Delay};

use crate::fetch::FetchClient;

/// What the use cases and the adapters get from workerd.
pub(crate) fn platform() -> Platform {
    Platform {
        http: SharedHttpClient::new(FetchClient),
        time: SharedTimeSource::new(Clock),
        sleep: SharedAsyncSleep::new(Timer),
        host: Host { now: Arc::new(now), random: Arc::new(random) },
    }
}

/// The wall clock. On Cloudflare it stands still between two answers from outside, so that nobody can measure with it.
fn now() -> UnixMs {
    UnixMs(Date::now().as_millis())
}

/// Of `crypto.getRandomValues`, which is there while a request is handled and not before.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom_02::getrandom(&mut bytes).expect("workerd has randomness while it handles a request");
    u128::from_le_bytes(bytes)
}

#[derive(Debug)]
struct Clock;

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(now().0)
    }
}

#[derive(Debug)]
struct Timer;

impl AsyncSleep for Timer {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(SendFuture::new(Delay::from(duration)))
    }
}

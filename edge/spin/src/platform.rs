//! Clock, sleep and randomness of the host.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sn17_app::Host;
use sn17_aws::edge::Platform;
use sn17_core::UnixMs;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random;
use sync_wrapper::SyncFuture;

use crate::client::HostClient;

/// What the adapters need of this host.
pub(crate) fn platform() -> Platform {
    Platform {
        http: SharedHttpClient::new(HostClient),
        time: SharedTimeSource::new(SystemTimeSource::new()),
        sleep: SharedAsyncSleep::new(HostSleep),
        host: Host { now: Arc::new(now), random: Arc::new(random_bits) },
    }
}

/// A sleep by the host's monotonic clock.
pub(crate) type HostTimer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sleeps for so long from when it is first polled.
pub(crate) fn timer(duration: Duration) -> HostTimer {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Box::pin(monotonic_clock::wait_for(nanoseconds))
}

#[derive(Debug)]
struct HostSleep;

impl AsyncSleep for HostSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(SyncFuture::new(timer(duration)))
    }
}

fn now() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn random_bits() -> u128 {
    u128::from(random::get_random_u64()) << 64 | u128::from(random::get_random_u64())
}

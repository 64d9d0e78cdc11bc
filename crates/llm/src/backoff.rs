//! How long to wait before the next try.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use sn17_core::UnixMs;

/// The longest wait before the second try; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// The longest wait that doubling leads to.
const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// A server that asks for more patience than this is not waited for within a call.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// The longest wait between two tries.
pub(crate) const RETRY_WAIT_MAX: Duration = Duration::from_secs(11);

/// How long to wait before another try, after `tried` of them; none to give up.
///
/// Full jitter (Brooker, "Exponential backoff and jitter", 2015): anything from zero to the bound, so that calls that
/// failed together do not come back together. What the server asked for comes first and the jitter after it.
pub(crate) fn wait(tried: u32, retry_after: Option<Duration>, random: u128) -> Option<Duration> {
    match retry_after {
        Some(asked) if asked > RETRY_AFTER_MAX => None,
        Some(asked) => Some(asked + share(BACKOFF_FIRST, random)),
        None => {
            let doublings = tried.saturating_sub(1).min(31);
            let bound = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX);
            Some(share(bound, random))
        }
    }
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3). None when absent or unreadable.
pub(crate) fn retry_after(headers: &HeaderMap, now: UnixMs) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(Duration::from_millis(now.0)))
}

/// A random share of `bound`, in whole milliseconds.
fn share(bound: Duration, random: u128) -> Duration {
    // The upper 64 bits as a fraction of one.
    let ms = (bound.as_millis().min(u128::from(u32::MAX)) * (random >> 64)) >> 64;
    Duration::from_millis(u64::try_from(ms).expect("a share of at most 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u128 = u128::MAX;

    #[test]
    fn the_bound_doubles_up_to_its_maximum() {
        let longest: Vec<u128> =
            (1..=6).map(|tried| wait(tried, None, MOST).map_or(0, |wait| wait.as_millis())).collect();
        assert_eq!(longest, [499, 999, 1_999, 3_999, 7_999, 7_999]);
        assert_eq!(wait(1, None, 0), Some(Duration::ZERO));
        assert_eq!(wait(u32::MAX, None, MOST), Some(Duration::from_millis(7_999)));
    }

    #[test]
    fn the_server_is_given_what_it_asks_for_and_no_more_than_the_maximum() {
        assert_eq!(wait(1, Some(Duration::from_secs(7)), 0), Some(Duration::from_secs(7)));
        let longest = wait(9, Some(RETRY_AFTER_MAX), MOST);
        assert!(longest.is_some_and(|wait| wait > RETRY_AFTER_MAX && wait <= RETRY_WAIT_MAX), "{longest:?}");
        assert_eq!(wait(1, Some(RETRY_AFTER_MAX + Duration::from_secs(1)), 0), None);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        // 1994-11-06 08:49:37 UTC, the example of RFC 9110.
        let now = UnixMs::from_secs(784_111_777);
        let read = |text: &'static str| {
            let headers = [(RETRY_AFTER, reqwest::header::HeaderValue::from_static(text))];
            retry_after(&headers.into_iter().collect(), now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:17 GMT"), Some(Duration::ZERO));
        for unreadable in ["", "soon", "-1", "1.5"] {
            assert_eq!(read(unreadable), None, "{unreadable}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

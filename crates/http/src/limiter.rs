//! Counters by sender, in this process, of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use sn17_core::UnixMs;

use crate::options::RateLimit;

/// So many counters at most, about 6 MiB. When they are used up the expired ones go, and if none has, all do: a
/// flood from that many senders is for the platform in front of us.
const COUNTERS_MAX: usize = 65_536;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    GetStatus,
    UnauthorisedAddTask,
    WrongKeys,
    WrongSignatures,
    Synapses,
    Public,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    requests: u32,
    until: UnixMs,
}

/// Windows by rule and sender: an address (see [`network`](crate::network)) or a hotkey. Each kind of sender has its
/// own limiter, as anybody can make hotkeys, and no flood of them may clear the counters of addresses.
#[derive(Debug)]
pub(crate) struct Limiter<Sender>(Mutex<HashMap<(Rule, Sender), Counter>>);

impl<Sender> Default for Limiter<Sender> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Sender: Eq + Hash> Limiter<Sender> {
    /// Counts a request; answers the seconds to wait if it is one too many.
    pub(crate) fn count(
        &self,
        rule: Rule,
        limit: Option<RateLimit>,
        sender: Option<Sender>,
        now: UnixMs,
    ) -> Option<u64> {
        let (limit, sender) = (limit?, sender?);
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS_MAX {
            counters.retain(|_, counter| counter.until > now);
            if counters.len() >= COUNTERS_MAX {
                counters.clear();
            }
        }
        let fresh = Counter { requests: 0, until: now.plus_secs(limit.window_secs) };
        let counter = counters.entry((rule, sender)).or_insert(fresh);
        if counter.until <= now {
            *counter = fresh;
        }
        if counter.requests < limit.requests {
            counter.requests += 1;
            return None;
        }
        if counter.requests == limit.requests {
            // The first one too many; those after it do not prolong the ban.
            counter.requests += 1;
            if limit.ban_secs > 0 {
                counter.until = now.plus_secs(limit.ban_secs);
            }
        }
        Some(seconds_until(counter.until, now))
    }

    /// The seconds that a sender is still shut out for.
    pub(crate) fn shut_out(
        &self,
        rule: Rule,
        limit: Option<RateLimit>,
        sender: Option<Sender>,
        now: UnixMs,
    ) -> Option<u64> {
        let (limit, sender) = (limit?, sender?);
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.get(&(rule, sender))?;
        let is_shut_out = counter.requests > limit.requests && counter.until > now;
        is_shut_out.then(|| seconds_until(counter.until, now))
    }
}

fn seconds_until(until: UnixMs, now: UnixMs) -> u64 {
    until.ms_since(now).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::network;

    const NOW: UnixMs = UnixMs::from_secs(1_800_000_000);
    const LIMIT: Option<RateLimit> = Some(RateLimit { requests: 2, window_secs: 60, ban_secs: 0 });
    const BAN: Option<RateLimit> = Some(RateLimit { requests: 2, window_secs: 600, ban_secs: 300 });

    fn ip(text: &str) -> Option<IpAddr> {
        Some(network(text.parse().unwrap()))
    }

    #[test]
    fn a_window_begins_with_its_first_request() {
        let limiter = Limiter::default();
        let count = |ip, secs| limiter.count(Rule::GetStatus, LIMIT, ip, NOW.plus_secs(secs));
        let (ours, theirs) = (ip("1.2.3.4"), ip("1.2.3.5"));
        assert_eq!([count(ours, 0), count(ours, 1), count(ours, 2)], [None, None, Some(58)]);
        assert_eq!(count(theirs, 2), None);
        assert_eq!(count(None, 2), None);
        assert_eq!([count(ours, 59), count(ours, 60)], [Some(1), None]);
        assert_eq!(limiter.count(Rule::WrongKeys, LIMIT, ours, NOW), None, "rules count apart");
    }

    #[test]
    fn a_ban_lasts_from_the_first_request_too_many() {
        let limiter = Limiter::default();
        let (user, later) = (ip("2001:db8::1"), |secs| NOW.plus_secs(secs));
        for secs in 0..2 {
            assert_eq!(limiter.count(Rule::WrongKeys, BAN, user, later(secs)), None);
        }
        assert_eq!(limiter.shut_out(Rule::WrongKeys, BAN, user, later(2)), None);
        assert_eq!(
            limiter.count(Rule::WrongKeys, BAN, ip("2001:db8::2"), later(3)),
            Some(300),
            "same network"
        );
        assert_eq!(limiter.count(Rule::WrongKeys, BAN, user, later(103)), Some(200));
        assert_eq!(limiter.shut_out(Rule::WrongKeys, BAN, user, later(302)), Some(1));
        assert_eq!(limiter.shut_out(Rule::WrongKeys, BAN, user, later(303)), None);
    }

    #[test]
    fn addresses_without_number_take_bounded_memory() {
        let limiter = Limiter::default();
        for number in 0..2 * u32::try_from(COUNTERS_MAX).unwrap() {
            limiter.count(Rule::GetStatus, LIMIT, Some(IpAddr::V4(number.into())), NOW);
        }
        assert!(limiter.0.lock().unwrap().len() <= COUNTERS_MAX);
    }
}

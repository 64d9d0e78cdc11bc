use sn17_core::UnixMs;
use sn17_core::cooldown::{cooldown_until, is_on_cooldown};
use sn17_core::policy::MinerRules;

use crate::Tally;

/// CD-2: the original's table (cooldown 60 s, throttle 20 s), the same with a penalty, and the free last second.
pub fn cooldown() -> Tally {
    let mut tally = Tally::default();
    let rules = MinerRules { cooldown_secs: 60, throttle_secs: 20, ..MinerRules::default() };
    let assigned = UnixMs::from_secs(1_700_000_000);
    for (elapsed_secs, left_secs) in [(0, 60), (5, 55), (15, 45), (20, 40), (30, 40)] {
        let received = assigned.plus_secs(elapsed_secs);
        for penalty_secs in [0, 600] {
            let until = cooldown_until(assigned, received, &rules, penalty_secs);
            let expected = received.secs() + left_secs + penalty_secs;
            tally.check(until == expected, &format!("after {elapsed_secs} s: until {until}"));
            tally.check(is_on_cooldown(until, UnixMs(until * 1000 - 1)), "the last millisecond waits");
            tally.check(!is_on_cooldown(until, UnixMs::from_secs(until)), "the second itself is free");
        }
    }
    tally
}

//! Cooldown arithmetic (CD-2).

use crate::UnixMs;
use crate::policy::MinerRules;

/// The second until which a miner waits after handing in a task it got at `assigned_at`, received at
/// `received_at`, with `penalty_secs` added for a refused result.
///
/// CD-2: max(received + cooldown − throttle, assigned + cooldown), in whole seconds rounded down, as the
/// original computes it. Work of up to the throttle period thus shortens the cooldown by its own length.
pub fn cooldown_until(
    assigned_at: UnixMs,
    received_at: UnixMs,
    rules: &MinerRules,
    penalty_secs: u64,
) -> u64 {
    let cooldown_secs = rules.cooldown_secs.saturating_add(penalty_secs);
    let throttled = received_at.plus_secs(cooldown_secs.saturating_sub(rules.throttle_secs));
    let unthrottled = assigned_at.plus_secs(cooldown_secs);
    throttled.max(unthrottled).secs()
}

/// Whether a miner with this `cooldown_until` must still wait; the second itself is free.
pub fn is_on_cooldown(cooldown_until: u64, now: UnixMs) -> bool {
    now < UnixMs::from_secs(cooldown_until)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description's table: base 60 s, throttle 20 s.
    #[test]
    fn cd_2_work_shortens_the_cooldown_up_to_the_throttle() {
        let rules = MinerRules { cooldown_secs: 60, throttle_secs: 20, ..MinerRules::default() };
        let assigned = UnixMs::from_secs(1_000_000);
        for (elapsed, left) in [(0, 60), (5, 55), (15, 45), (20, 40), (30, 40)] {
            let received = assigned.plus_secs(elapsed);
            let until = cooldown_until(assigned, received, &rules, 0);
            assert_eq!(until - received.secs(), left, "after {elapsed} s of work");
            let penalised = cooldown_until(assigned, received, &rules, 600);
            assert_eq!(penalised - received.secs(), left + 600, "penalised after {elapsed} s of work");
        }
    }

    #[test]
    fn cd_2_rounds_down_and_the_last_second_is_free() {
        let rules = MinerRules::default();
        let assigned = UnixMs(1_000_000_900);
        assert_eq!(cooldown_until(assigned, assigned.plus_ms(50), &rules, 0), 1_000_300);
        assert!(is_on_cooldown(10, UnixMs(9_999)));
        assert!(!is_on_cooldown(10, UnixMs(10_000)));
        assert!(!is_on_cooldown(0, UnixMs(0)));
    }
}

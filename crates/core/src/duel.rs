//! A duel from its pair to its verdict.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::glicko::{self, Outcome, Rating};
use crate::ledger::{Contest, Effect, LoadSpec, Step, Stored, View, Write};
use crate::policy::{FairPlayRules, Policy};
use crate::state::{
    Duel, DuelNonce, DuelState, Entry, History, Item, Key, Prompt, RatingChange, RatingPoint, Record, Side,
};
use crate::{Hotkey, UnixMs};

/// The pair of a duel, as uids (DU-2): BLAKE3 of `{nonce}:{prompt}`, its first four bytes modulo `slots` for the left
/// side and the next four for the right, both big-endian, as the original computes it.
///
/// Of a picture the prompt is the SHA-256 of its bytes in lower-case hexadecimal digits. The two may be the same uid, and
/// then make no pair. `slots` is at least 1.
pub fn pair(nonce: DuelNonce, prompt: &str, slots: u32) -> (u16, u16) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{nonce}:").as_bytes()).update(prompt.as_bytes());
    let digest = hasher.finalize();
    let (words, _) = digest.as_bytes().as_chunks::<4>();
    let slot = |word: [u8; 4]| u16::try_from(u32::from_be_bytes(word) % slots.max(1)).unwrap_or(u16::MAX);
    (slot(words[0]), slot(words[1]))
}

/// A prompt as pairs are drawn from it and as records name it: its words, or a picture's SHA-256.
pub fn published_prompt(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Image { sha256, .. } => sha256.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

/// What the judge, or our own rules in its place, say about a duel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Who has won.
    Decided {
        /// The outcome.
        outcome: Outcome,
        /// Why.
        explanation: String,
    },
    /// Nobody could say, for good.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a ruling came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruled {
    /// It has taken effect now.
    Now,
    /// The duel had ended before, or is gone.
    Before,
}

impl View {
    /// A duel, with the row it came from.
    pub fn duel(&self, nonce: DuelNonce) -> Option<(&Stored, &Duel)> {
        let stored = self.get(&Key::Duel(nonce))?;
        let Item::Duel(duel) = &stored.item else {
            return None;
        };
        Some((stored, duel))
    }

    /// A miner's last duels, with the row they came from.
    pub fn history(&self, hotkey: &Hotkey) -> Option<(&Stored, &History)> {
        let stored = self.get(&Key::History(*hotkey))?;
        let Item::History(history) = &stored.item else {
            return None;
        };
        Some((stored, history))
    }
}

impl Duel {
    /// Both sides, the left one first.
    pub const fn sides(&self) -> [&Side; 2] {
        [&self.left, &self.right]
    }

    fn side_mut(&mut self, hotkey: &Hotkey) -> Option<&mut Side> {
        [&mut self.left, &mut self.right].into_iter().find(|side| side.hotkey == *hotkey)
    }

    /// Whether this miner may get the duel's task now.
    pub fn is_open_to(&self, hotkey: &Hotkey, now: UnixMs) -> bool {
        let is_open = self.state == DuelState::Open && now < self.pull_until;
        is_open && self.sides().into_iter().any(|side| side.hotkey == *hotkey && side.pulled.is_none())
    }

    /// The outcome that needs no judge: a side without a result loses, two of them draw, and so do two copies of the
    /// same file. None while a side is awaited, and where there is something to compare.
    pub fn plain_outcome(&self) -> Option<(Outcome, &'static str)> {
        match (&self.left.entry, &self.right.entry) {
            (Entry::Awaited, _) | (_, Entry::Awaited) => None,
            (Entry::Missing { .. }, Entry::Missing { .. }) => {
                Some((Outcome::Draw, "neither miner made anything"))
            }
            (Entry::Missing { .. }, Entry::Delivered { .. }) => {
                Some((Outcome::Right, "the left miner made nothing"))
            }
            (Entry::Delivered { .. }, Entry::Missing { .. }) => {
                Some((Outcome::Left, "the right miner made nothing"))
            }
            (Entry::Delivered { sha256: left, .. }, Entry::Delivered { sha256: right, .. }) => {
                (left == right).then_some((Outcome::Draw, "both miners sent the same file"))
            }
        }
    }
}

/// Hands a duel's task to one of its sides; the caller has asked [`Duel::is_open_to`].
pub fn assign(nonce: DuelNonce, stored: &Stored, duel: &Duel, hotkey: &Hotkey, now: UnixMs) -> Write {
    let mut duel = duel.clone();
    if let Some(side) = duel.side_mut(hotkey) {
        side.pulled = Some(now);
    }
    Write::replace(Key::Duel(nonce), stored, Item::Duel(duel))
}

/// Notes what a side has handed in; with the second one the duel goes to the judge.
///
/// None when nothing changes: the duel is gone or over, or the side is in already.
pub fn enter(
    view: &View,
    nonce: DuelNonce,
    hotkey: &Hotkey,
    entry: Entry,
    now: UnixMs,
    policy: &Policy,
) -> Option<Write> {
    let (stored, duel) = view.duel(nonce)?;
    if duel.state != DuelState::Open {
        return None;
    }
    let mut duel = duel.clone();
    let side = duel.side_mut(hotkey).filter(|side| side.entry == Entry::Awaited)?;
    side.entry = entry;
    if duel.sides().into_iter().any(|side| side.entry == Entry::Awaited) {
        return Some(Write::replace(Key::Duel(nonce), stored, Item::Duel(duel)));
    }
    duel.state = DuelState::Awaiting { resends: 0, resend_at: now.plus_secs(policy.judge.resend_secs) };
    let judge = Effect::Judge(Contest::Duel(nonce));
    Some(Write::replace(Key::Duel(nonce), stored, Item::Duel(duel)).causing(judge))
}

/// Ends an open duel without a verdict: a failure of ours must cost no rating. None when it is over already.
pub fn void(view: &View, nonce: DuelNonce, reason: String, now: UnixMs, policy: &Policy) -> Option<Write> {
    let (stored, duel) = view.duel(nonce)?;
    match duel.state {
        DuelState::Open | DuelState::Awaiting { .. } => {
            Some(voided(nonce, stored, duel, reason, now, policy))
        }
        DuelState::Judged { .. } | DuelState::Void { .. } => None,
    }
}

/// Looks after a duel whose time has come: one whose sides are not both in ends, one without a verdict goes to the judge
/// again, a bounded number of times.
pub fn look_after(view: &View, nonce: DuelNonce, now: UnixMs, policy: &Policy) -> Step<()> {
    let key = Key::Duel(nonce);
    if !view.has_loaded(&key) {
        return Step::Load(LoadSpec::keys([key]));
    }
    let Some((stored, duel)) = view.duel(nonce) else {
        return Step::Reply(());
    };
    let write = match duel.state {
        DuelState::Open if now >= duel.closes => {
            voided(nonce, stored, duel, "a side was missing".to_string(), now, policy)
        }
        DuelState::Awaiting { resends, resend_at } if now >= resend_at => {
            if resends >= policy.judge.resends_max {
                voided(nonce, stored, duel, "it could not be judged".to_string(), now, policy)
            } else {
                let resend_at = now.plus_secs(policy.judge.resend_secs);
                let state = DuelState::Awaiting { resends: resends + 1, resend_at };
                let item = Item::Duel(Duel { state, ..duel.clone() });
                Write::replace(key, stored, item).causing(Effect::Judge(Contest::Duel(nonce)))
            }
        }
        DuelState::Open | DuelState::Awaiting { .. } | DuelState::Judged { .. } | DuelState::Void { .. } => {
            return Step::Reply(());
        }
    };
    Step::Commit { writes: vec![write], reply: () }
}

/// Lets a ruling take effect once (DU-1): it changes both ratings, or neither where nobody could say or a side has left
/// the subnet.
pub fn rule(view: &View, nonce: DuelNonce, ruling: &Ruling, now: UnixMs, policy: &Policy) -> Step<Ruled> {
    let key = Key::Duel(nonce);
    if !view.has_loaded(&key) {
        return Step::Load(LoadSpec::keys([key]));
    }
    let Some((stored, duel)) = view.duel(nonce) else {
        return Step::Reply(Ruled::Before);
    };
    if !matches!(duel.state, DuelState::Awaiting { .. }) {
        return Step::Reply(Ruled::Before);
    }
    let end = |reason: &str| {
        let write = voided(nonce, stored, duel, reason.to_string(), now, policy);
        Step::Commit { writes: vec![write], reply: Ruled::Now }
    };
    let (outcome, explanation) = match ruling {
        Ruling::Failed { reason } => return end(reason),
        Ruling::Decided { outcome, explanation } => (*outcome, explanation.clone()),
    };
    let hotkeys = duel.sides().map(|side| side.hotkey);
    if !view.has_loaded(&Key::Record(hotkeys[0])) {
        let keys = hotkeys.into_iter().flat_map(|hotkey| [Key::Record(hotkey), Key::History(hotkey)]);
        return Step::Load(LoadSpec::keys(keys));
    }
    let [Some((left_row, left)), Some((right_row, right))] = hotkeys.map(|hotkey| view.record(&hotkey))
    else {
        return end("a miner has left the subnet");
    };
    let (new_left, new_right) = glicko::duel(left.rating, right.rating, outcome, &policy.glicko);
    let new_left = held(new_left, left.rating, &duel.right, view.history(&hotkeys[0]), now, policy);
    let new_right = held(new_right, right.rating, &duel.left, view.history(&hotkeys[1]), now, policy);
    let state = DuelState::Judged {
        ended: now,
        outcome,
        explanation,
        left: RatingChange { before: left.rating, after: new_left },
        right: RatingChange { before: right.rating, after: new_right },
    };
    let write = Write::replace(key, stored, Item::Duel(Duel { state, ..duel.clone() }))
        .expiring(now.plus_secs(policy.duels.lifetime_secs));
    let score = outcome.left_score();
    let left_played = Played { nonce, now, opponent: &duel.right, score, rating: new_left };
    let right_played = Played { nonce, now, opponent: &duel.left, score: 1.0 - score, rating: new_right };
    let mut writes = vec![write];
    writes.extend(left_played.writes(hotkeys[0], left_row, left, view, policy));
    writes.extend(right_played.writes(hotkeys[1], right_row, right, view, policy));
    Step::Commit { writes, reply: Ruled::Now }
}

fn voided(
    nonce: DuelNonce,
    stored: &Stored,
    duel: &Duel,
    reason: String,
    now: UnixMs,
    policy: &Policy,
) -> Write {
    let state = DuelState::Void { ended: now, reason };
    Write::replace(Key::Duel(nonce), stored, Item::Duel(Duel { state, ..duel.clone() }))
        .expiring(now.plus_secs(policy.duels.lifetime_secs))
}

/// The new rating, moved no farther than duels against this opponent and its owner's miners may move it.
fn held(
    new: Rating,
    old: Rating,
    opponent: &Side,
    history: Option<(&Stored, &History)>,
    now: UnixMs,
    policy: &Policy,
) -> Rating {
    let rules: &FairPlayRules = &policy.fair_play;
    let points = history.map_or(&[][..], |(_, history)| &history.points);
    let moved = |is_meant: &dyn Fn(&RatingPoint) -> bool| -> f64 {
        let since = UnixMs(now.0.saturating_sub(rules.movement_secs.saturating_mul(1000)));
        points.iter().filter(|point| point.at > since && is_meant(point)).map(|point| point.moved).sum()
    };
    let by_pair = moved(&|point| point.opponent == opponent.hotkey);
    let by_owner = opponent.coldkey.map_or(by_pair, |owner| moved(&|point| point.owner == Some(owner)));
    let mut change = new.rating - old.rating;
    for (before, points_max) in [(by_pair, rules.pair_points_max), (by_owner, rules.owner_points_max)] {
        // What was moved too far before a policy became stricter is not taken back.
        let (low, high) = ((-points_max - before).min(0.0), (points_max - before).max(0.0));
        change = change.max(low).min(high);
    }
    Rating { rating: old.rating + change, ..new }.clamped(&policy.glicko)
}

/// A duel as one of its sides has played it.
struct Played<'a> {
    nonce: DuelNonce,
    now: UnixMs,
    opponent: &'a Side,
    score: f64,
    rating: Rating,
}

impl Played<'_> {
    /// The side's new record and its longer history.
    fn writes(
        &self,
        hotkey: Hotkey,
        row: &Stored,
        record: &Record,
        view: &View,
        policy: &Policy,
    ) -> [Write; 2] {
        let mut points = view.history(&hotkey).map_or_else(Vec::new, |(_, history)| history.points.clone());
        points.push(RatingPoint {
            nonce: self.nonce,
            at: self.now,
            opponent: self.opponent.hotkey,
            owner: self.opponent.coldkey,
            score: self.score,
            rating: self.rating.rating,
            deviation: self.rating.deviation,
            moved: self.rating.rating - record.rating.rating,
        });
        let surplus = points.len().saturating_sub(policy.duels.history_max);
        points.drain(..surplus);
        let history = Item::History(History { points });
        let key = Key::History(hotkey);
        let history = match view.get(&key) {
            Some(stored) => Write::replace(key, stored, history),
            None => Write::create(key, history, None),
        };
        let record = Record {
            rating: self.rating,
            duels: record.duels.saturating_add(1),
            wins: record.wins.saturating_add(u32::from(self.score > 0.75)),
            draws: record.draws.saturating_add(u32::from(self.score > 0.25 && self.score < 0.75)),
            ..record.clone()
        };
        [Write::replace(Key::Record(hotkey), row, Item::Record(record)), history]
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;

    use super::*;

    /// Computed with the original's pairing.
    #[test]
    fn du_2_the_pair_follows_from_nonce_and_prompt() {
        assert_eq!(pair(DuelNonce(1_735_691_400), "Monkey", 256), (248, 251));
        assert_ne!(pair(DuelNonce(1_735_691_401), "Monkey", 256), (248, 251));
        assert_eq!(pair(DuelNonce(1_735_691_400), "Monkey", 1), (0, 0));
    }

    #[test]
    fn du_2_a_picture_is_named_by_its_hash() {
        let picture = Prompt::Image { blob: String::from("x"), sha256: [0xa5; 32] };
        assert_eq!(published_prompt(&picture), "a5".repeat(32));
        assert_eq!(published_prompt(&Prompt::Text(String::from("a fox"))), "a fox");
    }

    proptest! {
        #[test]
        fn du_2_pairs_lie_within_the_slots(nonce: u64, prompt: String, slots in 1..=65_536_u32) {
            let (left, right) = pair(DuelNonce(nonce), &prompt, slots);
            prop_assert!(u32::from(left) < slots && u32::from(right) < slots);
            prop_assert_eq!(pair(DuelNonce(nonce), &prompt, slots), (left, right));
        }
    }
}

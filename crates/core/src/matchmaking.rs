//! Who meets whom in a duel, and when.

use alloc::vec;
use alloc::vec::Vec;

use crate::duel::{pair, published_prompt};
use crate::ledger::{LoadSpec, Step, Stored, View, Write};
use crate::policy::{PairChoice, Policy};
use crate::state::{
    Duel, DuelNonce, DuelState, Entry, Item, Key, Matchmaker, Neuron, PendingDuel, Prompt, Roster, Session,
    Side,
};
use crate::{TaskId, UnixMs};

/// Pairs that are looked at for one duel: two keys each or, where ratings count, four.
const PAIRS_MAX: usize = 8;
/// A host that asks for duels this seldom still makes as many as the policy allows: once a minute.
const BURST_MS: u64 = 60_000;

/// What the host has drawn for a duel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The id of its task.
    pub task: TaskId,
    /// Prompts, one of which may make a pair.
    pub prompts: Vec<Prompt>,
    /// How many results wait for the judge.
    pub backlog: u64,
}

/// What to load first for a duel.
pub fn load() -> LoadSpec {
    LoadSpec::keys([Key::Matchmaker, Key::Roster])
}

impl View {
    /// When the next duel may be made, with the row it came from.
    pub fn matchmaker(&self) -> Option<(&Stored, &Matchmaker)> {
        let stored = self.get(&Key::Matchmaker)?;
        let Item::Matchmaker(matchmaker) = &stored.item else {
            return None;
        };
        Some((stored, matchmaker))
    }
}

/// Makes at most one duel, if it is time for one and one of the prompts draws two active miners; answers which.
///
/// Where several prompts do, the policy says whose pair meets. Whichever it is, it follows from its prompt (DU-2).
///
/// Ask again while it answers one: a host that asks once a minute thus makes what a minute allows.
pub fn decide(view: &View, draw: &Draw, now: UnixMs, policy: &Policy) -> Step<Option<DuelNonce>> {
    let rules = &policy.duels;
    if !policy.judge.enabled {
        return Step::Reply(None);
    }
    let Some((row, matchmaker)) = view.matchmaker() else {
        let first = Matchmaker { since: now, last_nonce: DuelNonce(0), next_at: now };
        let write = Write::create(Key::Matchmaker, Item::Matchmaker(first), None);
        return Step::Commit { writes: vec![write], reply: None };
    };
    let is_early = now < matchmaker.since.plus_secs(rules.start_delay_secs) || now < matchmaker.next_at;
    if is_early || draw.backlog >= policy.judge.backlog_max {
        return Step::Reply(None);
    }
    let Some((_, roster)) = view.roster() else {
        return Step::Reply(None);
    };
    let nonce = DuelNonce(now.secs().max(matchmaker.last_nonce.0.saturating_add(1)));
    let slots = slots(roster, rules.slots);
    let pairs = pairs(nonce, draw, slots, roster, policy);
    let unseen: Vec<Key> =
        pairs.iter().flat_map(|pair| pair.keys(rules.choice)).filter(|key| !view.has_loaded(key)).collect();
    if !unseen.is_empty() {
        return Step::Load(LoadSpec::keys(unseen));
    }
    let is_ready = |neuron: &Neuron| {
        let (row, session) = view.session(&neuron.hotkey)?;
        session.may_duel(now, policy).then_some((row, session))
    };
    let mut ready = pairs.iter().filter_map(|pair| Some((pair, is_ready(pair.left)?, is_ready(pair.right)?)));
    let gap = |pair: &Pair<'_>| (rating(view, pair.left, policy) - rating(view, pair.right, policy)).abs();
    let chosen = match rules.choice {
        PairChoice::First => ready.next(),
        PairChoice::Closest => ready.min_by(|(pair, ..), (other, ..)| gap(pair).total_cmp(&gap(other))),
    };
    let Some((pair, left, right)) = chosen else {
        return Step::Reply(None);
    };
    let interval_ms = 60_000 / u64::from(rules.per_minute.max(1));
    let not_before = now.plus_ms(interval_ms).0.saturating_sub(BURST_MS);
    let next_at = UnixMs(matchmaker.next_at.plus_ms(interval_ms).0.max(not_before));
    let matchmaker = Matchmaker { last_nonce: nonce, next_at, ..*matchmaker };
    let duel = Duel {
        task: draw.task,
        prompt: pair.prompt.clone(),
        slots,
        created: now,
        pull_until: now.plus_secs(rules.pull_secs),
        closes: now.plus_secs(rules.open_secs),
        left: side(pair.left),
        right: side(pair.right),
        state: DuelState::Open,
    };
    let pending = PendingDuel { nonce, pull_until: duel.pull_until };
    let invite = |neuron: &Neuron, (row, session): (&Stored, &Session)| {
        let invited = session.clone().invited(pending, now);
        Write::replace(Key::Session(neuron.hotkey), row, Item::Session(invited))
    };
    let writes = vec![
        Write::replace(Key::Matchmaker, row, Item::Matchmaker(matchmaker)),
        Write::create(Key::Duel(nonce), Item::Duel(duel), None),
        invite(pair.left, left),
        invite(pair.right, right),
    ];
    Step::Commit { writes, reply: Some(nonce) }
}

struct Pair<'a> {
    prompt: &'a Prompt,
    left: &'a Neuron,
    right: &'a Neuron,
}

impl Pair<'_> {
    /// What tells whether the two may meet and, where that matters, how far apart they are.
    fn keys(&self, choice: PairChoice) -> impl Iterator<Item = Key> {
        let hotkeys = [self.left.hotkey, self.right.hotkey];
        let records = match choice {
            PairChoice::First => None,
            PairChoice::Closest => Some(hotkeys.map(Key::Record)),
        };
        hotkeys.map(Key::Session).into_iter().chain(records.into_iter().flatten())
    }
}

/// A miner's rating, a newcomer's where it has none yet.
fn rating(view: &View, neuron: &Neuron, policy: &Policy) -> f64 {
    view.record(&neuron.hotkey).map_or(policy.glicko.initial, |(_, record)| record.rating).rating
}

/// The first pairs of registered miners that the prompts draw.
fn pairs<'a>(
    nonce: DuelNonce,
    draw: &'a Draw,
    slots: u32,
    roster: &'a Roster,
    policy: &Policy,
) -> Vec<Pair<'a>> {
    let neuron = |uid: u16| roster.neurons.iter().find(|neuron| neuron.uid == uid);
    let pair = |prompt: &'a Prompt| {
        let (left, right) = pair(nonce, &published_prompt(prompt), slots);
        let (left, right) = (neuron(left)?, neuron(right)?);
        let is_one_owner = left.coldkey.is_some() && left.coldkey == right.coldkey;
        let may_meet = left.uid != right.uid && (policy.fair_play.same_owner_duels || !is_one_owner);
        may_meet.then_some(Pair { prompt, left, right })
    };
    draw.prompts.iter().take(policy.duels.draws).filter_map(pair).take(PAIRS_MAX).collect()
}

/// The slots that pairs are drawn from: as the policy says, or all that the metagraph uses.
fn slots(roster: &Roster, fixed: u32) -> u32 {
    let used = || roster.neurons.iter().map(|neuron| u32::from(neuron.uid) + 1).max().unwrap_or(1);
    if fixed == 0 { used() } else { fixed }
}

fn side(neuron: &Neuron) -> Side {
    Side {
        hotkey: neuron.hotkey,
        coldkey: neuron.coldkey,
        uid: neuron.uid,
        pulled: None,
        entry: Entry::Awaited,
    }
}

impl Session {
    /// Whether the miner has lately worked, and not too many duels wait for it.
    fn may_duel(&self, now: UnixMs, policy: &Policy) -> bool {
        let is_active = now.ms_since(self.last_pull) <= policy.duels.inactive_secs.saturating_mul(1000);
        let waiting = self.duels.iter().filter(|pending| now < pending.pull_until).count();
        is_active && waiting < policy.duels.pending_max
    }

    /// The session with one more duel waiting, and without those that have waited for too long.
    fn invited(mut self, pending: PendingDuel, now: UnixMs) -> Self {
        self.duels.retain(|pending| now < pending.pull_until);
        self.duels.push(pending);
        self
    }

    /// The oldest duel that waits for the miner.
    pub fn next_duel(&self, now: UnixMs) -> Option<PendingDuel> {
        self.duels.iter().find(|pending| now < pending.pull_until).copied()
    }
}

//! Miners: most of them work and wait as they should; some are early, late, gone, repetitive or dishonest.

use sn17_core::state::{Neuron, Prompt, Roster};
use sn17_core::{Hotkey, TaskId};
use sn17_model::Random;

use super::clients::draw_prompt;
use super::{Event, Fault, HOUR_SECS, Intent, MINUTE, Network, SECOND};
use crate::day::call::{Call, SubmitForm};
use crate::day::outcome::Reply;

/// A place on the subnet, and who holds it.
pub(super) struct Miner {
    pub(super) hotkey: Hotkey,
    /// How good its splats are, in 0..=1000.
    pub(super) strength: u64,
    /// In how many of a thousand cases it does not wait for the end of its cooldown.
    haste: u64,
    /// Whether the place is taken at all.
    is_present: bool,
    /// How often it has made up its mind.
    pub(super) turn: u64,
    /// Some own several miners, and of some nobody knows who owns them.
    coldkey: Option<Hotkey>,
    stake: f64,
    incentive: f64,
}

impl Miner {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            hotkey: Hotkey(random.bytes()),
            strength: random.between(0, 1000),
            haste: if random.per_mille(100) { 900 } else { 50 },
            is_present: !random.per_mille(40),
            turn: 0,
            coldkey: match random.between(1, 10) {
                1 => None,
                2..=5 => Some(Hotkey([7; 32])),
                _ => Some(Hotkey(random.bytes())),
            },
            stake: random.around(500_000_000, 499_000_000),
            incentive: random.around(500_000, 500_000),
        }
    }
}

impl Network {
    pub(super) fn place_of(&self, hotkey: Hotkey) -> Option<usize> {
        self.miners.iter().position(|miner| miner.hotkey == hotkey)
    }

    /// Makes up a miner's mind about what it does next, and when.
    pub(super) fn intend(&mut self, place: usize, after_ms: u64, intent: Intent) {
        self.miners[place].turn += 1;
        let turn = self.miners[place].turn;
        self.plan(after_ms, Event::Act(place, turn, intent));
    }

    pub(super) fn pull(&mut self, place: usize) -> Result<(), Fault> {
        let hotkey = self.miners[place].hotkey;
        if self.random.per_mille(10) {
            let unknown = TaskId(self.random.wide());
            let form = self.draw_submission(hotkey, unknown);
            return self.decide(Call::Submit(form));
        }
        let call = self.draw_pull(hotkey);
        // Two miners at once, or one that asks twice.
        let rival = self.random.per_mille(40).then(|| {
            let other = self.random.index(self.miners.len());
            let rival = if self.random.per_mille(700) { self.miners[other].hotkey } else { hotkey };
            self.draw_pull(rival)
        });
        self.race(call, rival)
    }

    fn draw_pull(&mut self, hotkey: Hotkey) -> Call {
        let synthetic_id = TaskId::new(self.now, self.random.wide());
        Call::Pull { hotkey, synthetic_id, synthetic: draw_prompt(&mut self.random), lost: None }
    }

    pub(super) fn follow_pull(&mut self, hotkey: Hotkey, reply: &Reply) {
        let Some(place) = self.place_of(hotkey) else { return };
        match reply {
            Reply::Task { id, prompt } => self.work(place, *id, prompt),
            Reply::OnCooldown { cooldown_until, .. } => self.rest(place, *cooldown_until),
            Reply::Told { .. } => {
                let after = self.random.between(10 * MINUTE, 60 * MINUTE);
                self.intend(place, after, Intent::Pull);
            }
            Reply::Done
            | Reply::Absent
            | Reply::Unregistered
            | Reply::NoTask
            | Reply::Ignored { .. }
            | Reply::Closed
            | Reply::Taken { .. }
            | Reply::Settled(_)
            | Reply::Made(_)
            | Reply::Ruled { .. }
            | Reply::Compared { .. }
            | Reply::Figures { .. }
            | Reply::Results { .. } => {}
        }
    }

    fn work(&mut self, place: usize, task: TaskId, prompt: &Prompt) {
        let strength = self.miners[place].strength;
        match self.random.between(1, 1000) {
            // It crashes, and asks again when it is back.
            1..=40 => {
                let after = self.random.between(MINUTE, 20 * MINUTE);
                self.intend(place, after, Intent::Pull);
            }
            // The prompt cannot be fetched any more: another task, please.
            41..=45 => {
                let hotkey = self.miners[place].hotkey;
                let mut call = self.draw_pull(hotkey);
                if let Call::Pull { lost, .. } = &mut call {
                    *lost = Some(task);
                }
                self.plan(SECOND, Event::Call(Box::new(call)));
            }
            drawn => {
                let slowest = if drawn <= 65 { 15 * MINUTE } else { 20 * SECOND + (1000 - strength) * 60 };
                let after = self.random.between(SECOND, slowest);
                self.intend(place, after, Intent::HandIn(task, prompt.clone()));
            }
        }
    }

    /// Waits for the end of the cooldown and a while longer, or not long enough.
    fn rest(&mut self, place: usize, cooldown_until: u64) {
        let left = (cooldown_until * SECOND).saturating_sub(self.now.0);
        let after = if self.random.per_mille(self.miners[place].haste) {
            self.random.between(0, MINUTE)
        } else {
            left + self.random.between(0, 2 * self.size.rest_secs * SECOND)
        };
        self.intend(place, after, Intent::Pull);
    }

    pub(super) fn hand_in(&mut self, place: usize, task: TaskId, prompt: &Prompt) -> Result<(), Fault> {
        let hotkey = self.miners[place].hotkey;
        let mut form = self.draw_submission(hotkey, task);
        if let Prompt::Image { sha256, .. } = prompt {
            form.prompt_sha256 = *sha256;
        }
        match self.random.between(1, 1000) {
            1..=40 => form.payload = None,
            41..=70 => form.signature_is_valid = false,
            71..=90 => form.refusal = Some("the payload is no SPZ".to_owned()),
            91..=110 => form.submit_time -= 3_600_000_000_000,
            111..=115 => form.submit_time = -1,
            116..=130 => form.task = TaskId(self.random.wide()),
            _ => {}
        }
        let form = Call::Submit(form);
        let rival = self.random.per_mille(15).then(|| form.clone());
        self.race(form, rival)
    }

    pub(super) fn draw_submission(&mut self, hotkey: Hotkey, task: TaskId) -> SubmitForm {
        let random = &mut self.random;
        let now_ns = self.now.0 * 1_000_000 + random.between(0, 999_999);
        SubmitForm {
            hotkey,
            task,
            signature_is_valid: true,
            submit_time: now_ns.cast_signed(),
            prompt_sha256: random.bytes(),
            payload: Some((random.between(10_000, 30_000_000), random.bytes())),
            refusal: None,
        }
    }

    pub(super) fn follow_submit(&mut self, form: &SubmitForm, reply: &Reply) {
        let Some(place) = self.place_of(form.hotkey) else { return };
        match reply {
            Reply::Taken { again: false, .. } => {
                let cooldown_until = self.now.plus_secs(self.machine.policy.miners.cooldown_secs).secs();
                self.rest(place, cooldown_until);
                if self.random.per_mille(60) {
                    let mut repeated = form.clone();
                    if self.random.per_mille(400) {
                        repeated.payload = Some((1, self.random.bytes()));
                    }
                    let after = self.random.between(SECOND, 5 * MINUTE);
                    self.plan(after, Event::Call(Box::new(Call::Submit(repeated))));
                }
            }
            Reply::Ignored { .. } | Reply::NoTask | Reply::Unregistered => {
                let after = self.random.between(20 * SECOND, 2 * MINUTE);
                self.intend(place, after, Intent::Pull);
            }
            Reply::Taken { again: true, .. }
            | Reply::Done
            | Reply::Absent
            | Reply::Told { .. }
            | Reply::OnCooldown { .. }
            | Reply::Task { .. }
            | Reply::Closed
            | Reply::Settled(_)
            | Reply::Made(_)
            | Reply::Ruled { .. }
            | Reply::Compared { .. }
            | Reply::Figures { .. }
            | Reply::Results { .. } => {}
        }
    }

    /// Every two hours stakes and incentives move, and some places change hands or fall empty.
    pub(super) fn change_roster(&mut self) -> Result<(), Fault> {
        for place in 0..self.miners.len() {
            let random = &mut self.random;
            if random.per_mille(30) {
                let turn = self.miners[place].turn;
                let newcomer = Miner { turn, ..Miner::draw(random) };
                let left = std::mem::replace(&mut self.miners[place], newcomer).hotkey;
                // Whoever was replaced does not know it yet.
                let call = self.draw_pull(left);
                let after = self.random.between(SECOND, 10 * MINUTE);
                self.plan(after, Event::Call(Box::new(call)));
                let unknown = TaskId(self.random.wide());
                let form = self.draw_submission(left, unknown);
                self.plan(after + SECOND, Event::Call(Box::new(Call::Submit(form))));
            }
            let random = &mut self.random;
            let miner = &mut self.miners[place];
            miner.is_present = !random.per_mille(40);
            if random.per_mille(500) {
                miner.stake = random.around(500_000_000, 499_000_000);
            }
            miner.incentive = random.around(500_000, 500_000);
        }
        self.apply_roster()?;
        self.plan(2 * HOUR_SECS * SECOND, Event::Roster);
        Ok(())
    }

    /// Who is registered now.
    pub(super) fn roster(&self) -> Roster {
        let present = self.miners.iter().enumerate().filter(|(_, miner)| miner.is_present);
        let neuron = |(place, miner): (usize, &Miner)| Neuron {
            uid: u16::try_from(place).unwrap_or(u16::MAX),
            hotkey: miner.hotkey,
            coldkey: miner.coldkey,
            stake: miner.stake,
            incentive: miner.incentive,
        };
        Roster { neurons: present.map(neuron).collect(), block: None }
    }

    fn apply_roster(&mut self) -> Result<(), Fault> {
        let roster = self.roster();
        let comparison = Call::CompareRoster { roster: roster.clone() };
        let Reply::Compared { departed, strong } = self.answer(comparison, None)? else {
            return Err(Fault::Frames("a comparison of rosters answered something else"));
        };
        for hotkey in departed {
            self.decide_twice(Call::Deregister { hotkey })?;
        }
        for neuron in &roster.neurons {
            let strong = strong.binary_search(&neuron.uid).is_ok();
            self.decide(Call::Register { neuron: neuron.clone(), strong })?;
        }
        self.decide(Call::NoteRoster { roster })
    }
}

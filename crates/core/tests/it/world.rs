//! The network in virtual time: each step of a test is one method.

use std::collections::BTreeMap;

use sn17_core::duel;
use sn17_core::index::due_entry;
use sn17_core::ledger::{Contest, LoadSpec, Stored};
use sn17_core::miner::{self, Figures};
use sn17_core::policy::Policy;
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::scoring::{MetricRules, Metrics};
use sn17_core::settle::{self, Finding};
use sn17_core::state::{
    Item, Key, KeyHash, Neuron, Origin, Prompt, Record, Roster, Session, Submission, SubmissionState, Task,
};
use sn17_core::submit::{self, Payload, Submit, SubmitReply};
use sn17_core::task::{self, NewTask};
use sn17_core::{Hotkey, TaskId, UnixMs};

/// Where every run begins.
pub(crate) const START: UnixMs = UnixMs(1_760_000_000_000);

/// The network: its clock, its rows and what its commits have caused.
pub(crate) struct World {
    pub(crate) now: UnixMs,
    pub(crate) policy: Policy,
    /// Timers not yet fired; clear it to lose them.
    pub(crate) timers: Vec<(UnixMs, TaskId)>,
    /// Scoring work not yet done.
    pub(crate) scoring: Vec<(TaskId, Hotkey)>,
    /// Comparisons not yet made.
    pub(crate) judging: Vec<Contest>,
    pub(crate) rows: BTreeMap<Key, Stored>,
    pub(crate) roster: Roster,
    pub(crate) decisions: u128,
    pub(crate) ids: u128,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A network whose score is the image quality alone, so that a test can name the score it wants.
    pub(crate) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy {
            metrics: MetricRules {
                iqa_weight: 1.0,
                alignment_weight: 0.0,
                ssim_weight: 0.0,
                lpips_weight: 0.0,
                ..MetricRules::default()
            },
            ..Policy::default()
        };
        change(&mut policy);
        policy.validate().expect("the test's policy makes sense");
        Self {
            now: START,
            policy,
            timers: Vec::new(),
            scoring: Vec::new(),
            judging: Vec::new(),
            rows: BTreeMap::new(),
            roster: Roster::default(),
            decisions: 0,
            ids: 0,
        }
    }

    // Time.

    /// Lets time pass and fires the timers that fall into it, each at its instant.
    pub(crate) fn advance(&mut self, secs: u64) {
        self.advance_ms(secs * 1000);
    }

    pub(crate) fn advance_ms(&mut self, ms: u64) {
        let until = self.now.plus_ms(ms);
        while let Some(next) = (0..self.timers.len()).min_by_key(|&index| self.timers[index]) {
            if self.timers[next].0 > until {
                break;
            }
            let (at, task) = self.timers.swap_remove(next);
            self.now = self.now.max(at);
            self.finalise(task);
        }
        self.now = until;
    }

    pub(crate) fn finalise(&mut self, id: TaskId) {
        let (now, policy) = (self.now, self.policy);
        self.transact(LoadSpec::default(), |view| task::finalise(view, id, now, &policy));
    }

    /// Attends to everything that is due, as the sweeper does.
    pub(crate) fn sweep(&mut self) {
        let (now, policy) = (self.now, self.policy);
        let is_due = |stored: &Stored| due_entry(&stored.item).is_some_and(|due| due <= now);
        let due: Vec<Key> = self.live().filter(|(_, stored)| is_due(stored)).map(|(key, _)| *key).collect();
        for key in due {
            match key {
                Key::Task(id) => self.finalise(id),
                Key::Submission(id, hotkey) => {
                    self.transact(LoadSpec::default(), |view| settle::resend(view, id, hotkey, now, &policy));
                }
                Key::Duel(nonce) => {
                    self.transact(LoadSpec::default(), |view| duel::look_after(view, nonce, now, &policy));
                }
                Key::Session(_)
                | Key::Record(_)
                | Key::ApiKey(_)
                | Key::Roster
                | Key::History(_)
                | Key::Matchmaker
                | Key::Leaderboard
                | Key::Prompts => panic!("{key:?} is never due"),
            }
        }
    }

    // Miners.

    pub(crate) fn weak_miner(&mut self) -> Hotkey {
        self.miner(false)
    }

    pub(crate) fn strong_miner(&mut self) -> Hotkey {
        self.miner(true)
    }

    pub(crate) fn miner(&mut self, strong: bool) -> Hotkey {
        let uid = u16::try_from(self.roster.neurons.len()).expect("few miners");
        let neuron = Neuron { uid, hotkey: hotkey(uid), coldkey: None, stake: 10.0, incentive: 0.0 };
        self.roster.neurons.push(neuron.clone());
        self.register(&neuron, strong);
        neuron.hotkey
    }

    pub(crate) fn register(&mut self, neuron: &Neuron, strong: bool) {
        let policy = self.policy;
        self.transact(LoadSpec::default(), |view| miner::register(view, neuron, strong, &policy));
    }

    pub(crate) fn deregister(&mut self, hotkey: Hotkey) {
        let (now, policy) = (self.now, self.policy);
        self.transact(LoadSpec::default(), |view| miner::deregister(view, hotkey, now, &policy));
    }

    /// Copies the strong flag of the roster into a session.
    pub(crate) fn flag(&mut self, hotkey: Hotkey, strong: bool) {
        let session = self.session(&hotkey);
        let (uid, stake) = (session.uid, session.stake);
        let neuron = Neuron { uid, hotkey, coldkey: None, stake, incentive: 0.0 };
        self.register(&neuron, strong);
    }

    // Pulling.

    pub(crate) fn pull(&mut self, hotkey: &Hotkey) -> PullReply {
        self.pull_as(&self.pull_of(hotkey))
    }

    pub(crate) fn pull_of(&self, hotkey: &Hotkey) -> Pull {
        let synthetic_id = TaskId::new(self.now, self.ids | 1 << 60 | u128::from(hotkey.0[0]) << 32);
        Pull {
            hotkey: *hotkey,
            synthetic_id,
            synthetic: Prompt::Text(format!("synthetic {synthetic_id}")),
            lost: None,
        }
    }

    pub(crate) fn pull_as(&mut self, request: &Pull) -> PullReply {
        self.ids += 1;
        let (now, policy) = (self.now, self.policy);
        self.transact(pull::load(request.hotkey), |view| pull::decide(view, request, now, &policy))
    }

    /// Pulls and expects a task.
    #[track_caller]
    pub(crate) fn take(&mut self, hotkey: &Hotkey) -> TaskId {
        match self.pull(hotkey) {
            PullReply::Task { id, .. } => id,
            other @ (PullReply::Unregistered { .. } | PullReply::OnCooldown { .. }) => {
                panic!("expected a task, got {other:?}")
            }
        }
    }

    /// Pulls and expects to be sent away, with `cooldown_until` as seconds from now and the violations.
    #[track_caller]
    pub(crate) fn turned_away(&mut self, hotkey: &Hotkey) -> (u64, u32) {
        match self.pull(hotkey) {
            PullReply::OnCooldown { cooldown_until, violations } => {
                (cooldown_until - self.now.secs(), violations)
            }
            other @ (PullReply::Unregistered { .. } | PullReply::Task { .. }) => {
                panic!("expected a cooldown, got {other:?}")
            }
        }
    }

    // Submitting.

    /// A good result, signed now.
    pub(crate) fn result(&self, hotkey: &Hotkey, task: TaskId) -> Submit {
        Submit {
            hotkey: *hotkey,
            task,
            signature_is_valid: true,
            signature: String::from("c2lnbmVk"),
            submit_time: i64::try_from(self.now.0 * 1_000_000).expect("before the year 2262"),
            prompt_sha256: [7; 32],
            payload: Some(payload(hotkey.0[0])),
            refusal: None,
        }
    }

    pub(crate) fn submit_as(&mut self, request: &Submit) -> SubmitReply {
        let (now, policy) = (self.now, self.policy);
        self.transact(submit::load(request.hotkey, request.task), |view| {
            submit::decide(view, request, now, &policy)
        })
    }

    /// Hands in a good result and expects that it is taken.
    #[track_caller]
    pub(crate) fn submit(&mut self, hotkey: &Hotkey, task: TaskId) {
        self.taken(&self.result(hotkey, task));
    }

    /// Hands in nothing and expects that it is taken.
    #[track_caller]
    pub(crate) fn skip(&mut self, hotkey: &Hotkey, task: TaskId) {
        self.taken(&Submit { payload: None, ..self.result(hotkey, task) });
    }

    /// Hands in a result with a bad signature and expects that it is taken.
    #[track_caller]
    pub(crate) fn submit_badly_signed(&mut self, hotkey: &Hotkey, task: TaskId) {
        self.taken(&Submit { signature_is_valid: false, ..self.result(hotkey, task) });
    }

    #[track_caller]
    pub(crate) fn taken(&mut self, request: &Submit) -> Submission {
        let reply = self.submit_as(request);
        let SubmitReply::Taken { submission, rev: 1, again: false } = reply else {
            panic!("expected the result to be taken, got {reply:?}")
        };
        *submission
    }

    // Settling.

    /// The verdict arrives; says whether it had an effect.
    pub(crate) fn settle(&mut self, hotkey: &Hotkey, task: TaskId, finding: &Finding) -> bool {
        let (now, policy, hotkey) = (self.now, self.policy, *hotkey);
        self.transact(settle::load(task, hotkey), |view| {
            settle::decide(view, task, hotkey, finding, now, &policy)
        })
    }

    /// Scores a submission and expects that this settles it.
    #[track_caller]
    pub(crate) fn score(&mut self, hotkey: &Hotkey, task: TaskId, score: f64) {
        assert!(self.settle(hotkey, task, &scored(score)), "settled by somebody else");
    }

    /// Hands in a good result that scores so.
    #[track_caller]
    pub(crate) fn deliver(&mut self, hotkey: &Hotkey, task: TaskId, score: f64) {
        self.submit(hotkey, task);
        self.score(hotkey, task, score);
    }

    // Clients.

    pub(crate) fn add_task(&mut self, words: &str) -> TaskId {
        self.ids += 1;
        let id = TaskId::new(self.now, self.ids);
        let new = NewTask {
            id,
            prompt: Prompt::Text(words.to_owned()),
            owner: KeyHash([1; 32]),
            origin: Origin::Api,
        };
        self.add_task_at(&new, self.now);
        id
    }

    /// Accepts a task with the time of a host whose commit comes late.
    pub(crate) fn add_task_at(&mut self, new: &NewTask, now: UnixMs) {
        let policy = self.policy;
        self.transact(LoadSpec::keys([Key::Task(new.id)]), |view| task::add(view, new, now, &policy.tasks));
    }

    // Looking.

    pub(crate) fn live(&self) -> impl Iterator<Item = (&Key, &Stored)> {
        let is_live = |stored: &Stored| stored.expires.is_none_or(|expires| expires > self.now);
        self.rows.iter().filter(move |(_, stored)| is_live(stored))
    }

    pub(crate) fn row(&self, key: &Key) -> Option<&Stored> {
        self.rows.get(key).filter(|stored| stored.expires.is_none_or(|expires| expires > self.now))
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.row(key).is_some()
    }

    #[track_caller]
    pub(crate) fn task(&self, id: TaskId) -> Task {
        match self.row(&Key::Task(id)).map(|stored| &stored.item) {
            Some(Item::Task(task)) => task.clone(),
            other => panic!("no task {id}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn session(&self, hotkey: &Hotkey) -> Session {
        match self.row(&Key::Session(*hotkey)).map(|stored| &stored.item) {
            Some(Item::Session(session)) => session.clone(),
            other => panic!("no session of {hotkey:?}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn record(&self, hotkey: &Hotkey) -> Record {
        match self.row(&Key::Record(*hotkey)).map(|stored| &stored.item) {
            Some(Item::Record(record)) => record.clone(),
            other => panic!("no record of {hotkey:?}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn submission(&self, hotkey: &Hotkey, task: TaskId) -> Submission {
        match self.row(&Key::Submission(task, *hotkey)).map(|stored| &stored.item) {
            Some(Item::Submission(submission)) => submission.clone(),
            other => panic!("no submission of {hotkey:?} for {task}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn verdict(&self, hotkey: &Hotkey, task: TaskId) -> SubmissionState {
        self.submission(hotkey, task).state
    }

    #[track_caller]
    pub(crate) fn figures(&self, hotkey: &Hotkey) -> Figures {
        Figures::of(&self.session(hotkey), &self.record(hotkey), self.now, &self.policy)
    }

    /// Seconds of cooldown left, reckoned from the running second.
    #[track_caller]
    pub(crate) fn cooldown_left(&self, hotkey: &Hotkey) -> u64 {
        self.session(hotkey).cooldown_until.saturating_sub(self.now.secs())
    }

    /// Waits until the cooldown is over.
    pub(crate) fn rest(&mut self, hotkey: &Hotkey) {
        let until = UnixMs::from_secs(self.session(hotkey).cooldown_until);
        self.advance_ms(until.ms_since(self.now));
    }
}

pub(crate) fn hotkey(number: u16) -> Hotkey {
    let mut bytes = [0; 32];
    bytes[0] = u8::try_from(number).expect("few miners");
    bytes[31] = 1;
    Hotkey(bytes)
}

pub(crate) fn payload(content: u8) -> Payload {
    Payload { blob: format!("splat-{content}"), bytes: 1000, sha256: [content; 32] }
}

pub(crate) fn scored(score: f64) -> Finding {
    Finding::Measured {
        metrics: Metrics { alignment: 1.0, iqa: score, ..Metrics::default() },
        synthetic: false,
        likeness: None,
    }
}

pub(crate) fn failed() -> Finding {
    Finding::Failed { reason: "the model is out of memory".to_owned() }
}

pub(crate) fn invalid() -> Finding {
    Finding::Invalid { reason: "not a splat".to_owned() }
}

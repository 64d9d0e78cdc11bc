//! Miners that race for the same tasks, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sn17_app::ports::{Ledger, PortErrorKind, PortResult, transact};
use sn17_core::ledger::{LoadSpec, View};
use sn17_core::policy::{FairPlayRules, Policy};
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::state::{Key, Neuron, Prompt, Task, TaskState};
use sn17_core::submit::{self, Submit, SubmitReply};
use sn17_core::{Hotkey, TaskId, UnixMs, miner, task};
use sn17_store::Clock;
use sn17_store::conformance::samples::{decision_id, hotkey, task_id};

use crate::traffic::{Tally, Traffic};

/// Every so manieth pull is made twice at once.
const TWICE_EVERY: usize = 8;
/// A miner to whom so many pulls in a row have brought nothing of a client gives up.
const IDLE_MAX: u32 = 12;
/// Bounds of the pause after such a pull, in milliseconds; it doubles.
const IDLE_MS: [u64; 2] = [20, 1000];

/// A miner with its own process.
pub(crate) struct Rival {
    pub(crate) number: u8,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) traffic: Traffic,
}

/// What a race came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Tasks handed out.
    pub(crate) assignments: usize,
    /// Transactions of pulls that brought a client's task, and how many of them were refused.
    pub(crate) commits: usize,
    refused: usize,
    /// Transactions of passes, and how many of them were refused.
    pass_commits: usize,
    pass_refused: usize,
    /// Pulls and passes that lost every one of their tries.
    given_up: usize,
    /// Pulls that brought nothing of a client.
    idle: usize,
    /// How many pulls with a client's task made so many queries.
    queries: BTreeMap<usize, usize>,
    calls: usize,
    took: Duration,
}

impl Outcome {
    /// Tasks handed out and given back in a second.
    pub(crate) fn assignments_per_sec(&self) -> f64 {
        float(self.assignments) / self.took.as_secs_f64()
    }

    /// The most queries of any pull.
    pub(crate) fn queries_max(&self) -> usize {
        self.queries.last_key_value().map_or(0, |(queries, _)| *queries)
    }

    /// Notes a pull; of one that was made twice at once nobody knows whose calls are whose.
    fn note_pull(&mut self, tally: Option<Tally>, is_organic: bool) {
        if let Some(tally) = tally {
            self.calls += tally.calls;
            self.commits += tally.commits;
            self.refused += tally.refused;
            *self.queries.entry(tally.queries).or_default() += 1;
        }
        *if is_organic { &mut self.assignments } else { &mut self.idle } += 1;
    }

    fn note_pass(&mut self, tally: Tally) {
        self.calls += tally.calls;
        self.pass_commits += tally.commits;
        self.pass_refused += tally.refused;
    }

    fn add(&mut self, other: Self) {
        self.assignments += other.assignments;
        self.commits += other.commits;
        self.refused += other.refused;
        self.pass_commits += other.pass_commits;
        self.pass_refused += other.pass_refused;
        self.given_up += other.given_up;
        self.idle += other.idle;
        self.calls += other.calls;
        for (queries, pulls) in other.queries {
            *self.queries.entry(queries).or_default() += pulls;
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: usize, whole: usize| 100.0 * float(part) / float(whole.max(1));
        let pulls: usize = self.queries.values().sum();
        let queries: usize = self.queries.iter().map(|(queries, pulls)| queries * pulls).sum();
        write!(formatter, "{:.0} assignments/s", self.assignments_per_sec())?;
        if self.commits > 0 {
            write!(
                formatter,
                ", {:.1} % of {} pulls' commits and {:.1} % of {} passes' refused ({:.2} and {:.2} repeated for each \
                 that took effect), {} given up, {:.2} queries a pull (most {}), {} calls",
                share(self.refused, self.commits),
                self.commits,
                share(self.pass_refused, self.pass_commits),
                self.pass_commits,
                float(self.refused) / float((self.commits - self.refused).max(1)),
                float(self.pass_refused) / float((self.pass_commits - self.pass_refused).max(1)),
                self.given_up,
                float(queries) / float(pulls.max(1)),
                self.queries_max(),
                self.calls,
            )?;
        }
        write!(
            formatter,
            ", {} assignments, {} idle pulls, {:.1} s",
            self.assignments,
            self.idle,
            self.took.as_secs_f64()
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}

/// Tasks that are to be handed out.
pub(crate) struct Contest {
    observer: Arc<dyn Ledger>,
    policy: Policy,
    tasks: Vec<TaskId>,
    ended: Mutex<BTreeSet<TaskId>>,
    /// Every task that a miner was told to work on.
    told: Mutex<BTreeSet<(TaskId, Hotkey)>>,
}

impl Contest {
    /// Registers the miners and accepts the tasks.
    pub(crate) async fn new(observer: Arc<dyn Ledger>, count: u64, copies: u8) -> Arc<Self> {
        let mut policy = Policy::default();
        policy.miners.cooldown_secs = 0;
        policy.miners.throttle_secs = 0;
        // They hand in nothing, over and over.
        policy.fair_play = FairPlayRules::upstream();
        policy.tasks.copies = copies;
        // However slow the machine is, no task becomes too old.
        policy.tasks.assignable_secs = 24 * 3600;
        policy.tasks.deadline_secs = 24 * 3600;
        let now = now();
        for number in 0..crate::RIVALS {
            let neuron = Neuron {
                uid: number.into(),
                hotkey: hotkey(number),
                coldkey: None,
                stake: 1.0,
                incentive: 0.01,
            };
            let load = LoadSpec::keys([Key::Session(neuron.hotkey), Key::Record(neuron.hotkey)]);
            let decide = move |view: &View| miner::register(view, &neuron, is_strong(number), &policy);
            transact(&*observer, decision_id(), now, load, decide).await.expect("a miner is registered");
        }
        let mut tasks = Vec::new();
        for number in 0..count {
            let id = task_id(now, number);
            let prompt = Prompt::Text("a small wooden chair with three legs".to_owned());
            let owner = sn17_core::state::KeyHash([3; 32]);
            let new = task::NewTask { id, prompt, owner, origin: sn17_core::state::Origin::Api };
            let rules = policy.tasks;
            let decide = move |view: &View| task::add(view, &new, now, &rules);
            let load = LoadSpec::keys([Key::Task(id)]);
            transact(&*observer, decision_id(), now, load, decide).await.expect("a task is accepted");
            tasks.push(id);
        }
        Arc::new(Self { observer, policy, tasks, ended: Mutex::default(), told: Mutex::default() })
    }

    /// Lets the miners race until every task has ended, and checks what they were told.
    pub(crate) async fn run(self: Arc<Self>, rivals: Vec<Rival>) -> Outcome {
        let begun = Instant::now();
        let runs: Vec<_> =
            rivals.into_iter().map(|rival| tokio::spawn(Arc::clone(&self).race(rival))).collect();
        let mut outcome = Outcome::default();
        for run in runs {
            outcome.add(run.await.expect("no miner panics"));
        }
        outcome.took = begun.elapsed();
        self.check(&outcome).await;
        outcome
    }

    async fn race(self: Arc<Self>, rival: Rival) -> Outcome {
        let mut outcome = Outcome::default();
        let mut idle_in_a_row = 0;
        for round in 0.. {
            if self.is_over() || idle_in_a_row > IDLE_MAX {
                break;
            }
            let is_twice = round % TWICE_EVERY == TWICE_EVERY - 1;
            let pulled = if is_twice {
                let (one, other) = tokio::join!(self.pull(&rival), self.pull(&rival));
                if let (Ok(one), Ok(other)) = (&one, &other) {
                    assert_eq!(one, other, "AS-1: a miner holds one task");
                }
                one.or(other)
            } else {
                self.pull(&rival).await
            };
            let tally = if is_twice { None } else { Some(rival.traffic.take()) };
            rival.traffic.take();
            let Some((task, is_organic)) = settled(pulled, &mut outcome) else { continue };
            outcome.note_pull(tally, is_organic);
            if is_organic {
                idle_in_a_row = 0;
                let is_news = self.told().insert((task, hotkey(rival.number)));
                assert!(is_news, "AS-2: a miner gets a task once");
            } else {
                idle_in_a_row += 1;
            }
            while settled(self.pass(&rival, task).await, &mut outcome).is_none() {}
            outcome.note_pass(rival.traffic.take());
            if is_organic {
                self.note_end(task).await;
            } else {
                let [least, most] = IDLE_MS;
                let pause_ms = (least << idle_in_a_row.min(16)).min(most);
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
        }
        outcome
    }

    /// Pulls a task; answers which, and whether it is a client's.
    async fn pull(&self, rival: &Rival) -> PortResult<(TaskId, bool)> {
        let (now, policy) = (now(), self.policy);
        let synthetic_id = TaskId::new(now, decision_id().0);
        let synthetic = Prompt::Text("a very large red stone castle".to_owned());
        let pull = Pull { hotkey: hotkey(rival.number), synthetic_id, synthetic, lost: None };
        let load = pull::load(pull.hotkey);
        let decide = move |view: &View| pull::decide(view, &pull, now, &policy);
        let reply = transact(&*rival.ledger, decision_id(), now, load, decide).await?;
        let PullReply::Task { id, .. } = reply else { panic!("no miner waits here: {reply:?}") };
        Ok((id, self.tasks.binary_search(&id).is_ok()))
    }

    /// Gives a task back, with a result that is empty.
    async fn pass(&self, rival: &Rival, task: TaskId) -> PortResult<()> {
        let (now, policy) = (now(), self.policy);
        let submit = Submit {
            hotkey: hotkey(rival.number),
            task,
            signature_is_valid: true,
            signature: "c2lnbmF0dXJl".repeat(7),
            submit_time: i64::try_from(now.0).expect("before the year 2262") * 1_000_000,
            prompt_sha256: [1; 32],
            payload: None,
            refusal: None,
        };
        let load = submit::load(submit.hotkey, task);
        let decide = move |view: &View| submit::decide(view, &submit, now, &policy);
        let reply = transact(&*rival.ledger, decision_id(), now, load, decide).await?;
        assert!(matches!(reply, SubmitReply::Taken { .. }), "the task is the miner's own: {reply:?}");
        Ok(())
    }

    async fn note_end(&self, id: TaskId) {
        if self.task(id).await.state != TaskState::Open {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        }
    }

    async fn task(&self, id: TaskId) -> Task {
        let view = self.observer.read(now(), LoadSpec::keys([Key::Task(id)])).await.expect("a view");
        view.task(id).expect("the task is there").1.clone()
    }

    fn is_over(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).len() == self.tasks.len()
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeSet<(TaskId, Hotkey)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No task went to more miners than it may, none was lost, and the miners know of the same as the tasks do.
    async fn check(&self, outcome: &Outcome) {
        let mut held = BTreeSet::new();
        for id in &self.tasks {
            let task = self.task(*id).await;
            let copies = usize::from(task.copies);
            let is_strong_early = task.holders.iter().take(copies).any(|holder| holder.strong);
            let expected = copies + usize::from(!is_strong_early);
            assert_eq!(task.holders.len(), expected, "AS-2: {id} went to {:?}", task.holders);
            assert!(task.holders.iter().all(|holder| holder.finished), "{id} has ended");
            assert!(matches!(task.state, TaskState::Failure { .. }), "everybody passed on {id}");
            for holder in task.holders {
                assert!(held.insert((*id, holder.hotkey)), "AS-2: {id} went to a miner twice");
            }
        }
        assert_eq!(held, *self.told(), "an assignment that nobody was told of, or that nobody holds");
        assert_eq!(held.len(), outcome.assignments);
    }
}

fn is_strong(number: u8) -> bool {
    number.is_multiple_of(4)
}

fn now() -> UnixMs {
    Clock::system().now()
}

/// What came of a decision; none, and a note of it, when it lost every race.
fn settled<T>(result: PortResult<T>, outcome: &mut Outcome) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_eq!(error.kind, PortErrorKind::Conflict, "{error}");
            outcome.given_up += 1;
            None
        }
    }
}

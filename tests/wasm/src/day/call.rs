//! The decisions of the day, with everything that comes into them from outside.

use serde::{Deserialize, Serialize};
use sn17_core::glicko::{self, duel};
use sn17_core::ledger::{DecisionId, LoadSpec, Step, View, Write};
use sn17_core::miner::{self, Figures};
use sn17_core::policy::Policy;
use sn17_core::pull::{self, Pull};
use sn17_core::scoring::{Metrics, PromptKind, RawViews};
use sn17_core::settle::{self, Finding};
use sn17_core::state::{Item, Key, KeyHash, Neuron, Origin, Prompt, Record, Roster};
use sn17_core::submit::{self, Payload, Submit};
use sn17_core::task::{self, NewTask};
use sn17_core::{Hotkey, TaskId, UnixMs};

use super::outcome::Reply;

/// One step of the day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The clock.
    pub(super) now: UnixMs,
    /// The decision.
    pub(super) id: DecisionId,
    /// What it is about.
    pub(super) call: Call,
    /// Another decision that commits after this one has looked and before it commits.
    pub(super) rival: Option<(DecisionId, Call)>,
}

/// What is to be decided. The first nine are decisions of the core as the use cases call them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Call {
    Add(NewTaskForm),
    Pull {
        hotkey: Hotkey,
        synthetic_id: TaskId,
        synthetic: Prompt,
        lost: Option<TaskId>,
    },
    Submit(SubmitForm),
    Settle {
        task: TaskId,
        hotkey: Hotkey,
        found: Found,
    },
    Resend {
        task: TaskId,
        hotkey: Hotkey,
    },
    Finalise {
        task: TaskId,
    },
    Register {
        neuron: Neuron,
        strong: bool,
    },
    Deregister {
        hotkey: Hotkey,
    },
    NoteRoster {
        roster: Roster,
    },
    /// Who has left since the last roster, and who is strong in the new one.
    CompareRoster {
        roster: Roster,
    },
    /// A duel with the core's ratings; how it is stored is this test's own.
    Duel {
        left: Hotkey,
        right: Hotkey,
        outcome: glicko::Outcome,
    },
    /// The figures and the reward that a miner is told.
    Figures {
        hotkey: Hotkey,
    },
    /// What a client reads of its task.
    Results {
        task: TaskId,
    },
}

/// See [`NewTask`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NewTaskForm {
    pub(super) id: TaskId,
    pub(super) prompt: Prompt,
    pub(super) owner: KeyHash,
    pub(super) origin: Origin,
}

/// See [`Submit`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SubmitForm {
    pub(super) hotkey: Hotkey,
    pub(super) task: TaskId,
    pub(super) signature_is_valid: bool,
    pub(super) submit_time: i64,
    pub(super) prompt_sha256: [u8; 32],
    /// Size and SHA-256.
    pub(super) payload: Option<(u64, [u8; 32])>,
    pub(super) refusal: Option<String>,
}

/// See [`Finding`]; here with the figures of the views, so that the metrics are computed on the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Found {
    Views { views: RawViews, prompt: PromptKind },
    Invalid { reason: String },
    Failed { reason: String },
}

impl Call {
    /// The name that its count goes by.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Pull { .. } => "pull",
            Self::Submit(_) => "submit",
            Self::Settle { .. } => "settle",
            Self::Resend { .. } => "resend",
            Self::Finalise { .. } => "finalise",
            Self::Register { .. } => "register",
            Self::Deregister { .. } => "deregister",
            Self::NoteRoster { .. } => "note roster",
            Self::CompareRoster { .. } => "compare roster",
            Self::Duel { .. } => "duel",
            Self::Figures { .. } => "figures",
            Self::Results { .. } => "results",
        }
    }

    /// What it looks at first.
    pub(super) fn load(&self) -> LoadSpec {
        let miner = |hotkey: &Hotkey| [Key::Session(*hotkey), Key::Record(*hotkey)];
        match self {
            Self::Add(new) => LoadSpec::keys([Key::Task(new.id)]),
            Self::Pull { hotkey, .. } => pull::load(*hotkey),
            Self::Submit(form) => submit::load(form.hotkey, form.task),
            Self::Settle { task, hotkey, .. } | Self::Resend { task, hotkey } => settle::load(*task, *hotkey),
            Self::Finalise { task } | Self::Results { task } => LoadSpec::keys([Key::Task(*task)]),
            Self::Register { neuron, .. } => LoadSpec::keys(miner(&neuron.hotkey)),
            Self::Deregister { hotkey } | Self::Figures { hotkey } => LoadSpec::keys(miner(hotkey)),
            Self::NoteRoster { .. } | Self::CompareRoster { .. } => LoadSpec::keys([Key::Roster]),
            Self::Duel { left, right, .. } => LoadSpec::keys([Key::Record(*left), Key::Record(*right)]),
        }
    }

    /// Decides.
    pub(super) fn decide(&self, view: &View, now: UnixMs, policy: &Policy) -> Step<Reply> {
        match self {
            Self::Add(form) => {
                let NewTaskForm { id, prompt, owner, origin } = form.clone();
                reply(task::add(view, &NewTask { id, prompt, owner, origin }, now, &policy.tasks))
            }
            Self::Pull { hotkey, synthetic_id, synthetic, lost } => {
                let (hotkey, synthetic_id, lost) = (*hotkey, *synthetic_id, *lost);
                let request = Pull { hotkey, synthetic_id, synthetic: synthetic.clone(), lost };
                reply(pull::decide(view, &request, now, policy))
            }
            Self::Submit(form) => reply(submit::decide(view, &form.request(), now, policy)),
            Self::Settle { task, hotkey, found } => {
                reply(settle::decide(view, *task, *hotkey, &found.finding(policy), now, policy))
            }
            Self::Resend { task, hotkey } => reply(settle::resend(view, *task, *hotkey, now, policy)),
            Self::Finalise { task } => reply(task::finalise(view, *task, now, policy)),
            Self::Register { neuron, strong } => reply(miner::register(view, neuron, *strong, policy)),
            Self::Deregister { hotkey } => reply(miner::deregister(view, *hotkey, now, policy)),
            Self::NoteRoster { roster } => reply(miner::note_roster(view, roster.clone())),
            Self::CompareRoster { roster } => {
                let old = view.roster().map(|(_, roster)| roster.clone()).unwrap_or_default();
                Step::Reply(Reply::Compared {
                    departed: miner::departed(&old, roster),
                    strong: miner::strong_uids(&roster.neurons, policy.miners.strong_miners),
                })
            }
            Self::Duel { left, right, outcome } => fight(view, *left, *right, *outcome, policy),
            Self::Figures { hotkey } => {
                let (session, record) = (view.session(hotkey), view.record(hotkey));
                let figures = session.zip(record).map(|((_, s), (_, r))| Figures::of(s, r, now, policy));
                Step::Reply(figures.map_or(Reply::Absent, Reply::from))
            }
            Self::Results { task } => Step::Reply(view.task(*task).map_or(Reply::Absent, |(_, task)| {
                let results = task.readable_results(now);
                Reply::Results {
                    state: task.state_at(now),
                    best_first: results.iter().map(|result| result.hotkey).collect(),
                }
            })),
        }
    }
}

impl SubmitForm {
    fn request(&self) -> Submit {
        let payload = self.payload.map(|(bytes, sha256)| Payload {
            blob: format!("splats/{}", self.task),
            bytes,
            sha256,
        });
        Submit {
            hotkey: self.hotkey,
            task: self.task,
            signature_is_valid: self.signature_is_valid,
            signature: "a signature".to_owned(),
            submit_time: self.submit_time,
            prompt_sha256: self.prompt_sha256,
            payload,
            refusal: self.refusal.clone(),
        }
    }
}

impl Found {
    fn finding(&self, policy: &Policy) -> Finding {
        match self {
            Self::Views { views, prompt } => Finding::Measured {
                metrics: Metrics::from_views(views, *prompt, &policy.metrics),
                synthetic: true,
            },
            Self::Invalid { reason } => Finding::Invalid { reason: reason.clone() },
            Self::Failed { reason } => Finding::Failed { reason: reason.clone() },
        }
    }
}

fn reply<R: Into<Reply>>(step: Step<R>) -> Step<Reply> {
    match step {
        Step::Load(more) => Step::Load(more),
        Step::Commit { writes, reply } => Step::Commit { writes, reply: reply.into() },
        Step::Reply(reply) => Step::Reply(reply.into()),
    }
}

/// Changes both ratings or neither (DU-1).
fn fight(view: &View, left: Hotkey, right: Hotkey, outcome: glicko::Outcome, policy: &Policy) -> Step<Reply> {
    let (Some((left_row, left_record)), Some((right_row, right_record))) =
        (view.record(&left), view.record(&right))
    else {
        return Step::Reply(Reply::Absent);
    };
    let (left_rating, right_rating) = duel(left_record.rating, right_record.rating, outcome, &policy.glicko);
    let fought = |record: &Record, rating, has_won| {
        let wins = record.wins + u32::from(has_won);
        Item::Record(Record { rating, duels: record.duels + 1, wins, ..record.clone() })
    };
    let new_left = fought(left_record, left_rating, outcome == glicko::Outcome::Left);
    let new_right = fought(right_record, right_rating, outcome == glicko::Outcome::Right);
    let writes = vec![
        Write::replace(Key::Record(left), left_row, new_left),
        Write::replace(Key::Record(right), right_row, new_right),
    ];
    Step::Commit { writes, reply: Reply::Done }
}

//! The decisions of the day, with everything that comes into them from outside.

use serde::{Deserialize, Serialize};
use sn17_core::duel::{self, Ruling};
use sn17_core::glicko::Outcome;
use sn17_core::leaderboard::{self, Leaderboard};
use sn17_core::ledger::{DecisionId, LoadSpec, Step, View};
use sn17_core::matchmaking::{self, Draw};
use sn17_core::miner::{self, Figures};
use sn17_core::policy::Policy;
use sn17_core::pull::{self, Pull};
use sn17_core::scoring::{Metrics, PromptKind, RawViews};
use sn17_core::settle::{self, Finding};
use sn17_core::state::{DuelNonce, Key, KeyHash, Neuron, Origin, Prompt, Roster};
use sn17_core::submit::{self, Payload, Submit};
use sn17_core::task::{self, Comparison, NewTask};
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

/// What is to be decided; most of them are decisions of the core as the use cases call them.
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
    /// Makes a duel, if it is time for one.
    MakeDuel {
        task: TaskId,
        prompts: Vec<Prompt>,
        backlog: u64,
    },
    /// Lets a judge's word on a duel take effect; no outcome says that nobody could tell.
    Rule {
        nonce: DuelNonce,
        outcome: Option<Outcome>,
    },
    /// Looks after a duel that is overdue.
    LookAfter {
        nonce: DuelNonce,
    },
    /// Notes how two results of a client's task compare; no outcome says that they are the same.
    Compare {
        task: TaskId,
        pair: [Hotkey; 2],
        outcome: Option<Outcome>,
    },
    /// Computes and notes the standings of these miners.
    NoteStandings {
        roster: Roster,
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
            Self::MakeDuel { .. } => "make duel",
            Self::Rule { .. } => "rule",
            Self::LookAfter { .. } => "look after",
            Self::Compare { .. } => "compare",
            Self::NoteStandings { .. } => "note standings",
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
            Self::Finalise { task } | Self::Results { task } | Self::Compare { task, .. } => {
                LoadSpec::keys([Key::Task(*task)])
            }
            Self::Register { neuron, .. } => LoadSpec::keys(miner(&neuron.hotkey)),
            Self::Deregister { hotkey } | Self::Figures { hotkey } => LoadSpec::keys(miner(hotkey)),
            Self::NoteRoster { .. } | Self::CompareRoster { .. } => LoadSpec::keys([Key::Roster]),
            Self::MakeDuel { .. } => matchmaking::load(),
            Self::Rule { nonce, .. } | Self::LookAfter { nonce } => LoadSpec::keys([Key::Duel(*nonce)]),
            Self::NoteStandings { roster } => {
                let records = roster.neurons.iter().map(|neuron| Key::Record(neuron.hotkey));
                LoadSpec::keys(records.chain([Key::Leaderboard]))
            }
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
            Self::MakeDuel { task, prompts, backlog } => {
                let draw = Draw { task: *task, prompts: prompts.clone(), backlog: *backlog };
                reply(matchmaking::decide(view, &draw, now, policy))
            }
            Self::Rule { nonce, outcome } => reply(duel::rule(view, *nonce, &ruling(*outcome), now, policy)),
            Self::LookAfter { nonce } => reply(duel::look_after(view, *nonce, now, policy)),
            Self::Compare { task, pair, outcome } => {
                let comparison = outcome.map_or(Comparison::Same, Comparison::Judged);
                reply(task::compared(view, *task, *pair, comparison, now, policy))
            }
            Self::NoteStandings { roster } => {
                let standings = Leaderboard::of(view, &roster.neurons, now, policy);
                reply(leaderboard::note(view, standings))
            }
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
                likeness: None,
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

fn ruling(outcome: Option<Outcome>) -> Ruling {
    match outcome {
        Some(outcome) => Ruling::Decided { outcome, explanation: "one has no legs".to_owned() },
        None => Ruling::Failed { reason: "the judge does not answer".to_owned() },
    }
}

//! What miners can do besides handing in results: pull a task.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::state::Prompt;
use sn17_core::{Hotkey, TaskId};
use sn17_wire::dendrite::VerifiedDendrite;

use crate::App;
use crate::clients::fetch_within;
use crate::ports::{BlobKey, Nonce, PortErrorKind, PortResult, transact};

/// A task as a miner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedTask {
    /// The task.
    pub id: TaskId,
    /// Whether the prompt is a picture.
    pub is_image: bool,
    /// The words, or the picture in base64: the text that the consent signature covers.
    pub prompt: String,
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullAnswer {
    /// This very request was answered before (AU-2).
    Replayed,
    /// Not registered, or too early.
    Wait {
        /// Unix seconds.
        cooldown_until: u64,
        /// Early pulls counted so far.
        violations: u32,
    },
    /// Its task.
    Task(AssignedTask),
}

/// Whether a verified request may have an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A registered miner's request, seen for the first time.
    Fresh,
    /// This very request was answered before (AU-2).
    Replayed,
    /// Not registered. Strangers' nonces are not remembered: they get nothing that a replay could take.
    Stranger,
}

impl App {
    /// Uses up a verified request's nonce if its sender is registered.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn admit(&self, caller: &VerifiedDendrite) -> PortResult<Admission> {
        if !self.is_registered(caller.hotkey()).await? {
            return Ok(Admission::Stranger);
        }
        Ok(if self.claim(caller).await? { Admission::Fresh } else { Admission::Replayed })
    }

    /// Answers a miner's pull.
    ///
    /// # Errors
    /// Those of the ports.
    pub async fn pull(&self, caller: &VerifiedDendrite) -> PortResult<PullAnswer> {
        self.pull_within(caller, |_| true).await
    }

    /// Answers a miner's pull if there is room for its task's picture: `has_room` is told its bytes before any of them is
    /// read. Without room the task stays the miner's, whose next pull asks again (AS-1, IN-1).
    ///
    /// # Errors
    /// Those of the ports, and `Throttled` for want of room.
    pub async fn pull_within(
        &self,
        caller: &VerifiedDendrite,
        mut has_room: impl FnMut(u64) -> bool + Send,
    ) -> PortResult<PullAnswer> {
        if self.admit(caller).await? == Admission::Replayed {
            return Ok(PullAnswer::Replayed);
        }
        self.turn_page().await;
        let mut lost = None;
        loop {
            let (id, prompt) = match self.decide_pull(caller.hotkey(), lost).await? {
                PullReply::Unregistered { cooldown_until } => {
                    return Ok(PullAnswer::Wait { cooldown_until, violations: 0 });
                }
                PullReply::OnCooldown { cooldown_until, violations } => {
                    return Ok(PullAnswer::Wait { cooldown_until, violations });
                }
                PullReply::Task { id, prompt } => (id, prompt),
            };
            let is_image = matches!(prompt, Prompt::Image { .. });
            match self.prompt_text_within(&prompt, &mut has_room).await {
                Ok(prompt) => return Ok(PullAnswer::Task(AssignedTask { id, is_image, prompt })),
                // The picture of an old assignment has expired: the miner gets another task, once.
                Err(error) if error.kind == PortErrorKind::NotFound && lost.is_none() => lost = Some(id),
                Err(error) => return Err(error),
            }
        }
    }

    /// Uses up the request's nonce; false if it was used before (AU-2).
    pub(crate) async fn claim(&self, caller: &VerifiedDendrite) -> PortResult<bool> {
        let nonce = Nonce { hotkey: caller.hotkey(), uuid: caller.uuid().to_owned(), nonce: caller.nonce() };
        self.ports.ledger.claim_nonce(&nonce, self.now(), caller.nonce_expires()).await
    }

    /// The prompt as text: the words, or the picture in base64.
    pub(crate) async fn prompt_text(&self, prompt: &Prompt) -> PortResult<String> {
        self.prompt_text_within(prompt, |_| true).await
    }

    async fn prompt_text_within(
        &self,
        prompt: &Prompt,
        has_room: impl FnOnce(u64) -> bool + Send,
    ) -> PortResult<String> {
        match prompt {
            Prompt::Text(text) => Ok(text.clone()),
            Prompt::Image { blob, .. } => {
                let (blob, bytes_max) = (BlobKey(blob.clone()), self.policy.tasks.image_bytes_max as u64);
                let bytes = fetch_within(&*self.ports.blobs, &blob, bytes_max, has_room).await?;
                Ok(STANDARD.encode(bytes))
            }
        }
    }

    async fn decide_pull(&self, hotkey: Hotkey, lost: Option<TaskId>) -> PortResult<PullReply> {
        let now = self.now();
        let policy = self.policy;
        let request = Pull {
            hotkey,
            synthetic_id: TaskId::new(now, self.random()),
            synthetic: self.prompts.draw(hotkey, self.random(), policy.miners.text_share),
            lost,
        };
        let synthetic_id = request.synthetic_id;
        let decide = move |view: &_| pull::decide(view, &request, now, &policy);
        let reply =
            transact(&*self.ports.ledger, self.decision_id(), now, pull::load(hotkey), decide).await?;
        if let PullReply::Task { id, prompt } = &reply
            && *id == synthetic_id
        {
            self.prompts.note_given(hotkey, prompt);
        }
        Ok(reply)
    }
}

//! The queue's port on Amazon SQS: standard queues, whose messages are effects as JSON.
//!
//! # Delays
//! SQS holds a message back for at most 900 s. A timer further away is sent with that, and whoever receives it too
//! early sends it on with the rest: [`SqsQueue::receive`] does so itself, and a function that is fed by SQS calls
//! [`SqsQueue::send_on_if_early`].
//!
//! # Receipts
//! SQS deletes with the handle of the last delivery only, and does not say so when it was another: a delete with an
//! older handle "succeeds" and does nothing (API reference, `DeleteMessage`). So this adapter keeps in mind until when
//! each delivery that it made is its consumer's: one that has been acknowledged, or whose visibility has run out by
//! the host's clock, is `NotFound` without asking, even if nobody else has got the message. For a delivery of
//! another process, or one of the 4,096 before last, the answer is SQS's own, with what it leaves unsaid.
//!
//! # Dead letters
//! SQS has no way to look at a message without receiving it. [`SqsQueue::dead_letters`] receives up to 1,000 of them,
//! which hides them from others for the time it takes, and gives them back at once. [`SqsQueue::redrive`] sends
//! each one to its queue and then deletes it, so that a failure in between delivers it twice and never loses it;
//! SQS's own `StartMessageMoveTask` ends at an unknown time after the call. One call moves at most 500 letters and
//! takes on no more after 20 s, so that it ends within a function's time; whoever wants more calls again. Both leave
//! letters alone that are no effects.

mod in_hand;
mod messages;

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use futures_util::{StreamExt as _, stream};
use sn17_app::Host;
use sn17_app::ports::{Delivery, PortError, PortErrorKind, PortResult, Queue, Receipt};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};

use in_hand::InHand;
use messages::{BATCH_MAX, Message};

/// Longest time that SQS holds a message back, in seconds.
const DELAY_SECS_MAX: u64 = 900;
/// Longest time that SQS hides a delivered message, in seconds: 12 hours.
const VISIBILITY_SECS_MAX: u32 = 43_200;
/// Longest time that SQS waits for a message, in seconds.
const WAIT_SECS_MAX: u64 = 20;
/// Batches of dead letters that are looked at in one call, to find the oldest: 1,000 letters.
const LETTER_BATCHES_MAX: usize = 100;
/// A dead letter that is looked at is hidden for so long at most, in seconds.
const LETTER_SECS: u32 = 30;
/// Batches of dead letters moved in one call: 500 letters.
const REDRIVE_BATCHES_MAX: usize = 50;
/// A call takes no more dead letters to move after so long, in seconds.
const REDRIVE_SECS: u64 = 20;
/// Requests with messages that are made at the same time.
const SEND_PARALLEL: usize = 4;
/// Asking for dead letters waits so long, in seconds: an answer at once may come from some of SQS's servers only.
const LETTERS_WAIT_SECS: u64 = 1;

/// The queues that a host may use. A host is given only those of its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// Submissions to score; empty for an edge, which has no queue, and for a duelist.
    pub scoring: String,
    /// Submissions that could not be scored.
    pub scoring_dead_letters: Option<String>,
    /// Tasks to look at later.
    pub timers: Option<String>,
    /// Timers that failed too often. No role reads them, the sweeper repairs what they were for; they are there for
    /// people.
    pub timers_dead_letters: Option<String>,
    /// Results to compare.
    pub judging: Option<String>,
    /// Comparisons that failed too often. No role reads them either: a duel without a verdict is in the calendar, and a
    /// task ends at its deadline.
    pub judging_dead_letters: Option<String>,
}

/// The queues of effects on SQS.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    urls: QueueUrls,
    host: Host,
    in_hand: InHand,
}

impl SqsQueue {
    /// The queues at `urls`, which must exist.
    pub fn new(client: Client, urls: QueueUrls, host: Host) -> Self {
        Self { client, urls, host, in_hand: InHand::default() }
    }

    /// Sends effects to their queues, ten in a request and some requests at the same time; answers for each one, in
    /// the same order.
    ///
    /// An effect whose answer is an error may have been sent all the same; sending it again is right, as its consumer
    /// is idempotent.
    pub async fn send_all(&self, effects: &[Effect]) -> Vec<PortResult<()>> {
        let mut outcomes: Vec<PortResult<()>> = effects.iter().map(|_| Ok(())).collect();
        let mut by_queue: BTreeMap<QueueName, Vec<usize>> = BTreeMap::new();
        for (position, effect) in effects.iter().enumerate() {
            by_queue.entry(effect.queue()).or_default().push(position);
        }
        let mut sends = Vec::new();
        for (queue, positions) in &by_queue {
            for positions in positions.chunks(BATCH_MAX) {
                let batch: Vec<Effect> =
                    positions.iter().filter_map(|position| effects.get(*position).copied()).collect();
                sends.push(async move { (positions, self.send_batch(*queue, &batch).await) });
            }
        }
        let mut sent = stream::iter(sends).buffer_unordered(SEND_PARALLEL);
        while let Some((positions, answers)) = sent.next().await {
            for (position, answer) in positions.iter().zip(answers) {
                if let Some(outcome) = outcomes.get_mut(*position) {
                    *outcome = answer;
                }
            }
        }
        outcomes
    }

    /// Sends an effect on with the rest of its delay if its time has not come; answers whether it did, and whoever
    /// received it is then done with it.
    ///
    /// # Errors
    /// Those of SQS; the effect is then to be received again.
    pub async fn send_on_if_early(&self, effect: Effect) -> PortResult<bool> {
        let now = self.now();
        let is_early = effect.not_before().is_some_and(|not_before| not_before > now);
        if is_early {
            self.send(effect, None).await?;
        }
        Ok(is_early)
    }

    fn now(&self) -> UnixMs {
        (self.host.now)()
    }

    fn url(&self, queue: QueueName) -> PortResult<&str> {
        match queue {
            QueueName::Scoring => Ok(&self.urls.scoring),
            QueueName::Timers => configured(self.urls.timers.as_ref(), "SN17_TIMERS_QUEUE_URL"),
            QueueName::Judging => configured(self.urls.judging.as_ref(), "SN17_JUDGING_QUEUE_URL"),
        }
    }

    fn dead_letters_url(&self, queue: QueueName) -> PortResult<&str> {
        match queue {
            QueueName::Scoring => {
                configured(self.urls.scoring_dead_letters.as_ref(), "SN17_SCORING_DEAD_LETTERS_URL")
            }
            QueueName::Timers => {
                configured(self.urls.timers_dead_letters.as_ref(), "the timers' dead letters")
            }
            QueueName::Judging => {
                configured(self.urls.judging_dead_letters.as_ref(), "the dead letters of judging")
            }
        }
    }

    /// What one message means for a consumer of `queue`: a delivery, or nothing that it should see.
    async fn accept(&self, queue: QueueName, message: Message, visibility_secs: u32) -> Option<Delivery> {
        let effect = match effect_in(queue, &message.body) {
            Ok(effect) => effect,
            Err(error) => {
                // It stays, and becomes a dead letter after as many deliveries as any other.
                tracing::error!(message.id = %message.id, %error, "a message cannot be read");
                return None;
            }
        };
        let receipt = in_hand::receipt(queue, &message.handle);
        match self.send_on_if_early(effect).await {
            Ok(false) => {
                self.in_hand.note(&receipt, self.now().plus_secs(visibility_secs.into()));
                return Some(Delivery { receipt, effect, receive_count: message.receive_count });
            }
            Ok(true) => {
                if let Err(error) = self.ack(&receipt).await {
                    tracing::warn!(%error, "an early timer was sent on and will come twice");
                }
            }
            Err(error) => tracing::warn!(%error, "an early timer could not be sent on yet"),
        }
        None
    }

    /// Moves a batch of dead letters to `queue`; answers how many of them are gone from `url`, and the last error.
    async fn move_letters(
        &self,
        queue: QueueName,
        url: &str,
        letters: &[Message],
    ) -> (usize, PortResult<()>) {
        let readable = letters
            .iter()
            .filter_map(|letter| Some((letter.handle.as_str(), effect_in(queue, &letter.body).ok()?)));
        let (handles, effects): (Vec<&str>, Vec<Effect>) = readable.unzip();
        let mut outcome = Ok(());
        let mut sent = Vec::with_capacity(handles.len());
        for (handle, answer) in handles.into_iter().zip(self.send_batch(queue, &effects).await) {
            match answer {
                Ok(()) => sent.push(handle),
                Err(error) => outcome = Err(error),
            }
        }
        let mut moved = 0;
        for answer in self.delete_batch(url, &sent).await {
            match answer {
                Ok(()) => moved += 1,
                Err(error) => outcome = Err(error),
            }
        }
        (moved, outcome)
    }

    /// Every dead letter that can be seen, up to [`LETTER_BATCHES_MAX`] batches, once each.
    async fn letters(&self, url: &str) -> PortResult<BTreeMap<String, Message>> {
        let mut letters = BTreeMap::new();
        let mut outcome = Ok(());
        for _ in 0..LETTER_BATCHES_MAX {
            match self.receive_messages(url, BATCH_MAX, LETTER_SECS, LETTERS_WAIT_SECS).await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => {
                    letters.extend(messages.into_iter().map(|message| (message.id.clone(), message)));
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let handles: Vec<&str> = letters.values().map(|letter| letter.handle.as_str()).collect();
        self.give_back(url, &handles).await;
        outcome.map(|()| letters)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    /// A submission or a comparison can be held back for 900 s at most, since its message does not say until when.
    async fn send(&self, effect: Effect, not_before: Option<UnixMs>) -> PortResult<()> {
        let url = self.url(effect.queue())?;
        let now = self.now();
        let ready = not_before.max(effect.not_before());
        if effect.not_before().is_none() && ready.is_some_and(|ready| ready > now.plus_secs(DELAY_SECS_MAX)) {
            let message = format!("this can be held back for at most {DELAY_SECS_MAX} s");
            return Err(PortError::new(PortErrorKind::Corrupt, message));
        }
        self.send_message(url, &effect, delay_secs(ready, now)).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        visibility_secs: u32,
        wait_secs: u32,
    ) -> PortResult<Vec<Delivery>> {
        let url = self.url(queue)?;
        let visibility_secs = visibility_secs.min(VISIBILITY_SECS_MAX);
        let until = self.now().plus_secs(wait_secs.into());
        let mut deliveries = Vec::new();
        let mut is_first = true;
        while deliveries.len() < max {
            // Half a second and less is not worth another request.
            let left_secs = (until.ms_since(self.now()) + 500) / 1000;
            let wait_secs = if deliveries.is_empty() { left_secs.min(WAIT_SECS_MAX) } else { 0 };
            if deliveries.is_empty() && wait_secs == 0 && !is_first {
                break;
            }
            is_first = false;
            let room = BATCH_MAX.min(max - deliveries.len());
            let messages = match self.receive_messages(url, room, visibility_secs, wait_secs).await {
                Ok(messages) => messages,
                Err(error) if deliveries.is_empty() => return Err(error),
                Err(_) => break,
            };
            let is_last = messages.len() < room;
            for message in messages {
                deliveries.extend(self.accept(queue, message, visibility_secs).await);
            }
            if is_last && !deliveries.is_empty() {
                break;
            }
        }
        Ok(deliveries)
    }

    async fn extend(&self, receipt: &Receipt, visibility_secs: u32) -> PortResult<()> {
        let now = self.now();
        let (queue, handle) = in_hand::parse(receipt)?;
        self.in_hand.check(receipt, now)?;
        let visibility_secs = visibility_secs.min(VISIBILITY_SECS_MAX);
        self.change_visibility(self.url(queue)?, handle, visibility_secs).await?;
        self.in_hand.note(receipt, now.plus_secs(visibility_secs.into()));
        Ok(())
    }

    async fn ack(&self, receipt: &Receipt) -> PortResult<()> {
        let (queue, handle) = in_hand::parse(receipt)?;
        self.in_hand.check(receipt, self.now())?;
        self.delete_message(self.url(queue)?, handle).await?;
        self.in_hand.note(receipt, UnixMs(0));
        Ok(())
    }

    async fn backlog(&self, queue: QueueName) -> PortResult<u64> {
        self.count_messages(self.url(queue)?).await
    }

    async fn dead_letters(&self, queue: QueueName, max: usize) -> PortResult<Vec<Effect>> {
        let url = self.dead_letters_url(queue)?;
        let mut letters: Vec<Message> = self.letters(url).await?.into_values().collect();
        letters.sort_by(|left, right| (left.sent_at, &left.id).cmp(&(right.sent_at, &right.id)));
        let effects = letters.iter().filter_map(|letter| effect_in(queue, &letter.body).ok());
        Ok(effects.take(max).collect())
    }

    async fn redrive(&self, queue: QueueName) -> PortResult<usize> {
        let url = self.dead_letters_url(queue)?;
        let end = self.now().plus_secs(REDRIVE_SECS);
        let (mut moved, mut outcome) = (0, Ok(()));
        for _ in 0..REDRIVE_BATCHES_MAX {
            if self.now() >= end {
                break;
            }
            let received = self.receive_messages(url, BATCH_MAX, LETTER_SECS, LETTERS_WAIT_SECS).await;
            let more = match received {
                Ok(letters) if letters.is_empty() => break,
                Ok(letters) => self.move_letters(queue, url, &letters).await,
                Err(error) => (0, Err(error)),
            };
            moved += more.0;
            outcome = more.1;
            if outcome.is_err() {
                break;
            }
        }
        match outcome {
            // The answer says what is done; what is left shows again and can be asked for again.
            Err(error) if moved > 0 => tracing::warn!(%error, moved, "not every dead letter could be moved"),
            outcome => outcome?,
        }
        Ok(moved)
    }
}

/// Reads the effect of a message of `queue`.
///
/// # Errors
/// `Corrupt` for anything but an effect of that queue.
pub fn effect_in(queue: QueueName, body: &str) -> PortResult<Effect> {
    let corrupt = |reason: String| PortError::new(PortErrorKind::Corrupt, reason);
    let effect: Effect =
        serde_json::from_str(body).map_err(|error| corrupt(format!("no effect: {error}")))?;
    if effect.queue() == queue {
        return Ok(effect);
    }
    Err(corrupt(format!("an effect of the queue {:?}, not {queue:?}", effect.queue())))
}

/// Whole seconds from `now` to `ready`, rounded up so that nothing comes early, as far as SQS holds a message back.
fn delay_secs(ready: Option<UnixMs>, now: UnixMs) -> u64 {
    ready.map_or(0, |ready| ready.ms_since(now).div_ceil(1000).min(DELAY_SECS_MAX))
}

fn configured<'a>(url: Option<&'a String>, variable: &str) -> PortResult<&'a str> {
    let missing = || {
        PortError::new(PortErrorKind::Unavailable, format!("this host has no queue: {variable} is not set"))
    };
    url.map(String::as_str).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_rounded_up_and_bounded() {
        let now = UnixMs(10_000);
        for (ready, expected) in [(0, 0), (10_000, 0), (10_001, 1), (11_000, 1), (11_001, 2), (909_999, 900)]
        {
            assert_eq!(delay_secs(Some(UnixMs(ready)), now), expected, "{ready}");
        }
        assert_eq!(delay_secs(Some(UnixMs(u64::MAX)), now), 900);
        assert_eq!(delay_secs(None, now), 0);
    }

    #[test]
    fn effects_are_read_in_their_own_queue() {
        let timer = Effect::Timer { task: sn17_core::TaskId(1), at: UnixMs(5) };
        let body = serde_json::to_string(&timer).unwrap();
        assert_eq!(effect_in(QueueName::Timers, &body).unwrap(), timer);
        for (queue, body) in
            [(QueueName::Scoring, body.as_str()), (QueueName::Timers, "{}"), (QueueName::Timers, "")]
        {
            assert_eq!(effect_in(queue, body).unwrap_err().kind, PortErrorKind::Corrupt, "{body}");
        }
    }
}

//! Queue messages in a batch.

use serde::{Deserialize, Serialize};
use sn17_app::ports::{Delivery, PortError, PortErrorKind, PortResult, Receipt};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};

use crate::codec::{Table, decode, encode, message_name, message_row, queue_byte, queue_range};
use crate::rows::Snapshot;
use crate::writer::Batch;

/// Most messages handed out, or moved to the dead letters, in one call.
const RECEIVE_MAX: usize = 100;

/// A message as it is stored under its queue and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) effect: Effect,
    /// It is to be delivered from this instant on.
    pub(crate) visible_at: UnixMs,
    /// How often it has been handed out.
    pub(crate) receive_count: u32,
}

/// Queues an effect, to be delivered from `visible_at` on.
pub(crate) fn send(batch: &mut Batch<'_>, effect: Effect, visible_at: UnixMs) -> PortResult<()> {
    let number = batch.next_number();
    store(batch, number, None, &Message { effect, visible_at, receive_count: 0 })
}

/// Hands out at most `max` messages and hides them for `visibility_secs`. One that was handed out
/// as often as its queue allows already becomes a dead letter instead.
pub(crate) fn receive(
    batch: &mut Batch<'_>,
    queue: QueueName,
    max: usize,
    visibility_secs: u32,
) -> PortResult<Vec<Delivery>> {
    let now = batch.shared.clock.now();
    let max_receives = match queue {
        QueueName::Scoring | QueueName::Timers => batch.shared.options.max_receives,
        QueueName::Judging => batch.shared.options.judging_max_receives,
    };
    let max = max.min(RECEIVE_MAX);
    let mut deliveries = Vec::new();
    let visible = batch.shared.indexes().visible(queue, now, max + RECEIVE_MAX);
    for (visible_at, number) in visible {
        if deliveries.len() == max {
            break;
        }
        let Some(mut message) = find(batch, queue, number)? else { continue };
        if message.receive_count >= max_receives {
            bury(batch, queue, number, &message)?;
            continue;
        }
        message.receive_count += 1;
        message.visible_at = now.plus_secs(visibility_secs.into());
        store(batch, number, Some(visible_at), &message)?;
        deliveries.push(Delivery {
            receipt: receipt(queue, number, message.receive_count),
            effect: message.effect,
            receive_count: message.receive_count,
        });
    }
    Ok(deliveries)
}

/// Hides a delivered message for `visibility_secs` from now on.
pub(crate) fn extend(batch: &mut Batch<'_>, receipt: &Receipt, visibility_secs: u32) -> PortResult<()> {
    let (_, number, mut message) = delivered(batch, receipt)?;
    let old = message.visible_at;
    message.visible_at = batch.shared.clock.now().plus_secs(visibility_secs.into());
    store(batch, number, Some(old), &message)
}

/// Removes a delivered message.
pub(crate) fn ack(batch: &mut Batch<'_>, receipt: &Receipt) -> PortResult<()> {
    let (queue, number, message) = delivered(batch, receipt)?;
    batch.remove(message_row(Table::Messages, queue, number));
    batch.indexes_mut().move_message(queue, number, Some(message.visible_at), None);
    Ok(())
}

/// Puts every dead letter back into its queue.
pub(crate) fn redrive(batch: &mut Batch<'_>, queue: QueueName) -> PortResult<usize> {
    let now = batch.shared.clock.now();
    let mut redriven = 0;
    for (number, effect) in dead_letters(batch.base(), queue, usize::MAX)? {
        let row = message_row(Table::DeadLetters, queue, number);
        if batch.get(&row)?.is_some() {
            batch.remove(row);
            send(batch, effect, now)?;
            redriven += 1;
        }
    }
    Ok(redriven)
}

/// The committed dead letters of a queue with their numbers, oldest first.
pub(crate) fn dead_letters(
    rows: &dyn Snapshot,
    queue: QueueName,
    max: usize,
) -> PortResult<Vec<(u64, Effect)>> {
    let (from, to) = queue_range(Table::DeadLetters, queue);
    let mut letters = Vec::new();
    crate::rows::try_scan(rows, &from, &to, |row, value| {
        let (_, number) = message_name(row)?;
        letters.push((number, decode(value)?));
        Ok(letters.len() < max)
    })?;
    letters.truncate(max);
    Ok(letters)
}

fn store(batch: &mut Batch<'_>, number: u64, old: Option<UnixMs>, message: &Message) -> PortResult<()> {
    let queue = message.effect.queue();
    let value = encode(message)?;
    batch.put(message_row(Table::Messages, queue, number), value);
    batch.indexes_mut().move_message(queue, number, old, Some(message.visible_at));
    batch.arrived(queue);
    Ok(())
}

fn find(batch: &Batch<'_>, queue: QueueName, number: u64) -> PortResult<Option<Message>> {
    let value = batch.get(&message_row(Table::Messages, queue, number))?;
    value.map(|value| decode(&value)).transpose()
}

/// Moves a message to the dead letters, under a new number, so that these are in the order of their deaths.
fn bury(batch: &mut Batch<'_>, queue: QueueName, number: u64, message: &Message) -> PortResult<()> {
    let letter = encode(&message.effect)?;
    let dead_number = batch.next_number();
    batch.remove(message_row(Table::Messages, queue, number));
    batch.put(message_row(Table::DeadLetters, queue, dead_number), letter);
    batch.indexes_mut().move_message(queue, number, Some(message.visible_at), None);
    tracing::warn!(effect = ?message.effect, receives = message.receive_count, "a message became a dead letter");
    Ok(())
}

fn receipt(queue: QueueName, number: u64, receive_count: u32) -> Receipt {
    Receipt(format!("{}-{number}-{receive_count}", char::from(queue_byte(queue))))
}

/// The message of a delivery that is still its consumer's: not acknowledged, and not handed out again since.
fn delivered(batch: &Batch<'_>, receipt: &Receipt) -> PortResult<(QueueName, u64, Message)> {
    let not_found = || PortError::new(PortErrorKind::NotFound, "the delivery is no longer this consumer's");
    let (queue, number, receive_count) = parse_receipt(&receipt.0).ok_or_else(not_found)?;
    let message = find(batch, queue, number)?.ok_or_else(not_found)?;
    if message.receive_count == receive_count { Ok((queue, number, message)) } else { Err(not_found()) }
}

fn parse_receipt(receipt: &str) -> Option<(QueueName, u64, u32)> {
    let mut parts = receipt.splitn(3, '-');
    let queue = match parts.next()? {
        "s" => QueueName::Scoring,
        "t" => QueueName::Timers,
        "j" => QueueName::Judging,
        _ => return None,
    };
    Some((queue, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

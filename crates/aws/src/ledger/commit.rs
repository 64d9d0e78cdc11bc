//! Committing what a decision wants.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::{Change, DecisionId, Expect, Stored, View, Write, check_writes};
use sn17_core::state::Key;

use super::DynamoLedger;
use super::attributes::{Attributes, corrupt, is_written_by, key_of, values};
use crate::error::{port_error, service_kind};
use crate::schema::names::Place;
use crate::schema::row::{Row, decision_text};
use crate::schema::{DECISION, EXPIRES, PARTITION_KEY, REVISION};

/// What came of one try.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It took effect, now or earlier, or there was nothing to do.
    Done,
    /// Others were first; these items are not as the decision saw them.
    Lost(Vec<Key>),
}

/// A write as the table takes it.
struct Action {
    key: Key,
    /// The new item; none deletes it.
    put: Option<Attributes>,
    condition: String,
    values: Attributes,
}

impl DynamoLedger {
    /// Commits all writes or none.
    pub(super) async fn commit(
        &self,
        id: DecisionId,
        attempt: u32,
        now: UnixMs,
        view: &View,
        writes: Vec<Write>,
    ) -> PortResult<Outcome> {
        let refused = |message: String| PortError::new(PortErrorKind::Corrupt, message);
        check_writes(&writes).map_err(|malformed| refused(malformed.to_string()))?;
        let is_ours = |write: &Write| view.get(&write.key).is_some_and(|stored| stored.decision == id);
        if writes.is_empty() || writes.iter().any(is_ours) {
            // Nothing to do, or done: the answer to an earlier call was lost on its way.
            return Ok(Outcome::Done);
        }
        let keys: Vec<Key> = writes.iter().map(|write| write.key).collect();
        let mut changes = Vec::with_capacity(writes.len());
        let mut actions = Vec::with_capacity(writes.len());
        for write in writes {
            let seen = view.get(&write.key).map(|stored| stored.decision);
            let (action, new) = self.action(id, now, write, seen)?;
            changes.push((action.key, new));
            actions.push(action);
        }
        let sent = match <[Action; 1]>::try_from(actions) {
            Ok([action]) => self.write_one(id, action).await,
            Err(actions) => self.write_all(id, attempt, actions).await,
        };
        let outcome = match sent {
            // Nobody knows whether it took effect, also when the last of several tries was throttled: look once.
            Err(error) if matches!(error.kind, PortErrorKind::Unavailable | PortErrorKind::Throttled) => {
                if self.has_taken_effect(id, &keys).await {
                    Outcome::Done
                } else {
                    return Err(error);
                }
            }
            sent => sent?,
        };
        if matches!(outcome, Outcome::Done) {
            self.note_changes(now, view, &changes);
        }
        Ok(outcome)
    }

    /// The write as the table takes it, and the new item. `seen` is the decision that wrote the item as it was loaded.
    fn action(
        &self,
        id: DecisionId,
        now: UnixMs,
        write: Write,
        seen: Option<DecisionId>,
    ) -> PortResult<(Action, Option<Stored>)> {
        let (condition, values, rev) = condition(write.expect, seen, now);
        let action = |put| Action { key: write.key, put, condition, values };
        match write.change {
            Change::Put(item, expires) => {
                let stored = Stored { rev: rev + 1, decision: id, expires, item };
                let row = Row::new(&write.key, &stored, &write.effects, self.options.shards);
                let put = values_of(row.map_err(corrupt)?);
                Ok((action(Some(put)), Some(stored)))
            }
            Change::Delete if write.effects.is_empty() => Ok((action(None), None)),
            Change::Delete => {
                // Effects travel with the new image of their item, and a deletion has none. No rule needs it.
                let message = format!("the deletion of {:?} has effects", write.key);
                Err(PortError::new(PortErrorKind::Corrupt, message))
            }
        }
    }

    async fn write_one(&self, id: DecisionId, action: Action) -> PortResult<Outcome> {
        let Action { key, put, condition, values } = action;
        let doing = format!("write {}", Place::of(&key).partition);
        let table = &self.options.table;
        let lost = |old: Option<&Attributes>| {
            if old.is_some_and(|old| is_written_by(old, id)) {
                Outcome::Done
            } else {
                Outcome::Lost(vec![key])
            }
        };
        if let Some(item) = put {
            let sent = self
                .client
                .put_item()
                .table_name(table)
                .set_item(Some(item))
                .condition_expression(condition)
                .set_expression_attribute_values(Some(values))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            return match sent {
                Ok(_) => Ok(Outcome::Done),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(lost(failed.item())),
                    Some(
                        PutItemError::TransactionConflictException(_)
                        | PutItemError::ReplicatedWriteConflictException(_),
                    ) => Ok(lost(None)),
                    _ => Err(port_error(&doing, &error)),
                },
            };
        }
        let sent = self
            .client
            .delete_item()
            .table_name(table)
            .set_key(Some(key_of(&Place::of(&key))))
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Outcome::Done),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(failed)) => Ok(lost(failed.item())),
                Some(
                    DeleteItemError::TransactionConflictException(_)
                    | DeleteItemError::ReplicatedWriteConflictException(_),
                ) => Ok(lost(None)),
                _ => Err(port_error(&doing, &error)),
            },
        }
    }

    async fn write_all(&self, id: DecisionId, attempt: u32, actions: Vec<Action>) -> PortResult<Outcome> {
        let keys: Vec<Key> = actions.iter().map(|action| action.key).collect();
        let items =
            actions.into_iter().map(|action| self.transact_item(action)).collect::<PortResult<_>>()?;
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            // At most 36 characters: 32 of the id, 3 of the number.
            .client_request_token(format!("{}-{:03}", decision_text(id), attempt.min(999)))
            .send()
            .await;
        let Err(error) = sent else { return Ok(Outcome::Done) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                cancelled_outcome(id, &keys, reasons).map_err(|kind| PortError {
                    kind,
                    message: port_error("commit several items", &error).message,
                })
            }
            // The token is taken, by an earlier try that still goes on or by one that wrote something else.
            Some(
                TransactWriteItemsError::TransactionInProgressException(_)
                | TransactWriteItemsError::IdempotentParameterMismatchException(_),
            ) => Ok(Outcome::Lost(keys)),
            _ => Err(port_error("commit several items", &error)),
        }
    }

    fn transact_item(&self, action: Action) -> PortResult<TransactWriteItem> {
        let Action { key, put, condition, values } = action;
        let incomplete = |error: aws_smithy_types::error::operation::BuildError| {
            PortError::new(PortErrorKind::Corrupt, error.to_string())
        };
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        let item = TransactWriteItem::builder();
        let item = match put {
            Some(put) => item.put(
                Put::builder()
                    .table_name(&self.options.table)
                    .set_item(Some(put))
                    .condition_expression(condition)
                    .set_expression_attribute_values(Some(values))
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(incomplete)?,
            ),
            None => item.delete(
                Delete::builder()
                    .table_name(&self.options.table)
                    .set_key(Some(key_of(&Place::of(&key))))
                    .condition_expression(condition)
                    .set_expression_attribute_values(Some(values))
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(incomplete)?,
            ),
        };
        Ok(item.build())
    }

    /// Whether any of these items was last written by this decision. When nobody answers, no.
    async fn has_taken_effect(&self, id: DecisionId, keys: &[Key]) -> bool {
        let items = self.items(keys).await.unwrap_or_default();
        items.into_iter().any(|(_, stored)| stored.is_some_and(|stored| stored.decision == id))
    }
}

/// The condition, its values, and the revision that a new item follows.
fn condition(expect: Expect, seen: Option<DecisionId>, now: UnixMs) -> (String, Attributes, u64) {
    let number = |number: u64| AttributeValue::N(number.to_string());
    match expect {
        Expect::Absent => {
            let condition = format!("attribute_not_exists({PARTITION_KEY}) OR {EXPIRES} <= :now");
            (condition, Attributes::from([(":now".to_owned(), number(now.0))]), 0)
        }
        Expect::Rev(rev) => {
            let mut condition =
                format!("{REVISION} = :rev AND (attribute_not_exists({EXPIRES}) OR {EXPIRES} > :now)");
            let mut values =
                Attributes::from([(":now".to_owned(), number(now.0)), (":rev".to_owned(), number(rev))]);
            if let Some(seen) = seen {
                // An item that was deleted and made anew has had this revision before.
                condition.push_str(&format!(" AND {DECISION} = :seen"));
                values.insert(":seen".to_owned(), AttributeValue::S(decision_text(seen)));
            }
            (condition, values, rev)
        }
    }
}

fn values_of(row: Row) -> Attributes {
    values(row.attributes())
}

/// What a cancelled transaction means by the reasons, one for each item: done earlier, lost, or a failure.
fn cancelled_outcome(
    id: DecisionId,
    keys: &[Key],
    reasons: &[CancellationReason],
) -> Result<Outcome, PortErrorKind> {
    if reasons.iter().filter_map(CancellationReason::item).any(|old| is_written_by(old, id)) {
        return Ok(Outcome::Done);
    }
    let mut lost = Vec::new();
    let mut failures = Vec::new();
    for (key, reason) in keys.iter().zip(reasons) {
        let Some(code) = reason.code().filter(|code| *code != "None") else { continue };
        match service_kind(Some(code), 400) {
            PortErrorKind::Conflict => lost.push(*key),
            kind @ (PortErrorKind::Throttled
            | PortErrorKind::Unavailable
            | PortErrorKind::NotFound
            | PortErrorKind::Corrupt) => failures.push(kind),
        }
    }
    match failures.first() {
        Some(kind) => Err(*kind),
        None if lost.is_empty() => Ok(Outcome::Lost(keys.to_vec())),
        None => Ok(Outcome::Lost(lost)),
    }
}

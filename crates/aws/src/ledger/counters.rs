//! Nonces and quota windows in the table.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use sn17_app::ports::{Nonce, PortErrorKind, PortResult, QuotaWindow};
use sn17_core::UnixMs;
use sn17_core::ledger::DecisionId;

use super::DynamoLedger;
use super::attributes::{Attributes, is_written_by, key_of, number, place_of, values};
use super::open::text;
use super::quota::{Block, Claim, LEASE_TRIES, Leases, PARTS};
use crate::error::port_error;
use crate::schema::names::Place;
use crate::schema::row::{Attribute, decision_text, expiry};
use crate::schema::units::Consistency;
use crate::schema::{COUNT, DECISION, EXPIRES, PARTITION_KEY, SORT_KEY, TTL};

impl DynamoLedger {
    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that tells this write from everybody else's.
    fn own_id(&self) -> DecisionId {
        DecisionId((self.host.random)())
    }

    /// Uses a nonce up; false if it was used before. A repetition after a lost answer finds its own id.
    pub(super) async fn claim(&self, nonce: &Nonce, now: UnixMs, expires: UnixMs) -> PortResult<bool> {
        let (place, id) = (Place::of_nonce(nonce), self.own_id());
        let mut item = values([
            (PARTITION_KEY, Attribute::Text(place.partition.clone())),
            (SORT_KEY, Attribute::Text(place.sort.clone())),
            (DECISION, Attribute::Text(decision_text(id))),
        ]);
        item.extend(values(expiry(expires)));
        let sent = self
            .client
            .put_item()
            .table_name(&self.options.table)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists({PARTITION_KEY}) OR {EXPIRES} <= :now"))
            .expression_attribute_values(":now", AttributeValue::N(now.0.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(true) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            return Ok(failed.item().is_some_and(|old| is_written_by(old, id)));
        }
        let error = port_error("claim a nonce", &error);
        match self.own_effect(&error.kind, &place, id).await {
            Some(_) => Ok(true),
            None => Err(error),
        }
    }

    /// Adds one to a window unless it is full.
    pub(super) async fn count(&self, window: &QuotaWindow, now: UnixMs, limit: u32) -> PortResult<bool> {
        for _ in 0..LEASE_TRIES {
            let claim = self.leases().claim(window, now, limit);
            let block = match claim {
                Claim::Granted => return Ok(true),
                Claim::Refused => return Ok(false),
                Claim::Lease(block) => block,
            };
            match self.lease(window, block).await? {
                Ok(counted) => {
                    self.leases().leased(window, now, limit, block, counted);
                    return Ok(true);
                }
                Err(counted) => {
                    let is_split = block.limit < limit;
                    let mut seen = if is_split { self.parts(window).await } else { Vec::new() };
                    seen.push((block.part, counted));
                    self.leases().missed(window, now, seen);
                }
            }
        }
        // Others took the last ones of every part just now.
        Ok(false)
    }

    /// Adds a block to the count of its part; answers the new count, or as an error the count that leaves no room.
    ///
    /// `ADD` is not idempotent, so each carries an id: a repetition after a lost answer fails on its own id. Only
    /// when others have counted in between is the block counted twice, to the disadvantage of the window's owner by
    /// one block.
    async fn lease(&self, window: &QuotaWindow, block: Block) -> PortResult<Result<u32, u32>> {
        let (place, id) = (Place::of_window(window, block.part), self.own_id());
        let period_secs = u64::from(window.period_secs);
        let end_secs = window.number.saturating_add(1).saturating_mul(period_secs);
        let expires = UnixMs::from_secs(end_secs).plus_secs(period_secs.saturating_mul(2));
        let most = block.limit.saturating_sub(block.count);
        let sent = self
            .client
            .update_item()
            .table_name(&self.options.table)
            .set_key(Some(key_of(&place)))
            .update_expression(format!(
                "SET {DECISION} = :did, {EXPIRES} = :exp, #ttl = :ttl ADD {COUNT} :block"
            ))
            .condition_expression(format!(
                "(attribute_not_exists({COUNT}) OR {COUNT} <= :most) AND \
                 (attribute_not_exists({DECISION}) OR {DECISION} <> :did)"
            ))
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":did", text(decision_text(id)))
            .expression_attribute_values(":exp", AttributeValue::N(expires.0.to_string()))
            .expression_attribute_values(":ttl", AttributeValue::N(expires.0.div_ceil(1000).to_string()))
            .expression_attribute_values(":block", AttributeValue::N(block.count.to_string()))
            .expression_attribute_values(":most", AttributeValue::N(most.to_string()))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match sent {
            Ok(answer) => return Ok(Ok(answer.attributes().map_or(block.count, counted))),
            Err(error) => error,
        };
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            return Ok(match failed.item() {
                Some(old) if is_written_by(old, id) => Ok(counted(old)),
                Some(old) => Err(counted(old)),
                None => Err(block.limit),
            });
        }
        let error = port_error("count against a quota", &error);
        match self.own_effect(&error.kind, &place, id).await {
            Some(old) => Ok(Ok(counted(&old))),
            None => Err(error),
        }
    }

    /// The counts of a window's parts as they were a moment ago; what is not read counts as empty and is tried.
    async fn parts(&self, window: &QuotaWindow) -> Vec<(u16, u32)> {
        let parts: BTreeMap<Place, u16> =
            (0..PARTS).map(|part| (Place::of_window(window, part), part)).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(parts.keys().map(key_of).collect()));
        let Ok(keys) = keys.consistent_read(false).build() else { return Vec::new() };
        let table = &self.options.table;
        let Ok(answer) = self.client.batch_get_item().request_items(table, keys).send().await else {
            return Vec::new();
        };
        let found = answer.responses.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
        let part = |item: &Attributes| parts.get(&place_of(item)?).copied();
        found.iter().filter_map(|item| Some((part(item)?, counted(item)))).collect()
    }

    /// After a failure that leaves open whether a write took effect: the item, if that write is in it.
    async fn own_effect(&self, kind: &PortErrorKind, place: &Place, id: DecisionId) -> Option<Attributes> {
        if *kind != PortErrorKind::Unavailable {
            return None;
        }
        let found = self.attributes(place, Consistency::Strong).await.ok().flatten();
        found.filter(|attributes| is_written_by(attributes, id))
    }
}

fn counted(attributes: &Attributes) -> u32 {
    let count = number(attributes, COUNT).unwrap_or_default();
    u32::try_from(count).unwrap_or(u32::MAX)
}

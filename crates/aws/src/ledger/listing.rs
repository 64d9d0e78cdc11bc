//! Lists by index: what is due, and the API keys.

use futures_util::{StreamExt, TryStreamExt, stream};
use sn17_app::ports::{Due, PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::Stored;
use sn17_core::state::{Key, KeyHash};

use super::DynamoLedger;
use super::attributes::{Attributes, field, is_expired, place_of};
use super::open::text;
use crate::error::port_error;
use crate::schema::index::{due_partition, due_sort_from, parse_due_sort};
use crate::schema::{API_KEYS, DUE_INDEX, DUE_PARTITION, DUE_SORT, OPEN_INDEX, OPEN_PARTITION};

/// Shards of the calendar that are looked at at the same time.
const PARALLEL: usize = 32;

impl DynamoLedger {
    /// What is due in any shard, longest overdue first.
    pub(super) async fn list_due(&self, now: UnixMs, limit: usize) -> PortResult<Vec<Due>> {
        let shards = (0..self.options.shards).map(|shard| self.due_of(shard, now, limit));
        let found: Vec<Vec<Due>> = stream::iter(shards).buffer_unordered(PARALLEL).try_collect().await?;
        let mut due = found.concat();
        due.sort_unstable_by_key(|due| (due.at, due.key));
        due.truncate(limit);
        Ok(due)
    }

    async fn due_of(&self, shard: u16, now: UnixMs, limit: usize) -> PortResult<Vec<Due>> {
        let mut due = Vec::new();
        let mut resume = None;
        while due.len() < limit {
            let answer = self
                .client
                .query()
                .table_name(&self.options.table)
                .index_name(DUE_INDEX)
                .key_condition_expression(format!("{DUE_PARTITION} = :shard AND {DUE_SORT} < :end"))
                .expression_attribute_values(":shard", text(due_partition(shard)))
                .expression_attribute_values(":end", text(due_sort_from(now.plus_ms(1))))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(resume)
                .send()
                .await
                .map_err(|error| port_error("look for what is due", &error))?;
            for entry in answer.items().iter().filter(|entry| !is_expired(entry, now)) {
                due.push(due_entry(entry)?);
            }
            resume = answer.last_evaluated_key;
            if resume.is_none() {
                break;
            }
        }
        due.truncate(limit);
        Ok(due)
    }

    /// Every API key, by hash.
    pub(super) async fn list_api_keys(&self) -> PortResult<Vec<(KeyHash, Stored)>> {
        let mut keys = Vec::new();
        let mut resume = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.options.table)
                .index_name(OPEN_INDEX)
                .key_condition_expression(format!("{OPEN_PARTITION} = :keys"))
                .expression_attribute_values(":keys", text(API_KEYS.to_owned()))
                .set_exclusive_start_key(resume)
                .send()
                .await
                .map_err(|error| port_error("list the API keys", &error))?;
            for entry in answer.items() {
                keys.push(key_of_entry(entry)?);
            }
            resume = answer.last_evaluated_key;
            if resume.is_none() {
                break;
            }
        }
        let now = self.now();
        let found = self.items(&keys).await?.into_iter().filter_map(|(key, stored)| match key {
            Key::ApiKey(hash) => Some((hash, stored.filter(|stored| !stored.is_expired(now))?)),
            Key::Task(_) | Key::Submission(..) | Key::Session(_) | Key::Record(_) | Key::Roster => None,
        });
        let mut found: Vec<(KeyHash, Stored)> = found.collect();
        found.sort_unstable_by_key(|(hash, _)| *hash);
        Ok(found)
    }
}

fn key_of_entry(entry: &Attributes) -> PortResult<Key> {
    place_of(entry).and_then(|place| place.key()).ok_or_else(|| invalid(entry))
}

fn due_entry(entry: &Attributes) -> PortResult<Due> {
    let at = field(entry, DUE_SORT).and_then(parse_due_sort).ok_or_else(|| invalid(entry))?;
    Ok(Due { at, key: key_of_entry(entry)? })
}

fn invalid(entry: &Attributes) -> PortError {
    PortError::new(PortErrorKind::Corrupt, format!("an index holds the entry {entry:?}"))
}

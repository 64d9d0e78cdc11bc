//! Lists by index: what is due, the API keys and the judged duels.

use futures_util::{StreamExt, TryStreamExt, stream};
use sn17_app::ports::{Due, PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::index::judged_entry;
use sn17_core::ledger::Stored;
use sn17_core::state::{DuelNonce, Key, KeyHash};

use super::DynamoLedger;
use super::attributes::{Attributes, field, is_expired, place_of};
use super::open::text;
use crate::error::port_error;
use crate::schema::index::{due_partition, due_sort_from, duel_sort, parse_due_sort, parse_duel_sort};
use crate::schema::{
    API_KEYS, DUE_INDEX, DUE_PARTITION, DUE_SORT, JUDGED_DUELS, OPEN_INDEX, OPEN_PARTITION, OPEN_SORT,
};

/// Shards of the calendar that are looked at at the same time.
const PARALLEL: usize = 32;
/// At least so many entries of a shard are read: with many shards some hold more than their share.
const SHARD_ENTRIES_MIN: usize = 64;
/// A shard may hold so many times its share before what is due there has to wait for the next time.
const SHARE_FACTOR: usize = 4;
/// Entries of duels that are read at once where a first look has not found enough: those that have expired stay until
/// DynamoDB deletes them, up to some days. By the default policy no more of them than this are in the range of a list.
const DUEL_ENTRIES: usize = 1_000;

impl DynamoLedger {
    /// What is due in any shard, longest overdue first. Entries that cannot be read are logged and passed over, as
    /// they would be no better the next time.
    pub(super) async fn list_due(&self, now: UnixMs, limit: usize) -> PortResult<Vec<Due>> {
        let shard_limit = shard_limit(limit, self.options.shards);
        let shards = (0..self.options.shards).map(|shard| self.due_of(shard, now, shard_limit));
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
                match due_entry(entry) {
                    Ok(entry) => due.push(entry),
                    Err(error) => tracing::error!(%error, "an entry of the calendar cannot be read"),
                }
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
            Key::Task(_)
            | Key::Submission(..)
            | Key::Session(_)
            | Key::Record(_)
            | Key::Roster
            | Key::Duel(_)
            | Key::History(_)
            | Key::Matchmaker
            | Key::Leaderboard
            | Key::Prompts => None,
        });
        let mut found: Vec<(KeyHash, Stored)> = found.collect();
        found.sort_unstable_by_key(|(hash, _)| *hash);
        Ok(found)
    }

    /// The judged duels from a nonce on and before another, the latest first.
    pub(super) async fn list_duels(
        &self,
        now: UnixMs,
        since: DuelNonce,
        before: Option<DuelNonce>,
        limit: usize,
    ) -> PortResult<Vec<(DuelNonce, Stored)>> {
        let (mut duels, mut before, mut entries) = (Vec::new(), before, limit);
        while duels.len() < limit && before.is_none_or(|before| since < before) {
            let (mut nonces, mut goes_on_before) = self.duel_entries(now, since, before, entries).await?;
            let wanted = limit - duels.len();
            if nonces.len() > wanted {
                nonces.truncate(wanted);
                goes_on_before = nonces.last().copied();
            }
            let keys: Vec<Key> = nonces.into_iter().map(Key::Duel).collect();
            let found = self.items(&keys).await?.into_iter().filter_map(|(key, stored)| {
                let stored = stored.filter(|stored| !stored.is_expired(now))?;
                Some((judged_entry(&key, &stored.item)?, stored))
            });
            let mut found: Vec<(DuelNonce, Stored)> = found.collect();
            found.sort_unstable_by(|(left, _), (right, _)| right.cmp(left));
            duels.append(&mut found);
            if goes_on_before.is_none() {
                break;
            }
            (before, entries) = (goes_on_before, DUEL_ENTRIES);
        }
        Ok(duels)
    }

    /// The unexpired ones of so many entries of judged duels from a nonce on and before another, the latest first, and
    /// where the list goes on if it does.
    async fn duel_entries(
        &self,
        now: UnixMs,
        since: DuelNonce,
        before: Option<DuelNonce>,
        entries: usize,
    ) -> PortResult<(Vec<DuelNonce>, Option<DuelNonce>)> {
        // A range key has two bounds at most if it is BETWEEN them, both included.
        let last = before.map_or(u64::MAX, |before| before.0.saturating_sub(1));
        let request = self
            .client
            .query()
            .table_name(&self.options.table)
            .index_name(OPEN_INDEX)
            .key_condition_expression(format!(
                "{OPEN_PARTITION} = :duels AND {OPEN_SORT} BETWEEN :since AND :last"
            ))
            .expression_attribute_values(":duels", text(JUDGED_DUELS.to_owned()))
            .expression_attribute_values(":since", text(duel_sort(since)))
            .expression_attribute_values(":last", text(duel_sort(DuelNonce(last))))
            .scan_index_forward(false)
            .limit(i32::try_from(entries).unwrap_or(i32::MAX));
        let answer = request.send().await.map_err(|error| port_error("list the duels", &error))?;
        let nonce = |entry: &Attributes| {
            field(entry, OPEN_SORT).and_then(parse_duel_sort).ok_or_else(|| invalid(entry))
        };
        let live = answer.items().iter().filter(|entry| !is_expired(entry, now));
        let nonces = live.map(nonce).collect::<PortResult<_>>()?;
        Ok((nonces, answer.last_evaluated_key().map(nonce).transpose()?))
    }
}

/// How many entries of each shard are read so that `limit` of all shards can be chosen.
fn shard_limit(limit: usize, shards: u16) -> usize {
    let share = limit.saturating_mul(SHARE_FACTOR) / usize::from(shards.max(1));
    limit.min(share.max(SHARD_ENTRIES_MIN))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_shards_are_not_read_as_deep_as_few() {
        for (limit, shards, expected) in [
            (1_000, 1, 1_000),
            (1_000, 4, 1_000),
            (1_000, 16, 250),
            (1_000, 1_024, 64),
            (10, 1_024, 10),
            (0, 4, 0),
        ] {
            assert_eq!(shard_limit(limit, shards), expected, "{limit} of {shards} shards");
        }
    }
}

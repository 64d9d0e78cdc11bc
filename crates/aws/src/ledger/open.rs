//! Loading pages of open tasks.

use futures_util::future::try_join_all;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue, open_entry};
use sn17_core::ledger::{OpenPage, Stored, View};
use sn17_core::state::Key;

use super::DynamoLedger;
use super::attributes::{Attributes, field, is_expired};
use super::hints::OwnChange;
use super::pages::{OpenQuery, OpenReader, QUERY_ENTRIES};
use crate::error::port_error;
use crate::schema::index::{open_partition, open_sort, parse_open_sort, shard_of};
use crate::schema::{OPEN_INDEX, OPEN_PARTITION, OPEN_SORT};

impl DynamoLedger {
    /// Loads a page of open tasks with their items. An entry whose task stands elsewhere by now is skipped: the
    /// index follows the table with a delay.
    pub(super) async fn load_page(
        &self,
        now: UnixMs,
        page: &OpenPage,
        pages_left: usize,
        reader: &mut OpenReader,
        view: &mut View,
    ) -> PortResult<()> {
        let hints = self.fresh_hints().await;
        reader.begin(page.queue, page.after, self.options.shards, hints.as_deref());
        let mut allowance = reader.allowance(pages_left);
        let mut skip = reader.take_skip(page.queue);
        let mut skipped = false;
        let mut positions = Vec::with_capacity(page.limit);
        let mut after = page.after;
        while positions.len() < page.limit {
            let wanted = page.limit - positions.len();
            loop {
                let mut random = |bound| self.random_below(bound);
                let queries =
                    reader.next_queries(page.queue, after, wanted, allowance, hints.is_some(), &mut random);
                if queries.is_empty() {
                    break;
                }
                allowance -= queries.len();
                let limit = page.limit.max(QUERY_ENTRIES);
                let answers = queries.iter().map(|query| self.query_open(now, query, limit));
                for (query, (found, up_to)) in queries.iter().zip(try_join_all(answers).await?) {
                    reader.take(query, found, up_to);
                }
            }
            let mut found = reader.entries(page.queue, after);
            let leading = std::mem::take(&mut skip).min(found.len().saturating_sub(1));
            skipped |= leading > 0;
            found.drain(..leading);
            found.truncate(wanted);
            let Some(last) = found.last() else { break };
            after = Some(*last);
            let keys = found.iter().map(|position| Key::Task(position.task));
            let unknown: Vec<Key> = keys.filter(|key| !view.has_loaded(key)).collect();
            self.load_items(now, &unknown, view).await?;
            let stands = |position: &OpenPosition| {
                let stored = view.get(&Key::Task(position.task))?;
                open_entry(position.task, &stored.item)
            };
            for position in found {
                let is_leading = skipped && positions.is_empty();
                if stands(&position) == Some((page.queue, position))
                    && !(is_leading && is_out_of_reach(view, position, now))
                {
                    positions.push(position);
                }
            }
            if skipped && positions.is_empty() && reader.entries(page.queue, after).is_empty() {
                // Nothing is left behind those that were left out: they are better than nothing.
                (skipped, after) = (false, page.after);
            }
        }
        view.insert_page(*page, positions);
        if let Some(position) = reader.seen_to(page.queue) {
            view.limit_sight(position);
        }
        Ok(())
    }

    /// One page of a shard, and where it ends if the shard goes on.
    async fn query_open(
        &self,
        now: UnixMs,
        query: &OpenQuery,
        limit: usize,
    ) -> PortResult<(Vec<OpenPosition>, Option<OpenPosition>)> {
        let mut request = self
            .client
            .query()
            .table_name(&self.options.table)
            .index_name(OPEN_INDEX)
            .expression_attribute_values(":queue", text(open_partition(query.queue, query.shard)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        request = match query.after {
            Some(after) => request
                .key_condition_expression(format!("{OPEN_PARTITION} = :queue AND {OPEN_SORT} > :after"))
                .expression_attribute_values(":after", text(open_sort(after))),
            None => request.key_condition_expression(format!("{OPEN_PARTITION} = :queue")),
        };
        let answer = request.send().await.map_err(|error| port_error("look for open tasks", &error))?;
        let live = answer.items().iter().filter(|entry| !is_expired(entry, now));
        let found = live.map(position_of).collect::<PortResult<_>>()?;
        let up_to = answer.last_evaluated_key().map(position_of).transpose()?;
        Ok((found, up_to))
    }

    /// Tells this process's hints what a commit of its own did to the queues.
    pub(super) fn note_changes(&self, now: UnixMs, view: &View, changes: &[(Key, Option<Stored>)]) {
        for (key, new) in changes {
            let Key::Task(task) = key else { continue };
            let place = |stored: &Stored| open_entry(*task, &stored.item);
            let (old, new) = (view.get(key).and_then(place), new.as_ref().and_then(place));
            if old == new {
                continue;
            }
            let shard = shard_of(*task, self.options.shards);
            let change = |(queue, position): (OpenQueue, OpenPosition), came| OwnChange {
                queue,
                shard,
                created: position.created,
                came,
            };
            let mut hints = self.hint_cache();
            let (went, came) = (old.map(|place| change(place, false)), new.map(|place| change(place, true)));
            for change in went.into_iter().chain(came) {
                hints.note(now, change);
            }
        }
    }
}

/// Whether the miner that decides can never get a task, because it is on it or it is too late.
///
/// A page that begins with such tasks moves the miner's cursor behind them, and must not do so where others before
/// them have been left out: the miner would never see those.
fn is_out_of_reach(view: &View, position: OpenPosition, now: UnixMs) -> bool {
    let Some((_, task)) = view.task(position.task) else { return true };
    let is_holder = |key: &Key| matches!(key, Key::Session(hotkey) if task.has_holder(hotkey));
    now > task.assignable_until || view.items().any(|(key, _)| is_holder(key))
}

fn position_of(entry: &Attributes) -> PortResult<OpenPosition> {
    field(entry, OPEN_SORT).and_then(parse_open_sort).ok_or_else(|| {
        let message = format!("the index of open tasks holds {:?}", field(entry, OPEN_SORT));
        PortError::new(PortErrorKind::Corrupt, message)
    })
}

pub(super) const fn text(text: String) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text)
}

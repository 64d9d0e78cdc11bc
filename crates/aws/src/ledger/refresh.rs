//! Taking the hints about the queues from the index, one process at a time, and counting the open tasks.

use std::sync::{Arc, MutexGuard, PoisonError};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::index::OpenQueue;

use super::DynamoLedger;
use super::attributes::{field, values};
use super::hints::{CountProgress, HintCache, Lookup, QueueHints};
use super::open::text;
use crate::error::port_error;
use crate::schema::index::{open_partition, parse_open_sort};
use crate::schema::names::Place;
use crate::schema::row::Attribute;
use crate::schema::units::Consistency;
use crate::schema::{OPEN_INDEX, OPEN_PARTITION, OPEN_SORT, PARTITION_KEY, SORT_KEY, TAKEN_AT, VALUE};

/// Queries of a refresh that are under way at the same time.
const PARALLEL: usize = 32;
/// Hints for the depth alone may be this old on average, in milliseconds: every process behind the clients' routes
/// reads them for it, and there may be thousands.
const DEPTH_MS: u64 = 10_000;
/// A lease dated further ahead than this was written by a clock that is wrong, in milliseconds.
const AHEAD_MS_MAX: u64 = 60_000;

/// How old hints may be for the depth in one process, in milliseconds: from half of [`DEPTH_MS`] to one and a half. Each
/// process keeps to its own, so that those that began together do not go on together.
pub(super) fn depth_ms(random: u128) -> u64 {
    let spread = random % u128::from(DEPTH_MS);
    DEPTH_MS / 2 + u64::try_from(spread).unwrap_or_default()
}

/// A refresh under way; lets others refresh when it ends without a result, be it that its caller went away.
struct Refresh<'a> {
    ledger: &'a DynamoLedger,
    is_done: bool,
}

impl Drop for Refresh<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let now = self.ledger.now();
            self.ledger.hint_cache().failed(now);
        }
    }
}

impl DynamoLedger {
    pub(super) fn hint_cache(&self) -> MutexGuard<'_, HintCache> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hints to choose shards by; none means that every shard may hold tasks. When new ones cannot be had, those at
    /// hand do: looking into the shards goes on without.
    pub(super) async fn fresh_hints(&self) -> Option<Arc<QueueHints>> {
        if self.options.hints_ms == 0 {
            return None;
        }
        match self.hints_of_age(self.options.hints_ms).await {
            Ok(hints) => hints,
            Err(error) => {
                tracing::warn!(%error, "the hints about the queues stay as they are");
                self.hint_cache().at_hand()
            }
        }
    }

    /// How many tasks are open, as far as is known: 0 while nobody knows.
    pub(super) async fn depth(&self) -> PortResult<u64> {
        if self.options.hints_ms == 0 {
            let mut hints = QueueHints::new(self.options.shards);
            let mut shards = self.every_shard().collect();
            loop {
                self.take_count(&mut hints, shards).await?;
                shards = hints.shards_to_count(hints.counted, 1);
                if shards.is_empty() {
                    return Ok(hints.depth());
                }
            }
        }
        let hints = match self.hints_of_age(self.options.hints_ms.max(self.depth_ms)).await {
            Ok(hints) => hints,
            // Nobody is refused for want of a hint: an older one does, and without any nothing is known to be full.
            Err(error) => {
                tracing::warn!(%error, "the depth of the queues cannot be looked up");
                self.hint_cache().at_hand()
            }
        };
        Ok(hints.map_or(0, |hints| hints.depth()))
    }

    async fn hints_of_age(&self, age_ms: u64) -> PortResult<Option<Arc<QueueHints>>> {
        let now = self.now();
        let lookup = self.hint_cache().look(now, age_ms);
        match lookup {
            Lookup::Use(hints) => Ok(Some(hints)),
            Lookup::Unknown => Ok(None),
            Lookup::Refresh => {
                let mut refresh = Refresh { ledger: self, is_done: false };
                let hints = self.refresh(now, age_ms).await?;
                refresh.is_done = true;
                Ok(self.hint_cache().refreshed(now, hints))
            }
        }
    }

    /// The hints in the table if they are of this age or another process is refreshing them, else new ones.
    async fn refresh(&self, now: UnixMs, age_ms: u64) -> PortResult<Option<QueueHints>> {
        let left = self.attributes(&Place::of_hints(), Consistency::Eventual).await?;
        let left = left.and_then(|attributes| {
            let hints: QueueHints = serde_json::from_str(field(&attributes, VALUE)?).ok()?;
            // More shards than ours are those of a newer version of the deployment.
            (hints.anyone.len() >= usize::from(self.options.shards)).then_some(hints)
        });
        if left.as_ref().is_some_and(|hints| hints.is_fresh(now, age_ms)) {
            return Ok(left);
        }
        if !self.lease_refresh(now).await? {
            return Ok(left);
        }
        let mut hints = left.unwrap_or_else(|| QueueHints::new(self.options.shards));
        let was_counting = hints.is_counting;
        if was_counting {
            hints.resume(self.count_progress().await?);
        }
        self.take_oldest(&mut hints).await?;
        let shards = hints.shards_to_count(now, self.options.hints_ms);
        if shards.len() == 2 * usize::from(self.options.shards) {
            hints.counted = now;
        }
        self.take_count(&mut hints, shards).await?;
        hints.taken = now;
        let progress = hints.progress();
        hints.is_counting = !progress.0.is_empty();
        if was_counting || hints.is_counting {
            self.leave(Place::of_count_progress(), now, &progress).await?;
        }
        self.leave(Place::of_hints(), now, &hints).await?;
        Ok(Some(hints))
    }

    /// The counts that another refresh did not get to the end of.
    async fn count_progress(&self) -> PortResult<CountProgress> {
        let left = self.attributes(&Place::of_count_progress(), Consistency::Strong).await?;
        let progress = left.and_then(|attributes| serde_json::from_str(field(&attributes, VALUE)?).ok());
        Ok(progress.unwrap_or_default())
    }

    /// Says that this process refreshes the hints now; false when another one did within their age.
    async fn lease_refresh(&self, now: UnixMs) -> PortResult<bool> {
        let place = Place::of_hints_lease();
        let lease = values([
            (PARTITION_KEY, Attribute::Text(place.partition)),
            (SORT_KEY, Attribute::Text(place.sort)),
            (TAKEN_AT, Attribute::Number(now.0)),
        ]);
        let stale = now.0.saturating_sub(self.options.hints_ms);
        let sent = self
            .client
            .put_item()
            .table_name(&self.options.table)
            .set_item(Some(lease))
            .condition_expression(format!(
                "attribute_not_exists({PARTITION_KEY}) OR #at <= :stale OR #at > :ahead"
            ))
            .expression_attribute_names("#at", TAKEN_AT)
            .expression_attribute_values(":stale", AttributeValue::N(stale.to_string()))
            .expression_attribute_values(":ahead", AttributeValue::N(now.plus_ms(AHEAD_MS_MAX).0.to_string()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(port_error("refresh the hints about the queues", &error)),
            },
        }
    }

    /// Leaves what was seen at `now` for the other processes.
    async fn leave(&self, place: Place, now: UnixMs, value: &impl Serialize) -> PortResult<()> {
        let value = serde_json::to_string(value)
            .map_err(|error| PortError::new(PortErrorKind::Corrupt, error.to_string()))?;
        let item = values([
            (PARTITION_KEY, Attribute::Text(place.partition)),
            (SORT_KEY, Attribute::Text(place.sort)),
            (TAKEN_AT, Attribute::Number(now.0)),
            (VALUE, Attribute::Text(value)),
        ]);
        let put = self.client.put_item().table_name(&self.options.table).set_item(Some(item));
        put.send().await.map_err(|error| port_error("leave the hints about the queues", &error))?;
        Ok(())
    }

    /// Every shard of both queues.
    fn every_shard(&self) -> impl Iterator<Item = (OpenQueue, u16)> + use<> {
        let shards = self.options.shards;
        [OpenQueue::Anyone, OpenQueue::StrongOnly]
            .into_iter()
            .flat_map(move |queue| (0..shards).map(move |shard| (queue, shard)))
    }

    /// Looks at the head of every shard.
    async fn take_oldest(&self, hints: &mut QueueHints) -> PortResult<()> {
        let heads = self.every_shard().map(|(queue, shard)| async move {
            let answer = self
                .client
                .query()
                .table_name(&self.options.table)
                .index_name(OPEN_INDEX)
                .key_condition_expression(format!("{OPEN_PARTITION} = :queue"))
                .expression_attribute_values(":queue", text(open_partition(queue, shard)))
                .limit(1)
                .send()
                .await
                .map_err(|error| port_error("look at the head of a queue", &error))?;
            let sort = answer.items().first().and_then(|entry| field(entry, OPEN_SORT));
            let oldest = sort.and_then(parse_open_sort).map(|position| position.created);
            Ok::<_, PortError>((queue, shard, oldest))
        });
        let heads: Vec<_> = stream::iter(heads).buffer_unordered(PARALLEL).try_collect().await?;
        for (queue, shard, oldest) in heads {
            if let Some(hint) = hints.shard_mut(queue, shard) {
                hint.oldest = oldest;
            }
        }
        Ok(())
    }

    /// Counts one page of at most 1 MB of these shards, from where the last count ended.
    async fn take_count(&self, hints: &mut QueueHints, shards: Vec<(OpenQueue, u16)>) -> PortResult<()> {
        let seen = &*hints;
        let counts = shards.into_iter().map(|(queue, shard)| async move {
            let hint = seen.shards(queue).get(usize::from(shard));
            let resume = hint.and_then(|hint| hint.counting.as_ref()).map(|(_, resume)| resume.clone());
            let mut request = self
                .client
                .query()
                .table_name(&self.options.table)
                .index_name(OPEN_INDEX)
                .select(Select::Count)
                .expression_attribute_values(":queue", text(open_partition(queue, shard)));
            request = match resume {
                Some(resume) => request
                    .key_condition_expression(format!("{OPEN_PARTITION} = :queue AND {OPEN_SORT} > :after"))
                    .expression_attribute_values(":after", text(resume)),
                None => request.key_condition_expression(format!("{OPEN_PARTITION} = :queue")),
            };
            let answer = request.send().await.map_err(|error| port_error("count the open tasks", &error))?;
            let end =
                answer.last_evaluated_key().and_then(|entry| field(entry, OPEN_SORT)).map(str::to_owned);
            Ok::<_, PortError>((queue, shard, u64::try_from(answer.count()).unwrap_or_default(), end))
        });
        let counts: Vec<_> = stream::iter(counts).buffer_unordered(PARALLEL).try_collect().await?;
        for (queue, shard, count, end) in counts {
            hints.note_count(queue, shard, count, end);
        }
        Ok(())
    }
}

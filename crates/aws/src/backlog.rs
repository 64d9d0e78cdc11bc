//! How many submissions wait for a score, for hosts that cannot ask the queue: a snapshot in the table.
//!
//! The sweeper takes it once a minute. An edge has no permission for any queue, and its [`Queue`] is this
//! snapshot: a hint that decides whether waiting for a verdict makes sense.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use sn17_app::Host;
use sn17_app::ports::{Delivery, PortError, PortErrorKind, PortResult, Queue, Receipt};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};

use crate::error::port_error;
use crate::ledger::attributes::{key_of, number, values};
use crate::schema::names::Place;
use crate::schema::row::Attribute;
use crate::schema::{COUNT, PARTITION_KEY, SORT_KEY, TAKEN_AT};

/// A snapshot is read from the table again after so long, in milliseconds.
const CACHE_MS: u64 = 5_000;
/// A snapshot that is older says nothing, in milliseconds: two of the sweeper's turns were left out.
const AGE_MS_MAX: u64 = 180_000;

/// The snapshots in a table.
#[derive(Clone, Debug)]
pub struct Snapshots {
    client: Client,
    table: String,
}

/// How many submissions waited, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken, by the sweeper's clock.
    pub taken: UnixMs,
    /// Messages of the scoring queue, delivered or not.
    pub count: u64,
}

impl Snapshots {
    /// Those of the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Leaves one in place of the last.
    ///
    /// # Errors
    /// Those of DynamoDB.
    pub async fn leave(&self, snapshot: Snapshot) -> PortResult<()> {
        let place = Place::of_backlog();
        let item = values([
            (PARTITION_KEY, Attribute::Text(place.partition)),
            (SORT_KEY, Attribute::Text(place.sort)),
            (TAKEN_AT, Attribute::Number(snapshot.taken.0)),
            (COUNT, Attribute::Number(snapshot.count)),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| port_error("leave the backlog", &error))?;
        Ok(())
    }

    /// The last one; none if nobody left any.
    ///
    /// # Errors
    /// Those of DynamoDB.
    pub async fn last(&self) -> PortResult<Option<Snapshot>> {
        let request = self.client.get_item().table_name(&self.table);
        let request = request.set_key(Some(key_of(&Place::of_backlog()))).consistent_read(false);
        let answer = request.send().await.map_err(|error| port_error("read the backlog", &error))?;
        Ok(answer.item.and_then(|item| {
            Some(Snapshot { taken: UnixMs(number(&item, TAKEN_AT)?), count: number(&item, COUNT)? })
        }))
    }
}

/// The queues as an edge has them: it can neither send nor receive, and knows of the backlog what the sweeper left.
#[derive(Debug)]
pub struct SnapshotQueue {
    snapshots: Snapshots,
    host: Host,
    seen: Mutex<Option<Seen>>,
}

/// What was read from the table, and when.
#[derive(Clone, Copy, Debug)]
struct Seen {
    read: UnixMs,
    snapshot: Option<Snapshot>,
}

impl SnapshotQueue {
    /// Over these snapshots.
    pub fn new(snapshots: Snapshots, host: Host) -> Self {
        Self { snapshots, host, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last snapshot, from memory for some seconds. Several callers may read it at the same time: none of them waits
    /// for another one's request, which may end with its client.
    async fn last(&self, now: UnixMs) -> PortResult<Option<Snapshot>> {
        let seen = *self.seen();
        if let Some(seen) = seen.filter(|seen| now.0.abs_diff(seen.read.0) < CACHE_MS) {
            return Ok(seen.snapshot);
        }
        let snapshot = self.snapshots.last().await?;
        *self.seen() = Some(Seen { read: now, snapshot });
        Ok(snapshot)
    }
}

#[async_trait]
impl Queue for SnapshotQueue {
    async fn send(&self, _effect: Effect, _not_before: Option<UnixMs>) -> PortResult<()> {
        Err(unreachable_here("send to"))
    }

    async fn receive(
        &self,
        _queue: QueueName,
        _max: usize,
        _visibility_secs: u32,
        _wait_secs: u32,
    ) -> PortResult<Vec<Delivery>> {
        Err(unreachable_here("receive from"))
    }

    async fn extend(&self, _receipt: &Receipt, _visibility_secs: u32) -> PortResult<()> {
        Err(unreachable_here("extend a delivery of"))
    }

    async fn ack(&self, _receipt: &Receipt) -> PortResult<()> {
        Err(unreachable_here("acknowledge a delivery of"))
    }

    /// As of the sweeper's last turn; 0 where it left nothing within three minutes, so that nobody is turned away for
    /// an old count.
    async fn backlog(&self, queue: QueueName) -> PortResult<u64> {
        match queue {
            QueueName::Scoring => {
                let now = (self.host.now)();
                let fresh =
                    self.last(now).await?.filter(|snapshot| now.0.abs_diff(snapshot.taken.0) <= AGE_MS_MAX);
                Ok(fresh.map_or(0, |snapshot| snapshot.count))
            }
            QueueName::Timers | QueueName::Judging => Err(unreachable_here("count")),
        }
    }

    async fn dead_letters(&self, _queue: QueueName, _max: usize) -> PortResult<Vec<Effect>> {
        Err(unreachable_here("look at the dead letters of"))
    }

    async fn redrive(&self, _queue: QueueName) -> PortResult<usize> {
        Err(unreachable_here("redrive"))
    }
}

fn unreachable_here(doing: &str) -> PortError {
    PortError::new(PortErrorKind::Unavailable, format!("an edge cannot {doing} a queue"))
}

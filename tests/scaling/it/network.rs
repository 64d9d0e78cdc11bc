//! The use cases over the ledger on DynamoDB, in virtual time, with every call recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use bytes::Bytes;
use sn17_app::ports::{BlobKey, BlobRead, Blobs, Delivery, PortResult, Queue, Receipt, UploadId};
use sn17_app::{App, Host, KeySecret, Ports, PromptBook};
use sn17_aws::ledger::{DynamoLedger, LedgerOptions};
use sn17_aws::schema::index::Entry;
use sn17_aws::schema::names::Place;
use sn17_aws::schema::row::Row;
use sn17_aws::schema::units::{Commit, write};
use sn17_core::UnixMs;
use sn17_core::ledger::{DecisionId, Effect, QueueName};
use sn17_core::policy::Policy;
use sn17_core::state::Neuron;
use sn17_scaling::costs::Operation;
use sn17_scaling::random::Random;
use sn17_store::{Clock, Embedded, MemoryBlobs, Options};
use sn17_wire::dendrite::{DendriteHeaders, NonceWindow, VerifiedDendrite};
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::{self, Axon, DendriteRequest, Signing, Submission};

use crate::calls::Calls;
use crate::dynamo::{Engine, create_table, http, table_name};

/// Something that happens at an instant of virtual time.
type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Virtual time: it passes when somebody sleeps.
#[derive(Clone, Default)]
pub(crate) struct Time {
    now: Arc<AtomicU64>,
    planned: Arc<Mutex<Option<(UnixMs, Happening)>>>,
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Time").field(&self.now()).finish()
    }
}

impl Time {
    pub(crate) fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// Lets something happen while others sleep.
    pub(crate) fn plan(&self, at: UnixMs, happening: Happening) {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, happening));
    }
}

impl AsyncSleep for Time {
    fn sleep(&self, duration: Duration) -> Sleep {
        let time = self.clone();
        Sleep::new(async move {
            let until = time.now().plus_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
            let due = {
                let mut planned = time.planned.lock().unwrap_or_else(PoisonError::into_inner);
                planned.take_if(|(at, _)| *at <= until)
            };
            let begun = due.map(|(at, happening)| {
                time.now.store(at.0.max(time.now().0), Ordering::SeqCst);
                tokio::spawn(happening)
            });
            if let Some(begun) = begun {
                begun.await.expect("what is planned does not panic");
            }
            time.now.store(until.0, Ordering::SeqCst);
        })
    }
}

/// Blobs in memory, with the requests that S3 would get: one for a blob written whole, one for a blob read.
#[derive(Debug, Default)]
struct CountedBlobs {
    blobs: MemoryBlobs,
    puts: AtomicUsize,
    gets: AtomicUsize,
}

#[async_trait]
impl Blobs for CountedBlobs {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        self.blobs.begin(key).await
    }

    async fn part(&self, upload: &UploadId, bytes: Bytes) -> PortResult<()> {
        self.blobs.part(upload, bytes).await
    }

    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.blobs.finish(upload).await
    }

    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        self.blobs.abort(upload).await
    }

    fn forget(&self, upload: &UploadId) {
        self.blobs.forget(upload);
    }

    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.blobs.get(key).await
    }

    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        self.blobs.delete(key).await
    }
}

/// A queue in memory, with the requests that SQS would get: one for each call.
struct CountedQueue {
    queue: Embedded,
    requests: AtomicUsize,
}

impl CountedQueue {
    fn count(&self) -> &Embedded {
        self.requests.fetch_add(1, Ordering::Relaxed);
        &self.queue
    }
}

#[async_trait]
impl Queue for CountedQueue {
    async fn send(&self, effect: Effect, not_before: Option<UnixMs>) -> PortResult<()> {
        self.count().send(effect, not_before).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        visibility_secs: u32,
        wait_secs: u32,
    ) -> PortResult<Vec<Delivery>> {
        self.count().receive(queue, max, visibility_secs, wait_secs).await
    }

    async fn extend(&self, receipt: &Receipt, visibility_secs: u32) -> PortResult<()> {
        self.count().extend(receipt, visibility_secs).await
    }

    async fn ack(&self, receipt: &Receipt) -> PortResult<()> {
        self.count().ack(receipt).await
    }

    async fn backlog(&self, queue: QueueName) -> PortResult<u64> {
        self.count().backlog(queue).await
    }

    async fn dead_letters(&self, queue: QueueName, max: usize) -> PortResult<Vec<Effect>> {
        self.count().dead_letters(queue, max).await
    }

    async fn redrive(&self, queue: QueueName) -> PortResult<usize> {
        self.count().redrive(queue).await
    }
}

/// What lies in the table, as far as the schema's reckoning knows it.
type Rows = BTreeMap<Place, Row>;

/// A network of one process with five miners.
pub(crate) struct Network {
    pub(crate) app: Arc<App>,
    /// Another process on the same table, whose calls nobody counts.
    pub(crate) elsewhere: Arc<App>,
    pub(crate) time: Time,
    calls: Calls,
    blobs: Arc<CountedBlobs>,
    queue: Arc<CountedQueue>,
    observer: aws_sdk_dynamodb::Client,
    table: String,
    miners: Vec<Keypair>,
    axon: Axon,
    nonce: AtomicU64,
    before: Rows,
}

impl Network {
    /// With these changes to the default policy.
    pub(crate) async fn start(change: impl Fn(&mut Policy)) -> Self {
        let (engine, calls, time) = (Engine::dynoxide().await, Calls::default(), Time::default());
        time.pass(1_750_000_000_000);
        let (client, observer) = (engine.client(calls.over(http())), engine.client(http()));
        let options = LedgerOptions::new(table_name());
        let table = options.table.clone();
        create_table(&observer, &table).await;
        let host = host(&time);
        let clock = time.clone();
        let queue = Embedded::memory(Clock::new(move || clock.now()), Options::default());
        let queue = CountedQueue { queue: queue.expect("a queue in memory"), requests: AtomicUsize::new(0) };
        let (blobs, queue) = (Arc::new(CountedBlobs::default()), Arc::new(queue));
        let validator = Keypair::from_mini_secret(&[9; 32]).hotkey();
        let app = |client| {
            let sleep = SharedAsyncSleep::new(time.clone());
            let ports = Ports {
                ledger: Arc::new(DynamoLedger::new(client, options.clone(), host.clone(), sleep)),
                blobs: Arc::clone(&blobs) as Arc<dyn Blobs>,
                queue: Arc::clone(&queue) as Arc<dyn Queue>,
            };
            let prompts = PromptBook::new(vec!["a very large red stone castle".to_owned()], Vec::new());
            let (mut policy, secret) = (Policy::default(), KeySecret([7; 32]));
            change(&mut policy);
            Arc::new(App::new(ports, host.clone(), policy, validator, secret, prompts))
        };
        let (app, elsewhere) = (app(client), app(observer.clone()));
        let miners: Vec<Keypair> = (1..=5).map(|number| Keypair::from_mini_secret(&[number; 32])).collect();
        let neurons = (0..).zip(&miners).map(|(uid, miner)| Neuron {
            uid,
            hotkey: miner.hotkey(),
            coldkey: None,
            stake: 1.5,
            incentive: 0.01,
        });
        app.apply_roster(neurons.collect()).await.expect("a roster is applied");
        let axon = Axon { ip: "192.0.2.1".to_owned(), port: 4443, hotkey: validator };
        let nonce = AtomicU64::new(0);
        let before = Rows::new();
        let mut network =
            Self { app, elsewhere, time, calls, blobs, queue, observer, table, miners, axon, nonce, before };
        network.app.ports().ledger.open_tasks().await.expect("the hints are taken");
        network.measure("").await;
        network
    }

    fn signing<'a>(&self, miner: &'a Keypair) -> Signing<'a> {
        let nonce = self.time.now().0 * 1_000_000 + self.nonce.fetch_add(1, Ordering::Relaxed);
        let uuid = "4a8b7c6d-1234-11ee-be56-0242ac120002";
        Signing { keypair: miner, ip: "192.0.2.2", nonce, uuid, randomness: [5; 32] }
    }

    fn verified(&self, request: &DendriteRequest) -> VerifiedDendrite {
        let lookup = |name: &str| {
            let header = request.headers.iter().find(|(header, _)| *header == name);
            header.map(|(_, value)| value.as_bytes())
        };
        let headers = DendriteHeaders::parse(lookup).expect("the headers are complete");
        let now = self.time.now();
        headers.verify(&self.axon.hotkey, now, &NonceWindow::default()).expect("the signature holds")
    }

    /// A miner's request for a task.
    pub(crate) fn pull(&self, miner: usize) -> VerifiedDendrite {
        let signing = self.signing(&self.miners[miner]);
        self.verified(&synapse::pull_task(&self.axon, &signing))
    }

    /// A miner's result for a task, with its body.
    pub(crate) fn submission(
        &self,
        miner: usize,
        task: &sn17_app::AssignedTask,
    ) -> (VerifiedDendrite, Vec<u8>) {
        let task_id = task.id.to_string();
        let submission = Submission {
            task_id: &task_id,
            prompt: &task.prompt,
            results: &[0x28; 60_000],
            submit_time: i64::try_from(self.time.now().0 * 1_000_000).expect("before the year 2262"),
            timeout_secs: 300.0,
            randomness: [3; 32],
        };
        let signing = self.signing(&self.miners[miner]);
        let request = synapse::submit_results(&self.axon, &signing, &submission);
        (self.verified(&request), request.body)
    }

    /// How many miners there are.
    pub(crate) fn miners(&self) -> usize {
        self.miners.len()
    }

    /// The hotkey of a miner.
    pub(crate) fn hotkey(&self, miner: usize) -> sn17_core::Hotkey {
        self.miners[miner].hotkey()
    }

    /// What was asked of AWS since the last time. What was written is reckoned by the schema too, and must agree with
    /// what the engine says it consumed.
    pub(crate) async fn measure(&mut self, name: &'static str) -> Operation {
        let cost = self.calls.cost();
        let after = self.rows().await;
        let commit = if cost.of("TransactWriteItems") > 0 { Commit::Transaction } else { Commit::Single };
        let places: std::collections::BTreeSet<&Place> = self.before.keys().chain(after.keys()).collect();
        let changed = places.into_iter().filter(|place| self.before.get(place) != after.get(place));
        let reckoned = changed.map(|place| {
            // Nonces, quota windows and the like are never part of a transaction.
            let commit = if place.key().is_some() { commit } else { Commit::Single };
            write(self.before.get(place), after.get(place), commit).write
        });
        let reckoned: usize = reckoned.sum();
        let reckoned = f64::from(u32::try_from(reckoned).expect("a handful"));
        let is_refresh = cost.of("Query") > 4;
        assert!(
            name.is_empty() || is_refresh || (cost.write_units - reckoned).abs() < 0.01,
            "{name}: the schema reckons {reckoned}, the engine says {cost:?}"
        );
        self.before = after;
        Operation {
            name,
            calls: cost.calls,
            write_units: cost.write_units,
            read_units: cost.read_units,
            s3_puts: self.blobs.puts.swap(0, Ordering::Relaxed),
            s3_gets: self.blobs.gets.swap(0, Ordering::Relaxed),
            sqs_requests: self.queue.requests.swap(0, Ordering::Relaxed),
        }
    }

    async fn rows(&self) -> Rows {
        let found = self.observer.scan().table_name(&self.table).send().await.expect("it can be scanned");
        let rows = found.items().iter().map(|attributes| {
            let text = |name: &str| {
                let value = attributes.get(name)?;
                value.as_s().or_else(|_| value.as_n()).ok().cloned()
            };
            let place =
                Place { partition: text("pk").unwrap_or_default(), sort: text("sk").unwrap_or_default() };
            let entry = |partition, sort| Some(Entry { partition: text(partition)?, sort: text(sort)? });
            let row = Row {
                place: place.clone(),
                value: text("v").or(text("n")).or(text("at")).unwrap_or_default(),
                rev: text("rev").and_then(|text| text.parse().ok()).unwrap_or_default(),
                decision: DecisionId(0),
                expires: text("exp").map(|text| UnixMs(text.parse().expect("a number"))),
                effects: text("fx"),
                open: entry("qp", "qs"),
                due: entry("dp", "ds"),
            };
            (place, row)
        });
        rows.collect()
    }
}

/// A host in virtual time, whose randomness is the same in every run.
fn host(time: &Time) -> Host {
    let (time, random) = (time.clone(), Mutex::new(Random::new(17)));
    let random = move || {
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        u128::from(random.next()) << 64 | u128::from(random.next())
    };
    Host { now: Arc::new(move || time.now()), random: Arc::new(random) }
}

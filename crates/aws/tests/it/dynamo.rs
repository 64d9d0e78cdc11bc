//! DynamoDB to test against: dynoxide in this process, or the engine that `SN17_AWS_ENDPOINT` names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
};
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sn17_app::Host;
use sn17_app::ports::{Delivery, Ledger, PortResult, Queue, Receipt};
use sn17_aws::ledger::{DynamoLedger, LedgerOptions};
use sn17_aws::schema::names::Place;
use sn17_aws::schema::row::{Attribute, Row, stored};
use sn17_aws::schema::{
    DUE_INDEX, DUE_PARTITION, DUE_SORT, EFFECTS, INDEX_CARRIES, OPEN_INDEX, OPEN_PARTITION, OPEN_SORT,
    PARTITION_KEY, SORT_KEY,
};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};
use sn17_store::conformance::{Harness, ManualClock};
use sn17_store::{Embedded, Options};
use tokio::sync::Mutex;

/// Where a DynamoDB listens.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    endpoint: String,
}

impl Engine {
    /// A fresh dynoxide in this process, gone with the test's runtime.
    pub(crate) async fn dynoxide() -> Self {
        let database = dynoxide::Database::memory().expect("SQLite works in memory");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        Self { endpoint: format!("http://{address}") }
    }

    /// The engine of `SN17_AWS_ENDPOINT`, if it is set.
    pub(crate) fn of_environment() -> Option<Self> {
        std::env::var("SN17_AWS_ENDPOINT").ok().map(|endpoint| Self { endpoint })
    }

    /// Its URL.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client that speaks through `http`; it repeats failed requests twice, after short pauses.
    pub(crate) fn client(&self, http: SharedHttpClient) -> aws_sdk_dynamodb::Client {
        let retries =
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(5));
        let config = aws_sdk_dynamodb::Config::builder()
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .http_client(http)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(retries);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn streams(&self) -> aws_sdk_dynamodbstreams::Client {
        let config = aws_sdk_dynamodbstreams::Config::builder()
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .http_client(http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()));
        aws_sdk_dynamodbstreams::Client::from_conf(config.build())
    }
}

/// Plain HTTP.
pub(crate) fn http() -> SharedHttpClient {
    Builder::new().build_http()
}

/// The name of a table that no other test has.
pub(crate) fn table_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("sn17-{}-{begun}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the table with its indexes, from the schema's names, and without a stream: at every write dynoxide looks at
/// all records of one, and ten thousand tasks would take hours.
pub(crate) async fn create_table(client: &aws_sdk_dynamodb::Client, table: &str) {
    table_to_create(client, table).send().await.expect("the engine makes tables");
}

/// Makes the table with its indexes and its stream; answers the stream's ARN.
async fn create_table_with_stream(client: &aws_sdk_dynamodb::Client, table: &str) -> String {
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
    let stream = stream.build().expect("complete");
    let created = table_to_create(client, table).stream_specification(stream).send().await;
    let created = created.expect("the engine makes tables");
    let description = created.table_description().expect("a table is described");
    description.latest_stream_arn().expect("the table has a stream").to_owned()
}

fn table_to_create(client: &aws_sdk_dynamodb::Client, table: &str) -> CreateTableFluentBuilder {
    let attributes =
        [PARTITION_KEY, SORT_KEY, OPEN_PARTITION, OPEN_SORT, DUE_PARTITION, DUE_SORT].map(|name| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(ScalarAttributeType::S).build().expect("complete")
        });
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.to_vec()))
        .set_key_schema(Some(keys(PARTITION_KEY, SORT_KEY)))
        .global_secondary_indexes(index(OPEN_INDEX, OPEN_PARTITION, OPEN_SORT))
        .global_secondary_indexes(index(DUE_INDEX, DUE_PARTITION, DUE_SORT))
}

fn keys(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("complete")
    };
    vec![key(partition, KeyType::Hash), key(sort, KeyType::Range)]
}

fn index(name: &str, partition: &str, sort: &str) -> GlobalSecondaryIndex {
    let carried = INDEX_CARRIES.iter().map(|name| (*name).to_owned()).collect();
    let projection = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(carried))
        .build();
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(keys(partition, sort)))
        .projection(projection)
        .build()
        .expect("complete")
}

/// A host with this clock, and randomness that differs from run to run.
pub(crate) fn host(now: impl Fn() -> UnixMs + Send + Sync + 'static) -> Host {
    use std::hash::{BuildHasher, RandomState};
    let random = || {
        let half = || u128::from(RandomState::new().hash_one(0));
        half() << 64 | half()
    };
    Host { now: Arc::new(now), random: Arc::new(random) }
}

/// A ledger on an existing table.
pub(crate) fn ledger(
    client: aws_sdk_dynamodb::Client,
    options: LedgerOptions,
    clock: &ManualClock,
) -> DynamoLedger {
    let clock = clock.clone();
    let sleep = SharedAsyncSleep::new(TokioSleep::new());
    DynamoLedger::new(client, options, host(move || clock.now()), sleep)
}

/// Options that look at everything every time.
pub(crate) fn exact(table: &str) -> LedgerOptions {
    LedgerOptions { hints_ms: 0, ..LedgerOptions::new(table) }
}

/// A queue that is fed from a table's stream before anybody receives from it.
struct FedQueue {
    queue: Arc<dyn Queue>,
    stream: Mutex<Stream>,
}

/// A place in a table's stream.
struct Stream {
    client: aws_sdk_dynamodbstreams::Client,
    arn: String,
    /// One for each shard, in the order in which they were found.
    iterators: Vec<(String, Option<String>)>,
}

impl Stream {
    /// The effects of the writes since the last call.
    async fn effects(&mut self) -> Vec<Effect> {
        let described = self.client.describe_stream().stream_arn(&self.arn).send().await;
        let description = described.expect("the stream is described").stream_description;
        for shard in description.expect("a stream has a description").shards() {
            let id = shard.shard_id().expect("a shard has an id");
            if self.iterators.iter().all(|(known, _)| known != id) {
                let iterator = self
                    .client
                    .get_shard_iterator()
                    .stream_arn(&self.arn)
                    .shard_id(id)
                    .shard_iterator_type(ShardIteratorType::TrimHorizon)
                    .send()
                    .await
                    .expect("a shard can be read");
                self.iterators.push((id.to_owned(), iterator.shard_iterator));
            }
        }
        let mut effects = Vec::new();
        for (_, iterator) in &mut self.iterators {
            while let Some(current) = iterator.take() {
                let answer = self.client.get_records().shard_iterator(current).send().await;
                let answer = answer.expect("records can be read");
                *iterator = answer.next_shard_iterator;
                let records = answer.records.unwrap_or_default();
                if records.is_empty() {
                    break;
                }
                for record in records {
                    let image = record.dynamodb.and_then(|record| record.new_image).unwrap_or_default();
                    if let Some(fx) = image.get(EFFECTS).and_then(|value| value.as_s().ok()) {
                        effects.extend(serde_json::from_str::<Vec<Effect>>(fx).expect("effects are JSON"));
                    }
                }
            }
        }
        effects
    }
}

#[async_trait]
impl Queue for FedQueue {
    async fn send(&self, effect: Effect, not_before: Option<UnixMs>) -> PortResult<()> {
        self.queue.send(effect, not_before).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        visibility_secs: u32,
        wait_secs: u32,
    ) -> PortResult<Vec<Delivery>> {
        for effect in self.stream.lock().await.effects().await {
            self.queue.send(effect, effect.not_before()).await?;
        }
        self.queue.receive(queue, max, visibility_secs, wait_secs).await
    }

    async fn extend(&self, receipt: &Receipt, visibility_secs: u32) -> PortResult<()> {
        self.queue.extend(receipt, visibility_secs).await
    }

    async fn ack(&self, receipt: &Receipt) -> PortResult<()> {
        self.queue.ack(receipt).await
    }

    async fn backlog(&self, queue: QueueName) -> PortResult<u64> {
        self.queue.backlog(queue).await
    }

    async fn dead_letters(&self, queue: QueueName, max: usize) -> PortResult<Vec<Effect>> {
        self.queue.dead_letters(queue, max).await
    }

    async fn redrive(&self, queue: QueueName) -> PortResult<usize> {
        self.queue.redrive(queue).await
    }
}

/// A ledger on a fresh table whose stream feeds a queue.
pub(crate) struct DynamoHarness {
    client: aws_sdk_dynamodb::Client,
    options: LedgerOptions,
    ledger: Arc<DynamoLedger>,
    queue: Arc<FedQueue>,
    clock: ManualClock,
    /// Whether the queue goes by the real clock.
    waits: bool,
}

impl DynamoHarness {
    /// On dynoxide, with a queue in memory.
    pub(crate) async fn dynoxide() -> Self {
        let clock = ManualClock::default();
        let queue = Embedded::memory(clock.clock(), Options::default()).expect("a queue in memory");
        Self::new(&Engine::dynoxide().await, clock, Arc::new(queue), false).await
    }

    /// On `engine`, with a queue that goes by the real clock.
    pub(crate) async fn with_queue(engine: &Engine, queue: Arc<dyn Queue>) -> Self {
        let now = sn17_store::Clock::system().now();
        Self::new(engine, ManualClock::starting_at(now), queue, true).await
    }

    async fn new(engine: &Engine, clock: ManualClock, queue: Arc<dyn Queue>, waits: bool) -> Self {
        let (client, options) = (engine.client(http()), exact(&table_name()));
        let arn = create_table_with_stream(&client, &options.table).await;
        let stream = Mutex::new(Stream { client: engine.streams(), arn, iterators: Vec::new() });
        let ledger = Arc::new(ledger(client.clone(), options.clone(), &clock));
        Self { client, options, ledger, queue: Arc::new(FedQueue { queue, stream }), clock, waits }
    }
}

#[async_trait]
impl Harness for DynamoHarness {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as Arc<dyn Ledger>
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    fn now(&self) -> UnixMs {
        self.clock.now()
    }

    async fn advance(&self, secs: u64) {
        if self.waits {
            tokio::time::sleep(Duration::from_secs(secs)).await;
        }
        self.clock.advance(secs);
    }

    /// A process that starts anew on the same table.
    async fn reopen(&mut self) -> bool {
        self.ledger = Arc::new(ledger(self.client.clone(), self.options.clone(), &self.clock));
        true
    }

    fn max_receives(&self) -> u32 {
        Options::default().max_receives
    }

    /// Every item can be read, and what is derived from it is what lies beside it.
    async fn verify(&self) -> PortResult<()> {
        let found = self.client.scan().table_name(&self.options.table).send().await;
        for attributes in found.expect("the table can be scanned").items() {
            let field = |name: &str| match attributes.get(name) {
                Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text.as_str()),
                _ => None,
            };
            let text = |name| field(name).expect("every item has a key").to_owned();
            let Some(key) = (Place { partition: text(PARTITION_KEY), sort: text(SORT_KEY) }).key() else {
                continue;
            };
            let item = stored(&key, field).expect("every item can be read");
            let row = Row::new(&key, &item, &[], self.options.shards).expect("an item is a row");
            let derived = row.attributes();
            for name in [OPEN_PARTITION, OPEN_SORT, DUE_PARTITION, DUE_SORT] {
                let expected = derived.iter().find(|(derived, _)| *derived == name);
                let expected = expected.map(|(_, attribute)| match attribute {
                    Attribute::Text(text) => text.clone(),
                    Attribute::Number(number) => number.to_string(),
                });
                assert_eq!(field(name).map(str::to_owned), expected, "`{name}` of {key:?}");
            }
        }
        Ok(())
    }
}

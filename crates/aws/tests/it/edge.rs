//! Two hosts at the edge over one table and one bucket, with nothing of the machine but what their platform gives.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as _, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use sn17_app::ports::{BlobKey, PortErrorKind, Receipt};
use sn17_app::{AddTask, Caller, KeyLimits, NewPrompt, PullAnswer, TaskStatus, Verdict};
use sn17_aws::backlog::{Snapshot, Snapshots};
use sn17_aws::edge::{Edge, Platform};
use sn17_core::ledger::{Effect, QueueName};
use sn17_core::scoring::Metrics;
use sn17_core::settle::Finding;
use sn17_core::state::{Neuron, Origin};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_store::conformance::ManualClock;
use sn17_wire::dendrite::{DendriteHeaders, NonceWindow, VerifiedDendrite};
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;
use sn17_wire::synapse::{self, Axon, DendriteRequest, Signing, Submission};

use crate::blobs::serve;
use crate::dynamo::{Engine, create_table, host, http, table_name};
use crate::engines::{self, KEYS};
use crate::intermediary::{behind, operation};

const API_KEY_SECRET: &str = "what API keys are hashed with, in the tests";
const ADMIN_KEY: &str = "what the operators of the tests show at the door";
/// What is left of a bucket's list of unfinished uploads when there is none.
const NO_UPLOADS: &str =
    "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";

/// A table, a bucket, and everything that was asked of them.
struct World {
    engine: Engine,
    table: String,
    bucket: String,
    /// Where S3 is; a request of DynamoDB that arrives there is sent on.
    endpoint: String,
    _folder: tempfile::TempDir,
    clock: ManualClock,
    /// When every request was signed, whatever the machine's clock says by then.
    signed_at: SystemTime,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request as it left an edge.
struct Asked {
    operation: String,
    signed_at: String,
    body: Value,
}

impl World {
    async fn new() -> Self {
        let engine = Engine::dynoxide().await;
        let table = table_name();
        create_table(&engine.client(http()), &table).await;
        let folder = tempfile::tempdir().unwrap();
        let endpoint = serve(folder.path()).await;
        let bucket = engines::bucket(&engines::clients(&endpoint)).await;
        let signed_at = SystemTime::now();
        let now = signed_at.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let clock = ManualClock::starting_at(UnixMs(now.try_into().unwrap()));
        Self { engine, table, bucket, endpoint, _folder: folder, clock, signed_at, asked: Arc::default() }
    }

    /// A host that knows nothing of the others.
    fn edge(&self) -> Edge {
        let clock = self.clock.clone();
        let platform = Platform {
            http: self.http(),
            time: SharedTimeSource::new(StaticTimeSource::new(self.signed_at)),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            host: host(move || clock.now()),
        };
        Edge::new(platform, |name| self.variable(name)).unwrap()
    }

    fn variable(&self, name: &str) -> Option<String> {
        let [key, secret] = KEYS;
        let text = match name {
            "SN17_TABLE" => &self.table,
            "SN17_BUCKET" => &self.bucket,
            "AWS_ENDPOINT_URL" => &self.endpoint,
            "SN17_VALIDATOR_HOTKEY" => &ss58::encode(&validator().hotkey()),
            "SN17_API_KEY_SECRET" => API_KEY_SECRET,
            "SN17_ADMIN_KEY" => ADMIN_KEY,
            "AWS_REGION" => "us-east-1",
            "AWS_ACCESS_KEY_ID" => key,
            "AWS_SECRET_ACCESS_KEY" => secret,
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn http(&self) -> SharedHttpClient {
        let (asked, engine) = (Arc::clone(&self.asked), self.engine.endpoint().to_owned());
        behind(http(), move |mut request: HttpRequest, connector: SharedHttpConnector| {
            let operation = operation(&request);
            asked.lock().unwrap().push(Asked {
                operation: operation.clone(),
                signed_at: request.headers().get("x-amz-date").unwrap_or_default().to_owned(),
                body: serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default(),
            });
            if !operation.is_empty() {
                request.set_uri(format!("{engine}/")).unwrap();
            } else if request.uri().contains("?uploads") && request.method() == "GET" {
                return answer(200, NO_UPLOADS);
            }
            connector.call(request)
        })
    }

    /// Takes out what was asked with this operation.
    fn take(&self, operation: &str) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap();
        asked.extract_if(.., |asked| asked.operation == operation).collect()
    }

    /// A request as its receiver knows it.
    fn verified(&self, request: &DendriteRequest) -> VerifiedDendrite {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_bytes())
        };
        let headers = DendriteHeaders::parse(header).unwrap();
        headers.verify(&validator().hotkey(), self.clock.now(), &NonceWindow::default()).unwrap()
    }

    fn signing<'a>(&self, keypair: &'a Keypair, number: u64) -> Signing<'a> {
        let nonce = self.clock.now().0 * 1_000_000 + number;
        Signing { keypair, ip: "192.0.2.1", nonce, uuid: "0c4b5f0e-test", randomness: [5; 32] }
    }

    fn pull(&self, keypair: &Keypair, number: u64) -> VerifiedDendrite {
        self.verified(&synapse::pull_task(&axon(), &self.signing(keypair, number)))
    }
}

fn answer(status: u16, body: &str) -> HttpConnectorFuture {
    let status = StatusCode::try_from(status).unwrap();
    HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
}

fn validator() -> Keypair {
    Keypair::from_mini_secret(&[200; 32])
}

fn miner() -> Keypair {
    Keypair::from_mini_secret(&[1; 32])
}

fn axon() -> Axon {
    Axon { ip: "192.0.2.2".into(), port: 4443, hotkey: validator().hotkey() }
}

/// Registers the miner, and gives the owner of a new key.
async fn opened(edge: &Edge) -> (String, Caller) {
    let neuron = Neuron { uid: 1, hotkey: miner().hotkey(), coldkey: None, stake: 0.0, incentive: 0.5 };
    edge.app().apply_roster(vec![neuron]).await.unwrap();
    let key = edge.app().add_key("tests", KeyLimits::default()).await.unwrap().text;
    let caller = edge.app().authenticate(&key).await.unwrap().unwrap();
    (key, caller)
}

async fn add_task(edge: &Edge, caller: &Caller) -> TaskId {
    let request = AddTask { prompt: NewPrompt::Text("a robot".to_owned()), origin: Origin::Api };
    edge.app().add_task(caller, request).await.unwrap()
}

#[tokio::test]
async fn two_edges_serve_one_task_from_its_prompt_to_its_result() {
    let world = World::new().await;
    let (first, second) = (world.edge(), world.edge());
    assert_eq!((first.admin_key(), first.settings().stage.as_str()), (ADMIN_KEY, "local"));
    let (key, caller) = opened(&first).await;
    let id = add_task(&first, &caller).await;
    assert_eq!(second.app().authenticate(&key).await.unwrap(), Some(caller.clone()), "one secret, one key");

    // Older than half a second, what the first edge has left about the queues is looked up anew.
    world.clock.advance(1);
    let pulled = second.app().pull(&world.pull(&miner(), 1)).await.unwrap();
    let PullAnswer::Task(task) = pulled else { panic!("no task but {pulled:?}") };
    assert_eq!((task.id, task.prompt.as_str()), (id, "a robot"));
    assert_eq!(first.app().pull(&world.pull(&miner(), 1)).await.unwrap(), PullAnswer::Replayed, "AU-2");

    // Two parts of a multipart upload.
    let splat: Vec<u8> = (0..6_u32 << 20).map(|byte| byte.to_le_bytes()[1] ^ byte.to_le_bytes()[0]).collect();
    let submission = Submission {
        task_id: &id.to_string(),
        prompt: "a robot",
        results: &splat,
        submit_time: i64::try_from(world.clock.now().0 * 1_000_000).unwrap(),
        timeout_secs: 30.0,
        randomness: [3; 32],
    };
    let (miner, app) = (miner(), second.app());
    let request = synapse::submit_results(&axon(), &world.signing(&miner, 2), &submission);
    let mut intake = app.begin_submission(world.verified(&request)).await.unwrap();
    for chunk in request.body.chunks(64 << 10) {
        intake.push(chunk).await.unwrap();
    }
    let taken = intake.commit().await.unwrap();
    let metrics = Metrics { alignment: 0.95, iqa: 0.95, lpips: 0.95, ssim: 0.95 };
    let settling = async {
        let finding = Finding::Measured { metrics, synthetic: false, likeness: None };
        first.app().settle(id, miner.hotkey(), finding).await.unwrap()
    };
    let (answered, is_settled) = tokio::join!(taken.answer(), settling);
    let answered = answered.unwrap();
    assert!(is_settled && matches!(answered.verdict, Verdict::Accepted { .. }), "{answered:?}");

    world.clock.advance(30);
    let status = first.app().status(&caller, id).await.unwrap();
    assert!(matches!(status, TaskStatus::Success { hotkey, .. } if hotkey == miner.hotkey()), "{status:?}");
    let task = second.app().task_of(&caller, id).await.unwrap().unwrap();
    let file = second.app().results(&task, 1).await.unwrap().remove(0);
    let chunks: Vec<_> = file.splat.stream.map(Result::unwrap).collect().await;
    assert!(chunks.concat() == splat, "the same bytes");

    check_requests(&world);
}

/// Every request has the platform's time, none went to a queue, and the tokens of transactions are ours: the id of the
/// decision, which is on all items that it writes, and the number of the try.
fn check_requests(world: &World) {
    let transactions = world.take("TransactWriteItems");
    assert!(transactions.len() >= 3, "{} transactions", transactions.len());
    for asked in &transactions {
        let token = asked.body["ClientRequestToken"].as_str().unwrap();
        let (decision, attempt) = token.split_once('-').unwrap();
        assert_eq!((decision.len(), attempt), (32, "000"), "{token}");
        for item in asked.body["TransactItems"].as_array().unwrap() {
            assert_eq!(item["Put"]["Item"]["did"]["S"], decision, "{item}");
        }
    }
    let asked = world.asked.lock().unwrap();
    let signed_at = &transactions[0].signed_at;
    assert!(signed_at.ends_with('Z') && asked.iter().all(|asked| asked.signed_at == *signed_at));
    let known = ["", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem"];
    let foreign = asked.iter().find(|asked| !known.contains(&asked.operation.as_str()));
    assert!(foreign.is_none(), "{}", foreign.map_or("", |asked| &asked.operation));
}

#[tokio::test]
async fn an_edge_sweeps_what_needs_no_queue() {
    let world = World::new().await;
    let edge = world.edge();
    let (_, caller) = opened(&edge).await;
    let id = add_task(&edge, &caller).await;
    assert_eq!(edge.sweep().await.unwrap().tasks_ended, 0);
    world.clock.advance(edge.app().policy().tasks.deadline_secs);
    assert_eq!(edge.sweep().await.unwrap().tasks_ended, 1);
    let status = edge.app().status(&caller, id).await.unwrap();
    assert!(matches!(status, TaskStatus::Failure { .. }), "{status:?}");
    for _ in 0..3 {
        add_task(&edge, &caller).await;
    }
    world.clock.advance(edge.app().policy().tasks.deadline_secs);
    for ended in [2, 1, 0] {
        assert_eq!(edge.app().sweep_at_most(2).await.unwrap().tasks_ended, ended);
    }
    let lists = world.take("");
    assert_eq!(lists.len(), 2, "the bucket was asked for unfinished uploads each time");
}

#[tokio::test]
async fn an_edge_knows_of_the_queue_what_the_sweeper_left() {
    let world = World::new().await;
    let edge = world.edge();
    let app = edge.app();
    let backlog = async || app.ports().queue.backlog(QueueName::Scoring).await.unwrap();
    let snapshots = Snapshots::new(world.engine.client(http()), &world.table);
    let leave = async |count| {
        snapshots.leave(Snapshot { taken: world.clock.now(), count }).await.unwrap();
    };
    assert_eq!(backlog().await, 0, "nobody has left anything");
    leave(7).await;
    world.clock.advance(4);
    assert_eq!(backlog().await, 0, "that was looked up a moment ago");
    assert_eq!(world.take("GetItem").len(), 1);
    world.clock.advance(1);
    assert_eq!(backlog().await, 7);
    leave(8).await;
    world.clock.advance(5);
    assert_eq!(backlog().await, 8);
    world.clock.advance(175);
    assert_eq!(backlog().await, 8, "three minutes old");
    world.clock.advance(1);
    assert_eq!(backlog().await, 0, "an old count turns nobody away");
    assert_eq!(world.take("GetItem").len(), 3);
}

#[tokio::test]
async fn an_edge_has_no_queue() {
    let world = World::new().await;
    let app = world.edge().app();
    let queue = &app.ports().queue;
    let effect = Effect::Score { task: TaskId(1), hotkey: Hotkey([1; 32]) };
    let receipt = Receipt("1".to_owned());
    let refusals = [
        queue.send(effect, None).await.unwrap_err(),
        queue.receive(QueueName::Scoring, 1, 60, 0).await.unwrap_err(),
        queue.extend(&receipt, 60).await.unwrap_err(),
        queue.ack(&receipt).await.unwrap_err(),
        queue.backlog(QueueName::Timers).await.unwrap_err(),
        queue.dead_letters(QueueName::Scoring, 1).await.unwrap_err(),
        queue.redrive(QueueName::Scoring).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.kind, PortErrorKind::Unavailable);
        assert!(refusal.message.starts_with("an edge cannot "), "{refusal}");
    }
    assert!(world.asked.lock().unwrap().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn every_fault_of_an_edges_variables_is_said_at_once() {
    let world = World::new().await;
    let platform = || Platform {
        http: world.http(),
        time: SharedTimeSource::default(),
        sleep: SharedAsyncSleep::new(TokioSleep::new()),
        host: host(|| UnixMs(0)),
    };
    let faults = |lookup: &dyn Fn(&str) -> Option<String>| Edge::new(platform(), lookup).unwrap_err().0;
    assert_eq!(faults(&|_| None).len(), 8);
    assert_eq!(faults(&|_| Some("\u{0}".to_owned())).len(), 13, "and five that need not be there");
    let short = |name: &str| match name {
        "SN17_API_KEY_SECRET" | "SN17_ADMIN_KEY" => Some("hunter2".to_owned()),
        name => world.variable(name),
    };
    let faults = faults(&short);
    assert_eq!(faults.len(), 2);
    assert!(faults.iter().all(|fault| !fault.contains("hunter2")), "{faults:?}");
}

/// A sleep that never ends.
#[derive(Debug)]
struct Endless;

impl AsyncSleep for Endless {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

/// Without tokio, threads or timers: whatever waits for one of them does not end, or panics.
#[test]
fn an_edge_needs_no_runtime() {
    let platform = Platform {
        http: behind(http(), |request, _| match operation(&request).as_str() {
            "GetItem" => {
                answer(200, r#"{"Item":{"pk":{"S":"X#backlog"},"at":{"N":"1000000"},"n":{"N":"5"}}}"#)
            }
            _ => answer(404, "<Error><Code>NoSuchKey</Code></Error>"),
        }),
        time: SharedTimeSource::new(StaticTimeSource::from_secs(1_000)),
        sleep: SharedAsyncSleep::new(Endless),
        host: host(|| UnixMs(1_000_000)),
    };
    let lookup = |name: &str| {
        let [key, secret] = KEYS;
        let text = match name {
            "SN17_VALIDATOR_HOTKEY" => "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            "SN17_API_KEY_SECRET" | "SN17_ADMIN_KEY" => API_KEY_SECRET,
            "AWS_ACCESS_KEY_ID" => key,
            "AWS_SECRET_ACCESS_KEY" => secret,
            "SN17_TABLE" | "SN17_BUCKET" | "AWS_REGION" => "network",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let app = Edge::new(platform, lookup).unwrap().app();
    let backlog = app.ports().queue.backlog(QueueName::Scoring).now_or_never();
    assert_eq!(backlog.expect("every answer is there at once").unwrap(), 5);
    let key = BlobKey("submissions/none.spz".to_owned());
    let missing = app.ports().blobs.get(&key).now_or_never().expect("every answer is there at once");
    assert_eq!(missing.err().unwrap().kind, PortErrorKind::NotFound);
}

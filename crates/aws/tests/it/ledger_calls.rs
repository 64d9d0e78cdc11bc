//! What each use of the ledger costs in calls and request units, by the engine and by the schema's own reckoning.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sn17_app::ports::{Ledger, Nonce, QuotaWindow, transact};
use sn17_aws::ledger::{DynamoLedger, LedgerOptions};
use sn17_aws::schema::index::Entry;
use sn17_aws::schema::names::Place;
use sn17_aws::schema::row::Row;
use sn17_aws::schema::units::{Commit, write};
use sn17_core::duel::{self, Ruled, Ruling};
use sn17_core::glicko::Outcome;
use sn17_core::ledger::{DecisionId, LoadSpec, Step, View, Write};
use sn17_core::matchmaking::{self, Draw};
use sn17_core::policy::Policy;
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::scoring::Metrics;
use sn17_core::settle::{self, Finding};
use sn17_core::state::{Duel, DuelNonce, Item, Key, KeyHash, Neuron, Origin, Prompt, Roster};
use sn17_core::submit::{self, Payload, Submit, SubmitReply};
use sn17_core::task::{self, NewTask};
use sn17_core::{Hotkey, TaskId, UnixMs, miner};
use sn17_store::conformance::ManualClock;
use sn17_store::conformance::samples::{commit, decision_id, duel, hotkey, judged, task_id};

use crate::calls::{Calls, Cost};
use crate::dynamo::{Engine, create_table, http, ledger, table_name};

const MINER: u8 = 1;

/// A ledger with a registered miner, and a second way to look at its table.
struct World {
    ledger: DynamoLedger,
    calls: Calls,
    observer: aws_sdk_dynamodb::Client,
    table: String,
    clock: ManualClock,
    policy: Policy,
}

impl World {
    async fn new() -> Self {
        let (engine, calls) = (Engine::dynoxide().await, Calls::default());
        let (client, observer) = (engine.client(calls.over(http())), engine.client(http()));
        let options = LedgerOptions::new(table_name());
        let (table, clock) = (options.table.clone(), ManualClock::default());
        create_table(&observer, &table).await;
        let ledger = ledger(client, options, &clock);
        let world = Self { ledger, calls, observer, table, clock, policy: Policy::default() };
        world.register(neuron(MINER)).await;
        world.ledger.open_tasks().await.expect("the hints are taken");
        world.calls.take();
        world
    }

    fn now(&self) -> UnixMs {
        self.clock.now()
    }

    async fn decide<R: Send + 'static>(
        &self,
        load: LoadSpec,
        decide: impl FnMut(&View) -> Step<R> + Send + 'static,
    ) -> R {
        transact(&self.ledger, decision_id(), self.now(), load, decide).await.expect("nobody interferes")
    }

    async fn register(&self, neuron: Neuron) {
        let policy = self.policy;
        let load = LoadSpec::keys([Key::Session(neuron.hotkey), Key::Record(neuron.hotkey)]);
        self.decide(load, move |view: &View| miner::register(view, &neuron, false, &policy)).await;
    }

    async fn make_duel(&self) -> Option<DuelNonce> {
        let prompt = |number| Prompt::Text(format!("a small wooden chair with {number} legs"));
        let draw = Draw { task: task_id(self.now(), 98), prompts: (0..32).map(prompt).collect(), backlog: 0 };
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &View| matchmaking::decide(view, &draw, now, &policy);
        self.decide(matchmaking::load(), decide).await
    }

    async fn rule(&self, nonce: DuelNonce) -> Ruled {
        let ruling =
            Ruling::Decided { outcome: Outcome::Left, explanation: "the right one has no legs".to_owned() };
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &View| duel::rule(view, nonce, &ruling, now, &policy);
        self.decide(LoadSpec::keys([Key::Duel(nonce)]), decide).await
    }

    async fn add_task(&self, id: TaskId) {
        self.ledger.open_tasks().await.expect("a count");
        let prompt = Prompt::Text("a small wooden chair with three legs".to_owned());
        let new = NewTask { id, prompt, owner: KeyHash([3; 32]), origin: Origin::Api };
        let (now, rules) = (self.now(), self.policy.tasks);
        let load = LoadSpec::keys([Key::Task(id)]);
        self.decide(load, move |view| task::add(view, &new, now, &rules)).await;
    }

    async fn pull(&self) -> PullReply {
        self.pull_as(MINER).await
    }

    async fn pull_as(&self, miner: u8) -> PullReply {
        let synthetic = Prompt::Text("a very large red stone castle".to_owned());
        let pull =
            Pull { hotkey: hotkey(miner), synthetic_id: task_id(self.now(), 99), synthetic, lost: None };
        let (now, policy) = (self.now(), self.policy);
        self.decide(pull::load(pull.hotkey), move |view| pull::decide(view, &pull, now, &policy)).await
    }

    async fn submit(&self, task: TaskId) -> SubmitReply {
        self.submit_as(MINER, task).await
    }

    async fn submit_as(&self, miner: u8, task: TaskId) -> SubmitReply {
        let submit_time = i64::try_from(self.now().0).expect("before the year 2262") * 1_000_000;
        let blob = format!("submissions/{}.spz", "f".repeat(32));
        let submit = Submit {
            hotkey: hotkey(miner),
            task,
            signature_is_valid: true,
            signature: "c2lnbmF0dXJl".repeat(7),
            submit_time,
            prompt_sha256: [1; 32],
            payload: Some(Payload { blob, bytes: 1_500_000, sha256: [2; 32] }),
            refusal: None,
        };
        let (now, policy) = (self.now(), self.policy);
        self.decide(submit::load(hotkey(miner), task), move |view| {
            submit::decide(view, &submit, now, &policy)
        })
        .await
    }

    async fn settle(&self, task: TaskId) -> bool {
        self.settle_as(MINER, task).await
    }

    async fn settle_as(&self, miner: u8, task: TaskId) -> bool {
        let metrics = Metrics { alignment: 0.9, iqa: 0.9, lpips: 0.9, ssim: 0.9 };
        let finding = Finding::Measured { metrics, synthetic: false, likeness: None };
        let (now, policy, miner) = (self.now(), self.policy, hotkey(miner));
        let decide = move |view: &View| settle::decide(view, task, miner, &finding, now, &policy);
        self.decide(settle::load(task, miner), decide).await
    }

    /// The rows of all items.
    async fn rows(&self) -> BTreeMap<Key, Row> {
        let found = self.observer.scan().table_name(&self.table).send().await.expect("it can be scanned");
        let mut rows = BTreeMap::new();
        for attributes in found.items() {
            let text = |name: &str| match attributes.get(name) {
                Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text.clone()),
                _ => None,
            };
            let place =
                Place { partition: text("pk").unwrap_or_default(), sort: text("sk").unwrap_or_default() };
            let Some(key) = place.key() else { continue };
            let entry = |partition, sort| Some(Entry { partition: text(partition)?, sort: text(sort)? });
            let row = Row {
                place,
                value: text("v").expect("every item has a value"),
                rev: text("rev").expect("every item has a revision").parse().expect("a number"),
                decision: DecisionId(0),
                expires: text("exp").map(|text| UnixMs(text.parse().expect("a number"))),
                effects: text("fx"),
                open: entry("qp", "qs"),
                due: entry("dp", "ds"),
            };
            rows.insert(key, row);
        }
        rows
    }

    /// Takes the cost since `before` was seen, and compares what was written with the schema's reckoning.
    async fn cost_since(&self, before: &BTreeMap<Key, Row>) -> Cost {
        let cost = self.calls.cost();
        let after = self.rows().await;
        let keys: std::collections::BTreeSet<Key> = before.keys().chain(after.keys()).copied().collect();
        let changed = keys.into_iter().filter(|key| before.get(key) != after.get(key));
        let commit = if cost.of("TransactWriteItems") > 0 { Commit::Transaction } else { Commit::Single };
        let reckoned: usize = changed.map(|key| write(before.get(&key), after.get(&key), commit).write).sum();
        assert!((cost.write_units - units(reckoned)).abs() < 0.01, "{reckoned} reckoned: {cost:?}");
        cost
    }
}

/// A miner whose uid is its number's predecessor.
fn neuron(number: u8) -> Neuron {
    let uid = u16::from(number) - 1;
    Neuron { uid, hotkey: hotkey(number), coldkey: None, stake: 1.5, incentive: 0.01 }
}

fn units(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a handful"))
}

#[track_caller]
fn check_calls(cost: &Cost, calls: &[(&str, usize)]) {
    let expected: BTreeMap<String, usize> =
        calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(cost.calls, expected, "{cost:?}");
}

#[track_caller]
fn check(cost: &Cost, calls: &[(&str, usize)], write_units: f64, read_units: f64) {
    check_calls(cost, calls);
    assert!((cost.write_units - write_units).abs() < 0.01, "{cost:?}");
    assert!((cost.read_units - read_units).abs() < 0.01, "{cost:?}");
}

#[tokio::test]
async fn an_organic_task_from_acceptance_to_its_result() {
    let world = World::new().await;
    let id = task_id(world.now(), 1);

    let before = world.rows().await;
    world.add_task(id).await;
    check(&world.cost_since(&before).await, &[("GetItem", 1), ("PutItem", 1)], 3.0, 1.0);

    let before = world.rows().await;
    let PullReply::Task { id: pulled, .. } = world.pull().await else { panic!("a task waits") };
    assert_eq!(pulled, id);
    let cost = world.cost_since(&before).await;
    let calls = [("GetItem", 2), ("Query", 1), ("TransactWriteItems", 1)];
    check(&cost, &calls, 4.0, 2.5);

    let before = world.rows().await;
    assert!(matches!(world.pull().await, PullReply::Task { .. }));
    check(&world.cost_since(&before).await, &[("GetItem", 1)], 0.0, 1.0);

    world.clock.advance(5);
    let before = world.rows().await;
    assert!(matches!(world.submit(id).await, SubmitReply::Taken { .. }));
    let cost = world.cost_since(&before).await;
    check(&cost, &[("BatchGetItem", 1), ("TransactWriteItems", 1)], 5.0, 2.0);

    let before = world.rows().await;
    assert!(world.settle(id).await);
    let cost = world.cost_since(&before).await;
    check(&cost, &[("BatchGetItem", 1), ("GetItem", 1), ("TransactWriteItems", 1)], 11.0, 4.0);

    let before = world.rows().await;
    world.ledger.read(world.now(), LoadSpec::keys([Key::Task(id)])).await.expect("the status");
    check(&world.cost_since(&before).await, &[("GetItem", 1)], 0.0, 1.0);
}

#[tokio::test]
async fn a_synthetic_task_costs_one_write() {
    let world = World::new().await;
    let before = world.rows().await;
    let PullReply::Task { .. } = world.pull().await else { panic!("there is always a synthetic task") };
    check(&world.cost_since(&before).await, &[("GetItem", 1), ("PutItem", 1)], 1.0, 1.0);
}

#[tokio::test]
async fn a_duel_from_its_making_to_its_verdict() {
    let mut world = World::new().await;
    world.policy.judge.enabled = true;
    let rules = &mut world.policy.duels;
    (rules.slots, rules.start_delay_secs, rules.inactive_secs) = (2, 0, u64::MAX);
    world.register(neuron(2)).await;
    let roster = Roster { neurons: [1, 2].map(neuron).to_vec(), block: None };
    world.decide(LoadSpec::keys([Key::Roster]), move |view| miner::note_roster(view, roster.clone())).await;
    assert_eq!(world.make_duel().await, None, "it begins to count the time");
    world.calls.take();

    let before = world.rows().await;
    let nonce = world.make_duel().await.expect("both miners are active");
    let cost = world.cost_since(&before).await;
    check(&cost, &[("BatchGetItem", 2), ("TransactWriteItems", 1)], 9.0, 6.0);

    let before = world.rows().await;
    assert_eq!(world.make_duel().await, None, "it is too early for the next one");
    check(&world.cost_since(&before).await, &[("BatchGetItem", 1)], 0.0, 2.0);

    let before = world.rows().await;
    let PullReply::Task { id, .. } = world.pull_as(1).await else { panic!("a duel waits") };
    let cost = world.cost_since(&before).await;
    check(&cost, &[("GetItem", 2), ("TransactWriteItems", 1)], 4.0, 2.0);
    let PullReply::Task { id: other, .. } = world.pull_as(2).await else { panic!("a duel waits") };
    assert_eq!(other, id);

    world.clock.advance(5);
    world.calls.take();
    let before = world.rows().await;
    assert!(matches!(world.submit_as(1, id).await, SubmitReply::Taken { .. }));
    let cost = world.cost_since(&before).await;
    check(&cost, &[("BatchGetItem", 1), ("TransactWriteItems", 1)], 5.0, 2.0);
    assert!(matches!(world.submit_as(2, id).await, SubmitReply::Taken { .. }));
    world.calls.take();

    let mut ends = Vec::new();
    for miner in [1, 2] {
        let before = world.rows().await;
        assert!(world.settle_as(miner, id).await);
        ends.push(world.cost_since(&before).await);
    }
    let before = world.rows().await;
    assert_eq!(world.rule(nonce).await, Ruled::Now);
    ends.push(world.cost_since(&before).await);
    let units = ends.iter().map(|cost| (cost.write_units, cost.read_units)).collect::<Vec<_>>();
    assert_eq!(units, [(7.0, 4.0), (9.0, 4.0), (14.0, 5.0)]);
    for cost in ends {
        check_calls(&cost, &[("BatchGetItem", 1), ("GetItem", 1), ("TransactWriteItems", 1)]);
    }

    let listed = world.ledger.duels(world.now(), DuelNonce(0), None, 100).await.expect("a list");
    assert_eq!(listed.iter().map(|(nonce, _)| *nonce).collect::<Vec<_>>(), [nonce]);
    check(&world.calls.cost(), &[("GetItem", 1), ("Query", 1)], 0.0, 1.5);
}

/// DynamoDB keeps expired entries for days, and anybody may ask for what lies before the oldest that is left.
#[tokio::test]
async fn duels_before_the_first_of_a_list_cost_nothing() {
    let world = World::new().await;
    let (now, first) = (world.now(), 1_700_000_000);
    for age in 0..8 {
        let ended = Item::Duel(Duel { state: judged(now), ..duel(now) });
        let expires = if age < 2 { now.plus_secs(60) } else { now };
        let write = Write::create(Key::Duel(DuelNonce(first - age)), ended, Some(expires));
        commit(&world.ledger, UnixMs(0), vec![write]).await.expect("it is new");
    }
    world.calls.take();
    for (since, before, limit, queries) in [
        (DuelNonce(first - 7), DuelNonce(first - 1), 1, 2),
        (DuelNonce(first - 3), DuelNonce(first - 1), 100, 1),
        (DuelNonce(first - 1), DuelNonce(first - 1), 1, 0),
        (DuelNonce(first - 1), DuelNonce(first - 5), 100, 0),
    ] {
        let listed = world.ledger.duels(now, since, Some(before), limit).await.expect("a list");
        assert_eq!(listed, []);
        let cost = world.calls.cost();
        let calls: &[_] = if queries == 0 { &[] } else { &[("Query", queries)] };
        check_calls(&cost, calls);
    }
}

#[tokio::test]
async fn a_page_of_eight_tasks_costs_a_batch() {
    let world = World::new().await;
    for number in 0..40 {
        world.add_task(task_id(world.now(), number)).await;
    }
    let before = world.rows().await;
    world.calls.take();
    world.pull().await;
    let cost = world.cost_since(&before).await;
    let calls = [("BatchGetItem", 1), ("GetItem", 1), ("Query", 1), ("TransactWriteItems", 1)];
    check(&cost, &calls, 4.0, 1.0 + 0.5 + 8.0);
}

#[tokio::test]
async fn nonces_counts_and_waits_cost_a_unit() {
    let world = World::new().await;
    let now = world.now();
    let nonce =
        Nonce { hotkey: Hotkey([1; 32]), uuid: "4a8b7c6d-1234-11ee-be56-0242ac120002".to_owned(), nonce: 7 };
    for expected in [true, false] {
        assert_eq!(
            world.ledger.claim_nonce(&nonce, now, now.plus_secs(300)).await.expect("an answer"),
            expected
        );
    }
    let calls = world.calls.take();
    assert_eq!(calls.iter().map(|call| call.is_refused).collect::<Vec<_>>(), [false, true]);
    assert!((calls[0].write_units - 1.0).abs() < 0.01, "{calls:?}");

    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    assert!(world.ledger.bump(&window, now, 1000).await.expect("an answer"));
    check(&world.calls.cost(), &[("UpdateItem", 1)], 1.0, 0.0);

    let watched = world.ledger.watch(&Key::Session(hotkey(MINER)), 0, now).await.expect("an answer");
    assert!(watched.is_some());
    check(&world.calls.cost(), &[("GetItem", 1)], 0.0, 0.5);
}

/// An API key with a large quota writes about once a second and process, not once for each task.
#[tokio::test]
async fn large_quotas_are_leased_in_blocks() {
    let world = World::new().await;
    let (now, limit) = (world.now(), 1_000_000);
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    for _ in 0..5000 {
        assert!(world.ledger.bump(&window, now, limit).await.expect("an answer"));
    }
    let cost = world.calls.cost();
    assert_eq!(cost.of("UpdateItem"), 15, "blocks of 1, 2, 4 … 512, 991, 975 …: {cost:?}");
}

/// Two processes that share a large quota hand out all of it and no more, and know then that it is used up.
#[tokio::test]
async fn a_large_quota_is_handed_out_to_the_last_task() {
    let world = World::new().await;
    let other = ledger(world.observer.clone(), LedgerOptions::new(&world.table), &world.clock);
    let (now, limit) = (world.now(), 1_100);
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    let mut counted = 0;
    for _ in 0..limit {
        for ledger in [&world.ledger, &other] {
            counted += u32::from(ledger.bump(&window, now, limit).await.expect("an answer"));
        }
    }
    assert_eq!(counted, limit);
    let cost = world.calls.cost();
    assert!(cost.of("BatchGetItem") > 0, "it has looked at the parts that the other one filled: {cost:?}");
    assert!(!world.ledger.bump(&window, now, limit).await.expect("an answer"));
    check(&world.calls.cost(), &[], 0.0, 0.0);
}

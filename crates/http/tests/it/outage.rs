//! The network never runs dry: a day in which no language model answers anybody.
//!
//! A generator without a model hands in nothing, so the collector hears from nobody all day; what happens to the
//! generator itself is among the tests of `sn17-llm`.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use sn17_app::ports::BlobKey;
use sn17_app::{KeyLimits, PromptBook};
use sn17_core::policy::Policy;
use sn17_core::prompts::shelf::PromptBatch;
use sn17_core::prompts::{clean_sentence, grammar, key};
use sn17_wire::sr25519::Keypair;

use crate::world::{World, miner, world_with_prompts};

const DAY_SECS: u64 = 24 * 3600;
/// Miners come back to the network this often, and hand in what they have after it.
const STEP_SECS: u64 = 30;
/// Hosts look this often whether a batch of prompts is due.
const REFRESH_SECS: u64 = 60;
/// Prompts of one miner that are all different: a day of tasks.
const HORIZON: usize = 288;

/// A miner that works all day, as fast as its cooldown lets it.
struct Worker {
    keypair: Keypair,
    waits_until: u64,
    held: Option<(String, String)>,
    prompts: Vec<String>,
}

/// What a collector received before the models fell silent.
async fn hand_in(world: &World, prompts: &[String]) -> PromptBatch {
    let key = world.app.add_key("prompts", KeyLimits::default()).await.unwrap().text;
    let body = json!({ "prompts": prompts }).to_string();
    let request = Request::post("/submit").header("x-api-key", key).body(Body::from(body)).unwrap();
    assert_eq!(world.send(request).await.json()["taken"], prompts.len());
    world.app.refresh_prompts().await.unwrap().expect("the first submission is merged at once")
}

/// Plays a day and answers each miner's prompts in order.
async fn day(world: &World) -> Vec<Vec<String>> {
    let worker = |number| Worker { keypair: miner(number), waits_until: 0, held: None, prompts: Vec::new() };
    let mut workers: Vec<Worker> = (1..=3).map(worker).collect();
    for step in 0..DAY_SECS / STEP_SECS {
        if step % (REFRESH_SECS / STEP_SECS) == 0 {
            world.app.refresh_prompts().await.unwrap();
        }
        for worker in &mut workers {
            worker.step(world).await;
        }
        world.advance(STEP_SECS);
    }
    workers.into_iter().map(|worker| worker.prompts).collect()
}

impl Worker {
    async fn step(&mut self, world: &World) {
        if let Some((task, prompt)) = self.held.take() {
            // What a miner passes on costs it the plain cooldown, and nobody a verdict.
            let pass = world.submit_request(&self.keypair, &task, &prompt, b"");
            self.waits_until = world.send_synapse(pass).await.json()["cooldown_until"].as_u64().unwrap();
        } else if world.app.now().secs() >= self.waits_until {
            let (task, prompt) = world.pull(&self.keypair).await;
            self.prompts.push(prompt.clone());
            self.held = Some((task, prompt));
        }
    }
}

/// Every miner had a task whenever it was due, each a prompt that our own filters leave unchanged, none of them twice.
#[track_caller]
fn check(days: &[Vec<String>], policy: &Policy) {
    for prompts in days {
        assert_eq!(prompts.len() as u64, DAY_SECS / policy.miners.cooldown_secs, "one task a cooldown");
        for prompt in prompts {
            assert_eq!(clean_sentence(prompt, &policy.prompts).as_ref(), Ok(prompt));
        }
        for window in prompts.windows(HORIZON) {
            let distinct: BTreeSet<u64> = window.iter().map(|prompt| key(prompt)).collect();
            assert_eq!(distinct.len(), window.len(), "no prompt comes back within {HORIZON} tasks");
        }
    }
}

/// How many prompts of a day are of these.
fn share_of(days: &[Vec<String>], known: &[String]) -> usize {
    days.iter().flatten().filter(|prompt| known.contains(prompt)).count()
}

/// The original's cooldowns for miners that hand in nothing all day.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.fair_play.passes_allowed = u32::MAX;
    policy
}

fn written_before() -> Vec<String> {
    (0..500).map(|n| format!("tin toy soldier number {n} with painted drum")).collect()
}

#[tokio::test]
async fn a_day_without_any_model_nor_archive_is_the_grammars() {
    let policy = policy();
    let world = world_with_prompts(policy, PromptBook::default()).await;
    let days = day(&world).await;
    check(&days, &policy);
    let categories: BTreeMap<String, &str> =
        (0..grammar::COUNT).map(|n| (grammar::nth(n), grammar::category(n))).collect();
    let met: BTreeSet<&str> = days.iter().flatten().map(|prompt| categories[prompt]).collect();
    assert_eq!(met.len(), 30, "every category has its turn");
}

#[tokio::test]
async fn a_day_after_the_last_model_fell_silent_lives_on_what_it_wrote() {
    let policy = policy();
    let world = world_with_prompts(policy, PromptBook::default()).await;
    let known = written_before();
    assert_eq!(hand_in(&world, &known).await.prompts, 1_000, "filled up to what validators take");
    let days = day(&world).await;
    check(&days, &policy);
    assert!(share_of(&days, &known) > 200, "the archive is drawn from: {}", share_of(&days, &known));
}

#[tokio::test]
async fn a_day_whose_archive_is_lost_goes_on_with_the_grammar() {
    let policy = policy();
    let world = world_with_prompts(policy, PromptBook::default()).await;
    let known = written_before();
    let batch = hand_in(&world, &known).await;
    for name in ["0.json", "whole.json", "collector.json"] {
        world.app.ports().blobs.delete(&BlobKey(format!("{}/{name}", batch.folder))).await.unwrap();
    }
    let days = day(&world).await;
    check(&days, &policy);
    assert_eq!(share_of(&days, &known), 0, "nobody remembers them");
}

#[tokio::test]
async fn a_host_with_fewer_prompts_than_that_repeats_them_rather_than_have_none() {
    let policy = policy();
    let few: Vec<String> = written_before().into_iter().take(7).collect();
    let world = world_with_prompts(policy, PromptBook::new(few.clone(), Vec::new())).await;
    let days = day(&world).await;
    for prompts in &days {
        let first: BTreeSet<&String> = prompts[..7].iter().collect();
        assert_eq!(first.len(), 7, "each once before any comes again");
    }
    assert_eq!(share_of(&days, &few), 3 * 288);
}

//! Rate, concurrency and cost, as far as an endpoint sees them.

use std::sync::Arc;
use std::time::Duration;

use sn17_core::UnixMs;
use sn17_judge_server::Fault;
use sn17_llm::{BLOCK_TOKENS, Chat, ChatError, Endpoint, Request, SharedTokens};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::{Clock, NEW_YEAR, ask, chat, endpoint, hasty, hello, ledger, parrot};

/// What a call to the parrot costs: a message and an answer.
const COST: u64 = 100;
/// What it is taken to cost before: 8 for the message, 3 for five letters, and the maximum of the answer.
const RESERVED: u64 = 8 + 3 + 1_024;

fn throttled(outcome: Result<sn17_llm::Completion, ChatError>) -> u64 {
    match outcome {
        Err(ChatError::Throttled { retry_after_secs, .. }) => retry_after_secs,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_more_calls_than_allowed_are_under_way() {
    let server = parrot().await;
    let chat = Arc::new(chat(Endpoint { max_in_flight: 3, ..endpoint(&server) }));
    // None is answered before three are there.
    let three = Arc::new(Barrier::new(3));
    server.then((0..9).map(|_| Fault::Together(Arc::clone(&three))));
    let mut calls = JoinSet::new();
    for _ in 0..9 {
        let chat = Arc::clone(&chat);
        calls.spawn(async move { ask(&chat).await.map(|completion| completion.text) });
    }
    assert_eq!(calls.join_all().await, vec![Ok("together".to_owned()); 9]);
    assert_eq!(server.attempts().most, 3);
}

#[tokio::test]
async fn a_rate_that_is_used_up_for_long_is_an_answer() {
    let server = parrot().await;
    let chat = chat(Endpoint { calls_per_minute: Some(1), ..endpoint(&server) });
    assert!(ask(&chat).await.is_ok());
    assert!((55..=60).contains(&throttled(ask(&chat).await)));
    assert_eq!(server.attempts().total, 1);
}

#[tokio::test]
async fn each_try_counts_for_the_rate() {
    let server = parrot().await;
    let chat = chat(Endpoint { calls_per_minute: Some(1), ..endpoint(&server) });
    server.then([Fault::Status(500, None)]);
    assert!((55..=60).contains(&throttled(ask(&chat).await)));
    assert_eq!(server.attempts().total, 1);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_much_patience_is_left_alone() {
    let server = parrot().await;
    for (retry_after, secs) in [("3600", 3_600), ("Wed, 01 Jan 2025 00:30:00 GMT", 1_800)] {
        let chat = chat(endpoint(&server));
        let before = server.attempts().total;
        server.then([Fault::Status(429, Some(retry_after))]);
        assert_eq!(throttled(ask(&chat).await), secs);
        let again = throttled(ask(&chat).await);
        assert!((secs - 60..=secs).contains(&again), "{again}");
        assert_eq!(server.attempts().total, before + 1, "the second call is not sent at all");
    }
}

#[tokio::test]
async fn an_endpoint_that_keeps_refusing_is_left_alone_for_a_minute() {
    let server = parrot().await;
    server.then((0..3).map(|_| Fault::Status(429, None)));
    assert_eq!(throttled(ask(&chat(endpoint(&server))).await), 60);
    assert_eq!(server.attempts().total, 3);
}

#[tokio::test]
async fn the_tokens_of_a_day_are_used_up() {
    let server = parrot().await;
    let clock = Clock::at(UnixMs(NEW_YEAR.0 + 86_400_000 - 90_500));
    let endpoint = Endpoint { tokens_per_day: Some(RESERVED + COST), ..endpoint(&server) };
    let chat = Chat::new(endpoint, clock.host()).unwrap();
    assert!(ask(&chat).await.is_ok());
    assert!(ask(&chat).await.is_ok());
    assert_eq!(chat.tokens_today(), 2 * COST);
    assert_eq!(throttled(ask(&chat).await), 91);
    assert_eq!(server.attempts().total, 2);

    clock.set(UnixMs(NEW_YEAR.0 + 86_400_000));
    assert!(ask(&chat).await.is_ok());
    assert_eq!(chat.tokens_today(), COST);
}

#[tokio::test]
async fn what_a_call_may_have_cost_counts_as_spent() {
    let server = parrot().await;
    let silent = r#"{"choices": [{"finish_reason": "stop", "message": {"content": "yes"}}]}"#;
    let costs = [
        (Fault::Body(silent.to_owned()), RESERVED),
        (Fault::Body("{}".to_owned()), RESERVED),
        // An answer that is no good has been paid for, as the endpoint tells.
        (Fault::Ends("length"), COST),
        (Fault::Status(400, None), 0),
        (Fault::Silence, RESERVED),
    ];
    for (fault, expected) in costs {
        let chat = chat(Endpoint { tries: 1, ..hasty(&server) });
        server.then([fault.clone()]);
        let outcome = ask(&chat).await;
        assert_eq!(chat.tokens_today(), expected, "{fault:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_gives_its_turn_back_and_counts_as_spent() {
    let server = parrot().await;
    let chat = chat(Endpoint { max_in_flight: 1, ..endpoint(&server) });
    server.then([Fault::Silence]);
    assert!(tokio::time::timeout(Duration::from_millis(300), ask(&chat)).await.is_err());
    assert_eq!(chat.tokens_today(), RESERVED);
    assert!(ask(&chat).await.is_ok());
    assert_eq!(chat.tokens_today(), RESERVED + COST);
}

/// A call that costs a whole block, 10,000 tokens: 8 for the message, 3 for five letters, the rest for the answer, whose
/// real cost the server never tells.
fn costly() -> Request {
    Request { max_tokens: Some(9_989), ..hello() }
}

fn silent() -> Fault {
    Fault::Body(r#"{"choices": [{"finish_reason": "stop", "message": {"content": "yes"}}]}"#.to_owned())
}

#[tokio::test]
async fn workers_over_one_ledger_share_the_tokens_of_a_day() {
    let server = parrot().await;
    server.then((0..4).map(|_| silent()));
    let clock = Clock::at(UnixMs(NEW_YEAR.0 + 86_400_000 - 90_500));
    let ledger = ledger();
    let worker = |tokens| {
        let chat = Chat::new(endpoint(&server), clock.host()).unwrap();
        chat.sharing(SharedTokens::new(Arc::clone(&ledger), tokens))
    };
    // What is left beyond three blocks is nobody's.
    let (first, second) = (worker(3 * BLOCK_TOKENS + 9_999), worker(3 * BLOCK_TOKENS + 9_999));
    for worker in [&first, &second, &first] {
        assert!(worker.complete(&costly()).await.is_ok(), "the limit is not reached");
    }
    for worker in [&first, &second, &worker(3 * BLOCK_TOKENS)] {
        assert_eq!(throttled(worker.complete(&costly()).await), 91, "the limit is exactly reached");
    }
    assert_eq!(server.attempts().total, 3, "who has no tokens asks nothing");
    assert_eq!((first.tokens_today(), second.tokens_today()), (2 * BLOCK_TOKENS, BLOCK_TOKENS));

    clock.set(UnixMs(NEW_YEAR.0 + 86_400_000));
    assert!(second.complete(&costly()).await.is_ok(), "another day");
    assert_eq!((second.tokens_today(), second.tokens_total()), (BLOCK_TOKENS, 2 * BLOCK_TOKENS));
}

#[tokio::test]
async fn one_block_lasts_for_many_cheap_calls() {
    let server = parrot().await;
    let ledger = ledger();
    let worker = |tokens| chat(endpoint(&server)).sharing(SharedTokens::new(Arc::clone(&ledger), tokens));
    let first = worker(BLOCK_TOKENS);
    for _ in 0..20 {
        assert!(ask(&first).await.is_ok());
    }
    assert_eq!(first.tokens_today(), 20 * COST);
    assert!(
        (1..=86_400).contains(&throttled(ask(&worker(BLOCK_TOKENS)).await)),
        "the block is the first one's"
    );
    assert!(ask(&first).await.is_ok());
}

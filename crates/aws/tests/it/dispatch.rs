//! From stream records to messages, with a service that takes some and refuses others.

use sn17_app::ports::PortErrorKind;
use sn17_aws::dispatch::{effects_in, send_all};
use sn17_aws::native;
use sn17_aws::queue::{QueueUrls, SqsQueue};
use sn17_core::UnixMs;
use sn17_core::ledger::Effect;
use sn17_store::conformance::samples::{judge_effect, score_effect, timer_effect};

use crate::engines::{self, Asked, Scripted};

fn queue(service: &Scripted) -> SqsQueue {
    let url = |name: &str| format!("http://service.invalid/1/{name}");
    let urls = QueueUrls {
        scoring: url("scoring"),
        timers: Some(url("timers")),
        judging: Some(url("judging")),
        ..QueueUrls::default()
    };
    SqsQueue::new(engines::scripted(service).sqs(), urls, native::host())
}

/// The numbered miners whose effects stand in a request, and how long each is held back.
fn entries(asked: &Asked) -> Vec<(Effect, u64)> {
    let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    let entry = |entry: &serde_json::Value| {
        let effect = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        (effect, entry["DelaySeconds"].as_u64().unwrap())
    };
    body["Entries"].as_array().unwrap().iter().map(entry).collect()
}

/// An answer that takes the entries `taken` and refuses `refused`.
fn answer(taken: &[usize], refused: &[(usize, &str, bool)]) -> (u16, String) {
    let taken = taken
        .iter()
        .map(|id| serde_json::json!({"Id": id.to_string(), "MessageId": "m", "MD5OfMessageBody": "0"}));
    let refused = refused
        .iter()
        .map(|(id, code, ours)| serde_json::json!({"Id": id.to_string(), "Code": code, "SenderFault": ours}));
    let answer = serde_json::json!({
        "Successful": taken.collect::<Vec<_>>(), "Failed": refused.collect::<Vec<_>>()
    });
    (200, answer.to_string())
}

#[tokio::test]
async fn what_is_refused_fails_its_record_and_no_other() {
    let service = Scripted::new(|_| {
        answer(&[0, 2], &[(1, "RequestThrottled", false), (3, "InvalidMessageContents", true)])
    });
    let records: Vec<Vec<Effect>> = vec![
        vec![score_effect(0)],
        Vec::new(),
        vec![score_effect(1), score_effect(2)],
        vec![score_effect(3)],
        vec![score_effect(4)],
    ];
    let answers = send_all(&queue(&service), &records).await;
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.err().map(|error| error.kind)).collect();
    let expected = [
        None,
        None,
        Some(PortErrorKind::Throttled),
        Some(PortErrorKind::Corrupt),
        // An entry that is not answered may not have been taken.
        Some(PortErrorKind::Unavailable),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn effects_go_to_their_queues_ten_at_a_time() {
    let service = Scripted::new(|_| answer(&(0..10).collect::<Vec<_>>(), &[]));
    let now = (native::host().now)();
    let records: Vec<Vec<Effect>> =
        (0..12).map(|number| vec![score_effect(number), timer_effect(now.plus_secs(600))]).collect();
    let records = [records, vec![vec![judge_effect(1)]]].concat();
    let fx = serde_json::to_string(&records[0]).unwrap();
    assert_eq!(effects_in(&fx).unwrap(), records[0]);

    let answers = send_all(&queue(&service), &records).await;
    assert!(answers.iter().all(Result::is_ok));
    let mut sizes: Vec<usize> = service.asked().iter().map(|asked| entries(asked).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 2, 10, 10]);
    for asked in service.asked() {
        let is_to = |queue| String::from_utf8_lossy(&asked.body).contains(queue);
        let (is_timers, is_judging) = (is_to("/1/timers"), is_to("/1/judging"));
        for (effect, delay) in entries(&asked) {
            assert_eq!(matches!(effect, Effect::Timer { .. }), is_timers);
            assert_eq!(matches!(effect, Effect::Judge(_)), is_judging);
            assert!(if is_timers { (590..=600).contains(&delay) } else { delay == 0 }, "{delay}");
        }
    }
}

/// Requests are made beside each other, and each answer still stands where its effect did.
#[tokio::test]
async fn answers_keep_the_order_of_the_effects() {
    let service = Scripted::new(|request| {
        let asked = Asked { uri: String::new(), body: request.body().bytes().unwrap().to_vec() };
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (position, (effect, _)) in entries(&asked).into_iter().enumerate() {
            if REFUSED.map(score_effect).contains(&effect) {
                refused.push((position, "RequestThrottled", false));
            } else {
                taken.push(position);
            }
        }
        answer(&taken, &refused)
    });
    let records: Vec<Vec<Effect>> = (0..95).map(|number| vec![score_effect(number)]).collect();
    let answers = send_all(&queue(&service), &records).await;
    let failed: Vec<usize> = answers
        .iter()
        .enumerate()
        .filter_map(|(position, answer)| answer.is_err().then_some(position))
        .collect();
    assert_eq!(failed, REFUSED.map(usize::from));
    assert_eq!(service.asked().len(), 10);
}

/// The numbered effects that a service refuses.
const REFUSED: [u8; 4] = [7, 23, 41, 94];

#[tokio::test]
async fn timers_beyond_what_sqs_holds_back_go_with_its_longest_delay() {
    let service = Scripted::new(|_| answer(&[0, 1], &[]));
    let now = (native::host().now)();
    let records = [vec![timer_effect(now.plus_secs(3600)), timer_effect(UnixMs(1))]];
    assert!(send_all(&queue(&service), &records).await[0].is_ok());
    let delays: Vec<u64> = entries(&service.asked()[0]).into_iter().map(|(_, delay)| delay).collect();
    assert_eq!(delays, [900, 0]);
}

#[tokio::test]
async fn a_request_that_fails_fails_every_record_in_it() {
    let service = Scripted::new(|_| (500, "{}".to_owned()));
    let records = [vec![score_effect(0)], Vec::new(), vec![score_effect(1)]];
    let answers = send_all(&queue(&service), &records).await;
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [Some(PortErrorKind::Unavailable), None, Some(PortErrorKind::Unavailable)]);
}

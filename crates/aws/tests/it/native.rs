//! Secrets, and the wiring of the adapters, with a service that answers from a script.

use sn17_app::ports::PortErrorKind;
use sn17_app::{KeySecret, sha256};
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_core::ledger::QueueName;

use crate::engines::{Scripted, scripted};

const SECRET: &str = "a secret of more than thirty-two characters";

#[tokio::test]
async fn secrets_are_long_texts() {
    let service = Scripted::new(|request| {
        let asked = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let answer = |field: &str, text: &str| (200, serde_json::json!({ field: text }).to_string());
        match asked {
            asked if asked.contains("good") => answer("SecretString", SECRET),
            asked if asked.contains("short") => answer("SecretString", &SECRET[..31]),
            asked if asked.contains("binary") => answer("SecretBinary", "YWJj"),
            _ => (400, r#"{"__type":"ResourceNotFoundException","Message":"no such secret"}"#.to_owned()),
        }
    });
    let clients = scripted(&service);
    assert_eq!(clients.secret("good").await.unwrap(), SECRET);
    assert_eq!(clients.key_secret("good").await.unwrap(), KeySecret(sha256(SECRET.as_bytes())));
    for (id, kind) in [
        ("short", PortErrorKind::Corrupt),
        ("binary", PortErrorKind::Corrupt),
        ("missing", PortErrorKind::Unavailable),
    ] {
        let error = clients.secret(id).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(id) && !error.message.contains(&SECRET[..31]), "{error}");
    }
}

#[tokio::test]
async fn a_role_gets_the_adapters_of_its_settings() {
    let service = Scripted::new(|_| {
        let counts = serde_json::json!({
            "ApproximateNumberOfMessages": "3",
            "ApproximateNumberOfMessagesDelayed": "20",
            "ApproximateNumberOfMessagesNotVisible": "100",
        });
        (200, serde_json::json!({ "Attributes": counts }).to_string())
    });
    let lookup = |name: &str| {
        let value = match name {
            "SN17_VALIDATOR_HOTKEY" => "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            "SN17_TABLE" | "SN17_BUCKET" => "network",
            "SN17_SCORING_QUEUE_URL" | "SN17_TIMERS_QUEUE_URL" | "SN17_JUDGING_QUEUE_URL" => {
                "http://service.invalid/1/queue"
            }
            _ => return None,
        };
        Some(value.to_owned())
    };
    let (clients, host) = (scripted(&service), native::host());
    let miner = Settings::from_lookup(Role::Miner, lookup).unwrap();
    let ports = native::ports(&miner, &clients, &host).unwrap();
    assert_eq!(ports.queue.backlog(QueueName::Scoring).await.unwrap(), 123);
    for other in [QueueName::Timers, QueueName::Judging] {
        let refused = ports.queue.backlog(other).await.unwrap_err();
        assert_eq!(refused.kind, PortErrorKind::Unavailable);
    }
    let duelist = Settings::from_lookup(Role::Duelist, lookup).unwrap();
    let ports = native::ports(&duelist, &clients, &host).unwrap();
    assert_eq!(ports.queue.backlog(QueueName::Judging).await.unwrap(), 123);

    let dispatch = Settings::from_lookup(Role::Dispatch, lookup).unwrap();
    assert!(native::ports(&dispatch, &clients, &host).is_err());
    let queue = native::queue(&dispatch, &clients, &host);
    for other in [QueueName::Timers, QueueName::Judging] {
        assert_eq!(sn17_app::ports::Queue::backlog(&queue, other).await.unwrap(), 123);
    }
}

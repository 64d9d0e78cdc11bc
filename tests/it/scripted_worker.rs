//! The worker of a deployment, with verdicts from standard input: a line of JSON `{"hotkey": "5…", "score": 0.5}` for
//! each. Ends with its input.

#![expect(clippy::unwrap_used, reason = "a test's helper that cannot go on fails there")]

mod scripted;
mod worker;

use std::sync::Arc;

use serde_json::Value;
use sn17_wire::ss58;
use tokio::sync::watch;

use scripted::Script;
use worker::{OUTPUTS, Outputs};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let file = std::env::var_os(OUTPUTS).expect("SN17_AWS_OUTPUTS names the deployment");
    let outputs: Outputs = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let script = Arc::new(Script::new(outputs.policy));
    let (stop, stopped) = watch::channel(false);
    let lines = Arc::clone(&script);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let mut verdict: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let hotkey = verdict.as_object_mut().unwrap().remove("hotkey").unwrap();
            let hotkey = ss58::decode(hotkey.as_str().unwrap()).unwrap();
            lines.push(hotkey, serde_json::from_value(verdict).unwrap());
        }
        stop.send_replace(true);
    });
    worker::work(&outputs, script, stopped).await;
}

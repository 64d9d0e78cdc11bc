//! The published curl commands, with the host replaced, over each transport.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::host::{Host, on_every_host};
use crate::payload;
use crate::server::Server;

on_every_host!(
    tasks_can_be_added_and_asked_about_over_every_transport,
    a_result_can_be_fetched_over_every_transport,
    a_picture_reaches_its_miner_unchanged,
);

/// What stands between `curl` and the rest: HTTP/1.1 and HTTP/2, in the clear and over TLS, all on one port.
const TRANSPORTS: [(&str, &[&str]); 4] = [
    ("http", &["--http1.1"]),
    ("http", &["--http2-prior-knowledge"]),
    ("https", &["-k", "--http1.1"]),
    ("https", &["-k", "--http2"]),
];

/// The transports of a network. In front of functions and edges others speak HTTP/2 and TLS, which do not run on this
/// machine.
fn transports(host: Host) -> &'static [(&'static str, &'static [&'static str])] {
    match host {
        Host::Embedded => &TRANSPORTS,
        Host::Deployed(_) => &TRANSPORTS[..1],
    }
}

struct Curl<'a> {
    server: &'a Server,
    scheme: &'a str,
    options: &'a [&'a str],
    folder: &'a Path,
}

impl Curl<'_> {
    /// Runs a published command: `GATEWAY` and `KEY` stand for the address and the key.
    async fn run(&self, arguments: &[&str]) -> Output {
        let host = self.server.address();
        let gateway = format!("{}://{host}", self.scheme);
        let filled = |text: &&str| text.replace("GATEWAY", &gateway).replace("KEY", &self.server.api_key);
        let mut command = tokio::process::Command::new("curl");
        command.args(self.options).args(["--silent", "--show-error", "--fail", "--noproxy", "*"]);
        command.args(arguments.iter().map(filled)).current_dir(self.folder);
        let output = command.output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {:?} {arguments:?}: {errors}", self.scheme, self.options);
        output
    }

    /// The id in an answer to `add_task`.
    async fn add(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }
}

fn has_curl() -> bool {
    let version = std::process::Command::new("curl").arg("--version").output();
    let is_there = version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("HTTP2"));
    if !is_there {
        eprintln!("skipped: there is no curl with HTTP/2");
    }
    is_there
}

async fn tasks_can_be_added_and_asked_about_over_every_transport(host: Host) {
    if !has_curl() {
        return;
    }
    let server = host.with_clients(0, json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image.jpg"), payload::picture()).unwrap();
    for (scheme, options) in transports(host) {
        let curl = Curl { server: &server, scheme, options, folder: folder.path() };
        let json = curl
            .add(&[
                "-X",
                "POST",
                "GATEWAY/add_task",
                "-H",
                "content-type: application/json",
                "-H",
                "x-api-key: KEY",
                "-d",
                r#"{"prompt": "mechanic robot"}"#,
            ])
            .await;
        let form = curl
            .add(&["-X", "POST", "GATEWAY/add_task", "-F", "prompt=a robot", "-H", "x-api-key: KEY"])
            .await;
        let image = curl
            .add(&["-X", "POST", "GATEWAY/add_task", "-F", "image=@image.jpg", "-H", "x-api-key: KEY"])
            .await;
        server.miners_know_of(&[&json, &form, &image]).await;
        for id in [json, form, image] {
            let status = curl.run(&[&format!("GATEWAY/get_status?id={id}"), "-H", "x-api-key: KEY"]).await;
            assert_eq!(String::from_utf8(status.stdout).unwrap(), r#"{"status":"NoResult"}"#);
        }
    }
}

async fn a_result_can_be_fetched_over_every_transport(host: Host) {
    if !has_curl() {
        return;
    }
    let server = host.with_clients(1, json!({ "tasks": { "first_result_secs": 1 } })).await;
    let id = server.add_task("mechanic robot").await;
    let (miner, splat) = (server.miner(1), payload::robot());
    let task = miner.task(&server).await;
    assert_eq!(miner.submit(&server, &task, &splat).await.message(), "Success");
    assert_eq!(server.ended(&id).await["status"], "Success");
    let folder = tempfile::tempdir().unwrap();
    for (scheme, options) in transports(host) {
        let curl = Curl { server: &server, scheme, options, folder: folder.path() };
        let result = format!("GATEWAY/get_result?id={id}");
        curl.run(&[&result, "-H", "x-api-key: KEY", "-o", "result.spz"]).await;
        let file = folder.path().join("result.spz");
        assert!(std::fs::read(&file).unwrap() == splat, "{scheme} {options:?}");
        std::fs::remove_file(file).unwrap();
    }
}

async fn a_picture_reaches_its_miner_unchanged(host: Host) {
    use base64::Engine as _;

    if !has_curl() {
        return;
    }
    let server = host.with_clients(1, json!({})).await;
    let (scheme, options) = *transports(host).last().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image.jpg"), payload::picture()).unwrap();
    let curl = Curl { server: &server, scheme, options, folder: folder.path() };
    let id =
        curl.add(&["-X", "POST", "GATEWAY/add_task", "-F", "image=@image.jpg", "-H", "x-api-key: KEY"]).await;
    server.miners_know_of(&[&id]).await;
    let answer = server.miner(1).pull(&server).await;
    assert_eq!((&answer.json()["task"]["type"], answer.task().unwrap().id), (&Value::from("image"), id));
    let prompt = base64::engine::general_purpose::STANDARD.encode(payload::picture());
    assert!(answer.task().unwrap().prompt == prompt);
}

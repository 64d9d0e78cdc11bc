//! What only a deployment can get wrong: the functions' platform's limits, and work that is handed from one process to
//! the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sn17_app::App;
use sn17_core::ledger::{Effect, LoadSpec, QueueName};
use sn17_core::state::{Item, Key, SubmissionState, TaskState};
use sn17_core::{Hotkey, TaskId};
use sn17_http::{HttpOptions, RateLimits, Routes};

use crate::host::{Host, on_edges, on_lambda};
use crate::miner::{Miner, Task};
use crate::payload::Random;
use crate::server::{Answer, Server};

on_lambda!(
    in_1_a_body_above_the_platforms_limit_is_refused_and_told_who_takes_it,
    bl_1_a_result_above_the_platforms_limit_comes_from_the_bucket_or_streamed,
    tk_1_a_task_that_nobody_takes_is_ended_by_its_timer,
    sb_4_a_submission_whose_message_is_lost_is_sent_to_scoring_again,
    sb_1_a_function_killed_while_a_miner_waits_loses_nothing,
);
// Functions do this for an edge too.
on_edges!(
    tk_1_a_task_that_nobody_takes_is_ended_by_its_timer,
    sb_4_a_submission_whose_message_is_lost_is_sent_to_scoring_again,
);

/// Whatever a function or a schedule is to do is done within this.
const HAPPENS_WITHIN: Duration = Duration::from_secs(150);

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < HAPPENS_WITHIN, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn in_1_a_body_above_the_platforms_limit_is_refused_and_told_who_takes_it(host: Host) {
    let server = host.mining(1).await;
    let outputs = &server.deployment().outputs;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    // In front of the functions, and without that in the functions themselves.
    for [clients, miners] in [[&server.url; 2], [&outputs.gateway_url, &outputs.miner_url]] {
        let request = server.http.post(format!("{clients}/add_task")).header("x-api-key", &server.api_key);
        let request = request.header("content-type", "application/json").body(vec![b' '; (6 << 20) + 1]);
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(answer.text().contains(&outputs.edge_url), "{}", answer.text());

        let answer = submit_to(miners, &server, &miner, &task, &Random(1).bytes(5 << 20)).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&outputs.edge_url), "{message}");
    }
    assert_eq!(miner.submit(&server, &task, b"a splat").await.message(), "Success", "the task is still open");
}

/// Submits to one of several hosts of the same network.
async fn submit_to(url: &str, server: &Server, miner: &Miner, task: &Task, splat: &[u8]) -> Answer {
    let request = miner.submit_request(server, task, splat);
    let mut builder = server.http.post(format!("{url}{}", request.path));
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    Answer::read(builder.body(request.body).send().await.unwrap()).await.unwrap()
}

/// Serves miners from this process, over the deployment's table and bucket: the host that takes larger bodies.
async fn edge(app: App) -> String {
    let options = HttpOptions { routes: Routes::Miners, limits: RateLimits::NONE, ..HttpOptions::default() };
    let router = sn17_http::router(Arc::new(app), options);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn bl_1_a_result_above_the_platforms_limit_comes_from_the_bucket_or_streamed(host: Host) {
    let server = host.with_clients(1, json!({})).await;
    let edge = edge(server.deployment().outputs.worker.app().await).await;
    let id = server.add_task("a palace with every detail").await;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    assert_eq!(task.id, id);
    let splat = Random(5).bytes(7 << 20);
    let answer = submit_to(&edge, &server, &miner, &task, &splat).await;
    assert_eq!(answer.message(), "Success", "{}", answer.text());
    assert_eq!(server.ended(&id).await["status"], "Success");

    let path = format!("/get_result?id={id}");
    let still =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = still.get(format!("{}{path}", server.url)).header("x-api-key", &server.api_key);
    let redirect = Answer::read(request.send().await.unwrap()).await.unwrap();
    assert_eq!(redirect.status, 302, "{}", redirect.text());
    assert_eq!(redirect.header("cache-control"), "no-store", "whoever has the link needs no key");
    let link = redirect.header("location").to_owned();
    let downloaded = Answer::read(still.get(&link).send().await.unwrap()).await.unwrap();
    assert_eq!(downloaded.status, 200);
    assert!(downloaded.body == splat, "the link leads to the result");
    assert!(downloaded.header("content-disposition").starts_with("attachment"), "{:?}", downloaded.headers);

    assert!(server.get(&path).await.body == splat, "clients that follow see no difference");
    let request = still.get(format!("{}{path}&direct=true", server.url)).header("x-api-key", &server.api_key);
    let direct = Answer::read(request.send().await.unwrap()).await.unwrap();
    assert_eq!(direct.status, 200);
    assert!(direct.body == splat, "those that do not follow get the bytes themselves");
}

/// What the table holds, whatever a status would make of it.
async fn stored(app: &App, key: Key) -> Option<Item> {
    let view = app.ports().ledger.read(app.now(), LoadSpec::keys([key])).await.unwrap();
    Some(view.get(&key)?.item.clone())
}

fn task_id(text: &str) -> TaskId {
    text.parse().unwrap()
}

async fn tk_1_a_task_that_nobody_takes_is_ended_by_its_timer(host: Host) {
    let server = host.with_clients(0, json!({})).await;
    let app = server.deployment().outputs.worker.app().await;
    let id = task_id(&server.add_task("something nobody makes").await);
    let deadline = Instant::now() + Duration::from_secs(server.policy.tasks.deadline_secs);
    until("the task is never ended", async || {
        let Some(Item::Task(task)) = stored(&app, Key::Task(id)).await else { panic!("the task is lost") };
        !matches!(task.state, TaskState::Open)
    })
    .await;
    println!("ended {:.1} s after its deadline", (Instant::now() - deadline).as_secs_f64());
}

/// Waits until a submission is in the table.
async fn until_submitted(app: &App, task: &Task, hotkey: Hotkey) {
    let key = Key::Submission(task_id(&task.id), hotkey);
    until("the submission never arrives", async || stored(app, key).await.is_some()).await;
}

async fn sb_4_a_submission_whose_message_is_lost_is_sent_to_scoring_again(host: Host) {
    // Alone, since the message must be taken from the queue that all share.
    let server = host.with_clients(1, json!({})).await;
    let deployment = server.deployment();
    let paused = deployment.pause_worker().await;
    let app = deployment.outputs.worker.app().await;
    let mut miner = server.miner(1);
    miner.timeout_secs = 5.0;
    let task = miner.task(&server).await;
    let pending = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(pending.message(), "Success; verdict pending");
    let lost = Effect::Score { task: task_id(&task.id), hotkey: miner.keypair.hotkey() };
    let queue = &app.ports().queue;
    until("the effect never reaches the queue", async || {
        let mut is_lost = false;
        for delivery in queue.receive(QueueName::Scoring, 10, 30, 5).await.unwrap() {
            is_lost |= delivery.effect == lost;
            queue.ack(&delivery.receipt).await.unwrap();
        }
        is_lost
    })
    .await;
    drop(paused);
    let key = Key::Submission(task_id(&task.id), miner.keypair.hotkey());
    until("it is never scored", async || {
        let Some(Item::Submission(submission)) = stored(&app, key).await else { panic!("it is lost") };
        !matches!(submission.state, SubmissionState::Submitted { .. })
    })
    .await;
    let settled = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(settled.message(), "Success");
    assert_eq!(settled.json()["feedback"]["generations_within_the_window"], 1);
    assert_eq!(settled.cooldown_until(), pending.cooldown_until(), "SB-3");
}

async fn sb_1_a_function_killed_while_a_miner_waits_loses_nothing(host: Host) {
    if !std::path::Path::new("/proc/self/environ").exists() {
        eprintln!("skipped: there is no /proc to find the function's process in");
        return;
    }
    // Alone, since the process that is killed may be another miner's.
    let server = host.with_clients(1, json!({})).await;
    let app = server.deployment().outputs.worker.app().await;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    server.script(&miner, json!({ "score": 0.9, "delay_ms": 6000 })).await;
    let kill = async {
        until_submitted(&app, &task, miner.keypair.hotkey()).await;
        let killed = kill_functions(&server.deployment().outputs.worker.endpoint, "-Miner-");
        assert!(killed > 0, "there is no process of the function");
    };
    let (broken, ()) = tokio::join!(miner.submit(&server, &task, b"a splat"), kill);
    assert!(broken.status >= 500, "{} {}", broken.status, broken.text());
    let again = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(again.message(), "Success", "{}", again.text());
    assert_eq!(again.json()["feedback"]["generations_within_the_window"], 1);
    let once_more = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(once_more.json()["feedback"], again.json()["feedback"]);
    assert_eq!(once_more.cooldown_until(), again.cooldown_until());
}

/// Kills the processes of a function outright (SIGKILL), those of this engine alone, and tells how many there were.
fn kill_functions(endpoint: &str, part_of_name: &str) -> usize {
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap() {
        let pid = entry.unwrap().file_name().to_string_lossy().into_owned();
        // Whatever has ended meanwhile, or is somebody else's, is none of them.
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        let variables = String::from_utf8_lossy(&environment).into_owned();
        let value = |name: &str| variables.split('\0').find_map(|variable| variable.strip_prefix(name));
        let is_function = value("AWS_ENDPOINT_URL=") == Some(endpoint)
            && value("AWS_LAMBDA_FUNCTION_NAME=").is_some_and(|name| name.contains(part_of_name));
        if is_function {
            let status = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            killed += usize::from(status.success());
        }
    }
    killed
}

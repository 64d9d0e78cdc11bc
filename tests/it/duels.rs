//! Two miners meet: the same prompt for both, a judge that looks at their pictures, ratings that follow.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sn17_judge_server::{ModelServer, greener};
use sn17_splat::procedural::Quality;

use crate::binary;
use crate::miner::{Miner, Task};
use crate::payload;
use crate::server::{Server, Setup};

/// Two results are scored and judged within this, on a machine that has much else to do.
const JUDGED_WITHIN: Duration = Duration::from_secs(300);
const POLL_EVERY: Duration = Duration::from_millis(200);

async fn arena(judge: &ModelServer) -> Server {
    let policy = json!({
        "miners": { "cooldown_secs": 0, "throttle_secs": 0 },
        "submissions": { "threshold": 0.0, "wait_secs": 120 },
        "duels": { "start_delay_secs": 0, "slots": 0 },
        "fair_play": { "passes_allowed": 1_000_000 },
    });
    let arguments = vec!["--judge-url".to_owned(), judge.url()];
    Server::start(Setup { miners: 2, policy, arguments, ..Setup::default() }).await
}

/// Both miners pass on what they get until they get the same.
async fn meet(server: &Server, miners: &[Miner; 2]) -> Task {
    let mut held = [miners[0].task(server).await, miners[1].task(server).await];
    let started = Instant::now();
    for turn in [0, 1].into_iter().cycle() {
        if held[0] == held[1] {
            break;
        }
        assert!(started.elapsed() < JUDGED_WITHIN, "no duel was made");
        assert_eq!(miners[turn].submit(server, &held[turn], b"").await.status, 200);
        held[turn] = miners[turn].task(server).await;
        tokio::time::sleep(POLL_EVERY).await;
    }
    let [task, _] = held;
    task
}

/// Both miners hand in what they have made.
async fn fight(server: &Server, miners: &[Miner; 2], task: &Task, made: [&str; 2]) {
    for (miner, made) in miners.iter().zip(made) {
        let answer = miner.submit(server, task, &payload::composed(made, Quality::Intact)).await;
        assert_eq!(answer.message(), "Success", "{}", answer.text());
    }
}

async fn last_duel(server: &Server) -> Value {
    let started = Instant::now();
    loop {
        let duels = server.get("/duels?limit=1").await;
        assert_eq!(duels.status, 200, "{}", duels.text());
        if let Some(duel) = duels.json()["duels"].get(0) {
            return duel.clone();
        }
        assert!(started.elapsed() < JUDGED_WITHIN, "no duel was judged");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// A duel that was judged.
struct Fought {
    judge: ModelServer,
    server: Server,
    miners: [Miner; 2],
    task: Task,
    /// Its record.
    duel: Value,
}

impl Fought {
    /// Between what two miners have made.
    async fn with(made: [&str; 2]) -> Self {
        let judge = ModelServer::start(([127, 0, 0, 1], 0).into(), None, greener).await.unwrap();
        let server = arena(&judge).await;
        let miners = [server.miner(1), server.miner(2)];
        let task = meet(&server, &miners).await;
        fight(&server, &miners, &task, made).await;
        let duel = last_duel(&server).await;
        Self { judge, server, miners, task, duel }
    }
}

#[tokio::test]
async fn du_1_two_miners_meet_and_the_better_picture_wins() {
    if !binary::can_score() {
        return;
    }
    let Fought { judge, server, miners, task, duel } = Fought::with(["a green robot", "a red rocket"]).await;
    assert_eq!(duel["prompt"], task.prompt.as_str(), "DU-2: as the miners knew it");
    let green = if duel["left"]["hotkey"] == miners[0].address() { ("left", 1) } else { ("right", 2) };
    assert_eq!(duel["winner"], green.1, "{duel}");
    assert!(duel[green.0]["glicko_after"].as_f64() > duel[green.0]["glicko_before"].as_f64());
    assert_eq!(duel["left"]["synthetic"], true, "made-up weights are labelled");
    let asked = judge.received();
    assert_eq!(asked.len(), 4, "in both orders, with plain and with neutral pictures");

    let nonce = &duel["timestamp_nonce"];
    let one = server.get(&format!("/duels/{nonce}")).await;
    assert_eq!((one.status, one.json()), (200, duel.clone()));
    let picture = server.get(&format!("/duels/{nonce}/left.png")).await;
    assert_eq!(picture.status, 200);
    let grid = image::load_from_memory(&picture.body).unwrap();
    assert_eq!((grid.width(), grid.height()), (1041, 1041));
    let address = miners[0].address();
    let history = server.get(&format!("/leaderboard/{address}/history")).await.json();
    assert!(history.to_string().contains(&nonce.to_string()), "{history}");
}

#[tokio::test]
async fn the_same_shape_in_another_colour_is_a_copy() {
    if !binary::can_score() {
        return;
    }
    let Fought { judge, duel, .. } = Fought::with(["a green robot", "a red robot"]).await;
    assert_eq!(duel["winner"], 0, "{duel}");
    assert_eq!(duel["explanation"], "both miners made the same thing");
    assert!(judge.received().is_empty(), "the judge was not needed");
}

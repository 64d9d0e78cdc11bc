//! Moves between data folders of this machine, and from files as the original writes them.

use serde_json::{Value, json};
use sn17_core::state::{DuelNonce, RatingPoint};
use sn17_core::{Hotkey, UnixMs};
use tempfile::TempDir;

use super::*;
use crate::serve::{app_over, runtime};

/// A data folder in which miners 1 to `count` are registered, at the uid of their number.
async fn folder_of(count: u8) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let app = app_over(&DataFolder::open(root.path()).unwrap()).unwrap();
    let neuron = |number: u8| Neuron {
        uid: number.into(),
        hotkey: Hotkey([number; 32]),
        coldkey: None,
        stake: 0.0,
        incentive: 0.0,
    };
    app.apply_roster((1..=count).map(neuron).collect()).await.unwrap();
    root
}

fn here() -> Network {
    Network { url: None, admin_key: None }
}

fn target(dry_run: bool) -> Target {
    Target { dry_run, network: here() }
}

async fn standings_in(folder: &TempDir) -> Vec<MinerStanding> {
    here().open(folder.path()).unwrap().standings().await.unwrap().miners
}

fn address(number: u8) -> String {
    ss58::encode(&Hotkey([number; 32]))
}

/// What the original validator leaves on its disk for slots 0 to 255, of which 1 to `count` are registered.
struct Original {
    count: u16,
    now_secs: u64,
}

impl Original {
    fn miner(&self, uid: u16) -> Value {
        let is_registered = (1..=self.count).contains(&uid);
        let hotkey = is_registered.then(|| address(u8::try_from(uid).unwrap()));
        let task = (uid % 2 == 1).then(|| json!({ "id": "7", "prompt": "a fox", "type": "text" }));
        let results = if is_registered { u64::from(uid % 7) } else { 0 };
        json!({
            "uid": uid, "hotkey": hotkey,
            "observations": (0..results).rev().map(|number| self.now_secs - 330 * number).collect::<Vec<_>>(),
            "fidelity_score": 1.0 - f64::from(uid) / 700.0, "assigned_task": task,
            "assignment_time": task.is_some().then_some(1_799_999_990.123_456_7),
            "cooldown_until": self.now_secs + 300, "cooldown_violations": uid % 5,
            "validation_locked_until": self.now_secs, "last_submit_time": self.now_secs,
        })
    }

    fn rating(&self, uid: u16) -> Value {
        if !(1..=self.count).contains(&uid) {
            return json!({ "glicko": { "rating": 1500.0, "rd": 350.0, "vol": 0.5 } });
        }
        json!({ "glicko": { "rating": 1500.0 + f64::from(uid) / 3.0, "rd": 71.9, "vol": 0.0599 } })
    }

    /// Writes both files; the arguments that name them.
    fn write(&self, folder: &Path, dry_run: bool) -> ImportArgs {
        let (state, ratings) = (folder.join("state.txt"), folder.join("ratings.json"));
        let miners: Vec<Value> = (0..256).map(|uid| self.miner(uid)).collect();
        std::fs::write(&state, json!({ "miners": miners }).to_string()).unwrap();
        let all: Vec<Value> = (0..256).map(|uid| self.rating(uid)).collect();
        std::fs::write(&ratings, json!({ "ratings": all }).to_string()).unwrap();
        ImportArgs { state, ratings, target: target(dry_run) }
    }
}

#[test]
fn a_network_begins_where_the_original_has_stopped() {
    runtime().unwrap().block_on(async {
        let folder = folder_of(40).await;
        let fresh = standings_in(&folder).await;
        let now_secs = Clock::default().now().secs();
        let original = Original { count: 60, now_secs };
        import(original.write(folder.path(), true), folder.path()).await.unwrap();
        assert_eq!(standings_in(&folder).await, fresh, "a dry run changes nothing");

        import(original.write(folder.path(), false), folder.path()).await.unwrap();
        let standings = standings_in(&folder).await;
        assert_eq!(standings.len(), 40);
        let miner = &standings[9];
        assert_eq!((miner.uid, miner.hotkey), (10, Hotkey([10; 32])));
        let record = &miner.record;
        assert_eq!(record.accepted.accepted_secs(), [now_secs - 660, now_secs - 330, now_secs]);
        assert_eq!(record.rating.rating.to_bits(), (1500.0 + 10.0_f64 / 3.0).to_bits());
        assert_eq!(record.average_score.to_bits(), (1.0 - 10.0_f64 / 700.0).to_bits());
        assert_eq!((miner.cooldown_until, miner.violations), (now_secs + 300, 0));
        import(original.write(folder.path(), false), folder.path()).await.unwrap();
        assert_eq!(standings_in(&folder).await, standings, "a repeated one changes nothing");
    });
}

#[test]
fn standings_are_the_same_in_another_folder() {
    runtime().unwrap().block_on(async {
        let (old, new) = (folder_of(70).await, folder_of(70).await);
        let now = Clock::default().now();
        import(Original { count: 70, now_secs: now.secs() }.write(old.path(), false), old.path())
            .await
            .unwrap();
        let mut earned = standings_in(&old).await;
        let point = RatingPoint {
            nonce: DuelNonce(1_735_691_400),
            at: UnixMs(now.0 - 1),
            opponent: Hotkey([2; 32]),
            owner: Some(Hotkey([3; 32])),
            score: 1.0,
            rating: 1_668.946_772_549_41,
            deviation: 296.194_179_566_731_2,
            moved: 168.946_772_549_41,
        };
        earned[0].history.points.push(point);
        earned[0].passes = 3;
        app_over(&DataFolder::open(old.path()).unwrap())
            .unwrap()
            .restore_standings(vec![earned[0].clone()], RestoreMode::Apply)
            .await
            .unwrap();

        let file = old.path().join("standings.json");
        export(ExportArgs { out: Some(file.clone()), network: here() }, old.path()).await.unwrap();
        let args = |dry_run| RestoreArgs { file: file.clone(), target: target(dry_run) };
        restore(args(true), new.path()).await.unwrap();
        assert_ne!(standings_in(&new).await, earned, "a dry run changes nothing");
        restore(args(false), new.path()).await.unwrap();
        assert_eq!(standings_in(&new).await, earned);
    });
}

#[test]
fn a_network_is_named_by_its_url_and_key_or_is_here() {
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        network: Network,
    }
    let parse = |arguments: &[&str]| <Line as clap::Parser>::try_parse_from([&["sn17"], arguments].concat());
    assert_eq!(parse(&[]).unwrap().network.url, None);
    let elsewhere = parse(&["--url", "https://a.example", "--admin-key", "secret"]).unwrap().network;
    assert_eq!(elsewhere.url.as_deref(), Some("https://a.example"));
    assert_eq!(elsewhere.admin_key.as_deref(), Some("secret"));
}

#[test]
fn other_files_are_refused_with_their_name() {
    runtime().unwrap().block_on(async {
        let folder = folder_of(1).await;
        let file = folder.path().join("metagraph.json");
        std::fs::write(&file, r#"{"neurons":[]}"#).unwrap();
        let args = RestoreArgs { file: file.clone(), target: target(false) };
        let error = restore(args, folder.path()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{} holds no standings", file.display()));

        let original = Original { count: 1, now_secs: 1_800_000_000 };
        let swapped = original.write(folder.path(), false);
        let swapped = ImportArgs { state: swapped.ratings, ratings: swapped.state, target: target(false) };
        let error = import(swapped, folder.path()).await.unwrap_err();
        assert!(error.to_string().ends_with("ratings.json is not the original's state"), "{error}");

        let missing = folder.path().join("nowhere.json");
        let args = RestoreArgs { file: missing, target: target(false) };
        let error = restore(args, folder.path()).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot read "), "{error}");
    });
}

#[test]
fn a_file_larger_than_it_may_be_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, [b' '; 9]).unwrap();
    assert_eq!(read_within(&file, 9).unwrap().len(), 9);
    let error = read_within(&file, 8).unwrap_err().to_string();
    assert!(error.ends_with("has more than 8 bytes"), "{error}");
}

#[test]
fn the_summary_is_aligned_and_counts() {
    let row = |uid, number, outcome, reason: Option<&str>| RestoreRow {
        uid,
        hotkey: address(number),
        outcome,
        reason: reason.map(str::to_owned),
    };
    let rows = [
        row(3, 1, RestoreOutcome::Restored, None),
        row(17, 2, RestoreOutcome::Unchanged, None),
        row(200, 3, RestoreOutcome::Skipped, Some("it is not registered here")),
    ];
    let expected = format!(
        "  UID  {:<48}  RESULT\n    3  {}  would be restored\n   17  {}  unchanged\n  200  {}  skipped: it is not \
         registered here\nwould be restored 1, unchanged 1, skipped 1\n",
        "MINER",
        address(1),
        address(2),
        address(3)
    );
    assert_eq!(summary(&rows, RestoreMode::DryRun), expected);
}

//! Standings that move from one network's store to another's.

use sn17_app::{App, RestoreMode, STANDINGS_PAGE_MAX};
use sn17_core::UnixMs;
use sn17_core::glicko::Rating;
use sn17_core::ledger::LoadSpec;
use sn17_core::policy::Policy;
use sn17_core::standings::{MinerStanding, RestoreRefusal, Restored, Snapshot};
use sn17_core::state::{DuelNonce, History, Key, Neuron, RatingPoint, Record};
use sn17_store::conformance::{ManualClock, samples};
use sn17_store::{Embedded, Options};
use sn17_wire::standings::Standings;

/// Three pages, the last of them not full.
const MINERS: u8 = 70;

struct World {
    clock: ManualClock,
    app: App,
}

fn neuron(number: u8) -> Neuron {
    Neuron {
        uid: 2 * u16::from(number),
        hotkey: samples::hotkey(number),
        coldkey: None,
        stake: 0.0,
        incentive: f64::from(number),
    }
}

/// What a miner may have earned by `now`.
fn earned(number: u8, now: UnixMs) -> MinerStanding {
    let figure = f64::from(number) / 7.0;
    let point = |nonce| RatingPoint {
        nonce: DuelNonce(nonce),
        at: UnixMs(now.0 - nonce),
        opponent: samples::hotkey(number + 1),
        owner: None,
        score: 0.5,
        rating: 1500.0 + figure,
        deviation: 80.0 - figure,
        moved: -figure,
    };
    MinerStanding {
        uid: neuron(number).uid,
        hotkey: samples::hotkey(number),
        record: Record {
            rating: Rating {
                rating: 1500.0 + figure,
                deviation: 80.0 - figure,
                volatility: 0.06 + figure / 1e3,
            },
            average_score: 1.0 / (1.0 + figure),
            accepted: (0..u64::from(number)).map(|hour| now.secs() - 600 * hour).collect(),
            duels: number.into(),
            wins: u32::from(number / 2),
            draws: u32::from(number / 3),
        },
        history: History { points: (0..u64::from(number % 5)).map(|nonce| point(nonce + 1)).collect() },
        cooldown_until: now.secs() + u64::from(number),
        violations: u32::from(number % 4),
        passes: u32::from(number % 3),
        passes_at: UnixMs(now.0 - u64::from(number)),
    }
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::default();
        let store = Embedded::memory(clock.clock(), Options::default()).unwrap();
        let app = samples::process(&store, &clock, Policy::default());
        app.apply_roster((1..=MINERS).map(neuron).collect()).await.unwrap();
        Self { clock, app }
    }

    /// Everybody's standing, page by page.
    async fn export(&self) -> Vec<Snapshot> {
        let mut pages = vec![self.app.export_standings(None).await.unwrap()];
        while let Some(next) = pages.last().and_then(|page| page.next) {
            pages.push(self.app.export_standings(Some(next)).await.unwrap());
        }
        pages
    }

    async fn restore(&self, miners: Vec<MinerStanding>, mode: RestoreMode) -> Vec<Restored> {
        self.app.restore_standings(miners, mode).await.unwrap()
    }

    fn everybody(&self) -> Vec<MinerStanding> {
        (1..=MINERS).map(|number| earned(number, self.clock.now())).collect()
    }
}

#[tokio::test]
async fn standings_are_the_same_after_a_move() {
    let (old, new) = (World::new().await, World::new().await);
    let restored = old.restore(old.everybody(), RestoreMode::Apply).await;
    assert_eq!(restored, vec![Restored::Changed; MINERS.into()]);
    let pages = old.export().await;
    let sizes: Vec<_> = pages.iter().map(|page| (page.miners.len(), page.next)).collect();
    assert_eq!(sizes, [(STANDINGS_PAGE_MAX, Some(64)), (STANDINGS_PAGE_MAX, Some(128)), (6, None)]);

    for page in &pages {
        let json = serde_json::to_vec(&Standings::of(page)).unwrap();
        let read = Standings::read(&json).unwrap();
        assert_eq!(read.miners, page.miners, "the same to the last bit");
        let tried = new.restore(read.miners.clone(), RestoreMode::DryRun).await;
        assert!(tried.iter().all(|restored| *restored == Restored::Changed));
        assert_eq!(new.restore(read.miners.clone(), RestoreMode::Apply).await, tried);
        let again = new.restore(read.miners, RestoreMode::Apply).await;
        assert!(again.iter().all(|restored| *restored == Restored::Unchanged));
    }
    assert_eq!(new.export().await, pages);
    assert_eq!(old.app.note_leaderboard().await.unwrap(), new.app.note_leaderboard().await.unwrap());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::new().await;
    let before = world.export().await;
    world.restore(world.everybody(), RestoreMode::DryRun).await;
    assert_eq!(world.export().await, before);
}

#[tokio::test]
async fn who_is_refused_keeps_nobody_else_from_being_restored() {
    let world = World::new().await;
    let now = world.clock.now();
    let stranger = MinerStanding { hotkey: samples::hotkey(99), ..earned(2, now) };
    let moved = MinerStanding { uid: 1, ..earned(3, now) };
    let restored =
        world.restore(vec![earned(1, now), stranger, moved, earned(4, now)], RestoreMode::Apply).await;
    let refused = |refusal| Restored::Refused(refusal);
    let expected = [
        Restored::Changed,
        refused(RestoreRefusal::NotRegistered),
        refused(RestoreRefusal::OtherUid(6)),
        Restored::Changed,
    ];
    assert_eq!(restored, expected);
}

/// DU-1: a duel that is judged while a standing is being restored comes before it or after it.
#[tokio::test]
async fn du_1_a_restored_record_and_its_history_are_one_commit() {
    let world = World::new().await;
    let (hotkey, now) = (samples::hotkey(4), world.clock.now());
    world.restore(vec![earned(4, now)], RestoreMode::Apply).await;
    let keys = [Key::Session(hotkey), Key::Record(hotkey), Key::History(hotkey)];
    let view = world.app.ports().ledger.read(now, LoadSpec::keys(keys)).await.unwrap();
    let decisions = keys.map(|key| view.get(&key).unwrap().decision);
    assert_eq!(decisions, [decisions[0]; 3]);
}

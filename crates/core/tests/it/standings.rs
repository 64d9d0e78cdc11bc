//! Standings that move from one store to another.

use sn17_core::glicko::Rating;
use sn17_core::ledger::View;
use sn17_core::standings::{self, MinerStanding, RestoreRefusal, Restored};
use sn17_core::state::{DuelNonce, History, Item, Key, Neuron, RatingPoint, Record};
use sn17_core::window::ResultWindow;
use sn17_core::{Hotkey, UnixMs};

use crate::world::{START, World, hotkey};

const HOUR: u64 = 3600;

impl World {
    /// Everything there is, as a decision would see it.
    fn whole(&self) -> View {
        let mut view = View::default();
        for neuron in &self.roster.neurons {
            for key in standings::load(neuron.hotkey).keys {
                view.insert(key, self.row(&key).cloned());
            }
        }
        view
    }

    fn earned_by(&self, hotkey: &Hotkey) -> MinerStanding {
        MinerStanding::of(&self.whole(), &self.neuron(hotkey)).expect("registered")
    }

    fn neuron(&self, hotkey: &Hotkey) -> Neuron {
        let mut neurons = self.roster.neurons.iter();
        neurons.find(|neuron| neuron.hotkey == *hotkey).expect("registered").clone()
    }

    fn restore(&mut self, standing: &MinerStanding) -> Restored {
        let (now, policy) = (self.now, self.policy);
        let preview = standings::preview(&self.whole(), standing, now, &policy);
        let load = standings::load(standing.hotkey);
        let restored = self.transact(load, |view| standings::restore(view, standing, now, &policy));
        assert_eq!(preview, restored, "what was promised has happened");
        restored
    }
}

fn point(nonce: u64) -> RatingPoint {
    RatingPoint {
        nonce: DuelNonce(nonce),
        at: START,
        opponent: hotkey(9),
        owner: Some(hotkey(10)),
        score: 0.5,
        rating: 1612.3,
        deviation: 71.9,
        moved: -3.25,
    }
}

/// What miner 0 may have earned elsewhere by the start.
fn earned() -> MinerStanding {
    MinerStanding {
        uid: 0,
        hotkey: hotkey(0),
        record: Record {
            rating: Rating { rating: 1612.3, deviation: 71.9, volatility: 0.0599 },
            average_score: 0.871,
            accepted: [START.secs() - HOUR, START.secs() - 60].into_iter().collect(),
            duels: 40,
            wins: 21,
            draws: 7,
        },
        history: History { points: vec![point(1), point(2)] },
        cooldown_until: START.secs() + 120,
        violations: 3,
        passes: 2,
        passes_at: UnixMs(START.0 - 5000),
    }
}

#[test]
fn rw_1_what_was_earned_elsewhere_counts_here_at_once() {
    let mut world = World::new();
    let alice = world.weak_miner();
    assert_eq!(world.restore(&earned()), Restored::Changed);
    assert_eq!(world.earned_by(&alice), earned());
    let figures = world.figures(&alice);
    assert_eq!(figures.reward.to_bits(), (1612.3_f64 * 2.0).to_bits());
    assert_eq!(world.cooldown_left(&alice), 120);
}

#[test]
fn a_repeated_restore_writes_nothing() {
    let mut world = World::new();
    world.weak_miner();
    world.restore(&earned());
    let decisions = world.decisions;
    assert_eq!(world.restore(&earned()), Restored::Unchanged);
    assert_eq!(world.decisions, decisions);
}

#[test]
fn work_in_progress_stays_with_its_store() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let before = world.session(&alice);
    world.restore(&earned());
    let after = world.session(&alice);
    assert_eq!(after.assignment, before.assignment);
    assert_eq!((after.last_pull, after.stake.to_bits()), (before.last_pull, before.stake.to_bits()));
    world.deliver(&alice, task, 0.9);
    assert_eq!(world.figures(&alice).accepted, 3, "a verdict counts on top of what was restored");
}

#[test]
fn a_standing_replaces_what_was_there_as_a_whole() {
    let mut world = World::new();
    let alice = world.weak_miner();
    world.restore(&earned());
    let fresh = MinerStanding {
        record: Record::fresh(&world.policy),
        history: History::default(),
        cooldown_until: 0,
        violations: 0,
        passes: 0,
        passes_at: UnixMs(0),
        ..earned()
    };
    assert_eq!(world.restore(&fresh), Restored::Changed);
    assert_eq!(world.earned_by(&alice), fresh);
    assert!(!world.has(&Key::History(alice)));
}

#[test]
fn what_the_policy_would_have_forgotten_is_left_out() {
    let mut world = World::with(|policy| {
        policy.rewards.results_max = 1;
        policy.duels.history_max = 1;
    });
    let alice = world.weak_miner();
    world.restore(&earned());
    assert_eq!(world.record(&alice).accepted.accepted_secs(), [START.secs() - 60]);
    let Item::History(history) = &world.row(&Key::History(alice)).expect("a history").item else { panic!() };
    assert_eq!(history.points, [point(2)]);
    assert_eq!(world.restore(&earned()), Restored::Unchanged);
}

#[test]
fn strangers_and_those_who_have_moved_are_refused() {
    let mut world = World::new();
    world.weak_miner();
    for (standing, refusal) in [
        (MinerStanding { hotkey: hotkey(7), ..earned() }, RestoreRefusal::NotRegistered),
        (MinerStanding { uid: 4, ..earned() }, RestoreRefusal::OtherUid(0)),
    ] {
        let decisions = world.decisions;
        assert_eq!(world.restore(&standing), Restored::Refused(refusal));
        assert_eq!(world.decisions, decisions, "nothing is written");
    }
}

/// Checks that a change of [`earned`] is refused, and for which reason.
#[track_caller]
fn check_refused(refusal: RestoreRefusal, change: impl FnOnce(&mut MinerStanding)) {
    let mut world = World::new();
    let alice = world.weak_miner();
    let before = world.earned_by(&alice);
    let mut standing = earned();
    change(&mut standing);
    assert_eq!(world.restore(&standing), Restored::Refused(refusal));
    assert_eq!(world.earned_by(&alice), before);
}

#[test]
fn what_no_rule_leads_to_is_refused() {
    for figure in [f64::NAN, f64::INFINITY, -1.0, 3000.1] {
        check_refused(RestoreRefusal::Rating, |standing| standing.record.rating.rating = figure);
    }
    check_refused(RestoreRefusal::Rating, |standing| standing.record.rating.deviation = 29.9);
    for figure in [f64::NAN, 0.0, 0.51] {
        check_refused(RestoreRefusal::Rating, |standing| standing.record.rating.volatility = figure);
    }
    for figure in [f64::NAN, -0.1, 1.1] {
        check_refused(RestoreRefusal::AverageScore, |standing| standing.record.average_score = figure);
    }
    check_refused(RestoreRefusal::Duels, |standing| standing.record.wins = 34);
    check_refused(RestoreRefusal::Duels, |standing| standing.record.wins = u32::MAX);
    let ahead = START.plus_secs(61);
    check_refused(RestoreRefusal::Ahead, |standing| {
        standing.record.accepted = ResultWindow::from_iter([ahead.secs()]);
    });
    check_refused(RestoreRefusal::Ahead, |standing| standing.passes_at = ahead);
    check_refused(RestoreRefusal::Ahead, |standing| standing.history.points[0].at = ahead);
    check_refused(RestoreRefusal::Cooldown, |standing| standing.cooldown_until = u64::MAX);
    check_refused(RestoreRefusal::History, |standing| standing.history.points[0].nonce = DuelNonce(2));
    check_refused(RestoreRefusal::History, |standing| standing.history.points[0].moved = f64::NAN);
    check_refused(RestoreRefusal::History, |standing| standing.history.points[1].score = 1.5);
}

#[test]
fn a_clock_that_differs_a_little_and_other_networks_volatilities_are_taken() {
    let mut world = World::new();
    world.weak_miner();
    let mut standing = earned();
    standing.record.accepted = ResultWindow::from_iter([START.secs() + 60]);
    for volatility in [0.5, 0.2, 0.001] {
        standing.record.rating.volatility = volatility;
        assert_eq!(world.restore(&standing), Restored::Changed, "{volatility}");
    }
}

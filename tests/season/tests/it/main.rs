//! Seasons that must repeat themselves, and ratings that must follow from what was played.

use sn17_season::{
    Accuracy, Budget, Comparison, Point, Season, Setup, Size, at_budget, contenders, plot, rerate, table,
};

/// Half a day of a small network.
fn setup(seed: u64) -> Setup {
    let [_, _, ours, ..] = contenders();
    let policy = ours.policy;
    let accuracy = Accuracy::Graded;
    Setup { seed, miners: 48, hours: 6, step: 100, accuracy, changing_per_mille: 100, policy }
}

fn play(setup: Setup) -> Season {
    Season::play(setup).expect("no law is broken")
}

#[test]
fn a_season_follows_from_its_seed_bit_for_bit() {
    let season = play(setup(1));
    assert_eq!(season.hours().len(), 6);
    assert_eq!(season.hours(), play(setup(1)).hours());
    let other = play(setup(2));
    let is_any_hour_equal = season.hours().iter().zip(other.hours()).any(|(one, other)| one == other);
    assert!(!is_any_hour_equal, "another seed makes another season");
}

#[test]
fn a_season_has_everything_that_goes_wrong_in_it() {
    let season = play(setup(3));
    let tally = season.tally();
    let counts = [
        ("conflicts", tally.conflicts),
        ("hosts that died", tally.hosts_died),
        ("workers that died", tally.workers_died),
        ("messages lost", tally.messages_lost),
        ("messages doubled", tally.messages_doubled),
        ("duels without a verdict", tally.duels_void),
        ("verdicts (SB-1)", tally.verdicts),
        ("cooldowns (CD-2)", tally.cooldowns),
        ("pairs (DU-2)", tally.pairs),
        ("clients' tasks (TK-1)", tally.client_tasks),
    ];
    for (what, count) in counts {
        assert!(count > 10, "{count} {what}");
    }
    assert_eq!(tally.pairs, tally.duels_made, "DU-2 is checked of every duel");
    assert!(season.judged() > 500, "{} duels", season.judged());
}

#[test]
fn du_1_ratings_follow_from_what_was_played() {
    for contender in contenders() {
        let season = play(Setup { policy: contender.policy, ..setup(4) });
        let (curve, ratings) = rerate(&season, &contender.policy);
        let noted: Vec<u64> = season.ratings().iter().map(|(_, _, rating)| rating.to_bits()).collect();
        let again: Vec<u64> = ratings.iter().map(|rating| rating.to_bits()).collect();
        assert_eq!(noted, again, "{}", contender.name);
        let points = |curve: &[Point]| -> Vec<(u64, u64)> {
            curve.iter().map(|point| (point.duels, point.by_rating.to_bits())).collect()
        };
        assert_eq!(points(season.curve()), points(&curve), "{}", contender.name);
    }
}

#[test]
fn every_contender_makes_sense() {
    for contender in contenders() {
        assert_eq!(contender.policy.validate(), Ok(()), "{}", contender.name);
        assert!(contender.policy.judge.enabled, "{}", contender.name);
    }
}

#[test]
fn a_budget_of_calls_ends_a_curve_early() {
    let point = |duels| Point { duels, judge_calls: duels * 2, by_rating: 0.5, by_reward: 0.5 };
    let curve = [point(100), point(200), point(250)];
    let duels = |budget| at_budget(&curve, budget).map(|point| point.duels);
    assert_eq!(duels(Budget::Duels), Some(250));
    assert_eq!(duels(Budget::Calls(499)), Some(200));
    assert_eq!(duels(Budget::Calls(500)), Some(250));
    assert_eq!(duels(Budget::Calls(10)), None);
}

#[test]
fn a_comparison_tells_of_every_policy_and_judge() {
    let size = Size { name: "test", miners: 32, hours: 2, step: 20, seeds: 1, changing_per_mille: 0 };
    let comparison = Comparison::play(size, |_| {}).expect("no law is broken");
    assert!(comparison.is_replay_equal);
    assert_eq!(comparison.rows.len(), 2 * contenders().len());
    for row in &comparison.rows {
        assert!(row.curve.len() > 3, "{row:?}");
        assert!((-1.0..=1.0).contains(&row.by_rating.mean), "{row:?}");
        assert!(row.by_rating.min <= row.by_rating.mean && row.by_rating.mean <= row.by_rating.max);
    }
    check_faults(&comparison);
    let table = table(&comparison);
    assert_eq!(table.lines().count(), 1 + comparison.rows.len(), "{table}");
    let page = &comparison.leaderboard;
    assert_eq!(page.rows.len(), 32);
    assert!(page.rows.windows(2).all(|rows| rows[0].shown.reward >= rows[1].shown.reward));
    assert!(page.rows.iter().all(|row| row.shown.hotkey.len() == 48 && row.shown.hotkey.starts_with('5')));
    let shares: f64 = page.rows.iter().map(|row| row.shown.weight).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    for picture in [plot::curves(&comparison), plot::leaderboard(page)] {
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "a number is missing");
    }
}

/// A comparison without faults gets one for each thing that is not as it must be.
fn check_faults(comparison: &Comparison) {
    let mut lawful = comparison.clone();
    for (place, row) in (1_u32..).zip(&mut lawful.rows) {
        row.by_rating.mean = f64::from(place) / 100.0;
    }
    assert_eq!(lawful.faults(), [""; 0]);
    let mut is_low = lawful.clone();
    is_low.rows[0].floor = Some(0.011);
    assert_eq!(is_low.faults(), ["upstream-compat, flat: 0.010 is below 0.011"]);
    let mut is_no_better = lawful.clone();
    is_no_better.rows[4].by_rating.mean = lawful.rows[2].by_rating.mean;
    assert_eq!(is_no_better.faults(), ["default ranks no better than textbook before the flat judge"]);
    let differs = Comparison { is_replay_equal: false, ..lawful };
    assert_eq!(differs.faults(), ["a season that was played again differs"]);
}

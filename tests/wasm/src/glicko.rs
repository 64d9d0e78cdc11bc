use sn17_core::glicko::{GlickoFlavour, GlickoRules, Outcome, Rating, duel, update};

use crate::Tally;

/// Ratings in both flavours, and a long chain of duels whose last bits must be equal on every host.
pub fn glicko() -> Tally {
    let mut tally = Tally::default();
    let upstream = GlickoRules::upstream();
    let textbook = GlickoRules { flavour: GlickoFlavour::Textbook, ..upstream };

    // Glickman 2013, the example at the end.
    let games = [
        (rated(1400.0, 30.0, 0.06), 1.0),
        (rated(1550.0, 100.0, 0.06), 0.0),
        (rated(1700.0, 300.0, 0.06), 0.0),
    ];
    let player = rated(1500.0, 200.0, 0.06);
    near(&mut tally, update(player, &games, &textbook), (1_464.050_670_539_301_3, 151.516_524_123_857_27));
    near(&mut tally, update(player, &games, &upstream), (1_464.050_675_297_019_6, 151.516_514_097_620_84));

    // The first duel of two newcomers.
    let (winner, _loser) = duel(textbook.initial, textbook.initial, Outcome::Left, &textbook);
    near(&mut tally, winner, (1_668.946_772_549_41, 296.194_179_566_731_2));
    let (winner, loser) = duel(upstream.initial, upstream.initial, Outcome::Left, &upstream);
    near(&mut tally, winner, (1_668.951_231_595_19, 296.198_088_296_895_04));
    near(&mut tally, loser, (1_331.048_768_404_81, 296.198_088_296_895_04));

    // Twenty straight wins as PyPI's glicko2 2.1.0 computes them.
    let last = chain(&upstream, |_game| Outcome::Left, 20);
    near(&mut tally, last, (1_913.402_719_255_518_8, 217.751_487_000_714_8));

    for (rules, expected) in [(&textbook, TEXTBOOK_BITS), (&upstream, UPSTREAM_BITS)] {
        let bits = bits(chain(rules, mixed_outcome, 1000));
        tally.check(bits == expected, &format!("a thousand duels end at {bits:#018x?}"));
    }
    tally
}

/// Rating, deviation and volatility after a thousand duels, as a native host computed them.
const TEXTBOOK_BITS: [u64; 3] = [0x4097_bc8d_8e96_3d4d, 0x405a_8d88_67a5_fb61, 0x3fc7_3446_88e8_f40d];
const UPSTREAM_BITS: [u64; 3] = [0x4097_bc05_b0c6_4f2d, 0x405a_c0a6_ff5b_6e21, 0x3fc7_8be8_7782_4313];

fn rated(rating: f64, deviation: f64, volatility: f64) -> Rating {
    Rating { rating, deviation, volatility }
}

fn near(tally: &mut Tally, actual: Rating, (rating, deviation): (f64, f64)) {
    tally.near(actual.rating, rating, 1e-9, "rating");
    tally.near(actual.deviation, deviation, 1e-9, "deviation");
}

/// The left side after `games` duels of two newcomers.
fn chain(rules: &GlickoRules, outcome: fn(u32) -> Outcome, games: u32) -> Rating {
    let (mut left, mut right) = (rules.initial, rules.initial);
    for game in 0..games {
        (left, right) = duel(left, right, outcome(game), rules);
    }
    left
}

fn mixed_outcome(game: u32) -> Outcome {
    match game % 7 {
        0 | 3 | 4 => Outcome::Left,
        1 | 5 => Outcome::Right,
        _ => Outcome::Draw,
    }
}

fn bits(rating: Rating) -> [u64; 3] {
    [rating.rating.to_bits(), rating.deviation.to_bits(), rating.volatility.to_bits()]
}

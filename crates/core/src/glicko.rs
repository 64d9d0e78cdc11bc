//! Glicko-2 ratings of miners (Glickman, "Example of the Glicko-2 system", 2013 revision).
//!
//! A duel is a rating period of one game for each side, and both new values follow from the pre-game values
//! of the other (DU-1). There is no growth of the deviation while a miner plays no duels, as in the original.
//! Every transcendental goes through `libm`, so native and WASM hosts agree to the last bit.

use serde::{Deserialize, Serialize};

/// Rating points per unit of the internal scale: 400 / ln 10, rounded as in the paper (step 2).
const POINTS_PER_UNIT: f64 = 173.7178;
/// The rating at the origin of the internal scale (step 2 of the paper).
const RATING_ORIGIN: f64 = 1500.0;
/// Convergence tolerance of the volatility, on its logarithmic scale (step 5 of the paper).
const VOLATILITY_TOLERANCE: f64 = 1e-6;
/// Bound on each search of the volatility; both converge in fewer than ten steps for values within the
/// clamps.
const VOLATILITY_STEPS_MAX: u32 = 100;

/// A miner's strength as Glicko-2 states it, in rating points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// The estimate of the strength; 1500 is a newcomer's.
    pub rating: f64,
    /// The standard deviation of that estimate (RD), in rating points.
    pub deviation: f64,
    /// The expected fluctuation of the strength per period, on the internal scale (sigma).
    pub volatility: f64,
}

impl Rating {
    /// This rating with each of its three values forced into the bounds of `rules`.
    #[must_use]
    pub fn clamped(self, rules: &GlickoRules) -> Self {
        Self {
            rating: rules.rating_bounds.clamp(self.rating),
            deviation: rules.deviation_bounds.clamp(self.deviation),
            volatility: rules.volatility_bounds.clamp(self.volatility),
        }
    }
}

/// A closed interval that a value is forced into.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The smallest value allowed.
    pub min: f64,
    /// The largest value allowed, at least `min`.
    pub max: f64,
}

impl Bounds {
    /// The value of the interval nearest to `value`; the lower end for NaN.
    pub const fn clamp(self, value: f64) -> f64 {
        value.max(self.min).min(self.max)
    }
}

/// Which volatility function rates a duel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GlickoFlavour {
    /// The function of the paper.
    #[default]
    Textbook,
    /// The function of `PyPI`'s glicko2 2.1.0, which the original runs: it has the squared rating where the
    /// paper has the squared deviation.
    UpstreamCompat,
}

/// The numbers of the rating system; the defaults are the original validator's, but for the volatility.
///
/// The original begins with a volatility of 0.5 and then keeps it within 0.03 and 0.2. At 0.2 a strength is expected to
/// move by 35 points at every duel, so that a rating remembers little more than the last dozen: Kendall's tau-b of rating
/// and quality is 0.79 after four simulated days of 200 miners and a judge who is right in 80 % of all cases. It is 0.91
/// with 0.03, five points a duel. Still less does better where miners stay as they are, and worse where they change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlickoRules {
    /// A newcomer's rating. It may lie outside the bounds: the first duel clamps it.
    pub initial: Rating,
    /// The system constant tau, which limits the change of the volatility; above zero.
    pub tau: f64,
    /// Bounds of the rating after a duel, in points.
    pub rating_bounds: Bounds,
    /// Bounds of the deviation after a duel, in points; the lower one is above zero.
    pub deviation_bounds: Bounds,
    /// Bounds of the volatility after a duel; the lower one is above zero.
    pub volatility_bounds: Bounds,
    /// The volatility function.
    pub flavour: GlickoFlavour,
}

impl Default for GlickoRules {
    fn default() -> Self {
        Self {
            initial: Rating { rating: 1500.0, deviation: 350.0, volatility: 0.03 },
            tau: 0.5,
            rating_bounds: Bounds { min: 0.0, max: 3000.0 },
            deviation_bounds: Bounds { min: 30.0, max: 350.0 },
            volatility_bounds: Bounds { min: 0.03, max: 0.03 },
            flavour: GlickoFlavour::Textbook,
        }
    }
}

impl GlickoRules {
    /// The original: its volatilities and its library's volatility function.
    pub fn upstream() -> Self {
        let rules = Self::default();
        Self {
            initial: Rating { volatility: 0.5, ..rules.initial },
            volatility_bounds: Bounds { min: 0.03, max: 0.2 },
            flavour: GlickoFlavour::UpstreamCompat,
            ..rules
        }
    }
}

/// How a duel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The left side won.
    Left,
    /// Neither side was better.
    Draw,
    /// The right side won.
    Right,
}

impl Outcome {
    /// The left side's score of the game: 1 for a win, 0.5 for a draw, 0 for a loss.
    pub const fn left_score(self) -> f64 {
        match self {
            Self::Left => 1.0,
            Self::Draw => 0.5,
            Self::Right => 0.0,
        }
    }
}

/// Rates one duel: the new (left, right), each from the pre-game values of the other.
///
/// Both are within the bounds of `rules`.
pub fn duel(left: Rating, right: Rating, outcome: Outcome, rules: &GlickoRules) -> (Rating, Rating) {
    let left_score = outcome.left_score();
    let new_left = update(left, &[(right, left_score)], rules);
    let new_right = update(right, &[(left, 1.0 - left_score)], rules);
    (new_left.clamped(rules), new_right.clamped(rules))
}

/// Rates one period: every game of `player` as (the opponent's pre-period rating, the score in 0..=1).
///
/// The bounds of `rules` are not applied, as in the paper's example. A period without games, or one whose
/// games carry no information (opponents out of all proportion), only widens the deviation (step 6 of the
/// paper).
pub fn update(player: Rating, games: &[(Rating, f64)], rules: &GlickoRules) -> Rating {
    let mu = internal_rating(player);
    let phi = player.deviation / POINTS_PER_UNIT;

    let mut information = 0.0;
    let mut surprise = 0.0;
    for &(opponent, score) in games {
        let weight = opponent_weight(opponent.deviation / POINTS_PER_UNIT);
        let expected = 1.0 / (1.0 + libm::exp(-weight * (mu - internal_rating(opponent))));
        information += weight * weight * expected * (1.0 - expected);
        surprise += weight * (score - expected);
    }
    let variance = 1.0 / information;
    if !variance.is_finite() {
        let deviation = libm::sqrt(phi * phi + player.volatility * player.volatility) * POINTS_PER_UNIT;
        return Rating { deviation, ..player };
    }

    let search = VolatilitySearch {
        delta_squared: variance * surprise * variance * surprise,
        phi_squared: phi * phi,
        variance,
        start: libm::log(player.volatility * player.volatility),
        tau: rules.tau,
        squared_in_curve: match rules.flavour {
            GlickoFlavour::Textbook => phi * phi,
            GlickoFlavour::UpstreamCompat => mu * mu,
        },
    };
    let volatility = search.run();
    let widened = phi * phi + volatility * volatility;
    let new_phi = 1.0 / libm::sqrt(1.0 / widened + 1.0 / variance);
    let new_mu = mu + new_phi * new_phi * surprise;
    Rating {
        rating: new_mu * POINTS_PER_UNIT + RATING_ORIGIN,
        deviation: new_phi * POINTS_PER_UNIT,
        volatility,
    }
}

fn internal_rating(player: Rating) -> f64 {
    (player.rating - RATING_ORIGIN) / POINTS_PER_UNIT
}

/// g(phi) of the paper: how much a game against an opponent of this deviation counts, in 0..=1.
fn opponent_weight(phi: f64) -> f64 {
    1.0 / libm::sqrt(1.0 + 3.0 * phi * phi / (core::f64::consts::PI * core::f64::consts::PI))
}

/// Step 5 of the paper: the root of f by the Illinois variant of false position.
struct VolatilitySearch {
    delta_squared: f64,
    phi_squared: f64,
    variance: f64,
    /// a of the paper: ln sigma².
    start: f64,
    tau: f64,
    /// The term of f in which the two flavours differ.
    squared_in_curve: f64,
}

impl VolatilitySearch {
    fn run(&self) -> f64 {
        let mut far = self.start;
        let mut near = self.bracket();
        let mut far_value = self.curve(far);
        let mut near_value = self.curve(near);
        for _ in 0..VOLATILITY_STEPS_MAX {
            if libm::fabs(near - far) <= VOLATILITY_TOLERANCE {
                break;
            }
            let next = far + (far - near) * far_value / (near_value - far_value);
            let next_value = self.curve(next);
            if next_value * near_value <= 0.0 {
                far = near;
                far_value = near_value;
            } else {
                far_value /= 2.0;
            }
            near = next;
            near_value = next_value;
        }
        libm::exp(far / 2.0)
    }

    /// The other end of the bracket around the root.
    fn bracket(&self) -> f64 {
        if self.delta_squared > self.phi_squared + self.variance {
            return libm::log(self.delta_squared - self.phi_squared - self.variance);
        }
        let mut end = self.start - self.tau;
        for _ in 0..VOLATILITY_STEPS_MAX {
            if self.curve(end) >= 0.0 {
                break;
            }
            end -= self.tau;
        }
        end
    }

    fn curve(&self, x: f64) -> f64 {
        let exp_x = libm::exp(x);
        let sum = self.squared_in_curve + self.variance + exp_x;
        let difference = self.delta_squared - self.squared_in_curve - self.variance - exp_x;
        exp_x * difference / (2.0 * sum * sum) - (x - self.start) / (self.tau * self.tau)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;

    use super::*;

    const UPSTREAM: GlickoFlavour = GlickoFlavour::UpstreamCompat;

    fn rules(flavour: GlickoFlavour) -> GlickoRules {
        GlickoRules { flavour, ..GlickoRules::upstream() }
    }

    fn rated(rating: f64, deviation: f64, volatility: f64) -> Rating {
        Rating { rating, deviation, volatility }
    }

    #[track_caller]
    fn check(actual: Rating, expected: (f64, f64, f64)) {
        let pairs =
            [(actual.rating, expected.0), (actual.deviation, expected.1), (actual.volatility, expected.2)];
        for (value, wanted) in pairs {
            assert!((value - wanted).abs() < 1e-9, "{actual:?} is not {expected:?}");
        }
    }

    /// The paper's example: 1500/200/0.06 beats 1400/30 and loses to 1550/100 and 1700/300.
    fn paper_example(flavour: GlickoFlavour) -> Rating {
        let games = [
            (rated(1400.0, 30.0, 0.06), 1.0),
            (rated(1550.0, 100.0, 0.06), 0.0),
            (rated(1700.0, 300.0, 0.06), 0.0),
        ];
        update(rated(1500.0, 200.0, 0.06), &games, &rules(flavour))
    }

    #[test]
    fn the_papers_example_holds_to_its_printed_digits() {
        let rating = paper_example(GlickoFlavour::Textbook);
        assert!((rating.rating - 1464.06).abs() < 0.02);
        assert!((rating.deviation - 151.52).abs() < 0.01);
        assert!((rating.volatility - 0.05999).abs() < 0.00001);
    }

    #[test]
    fn the_papers_example_in_both_flavours() {
        check(
            paper_example(GlickoFlavour::Textbook),
            (1_464.050_670_539_301_3, 151.516_524_123_857_27, 0.059_995_984_286),
        );
        check(
            paper_example(UPSTREAM),
            (1_464.050_675_297_019_6, 151.516_514_097_620_84, 0.059_993_423_154_862_17),
        );
    }

    #[test]
    fn a_first_duel_in_both_flavours() {
        let fresh = GlickoRules::upstream().initial;
        let (left, right) = duel(fresh, fresh, Outcome::Left, &rules(GlickoFlavour::Textbook));
        check(left, (1_668.946_772_549_41, 296.194_179_566_731_2, 0.2));
        check(right, (1_331.053_227_450_59, 296.194_179_566_731_2, 0.2));
        let (left, right) = duel(fresh, fresh, Outcome::Left, &rules(UPSTREAM));
        check(left, (1_668.951_231_595_19, 296.198_088_296_895_04, 0.2));
        check(right, (1_331.048_768_404_81, 296.198_088_296_895_04, 0.2));
        let unclamped = update(fresh, &[(fresh, 1.0)], &rules(UPSTREAM));
        check(unclamped, (1_668.951_231_595_19, 296.198_088_296_895_04, 0.499_976_854_500_138_6));
    }

    #[test]
    fn a_first_draw_in_the_original_flavour() {
        let fresh = GlickoRules::upstream().initial;
        let (left, right) = duel(fresh, fresh, Outcome::Draw, &rules(UPSTREAM));
        check(left, (1500.0, 296.179_001_014_041_55, 0.2));
        assert_eq!(left, right);
    }

    #[test]
    fn an_uneven_duel_in_the_original_flavour() {
        let left = rated(1616.17, 150.0, 0.06);
        let right = rated(1616.17, 160.0, 0.03);
        let (left, right) = duel(left, right, Outcome::Left, &rules(UPSTREAM));
        check(left, (1_666.671_320_545_680_8, 140.280_088_424_751_23, 0.059_999_797_511_345_07));
        check(right, (1_559.396_829_772_758_8, 147.804_288_019_405_08, 0.03));
    }

    #[test]
    fn twenty_straight_wins_in_the_original_flavour() {
        let rules = rules(UPSTREAM);
        let (mut left, mut right) = (rules.initial, rules.initial);
        for game in 1..=20 {
            (left, right) = duel(left, right, Outcome::Left, &rules);
            match game {
                1 => check(left, (1_668.951_231_595_19, 296.198_088_296_895_04, 0.2)),
                2 => check(left, (1_727.374_272_400_288_6, 267.204_253_005_290_47, 0.199_970_119_256_085_54)),
                5 => check(left, (1_801.153_269_290_164_4, 234.857_183_559_037_82, 0.199_908_730_042_968_5)),
                10 => {
                    check(left, (1_855.478_140_223_908_2, 219.866_512_361_851_33, 0.199_846_392_292_561_85));
                }
                20 => {
                    check(right, (1_086.597_280_744_480_7, 217.751_487_000_714_8, 0.199_769_904_879_697_95));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_period_without_information_only_widens_the_deviation() {
        let player = rated(1500.0, 200.0, 0.06);
        let rules = GlickoRules::default();
        let idle = update(player, &[], &rules);
        check(idle, (1500.0, 200.271_416_698_770_65, 0.06));
        assert_eq!(update(player, &[(rated(1e9, 30.0, 0.06), 0.0)], &rules), idle);
    }

    #[test]
    fn not_a_number_ends_at_a_bound() {
        let rules = GlickoRules::default();
        let poisoned = rated(f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
        let (left, right) = duel(poisoned, rules.initial, Outcome::Left, &rules);
        for value in
            [left.rating, left.deviation, left.volatility, right.rating, right.deviation, right.volatility]
        {
            assert!(value.is_finite());
        }
    }

    fn any_rating() -> impl Strategy<Value = Rating> {
        (0.0..=3000.0, 30.0..=350.0, 0.03..=0.5)
            .prop_map(|(rating, deviation, volatility)| rated(rating, deviation, volatility))
    }

    fn any_flavour() -> impl Strategy<Value = GlickoFlavour> {
        prop_oneof![Just(GlickoFlavour::Textbook), Just(UPSTREAM)]
    }

    proptest! {
        #[test]
        fn swapping_the_sides_swaps_the_result(
            left in any_rating(),
            right in any_rating(),
            flavour in any_flavour(),
        ) {
            let rules = rules(flavour);
            let (winner, loser) = duel(left, right, Outcome::Left, &rules);
            prop_assert_eq!(duel(right, left, Outcome::Right, &rules), (loser, winner));
            let (drawn_left, drawn_right) = duel(left, right, Outcome::Draw, &rules);
            prop_assert_eq!(duel(right, left, Outcome::Draw, &rules), (drawn_right, drawn_left));
        }

        #[test]
        fn a_win_never_lowers_and_a_loss_never_raises(
            left in any_rating(),
            right in any_rating(),
            flavour in any_flavour(),
        ) {
            let (winner, loser) = duel(left, right, Outcome::Left, &rules(flavour));
            prop_assert!(winner.rating >= left.rating && loser.rating <= right.rating);
        }

        #[test]
        fn results_stay_within_the_bounds(
            left in any_rating(),
            right in any_rating(),
            flavour in any_flavour(),
        ) {
            let rules = rules(flavour);
            let (left, right) = duel(left, right, Outcome::Right, &rules);
            prop_assert_eq!(left.clamped(&rules), left);
            prop_assert_eq!(right.clamped(&rules), right);
        }
    }
}

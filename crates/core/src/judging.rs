//! What a judge says about two results, and what follows from it.
//!
//! A judge is a vision-language model: noisy, biased towards what it sees first, and easily swayed by words painted
//! onto an object ("FRAME", arXiv 2505.15249: every judge tried there, and no prompt helped). So it is asked
//! in both orders, and a decision must hold on pictures in which what is painted can hardly be read.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::glicko::Outcome;

/// Characters of an explanation that are kept, at most.
pub const ISSUES_CHARS_MAX: usize = 1_000;
/// Results whose shapes agree at least so far, and whose pictures agree, are the same thing with noise. Measured on 40
/// generated objects and two real ones: different ones agree to at most 0.6, copies jittered by 0.2 % of their size to at
/// least 0.85.
pub const SAME_SHAPE: f64 = 0.75;
/// Pictures that differ in at most so many of the 64 bits of their perceptual hashes look alike.
pub const SAME_PICTURE_BITS: u32 = 3;

/// A judge's answer to one question: which of two results is the worse one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The worse one.
    pub worst: Worst,
    /// Why, at most [`ISSUES_CHARS_MAX`] characters, for people only.
    pub issues: String,
}

/// Which of two results is the worse one; 0, 1 and 2 on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Worst {
    /// They are equally good.
    Neither,
    /// The one shown first.
    First,
    /// The one shown second.
    Second,
}

impl Worst {
    /// Who has won, if the left side was shown first.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Neither => Outcome::Draw,
            Self::First => Outcome::Right,
            Self::Second => Outcome::Left,
        }
    }

    /// Who has won, if the left side was shown second.
    pub const fn outcome_swapped(self) -> Outcome {
        match self {
            Self::Neither => Outcome::Draw,
            Self::First => Outcome::Left,
            Self::Second => Outcome::Right,
        }
    }
}

/// The outcome of two answers about the same pair, one for each order: a draw if they disagree.
pub fn agreed(forward: Outcome, swapped: Outcome) -> Outcome {
    if forward == swapped { forward } else { Outcome::Draw }
}

/// What stands of a decision after the judge has seen neutral pictures too.
///
/// A winner must win on those as well. If they leave it open, the winner's score must be ahead of the loser's by
/// `lead_min`, as the scores are measured by other models, to which a painted plea says nothing.
pub fn confirmed(decided: Outcome, neutral: Outcome, left: f64, right: f64, lead_min: f64) -> Outcome {
    let lead = match decided {
        Outcome::Left => left - right,
        Outcome::Right => right - left,
        Outcome::Draw => return Outcome::Draw,
    };
    let holds = neutral == decided || (neutral == Outcome::Draw && lead >= lead_min);
    if holds { decided } else { Outcome::Draw }
}

/// What stands of a decision against how deep both results are ([`Likeness::sides`]), left and right.
///
/// A judge sees pictures, and a picture on a card can look better than any object. So a winner whose sides are less than
/// `ratio_min` of the loser's has drawn. Where a depth is unknown the decision stands, and at a ratio of 0 always.
pub fn unless_flat(decided: Outcome, left: Option<f64>, right: Option<f64>, ratio_min: f64) -> Outcome {
    let (winner, loser) = match decided {
        Outcome::Left => (left, right),
        Outcome::Right => (right, left),
        Outcome::Draw => return Outcome::Draw,
    };
    let is_flat = winner.zip(loser).is_some_and(|(winner, loser)| winner < ratio_min * loser);
    if is_flat { Outcome::Draw } else { decided }
}

/// What makes a splat recognisable when it comes again, from whomever.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// Hash of the quantised positions, whatever their order, scale and place.
    #[serde(with = "crate::text::bytes32")]
    pub geometry: [u8; 32],
    /// A sample of the shape that noise changes little.
    pub sketch: Sketch,
    /// Perceptual hash of the front view.
    pub picture: u64,
    /// How deep the object is between what is seen of it from opposite sides, measured against its outline: near 0 for a
    /// flat card, 0.1 to 0.9 for whole objects.
    pub sides: f64,
}

/// `MinHash` of the cells that a splat's points fill: the share of equal entries of two sketches estimates how much of
/// their cells two splats share (Broder 1997).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sketch(pub [u16; 64]);

impl Sketch {
    /// The estimated similarity of two shapes, in 0 to 1 in steps of 1/64.
    pub fn similarity(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        f64::from(u32::try_from(equal).unwrap_or(0)) / 64.0
    }
}

impl Likeness {
    /// Whether two results are the same thing: by the hash of their geometry, or by shape and picture together.
    ///
    /// Miners who run the same public model on the same prompt make alike things, not the same ones: their shapes differ
    /// by more than noise.
    pub fn is_same(&self, other: &Self) -> bool {
        let looks_alike = (self.picture ^ other.picture).count_ones() <= SAME_PICTURE_BITS;
        self.geometry == other.geometry
            || (looks_alike && self.sketch.similarity(&other.sketch) >= SAME_SHAPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Draw, Left, Right};

    #[test]
    fn the_worst_one_loses_in_either_order() {
        assert_eq!([Worst::First.outcome(), Worst::Second.outcome()], [Right, Left]);
        assert_eq!([Worst::First.outcome_swapped(), Worst::Second.outcome_swapped()], [Left, Right]);
        assert_eq!([Worst::Neither.outcome(), Worst::Neither.outcome_swapped()], [Draw, Draw]);
    }

    #[test]
    fn a_judge_that_always_prefers_what_it_sees_first_decides_nothing() {
        let first_is_best = Worst::Second;
        assert_eq!(agreed(first_is_best.outcome(), first_is_best.outcome_swapped()), Draw);
        for outcome in [Left, Draw, Right] {
            assert_eq!(agreed(outcome, outcome), outcome);
        }
    }

    #[test]
    fn a_decision_needs_the_neutral_pictures_or_the_scores() {
        let table = [
            (Left, Left, 0.1, 0.9, Left),
            (Left, Right, 0.9, 0.1, Draw),
            (Left, Draw, 0.80, 0.70, Left),
            (Left, Draw, 0.74, 0.70, Draw),
            (Right, Draw, 0.70, 0.80, Right),
            (Right, Draw, 0.80, 0.70, Draw),
            (Draw, Left, 0.9, 0.1, Draw),
            (Left, Draw, f64::NAN, 0.1, Draw),
        ];
        for (decided, neutral, left, right, expected) in table {
            assert_eq!(
                confirmed(decided, neutral, left, right, 0.05),
                expected,
                "{decided:?} {neutral:?} {left} {right}"
            );
        }
    }

    #[test]
    fn a_card_does_not_beat_an_object() {
        let (card, thin, object) = (Some(0.01), Some(0.4), Some(0.8));
        let table = [
            (Left, card, object, Draw),
            (Right, object, card, Draw),
            (Left, Some(0.399), object, Draw),
            (Left, thin, object, Left),
            (Right, object, thin, Right),
            (Left, object, card, Left),
            (Left, card, card, Left),
            (Left, Some(0.0), Some(0.0), Left),
            (Left, Some(1.0), object, Left),
            (Left, None, object, Left),
            (Left, card, None, Left),
            (Left, Some(f64::NAN), object, Left),
            (Draw, card, object, Draw),
        ];
        for (decided, left, right, expected) in table {
            assert_eq!(unless_flat(decided, left, right, 0.5), expected, "{decided:?} {left:?} {right:?}");
            assert_eq!(unless_flat(decided, left, right, 0.0), decided, "0 turns it off");
        }
    }

    #[test]
    fn likeness_finds_copies_by_geometry_or_by_shape_and_picture() {
        let original = Likeness { geometry: [1; 32], sketch: Sketch([7; 64]), picture: 0xff00, sides: 0.8 };
        let other = Likeness { geometry: [2; 32], sketch: Sketch([9; 64]), picture: 0x00ff, sides: 0.8 };
        assert!(!original.is_same(&other));
        assert!(original.is_same(&Likeness { geometry: [1; 32], ..other }));
        let mut noisy = original.sketch;
        noisy.0[..6].fill(0);
        let noisy = Likeness { geometry: [3; 32], sketch: noisy, picture: 0xff01, sides: 0.8 };
        assert!(original.is_same(&noisy));
        assert!(!original.is_same(&Likeness { picture: 0x0f00, ..noisy }), "alike in shape alone");
        assert!(!original.is_same(&Likeness { sketch: other.sketch, ..noisy }), "alike in looks alone");
    }
}

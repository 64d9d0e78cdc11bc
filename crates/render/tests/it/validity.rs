//! The checks before rendering.

use sn17_render::{InvalidSplat, ValidityRules, check};
use sn17_splat::{
    Splats,
    procedural::{Quality, object},
};

fn splats(count: usize, transparent: usize) -> Splats {
    Splats {
        positions: vec![[0.0; 3]; count],
        scales: vec![[-4.0; 3]; count],
        rotations: vec![[0.5, 0.5, 0.5, 0.5]; count],
        opacities: (0..count).map(|index| if index < transparent { -8.0 } else { 2.0 }).collect(),
        colors: vec![[0.0; 3]; count],
        ..Splats::default()
    }
}

#[test]
fn seven_thousand_splats_are_enough() {
    let rules = ValidityRules::default();
    assert_eq!(check(&splats(7_000, 0), &rules), Ok(()), "at the edge");
    let expected = InvalidSplat::TooFew { found: 6_999, minimum: 7_000 };
    assert_eq!(check(&splats(6_999, 0), &rules), Err(expected), "below");
}

#[test]
fn four_fifths_may_be_transparent() {
    let rules = ValidityRules::default();
    assert_eq!(check(&splats(10_000, 8_000), &rules), Ok(()), "at the edge");
    let expected = InvalidSplat::TooTransparent { transparent: 8_001, found: 10_000, share_max: 0.8 };
    assert_eq!(check(&splats(10_000, 8_001), &rules), Err(expected), "beyond");
}

#[test]
fn one_rotated_splat_is_enough() {
    let mut unrotated = splats(7_000, 0);
    unrotated.rotations.fill([2.0, 0.0, 0.0, 0.0]);
    assert_eq!(
        check(&unrotated, &ValidityRules::default()),
        Err(InvalidSplat::IdentityRotations),
        "not of unit length"
    );
    unrotated.rotations[6_999] = [0.9, 0.1, 0.0, 0.0];
    assert_eq!(check(&unrotated, &ValidityRules::default()), Ok(()), "one rotated");
}

#[test]
fn procedural_objects_are_valid_whatever_their_quality() {
    for quality in [Quality::Intact, Quality::Noisy, Quality::Blank] {
        assert_eq!(check(&object("a lamp", quality, 1), &ValidityRules::default()), Ok(()), "{quality:?}");
    }
}

//! Checks a submission passes before anything is rendered.

use sn17_splat::Splats;

use crate::scene::sigmoid;

/// Numbers of the validity check; the defaults are the original validator's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValidityRules {
    /// Fewest splats an object may have.
    pub splats_min: usize,
    /// Opacity, 0 to 1, below which a splat counts as transparent.
    pub transparent_below: f32,
    /// Largest admissible share, 0 to 1, of transparent splats.
    pub transparent_share_max: f64,
}

impl Default for ValidityRules {
    fn default() -> Self {
        Self { splats_min: 7_000, transparent_below: 1e-3, transparent_share_max: 0.8 }
    }
}

/// Why an object is not worth rendering.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidSplat {
    /// There are too few splats.
    #[error("the object has {found} splats, at least {minimum} are needed")]
    TooFew {
        /// Number of splats found.
        found: usize,
        /// Number required.
        minimum: usize,
    },
    /// Almost everything is invisible.
    #[error(
        "{transparent} of the object's {found} splats are transparent, the largest admissible share is {share_max}"
    )]
    TooTransparent {
        /// Number of transparent splats.
        transparent: usize,
        /// Number of splats.
        found: usize,
        /// Largest admissible share.
        share_max: f64,
    },
    /// No splat is rotated, which no trained object shows.
    #[error("every splat has the identity rotation")]
    IdentityRotations,
}

/// Refuses objects that are too small, almost wholly transparent, or without any rotated splat.
///
/// # Errors
/// [`InvalidSplat`] names the first rule that is broken.
pub fn check(splats: &Splats, rules: &ValidityRules) -> Result<(), InvalidSplat> {
    let found = splats.len();
    if found < rules.splats_min {
        return Err(InvalidSplat::TooFew { found, minimum: rules.splats_min });
    }
    let transparent =
        splats.opacities.iter().filter(|&&logit| sigmoid(logit) < rules.transparent_below).count();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let share = transparent as f64 / found as f64;
    if share > rules.transparent_share_max {
        return Err(InvalidSplat::TooTransparent {
            transparent,
            found,
            share_max: rules.transparent_share_max,
        });
    }
    if splats.rotations.iter().all(is_identity) {
        return Err(InvalidSplat::IdentityRotations);
    }
    Ok(())
}

fn is_identity(&[w, x, y, z]: &[f32; 4]) -> bool {
    w > 0.0 && [x, y, z].iter().all(|part| part.abs() <= w * f32::EPSILON)
}

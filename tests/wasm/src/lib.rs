//! Vectors that must hold natively and in a WASM runtime alike.
//!
//! Each set is a function that returns a [`Tally`]. The tests of this package call it natively; a binary of the
//! same name, compiled for `wasm32-unknown-unknown`, calls it in an interpreter and exits with the number of
//! failed checks. The binaries import nothing, so nothing of the host can help them.

use std::process::ExitCode;

mod cooldown;
pub mod day;
mod glicko;
mod spz;
mod sr25519;

pub use cooldown::cooldown;
pub use glicko::glicko;
pub use spz::spz;
pub use sr25519::sr25519;

/// What became of the checks of one set.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many checks were made.
    pub checks: usize,
    /// What was wrong, one line a failed check.
    pub failures: Vec<String>,
}

impl Tally {
    /// Notes a check that must hold.
    pub fn check(&mut self, holds: bool, what: &str) {
        self.checks += 1;
        if !holds {
            self.failures.push(what.to_owned());
        }
    }

    /// Notes that `actual` must lie within `tolerance` of `expected`.
    pub fn near(&mut self, actual: f64, expected: f64, tolerance: f64, what: &str) {
        let holds = (actual - expected).abs() <= tolerance;
        self.check(holds, &format!("{what}: {actual} is not {expected}"));
    }
}

impl From<Tally> for ExitCode {
    /// The number of failures, at most 255; a set without a check counts as one failure.
    fn from(tally: Tally) -> Self {
        let failed = if tally.checks == 0 { 1 } else { tally.failures.len() };
        Self::from(u8::try_from(failed).unwrap_or(u8::MAX))
    }
}

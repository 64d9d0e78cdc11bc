//! Signs without a pattern, the same on every machine.

/// An endless sequence of ±1, from `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Debug)]
pub(super) struct SignSource {
    state: u64,
}

impl SignSource {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next sign.
    pub(super) fn next_sign(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        if bits & 1 == 0 { 1.0 } else { -1.0 }
    }
}

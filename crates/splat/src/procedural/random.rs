//! A small generator of random numbers, the same on every machine.

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `end`; the bias is below `end / 2^64`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from 0 to 1, 1 excluded.
    pub(super) fn unit(&mut self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "24 bits are exact in f32")]
        let value = (self.next() >> 40) as f32;
        value / 16_777_216.0
    }

    /// A number from −1 to 1.
    pub(super) fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }

    /// A direction, all equally likely (Marsaglia 1972).
    pub(super) fn direction(&mut self) -> [f32; 3] {
        loop {
            let (u, v) = (self.signed(), self.signed());
            let square = u * u + v * v;
            if square < 1.0 {
                let root = 2.0 * (1.0 - square).sqrt();
                return [u * root, v * root, 1.0 - 2.0 * square];
            }
        }
    }

    /// A point on the unit circle.
    pub(super) fn on_circle(&mut self) -> [f32; 2] {
        loop {
            let (u, v) = (self.signed(), self.signed());
            let square = u * u + v * v;
            if square > 1e-6 && square < 1.0 {
                let length = square.sqrt();
                return [u / length, v / length];
            }
        }
    }
}

//! Integers from a seed, and floats made of them, alike on every host.

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..=high`.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// An index below `length`, which is not zero.
    pub fn index(&mut self, length: usize) -> usize {
        let length = length as u64;
        usize::try_from(self.next() % length).unwrap_or_default()
    }

    /// True in so many of a thousand cases.
    pub const fn per_mille(&mut self, chance: u64) -> bool {
        self.next() % 1000 < chance
    }

    /// The next 128 bits.
    pub const fn wide(&mut self) -> u128 {
        (self.next() as u128) << 64 | self.next() as u128
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.as_chunks_mut::<8>().0 {
            *chunk = self.next().to_le_bytes();
        }
        bytes
    }

    /// `middle_micro` give or take `spread_micro`, in millionths: a whole number divided once, as IEEE 754 rounds it
    /// everywhere.
    #[expect(clippy::cast_precision_loss, reason = "millionths of small numbers are exact")]
    pub const fn around(&mut self, middle_micro: i64, spread_micro: u64) -> f64 {
        let offset = self.between(0, 2 * spread_micro).cast_signed() - spread_micro.cast_signed();
        (middle_micro + offset) as f64 / 1e6
    }

    /// A number in [0, 1): 53 bits, exact in any float unit that follows IEEE 754.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

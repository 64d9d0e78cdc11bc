//! What a decoder accepts before it allocates anything.

/// Hard limits of a decoder, checked against the header before any array is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest compressed file in bytes. PLY is not compressed; there `splats_max` bounds the size.
    pub compressed_bytes_max: u64,
    /// Largest number of splats.
    pub splats_max: u32,
}

impl Default for Limits {
    /// 32 MiB compressed and 10,000,000 splats, the reading limit of the original network's codec.
    fn default() -> Self {
        Self { compressed_bytes_max: 32 << 20, splats_max: 10_000_000 }
    }
}

impl Limits {
    /// The same limits with a lower number of splats.
    #[must_use]
    pub fn with_splats_max(self, splats_max: u32) -> Self {
        Self { splats_max, ..self }
    }
}

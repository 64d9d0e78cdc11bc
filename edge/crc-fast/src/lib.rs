//! The three checksums that S3 knows, by the `crc` crate, under the names that the AWS SDK calls them by.
//!
//! The published `crc-fast` is quick where a CPU has instructions for it. A WASM module has none, and carries the lookup
//! tables of all its algorithms instead: 600 KB that no compression makes smaller, of the 2 MB that an edge may have.
//! `[patch.crates-io]` puts this package in its place.

#![no_std]

use core::fmt;

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};

/// What our own uploads are checked by, sixteen bytes at a time.
static ISO_HDLC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
/// Objects that others have uploaded may bear this one.
static ISCSI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// Objects that others have uploaded may bear this one.
static NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);

/// A checksum that S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-32/ISO-HDLC, which S3 calls CRC32.
    Crc32IsoHdlc,
    /// CRC-32/ISCSI, which S3 calls CRC32C.
    Crc32Iscsi,
    /// CRC-64/NVME, which S3 calls CRC64NVME.
    Crc64Nvme,
}

/// A checksum of what has been given so far.
#[derive(Clone)]
pub struct Digest(State);

#[derive(Clone)]
enum State {
    IsoHdlc(crc::Digest<'static, u32, Table<16>>),
    Iscsi(crc::Digest<'static, u32>),
    Nvme(crc::Digest<'static, u64>),
}

impl Digest {
    /// The checksum of nothing.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::IsoHdlc(ISO_HDLC.digest()),
            CrcAlgorithm::Crc32Iscsi => State::Iscsi(ISCSI.digest()),
            CrcAlgorithm::Crc64Nvme => State::Nvme(NVME.digest()),
        })
    }

    /// Takes in some more.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::IsoHdlc(digest) => digest.update(bytes),
            State::Iscsi(digest) => digest.update(bytes),
            State::Nvme(digest) => digest.update(bytes),
        }
    }

    /// The checksum, in the lower bits if it is shorter.
    pub fn finalize(&self) -> u64 {
        match self.0.clone() {
            State::IsoHdlc(digest) => digest.finalize().into(),
            State::Iscsi(digest) => digest.finalize().into(),
            State::Nvme(digest) => digest.finalize(),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match &self.0 {
            State::IsoHdlc(_) => CrcAlgorithm::Crc32IsoHdlc,
            State::Iscsi(_) => CrcAlgorithm::Crc32Iscsi,
            State::Nvme(_) => CrcAlgorithm::Crc64Nvme,
        };
        formatter.debug_tuple("Digest").field(&algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms, whatever the pieces.
    #[test]
    fn the_catalogues_check_values_come_out() {
        let expected = [
            (CrcAlgorithm::Crc32IsoHdlc, 0xcbf4_3926),
            (CrcAlgorithm::Crc32Iscsi, 0xe306_9283),
            (CrcAlgorithm::Crc64Nvme, 0xae8b_1486_0a79_9888),
        ];
        for (algorithm, check) in expected {
            for pieces in [&[&b"123456789"[..]][..], &[b"1", b"", b"2345678", b"9"]] {
                let mut digest = Digest::new(algorithm);
                for piece in pieces {
                    digest.update(piece);
                }
                assert_eq!(digest.finalize(), check, "{algorithm:?}");
                assert_eq!(digest.finalize(), check, "{algorithm:?} again");
            }
        }
    }
}

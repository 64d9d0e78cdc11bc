//! The header of a block, which proves that the block is the one that was asked for.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::{Compact, Encode as _};
use serde::Deserialize;

use crate::node::{BlockHash, Hex, HexNumber};

/// A block's header, as `chain_getHeader` gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    parent_hash: BlockHash,
    pub(crate) number: HexNumber,
    state_root: BlockHash,
    extrinsics_root: BlockHash,
    digest: Digest,
}

/// What the block's author and the consensus add; each entry is encoded already.
#[derive(Debug, Deserialize)]
struct Digest {
    logs: Vec<Hex>,
}

impl Header {
    /// The block's hash: BLAKE2b-256 over the encoded header, as Substrate's `BlakeTwo256` chains define it.
    pub(crate) fn hash(&self) -> BlockHash {
        let mut hasher = Blake2b::<U32>::new();
        hasher.update(self.parent_hash.0);
        hasher.update(Compact(self.number.0).encode());
        hasher.update(self.state_root.0);
        hasher.update(self.extrinsics_root.0);
        let logs = u32::try_from(self.digest.logs.len()).expect("an answer of bounded size");
        hasher.update(Compact(logs).encode());
        for log in &self.digest.logs {
            hasher.update(&log.0);
        }
        BlockHash(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first block of Polkadot, whose hash its chain specification's users know.
    #[test]
    fn a_known_header_has_its_known_hash() {
        let header: Header = serde_json::from_str(
            r#"{
                "parentHash": "0x0000000000000000000000000000000000000000000000000000000000000000",
                "number": "0x0",
                "stateRoot": "0x29d0d972cd27cbc511e9589fcb7a4506d5eb6a9e8df205f00472e5ab354a4e17",
                "extrinsicsRoot": "0x03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314",
                "digest": { "logs": [] }
            }"#,
        )
        .unwrap();
        assert_eq!(
            header.hash().to_string(),
            "0x91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"
        );
    }
}

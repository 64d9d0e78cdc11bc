//! Signed extrinsics of the calls that validators and miners make, without the runtime's metadata.
//!
//! What is signed is the call, what the transaction carries (its era, nonce and tip), and what it is bound to
//! (the runtime's versions, the chain, a block). The parts and their order are those of the runtime's
//! transaction extensions: `CheckNonZeroSender`, `CheckSpecVersion`, `CheckTxVersion`, `CheckGenesis`,
//! `CheckMortality`, `CheckNonce`, `CheckWeight`, `ChargeTransactionPayment`, then some of subtensor's own
//! that carry nothing, and `CheckMetadataHash`, left off. A runtime with other extensions finds the signature
//! bad and does nothing, so there is nothing to undo; that the versions are signed along means that what was
//! signed for one runtime is void in the next.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::{Compact, Encode as _};
use sn17_wire::sr25519::Keypair;

use crate::neurons::Axon;
use crate::node::BlockHash;
use crate::weights::Weights;

/// The index of the pallet `SubtensorModule` in the runtime.
const PALLET: u8 = 7;
/// `set_weights`.
pub const SET_WEIGHTS: u8 = 0;
/// `serve_axon`.
pub const SERVE_AXON: u8 = 4;
/// `commit_timelocked_weights`.
pub const COMMIT_TIMELOCKED_WEIGHTS: u8 = 113;
/// No commit is longer: the runtime's `MAX_CRV3_COMMIT_SIZE_BYTES`.
pub const COMMIT_BYTES_MAX: usize = 5_000;
/// An extrinsic may be taken by so many blocks, about 13 minutes; the runtime wants a power of two.
pub const LIFE_BLOCKS: u64 = 64;
/// What is longer is hashed before it is signed.
const SIGNED_BYTES_MAX: usize = 256;
/// A signed extrinsic of version 4.
const SIGNED_V4: u8 = 0x84;
/// `MultiAddress::Id`.
const ADDRESS_ID: u8 = 0;
/// `MultiSignature::Sr25519`.
const SIGNATURE_SR25519: u8 = 1;

/// A call of the pallet `SubtensorModule`, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call(Vec<u8>);

/// A commit that the runtime would not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a commit of {bytes} bytes, where {COMMIT_BYTES_MAX} are allowed")]
pub struct CommitTooLong {
    /// Its length.
    pub bytes: usize,
}

impl Call {
    /// Sets weights as they are.
    pub fn set_weights(netuid: u16, weights: &Weights, version_key: u64) -> Self {
        let arguments = (netuid, weights.uids.as_slice(), weights.values.as_slice(), version_key);
        Self((PALLET, SET_WEIGHTS, arguments).encode())
    }

    /// Commits to weights that the chain decrypts itself once drand's quicknet has reached the round.
    ///
    /// # Errors
    /// If the commit, [`crate::weights::commit_payload`] encrypted, is too long.
    pub fn commit_timelocked_weights(
        netuid: u16,
        commit: &[u8],
        reveal_round: u64,
        commit_version: u16,
    ) -> Result<Self, CommitTooLong> {
        if commit.len() > COMMIT_BYTES_MAX {
            return Err(CommitTooLong { bytes: commit.len() });
        }
        let arguments = (netuid, commit, reveal_round, commit_version);
        Ok(Self((PALLET, COMMIT_TIMELOCKED_WEIGHTS, arguments).encode()))
    }

    /// Publishes where the signer serves; `version` is that of the software that does.
    pub fn serve_axon(netuid: u16, axon: &Axon, version: u32) -> Self {
        let (address, ip_type): (u128, u8) = match axon.ip {
            std::net::IpAddr::V4(ip) => (ip.to_bits().into(), 4),
            std::net::IpAddr::V6(ip) => (ip.to_bits(), 6),
        };
        let placeholders = [0_u8; 2];
        let arguments = (netuid, version, address, axon.port, ip_type, axon.protocol, placeholders);
        Self((PALLET, SERVE_AXON, arguments).encode())
    }

    /// The call as the runtime reads it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What an extrinsic is bound to: elsewhere, or later, it is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The runtime's version.
    pub spec_version: u32,
    /// The runtime's version of its transactions' shape.
    pub transaction_version: u32,
    /// The chain's first block.
    pub genesis_hash: BlockHash,
    /// The block from which on the extrinsic lives, for [`LIFE_BLOCKS`].
    pub block: u64,
    /// That block's hash.
    pub block_hash: BlockHash,
    /// How many extrinsics the signer has sent before.
    pub nonce: u32,
}

impl Binding {
    /// What the extrinsic carries beside the call: era, nonce, no tip, and no hash of the metadata.
    fn carried(&self) -> Vec<u8> {
        (self.era(), Compact(self.nonce), Compact(0_u64), 0_u8).encode()
    }

    /// What is signed but not carried: both sides know it.
    fn implied(&self) -> Vec<u8> {
        let no_metadata_hash = 0_u8;
        let Self { spec_version, transaction_version, genesis_hash, block_hash, .. } = self;
        (spec_version, transaction_version, genesis_hash.0, block_hash.0, no_metadata_hash).encode()
    }

    /// The period's power in the low four bits, less one, and the block's place in it above.
    fn era(&self) -> u16 {
        let place = u16::try_from(self.block % LIFE_BLOCKS).expect("it is below 64");
        let power = u16::try_from(LIFE_BLOCKS.trailing_zeros()).expect("it is 6");
        (place << 4) | (power - 1)
    }
}

/// The bytes that the signer of a call signs.
pub fn to_sign(call: &Call, binding: &Binding) -> Vec<u8> {
    let bytes = [call.as_bytes(), &binding.carried(), &binding.implied()].concat();
    if bytes.len() > SIGNED_BYTES_MAX {
        return Blake2b::<U32>::digest(&bytes).to_vec();
    }
    bytes
}

/// The extrinsic of a call, signed; `randomness` is fresh for each.
pub fn sign(call: &Call, binding: &Binding, keypair: &Keypair, randomness: [u8; 32]) -> Vec<u8> {
    let signature = keypair.sign(&to_sign(call, binding), randomness);
    assemble(call, binding, keypair.hotkey().0, signature)
}

/// The extrinsic of a call that was signed elsewhere.
pub fn assemble(call: &Call, binding: &Binding, signer: [u8; 32], signature: [u8; 64]) -> Vec<u8> {
    let head = (SIGNED_V4, ADDRESS_ID, signer, SIGNATURE_SR25519, signature).encode();
    let bytes = [head.as_slice(), &binding.carried(), call.as_bytes()].concat();
    // A list of bytes: the length comes first.
    bytes.encode()
}

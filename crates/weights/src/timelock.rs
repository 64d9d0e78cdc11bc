//! Commits that nobody can read before a round of drand: identity-based encryption to the signature that the round will
//! have (Boneh and Franklin 2001, over BLS12-381), as subtensor's pallet decrypts them.

use anyhow::Context as _;
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use rand_core::{OsRng, RngCore as _};
use sha2::{Digest as _, Sha256};
use sn17_core::UnixMs;
use timelock::block_ciphers::AESGCMBlockCipherProvider;
use timelock::engines::EngineBLS;
use timelock::engines::drand::TinyBLS381;
use timelock::ibe::fullident::Identity;
use timelock::tlock::tle;

/// The public key of quicknet, whose rounds the chain follows (`/info` of chain 52db9ba7…, as drand publishes it).
const QUICKNET_KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                            8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                            5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
/// When its first round was, in Unix seconds.
const QUICKNET_GENESIS_SECS: u64 = 1_692_803_367;
/// Seconds from one round to the next.
const QUICKNET_PERIOD_SECS: u64 = 3;
/// Bytes of the header's first part, a point of G2.
const POINT_BYTES: usize = 96;
/// Bytes of each of its two others, the hidden secret and what checks it.
const SECRET_BYTES: usize = 32;

/// The latest round that may have been published at `now`; from the next one on a commit is hidden.
pub(crate) const fn round_at(now: UnixMs) -> u64 {
    now.secs().saturating_sub(QUICKNET_GENESIS_SECS) / QUICKNET_PERIOD_SECS + 1
}

/// The payload, for whoever knows the round's signature.
///
/// The library writes the header's two secrets as they are; the chain's version of it writes the length before each, as a
/// little-endian number of eight bytes.
///
/// # Errors
/// If the library cannot encrypt it, which no payload is known to bring about.
pub(crate) fn encrypt(payload: &[u8], round: u64) -> anyhow::Result<Vec<u8>> {
    let key = hex::decode(QUICKNET_KEY).expect("the key is written in hexadecimal digits");
    let key = <TinyBLS381 as EngineBLS>::PublicKeyGroup::deserialize_compressed(key.as_slice())
        .expect("the key is a point of its group");
    let identity = Identity::new(b"", &Sha256::digest(round.to_be_bytes()));
    let mut secret = [0; SECRET_BYTES];
    OsRng.fill_bytes(&mut secret);
    let sealed = tle::<TinyBLS381, AESGCMBlockCipherProvider, OsRng>(key, secret, payload, identity, OsRng)
        .map_err(|error| anyhow::anyhow!("the payload cannot be encrypted: {error:?}"))?;
    let mut bytes = Vec::new();
    sealed.serialize_compressed(&mut bytes).context("the encrypted payload")?;
    let length = (SECRET_BYTES as u64).to_le_bytes();
    let (point, rest) = bytes.split_at(POINT_BYTES);
    let (hidden, rest) = rest.split_at(SECRET_BYTES);
    Ok([point, &length, hidden, &length, rest].concat())
}

#[cfg(test)]
mod tests {
    use timelock::tlock::{TLECiphertext, tld};

    use super::*;

    /// Of round 1000 of quicknet, as drand publishes it.
    const SIGNATURE: &str = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125\
                             e342b73a8dd2bacbe47e4b6b63ed5e39";
    /// `encrypt_at_round(b"weights of subnet 17", 1000)` of bittensor-drand 2.0.0, without the length before and the
    /// round behind it.
    const OF_BITTENSOR_DRAND: &str = "\
         b8dd66ae8755a87566cfdcc71f4cd7d00e788fc407e773492e992e0264856e01fdf28d550e92acbd799aaea7b6\
         e4b3610ce89e6bb27b00d7b5dfb3e5cca8374c3b7f1c98708ddbfc8333e28cabfe38a62d969d15056603f42acf\
         92039be0a0bb2000000000000000d4cecca0528c19a46e5c0c933d8f565ae57c144d895be314aafe62e7e092b6\
         672000000000000000c0fd1f03b886f84a8e778379ceea603b8a48bdbe96f7fb39cdc2c471b5cfd87a40000000\
         000000002400000000000000afbedb2e7c536565b417d6d879c4f932115855945348d840c2967afc7410c65b70\
         7ca44a0c000000000000005ee69dc15a1dfbf5c695f17908000000000000004145535f47434d5f";

    /// What the holder of the signature reads in a commit.
    fn decrypt(commit: &[u8]) -> Vec<u8> {
        let length = (SECRET_BYTES as u64).to_le_bytes();
        let (point, rest) = commit.split_at(POINT_BYTES);
        let (first, rest) = rest.split_at(length.len());
        let (hidden, rest) = rest.split_at(SECRET_BYTES);
        let (second, rest) = rest.split_at(length.len());
        assert_eq!([first, second], [length, length]);
        let bytes = [point, hidden, rest].concat();
        let sealed = TLECiphertext::<TinyBLS381>::deserialize_compressed(bytes.as_slice()).unwrap();
        let signature = hex::decode(SIGNATURE).unwrap();
        let signature =
            <TinyBLS381 as EngineBLS>::SignatureGroup::deserialize_compressed(signature.as_slice()).unwrap();
        tld::<TinyBLS381, AESGCMBlockCipherProvider>(sealed, signature).unwrap()
    }

    #[test]
    fn the_rounds_signature_opens_a_commit() {
        let commit = encrypt(b"weights of subnet 17", 1000).unwrap();
        assert_eq!(decrypt(&commit), b"weights of subnet 17");
        let theirs = hex::decode(OF_BITTENSOR_DRAND).unwrap();
        assert_eq!(decrypt(&theirs), b"weights of subnet 17", "the same form as bittensor-drand's");
        assert_eq!(commit.len(), theirs.len());
        assert_ne!(commit, encrypt(b"weights of subnet 17", 1000).unwrap(), "each time another secret");
    }

    #[test]
    fn rounds_come_every_three_seconds() {
        let at = |secs| round_at(UnixMs(1000 * (QUICKNET_GENESIS_SECS + secs)));
        assert_eq!([at(0), at(2), at(3), at(2_997)], [1, 1, 2, 1000]);
    }
}

//! SS58 addresses: how the chain, the miners and the logs spell a [`Hotkey`].
//!
//! An address is the base58 text of a network prefix, the 32 bytes of the key and two bytes of checksum
//! (BLAKE2b-512 over `SS58PRE`, prefix and key), as the Substrate documentation defines it. Bittensor uses the
//! generic prefix 42. Only that one is read, so one key has exactly one spelling.

use blake2::{Blake2b512, Digest};
use sn17_core::Hotkey;

/// The generic Substrate network prefix, the only one Bittensor uses.
const PREFIX: u8 = 42;
/// Domain separator of the checksum.
const CHECKSUM_CONTEXT: &[u8] = b"SS58PRE";
/// Prefix, key and checksum.
const DECODED_BYTES: usize = 1 + 32 + 2;
/// No address of [`DECODED_BYTES`] bytes is longer in base58; longer text is refused before it is decoded, as
/// decoding takes quadratic time.
const TEXT_BYTES_MAX: usize = 48;

/// A text is not the SS58 address of a Bittensor key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ss58Error {
    /// The text is not base58, or not of 35 bytes.
    #[error("not the base58 text of 35 bytes")]
    Malformed,
    /// The address belongs to another network.
    #[error("network prefix is {0}, not 42")]
    ForeignPrefix(u8),
    /// The last two bytes do not match: a mistyped address.
    #[error("checksum does not match")]
    Checksum,
}

/// Spells a key as its SS58 address of 48 characters.
pub fn encode(hotkey: &Hotkey) -> String {
    let mut bytes = [0; DECODED_BYTES];
    bytes[0] = PREFIX;
    bytes[1..33].copy_from_slice(&hotkey.0);
    let checksum = checksum(&bytes[..33]);
    bytes[33..].copy_from_slice(&checksum);
    bs58::encode(bytes).into_string()
}

/// Reads an SS58 address of prefix 42.
///
/// # Errors
/// [`Ss58Error`] when the text is anything but the one spelling that [`encode`] gives.
pub fn decode(text: &str) -> Result<Hotkey, Ss58Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Ss58Error::Malformed);
    }
    let mut bytes = [0; DECODED_BYTES];
    let length = bs58::decode(text).onto(&mut bytes).map_err(|_| Ss58Error::Malformed)?;
    if length != DECODED_BYTES {
        return Err(Ss58Error::Malformed);
    }
    if bytes[0] != PREFIX {
        return Err(Ss58Error::ForeignPrefix(bytes[0]));
    }
    if checksum(&bytes[..33]) != bytes[33..] {
        return Err(Ss58Error::Checksum);
    }
    let mut key = [0; 32];
    key.copy_from_slice(&bytes[1..33]);
    Ok(Hotkey(key))
}

fn checksum(prefix_and_key: &[u8]) -> [u8; 2] {
    let digest = Blake2b512::new().chain_update(CHECKSUM_CONTEXT).chain_update(prefix_and_key).finalize();
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The well-known development key of Substrate, `//Alice`.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const ALICE_KEY: [u8; 32] = [
        0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f, 0xd6, 0x82,
        0x2c, 0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d, 0xa2, 0x7d,
    ];

    fn spelled(bytes: &[u8]) -> String {
        bs58::encode(bytes).into_string()
    }

    #[test]
    fn a_known_address_reads_and_writes() {
        assert_eq!(decode(ALICE), Ok(Hotkey(ALICE_KEY)));
        assert_eq!(encode(&Hotkey(ALICE_KEY)), ALICE);
        for byte in [0, 1, 127, 255] {
            let hotkey = Hotkey([byte; 32]);
            assert_eq!(decode(&encode(&hotkey)), Ok(hotkey));
        }
    }

    #[test]
    fn every_single_character_slip_is_refused() {
        for position in 0..ALICE.len() {
            let mut typo = ALICE.as_bytes().to_vec();
            typo[position] = if typo[position] == b'x' { b'y' } else { b'x' };
            let typo = String::from_utf8(typo).unwrap();
            assert!(decode(&typo).is_err(), "{typo}");
        }
    }

    #[test]
    fn only_prefix_42_and_32_bytes_are_an_address() {
        let mut polkadot = vec![0];
        polkadot.extend(ALICE_KEY);
        let sum = checksum(&polkadot);
        polkadot.extend(sum);
        assert_eq!(decode(&spelled(&polkadot)), Err(Ss58Error::ForeignPrefix(0)));

        let mut short = vec![PREFIX];
        short.extend(&ALICE_KEY[..31]);
        let sum = checksum(&short);
        short.extend(sum);
        assert_eq!(decode(&spelled(&short)), Err(Ss58Error::Malformed));

        for text in [
            "",
            "5",
            "not base58: 0OIl",
            &ALICE[1..],
            &format!("1{ALICE}"),
            &"z".repeat(48),
            &"z".repeat(9000),
        ] {
            assert!(decode(text).is_err(), "{text}");
        }
        assert_eq!(decode(&format!(" {ALICE}")), Err(Ss58Error::Malformed));
    }
}

//! sr25519: Schnorr signatures over Ristretto, as Substrate wallets make them.
//!
//! Verifying needs no randomness. Signing takes 32 random bytes as an argument, so that the crate asks no host for
//! entropy; schnorrkel mixes them with the secret nonce seed of the key, so even constant bytes never reveal the
//! key: they only make the signature a function of key and message.

use core::fmt;

use rand_core::{CryptoRng, RngCore, impls};
use schnorrkel::context::attach_rng;
use schnorrkel::{ExpansionMode, MiniSecretKey, PublicKey, Signature, signing_context};
use sn17_core::Hotkey;

/// The signing context of every Substrate wallet.
const CONTEXT: &[u8] = b"substrate";

/// Tells whether `signature` is `hotkey`'s over exactly `message`.
///
/// Signatures are randomised: one message has many valid ones, so a signature is never a key of anything. The
/// `<Bytes>` wrapping that browser wallets add is not accepted.
pub fn verify(hotkey: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(public) = PublicKey::from_bytes(&hotkey.0) else {
        return false;
    };
    let Ok(signature) = Signature::from_bytes(signature) else {
        return false;
    };
    public.verify_simple(CONTEXT, message, &signature).is_ok()
}

/// A miner's or validator's signing key.
pub struct Keypair {
    pair: schnorrkel::Keypair,
}

impl Keypair {
    /// Expands a mini secret (the `secretSeed` of a wallet file) in the way Substrate does.
    pub fn from_mini_secret(mini_secret: &[u8; 32]) -> Self {
        let secret = MiniSecretKey::from_bytes(mini_secret).expect("any 32 bytes are a mini secret");
        Self { pair: secret.expand_to_keypair(ExpansionMode::Ed25519) }
    }

    /// The public key: what the network knows this signer by.
    pub fn hotkey(&self) -> Hotkey {
        Hotkey(self.pair.public.to_bytes())
    }

    /// Signs `message`; `randomness` comes fresh from the host's generator.
    pub fn sign(&self, message: &[u8], randomness: [u8; 32]) -> [u8; 64] {
        let transcript = signing_context(CONTEXT).bytes(message);
        self.pair.sign(attach_rng(transcript, GivenRandomness(randomness))).to_bytes()
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keypair").field("hotkey", &self.hotkey()).finish_non_exhaustive()
    }
}

/// Hands the caller's random bytes to schnorrkel, which asks for 32 of them once a signature.
struct GivenRandomness([u8; 32]);

impl RngCore for GivenRandomness {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        for (byte, random) in destination.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *random;
        }
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(destination);
        Ok(())
    }
}

impl CryptoRng for GivenRandomness {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        let keypair = Keypair::from_mini_secret(&[7; 32]);
        let stranger = Keypair::from_mini_secret(&[8; 32]).hotkey();
        let signature = keypair.sign(b"message", [1; 32]);
        assert!(verify(&keypair.hotkey(), b"message", &signature));
        assert!(!verify(&keypair.hotkey(), b"messagf", &signature));
        assert!(!verify(&stranger, b"message", &signature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&keypair.hotkey(), b"message", &flipped), "bit {bit}");
        }
    }

    #[test]
    fn randomness_changes_the_signature_and_not_its_validity() {
        let keypair = Keypair::from_mini_secret(&[7; 32]);
        let first = keypair.sign(b"", [1; 32]);
        assert_eq!(first, keypair.sign(b"", [1; 32]));
        let second = keypair.sign(b"", [2; 32]);
        assert_ne!(first, second);
        assert!(verify(&keypair.hotkey(), b"", &second));
    }

    #[test]
    fn degenerate_keys_and_signatures_are_refused() {
        let keypair = Keypair::from_mini_secret(&[7; 32]);
        for bytes in [[0; 64], [0xff; 64]] {
            assert!(!verify(&keypair.hotkey(), b"message", &bytes));
        }
        let signature = keypair.sign(b"message", [1; 32]);
        assert!(!verify(&Hotkey([0xff; 32]), b"message", &signature));
        assert!(!verify(&Hotkey([0; 32]), b"message", &signature));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Keypair::from_mini_secret(&[7; 32]));
        assert!(shown.starts_with("Keypair { hotkey: Hotkey("), "{shown}");
    }
}

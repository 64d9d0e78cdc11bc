//! The licence consent that a miner signs with every result (SB-5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sn17_core::Hotkey;

use crate::sr25519::{Keypair, verify};
use crate::ss58;

/// The declaration a miner makes, 199 characters without a full stop, as the subnet publishes it.
pub const DECLARATION: &str = "I, as a miner on SN17, have obtained all licenses, rights and consents required to use, \
    reproduce, modify, display, distribute and make available my submitted results to this subnet and its end users";

/// The text a miner signs: declaration, time of submission in nanoseconds, prompt, validator and miner, with nothing
/// between them. The prompt is the task's text as UTF-8, or its base64 picture.
pub fn submit_message(submit_time: i64, prompt: &str, validator: &Hotkey, miner: &Hotkey) -> Vec<u8> {
    let validator = ss58::encode(validator);
    let miner = ss58::encode(miner);
    format!("{DECLARATION}{submit_time}{prompt}{validator}{miner}").into_bytes()
}

/// Tells whether `signature` is the padded base64 of the miner's signature over [`submit_message`]; text that is not
/// base64 or not 64 bytes is just not a valid signature.
///
/// The signature covers neither the task's id nor the results: the caller binds those to it by taking `prompt` from
/// its own record of the assigned task.
pub fn verify_submission(
    prompt: &str,
    submit_time: i64,
    signature: &str,
    validator: &Hotkey,
    miner: &Hotkey,
) -> bool {
    let mut bytes = [0; 66];
    if signature.len() != 88 {
        return false;
    }
    let Ok(64) = STANDARD.decode_slice(signature, &mut bytes) else {
        return false;
    };
    let mut signature = [0; 64];
    signature.copy_from_slice(&bytes[..64]);
    verify(miner, &submit_message(submit_time, prompt, validator, miner), &signature)
}

/// Signs a result as a miner: the base64 text that [`verify_submission`] accepts.
pub fn sign_submission(
    keypair: &Keypair,
    prompt: &str,
    submit_time: i64,
    validator: &Hotkey,
    randomness: [u8; 32],
) -> String {
    let message = submit_message(submit_time, prompt, validator, &keypair.hotkey());
    STANDARD.encode(keypair.sign(&message, randomness))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_has_its_199_characters() {
        assert_eq!(DECLARATION.len(), 199);
        assert!(DECLARATION.ends_with("to this subnet and its end users"));
    }

    #[test]
    fn each_signed_part_counts() {
        let miner = Keypair::from_mini_secret(&[1; 32]);
        let validator = Keypair::from_mini_secret(&[2; 32]).hotkey();
        let signature = sign_submission(&miner, "naïve robot 🤖", 17, &validator, [0; 32]);
        let check = |prompt: &str, time, validator: &Hotkey, miner: &Hotkey| {
            verify_submission(prompt, time, &signature, validator, miner)
        };
        assert!(check("naïve robot 🤖", 17, &validator, &miner.hotkey()));
        assert!(!check("naive robot 🤖", 17, &validator, &miner.hotkey()));
        assert!(!check("naïve robot 🤖", 18, &validator, &miner.hotkey()));
        assert!(!check("naïve robot 🤖", 17, &miner.hotkey(), &miner.hotkey()));
        assert!(!check("naïve robot 🤖", 17, &validator, &validator));
    }

    #[test]
    fn malformed_signatures_are_invalid_and_nothing_worse() {
        let miner = Keypair::from_mini_secret(&[1; 32]);
        let validator = Keypair::from_mini_secret(&[2; 32]).hotkey();
        let good = sign_submission(&miner, "robot", 17, &validator, [0; 32]);
        let unpadded = good.trim_end_matches('=');
        let spaced = format!("{good}\n");
        let stars = "*".repeat(88);
        for text in ["", "***", unpadded, &spaced, &stars, &"A".repeat(88), &"é".repeat(44)] {
            assert!(!verify_submission("robot", 17, text, &validator, &miner.hotkey()), "{text}");
        }
    }
}

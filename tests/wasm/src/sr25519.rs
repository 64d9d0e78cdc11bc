use sn17_core::Hotkey;
use sn17_wire::{sr25519 as signatures, ss58};

use crate::Tally;

/// The key of the throwaway mini-secret of 32 bytes 0x11, as bittensor-wallet 4.1.1 derives it.
const HOTKEY_HEX: &str = "50780547322a1ceba67ea8c552c9bc6c686f8698ac9a8cafab7cd15a1db19859";
const HOTKEY_SS58: &str = "5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi";

/// Messages and what bittensor-wallet 4.1.1 signed them with.
const SIGNED: [(&str, &str); 3] = [
    (
        "",
        "ce89ec56691a119d69b8210b8cc816b8c2e51595cbe4def1d9672c0878042f7d\
         78f6566dfce0bf3efab3e7632c359121082913aa643cdd0fe101ece90578c583",
    ),
    (
        "hello",
        "ee0b5957b322a59d0d970983f3fed32d03aa7b1eafc463355a5d44cd9eb9c50a\
         9aaa28f1df153ec456c5c3e70ce9edad9f6cc17f5aea6f14ddff23fd804fbc80",
    ),
    (
        "robot — ロボット",
        "0259f0bafa0356cbe3b4bcd55cba3d97557e1edfb1d2722297586b673f069a6e\
         dff9efc74d224616f3019a51d25d5eee640d11229be865772333cefdcce7e084",
    ),
];

/// Foreign signatures verify, altered ones do not, and our own verify as well.
pub fn sr25519() -> Tally {
    let mut tally = Tally::default();
    let keypair = signatures::Keypair::from_mini_secret(&[0x11; 32]);
    let hotkey = keypair.hotkey();
    tally.check(hex::encode(hotkey.0) == HOTKEY_HEX, "the public key of the mini-secret");
    tally.check(ss58::encode(&hotkey) == HOTKEY_SS58, "the address of the public key");
    tally.check(ss58::decode(HOTKEY_SS58).is_ok_and(|decoded| decoded == hotkey), "the key of the address");

    let stranger = Hotkey([0x17; 32]);
    for (message, signature_hex) in SIGNED {
        let mut signature = [0; 64];
        if hex::decode_to_slice(signature_hex, &mut signature).is_err() {
            tally.check(false, "the vector is 64 bytes of hex");
            continue;
        }
        let message = message.as_bytes();
        tally.check(signatures::verify(&hotkey, message, &signature), "a foreign signature verifies");
        tally.check(!signatures::verify(&hotkey, b"other", &signature), "another message does not");
        tally.check(!signatures::verify(&stranger, message, &signature), "another key does not");
        signature[40] ^= 1;
        tally.check(!signatures::verify(&hotkey, message, &signature), "an altered signature does not");
        let own = keypair.sign(message, [7; 32]);
        tally.check(signatures::verify(&hotkey, message, &own), "our own signature verifies");
    }
    tally
}

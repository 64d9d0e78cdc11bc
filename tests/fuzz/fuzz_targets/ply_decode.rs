//! PLY: whatever decodes is whole and keeps every bit on its way through the writer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn17_splat::{Limits, decode, encode_ply, inspect};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { compressed_bytes_max: 1 << 20, splats_max: 100_000 };
    let _ = inspect(bytes);
    if let Ok(splats) = decode(bytes, &limits) {
        splats.check().expect("what decodes is whole");
        let ply = encode_ply(&splats).expect("what decodes can be written");
        let again = decode(&ply, &limits).expect("reads its own");
        assert!(again.positions == splats.positions && again.sh == splats.sh, "PLY keeps every bit");
    }
});

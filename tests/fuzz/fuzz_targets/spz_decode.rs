//! SPZ: whatever decodes is whole, agrees with its inspection, and can be written and read again. The input is tried
//! as a file and as the payload of a gzip member, so that the fuzzer gets past the checksums.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn17_splat::{Limits, SpzDialect, decode, encode_spz, inspect};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&stored_gzip(bytes));
});

fn check(bytes: &[u8]) {
    let limits = Limits { compressed_bytes_max: 1 << 20, splats_max: 100_000 };
    let info = inspect(bytes);
    if let Ok(splats) = decode(bytes, &limits) {
        splats.check().expect("what decodes is whole");
        assert_eq!(info.expect("what decodes can be inspected").splats, splats.len() as u64);
        if let Ok(packed) = encode_spz(&splats, SpzDialect::NianticV3, 0) {
            assert_eq!(decode(&packed, &limits).expect("reads its own").len(), splats.len());
        }
    }
}

/// A gzip member of one stored block with a checksum that holds.
fn stored_gzip(content: &[u8]) -> Vec<u8> {
    let content = &content[..content.len().min(0xffff)];
    let length = u16::try_from(content.len()).expect("cut to 16 bits");
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(content);
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

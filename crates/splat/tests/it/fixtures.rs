//! The two sample splats of the original network, when they are at hand.

use std::fs;
use std::path::PathBuf;

use sn17_splat::{
    Container, Format, Limits, SplatError, Splats, SpzDialect, decode, encode_ply, encode_spz, inspect,
};

/// The bytes of a sample, or nothing (and a line that says so) where the samples are not at hand.
fn fixture(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    Some(fs::read(PathBuf::from(folder).join(name)).expect("the fixture can be read"))
}

fn robocop() -> Option<Vec<u8>> {
    fixture("robocop with hammer in one hand.spz")
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    let close = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1e-6);
    assert!(close, "{found:?} is not {expected:?}");
}

fn unpacked(splats: &Splats) -> Vec<u8> {
    let frame = encode_spz(splats, SpzDialect::Network, 1).expect("encodes");
    zstd::bulk::decompress(&frame, 16 + 19 * splats.len()).expect("inflates")
}

#[test]
fn robocop_decodes_to_the_originals_values() {
    let Some(bytes) = robocop() else { return };
    let splats = decode(&bytes, &Limits::default()).expect("decodes");
    assert_eq!(splats.len(), 267_776);
    assert_eq!(splats.sh_degree, 0);
    assert_close(&splats.positions[0], &[-0.309_326_17, -0.034_667_97, -0.086_669_92]);
    assert_close(&splats.colors[0], &[-1.555_555_3, -1.581_699_1, -1.503_267_8]);
    assert_close(&[splats.opacities[0]], &[1.487_390_5]);
    assert_close(&splats.scales[0], &[-7.0, -6.9375, -5.9375]);
    assert_close(&splats.rotations[0], &[0.799_057_54, -0.568_627_4, 0.035_294_18, 0.192_156_91]);
}

#[test]
fn robocops_header_is_known_from_its_first_block() {
    let Some(bytes) = robocop() else { return };
    let info = inspect(&bytes[..(128 << 10) + 32]).expect("inspects");
    assert_eq!(info.format, Format::Spz(Container::Network));
    assert_eq!((info.version, info.splats, info.fractional_bits), (2, 267_776, 12));
    assert_eq!(info.packed_bytes, 19 * 267_776);
    assert_eq!(info.decoded_bytes, 56 * 267_776);
}

#[test]
fn robocop_is_stable_after_one_cycle() {
    let Some(bytes) = robocop() else { return };
    let original = zstd::bulk::decompress(&bytes, 6 << 20).expect("inflates");
    assert_eq!(original.len(), 16 + 19 * 267_776);
    let first = unpacked(&decode(&bytes, &Limits::default()).expect("decodes"));
    assert!(first[..16] == original[..16], "the same header");
    let again = encode_spz(&decode(&bytes, &Limits::default()).expect("decodes"), SpzDialect::Network, 1)
        .expect("encodes");
    let second = unpacked(&decode(&again, &Limits::default()).expect("decodes"));
    assert!(first == second, "decode and encode of a re-encoded file change nothing");
}

#[test]
fn robocop_becomes_a_ply_of_the_known_size() {
    let Some(bytes) = robocop() else { return };
    let splats = decode(&bytes, &Limits::default()).expect("decodes");
    let ply = encode_ply(&splats).expect("encodes");
    assert_eq!(ply.len(), 14_995_818);
    assert!(decode(&ply, &Limits::default()).expect("decodes") == splats, "PLY keeps every bit");
}

#[test]
fn hamburger_survives_both_dialects() {
    let Some(bytes) = fixture("hamburger.ply") else {
        return;
    };
    let splats = decode(&bytes, &Limits::default()).expect("decodes");
    assert_eq!(splats.len(), 52_709);
    for dialect in [SpzDialect::Network, SpzDialect::NianticV3] {
        let packed = encode_spz(&splats, dialect, dialect.default_level()).expect("encodes");
        let back = decode(&packed, &Limits::default()).expect("decodes");
        for (before, after) in splats.positions.iter().zip(&back.positions) {
            for (before, after) in before.iter().zip(after) {
                assert!((before - after).abs() <= 0.5 / 4096.0, "{before} became {after} in {dialect:?}");
            }
        }
    }
}

#[test]
fn a_cut_sample_is_truncated() {
    let Some(bytes) = robocop() else { return };
    let half = decode(&bytes[..bytes.len() / 2], &Limits::default());
    assert!(matches!(half, Err(SplatError::Truncated { .. })), "{half:?}");
}

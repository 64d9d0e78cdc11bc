//! The three containers and four versions of SPZ.

use sn17_splat::{Container, Format, Info, Limits, SplatError, Splats, decode, inspect, read};

use crate::build::{Payload, unsized_zstd_frame};

fn decoded(bytes: &[u8]) -> Splats {
    decode(bytes, &Limits::default()).expect("decodes")
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    let close = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1e-6);
    assert!(close, "{found:?} is not {expected:?}");
}

#[test]
fn one_splat_has_the_values_of_the_formulas() {
    let splats = decoded(&Payload::one().network());
    assert_eq!(splats.len(), 1);
    assert_close(&splats.positions[0], &[1.0, -1.0, 0.25]);
    assert_close(&splats.opacities, &[-1.386_294_4]);
    assert_close(&splats.colors[0], &[-3.333_333_3, 3.333_333_3, -2.0]);
    assert_close(&splats.scales[0], &[0.0, -1.0, 1.0]);
    // x is 1 already, so nothing is left for w.
    assert_close(&splats.rotations[0], &[0.0, 1.0, -0.6, -0.2]);
    assert!(splats.sh.is_empty() && splats.sh_degree == 0 && !splats.antialiased);
}

#[test]
fn containers_of_the_same_payload_decode_alike() {
    for degree in 0..=3 {
        let payload = Payload::pattern(2, 100, degree);
        let network = decoded(&payload.network());
        assert_eq!(network.sh.len(), 300 * ((usize::from(degree) + 1).pow(2) - 1), "degree {degree}");
        assert_eq!(network, decoded(&payload.gzip()), "degree {degree}");
        assert_eq!(network, decoded(&unsized_zstd_frame(&payload.bytes())), "degree {degree}");
    }
}

#[test]
fn version_4_decodes_like_version_3() {
    for degree in 0..=4 {
        let version_3 = Payload::pattern(3, 70, degree);
        let version_4 = Payload { version: 4, ..version_3.clone() };
        assert_eq!(decoded(&version_3.gzip()), decoded(&version_4.streams(&[])), "degree {degree}");
    }
}

#[test]
fn arrays_longer_than_a_chunk_decode_whole() {
    // 64 KiB hold 7281 positions or 1456 harmonics of degree 3.
    let payload = Payload::pattern(2, 20_000, 3);
    let splats = decoded(&payload.network());
    let last = Payload {
        count: 1,
        arrays: payload.arrays.clone().map(|array| array[array.len() / 20_000 * 19_999..].to_vec()),
        ..payload
    };
    let alone = decoded(&last.network());
    assert_eq!(splats.len(), 20_000);
    assert_eq!(splats.positions[19_999], alone.positions[0]);
    assert_eq!(splats.sh[19_999 * 45..], alone.sh[..]);
}

#[test]
fn version_1_positions_are_half_floats() {
    let mut payload = Payload::pattern(1, 1, 0);
    payload.arrays[0] = vec![0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38];
    for bytes in [payload.network(), payload.gzip()] {
        assert_close(&decoded(&bytes).positions[0], &[1.0, -2.0, 0.5]);
    }
}

#[test]
fn half_floats_that_are_not_finite_are_named() {
    for half in [[0x00, 0x7c], [0x01, 0x7e], [0x00, 0xfc]] {
        let mut payload = Payload::pattern(1, 5, 0);
        payload.arrays[0][3 * 6 + 4..3 * 6 + 6].copy_from_slice(&half);
        let error = decode(&payload.gzip(), &Limits::default()).expect_err("refused");
        assert_eq!(error.to_string(), "the position of splat 3 is not a finite number");
    }
}

#[test]
fn version_3_rotations_are_the_smallest_three() {
    let mut payload = Payload::pattern(3, 2, 0);
    // w is the largest, x has magnitude 0 and a sign, y is half of √½, z is zero.
    let packed = 3_u32 << 30 | 1 << 29 | 256 << 10;
    // x is the largest, w is minus √½.
    let other = 1 << 9 | 511_u32;
    payload.arrays[4] = [packed.to_le_bytes(), other.to_le_bytes()].concat();
    let splats = decoded(&payload.gzip());
    let y = std::f32::consts::FRAC_1_SQRT_2 * 256.0 / 511.0;
    assert_close(&splats.rotations[0], &[(1.0 - y * y).sqrt(), 0.0, y, 0.0]);
    let half = std::f32::consts::FRAC_1_SQRT_2;
    assert_close(&splats.rotations[1], &[-half, half, 0.0, 0.0]);
}

#[test]
fn opacities_of_0_and_1_are_infinite_logits() {
    let mut payload = Payload::pattern(2, 2, 0);
    payload.arrays[1] = vec![0, 255];
    assert_eq!(decoded(&payload.network()).opacities, [f32::NEG_INFINITY, f32::INFINITY]);
}

#[test]
fn the_antialiasing_flag_survives() {
    let payload = Payload { flags: 1, ..Payload::one() };
    assert!(decoded(&payload.network()).antialiased, "flag 1");
    let other = Payload { flags: 0xf8, ..Payload::one() };
    assert!(!decoded(&other.network()).antialiased, "flags that the original ignores");
}

#[test]
fn fractional_bits_scale_the_positions() {
    for (bits, expected) in [(0, 4096.0), (24, 1.0 / 4096.0)] {
        let payload = Payload { fractional_bits: bits, ..Payload::one() };
        assert_close(&decoded(&payload.network()).positions[0][..1], &[expected]);
    }
}

#[test]
fn harmless_extensions_of_version_4_are_skipped() {
    let payload = Payload { version: 4, flags: 2, ..Payload::pattern(3, 3, 1) };
    let camera = [&0xadbe_0002_u32.to_le_bytes()[..], &12_u32.to_le_bytes(), &[7; 12]].concat();
    let plain = Payload { flags: 0, ..payload.clone() };
    assert_eq!(decoded(&payload.streams(&camera)), decoded(&plain.streams(&[])));
    let quantization = [&camera[..], &0xadbe_0001_u32.to_le_bytes(), &0_u32.to_le_bytes()].concat();
    let refused = decode(&payload.streams(&quantization), &Limits::default());
    assert!(matches!(refused, Err(SplatError::Extensions)), "{refused:?}");
}

#[test]
fn inspect_tells_every_container() {
    let version_2 = Payload::pattern(2, 9, 1);
    let version_4 = Payload { version: 4, flags: 1, ..Payload::pattern(3, 9, 4) };
    let expected = Info {
        format: Format::Spz(Container::Network),
        version: 2,
        splats: 9,
        sh_degree: 1,
        fractional_bits: 12,
        flags: 0,
        antialiased: false,
        packed_bytes: 9 * (19 + 9),
        decoded_bytes: 9 * 4 * (14 + 9),
    };
    assert_eq!(inspect(&version_2.network()).expect("inspects"), expected);
    let gzip = Info { format: Format::Spz(Container::Gzip), ..expected };
    assert_eq!(inspect(&version_2.gzip()).expect("inspects"), gzip);
    let streams = Info {
        format: Format::Spz(Container::Streams),
        version: 4,
        sh_degree: 4,
        flags: 1,
        antialiased: true,
        packed_bytes: 9 * (20 + 72),
        decoded_bytes: 9 * 4 * (14 + 72),
        ..expected
    };
    assert_eq!(inspect(&version_4.streams(&[])[..32]).expect("the header alone is enough"), streams);
}

#[test]
fn a_reader_that_trickles_gives_the_same() {
    /// Hands out one byte at a time.
    struct Trickle<'a>(&'a [u8]);
    impl std::io::Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let (Some(to), Some((from, rest))) = (buffer.first_mut(), self.0.split_first()) else {
                return Ok(0);
            };
            *to = *from;
            self.0 = rest;
            Ok(1)
        }
    }
    let payload = Payload::pattern(2, 50, 2);
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 50, 2) };
    for bytes in [payload.network(), payload.gzip(), version_4.streams(&[])] {
        let trickled = read(std::io::BufReader::with_capacity(1, Trickle(&bytes)), &Limits::default());
        assert_eq!(trickled.expect("decodes"), decoded(&bytes));
    }
}

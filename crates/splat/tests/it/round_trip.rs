//! What is written is read back.

use proptest::prelude::*;
use sn17_splat::{
    Field, Limits, Normals, SplatError, Splats, SpzDialect, decode, encode_ply, encode_spz, inspect,
    transcode_to_ply, write_ply,
};

use crate::build::Payload;

const DIALECTS: [SpzDialect; 2] = [SpzDialect::Network, SpzDialect::NianticV3];

fn splats(degree_max: u8) -> impl Strategy<Value = Splats> {
    (1_usize..40, 0..=degree_max, any::<bool>()).prop_flat_map(|(count, sh_degree, antialiased)| {
        let sh_len = count * 3 * ((usize::from(sh_degree) + 1).pow(2) - 1);
        let rotation = prop::array::uniform4(-1.0_f32..1.0)
            .prop_filter("a direction", |rotation| rotation.iter().any(|value| value.abs() > 0.1));
        (
            prop::collection::vec(prop::array::uniform3(-2047.0_f32..2047.0), count),
            prop::collection::vec(prop::array::uniform3(-10.0_f32..5.9), count),
            prop::collection::vec(rotation, count),
            prop::collection::vec(-20.0_f32..20.0, count),
            prop::collection::vec(prop::array::uniform3(-3.3_f32..3.3), count),
            prop::collection::vec(-0.9_f32..0.9, sh_len),
        )
            .prop_map(move |(positions, scales, rotations, opacities, colors, sh)| Splats {
                positions,
                scales,
                rotations,
                opacities,
                colors,
                sh,
                sh_degree,
                antialiased,
            })
    })
}

fn one() -> Splats {
    Splats {
        positions: vec![[0.0; 3]],
        scales: vec![[0.0; 3]],
        rotations: vec![[1.0, 0.0, 0.0, 0.0]],
        opacities: vec![0.0],
        colors: vec![[0.0; 3]],
        ..Splats::default()
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-logit))
}

/// |cos| of half the angle between two rotations.
fn alignment(left: [f32; 4], right: [f32; 4]) -> f32 {
    let dot = |a: [f32; 4], b: [f32; 4]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    (dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()).abs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ply_keeps_every_bit(splats in splats(4)) {
        // PLY has no place for this flag.
        let splats = Splats { antialiased: false, ..splats };
        let bytes = encode_ply(&splats).expect("encodes");
        prop_assert_eq!(&decode(&bytes, &Limits::default()).expect("decodes"), &splats);
        let mut with_normals = Vec::new();
        write_ply(&splats, Normals::Zero, &mut with_normals).expect("encodes");
        prop_assert_eq!(decode(&with_normals, &Limits::default()).expect("decodes"), splats);
    }

    #[test]
    fn spz_keeps_what_its_steps_allow(splats in splats(3), dialect in prop::sample::select(&DIALECTS)) {
        let bytes = encode_spz(&splats, dialect, dialect.default_level()).expect("encodes");
        let back = decode(&bytes, &Limits::default()).expect("decodes");
        prop_assert_eq!(inspect(&bytes).expect("inspects").splats, splats.len() as u64);
        prop_assert_eq!((back.sh_degree, back.antialiased), (splats.sh_degree, splats.antialiased));
        let worst = |left: &[f32], right: &[f32]| {
            assert_eq!(left.len(), right.len(), "as many numbers");
            left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0_f32, f32::max)
        };
        prop_assert!(worst(splats.positions.as_flattened(), back.positions.as_flattened()) <= 0.51 / 4096.0);
        prop_assert!(worst(splats.scales.as_flattened(), back.scales.as_flattened()) <= 0.51 / 16.0);
        prop_assert!(worst(splats.colors.as_flattened(), back.colors.as_flattened()) <= 0.51 / (255.0 * 0.15));
        for (before, after) in splats.opacities.iter().zip(&back.opacities) {
            prop_assert!((sigmoid(*before) - sigmoid(*after)).abs() <= 0.51 / 255.0);
        }
        // Degree 1 keeps 5 bits, the rest 4; half a bucket and the rounding before it.
        prop_assert!(worst(&splats.sh, &back.sh) <= 8.6 / 128.0);
        // Version 2 rebuilds w from three bytes and is coarse where w is small.
        let least = if dialect == SpzDialect::Network { 0.98 } else { 0.9999 };
        for (before, after) in splats.rotations.iter().zip(&back.rotations) {
            prop_assert!(alignment(*before, *after) >= least, "{before:?} became {after:?}");
        }
    }
}

#[test]
fn transcoding_writes_what_decoding_and_writing_do() {
    // More splats than one slice, every container.
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 3000, 4) };
    let files = [
        Payload::pattern(1, 3000, 0).gzip(),
        Payload::pattern(2, 3000, 3).network(),
        version_4.streams(&[]),
        encode_ply(&one()).expect("encodes"),
    ];
    for file in files {
        for normals in [Normals::Omit, Normals::Zero] {
            let mut through_floats = Vec::new();
            let splats = decode(&file, &Limits::default()).expect("decodes");
            write_ply(&splats, normals, &mut through_floats).expect("writes");
            let mut direct = Vec::new();
            transcode_to_ply(&file[..], &Limits::default(), normals, &mut direct).expect("transcodes");
            assert!(direct == through_floats, "{normals:?}, {} splats", splats.len());
        }
    }
}

#[test]
fn transcoding_refuses_before_it_writes() {
    let file = Payload::pattern(2, 3000, 0).network();
    let limits = Limits { compressed_bytes_max: file.len() as u64 - 1, ..Limits::default() };
    let mut target = Vec::new();
    let refused = transcode_to_ply(&file[..], &limits, Normals::Omit, &mut target);
    assert!(matches!(refused, Err(SplatError::TooLarge { .. })), "{refused:?}");
    let refused = transcode_to_ply(&file[..file.len() - 1], &Limits::default(), Normals::Omit, &mut target);
    assert!(matches!(refused, Err(SplatError::Truncated { .. })), "{refused:?}");
    assert!(target.is_empty(), "nothing was written");
    let mut half = Payload::pattern(1, 3000, 0);
    half.arrays[0][2500 * 6..2500 * 6 + 2].copy_from_slice(&[0, 0x7c]);
    let refused = transcode_to_ply(&half.gzip()[..], &Limits::default(), Normals::Omit, &mut target);
    assert!(
        matches!(refused, Err(SplatError::NonFinite { splat: 2500, field: Field::Position })),
        "{refused:?}"
    );
}

#[test]
fn the_network_gets_a_frame_with_its_size() {
    let bytes = encode_spz(&one(), SpzDialect::Network, 1).expect("encodes");
    assert_eq!(bytes[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(bytes[4] & 0xe0, 0x20, "one segment, content size in one byte");
    assert_eq!(bytes[5], 16 + 19);
    let payload = zstd::bulk::decompress(&bytes, 100).expect("inflates");
    assert_eq!(payload[..16], [b'N', b'G', b'S', b'P', 2, 0, 0, 0, 1, 0, 0, 0, 0, 12, 0, 0]);
    assert_eq!(payload[16..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 128, 128, 128, 160, 160, 160, 128, 128, 128]);
}

#[test]
fn infinite_opacities_survive() {
    let splats = Splats { opacities: vec![f32::NEG_INFINITY], ..one() };
    let bytes = encode_spz(&splats, SpzDialect::Network, 1).expect("encodes");
    assert_eq!(decode(&bytes, &Limits::default()).expect("decodes").opacities, [f32::NEG_INFINITY]);
}

#[test]
fn positions_end_at_the_range_of_24_bits() {
    for (x, fits) in
        [(2047.999, true), (-2048.0, true), (2048.0, false), (-2048.001, false), (f32::MAX, false)]
    {
        let splats = Splats { positions: vec![[x, 0.0, 0.0]], ..one() };
        let encoded = encode_spz(&splats, SpzDialect::Network, 1);
        assert_eq!(encoded.is_ok(), fits, "{x}");
        if let Err(error) = encoded {
            assert!(matches!(error, SplatError::PositionRange { splat: 0 }), "{error}");
        }
    }
}

#[test]
fn values_beyond_a_byte_are_clamped() {
    let splats = Splats { scales: vec![[-50.0, 50.0, 5.9375]], colors: vec![[-9.0, 9.0, 0.0]], ..one() };
    let bytes = encode_spz(&splats, SpzDialect::Network, 1).expect("encodes");
    let back = decode(&bytes, &Limits::default()).expect("decodes");
    assert_eq!(back.scales[0], [-10.0, 5.9375, 5.9375]);
    assert!((back.colors[0][1] - 3.333_333).abs() < 1e-5, "{:?}", back.colors[0]);
}

#[test]
fn degenerate_splats_are_refused_by_name() {
    let zero = Splats { rotations: vec![[0.0; 4]], ..one() };
    let error = encode_spz(&zero, SpzDialect::Network, 1).expect_err("refused");
    assert!(matches!(error, SplatError::ZeroRotation { splat: 0 }), "{error}");
    let tiny = Splats { rotations: vec![[1e-30, 0.0, 0.0, 0.0]], ..one() };
    assert!(encode_spz(&tiny, SpzDialect::NianticV3, 6).is_ok(), "a direction, however short");

    type Break = fn(&mut Splats);
    let broken: [(Field, Break); 6] = [
        (Field::Position, |splats| splats.positions[0][1] = f32::NAN),
        (Field::Opacity, |splats| splats.opacities[0] = f32::NAN),
        (Field::Color, |splats| splats.colors[0][2] = f32::INFINITY),
        (Field::Scale, |splats| splats.scales[0][0] = f32::NEG_INFINITY),
        (Field::Rotation, |splats| splats.rotations[0][3] = f32::NAN),
        (Field::Sh, |splats| splats.sh[8] = f32::NAN),
    ];
    for (expected, make) in broken {
        let mut splats = Splats { sh: vec![0.0; 9], sh_degree: 1, ..one() };
        make(&mut splats);
        for dialect in DIALECTS {
            let error = encode_spz(&splats, dialect, 1).expect_err("refused");
            assert!(
                matches!(error, SplatError::NonFinite { splat: 0, field } if field == expected),
                "{error}"
            );
        }
    }
}

#[test]
fn arrays_of_different_lengths_are_refused() {
    type Break = fn(&mut Splats);
    let broken: [(Field, Break); 5] = [
        (Field::Opacity, |splats| splats.opacities.push(0.0)),
        (Field::Color, |splats| splats.colors.clear()),
        (Field::Scale, |splats| splats.scales.clear()),
        (Field::Rotation, |splats| splats.rotations.push([1.0; 4])),
        (Field::Sh, |splats| splats.sh_degree = 1),
    ];
    for (expected, make) in broken {
        let mut splats = one();
        make(&mut splats);
        for result in [encode_ply(&splats), encode_spz(&splats, SpzDialect::Network, 1)] {
            assert!(
                matches!(result, Err(SplatError::Length { field, .. }) if field == expected),
                "{result:?}"
            );
        }
    }
    assert!(matches!(encode_ply(&Splats::default()), Err(SplatError::NoSplats)), "nothing to write");
}

#[test]
fn degrees_and_levels_have_limits() {
    let degree_4 = Splats { sh: vec![0.0; 72], sh_degree: 4, ..one() };
    let refused = encode_spz(&degree_4, SpzDialect::Network, 1);
    assert!(matches!(refused, Err(SplatError::Degree { degree: 4, max: 3 })), "{refused:?}");
    assert!(encode_spz(&degree_4, SpzDialect::NianticV3, 6).is_ok(), "version 3 has room for degree 4");
    let degree_5 = Splats { sh: vec![0.0; 105], sh_degree: 5, ..one() };
    assert!(matches!(encode_ply(&degree_5), Err(SplatError::Degree { degree: 5, max: 4 })), "ply");
    for (dialect, level, fits) in [
        (SpzDialect::Network, 1, true),
        (SpzDialect::Network, 22, true),
        (SpzDialect::Network, 0, false),
        (SpzDialect::Network, 23, false),
        (SpzDialect::NianticV3, 0, true),
        (SpzDialect::NianticV3, 9, true),
        (SpzDialect::NianticV3, 10, false),
        (SpzDialect::NianticV3, -1, false),
    ] {
        let result = encode_spz(&one(), dialect, level);
        assert_eq!(result.is_ok(), fits, "{dialect:?} at {level}");
        assert!(fits || matches!(result, Err(SplatError::Level { .. })), "{result:?}");
    }
}

#[test]
fn a_target_that_fails_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let result = write_ply(&one(), Normals::Omit, Full);
    assert!(matches!(result, Err(SplatError::Io(_))), "{result:?}");
}

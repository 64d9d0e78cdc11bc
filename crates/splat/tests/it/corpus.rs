//! The fuzzers' corpus, replayed: every file is refused or decodes, and what decodes survives the encoders.

use std::fs;
use std::path::PathBuf;

use sn17_splat::{Limits, SpzDialect, decode, encode_ply, encode_spz, inspect};

use crate::build::{Payload, float_properties, ply_header, ply_one, unsized_zstd_frame};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target)
}

/// The seeds of both fuzz targets: one file for each container, version and kind of trouble.
fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let version_1 = Payload::pattern(1, 2, 0);
    let version_2 = Payload::pattern(2, 2, 1);
    let version_3 = Payload::pattern(3, 2, 0);
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 2, 1) };
    let lying = Payload { count: 9_999_999, ..version_2.clone() };
    let bomb = [version_2.bytes(), vec![0; 1 << 20]].concat();
    let camera = [&0xadbe_0002_u32.to_le_bytes()[..], &12_u32.to_le_bytes(), &[7; 12]].concat();
    let extended = Payload { flags: 2, ..version_4.clone() };
    let mut rest = float_properties();
    rest.extend((0..9).map(|index| format!("float f_rest_{index}")));
    let mut mixed = float_properties();
    mixed[3] = "uchar f_dc_0".into();
    mixed[7] = "double scale_0".into();
    let elements = ply_header(1, &float_properties())
        .replace("element vertex", "comment a\r\nelement camera 1\nproperty int id\nelement vertex");
    let body = |header: String, bytes: u8| [header.into_bytes(), (0..bytes).collect()].concat();
    vec![
        ("spz_decode", "network_v1", version_1.network()),
        ("spz_decode", "network_v2", version_2.network()),
        ("spz_decode", "network_v2_unsized", unsized_zstd_frame(&version_2.bytes())),
        ("spz_decode", "network_lying_count", lying.network()),
        ("spz_decode", "network_bomb", unsized_zstd_frame(&bomb)),
        ("spz_decode", "gzip_v1", version_1.gzip()),
        ("spz_decode", "gzip_v2", version_2.gzip()),
        ("spz_decode", "gzip_v3", version_3.gzip()),
        ("spz_decode", "gzip_lying_count", lying.gzip()),
        ("spz_decode", "streams_v4", version_4.streams(&[])),
        ("spz_decode", "streams_v4_extended", extended.streams(&camera)),
        ("ply_decode", "plain", ply_one()),
        ("ply_decode", "harmonics", body(ply_header(1, &rest), 14 * 4 + 9 * 4)),
        ("ply_decode", "mixed_types", body(ply_header(1, &mixed), 14 * 4 - 3 + 4)),
        ("ply_decode", "elements", body(elements, 4 + 14 * 4)),
        ("ply_decode", "lying_count", body(ply_header(9_999_999, &float_properties()), 56)),
        (
            "ply_decode",
            "ascii",
            ply_header(1, &float_properties()).replace("binary_little_endian", "ascii").into(),
        ),
    ]
}

/// Run with `-- --ignored write_the_seeds` after a change of the seeds, and commit the result.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_seeds() {
    for (target, name, bytes) in seeds() {
        fs::create_dir_all(folder(target)).expect("the folder can be made");
        fs::write(folder(target).join(name), bytes).expect("the seed can be written");
    }
}

#[test]
fn the_corpus_is_survived() {
    let limits = Limits { compressed_bytes_max: 1 << 20, splats_max: 100_000 };
    for target in ["ply_decode", "spz_decode"] {
        let mut files = 0;
        for entry in fs::read_dir(folder(target)).expect("the corpus is committed") {
            let path = entry.expect("the corpus can be listed").path();
            let bytes = fs::read(&path).expect("the corpus can be read");
            let _ = inspect(&bytes);
            files += 1;
            let Ok(splats) = decode(&bytes, &limits) else {
                continue;
            };
            splats.check().expect("what decodes is whole");
            let ply = encode_ply(&splats).expect("what decodes can be written");
            assert_eq!(
                decode(&ply, &limits).expect("reads its own").len(),
                splats.len(),
                "{}",
                path.display()
            );
            if let Ok(spz) = encode_spz(&splats, SpzDialect::NianticV3, 1) {
                assert_eq!(
                    decode(&spz, &limits).expect("reads its own").len(),
                    splats.len(),
                    "{}",
                    path.display()
                );
            }
        }
        let expected = seeds().iter().filter(|(of, ..)| *of == target).count();
        assert!(files >= expected, "{files} of {expected} seeds of {target} are there");
    }
}

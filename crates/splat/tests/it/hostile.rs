//! Files that lie, end early, go on too long or blow up.

use sn17_splat::{Field, Limits, Part, SplatError, Splats, decode, inspect, read};

use crate::build::{Payload, gzip_member, unsized_zstd_frame, zstd_frame};

fn refused(bytes: &[u8]) -> SplatError {
    refused_within(bytes, &Limits::default())
}

fn refused_within(bytes: &[u8], limits: &Limits) -> SplatError {
    decode(bytes, limits).map(|splats: Splats| splats.len()).expect_err("must be refused")
}

fn containers(payload: &Payload) -> [Vec<u8>; 3] {
    [payload.network(), unsized_zstd_frame(&payload.bytes()), payload.gzip()]
}

#[test]
fn every_cut_of_every_container_is_refused() {
    let version_2 = Payload::pattern(2, 6, 1);
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 6, 1) };
    for bytes in containers(&version_2).into_iter().chain([version_4.streams(&[9; 5])]) {
        for length in 4..bytes.len() {
            let error = refused(&bytes[..length]);
            assert!(matches!(error, SplatError::Truncated { .. }), "{length} of {}: {error:?}", bytes.len());
        }
        for length in 0..3 {
            let error = refused(&bytes[..length]);
            assert!(matches!(error, SplatError::UnknownFormat { .. }), "{length}: {error:?}");
        }
    }
}

#[test]
fn every_changed_byte_is_survived() {
    let version_2 = Payload::pattern(2, 6, 1);
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 6, 1) };
    for bytes in containers(&version_2).into_iter().chain([version_4.streams(&[])]) {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                // Some changes are legal; none may panic or allocate what the limits forbid.
                let _ = decode(&changed, &Limits { compressed_bytes_max: 1 << 20, splats_max: 100 });
                let _ = inspect(&changed);
            }
        }
    }
}

#[test]
fn trailing_bytes_are_not_surplus_payload() {
    let payload = Payload::pattern(2, 6, 0);
    for bytes in containers(&payload) {
        let error = refused(&[&bytes[..], &[0]].concat());
        assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
        // A second frame or member is no more welcome.
        let error = refused(&[&bytes[..], &bytes].concat());
        assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
    }
    let longer = [payload.bytes(), vec![0]].concat();
    for bytes in [unsized_zstd_frame(&longer), gzip_member(&longer)] {
        let error = refused(&bytes);
        assert!(matches!(error, SplatError::Surplus), "{error:?}");
    }
    let error = refused(&zstd_frame(&longer));
    assert!(matches!(error, SplatError::ContentSize { stated: 131, expected: 130 }), "{error:?}");
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 6, 0) };
    let error = refused(&[version_4.streams(&[]), vec![0]].concat());
    assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
}

#[test]
fn a_short_payload_names_the_array_that_is_missing() {
    let payload = Payload::pattern(2, 6, 1);
    let bytes = payload.bytes();
    let ends = [
        (15, Part::Header),
        (16 + 53, Part::Field(Field::Position)),
        (16 + 54, Part::Field(Field::Opacity)),
        (16 + 77, Part::Field(Field::Color)),
        (16 + 95, Part::Field(Field::Scale)),
        (16 + 113, Part::Field(Field::Rotation)),
        (16 + 167, Part::Field(Field::Sh)),
    ];
    for (length, expected) in ends {
        for bytes in [unsized_zstd_frame(&bytes[..length]), gzip_member(&bytes[..length])] {
            let error = refused(&bytes);
            assert!(
                matches!(error, SplatError::Shortfall { part } if part == expected),
                "{length}: {error:?}"
            );
        }
    }
}

#[test]
fn lying_headers_are_refused_before_their_arrays() {
    type Check = fn(&SplatError) -> bool;
    let lies: [(Payload, Check); 7] = [
        (Payload { magic: 0, ..Payload::one() }, |error| {
            matches!(error, SplatError::PayloadMagic { found: 0 })
        }),
        (Payload { version: 0, ..Payload::one() }, |error| {
            matches!(error, SplatError::Version { version: 0 })
        }),
        (Payload { version: 4, ..Payload::one() }, |error| {
            matches!(error, SplatError::Version { version: 4 })
        }),
        (Payload { sh_degree: 5, ..Payload::one() }, |error| {
            matches!(error, SplatError::Degree { degree: 5, .. })
        }),
        (Payload { fractional_bits: 25, ..Payload::one() }, |error| {
            matches!(error, SplatError::FractionalBits { bits: 25 })
        }),
        (Payload { count: 0, ..Payload::one() }, |error| matches!(error, SplatError::NoSplats)),
        (Payload { count: u32::MAX, ..Payload::one() }, |error| {
            matches!(error, SplatError::TooManySplats { count: 4_294_967_295, limit: 10_000_000 })
        }),
    ];
    for (payload, check) in lies {
        for bytes in containers(&payload) {
            let error = refused(&bytes);
            assert!(check(&error), "{payload:?}: {error:?}");
        }
    }
    // The containers differ in what they know.
    let version_3 = Payload::pattern(3, 1, 0);
    assert!(matches!(refused(&version_3.network()), SplatError::Version { version: 3 }), "network");
    let degree_4 = Payload::pattern(2, 1, 4);
    assert!(matches!(refused(&degree_4.network()), SplatError::Degree { degree: 4, max: 3 }), "network");
    assert!(decode(&degree_4.gzip(), &Limits::default()).is_ok(), "Niantic's readers go up to degree 4");
    let extended = Payload { flags: 2, ..Payload::one() };
    assert!(matches!(refused(&extended.gzip()), SplatError::Extensions), "extensions in gzip");
}

#[test]
fn a_count_that_disagrees_with_the_frame_is_refused() {
    let payload = Payload { count: 7, ..Payload::pattern(2, 6, 0) };
    let error = refused(&payload.network());
    assert!(matches!(error, SplatError::ContentSize { stated: 130, expected: 149 }), "{error:?}");
    let error = refused(&payload.gzip());
    assert!(matches!(error, SplatError::Shortfall { part: Part::Field(Field::Rotation) }), "{error:?}");
}

#[test]
fn the_limits_hold_at_their_edges() {
    let payload = Payload::pattern(2, 6, 0);
    let version_4 = Payload { version: 4, ..Payload::pattern(3, 6, 0) };
    for bytes in containers(&payload).into_iter().chain([version_4.streams(&[])]) {
        let length = bytes.len() as u64;
        let exact = Limits { compressed_bytes_max: length, splats_max: 6 };
        assert_eq!(decode(&bytes, &exact).expect("within the limits").len(), 6);
        let error = refused_within(&bytes, &exact.with_splats_max(5));
        assert!(
            matches!(
                error,
                SplatError::TooManySplats { count: 6, limit: 5 } | SplatError::ContentSize { .. }
            ),
            "{error:?}"
        );
        let error = refused_within(&bytes, &Limits { compressed_bytes_max: length - 1, ..exact });
        assert!(matches!(error, SplatError::TooLarge { limit } if limit == length - 1), "{error:?}");
    }
}

#[test]
fn bombs_stop_at_their_own_header() {
    // 200 MiB of zeros behind a header of six splats.
    let bomb = [Payload::pattern(2, 6, 0).header(), vec![0; 200 << 20]].concat();
    let stated = zstd_frame(&bomb);
    assert!(bomb.len() / stated.len() > 10_000, "{} bytes are no bomb", stated.len());
    let error = refused(&stated);
    assert!(matches!(error, SplatError::ContentSize { expected: 130, .. }), "{error:?}");
    for bytes in [unsized_zstd_frame(&bomb), gzip_member(&bomb)] {
        assert!(matches!(refused(&bytes), SplatError::Surplus), "more than its header says");
    }
    // Larger than any splat within the limit: refused by the frame's header alone.
    let limits = Limits::default().with_splats_max(1_000_000);
    let error = refused_within(&stated[..18], &limits);
    assert!(matches!(error, SplatError::ContentSize { expected: 92_000_016, .. }), "{error:?}");
}

#[test]
fn frames_that_need_much_memory_are_refused() {
    // Window descriptors of 2 GiB without and 1 TiB with a content size.
    let unsized_frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3][..], &[0; 20]].concat();
    assert!(matches!(refused(&unsized_frame), SplatError::Window { limit: 8_388_608, .. }), "no size");
    let sized_frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, 30 << 3][..], &[35, 0, 0, 0], &[0; 20]].concat();
    assert!(matches!(refused(&sized_frame), SplatError::Window { limit: 134_217_728, .. }), "a size");
    assert!(matches!(inspect(&sized_frame), Err(SplatError::Window { .. })), "inspect as well");
}

#[test]
fn damaged_streams_say_so() {
    let mut network = Payload::pattern(2, 600, 0).network();
    let middle = network.len() / 2;
    network[9..middle].fill(0xff);
    assert!(matches!(refused(&network), SplatError::Inflate(_)), "zstd blocks");
    let mut gzip = Payload::pattern(2, 600, 0).gzip();
    let checksum = gzip.len() - 8;
    gzip[checksum] ^= 1;
    assert!(matches!(refused(&gzip), SplatError::Inflate(_)), "gzip checksum");
}

#[test]
fn lying_contents_of_version_4_are_refused() {
    let payload = Payload { version: 4, ..Payload::pattern(3, 6, 1) };
    let honest = payload.streams(&[]);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = honest.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        refused(&changed)
    };
    for error in [
        with(15, &[5]),
        with(15, &[255]),
        with(16, &31_u32.to_le_bytes()),
        with(16, &u32::MAX.to_le_bytes()),
        with(40, &55_u64.to_le_bytes()),
        with(40, &u64::MAX.to_le_bytes()),
    ] {
        assert!(matches!(error, SplatError::Contents { .. }), "{error:?}");
    }
    // A compressed size that ends before, or reaches beyond its frame.
    let size = u64::from_le_bytes(honest[32..40].try_into().expect("eight bytes"));
    let error = with(32, &(size - 1).to_le_bytes());
    assert!(matches!(error, SplatError::Truncated { .. }), "{error:?}");
    for size in [size + 1, u64::MAX] {
        let error = with(32, &size.to_le_bytes());
        assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
    }
    let mut other_content = payload;
    other_content.arrays[0].pop();
    let mut lying = other_content.streams(&[]);
    lying[40..48].copy_from_slice(&54_u64.to_le_bytes());
    let error = refused(&lying);
    assert!(matches!(error, SplatError::ContentSize { stated: 53, expected: 54 }), "{error:?}");
}

#[test]
fn foreign_files_are_named_by_their_first_bytes() {
    for bytes in [&b""[..], b"\x89PNG\r\n", b"PK\x03\x04", b"{\"a\":1}", b"\x1f\x8b\x09\x00", b"plywood\n"] {
        let SplatError::UnknownFormat { first } = refused(bytes) else {
            panic!("{bytes:?} is not a known format");
        };
        let length = bytes.len().min(4);
        assert_eq!(first[..length], bytes[..length]);
        assert!(inspect(bytes).is_err(), "inspect agrees");
    }
}

#[test]
fn a_failing_source_is_no_damage() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    let error = read(std::io::BufReader::new(Broken), &Limits::default()).expect_err("must fail");
    assert!(matches!(error, SplatError::Io(_)), "{error:?}");
}

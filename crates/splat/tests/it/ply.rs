//! PLY as it occurs in the wild, and as it should not.

use sn17_splat::{Field, Format, Limits, Part, PlyError, SplatError, Splats, decode, inspect};

use crate::build::{PROPERTIES, float_properties, ply_header, ply_one};

fn decoded(bytes: &[u8]) -> Splats {
    decode(bytes, &Limits::default()).expect("decodes")
}

fn refused(bytes: &[u8]) -> SplatError {
    decode(bytes, &Limits::default()).map(|splats| splats.len()).expect_err("must be refused")
}

fn ply_refused(bytes: &[u8]) -> PlyError {
    let error = refused(bytes);
    let SplatError::Ply(error) = error else { panic!("{error:?} is not about the header") };
    error
}

/// The body of [`ply_one`] behind another header.
fn with_header(header: &str) -> Vec<u8> {
    let one = ply_one();
    [header.as_bytes(), &one[one.len() - 56..]].concat()
}

fn expected_one() -> Splats {
    Splats {
        positions: vec![[0.5, 1.5, 2.5]],
        colors: vec![[3.5, 4.5, 5.5]],
        opacities: vec![6.5],
        scales: vec![[7.5, 8.5, 9.5]],
        rotations: vec![[10.5, 11.5, 12.5, 13.5]],
        ..Splats::default()
    }
}

#[test]
fn the_plain_layout() {
    assert_eq!(decoded(&ply_one()), expected_one());
    let info = inspect(&ply_one()).expect("inspects");
    assert_eq!(info.format, Format::Ply);
    assert_eq!((info.splats, info.packed_bytes, info.decoded_bytes), (1, 56, 56));
}

#[test]
fn carriage_returns_comments_and_blank_lines() {
    let header = ply_header(1, &float_properties());
    let windows = header.replace('\n', "\r\n");
    assert_eq!(decoded(&with_header(&windows)), expected_one());
    let talkative = header
        .replace("element", "comment made by hand\nobj_info nothing\n\nelement")
        .replace("property float opacity", "comment\nproperty float32 opacity");
    assert_eq!(decoded(&with_header(&talkative)), expected_one());
}

#[test]
fn any_order_any_type_and_strangers() {
    // Reversed, an integer, a double, a byte; normals and a colour in between.
    let types = [
        "char", "uchar", "short", "ushort", "int", "uint", "float", "double", "int8", "uint8", "int16",
        "uint16", "int32", "float64",
    ];
    let mut properties = Vec::new();
    let mut body = Vec::new();
    for (index, name) in PROPERTIES.iter().enumerate().rev() {
        let kind = types[index];
        properties.push(format!("{kind} {name}"));
        properties.push(format!("uchar stranger_{index}"));
        let value = index as u8 + 1;
        match kind {
            "char" | "uchar" | "int8" | "uint8" => body.push(value),
            "short" | "ushort" | "int16" | "uint16" => body.extend(u16::from(value).to_le_bytes()),
            "int" | "uint" | "int32" => body.extend(u32::from(value).to_le_bytes()),
            "float" => body.extend(f32::from(value).to_le_bytes()),
            _ => body.extend(f64::from(value).to_le_bytes()),
        }
        body.push(0xff);
    }
    let splats = decoded(&[ply_header(1, &properties).as_bytes(), &body].concat());
    assert_eq!(splats.positions, [[1.0, 2.0, 3.0]]);
    assert_eq!(splats.colors, [[4.0, 5.0, 6.0]]);
    assert_eq!(splats.opacities, [7.0]);
    assert_eq!(splats.scales, [[8.0, 9.0, 10.0]]);
    assert_eq!(splats.rotations, [[11.0, 12.0, 13.0, 14.0]]);
}

#[test]
fn signed_types_keep_their_sign() {
    for (kind, body) in [
        ("char", (-3_i8).to_le_bytes().to_vec()),
        ("short", (-3_i16).to_le_bytes().to_vec()),
        ("int", (-3_i32).to_le_bytes().to_vec()),
        ("double", (-3_f64).to_le_bytes().to_vec()),
    ] {
        let mut properties = float_properties();
        properties[0] = format!("{kind} x");
        let one = ply_one();
        let bytes = [ply_header(1, &properties).as_bytes(), &body, &one[one.len() - 52..]].concat();
        assert_eq!(decoded(&bytes).positions, [[-3.0, 1.5, 2.5]], "{kind}");
    }
}

#[test]
fn harmonics_change_from_planes_to_triples() {
    for (degree, count) in [(1, 9), (2, 24), (3, 45), (4, 72)] {
        let mut properties = float_properties();
        properties.extend((0..count).map(|index| format!("float f_rest_{index}")));
        let one = ply_one();
        let mut bytes = [ply_header(1, &properties).as_bytes(), &one[one.len() - 56..]].concat();
        for index in 0..count {
            bytes.extend((index as f32).to_le_bytes());
        }
        let splats = decoded(&bytes);
        assert_eq!(splats.sh_degree, degree);
        let per_channel = (count / 3) as f32;
        assert_eq!(
            splats.sh[..6],
            [0.0, per_channel, 2.0 * per_channel, 1.0, per_channel + 1.0, 2.0 * per_channel + 1.0]
        );
        assert_eq!(splats.sh.len(), count);
    }
}

#[test]
fn other_elements_are_stepped_over() {
    let header = ply_header(1, &float_properties());
    let before = header.replace("element vertex", "element camera 2\nproperty int id\nelement vertex");
    let one = ply_one();
    let body = &one[one.len() - 56..];
    assert_eq!(decoded(&[before.as_bytes(), &[9; 8], body].concat()), expected_one());
    let after = header.replace("end_header", "element face 3\nproperty short n\nend_header");
    assert_eq!(decoded(&[after.as_bytes(), body, &[9; 6]].concat()), expected_one());
    let error = refused(&[after.as_bytes(), body, &[9; 5]].concat());
    assert!(matches!(error, SplatError::Truncated { part: Part::OtherElement }), "{error:?}");
    let error = refused(&[after.as_bytes(), body, &[9; 7]].concat());
    assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
    let lists = header.replace("end_header", "element face 3\nproperty list uchar int v\nend_header");
    assert_eq!(decoded(&[lists.as_bytes(), body, &[9; 99]].concat()), expected_one());
    let lists = header.replace("element vertex", "element face 3\nproperty list uchar int v\nelement vertex");
    assert_eq!(ply_refused(lists.as_bytes()), PlyError::List("v".into()));
    let endless =
        header.replace("element vertex", "element a 18446744073709551615\nproperty int b\nelement vertex");
    let error = ply_refused(&[endless.as_bytes(), &[0; 4096]].concat());
    assert_eq!(error, PlyError::Preamble { bytes: u64::MAX, limit: 65_536 });
}

#[test]
fn every_cut_is_refused() {
    let bytes = ply_one();
    for length in 4..bytes.len() {
        let error = refused(&bytes[..length]);
        let part = if length < bytes.len() - 56 { Part::Header } else { Part::Vertices };
        assert!(
            matches!(error, SplatError::Truncated { part: found } if found == part),
            "{length}: {error:?}"
        );
    }
    let error = refused(&[&bytes[..], &[0]].concat());
    assert!(matches!(error, SplatError::TrailingBytes), "{error:?}");
}

#[test]
fn lying_counts() {
    let properties = float_properties();
    assert!(matches!(refused(&with_header(&ply_header(0, &properties))), SplatError::NoSplats), "none");
    let error = refused(&with_header(&ply_header(2, &properties)));
    assert!(matches!(error, SplatError::Truncated { part: Part::Vertices }), "{error:?}");
    for count in [10_000_001, u64::MAX] {
        let error = refused(&with_header(&ply_header(count, &properties)));
        assert!(matches!(error, SplatError::TooManySplats { limit: 10_000_000, .. }), "{error:?}");
    }
    // Within the limit, but with nothing behind it: refused before 560 MB are allocated.
    let error = refused(&with_header(&ply_header(10_000_000, &properties)));
    assert!(matches!(error, SplatError::Truncated { part: Part::Vertices }), "{error:?}");
    for count in ["-1", "1.5", "many", "99999999999999999999"] {
        let header = ply_header(1, &properties).replace("vertex 1", &format!("vertex {count}"));
        assert_eq!(ply_refused(header.as_bytes()), PlyError::Line(format!("element vertex {count}")));
    }
}

#[test]
fn other_formats_are_refused_by_name() {
    for format in ["ascii 1.0", "binary_big_endian 1.0", "binary_little_endian 2.0", ""] {
        let header = ply_header(1, &float_properties()).replace("binary_little_endian 1.0", format);
        assert_eq!(ply_refused(&with_header(&header)), PlyError::Format(format.into()));
    }
}

#[test]
fn missing_double_and_odd_properties() {
    for name in PROPERTIES {
        let mut properties = float_properties();
        properties.retain(|property| property != &format!("float {name}"));
        assert_eq!(ply_refused(ply_header(1, &properties).as_bytes()), PlyError::Missing(name.into()));
        properties = float_properties();
        properties.push(format!("float {name}"));
        assert_eq!(ply_refused(ply_header(1, &properties).as_bytes()), PlyError::Duplicate(name.into()));
    }
    for count in [1, 8, 10, 44, 71, 73, 105] {
        let mut properties = float_properties();
        properties.extend((0..count).map(|index| format!("float f_rest_{index}")));
        assert_eq!(ply_refused(ply_header(1, &properties).as_bytes()), PlyError::RestCount(count));
    }
    let mut properties = float_properties();
    properties.extend((1..10).map(|index| format!("float f_rest_{index}")));
    assert_eq!(ply_refused(ply_header(1, &properties).as_bytes()), PlyError::Missing("f_rest_0".into()));
    let mut properties = float_properties();
    properties.extend((0..500).map(|index| format!("uchar stranger_{index}")));
    assert_eq!(
        ply_refused(ply_header(1, &properties).as_bytes()),
        PlyError::TooManyProperties { limit: 512 }
    );
}

#[test]
fn headers_that_are_none() {
    let header =
        |middle: &str| format!("ply\nformat binary_little_endian 1.0\n{middle}end_header\n").into_bytes();
    assert_eq!(ply_refused(&header("")), PlyError::NoVertices);
    assert_eq!(ply_refused(&header("element face 1\nproperty int a\n")), PlyError::NoVertices);
    for line in ["property float x", "element vertex", "element vertex 1 2", "nonsense", "ply"] {
        assert_eq!(ply_refused(&header(&format!("{line}\n"))), PlyError::Line(line.into()));
    }
    for line in ["property half x", "property x", "property list uchar x", "property float x y"] {
        let error = ply_refused(&header(&format!("element vertex 1\n{line}\n")));
        assert_eq!(error, PlyError::Line(line.into()));
    }
    assert_eq!(
        ply_refused(&header("element vertex 1\nproperty list uchar int x\n")),
        PlyError::List("x".into())
    );
    assert_eq!(ply_refused(b"ply\nend_header\n"), PlyError::Line("end_header".into()));
    assert_eq!(ply_refused(b"ply\ncomment \xff\n"), PlyError::NotText);
    let endless = [&b"ply\ncomment "[..], &[b'a'; 1 << 20]].concat();
    assert_eq!(ply_refused(&endless), PlyError::TooLong { limit: 65_536 });
    let endless = [&b"ply\n"[..], &b"comment\n".repeat(1 << 16)].concat();
    assert_eq!(ply_refused(&endless), PlyError::TooLong { limit: 65_536 });
}

#[test]
fn numbers_that_are_none_are_named() {
    let fields = [
        (0, Field::Position),
        (3, Field::Color),
        (6, Field::Opacity),
        (7, Field::Scale),
        (13, Field::Rotation),
    ];
    for (index, expected) in fields {
        let mut bytes = ply_header(3, &float_properties()).into_bytes();
        let start = bytes.len();
        bytes.resize(start + 3 * 56, 0);
        let at = start + 56 + 4 * index;
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = refused(&bytes);
        assert!(matches!(error, SplatError::NonFinite { splat: 1, field } if field == expected), "{error:?}");
        bytes[at..at + 4].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
        let legal = decode(&bytes, &Limits::default()).is_ok();
        assert_eq!(legal, expected == Field::Opacity, "an infinite {expected}");
    }
    // A double beyond the range of a float is infinite.
    let mut properties = float_properties();
    properties[0] = "double x".into();
    let one = ply_one();
    let bytes =
        [ply_header(1, &properties).as_bytes(), &1e300_f64.to_le_bytes(), &one[one.len() - 52..]].concat();
    assert!(matches!(refused(&bytes), SplatError::NonFinite { splat: 0, field: Field::Position }), "1e300");
}

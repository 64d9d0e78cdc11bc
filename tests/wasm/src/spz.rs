use sn17_splat::{Limits, Splats, SpzDialect, decode, encode_spz};

use crate::Tally;

/// Three splats in the network's dialect: a version 2 payload written byte by byte from the format's description,
/// compressed by zstd 1.5 (`zstandard` 0.25 for Python, level 1).
const NETWORK_HEX: &str = "28b52ffd20492d02009244101bb0a93148b7c06a3038a22550980db61d29d910e2a18923b4b74c01894d4c\
    e8291abb2e19c430dd319303b9a4fef2b1fd5bbd70afa8756a050ffcb79f318db20400";
/// The same payload in a gzip member (Python's `gzip`), as Niantic's version 2 is stored.
const GZIP_HEX: &str = "1f8b0800000000000203f3730f0e60626060600662061e0606dedfff8bfeff9ffbef3f830003c387ff40c1\
    ffffeb19181a1819182e3430ba38bb35d433fc67d86f60e8b880e13f2313b379cb8c86fa86fff50d003a4a7ea549000000";

/// What those bytes mean, computed from the format's formulas in double precision.
const POSITIONS: [[f64; 3]; 3] = [
    [-0.309_326_171_875, -0.034_667_968_75, -0.086_669_921_875],
    [1.0, -1.0, 0.0],
    [2_047.999_755_859_375, -2048.0, 0.000_244_140_625],
];
const OPACITIES: [f64; 3] = [1.487_390_477_991_259_2, 0.007_843_177_461_025_879, -5.537_334_267_018_537];
const COLORS: [[f64; 3]; 3] = [
    [-1.555_555_555_555_555_6, -1.581_699_346_405_228_7, -1.503_267_973_856_209_1],
    [0.013_071_895_424_836_555, -0.013_071_895_424_836_555, -3.333_333_333_333_333_5],
    [3.333_333_333_333_333_5, -3.333_333_333_333_333_5, 1.660_130_718_954_248_5],
];
const SCALES: [[f64; 3]; 3] = [[-7.0, -6.9375, -5.9375], [0.0, -10.0, 5.9375], [-9.9375, -9.875, -9.8125]];
const ROTATIONS: [[f64; 4]; 3] = [
    [0.799_057_499_402_276_4, -0.568_627_450_980_392_1, 0.035_294_117_647_058_92, 0.192_156_862_745_098_02],
    [
        0.999_976_931_683_176_7,
        0.003_921_568_627_450_966_5,
        -0.003_921_568_627_450_966_5,
        0.003_921_568_627_450_966_5,
    ],
    [0.0, 1.0, -0.003_921_568_627_450_966_5, 0.003_921_568_627_450_966_5],
];

/// Reading of foreign files, refusal of spoiled ones, and a round trip of a few thousand splats.
pub fn spz() -> Tally {
    let mut tally = Tally::default();
    let limits = Limits::default();
    for (name, text) in [("zstd", NETWORK_HEX), ("gzip", GZIP_HEX)] {
        let Ok(bytes) = hex::decode(text) else {
            tally.check(false, "the vector is hex");
            continue;
        };
        match decode(&bytes, &limits) {
            Ok(splats) => check_three(&mut tally, &splats),
            Err(error) => tally.check(false, &format!("{name}: {error}")),
        }
        tally.check(decode(&bytes[..bytes.len() - 5], &limits).is_err(), "a truncated file is refused");
        tally.check(decode(&bytes, &limits.with_splats_max(2)).is_err(), "too many splats are refused");
    }
    for dialect in [SpzDialect::Network, SpzDialect::NianticV3] {
        check_round_trip(&mut tally, dialect);
    }
    tally
}

fn check_three(tally: &mut Tally, splats: &Splats) {
    tally.check(splats.check().is_ok() && splats.len() == 3 && splats.sh_degree == 0, "three splats");
    check_rows(tally, &splats.positions, &POSITIONS, "position");
    check_rows(tally, &splats.colors, &COLORS, "colour");
    check_rows(tally, &splats.scales, &SCALES, "scale");
    check_rows(tally, &splats.rotations, &ROTATIONS, "rotation");
    for (&actual, expected) in splats.opacities.iter().zip(OPACITIES) {
        tally.near(f64::from(actual), expected, 2e-6, "opacity");
    }
}

fn check_rows<const N: usize>(tally: &mut Tally, actual: &[[f32; N]], expected: &[[f64; N]], what: &str) {
    for (&actual, &expected) in actual.iter().flatten().zip(expected.iter().flatten()) {
        // One part in ten million is the rounding of a 32-bit float.
        tally.near(f64::from(actual), expected, 2e-6_f64.max(expected.abs() * 1e-7), what);
    }
}

/// Values chosen on the format's grid come back exactly, through whichever compressor the host has.
fn check_round_trip(tally: &mut Tally, dialect: SpzDialect) {
    let splats = grid(4000);
    let decoded = encode_spz(&splats, dialect, 1).and_then(|bytes| decode(&bytes, &Limits::default()));
    match decoded {
        Ok(decoded) => {
            tally.check(decoded.positions == splats.positions, "positions come back");
            tally.check(decoded.scales == splats.scales, "scales come back");
            tally.check(decoded.len() == 4000, "every splat comes back");
        }
        Err(error) => tally.check(false, &format!("{dialect:?}: {error}")),
    }
}

fn grid(count: u16) -> Splats {
    let mut splats = Splats::default();
    for index in 0..count {
        let step = f32::from(index);
        splats.positions.push([step / 4096.0, -step / 64.0, step / 1024.0 - 2.0]);
        splats.scales.push([-10.0, f32::from(index % 256) / 16.0 - 10.0, -4.5]);
        splats.rotations.push([1.0, 0.0, 0.0, 0.0]);
        splats.opacities.push(0.0);
        splats.colors.push([0.0, 0.5, -0.5]);
    }
    splats
}

//! From floats to SPZ's bytes, as the original's encoder rounds them: half away from zero, then clamped.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and every value is clamped to its range first"
)]

use crate::error::{Field, SplatError};
use crate::splats::{Splats, allocate, sh_coefficients};
use crate::spz::dequantize::COLOR_SCALE;
use crate::spz::header::Header;

/// Fractional bits of a coordinate that all known encoders write: steps of 1/4096, a range of ±2048.
pub(crate) const FRACTIONAL_BITS: u8 = 12;
/// Coefficients of degree 1, which keep 5 bits; higher degrees keep 4.
const DEGREE_ONE: usize = sh_coefficients(1);

/// Packs header and arrays of version 2 or 3.
///
/// # Errors
///
/// [`SplatError::NonFinite`], [`SplatError::PositionRange`], [`SplatError::ZeroRotation`] or [`SplatError::Memory`].
pub(crate) fn pack(splats: &Splats, header: Header) -> Result<Vec<u8>, SplatError> {
    check_finite(splats)?;
    let header_bytes = header.to_bytes();
    let mut bytes =
        allocate(header_bytes.len() + usize::try_from(header.arrays_bytes()).unwrap_or(usize::MAX))?;
    bytes.extend_from_slice(&header_bytes);
    let steps = f32::from(1_u16 << FRACTIONAL_BITS);
    for (splat, position) in splats.positions.iter().enumerate() {
        for coordinate in position {
            let fixed = (coordinate * steps).round();
            if !(-8_388_608.0..=8_388_607.0).contains(&fixed) {
                return Err(SplatError::PositionRange { splat });
            }
            let [low, middle, high, _] = (fixed as i32).to_le_bytes();
            bytes.extend_from_slice(&[low, middle, high]);
        }
    }
    bytes.extend(splats.opacities.iter().map(|logit| to_byte(255.0 / (1.0 + libm::expf(-logit)))));
    bytes.extend(
        splats.colors.as_flattened().iter().map(|color| to_byte(color * (COLOR_SCALE * 255.0) + 127.5)),
    );
    bytes.extend(splats.scales.as_flattened().iter().map(|scale| to_byte((scale + 10.0) * 16.0)));
    for (splat, rotation) in splats.rotations.iter().enumerate() {
        let unit = normalize(*rotation).ok_or(SplatError::ZeroRotation { splat })?;
        if header.version >= 3 {
            bytes.extend_from_slice(&smallest_three(unit).to_le_bytes());
        } else {
            let [w, x, y, z] = unit;
            let half_range = if w < 0.0 { -127.5 } else { 127.5 };
            bytes.extend([x, y, z].map(|component| to_byte(component * half_range + 127.5)));
        }
    }
    if splats.sh_degree > 0 {
        for coefficients in splats.sh.chunks_exact(sh_coefficients(splats.sh_degree)) {
            let (degree_one, higher) = coefficients.split_at(DEGREE_ONE);
            bytes.extend(degree_one.iter().map(|value| sh_to_byte(*value, 8)));
            bytes.extend(higher.iter().map(|value| sh_to_byte(*value, 16)));
        }
    }
    Ok(bytes)
}

/// Refuses NaN everywhere and infinities everywhere but in opacities.
pub(crate) fn check_finite(splats: &Splats) -> Result<(), SplatError> {
    let sh_per_splat = sh_coefficients(splats.sh_degree).max(1);
    let arrays = [
        (Field::Position, splats.positions.as_flattened(), 3),
        (Field::Color, splats.colors.as_flattened(), 3),
        (Field::Scale, splats.scales.as_flattened(), 3),
        (Field::Rotation, splats.rotations.as_flattened(), 4),
        (Field::Sh, splats.sh.as_slice(), sh_per_splat),
    ];
    for (field, array, width) in arrays {
        if let Some(index) = array.iter().position(|value| !value.is_finite()) {
            return Err(SplatError::NonFinite { splat: index / width, field });
        }
    }
    match splats.opacities.iter().position(|opacity| opacity.is_nan()) {
        Some(splat) => Err(SplatError::NonFinite { splat, field: Field::Opacity }),
        None => Ok(()),
    }
}

fn to_byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Rounds to 1/128 and then to the middle of a bucket; fewer distinct bytes compress better.
fn sh_to_byte(value: f32, bucket: i32) -> u8 {
    let byte = (value * 128.0).round().clamp(-256.0, 256.0) as i32 + 128;
    ((byte + bucket / 2) / bucket * bucket).clamp(0, 255) as u8
}

fn normalize(rotation: [f32; 4]) -> Option<[f32; 4]> {
    // In f64, so that neither huge nor tiny quaternions lose their direction.
    let wide = rotation.map(f64::from);
    let length = wide.iter().map(|component| component * component).sum::<f64>().sqrt();
    (length > 0.0).then(|| wide.map(|component| (component / length) as f32))
}

/// Packs version 3's quaternion, the inverse of the reader's.
fn smallest_three([w, x, y, z]: [f32; 4]) -> u32 {
    let xyzw = [x, y, z, w];
    let largest =
        (1..4).fold(0, |best, index| if xyzw[index].abs() > xyzw[best].abs() { index } else { best });
    let negate = xyzw[largest] < 0.0;
    let mut packed = largest as u32;
    for (index, component) in xyzw.iter().enumerate() {
        if index == largest {
            continue;
        }
        let sign = u32::from((*component < 0.0) != negate);
        let magnitude = (511.0 * (component.abs() * std::f32::consts::SQRT_2) + 0.5) as u32;
        packed = packed << 10 | sign << 9 | magnitude.min(511);
    }
    packed
}

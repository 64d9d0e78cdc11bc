//! Writing of PLY.

use std::fmt::Write as _;
use std::io::Write;

use crate::error::SplatError;
use crate::splats::{Splats, sh_coefficients};

/// Bytes of rows gathered before they are written.
const CHUNK_BYTES: usize = 64 << 10;

/// Whether `nx`, `ny`, `nz` stand behind the position: always zero, but some viewers want them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normals {
    /// Leave them out, as the original's decoder does by default.
    #[default]
    Omit,
    /// Write zeros.
    Zero,
}

/// Writes a binary little-endian PLY with the properties of the original's decoder in its order: position, normals if
/// asked for, `f_dc`, `f_rest`, opacity, scale, rotation, all of type float.
///
/// Allocates one chunk of rows.
///
/// # Errors
///
/// Those of [`Splats::check`], and [`SplatError::Io`] from the target.
pub fn write_ply(splats: &Splats, normals: Normals, mut target: impl Write) -> Result<(), SplatError> {
    splats.check()?;
    target.write_all(header(splats.len(), splats.sh_degree, normals).as_bytes()).map_err(SplatError::Io)?;
    write_rows(splats, normals, &mut target)?;
    target.flush().map_err(SplatError::Io)
}

/// Encodes splats as PLY without normals, see [`write_ply`].
///
/// # Errors
///
/// Those of [`Splats::check`].
pub fn encode_ply(splats: &Splats) -> Result<Vec<u8>, SplatError> {
    let mut bytes = Vec::with_capacity(splats.decoded_bytes() + (4 << 10));
    write_ply(splats, Normals::Omit, &mut bytes)?;
    Ok(bytes)
}

/// The text in front of the rows.
pub(crate) fn header(count: usize, sh_degree: u8, normals: Normals) -> String {
    let mut header = format!("ply\nformat binary_little_endian 1.0\nelement vertex {count}\n");
    let mut property = |name: &str, index: Option<usize>| {
        let index = index.map(|index| index.to_string()).unwrap_or_default();
        writeln!(header, "property float {name}{index}").expect("writing to a string cannot fail");
    };
    for name in ["x", "y", "z"] {
        property(name, None);
    }
    if normals == Normals::Zero {
        for name in ["nx", "ny", "nz"] {
            property(name, None);
        }
    }
    for (prefix, count) in [("f_dc_", 3), ("f_rest_", sh_coefficients(sh_degree))] {
        (0..count).for_each(|index| property(prefix, Some(index)));
    }
    property("opacity", None);
    for (prefix, count) in [("scale_", 3), ("rot_", 4)] {
        (0..count).for_each(|index| property(prefix, Some(index)));
    }
    header.push_str("end_header\n");
    header
}

/// Writes the rows alone.
pub(crate) fn write_rows(
    splats: &Splats,
    normals: Normals,
    target: &mut impl Write,
) -> Result<(), SplatError> {
    let sh_width = sh_coefficients(splats.sh_degree);
    let per_channel = sh_width / 3;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4 * (17 + sh_width));
    for splat in 0..splats.len() {
        let mut put = |numbers: &[f32]| {
            for number in numbers {
                chunk.extend_from_slice(&number.to_le_bytes());
            }
        };
        put(&splats.positions[splat]);
        if normals == Normals::Zero {
            put(&[0.0; 3]);
        }
        put(&splats.colors[splat]);
        let sh = &splats.sh[splat * sh_width..][..sh_width];
        for channel in 0..3 {
            for coefficient in 0..per_channel {
                put(&[sh[coefficient * 3 + channel]]);
            }
        }
        put(&[splats.opacities[splat]]);
        put(&splats.scales[splat]);
        put(&splats.rotations[splat]);
        if chunk.len() >= CHUNK_BYTES {
            target.write_all(&chunk).map_err(SplatError::Io)?;
            chunk.clear();
        }
    }
    target.write_all(&chunk).map_err(SplatError::Io)
}

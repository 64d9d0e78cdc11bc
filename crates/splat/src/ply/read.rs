//! Reading of PLY's rows.

use std::io::{self, BufRead};

use crate::error::{Field, Part, PlyError, SplatError};
use crate::limits::Limits;
use crate::ply::header::{After, Column, PlyHeader, Scalar, skip};
use crate::splats::{Splats, allocate, sh_coefficients};
use crate::spz::{check_finite, expect_end};

/// Bytes of rows read before they are spread over the arrays.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a PLY file from its first to its last byte; allocates one chunk of rows beside the result.
pub(crate) fn read(reader: &mut dyn BufRead, limits: &Limits) -> Result<Splats, SplatError> {
    let header = PlyHeader::read(reader)?;
    header.check_limits(limits)?;
    // A lying element must not keep an endless source busy.
    let (bytes, limit) = (header.bytes_before, header.vertices_bytes().max(CHUNK_BYTES as u64));
    if bytes > limit {
        return Err(PlyError::Preamble { bytes, limit }.into());
    }
    skip(reader, header.bytes_before)?;
    let splats = read_rows(reader, &header)?;
    match header.after {
        After::Bytes(bytes) => {
            skip(reader, bytes)?;
            expect_end(reader)?;
        }
        After::Lists => {}
    }
    check_finite(&splats)?;
    Ok(splats)
}

fn read_rows(reader: &mut dyn BufRead, header: &PlyHeader) -> Result<Splats, SplatError> {
    let count = usize::try_from(header.count).map_err(|_wide| SplatError::Memory { bytes: usize::MAX })?;
    let sh_width = sh_coefficients(header.sh_degree);
    let rows_max = (CHUNK_BYTES / header.row_bytes).max(1);
    let mut chunk = allocate(rows_max.min(count) * header.row_bytes)?;
    let mut splats = Splats { sh_degree: header.sh_degree, ..Splats::default() };
    let mut done = 0;
    while done < count {
        let rows = rows_max.min(count - done);
        chunk.resize(rows * header.row_bytes, 0);
        reader.read_exact(&mut chunk).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                SplatError::Truncated { part: Part::Vertices }
            } else {
                SplatError::Io(error)
            }
        })?;
        if done == 0 {
            // Allocated once something has arrived, so a header with nothing behind it costs nothing.
            splats.positions = allocate(count)?;
            splats.scales = allocate(count)?;
            splats.rotations = allocate(count)?;
            splats.opacities = allocate(count)?;
            splats.colors = allocate(count)?;
            splats.sh = allocate(count * sh_width)?;
        }
        let end = done + rows;
        splats.positions.resize(end, [0.0; 3]);
        splats.scales.resize(end, [0.0; 3]);
        splats.rotations.resize(end, [0.0; 4]);
        splats.opacities.resize(end, 0.0);
        splats.colors.resize(end, [0.0; 3]);
        splats.sh.resize(end * sh_width, 0.0);
        for column in &header.columns {
            let (numbers, width) = match column.field {
                Field::Position => (splats.positions.as_flattened_mut(), 3),
                Field::Opacity => (splats.opacities.as_mut_slice(), 1),
                Field::Color => (splats.colors.as_flattened_mut(), 3),
                Field::Scale => (splats.scales.as_flattened_mut(), 3),
                Field::Rotation => (splats.rotations.as_flattened_mut(), 4),
                Field::Sh => (splats.sh.as_mut_slice(), sh_width),
            };
            spread(&chunk, header.row_bytes, column, &mut numbers[done * width..], width);
        }
        done = end;
    }
    Ok(splats)
}

/// Copies one column of the rows to every `width`-th number.
fn spread(rows: &[u8], row_bytes: usize, column: &Column, numbers: &mut [f32], width: usize) {
    fn copy<const N: usize>(
        rows: std::slice::ChunksExact<'_, u8>,
        column: &Column,
        numbers: &mut [f32],
        width: usize,
        convert: impl Fn([u8; N]) -> f32,
    ) {
        for (row, numbers) in rows.zip(numbers.chunks_exact_mut(width)) {
            if let Some(bytes) = row[column.offset..].first_chunk::<N>() {
                numbers[column.index] = convert(*bytes);
            }
        }
    }
    let rows = rows.chunks_exact(row_bytes);
    match column.scalar {
        Scalar::I8 => copy(rows, column, numbers, width, |bytes| f32::from(i8::from_le_bytes(bytes))),
        Scalar::U8 => copy(rows, column, numbers, width, |bytes| f32::from(u8::from_le_bytes(bytes))),
        Scalar::I16 => copy(rows, column, numbers, width, |bytes| f32::from(i16::from_le_bytes(bytes))),
        Scalar::U16 => copy(rows, column, numbers, width, |bytes| f32::from(u16::from_le_bytes(bytes))),
        Scalar::I32 => copy(rows, column, numbers, width, |bytes| narrow(i32::from_le_bytes(bytes).into())),
        Scalar::U32 => copy(rows, column, numbers, width, |bytes| narrow(u32::from_le_bytes(bytes).into())),
        Scalar::F32 => copy(rows, column, numbers, width, f32::from_le_bytes),
        Scalar::F64 => copy(rows, column, numbers, width, |bytes| narrow(f64::from_le_bytes(bytes))),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "splats are f32; what is beyond becomes infinite and is refused"
)]
fn narrow(number: f64) -> f32 {
    number as f32
}

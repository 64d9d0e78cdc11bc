//! From an SPZ file to floats, or past them to PLY.

use std::io::Write;

use crate::error::{Field, SplatError};
use crate::ply::{Normals, ply_header, write_rows};
use crate::splats::{Splats, allocate};
use crate::spz::dequantize::Dequantizer;
use crate::spz::file::SpzFile;
use crate::spz::header::Header;

/// Splats dequantised at a time on the way to PLY.
const ROWS: usize = 1024;

/// Decodes all arrays. A float array is allocated when its first chunk has arrived, so that a header with nothing
/// behind it costs nothing.
pub(crate) fn read(mut file: SpzFile<'_>) -> Result<Splats, SplatError> {
    let header = file.header;
    let dequantizer = Dequantizer::new(&header);
    let mut splats = empty(&header);
    for field in header.fields() {
        let mut first = true;
        file.array(*field, &mut |bytes| {
            if std::mem::take(&mut first) {
                reserve(&mut splats, *field, &header)?;
            }
            dequantizer.append(*field, bytes, &mut splats)
        })?;
    }
    file.finish()?;
    Ok(splats)
}

/// Inflated arrays, a third of the floats: what PLY needs, whose rows take a part of each.
pub(crate) struct PackedSplats {
    header: Header,
    arrays: Vec<Vec<u8>>,
}

impl PackedSplats {
    pub(crate) fn read(mut file: SpzFile<'_>) -> Result<Self, SplatError> {
        let header = file.header;
        let mut arrays = Vec::with_capacity(header.fields().len());
        for field in header.fields() {
            let mut array = Vec::new();
            file.array(*field, &mut |bytes| {
                if array.is_empty() {
                    array = allocate(header.count as usize * header.field_bytes(*field))?;
                }
                array.extend_from_slice(bytes);
                Ok(())
            })?;
            arrays.push(array);
        }
        file.finish()?;
        Ok(Self { header, arrays })
    }

    pub(crate) fn write_ply(&self, normals: Normals, target: &mut impl Write) -> Result<(), SplatError> {
        let Self { header, arrays } = self;
        let dequantizer = Dequantizer::new(header);
        let count = header.count as usize;
        let text = ply_header(count, header.sh_degree, normals);
        target.write_all(text.as_bytes()).map_err(SplatError::Io)?;
        for start in (0..count).step_by(ROWS) {
            let rows = ROWS.min(count - start);
            let mut splats = empty(header);
            for (field, array) in header.fields().iter().zip(arrays) {
                let record_bytes = header.field_bytes(*field);
                let records = &array[start * record_bytes..][..rows * record_bytes];
                dequantizer
                    .append(*field, records, &mut splats)
                    .map_err(|error| with_offset(error, start))?;
            }
            write_rows(&splats, normals, target)?;
        }
        target.flush().map_err(SplatError::Io)
    }
}

/// Counts the splats of a slice from the start of the file.
fn with_offset(error: SplatError, start: usize) -> SplatError {
    if let SplatError::NonFinite { splat, field } = error {
        return SplatError::NonFinite { splat: splat + start, field };
    }
    error
}

fn empty(header: &Header) -> Splats {
    Splats { sh_degree: header.sh_degree, antialiased: header.antialiased(), ..Splats::default() }
}

fn reserve(splats: &mut Splats, field: Field, header: &Header) -> Result<(), SplatError> {
    let count = header.count as usize;
    match field {
        Field::Position => splats.positions = allocate(count)?,
        Field::Opacity => splats.opacities = allocate(count)?,
        Field::Color => splats.colors = allocate(count)?,
        Field::Scale => splats.scales = allocate(count)?,
        Field::Rotation => splats.rotations = allocate(count)?,
        Field::Sh => splats.sh = allocate(count * header.field_bytes(Field::Sh))?,
    }
    Ok(())
}

//! Reading of the three SPZ containers.

use std::io::{BufRead, Read};

use crate::error::{Field, Part, SplatError};
use crate::limits::Limits;
use crate::splats::{Splats, allocate};
use crate::spz::dequantize::Dequantizer;
use crate::spz::header::{Container, EXTENSIONS, HEADER_BYTES, Header, payload_bytes_max};
use crate::spz::inflate::{Zstd, expect_end, fill, finish, open_gzip, take_prefix};

/// Bytes inflated before they are dequantised: few enough to stay in the processor's inner caches.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of the second half of version 4's header.
const STREAMS_HEADER_BYTES: usize = 16;
/// Most bytes of extension records between version 4's header and its table of contents.
const EXTENSION_BYTES_MAX: usize = 64 << 10;
/// Extension type that changes how version 4's spherical harmonics are quantised (`SPZ_ADOBE_sh_quantization`).
const SH_QUANTIZATION: u32 = 0xadbe_0001;

/// Reads SPZ in `container` from the start of `reader` to its end.
///
/// Beside the result it allocates one chunk and the zstd window, which is at most the size of the packed arrays
/// (a third of the result), or 8 MiB if the frame does not state its size.
pub(crate) fn read(
    reader: &mut dyn BufRead,
    container: Container,
    limits: &Limits,
    zstd: Zstd,
) -> Result<Splats, SplatError> {
    match container {
        Container::Network => read_network(reader, limits, zstd),
        Container::Gzip => read_gzip(reader, limits),
        Container::Streams => read_streams(reader, limits, zstd),
    }
}

/// Reads as much as is needed to know the header.
pub(crate) fn read_header(reader: &mut dyn BufRead, container: Container) -> Result<Header, SplatError> {
    match container {
        Container::Network => inflate_header(&mut Zstd::DEFAULT.open(reader, u64::MAX)?.0, container),
        Container::Gzip => inflate_header(&mut open_gzip(reader), container),
        Container::Streams => plain_header(reader),
    }
}

fn read_network(reader: &mut dyn BufRead, limits: &Limits, zstd: Zstd) -> Result<Splats, SplatError> {
    let (mut inflate, content_bytes) = zstd.open(reader, payload_bytes_max(limits))?;
    let header = inflate_header(&mut inflate, Container::Network)?;
    header.check_limits(limits)?;
    check_content_size(content_bytes, HEADER_BYTES as u64 + header.arrays_bytes())?;
    let mut unpacker = Unpacker::new(header)?;
    for field in header.fields() {
        unpacker.unpack(*field, &mut inflate)?;
    }
    expect_end(finish(inflate)?)?;
    Ok(unpacker.splats)
}

fn read_gzip(reader: &mut dyn BufRead, limits: &Limits) -> Result<Splats, SplatError> {
    let mut inflate = open_gzip(reader);
    let header = inflate_header(&mut inflate, Container::Gzip)?;
    header.check_limits(limits)?;
    // Niantic's releases disagree whether the records precede or follow the arrays.
    if header.flags & EXTENSIONS != 0 {
        return Err(SplatError::Extensions);
    }
    let mut unpacker = Unpacker::new(header)?;
    for field in header.fields() {
        unpacker.unpack(*field, &mut inflate)?;
    }
    expect_end(finish(inflate)?)?;
    Ok(unpacker.splats)
}

fn read_streams(mut reader: &mut dyn BufRead, limits: &Limits, zstd: Zstd) -> Result<Splats, SplatError> {
    let header = plain_header(reader)?;
    header.check_limits(limits)?;
    let compressed_bytes = read_contents(reader, &header)?;
    let mut unpacker = Unpacker::new(header)?;
    for (field, compressed_bytes) in header.fields().iter().zip(compressed_bytes) {
        let array_bytes = u64::from(header.count) * header.field_bytes(*field) as u64;
        let mut stream = (&mut reader).take(compressed_bytes);
        let (mut inflate, content_bytes) = zstd.open(&mut stream, array_bytes)?;
        check_content_size(content_bytes, array_bytes)?;
        unpacker.unpack(*field, &mut inflate)?;
        expect_end(finish(inflate)?)?;
    }
    expect_end(reader)?;
    Ok(unpacker.splats)
}

fn check_content_size(stated: Option<u64>, expected: u64) -> Result<(), SplatError> {
    match stated {
        Some(stated) if stated != expected => Err(SplatError::ContentSize { stated, expected }),
        Some(_) | None => Ok(()),
    }
}

fn inflate_header(inflate: &mut impl Read, container: Container) -> Result<Header, SplatError> {
    let mut bytes = [0; HEADER_BYTES];
    fill(inflate, &mut bytes, Part::Header)?;
    Header::parse(bytes, container)
}

/// Reads the first 16 bytes of a version 4 file.
fn plain_header(reader: &mut dyn BufRead) -> Result<Header, SplatError> {
    Header::parse(take_array(reader, Part::Header)?, Container::Streams)
}

/// Reads the rest of a version 4 header, skips extension records and gives each stream's compressed size.
fn read_contents(mut reader: &mut dyn BufRead, header: &Header) -> Result<Vec<u64>, SplatError> {
    let rest: [u8; STREAMS_HEADER_BYTES] = take_array(reader, Part::Header)?;
    let [offset0, offset1, offset2, offset3, ..] = rest;
    let contents_at = u32::from_le_bytes([offset0, offset1, offset2, offset3]);
    let header_end = HEADER_BYTES + STREAMS_HEADER_BYTES;
    let extension_bytes = (contents_at as usize)
        .checked_sub(header_end)
        .filter(|bytes| *bytes <= EXTENSION_BYTES_MAX)
        .ok_or(SplatError::Contents {
            what: "its own offset",
            stated: u64::from(contents_at),
            expected: header_end as u64,
        })?;
    let extensions = take_prefix(&mut reader, extension_bytes)?;
    if extensions.len() < extension_bytes {
        return Err(SplatError::Truncated { part: Part::Contents });
    }
    if header.flags & EXTENSIONS != 0 && header.sh_degree > 0 && requantizes_sh(&extensions) {
        return Err(SplatError::Extensions);
    }
    let fields = header.fields();
    if usize::from(header.streams) != fields.len() {
        return Err(SplatError::Contents {
            what: "the number of streams",
            stated: u64::from(header.streams),
            expected: fields.len() as u64,
        });
    }
    let mut compressed_bytes = Vec::with_capacity(fields.len());
    for field in fields {
        compressed_bytes.push(u64::from_le_bytes(take_array(reader, Part::Contents)?));
        let stated = u64::from_le_bytes(take_array(reader, Part::Contents)?);
        let expected = u64::from(header.count) * header.field_bytes(*field) as u64;
        if stated != expected {
            return Err(SplatError::Contents { what: "the bytes of an array", stated, expected });
        }
    }
    Ok(compressed_bytes)
}

/// Whether a walk over the extension records (type, length, content) meets the one that changes how harmonics
/// decode; records cut off or of other types mean nothing to the arrays.
fn requantizes_sh(mut records: &[u8]) -> bool {
    while let Some((head, rest)) = records.split_first_chunk::<8>() {
        let [k0, k1, k2, k3, l0, l1, l2, l3] = *head;
        if u32::from_le_bytes([k0, k1, k2, k3]) == SH_QUANTIZATION {
            return true;
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        records = rest.get(length..).unwrap_or_default();
    }
    false
}

fn take_array<const N: usize>(mut reader: &mut dyn BufRead, part: Part) -> Result<[u8; N], SplatError> {
    <[u8; N]>::try_from(take_prefix(&mut reader, N)?).map_err(|_short| SplatError::Truncated { part })
}

/// Fills [`Splats`] array after array.
struct Unpacker {
    header: Header,
    dequantizer: Dequantizer,
    chunk: Vec<u8>,
    splats: Splats,
}

impl Unpacker {
    fn new(header: Header) -> Result<Self, SplatError> {
        Ok(Self {
            header,
            dequantizer: Dequantizer::new(&header),
            chunk: allocate(CHUNK_BYTES)?,
            splats: Splats {
                sh_degree: header.sh_degree,
                antialiased: header.antialiased(),
                ..Splats::default()
            },
        })
    }

    /// Reads the array of one field. The float array is allocated when the first chunk has arrived, so a header
    /// with nothing behind it costs nothing.
    fn unpack(&mut self, field: Field, reader: &mut impl Read) -> Result<(), SplatError> {
        let record_bytes = self.header.field_bytes(field);
        let count = self.header.count as usize;
        let records_max = CHUNK_BYTES / record_bytes;
        let mut done = 0;
        while done < count {
            let records = records_max.min(count - done);
            self.chunk.resize(records * record_bytes, 0);
            fill(reader, &mut self.chunk, Part::Field(field))?;
            if done == 0 {
                self.allocate(field, count)?;
            }
            let Self { dequantizer, chunk, splats, .. } = self;
            match field {
                Field::Position => dequantizer.positions(chunk, &mut splats.positions)?,
                Field::Opacity => dequantizer.opacities(chunk, &mut splats.opacities),
                Field::Color => dequantizer.colors(chunk, &mut splats.colors),
                Field::Scale => dequantizer.scales(chunk, &mut splats.scales),
                Field::Rotation => dequantizer.rotations(chunk, &mut splats.rotations),
                Field::Sh => dequantizer.sh(chunk, &mut splats.sh),
            }
            done += records;
        }
        Ok(())
    }

    fn allocate(&mut self, field: Field, count: usize) -> Result<(), SplatError> {
        match field {
            Field::Position => self.splats.positions = allocate(count)?,
            Field::Opacity => self.splats.opacities = allocate(count)?,
            Field::Color => self.splats.colors = allocate(count)?,
            Field::Scale => self.splats.scales = allocate(count)?,
            Field::Rotation => self.splats.rotations = allocate(count)?,
            Field::Sh => self.splats.sh = allocate(count * self.header.field_bytes(Field::Sh))?,
        }
        Ok(())
    }
}

//! Reading of the three SPZ containers, array after array.

use std::io::{BufRead, Read};

use crate::error::{Field, Part, SplatError};
use crate::limits::Limits;
use crate::splats::allocate;
use crate::spz::header::{Container, EXTENSIONS, HEADER_BYTES, Header, payload_bytes_max};
use crate::spz::inflate::{Inflate, Zstd, expect_end, fill, finish, open_gzip, take_prefix};

/// Bytes inflated before they are dequantised: few enough to stay in the processor's inner caches.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of the second half of version 4's header.
const STREAMS_HEADER_BYTES: usize = 16;
/// Most bytes of extension records between version 4's header and its table of contents.
const EXTENSION_BYTES_MAX: usize = 64 << 10;
/// Extension type that changes how version 4's spherical harmonics are quantised (`SPZ_ADOBE_sh_quantization`).
const SH_QUANTIZATION: u32 = 0xadbe_0001;

/// An SPZ file whose header was read and checked, and whose arrays come next.
///
/// It holds one chunk and the zstd window, which is at most the size of the packed arrays, or 8 MiB if the frame does
/// not state its size.
pub(crate) struct SpzFile<'a> {
    pub(crate) header: Header,
    chunk: Vec<u8>,
    arrays: Arrays<'a>,
}

/// Where the arrays are.
enum Arrays<'a> {
    /// One behind the other in one compressed stream.
    Joined(Box<dyn Inflate<'a> + 'a>),
    /// Each in its own zstd frame, of these compressed sizes.
    Separate { reader: &'a mut dyn BufRead, compressed_bytes: std::vec::IntoIter<u64>, zstd: Zstd },
}

impl<'a> SpzFile<'a> {
    /// Reads the header of a file in `container` and checks it against the limits and the container.
    pub(crate) fn open(
        reader: &'a mut dyn BufRead,
        container: Container,
        limits: &Limits,
        zstd: Zstd,
    ) -> Result<Self, SplatError> {
        let (header, arrays) = match container {
            Container::Network => {
                let (mut inflate, content_bytes) = zstd.open(reader, payload_bytes_max(limits))?;
                let header = inflate_header(&mut inflate, container)?;
                header.check_limits(limits)?;
                check_content_size(content_bytes, HEADER_BYTES as u64 + header.arrays_bytes())?;
                (header, Arrays::Joined(inflate))
            }
            Container::Gzip => {
                let mut inflate = open_gzip(reader);
                let header = inflate_header(&mut inflate, container)?;
                header.check_limits(limits)?;
                // Niantic's releases disagree whether the records precede or follow the arrays.
                if header.flags & EXTENSIONS != 0 {
                    return Err(SplatError::Extensions);
                }
                (header, Arrays::Joined(inflate))
            }
            Container::Streams => {
                let header = plain_header(reader)?;
                header.check_limits(limits)?;
                let compressed_bytes = read_contents(reader, &header)?.into_iter();
                (header, Arrays::Separate { reader, compressed_bytes, zstd })
            }
        };
        Ok(Self { header, chunk: allocate(CHUNK_BYTES)?, arrays })
    }

    /// Passes the next array, which is that of `field`, to `take` in chunks of whole records.
    pub(crate) fn array(
        &mut self,
        field: Field,
        take: &mut dyn FnMut(&[u8]) -> Result<(), SplatError>,
    ) -> Result<(), SplatError> {
        let Self { header, chunk, arrays } = self;
        match arrays {
            Arrays::Joined(inflate) => pass_array(header, field, inflate, chunk, take),
            Arrays::Separate { reader, compressed_bytes, zstd } => {
                let array_bytes = u64::from(header.count) * header.field_bytes(field) as u64;
                let mut stream = (&mut **reader).take(compressed_bytes.next().unwrap_or_default());
                let (mut inflate, content_bytes) = zstd.open(&mut stream, array_bytes)?;
                check_content_size(content_bytes, array_bytes)?;
                pass_array(header, field, &mut inflate, chunk, take)?;
                expect_end(finish(inflate)?)
            }
        }
    }

    /// Checks that the file ends here.
    pub(crate) fn finish(self) -> Result<(), SplatError> {
        match self.arrays {
            Arrays::Joined(inflate) => expect_end(finish(inflate)?),
            Arrays::Separate { reader, .. } => expect_end(reader),
        }
    }
}

fn pass_array(
    header: &Header,
    field: Field,
    inflate: &mut impl Read,
    chunk: &mut Vec<u8>,
    take: &mut dyn FnMut(&[u8]) -> Result<(), SplatError>,
) -> Result<(), SplatError> {
    let record_bytes = header.field_bytes(field);
    let count = header.count as usize;
    let records_max = CHUNK_BYTES / record_bytes;
    let mut done = 0;
    while done < count {
        let records = records_max.min(count - done);
        chunk.resize(records * record_bytes, 0);
        fill(inflate, chunk, Part::Field(field))?;
        take(chunk)?;
        done += records;
    }
    Ok(())
}

/// Reads as much as is needed to know the header.
pub(crate) fn read_header(reader: &mut dyn BufRead, container: Container) -> Result<Header, SplatError> {
    match container {
        Container::Network => inflate_header(&mut Zstd::DEFAULT.open(reader, u64::MAX)?.0, container),
        Container::Gzip => inflate_header(&mut open_gzip(reader), container),
        Container::Streams => plain_header(reader),
    }
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

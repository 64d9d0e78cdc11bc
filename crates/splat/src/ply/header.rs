//! The text header of a PLY file.

use std::io::BufRead;

use crate::error::{Field, Part, PlyError, SplatError};
use crate::limits::Limits;
use crate::spz::take_prefix;

/// Longest header: the richest splat has 90 properties of some 25 bytes, the rest is room for comments.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Most properties of one element, several times what a splat of degree 4 has.
const PROPERTIES_MAX: usize = 512;

/// The scalar types of PLY, under both of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Scalar {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Where in a row a number of a splat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// Index within the field; for harmonics in the order of [`Splats::sh`](crate::Splats).
    pub(super) index: usize,
    pub(super) offset: usize,
    pub(super) scalar: Scalar,
}

/// What stands behind the vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Elements of this many bytes together.
    Bytes(u64),
    /// Elements with lists, whose length nobody knows without reading them.
    Lists,
}

/// Everything the header says about the splats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlyHeader {
    pub(crate) count: u64,
    pub(crate) sh_degree: u8,
    pub(super) bytes_before: u64,
    pub(super) row_bytes: usize,
    pub(super) columns: Vec<Column>,
    pub(super) after: After,
}

struct Element {
    name: String,
    count: u64,
    properties: Vec<(String, Scalar)>,
    /// A property whose type is a list, or of a type unknown here.
    list: Option<String>,
}

impl Element {
    fn bytes(&self) -> Result<u64, PlyError> {
        if let Some(list) = &self.list {
            return Err(PlyError::List(list.clone()));
        }
        let row_bytes: usize = self.properties.iter().map(|(_, scalar)| scalar.bytes()).sum();
        Ok(self.count.saturating_mul(row_bytes as u64))
    }
}

impl PlyHeader {
    /// Reads up to and with the line `end_header`.
    ///
    /// # Errors
    ///
    /// [`SplatError::Ply`], [`SplatError::NoSplats`], [`SplatError::Truncated`] or [`SplatError::Io`].
    pub(crate) fn read(reader: &mut dyn BufRead) -> Result<Self, SplatError> {
        let elements = read_elements(reader)?;
        let at = elements.iter().position(|element| element.name == "vertex").ok_or(PlyError::NoVertices)?;
        let mut bytes_before = 0_u64;
        for element in &elements[..at] {
            bytes_before = bytes_before.saturating_add(element.bytes()?);
        }
        let mut after = After::Bytes(0);
        for element in &elements[at + 1..] {
            after = match (after, element.bytes()) {
                (After::Bytes(sum), Ok(bytes)) => After::Bytes(sum.saturating_add(bytes)),
                (After::Lists, _) | (After::Bytes(_), Err(_)) => After::Lists,
            };
        }
        let vertex = &elements[at];
        vertex.bytes()?;
        if vertex.count == 0 {
            return Err(SplatError::NoSplats);
        }
        let (columns, sh_degree) = columns(&vertex.properties)?;
        Ok(Self {
            count: vertex.count,
            sh_degree,
            bytes_before,
            row_bytes: vertex.properties.iter().map(|(_, scalar)| scalar.bytes()).sum(),
            columns,
            after,
        })
    }

    pub(crate) fn check_limits(&self, limits: &Limits) -> Result<(), SplatError> {
        if self.count > u64::from(limits.splats_max) {
            return Err(SplatError::TooManySplats { count: self.count, limit: limits.splats_max });
        }
        Ok(())
    }

    /// Bytes of the vertices.
    pub(crate) fn vertices_bytes(&self) -> u64 {
        self.count.saturating_mul(self.row_bytes as u64)
    }
}

fn read_elements(reader: &mut dyn BufRead) -> Result<Vec<Element>, SplatError> {
    let mut elements: Vec<Element> = Vec::new();
    let mut format = None;
    let mut bytes_left = HEADER_BYTES_MAX;
    let mut first = true;
    loop {
        let line = read_line(reader, &mut bytes_left)?;
        let mut words = line.split_ascii_whitespace();
        let invalid = || PlyError::Line(line.clone());
        match words.next() {
            Some("ply") if first => {}
            None | Some("comment" | "obj_info") if !first => {}
            Some("format") if !first => {
                let name = words.collect::<Vec<_>>().join(" ");
                if name != "binary_little_endian 1.0" {
                    return Err(PlyError::Format(name).into());
                }
                format = Some(name);
            }
            Some("element") if format.is_some() => {
                let (Some(name), Some(count), None) = (words.next(), words.next(), words.next()) else {
                    return Err(invalid().into());
                };
                elements.push(Element {
                    name: name.to_owned(),
                    count: count.parse().map_err(|_not_a_number| invalid())?,
                    properties: Vec::new(),
                    list: None,
                });
            }
            Some("property") => {
                let element = elements.last_mut().ok_or_else(invalid)?;
                if element.properties.len() >= PROPERTIES_MAX {
                    return Err(PlyError::TooManyProperties { limit: PROPERTIES_MAX }.into());
                }
                match words.collect::<Vec<_>>()[..] {
                    [scalar, name] => {
                        let scalar = Scalar::parse(scalar).ok_or_else(invalid)?;
                        element.properties.push((name.to_owned(), scalar));
                    }
                    ["list", _count, _item, name] => element.list = Some(name.to_owned()),
                    _ => return Err(invalid().into()),
                }
            }
            Some("end_header") if format.is_some() => return Ok(elements),
            Some(_) | None => return Err(invalid().into()),
        }
        first = false;
    }
}

/// Reads one line without its end, which is a line feed with or without a carriage return before it.
fn read_line(mut reader: &mut dyn BufRead, bytes_left: &mut usize) -> Result<String, SplatError> {
    let mut line = Vec::new();
    let read = std::io::Read::take(&mut reader, *bytes_left as u64)
        .read_until(b'\n', &mut line)
        .map_err(SplatError::Io)?;
    *bytes_left -= read;
    if line.pop() != Some(b'\n') {
        return Err(if *bytes_left == 0 {
            PlyError::TooLong { limit: HEADER_BYTES_MAX }.into()
        } else {
            SplatError::Truncated { part: Part::Header }
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_invalid| PlyError::NotText.into())
}

/// Finds the numbers of a splat among the properties, in any order, and the degree of its harmonics.
fn columns(properties: &[(String, Scalar)]) -> Result<(Vec<Column>, u8), PlyError> {
    let rest_count = properties.iter().filter(|(name, _)| name.starts_with("f_rest_")).count();
    let sh_degree = match rest_count {
        0 => 0,
        9 => 1,
        24 => 2,
        45 => 3,
        72 => 4,
        _ => return Err(PlyError::RestCount(rest_count)),
    };
    let mut wanted: Vec<(String, Field, usize)> = Vec::with_capacity(14 + rest_count);
    for (index, name) in ["x", "y", "z"].into_iter().enumerate() {
        wanted.push((name.to_owned(), Field::Position, index));
    }
    wanted.push(("opacity".to_owned(), Field::Opacity, 0));
    for (prefix, field, count) in
        [("f_dc_", Field::Color, 3), ("scale_", Field::Scale, 3), ("rot_", Field::Rotation, 4)]
    {
        wanted.extend((0..count).map(|index| (format!("{prefix}{index}"), field, index)));
    }
    // PLY holds all reds, then all greens, then all blues; in memory the channel is innermost.
    let per_channel = rest_count / 3;
    wanted.extend(
        (0..rest_count).map(|index| {
            (format!("f_rest_{index}"), Field::Sh, index % per_channel * 3 + index / per_channel)
        }),
    );
    let mut columns = Vec::with_capacity(wanted.len());
    for (name, field, index) in wanted {
        let mut matches = properties.iter().enumerate().filter(|(_, (property, _))| *property == name);
        let Some((position, (_, scalar))) = matches.next() else {
            return Err(PlyError::Missing(name));
        };
        if matches.next().is_some() {
            return Err(PlyError::Duplicate(name));
        }
        let offset = properties[..position].iter().map(|(_, scalar)| scalar.bytes()).sum();
        columns.push(Column { field, index, offset, scalar: *scalar });
    }
    Ok((columns, sh_degree))
}

/// Whether the bytes begin like a PLY file.
pub(crate) fn is_ply(start: &[u8]) -> bool {
    start.starts_with(b"ply\n") || start.starts_with(b"ply\r")
}

/// Reads and drops exactly `count` bytes.
pub(super) fn skip(mut reader: &mut dyn BufRead, mut count: u64) -> Result<(), SplatError> {
    while count > 0 {
        let step = count.min(HEADER_BYTES_MAX as u64);
        let taken = take_prefix(&mut reader, usize::try_from(step).unwrap_or(HEADER_BYTES_MAX))?.len() as u64;
        if taken < step {
            return Err(SplatError::Truncated { part: Part::OtherElement });
        }
        count -= taken;
    }
    Ok(())
}

//! Large bytes, in a folder or in memory.

pub(crate) mod folder;
pub(crate) mod memory;

use sn17_app::ports::{BlobKey, PortError, PortErrorKind, PortResult};

/// Longest name of a blob in bytes.
const NAME_BYTES_MAX: usize = 512;
/// Longest part of a name between two slashes in bytes, below the 255 that file systems allow.
const PART_BYTES_MAX: usize = 200;

/// The parts of a blob's name, none of which can leave a folder or hide in it.
fn parts(key: &BlobKey) -> PortResult<Vec<&str>> {
    let refused = || PortError::new(PortErrorKind::NotFound, format!("{:?} is no name of a blob", key.0));
    let parts: Vec<&str> = key.0.split('/').collect();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_part = |part: &&str| {
        !part.is_empty()
            && part.len() <= PART_BYTES_MAX
            && !part.starts_with('.')
            && part.bytes().all(allowed)
    };
    if key.0.len() <= NAME_BYTES_MAX && parts.iter().all(is_part) { Ok(parts) } else { Err(refused()) }
}

fn no_blob(key: &BlobKey) -> PortError {
    PortError::new(PortErrorKind::NotFound, format!("there is no blob `{}`", key.0))
}

fn no_upload() -> PortError {
    PortError::new(PortErrorKind::NotFound, "there is no such upload")
}

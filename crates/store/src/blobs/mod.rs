//! Large bytes, in a folder or in memory.

pub(crate) mod folder;
pub(crate) mod memory;

use sn17_app::ports::{BlobKey, PortError, PortErrorKind};

fn no_blob(key: &BlobKey) -> PortError {
    PortError::new(PortErrorKind::NotFound, format!("there is no blob `{}`", key.0))
}

fn no_upload() -> PortError {
    PortError::new(PortErrorKind::NotFound, "there is no such upload")
}

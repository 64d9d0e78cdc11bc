//! Sample files that are not part of the repository.

use std::path::PathBuf;

use sn17_splat::{Limits, Splats, decode};

/// Path of a sample file, or `None` after saying that the test is skipped.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// Reads a sample splat.
pub(crate) fn splats(name: &str) -> Option<Splats> {
    let bytes = std::fs::read(path(name)?).unwrap();
    Some(decode(&bytes, &Limits::default()).unwrap())
}

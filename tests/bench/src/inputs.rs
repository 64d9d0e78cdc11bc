//! The splats that are measured: the sample files where `SN17_FIXTURES` names them, else made objects.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use sn17_splat::Splats;
use sn17_splat::procedural::{Quality, object};

/// A sample file, or nothing when there are no sample files.
pub(crate) fn sample(name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(folder) = env::var_os("SN17_FIXTURES") else {
        return Ok(None);
    };
    let path = PathBuf::from(folder).join(name);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(bytes))
}

/// Exactly `count` splats of made objects.
pub(crate) fn made(count: usize) -> Splats {
    let mut splats = Splats::default();
    for seed in 0.. {
        let missing = count - splats.len();
        if missing == 0 {
            break;
        }
        let part = object("red robot", Quality::Intact, seed);
        splats.positions.extend(part.positions.into_iter().take(missing));
        splats.scales.extend(part.scales.into_iter().take(missing));
        splats.rotations.extend(part.rotations.into_iter().take(missing));
        splats.opacities.extend(part.opacities.into_iter().take(missing));
        splats.colors.extend(part.colors.into_iter().take(missing));
    }
    splats
}

/// Bytes that do not compress, always the same (splitmix64).
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count + 8);
    let mut state = 0_u64;
    while bytes.len() < count {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

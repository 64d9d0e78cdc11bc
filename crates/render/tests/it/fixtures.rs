//! Sample files that are not part of the repository.

use std::path::PathBuf;

use sn17_splat::Splats;

/// Path of a sample file, or `None` after saying that the test is skipped.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// Reads a sample PLY whose only element has nothing but the fourteen float properties of a splat.
pub(crate) fn ply(name: &str) -> Option<Splats> {
    const END: &[u8] = b"end_header\n";
    let bytes = std::fs::read(path(name)?).unwrap();
    let start = bytes.windows(END.len()).position(|window| window == END).unwrap() + END.len();
    let mut splats = Splats::default();
    for row in bytes[start..].as_chunks::<56>().0 {
        let value = |index: usize| f32::from_le_bytes(row[index * 4..index * 4 + 4].try_into().unwrap());
        splats.positions.push([value(0), value(1), value(2)]);
        splats.colors.push([value(3), value(4), value(5)]);
        splats.opacities.push(value(6));
        splats.scales.push([value(7), value(8), value(9)]);
        splats
            .rotations
            .push([value(10), value(11), value(12), value(13)]);
    }
    Some(splats)
}

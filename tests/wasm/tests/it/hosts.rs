//! What would let two hosts decide differently is banned by clippy; here, that it is banned everywhere.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates that every host runs.
const EVERYWHERE: [&str; 5] = ["core", "splat", "wire", "app", "http"];
/// Ways to a clock or to randomness that is not the host's.
const BANNED: [&str; 5] = ["SystemTime::now", "Instant::now", "getrandom", "fastrand", "RandomState"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("folders can be listed").path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Clippy takes the nearest `clippy.toml` and merges none, so each crate has the whole list.
#[test]
fn every_crate_of_every_host_has_the_same_bans() {
    let lists = EVERYWHERE.map(|name| read(&crates().join(name).join("clippy.toml")));
    for (name, list) in EVERYWHERE.iter().zip(&lists) {
        assert_eq!(list, &lists[0], "the bans of {name} are not those of {}", EVERYWHERE[0]);
    }
    for ban in
        ["SystemTime::now", "Instant::now", "RandomState::new", "HashMap::iter", "f32::exp", "f64::powi"]
    {
        assert!(lists[0].contains(&format!("{ban}\"")), "{ban} is not banned");
    }
}

/// The adapters of edges and of Lambda are the same code; only what is native has a clock of its own.
#[test]
fn the_adapters_ask_their_host_for_time_and_randomness() {
    let sources = sources(&crates().join("aws/src"));
    let is_native = |path: &&PathBuf| path.ends_with("aws/src/native.rs");
    assert_eq!(sources.iter().filter(is_native).count(), 1, "native.rs is elsewhere now");
    for path in sources.iter().filter(|path| !is_native(path)) {
        let source = read(path);
        let found: Vec<_> = BANNED.iter().filter(|word| source.contains(**word)).collect();
        assert!(found.is_empty(), "{} has {found:?}", path.display());
    }
}

//! Links the Worker without the names of its functions.

/// They are a tenth of the bundle, and a panic says its file and line without them. The profile's `strip` would also take
/// the section that tells wasm-bindgen what the module's host must know.
const ARGUMENTS: [&str; 2] = ["--strip-all", "--keep-section=target_features"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    if target == "wasm" {
        for argument in ARGUMENTS {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}

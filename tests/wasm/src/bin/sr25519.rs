//! The sr25519 vectors as a program: exits with the number of failed checks.

use std::process::ExitCode;

fn main() -> ExitCode {
    sn17_wasm_vectors::sr25519().into()
}

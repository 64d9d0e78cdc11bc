//! The spz vectors as a program: exits with the number of failed checks.

use std::process::ExitCode;

fn main() -> ExitCode {
    sn17_wasm_vectors::spz().into()
}

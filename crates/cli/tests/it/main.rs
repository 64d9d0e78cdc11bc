//! The binary as cargo builds it. What it does is the black-box suite's to test; that there is a test here makes cargo
//! build the binary with the tests of the workspace, once and with the same features.

use std::process::Command;

#[test]
fn it_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_sn17")).arg("--version").output().unwrap();
    let expected = format!("sn17 {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

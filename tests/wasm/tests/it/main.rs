//! Every set of vectors and the recorded day, natively and in a WASM interpreter.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod console;
mod day;
mod hosts;

use std::env;
use std::fs;
use std::path::PathBuf;

use sn17_wasm_vectors::Tally;
use wasmi::{Engine, Linker, Module, Store};

#[track_caller]
fn check_native(tally: &Tally) {
    assert!(tally.checks > 0, "the set makes no checks");
    assert!(
        tally.failures.is_empty(),
        "{} of {} failed: {:#?}",
        tally.failures.len(),
        tally.checks,
        tally.failures
    );
}

/// Runs `NAME.wasm` of the folder that `SN17_WASM_VECTORS` names; `cargo xtask test` builds it.
#[track_caller]
fn check_wasm(name: &str) {
    let Some(folder) = env::var_os("SN17_WASM_VECTORS") else {
        eprintln!("skipped: SN17_WASM_VECTORS is not set");
        return;
    };
    let path = PathBuf::from(folder).join(name).with_extension("wasm");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let engine = Engine::default();
    let module = Module::new(&engine, &bytes).expect("the module is valid");
    let imports: Vec<_> =
        module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
    assert!(imports.is_empty(), "the module needs its host: {imports:?}");
    let mut store = Store::new(&engine, ());
    let instance =
        Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("the module starts");
    let main = instance.get_typed_func::<(i32, i32), i32>(&store, "main").expect("the module exports main");
    let failed = main.call(&mut store, (0, 0)).expect("no check traps");
    assert_eq!(failed, 0, "number of failed checks");
}

#[test]
fn glicko_native() {
    check_native(&sn17_wasm_vectors::glicko());
}

#[test]
fn glicko_wasm() {
    check_wasm("glicko");
}

#[test]
fn cooldown_native() {
    check_native(&sn17_wasm_vectors::cooldown());
}

#[test]
fn cooldown_wasm() {
    check_wasm("cooldown");
}

#[test]
fn spz_native() {
    check_native(&sn17_wasm_vectors::spz());
}

#[test]
fn spz_wasm() {
    check_wasm("spz");
}

#[test]
fn sr25519_native() {
    check_native(&sn17_wasm_vectors::sr25519());
}

#[test]
fn sr25519_wasm() {
    check_wasm("sr25519");
}

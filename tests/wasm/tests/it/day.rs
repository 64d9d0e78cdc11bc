//! The recorded day: natively, in the interpreter, and in whatever other WASM runtimes there are.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sn17_wasm_vectors::day::{Difference, Size, Summary, describe, flip_a_bit, record, replay};

use crate::console;

/// A network whose day takes seconds in an interpreter.
const SMALL: Size = Size { miners: 60, tasks_hourly: 60, rest_secs: 40 * 60 };
/// Everybody pulls as often as the cooldown allows.
const WHOLE: Size = Size { miners: 200, tasks_hourly: 1500, rest_secs: 20 };

/// What must have happened in a day for it to be worth comparing.
const EXPECTED: [(&str, &str); 50] = [
    ("add", "done"),
    ("add", "nothing to do"),
    ("compare", "done"),
    ("compare", "nothing to do"),
    ("compare roster", "compared"),
    ("deregister", "done"),
    ("deregister", "nothing to do"),
    ("figures", "absent"),
    ("figures", "told"),
    ("finalise", "done"),
    ("finalise", "nothing to do"),
    ("look after", "nothing to do"),
    ("look after", "to be judged"),
    ("look after", "void"),
    ("make duel", "begun"),
    ("make duel", "made"),
    ("make duel", "nothing to do"),
    ("note roster", "done"),
    ("note standings", "done"),
    ("pull", "a duel"),
    ("pull", "a synthetic task"),
    ("pull", "an organic task"),
    ("pull", "on cooldown"),
    ("pull", "the same task"),
    ("pull", "unregistered"),
    ("pull", "violation"),
    ("register", "done"),
    ("register", "nothing to do"),
    ("resend", "failed"),
    ("resend", "nothing to do"),
    ("resend", "to be scored"),
    ("results", "absent"),
    ("results", "failure"),
    ("results", "open"),
    ("results", "success"),
    ("rule", "judged"),
    ("rule", "nothing to do"),
    ("rule", "void"),
    ("settle", "accepted"),
    ("settle", "failed"),
    ("settle", "nothing to do"),
    ("settle", "rejected"),
    ("submit", "closed"),
    ("submit", "empty"),
    ("submit", "ignored"),
    ("submit", "no task"),
    ("submit", "rejected"),
    ("submit", "taken before"),
    ("submit", "to be scored"),
    ("submit", "unregistered"),
];

/// The size of the day: a small network, or a whole one with `SN17_FULL=1`.
fn size() -> Size {
    if env::var_os("SN17_FULL").is_some() { WHOLE } else { SMALL }
}

fn recorded(size: Size, seed: u64) -> (Vec<u8>, Summary) {
    let start = Instant::now();
    let (recording, summary) = record(size, seed).expect("the day can be recorded");
    eprintln!("seed {seed}, {size:?}\n{summary}");
    eprintln!("recorded natively in {:.1} s: {} bytes", start.elapsed().as_secs_f64(), recording.len());
    (recording, summary)
}

/// The day as a program; `cargo xtask test` builds it.
fn program() -> Option<PathBuf> {
    let Some(program) = env::var_os("SN17_WASM_DAY") else {
        eprintln!("skipped: SN17_WASM_DAY is not set");
        return None;
    };
    Some(PathBuf::from(program))
}

/// Checks that a program came to the same day; else shows the first decision that differs, in both forms.
#[track_caller]
fn check_agrees(runtime: &str, recording: &[u8], summary: &Summary, (status, output): (i32, &str)) {
    if let Some(number) = output.strip_prefix("differs at decision ").and_then(|rest| rest.split(' ').next())
    {
        let number = number.parse().expect("decisions have numbers");
        let (first, form) = output.split_once('\n').unwrap_or((output, ""));
        let native = describe(&mut Cursor::new(recording), number).expect("it was recorded here");
        let pairs = form.lines().zip(native.lines()).filter(|(here, there)| here != there);
        let lines: String =
            pairs.map(|(here, there)| format!("- {}\n+ {}\n", there.trim(), here.trim())).collect();
        panic!("{runtime} {first}\n{lines}\nnatively:\n{native}\nin {runtime}:\n{form}");
    }
    assert_eq!(status, 0, "{runtime}: {output}");
    assert_eq!(output.trim_end(), summary.to_string(), "{runtime} replayed another day");
}

fn check_interpreter(size: Size, seed: u64) {
    let (recording, summary) = recorded(size, seed);
    let Some(program) = program() else { return };
    let bytes =
        fs::read(&program).unwrap_or_else(|error| panic!("cannot read {}: {error}", program.display()));
    let start = Instant::now();
    let (status, output) = console::run(&bytes, Cursor::new(recording.clone()));
    eprintln!("replayed in the interpreter in {:.1} s", start.elapsed().as_secs_f64());
    check_agrees("the interpreter", &recording, &summary, (status, &output));
}

/// Replays the day in another runtime, which has the recording as its standard input.
fn check_runtime(runtime: &OsStr, arguments: &[&OsStr]) {
    let (recording, summary) = recorded(size(), 1);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("recording");
    fs::write(&path, &recording).expect("the recording can be kept");
    let input = fs::File::open(&path).expect("it was just written");
    let start = Instant::now();
    let output = Command::new(runtime)
        .args(arguments)
        .stdin(Stdio::from(input))
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", runtime.display()));
    let name = runtime.to_string_lossy();
    eprintln!("replayed in {name} in {:.1} s", start.elapsed().as_secs_f64());
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code().unwrap_or_else(|| panic!("{name} was ended: {complaints}"));
    assert!(status <= 1, "{name} does not run the program: {complaints}{printed}");
    check_agrees(&name, &recording, &summary, (status, &printed));
}

/// A program of that name: what the variable says, or what is on the path.
fn tool(variable: &str, name: &str) -> Option<OsString> {
    let named = env::var_os(variable);
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = || env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    let tool = named.or_else(|| found().map(PathBuf::into_os_string));
    if tool.is_none() {
        eprintln!("skipped: no {name} on the path, and {variable} is not set");
    }
    tool
}

#[test]
fn a_day_has_everything_that_can_happen() {
    let (_, summary) = recorded(size(), 1);
    let missing: Vec<_> = EXPECTED.iter().filter(|kind| !summary.counts.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "never in this day: {missing:?}");
    assert_eq!(summary.hours.len(), 24);
    assert!(summary.conflicts > 0 && summary.expired > 0 && summary.floats > summary.decisions);
}

#[test]
fn a_day_is_decided_alike_twice_natively() {
    let (recording, summary) = recorded(SMALL, 2);
    let (again, difference) = replay(&mut Cursor::new(recording)).expect("it was recorded here");
    assert_eq!(difference, None);
    assert_eq!(again, summary);
}

#[test]
fn a_day_is_decided_alike_natively_and_in_wasm() {
    check_interpreter(size(), 1);
    if env::var_os("SN17_FULL").is_some() {
        (2..5).for_each(|seed| check_interpreter(SMALL, seed));
    }
}

#[test]
fn a_day_is_decided_alike_natively_and_in_cranelift() {
    let (Some(program), Some(wasmtime)) = (program(), tool("SN17_WASMTIME", "wasmtime")) else { return };
    check_runtime(&wasmtime, &[program.as_os_str()]);
}

#[test]
fn a_day_is_decided_alike_natively_and_in_v8() {
    let (Some(program), Some(node)) = (program(), tool("SN17_NODE", "node")) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/console.mjs");
    check_runtime(&node, &[OsStr::new("--no-warnings"), script.as_os_str(), program.as_os_str()]);
}

/// The least difference there can be: the lowest bit of a stake, which is a float that is only copied.
#[test]
fn a_single_bit_is_found_at_its_decision() {
    let (recording, _) = recorded(SMALL, 1);
    let (recording, number) = flip_a_bit(&recording).expect("miners are registered in it");
    let (_, difference) = replay(&mut Cursor::new(recording.clone())).expect("it is still a recording");
    let Some(Difference::Decision { number: found, hour: 0, .. }) = difference else {
        panic!("not found: {difference:?}");
    };
    assert_eq!(found, number);
    let Some(program) = program() else { return };
    let bytes =
        fs::read(&program).unwrap_or_else(|error| panic!("cannot read {}: {error}", program.display()));
    let (status, output) = console::run(&bytes, Cursor::new(recording));
    assert_eq!((status, output.starts_with(&format!("differs at decision {number} of hour 0"))), (1, true));
}

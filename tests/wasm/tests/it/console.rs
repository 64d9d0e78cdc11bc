//! A program in the interpreter whose only way out is a console: standard input, standard output and an exit status.
//!
//! These are the five functions of WASI (preview 1) that Rust's standard library needs for that. A program that
//! asks for a clock, for randomness or for a mathematical function of its host does not even start.

use std::io::Read;

use wasmi::{Caller, Engine, Error, Extern, Linker, Memory, Module, Store};

const WASI: &str = "wasi_snapshot_preview1";
const SUCCESS: i32 = 0;
/// "Bad file descriptor" of WASI.
const BAD_FILE: i32 = 8;

/// What the program reads and what it has written.
struct Console {
    input: Box<dyn Read>,
    output: Vec<u8>,
}

/// Runs a program on `input`; answers its exit status and what it printed, errors included.
pub(crate) fn run(program: &[u8], input: impl Read + 'static) -> (i32, String) {
    let engine = Engine::default();
    let module = Module::new(&engine, program).expect("the module is valid");
    let mut store = Store::new(&engine, Console { input: Box::new(input), output: Vec::new() });
    let mut linker = Linker::new(&engine);
    link(&mut linker);
    let instance = linker.instantiate_and_start(&mut store, &module).expect("a console is all it needs");
    let start = instance.get_typed_func::<(), ()>(&store, "_start").expect("it is a program");
    let status = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => error.i32_exit_status().unwrap_or_else(|| panic!("the program trapped: {error}")),
    };
    (status, String::from_utf8_lossy(&store.data().output).into_owned())
}

fn link(linker: &mut Linker<Console>) {
    let linked = [
        linker.func_wrap(WASI, "fd_read", read).is_ok(),
        linker.func_wrap(WASI, "fd_write", write).is_ok(),
        linker.func_wrap(WASI, "environ_get", |_: Caller<'_, Console>, _: u32, _: u32| SUCCESS).is_ok(),
        linker.func_wrap(WASI, "environ_sizes_get", no_environment).is_ok(),
        linker.func_wrap(WASI, "proc_exit", exit).is_ok(),
    ];
    assert_eq!(linked, [true; 5]);
}

fn exit(_: Caller<'_, Console>, status: i32) -> Result<(), Error> {
    Err(Error::i32_exit(status))
}

fn no_environment(mut caller: Caller<'_, Console>, count: u32, bytes: u32) -> Result<i32, Error> {
    let memory = memory(&caller);
    memory.write(&mut caller, offset(count), &[0; 4]).map_err(|error| Error::new(error.to_string()))?;
    memory.write(&mut caller, offset(bytes), &[0; 4]).map_err(|error| Error::new(error.to_string()))?;
    Ok(SUCCESS)
}

/// Fills the first of the program's buffers only, as a short read may.
fn read(mut caller: Caller<'_, Console>, file: u32, buffers: u32, _: u32, count: u32) -> Result<i32, Error> {
    if file != 0 {
        return Ok(BAD_FILE);
    }
    let (memory, console) = memory(&caller).data_and_store_mut(&mut caller);
    let (begin, length) = buffer(memory, offset(buffers));
    let done = console.input.read(&mut memory[begin..][..length]).map_err(|e| Error::new(e.to_string()))?;
    memory[offset(count)..][..4].copy_from_slice(&u32::try_from(done).unwrap_or(u32::MAX).to_le_bytes());
    Ok(SUCCESS)
}

fn write(mut caller: Caller<'_, Console>, file: u32, buffers: u32, buffers_len: u32, count: u32) -> i32 {
    if file != 1 && file != 2 {
        return BAD_FILE;
    }
    let (memory, console) = memory(&caller).data_and_store_mut(&mut caller);
    let before = console.output.len();
    for number in 0..offset(buffers_len) {
        let (begin, length) = buffer(memory, offset(buffers) + 8 * number);
        console.output.extend_from_slice(&memory[begin..][..length]);
    }
    let done = u32::try_from(console.output.len() - before).unwrap_or(u32::MAX);
    memory[offset(count)..][..4].copy_from_slice(&done.to_le_bytes());
    SUCCESS
}

fn memory(caller: &Caller<'_, Console>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).expect("a program exports its memory")
}

/// Where a buffer lies that is described at `at`, and its length.
fn buffer(memory: &[u8], at: usize) -> (usize, usize) {
    let number = |at: usize| {
        let bytes = memory[at..][..4].try_into().expect("four bytes are four bytes");
        offset(u32::from_le_bytes(bytes))
    };
    (number(at), number(at + 4))
}

fn offset(address: u32) -> usize {
    usize::try_from(address).expect("addresses of 32 bits fit")
}

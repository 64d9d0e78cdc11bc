//! Replays the recorded day on its standard input: prints what it amounted to, or the first decision that differs.
//!
//! It exits with 0 when every decision agrees, 1 at a difference and 2 when the recording cannot be replayed.

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::io::{BufReader, stdin};
use std::process::ExitCode;

use sn17_wasm_vectors::day::{Difference, replay};

fn main() -> ExitCode {
    match replay(&mut BufReader::with_capacity(1 << 16, stdin().lock())) {
        Ok((summary, None)) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Ok((_, Some(Difference::Decision { number, hour, form }))) => {
            println!("differs at decision {number} of hour {hour}\n{form}");
            ExitCode::from(1)
        }
        Ok((_, Some(Difference::Hour(hour)))) => {
            println!("differs at the end of hour {hour}");
            ExitCode::from(1)
        }
        Err(fault) => {
            println!("{fault}");
            ExitCode::from(2)
        }
    }
}

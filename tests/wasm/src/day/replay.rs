//! The replay of a recording.

use std::io::Read;

use super::call::Entry;
use super::outcome::Outcome;
use super::{Fault, Frame, Machine, Summary, fingerprint};

/// Where a replay left its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A decision came out differently.
    Decision {
        /// Its number in the recording, from 0; rivals are not counted.
        number: u64,
        /// Its hour in the day, from 0.
        hour: usize,
        /// What was to be decided and what came of it here.
        form: String,
    },
    /// Every decision of an hour agrees, yet the digest at its end does not.
    Hour(usize),
}

/// Replays a recording up to its end or to the first difference.
///
/// # Errors
/// See [`Fault`].
pub fn replay(recording: &mut impl Read) -> Result<(Summary, Option<Difference>), Fault> {
    let mut machine = begin(recording)?;
    for number in 0.. {
        let (entry, expected) = match next_step(&mut machine, recording)? {
            Next::Step(entry, expected) => (entry, expected),
            Next::End => break,
            Next::Difference(hour) => return Ok((machine.summary, Some(Difference::Hour(hour)))),
        };
        let (outcome, bytes) = machine.step(&entry)?;
        if fingerprint(&bytes) != expected {
            let hour = machine.summary.hours.len();
            let form = form_of(&entry, &outcome, &bytes);
            return Ok((machine.summary, Some(Difference::Decision { number, hour, form })));
        }
    }
    Ok((machine.summary, None))
}

/// What this host makes of the decision of that number, in the words of [`Difference::Decision`].
///
/// # Errors
/// See [`Fault`].
pub fn describe(recording: &mut impl Read, number: u64) -> Result<String, Fault> {
    let mut machine = begin(recording)?;
    let mut seen = 0;
    while let Next::Step(entry, _) = next_step(&mut machine, recording)? {
        let (outcome, bytes) = machine.step(&entry)?;
        if seen == number {
            return Ok(form_of(&entry, &outcome, &bytes));
        }
        seen += 1;
    }
    Err(Fault::Frames("there is no decision of that number"))
}

enum Next {
    Step(Box<Entry>, [u8; 16]),
    End,
    /// The digest of an hour differs.
    Difference(usize),
}

fn begin(recording: &mut impl Read) -> Result<Machine, Fault> {
    match Frame::read(recording)? {
        Frame::Begin { policy, first_hour } => Ok(Machine::new(*policy, first_hour)),
        Frame::Step { .. } | Frame::Hour { .. } | Frame::End => {
            Err(Fault::Frames("it does not begin with the rules"))
        }
    }
}

/// The next decision; hours that end before it are compared on the way.
fn next_step(machine: &mut Machine, recording: &mut impl Read) -> Result<Next, Fault> {
    loop {
        match Frame::read(recording)? {
            Frame::Begin { .. } => return Err(Fault::Frames("it begins twice")),
            Frame::Step { entry, outcome } => return Ok(Next::Step(entry, outcome)),
            Frame::Hour { digest } => {
                if machine.close_hour() != digest {
                    return Ok(Next::Difference(machine.summary.hours.len() - 1));
                }
            }
            Frame::End => return Ok(Next::End),
        }
    }
}

/// Floats are printed to the last digit that tells them apart; the digest is there for whatever looks alike.
fn form_of(entry: &Entry, outcome: &Outcome, bytes: &[u8]) -> String {
    format!("{entry:#?}\n{outcome:#?}\nBLAKE3 of the outcome: {}", blake3::hash(bytes))
}

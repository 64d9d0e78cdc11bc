//! A recording that is wrong by one bit, to show that a replay finds it.

use std::io::Cursor;

use super::call::Call;
use super::{Fault, Frame};

/// Flips the lowest bit of the first stake that a miner is registered with; answers the changed recording and the
/// number of that decision.
///
/// # Errors
/// See [`Fault`]; among them that nobody is registered.
pub fn flip_a_bit(recording: &[u8]) -> Result<(Vec<u8>, u64), Fault> {
    let mut input = Cursor::new(recording);
    let mut flipped = Vec::with_capacity(recording.len());
    let mut number = 0;
    loop {
        let mut frame = Frame::read(&mut input)?;
        let Frame::Step { entry, .. } = &mut frame else {
            frame.write(&mut flipped)?;
            if matches!(frame, Frame::End) {
                return Err(Fault::Frames("nobody is registered in it"));
            }
            continue;
        };
        if let Call::Register { neuron, .. } = &mut entry.call {
            neuron.stake = f64::from_bits(neuron.stake.to_bits() ^ 1);
            frame.write(&mut flipped)?;
            let begin = usize::try_from(input.position()).unwrap_or(usize::MAX);
            flipped.extend_from_slice(recording.get(begin..).unwrap_or_default());
            return Ok((flipped, number));
        }
        number += 1;
        frame.write(&mut flipped)?;
    }
}

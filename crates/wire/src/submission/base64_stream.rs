//! Base64 that arrives in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ScanError;

/// Decodes padded standard base64 across any cuts; holds back at most three characters.
#[derive(Debug, Default)]
pub(super) struct Base64Stream {
    carry: [u8; 4],
    carried: usize,
    padded: bool,
    decoded: u64,
}

impl Base64Stream {
    /// Bytes decoded so far.
    pub(super) const fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Decodes `run` and what was held back, appending to `out`; at most `decoded_max` bytes in all.
    pub(super) fn push(&mut self, run: &[u8], out: &mut Vec<u8>, decoded_max: u64) -> Result<(), ScanError> {
        let mut run = run;
        if self.carried > 0 {
            let (head, tail) = run.split_at(run.len().min(4 - self.carried));
            self.carry[self.carried..self.carried + head.len()].copy_from_slice(head);
            self.carried += head.len();
            if self.carried < 4 {
                return Ok(());
            }
            self.carried = 0;
            let quad = self.carry;
            self.decode(&quad, out)?;
            run = tail;
        }
        let (quads, tail) = run.split_at(run.len() - run.len() % 4);
        self.decode(quads, out)?;
        if self.padded && !tail.is_empty() {
            return Err(ScanError::InvalidResults);
        }
        self.carry[..tail.len()].copy_from_slice(tail);
        self.carried = tail.len();
        if self.decoded > decoded_max {
            return Err(ScanError::ResultsTooLarge { bytes_max: decoded_max });
        }
        Ok(())
    }

    /// Ends the text, which must be whole quads.
    pub(super) const fn finish(&self) -> Result<(), ScanError> {
        if self.carried == 0 { Ok(()) } else { Err(ScanError::InvalidResults) }
    }

    fn decode(&mut self, quads: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        let Some(last) = quads.last() else { return Ok(()) };
        if self.padded {
            return Err(ScanError::InvalidResults);
        }
        self.padded = *last == b'=';
        let before = out.len();
        STANDARD.decode_vec(quads, out).map_err(|_| ScanError::InvalidResults)?;
        self.decoded += (out.len() - before) as u64;
        Ok(())
    }
}

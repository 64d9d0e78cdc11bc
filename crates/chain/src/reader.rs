//! Reading SCALE, the chain's encoding, field by field and to the last byte.

use parity_scale_codec::{Compact, Decode, Error};

/// Why bytes are not what the runtime's layout says.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// A field is cut short, is out of its range or is not written the one way it may be.
    #[error("`{field}` cannot be read: {reason}")]
    Field {
        /// The field, as the runtime's struct calls it.
        field: &'static str,
        /// What the codec says.
        reason: Error,
    },
    /// There is more than the layout has room for.
    #[error("{bytes} bytes too many")]
    Surplus {
        /// How many are left over.
        bytes: usize,
    },
    /// More entries than a subnet has slots.
    #[error("{count} entries of `{field}`, more than a subnet has")]
    TooMany {
        /// The list, as the runtime's struct calls it.
        field: &'static str,
        /// Its announced length.
        count: u32,
    },
    /// The slots do not come one by one from 0 on, as the runtime writes them.
    #[error("uid {uid} in place of uid {expected}")]
    Uid {
        /// The slot that stands there.
        uid: u16,
        /// The slot that belongs there.
        expected: usize,
    },
    /// A hotkey holds two slots.
    #[error("uid {uid} has the hotkey of another")]
    HotkeyTwice {
        /// The second slot.
        uid: u16,
    },
    /// It tells of another subnet.
    #[error("it is of subnet {netuid}")]
    Netuid {
        /// That subnet.
        netuid: u16,
    },
    /// The sum of a neuron's stakes cannot be.
    #[error("the stakes of uid {uid} exceed every supply")]
    Stake {
        /// Whose they are.
        uid: u16,
    },
    /// There is no such subnet.
    #[error("there is no such subnet")]
    NoSubnet,
    /// A value is there that nobody asked for, or one that was asked for is not.
    #[error("value {index} is {}", if *.present { "there unasked" } else { "missing" })]
    Value {
        /// Its index.
        index: u16,
        /// Whether it is there.
        present: bool,
    },
}

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, in its fixed width.
    pub(crate) fn fixed<T: Decode>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        T::decode(&mut self.rest).map_err(|reason| DecodeError::Field { field, reason })
    }

    /// The next field, a number in its compact form; only its shortest form is one.
    pub(crate) fn compact<T>(&mut self, field: &'static str) -> Result<T, DecodeError>
    where
        Compact<T>: Decode,
    {
        self.fixed::<Compact<T>>(field).map(|compact| compact.0)
    }

    /// The announced length of a list, at most `max`, before anything is made of it.
    pub(crate) fn length(&mut self, field: &'static str, max: usize) -> Result<usize, DecodeError> {
        let count = self.compact::<u32>(field)?;
        match usize::try_from(count) {
            Ok(length) if length <= max => Ok(length),
            Ok(_) | Err(_) => Err(DecodeError::TooMany { field, count }),
        }
    }

    /// How many bytes are left.
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may be left.
    pub(crate) const fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(DecodeError::Surplus { bytes }),
        }
    }
}

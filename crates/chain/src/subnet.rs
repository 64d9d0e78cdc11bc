//! The rules of a subnet and its neurons' stakes, as `SubnetInfoRuntimeApi_get_selective_metagraph` gives them.
//!
//! The runtime answers with one long struct of optional values and fills in those that were asked for by index. What
//! was not asked for is a single zero byte, whatever its type, so the answer is read without knowing the types of
//! the rest, and a value at any other place than the one it was asked at is an error.

use parity_scale_codec::Encode as _;
use sn17_wire::metagraph::NEURONS_MAX;

use crate::reader::{DecodeError, Reader};

/// The values that are asked for, by the runtime's `SelectiveMetagraphIndex`, in ascending order.
const NETUID: u16 = 0;
const TEMPO: u16 = 8;
const MIN_ALLOWED_WEIGHTS: u16 = 24;
const MAX_WEIGHTS_LIMIT: u16 = 25;
const WEIGHTS_VERSION: u16 = 26;
const WEIGHTS_RATE_LIMIT: u16 = 27;
const COMMIT_REVEAL_WEIGHTS_ENABLED: u16 = 46;
const COMMIT_REVEAL_PERIOD: u16 = 47;
const TOTAL_STAKE: u16 = 69;
const ASKED: [u16; 9] = [
    NETUID,
    TEMPO,
    MIN_ALLOWED_WEIGHTS,
    MAX_WEIGHTS_LIMIT,
    WEIGHTS_VERSION,
    WEIGHTS_RATE_LIMIT,
    COMMIT_REVEAL_WEIGHTS_ENABLED,
    COMMIT_REVEAL_PERIOD,
    TOTAL_STAKE,
];
/// Values that may follow the last one asked for; the runtime adds some at the end now and then.
const VALUES_AFTER_MAX: usize = 256;

/// A subnet's rules for weights, and the stake of each of its neurons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Blocks between two epochs, less one.
    pub tempo: u16,
    /// A validator must set at least so many weights.
    pub min_allowed_weights: u16,
    /// No weight may exceed this, of 65535.
    pub max_weights_limit: u16,
    /// The least version key that weights may carry; 0 admits all.
    pub weights_version: u64,
    /// Blocks that must lie between two settings of weights.
    pub weights_rate_limit: u64,
    /// Whether weights are committed first, and revealed later.
    pub commit_reveal_weights_enabled: bool,
    /// Epochs between commit and reveal.
    pub commit_reveal_period: u64,
    /// By uid, in rao: the stake that consensus counts, of the subnet's token and the root's, own and inherited. The
    /// Python SDK calls it `metagraph.S`.
    pub stakes_rao: Vec<u64>,
}

/// The arguments of the call: the subnet, and a `Vec<u16>` of what is asked for.
pub fn arguments(netuid: u16) -> Vec<u8> {
    (netuid, ASKED.as_slice()).encode()
}

/// Decodes the `Option<SelectiveMetagraph>` that answers [`arguments`].
///
/// # Errors
/// [`DecodeError`] for the first thing that is not as the runtime writes it, a byte too many or too few included.
pub fn decode(bytes: &[u8], netuid: u16) -> Result<Subnet, DecodeError> {
    let mut reader = Reader::new(bytes);
    if !reader.fixed::<bool>("metagraph")? {
        reader.finish()?;
        return Err(DecodeError::NoSubnet);
    }
    let stated_netuid = reader.compact::<u16>("netuid")?;
    if stated_netuid != netuid {
        return Err(DecodeError::Netuid { netuid: stated_netuid });
    }

    let mut values = Values { reader, next_index: NETUID + 1 };
    let subnet = Subnet {
        tempo: values.at(TEMPO)?.compact::<u16>("tempo")?,
        min_allowed_weights: values.at(MIN_ALLOWED_WEIGHTS)?.compact::<u16>("min_allowed_weights")?,
        max_weights_limit: values.at(MAX_WEIGHTS_LIMIT)?.compact::<u16>("max_weights_limit")?,
        weights_version: values.at(WEIGHTS_VERSION)?.compact::<u64>("weights_version")?,
        weights_rate_limit: values.at(WEIGHTS_RATE_LIMIT)?.compact::<u64>("weights_rate_limit")?,
        commit_reveal_weights_enabled: values
            .at(COMMIT_REVEAL_WEIGHTS_ENABLED)?
            .fixed("commit_reveal_weights_enabled")?,
        commit_reveal_period: values.at(COMMIT_REVEAL_PERIOD)?.compact::<u64>("commit_reveal_period")?,
        stakes_rao: stakes(values.at(TOTAL_STAKE)?)?,
    };
    values.finish()?;
    Ok(subnet)
}

fn stakes(reader: &mut Reader<'_>) -> Result<Vec<u64>, DecodeError> {
    let count = reader.length("total_stake", NEURONS_MAX)?;
    (0..count).map(|_| reader.compact::<u64>("total_stake")).collect()
}

/// The optional values of the struct, of which the ones before `next_index` have been read.
struct Values<'a> {
    reader: Reader<'a>,
    next_index: u16,
}

impl<'a> Values<'a> {
    /// Steps over the values that are not there, to the one that must be.
    fn at(&mut self, index: u16) -> Result<&mut Reader<'a>, DecodeError> {
        while self.next_index < index {
            self.step(false)?;
        }
        self.step(true)?;
        Ok(&mut self.reader)
    }

    fn step(&mut self, expected: bool) -> Result<(), DecodeError> {
        let present = self.reader.fixed::<bool>("values")?;
        if present != expected {
            return Err(DecodeError::Value { index: self.next_index, present });
        }
        self.next_index += 1;
        Ok(())
    }

    /// Nothing that was not asked for may follow.
    fn finish(mut self) -> Result<(), DecodeError> {
        for _ in 0..VALUES_AFTER_MAX {
            if self.reader.remaining() == 0 {
                break;
            }
            self.step(false)?;
        }
        self.reader.finish()
    }
}

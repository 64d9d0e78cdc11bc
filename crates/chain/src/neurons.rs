//! The neurons of a subnet, as `NeuronInfoRuntimeApi_get_neurons_lite` gives them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sn17_core::Hotkey;
use sn17_wire::metagraph::NEURONS_MAX;

use crate::reader::{DecodeError, Reader};

/// The smallest units of a token.
pub(crate) const RAO_PER_TOKEN: f64 = 1e9;
/// The chain writes a share of 1 as this.
const SHARE_ONE: f64 = u16::MAX as f64;
/// The least bytes of one stake entry: an account and a number of one byte.
const STAKE_BYTES_MIN: usize = 33;

/// A registered neuron; shares are in 0 to 1, in steps of 1/65535.
#[derive(Clone, Debug, PartialEq)]
pub struct Neuron {
    /// Its slot.
    pub uid: u16,
    /// The key it works with.
    pub hotkey: Hotkey,
    /// The key of its owner.
    pub coldkey: Hotkey,
    /// Where it serves, if it does.
    pub axon: Option<Axon>,
    /// What is staked on it in the subnet's own token, in rao: the sum of the entries. It leaves out what it holds on
    /// the root subnet; the stake that validators are told by is [`crate::subnet::Subnet::stakes_rao`].
    pub alpha_rao: u64,
    /// Its emission per epoch in the subnet's own token, in rao.
    pub emission_rao: u64,
    /// Its rank.
    pub rank: f64,
    /// Its incentive: the share of what miners are paid.
    pub incentive: f64,
    /// Its consensus.
    pub consensus: f64,
    /// Its trust.
    pub trust: f64,
    /// Its trust as a validator.
    pub validator_trust: f64,
    /// Its dividends: the share of what validators are paid.
    pub dividends: f64,
    /// The block at which it last set weights.
    pub last_update: u64,
    /// Whether it may set weights on others.
    pub validator_permit: bool,
    /// Whether it has set weights lately enough to count.
    pub active: bool,
}

/// Where a neuron serves, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axon {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// What it speaks there: 4 for what every SDK writes.
    pub protocol: u8,
}

impl Neuron {
    /// [`Self::alpha_rao`] in tokens.
    pub fn alpha(&self) -> f64 {
        tokens(self.alpha_rao)
    }
}

/// Rao in tokens, to 53 bits.
#[expect(clippy::cast_precision_loss, reason = "stakes are compared with round thresholds")]
pub(crate) fn tokens(rao: u64) -> f64 {
    rao as f64 / RAO_PER_TOKEN
}

/// Decodes the `Vec<NeuronInfoLite>` of a subnet: neurons by uid from 0 on, at most [`NEURONS_MAX`].
///
/// # Errors
/// [`DecodeError`] for the first thing that is not as the runtime writes it, a byte too many or too few included.
pub fn decode(bytes: &[u8], netuid: u16) -> Result<Vec<Neuron>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let count = reader.length("neurons", NEURONS_MAX)?;
    let mut neurons = Vec::with_capacity(count);
    let mut hotkeys = BTreeSet::new();
    for expected in 0..count {
        let neuron = neuron(&mut reader, netuid)?;
        if usize::from(neuron.uid) != expected {
            return Err(DecodeError::Uid { uid: neuron.uid, expected });
        }
        if !hotkeys.insert(neuron.hotkey) {
            return Err(DecodeError::HotkeyTwice { uid: neuron.uid });
        }
        neurons.push(neuron);
    }
    reader.finish()?;
    Ok(neurons)
}

/// One `NeuronInfoLite`, in the order of the runtime's struct.
fn neuron(reader: &mut Reader<'_>, netuid: u16) -> Result<Neuron, DecodeError> {
    let hotkey = Hotkey(reader.fixed("hotkey")?);
    let coldkey = Hotkey(reader.fixed("coldkey")?);
    let uid = reader.compact::<u16>("uid")?;
    let stated_netuid = reader.compact::<u16>("netuid")?;
    if stated_netuid != netuid {
        return Err(DecodeError::Netuid { netuid: stated_netuid });
    }
    let active = reader.fixed("active")?;
    let axon = axon(reader)?;
    skip_prometheus(reader)?;
    let alpha_rao = stake(reader, uid)?;
    let rank = share(reader, "rank")?;
    let emission_rao = reader.compact::<u64>("emission")?;
    let incentive = share(reader, "incentive")?;
    let consensus = share(reader, "consensus")?;
    let trust = share(reader, "trust")?;
    let validator_trust = share(reader, "validator_trust")?;
    let dividends = share(reader, "dividends")?;
    let last_update = reader.compact::<u64>("last_update")?;
    let validator_permit = reader.fixed("validator_permit")?;
    share(reader, "pruning_score")?;
    Ok(Neuron {
        uid,
        hotkey,
        coldkey,
        axon,
        alpha_rao,
        emission_rao,
        rank,
        incentive,
        consensus,
        trust,
        validator_trust,
        dividends,
        last_update,
        validator_permit,
        active,
    })
}

/// An `AxonInfo`; none if it names no address. The neuron wrote it itself, so what it says is not a reason to doubt
/// the others.
fn axon(reader: &mut Reader<'_>) -> Result<Option<Axon>, DecodeError> {
    reader.fixed::<u64>("axon_info.block")?;
    reader.fixed::<u32>("axon_info.version")?;
    let address = reader.fixed::<u128>("axon_info.ip")?;
    let port = reader.fixed("axon_info.port")?;
    let ip_type = reader.fixed::<u8>("axon_info.ip_type")?;
    let protocol = reader.fixed("axon_info.protocol")?;
    reader.fixed::<[u8; 2]>("axon_info.placeholders")?;
    let ip = match ip_type {
        4 => u32::try_from(address).ok().map(|address| IpAddr::V4(Ipv4Addr::from_bits(address))),
        6 => Some(IpAddr::V6(Ipv6Addr::from_bits(address))),
        _ => None,
    };
    Ok(ip.filter(|ip| !ip.is_unspecified()).map(|ip| Axon { ip, port, protocol }))
}

/// A `PrometheusInfo`, which nothing here needs.
fn skip_prometheus(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.fixed::<u64>("prometheus_info.block")?;
    reader.fixed::<u32>("prometheus_info.version")?;
    reader.fixed::<u128>("prometheus_info.ip")?;
    reader.fixed::<u16>("prometheus_info.port")?;
    reader.fixed::<u8>("prometheus_info.ip_type")?;
    Ok(())
}

/// The sum of the stake entries, one per coldkey; newer runtimes write one, the owner's, for all.
fn stake(reader: &mut Reader<'_>, uid: u16) -> Result<u64, DecodeError> {
    let entries = reader.length("stake", reader.remaining() / STAKE_BYTES_MIN)?;
    let mut sum: u64 = 0;
    for _ in 0..entries {
        reader.fixed::<[u8; 32]>("stake.coldkey")?;
        let stake = reader.compact::<u64>("stake.amount")?;
        sum = sum.checked_add(stake).ok_or(DecodeError::Stake { uid })?;
    }
    Ok(sum)
}

fn share(reader: &mut Reader<'_>, field: &'static str) -> Result<f64, DecodeError> {
    reader.compact::<u16>(field).map(|share| f64::from(share) / SHARE_ONE)
}

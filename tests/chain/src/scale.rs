//! What the runtime writes, by an encoder that shares nothing with the decoder.

#![expect(
    clippy::cast_possible_truncation,
    reason = "each cast stands behind the comparison that makes it exact"
)]

/// A `NeuronInfoLite`, field by field.
#[derive(Clone, Debug, PartialEq)]
pub struct WireNeuron {
    /// Its key.
    pub hotkey: [u8; 32],
    /// The account that owns it.
    pub coldkey: [u8; 32],
    /// Its slot.
    pub uid: u16,
    /// Its subnet.
    pub netuid: u16,
    /// Whether it was active lately.
    pub active: bool,
    /// Its axon's address as a number.
    pub axon_ip: u128,
    /// Its axon's port.
    pub axon_port: u16,
    /// 4 or 6.
    pub axon_ip_type: u8,
    /// Who staked how much on it, in rao of the subnet's token.
    pub stakes: Vec<([u8; 32], u64)>,
    /// Share of 65535.
    pub rank: u16,
    /// In rao.
    pub emission: u64,
    /// Share of 65535.
    pub incentive: u16,
    /// Share of 65535.
    pub consensus: u16,
    /// Share of 65535.
    pub trust: u16,
    /// Share of 65535.
    pub validator_trust: u16,
    /// Share of 65535.
    pub dividends: u16,
    /// The block at which it set weights last.
    pub last_update: u64,
    /// Whether it may set weights on others.
    pub validator_permit: bool,
}

impl WireNeuron {
    /// A neuron of subnet 17 at a slot, with keys of its own.
    pub fn at(uid: u16) -> Self {
        let key = |kind: u8| {
            let mut key = [kind; 32];
            key[..2].copy_from_slice(&uid.to_le_bytes());
            key
        };
        Self {
            hotkey: key(1),
            coldkey: key(2),
            uid,
            netuid: 17,
            active: true,
            axon_ip: 0,
            axon_port: 0,
            axon_ip_type: 0,
            stakes: vec![(key(2), 1_000_000_000 * u64::from(uid))],
            rank: 0,
            emission: 0,
            incentive: uid.saturating_mul(100),
            consensus: 0,
            trust: 0,
            validator_trust: 0,
            dividends: 0,
            last_update: 4_000_000,
            validator_permit: false,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.hotkey);
        out.extend(self.coldkey);
        compact(u64::from(self.uid), out);
        compact(u64::from(self.netuid), out);
        out.push(self.active.into());
        out.extend(7_u64.to_le_bytes());
        out.extend(9_u32.to_le_bytes());
        out.extend(self.axon_ip.to_le_bytes());
        out.extend(self.axon_port.to_le_bytes());
        out.extend([self.axon_ip_type, 4, 0, 0]);
        out.extend([0; 8 + 4 + 16 + 2 + 1]);
        compact(self.stakes.len() as u64, out);
        for (coldkey, stake) in &self.stakes {
            out.extend(coldkey);
            compact(*stake, out);
        }
        compact(u64::from(self.rank), out);
        compact(self.emission, out);
        for share in [self.incentive, self.consensus, self.trust, self.validator_trust, self.dividends] {
            compact(u64::from(share), out);
        }
        compact(self.last_update, out);
        out.push(self.validator_permit.into());
        compact(u64::from(u16::MAX), out);
    }
}

/// A `Vec<NeuronInfoLite>`.
pub fn neurons(neurons: &[WireNeuron]) -> Vec<u8> {
    let mut out = Vec::new();
    compact(neurons.len() as u64, &mut out);
    for neuron in neurons {
        neuron.encode(&mut out);
    }
    out
}

/// An `Option<SelectiveMetagraph>` in which everything asked for is there: tempo 360, at least one weight, no limit,
/// version 0, 100 blocks between weights, reveal after one epoch.
pub fn subnet(netuid: u16, commit_reveal: bool, stakes: &[u64]) -> Vec<u8> {
    let mut out = vec![1];
    compact(u64::from(netuid), &mut out);
    for index in 1..=73 {
        let value: Option<u64> = match index {
            8 => Some(360),
            24 => Some(1),
            25 => Some(65_535),
            26 => Some(0),
            27 => Some(100),
            47 => Some(1),
            _ => None,
        };
        match (index, value) {
            (46, _) => out.extend([1, commit_reveal.into()]),
            (69, _) => {
                out.push(1);
                compact(stakes.len() as u64, &mut out);
                stakes.iter().for_each(|stake| compact(*stake, &mut out));
            }
            (_, Some(value)) => {
                out.push(1);
                compact(value, &mut out);
            }
            (_, None) => out.push(0),
        }
    }
    out
}

/// A number in SCALE's compact form: two low bits tell how it goes on.
pub fn compact(value: u64, out: &mut Vec<u8>) {
    if value < 1 << 6 {
        out.push((value << 2) as u8);
    } else if value < 1 << 14 {
        out.extend((((value << 2) | 1) as u16).to_le_bytes());
    } else if value < 1 << 30 {
        out.extend((((value << 2) | 2) as u32).to_le_bytes());
    } else {
        let bytes = value.to_le_bytes();
        let length = 8 - value.leading_zeros() as usize / 8;
        out.push((((length - 4) << 2) | 3) as u8);
        out.extend(&bytes[..length]);
    }
}

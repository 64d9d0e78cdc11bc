//! Weights as the chain takes them: which numbers, and in which order it refuses them.

use std::collections::BTreeSet;
use std::fmt;

use parity_scale_codec::Encode as _;
use sn17_core::Hotkey;

use crate::extrinsic::{COMMIT_TIMELOCKED_WEIGHTS, SET_WEIGHTS};
use crate::metagraph::Snapshot;

/// Weights for the chain: what each uid gets, of the greatest one's 65535.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Who gets something, in the order given.
    pub uids: Vec<u16>,
    /// How much each of them gets.
    pub values: Vec<u16>,
}

/// Weights that cannot be any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weight of uid {uid} is negative or no number")]
pub struct WeightsError {
    /// Whose weight it is.
    pub uid: u16,
}

impl Weights {
    /// Weights relative to the greatest, as the Python SDK's `convert_weights_and_uids_for_emit` makes them: divided
    /// by the greatest, times 65535, rounded half to even; those of 0 are left out. If all are 0, so are all left out.
    ///
    /// # Errors
    /// If a weight is negative, infinite or no number.
    pub fn relative(weights: &[(u16, f64)]) -> Result<Self, WeightsError> {
        if let Some((uid, _)) = weights.iter().find(|(_, weight)| !weight.is_finite() || *weight < 0.0) {
            return Err(WeightsError { uid: *uid });
        }
        let greatest = weights.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        let mut relative = Self::default();
        if greatest <= 0.0 {
            return Ok(relative);
        }
        for (uid, weight) in weights {
            let value = (weight / greatest * f64::from(u16::MAX)).round_ties_even();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is in 0 to 65535"
            )]
            let value = value as u16;
            if value > 0 {
                relative.uids.push(*uid);
                relative.values.push(value);
            }
        }
        Ok(relative)
    }

    /// Whether it is one weight, of the setter on itself, which the chain lets anyone set.
    fn is_of_self(&self, uid: u16) -> bool {
        self.uids == [uid]
    }
}

/// What a timelocked commit hides until it is revealed: the chain's `WeightsTlockPayload`, in SCALE.
pub fn commit_payload(hotkey: &Hotkey, weights: &Weights, version_key: u64) -> Vec<u8> {
    (hotkey.0.as_slice(), weights.uids.as_slice(), weights.values.as_slice(), version_key).encode()
}

/// How weights would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// As they are, with [`crate::extrinsic::Call::set_weights`].
    Set,
    /// Hidden, with [`crate::extrinsic::Call::commit_timelocked_weights`]; the chain reveals them itself.
    CommitTimelocked {
        /// [`commit_payload`], to be encrypted to a later round of drand's quicknet.
        payload: Vec<u8>,
        /// The version that the commit must carry.
        commit_version: u16,
        /// Epochs until they are revealed.
        reveal_period: u64,
    },
}

/// The version of commits where the chain's state names none: the runtime's own default in spec 425.
const COMMIT_VERSION_DEFAULT: u16 = 4;

/// What would be sent, if it were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The subnet.
    pub netuid: u16,
    /// The setter's slot.
    pub uid: u16,
    /// How they would be sent.
    pub route: Route,
    /// What would be set.
    pub weights: Weights,
    /// The version key they would carry.
    pub version_key: u64,
    /// The block whose state this was decided on.
    pub block: u64,
}

/// Why the chain would refuse weights, by the name of its own error, in the order in which it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// There is nothing to set; the chain itself would take that for a subnet without a minimum.
    #[error("there is no weight above 0")]
    Nothing,
    /// `WeightVecNotEqualSize`.
    #[error("there are {uids} uids and {values} values")]
    Lengths {
        /// How many uids.
        uids: usize,
        /// How many values.
        values: usize,
    },
    /// `UidsLengthExceedUidsInSubNet`.
    #[error("{weights} weights for {neurons} neurons")]
    TooMany {
        /// How many weights.
        weights: usize,
        /// How many neurons.
        neurons: usize,
    },
    /// `HotKeyNotRegisteredInSubNet`.
    #[error("the hotkey is not registered on the subnet")]
    NotRegistered,
    /// `NotEnoughStakeToSetWeights`.
    #[error("the stake is {stake_rao} rao, and {least_rao} are asked for")]
    Stake {
        /// The setter's stake as consensus counts it.
        stake_rao: u64,
        /// The least one.
        least_rao: u64,
    },
    /// `IncorrectWeightVersionKey`.
    #[error("the version key is {version_key}, and {least} is asked for")]
    VersionKey {
        /// The one given.
        version_key: u64,
        /// The least one.
        least: u64,
    },
    /// `SettingWeightsTooFast`.
    #[error("weights were set at block {last_update}, and may be again at block {next}")]
    TooFast {
        /// When they were set last.
        last_update: u64,
        /// When they may be set again.
        next: u64,
    },
    /// `NeuronNoValidatorPermit`.
    #[error("uid {uid} has no validator permit")]
    NoPermit {
        /// The setter's slot.
        uid: u16,
    },
    /// `DuplicateUids`.
    #[error("uid {uid} has two weights")]
    Duplicate {
        /// Whose they are.
        uid: u16,
    },
    /// `UidVecContainInvalidOne`.
    #[error("uid {uid} is not on the subnet")]
    NoSuchUid {
        /// The slot.
        uid: u16,
    },
    /// `WeightVecLengthIsLow`.
    #[error("{weights} weights, and {least} are asked for")]
    TooFew {
        /// How many weights.
        weights: usize,
        /// The least number.
        least: usize,
    },
    /// `MaxWeightExceeded`.
    #[error("uid {uid} gets a greater share than {limit} of 65535")]
    TooGreat {
        /// Whose weight it is.
        uid: u16,
        /// The subnet's limit.
        limit: u16,
    },
}

/// Decides on a snapshot of the chain whether it would take weights of this hotkey, and how they would be sent.
///
/// Two of its rules cannot be seen from here and are left to the chain: at most 10 unrevealed commits per epoch, and
/// what happens between the snapshot's block and the one that takes the call.
///
/// # Errors
/// The first [`Obstacle`] that the chain would find.
pub fn preflight(
    snapshot: &Snapshot,
    hotkey: &Hotkey,
    weights: Weights,
    version_key: u64,
) -> Result<Plan, Obstacle> {
    let subnet = &snapshot.subnet;
    let neurons = snapshot.neurons.len();
    let Weights { uids, values } = &weights;
    if uids.is_empty() {
        return Err(Obstacle::Nothing);
    }
    if uids.len() != values.len() {
        return Err(Obstacle::Lengths { uids: uids.len(), values: values.len() });
    }
    if uids.len() > neurons {
        return Err(Obstacle::TooMany { weights: uids.len(), neurons });
    }
    let setter = snapshot.neuron(hotkey).ok_or(Obstacle::NotRegistered)?;
    let uid = setter.uid;
    let stake_rao = subnet.stakes_rao.get(usize::from(uid)).copied().unwrap_or(0);
    let least_rao = snapshot.weight_rules.stake_rao_min;
    if stake_rao < least_rao {
        return Err(Obstacle::Stake { stake_rao, least_rao });
    }
    let least = subnet.weights_version;
    if least != 0 && version_key < least {
        return Err(Obstacle::VersionKey { version_key, least });
    }
    let last_update = setter.last_update;
    let next = last_update.saturating_add(subnet.weights_rate_limit);
    // The call is taken by a later block than the one looked at.
    if last_update != 0 && snapshot.block + 1 < next {
        return Err(Obstacle::TooFast { last_update, next });
    }
    if !weights.is_of_self(uid) && !setter.validator_permit {
        return Err(Obstacle::NoPermit { uid });
    }
    check_entries(snapshot, &weights, uid)?;

    let route = if subnet.commit_reveal_weights_enabled {
        Route::CommitTimelocked {
            payload: commit_payload(hotkey, &weights, version_key),
            commit_version: snapshot.weight_rules.commit_version.unwrap_or(COMMIT_VERSION_DEFAULT),
            reveal_period: subnet.commit_reveal_period,
        }
    } else {
        Route::Set
    };
    Ok(Plan { netuid: snapshot.netuid, uid, route, weights, version_key, block: snapshot.block })
}

/// The chain's checks on the weights themselves, when their setter has passed.
fn check_entries(snapshot: &Snapshot, weights: &Weights, setter: u16) -> Result<(), Obstacle> {
    let neurons = snapshot.neurons.len();
    let mut seen = BTreeSet::new();
    if let Some(uid) = weights.uids.iter().find(|uid| !seen.insert(**uid)) {
        return Err(Obstacle::Duplicate { uid: *uid });
    }
    if let Some(uid) = weights.uids.iter().find(|uid| usize::from(**uid) >= neurons) {
        return Err(Obstacle::NoSuchUid { uid: *uid });
    }
    if weights.is_of_self(setter) {
        return Ok(());
    }
    let least = usize::from(snapshot.subnet.min_allowed_weights).min(neurons);
    if weights.uids.len() < least {
        return Err(Obstacle::TooFew { weights: weights.uids.len(), least });
    }
    check_limit(weights, snapshot.subnet.max_weights_limit)
}

/// No weight's share of the sum may exceed the subnet's limit. The chain scales them up to a greatest of 65535 before.
fn check_limit(weights: &Weights, limit: u16) -> Result<(), Obstacle> {
    let greatest = u64::from(weights.values.iter().copied().max().unwrap_or(0)).max(1);
    let upscaled = |value: u16| u64::from(value) * u64::from(u16::MAX) / greatest;
    let sum: u64 = weights.values.iter().map(|value| upscaled(*value)).sum();
    for (uid, value) in weights.uids.iter().zip(&weights.values) {
        if upscaled(*value) * u64::from(u16::MAX) > sum * u64::from(limit) {
            return Err(Obstacle::TooGreat { uid: *uid, limit });
        }
    }
    Ok(())
}

impl fmt::Display for Plan {
    /// For whoever decides whether it is sent: the call with its arguments, and each weight.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { netuid, uid, route, weights, version_key, block } = self;
        writeln!(formatter, "as uid {uid} of subnet {netuid}, at block {block}:")?;
        match route {
            Route::Set => writeln!(
                formatter,
                "set_weights (call {SET_WEIGHTS}): netuid {netuid}, version_key {version_key}"
            )?,
            Route::CommitTimelocked { payload, commit_version, reveal_period } => writeln!(
                formatter,
                "commit_timelocked_weights (call {COMMIT_TIMELOCKED_WEIGHTS}): netuid {netuid}, \
                 commit_reveal_version {commit_version}, revealed after {reveal_period} epochs, \
                 payload of {} bytes with version_key {version_key}",
                payload.len()
            )?,
        }
        for (uid, value) in weights.uids.iter().zip(&weights.values) {
            writeln!(formatter, "  uid {uid:>3}  {value:>5}")?;
        }
        Ok(())
    }
}

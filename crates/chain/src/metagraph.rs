//! The metagraph: everything about a subnet at one finalized block, from one node, checked against itself.
//!
//! A node is believed if all of its answers agree: the header hashes to the finalized block's hash and is recent, the
//! runtime is a known one, both of its calls decode to the last byte and tell of equally many neurons, and the
//! storage has that number and the same hotkeys in a few slots. The first node whose answers agree is taken; if there
//! is none, there is an error and the caller keeps the metagraph it has.

use std::fmt;

use futures_util::future::try_join_all;
use sn17_core::state::{Block, Neuron as RosterNeuron, Roster};
use sn17_core::{Hotkey, UnixMs};

use crate::neurons::{self, Neuron};
use crate::node::{BlockHash, CallError, Node};
use crate::reader::{DecodeError, Reader};
use crate::settings::{SPEC_NAME, Settings, SpecVersions};
use crate::storage;
use crate::subnet::{self, Subnet};

/// A node that failed is asked again once.
const ROUNDS: usize = 2;
/// So many slots' hotkeys are compared with the storage.
const SAMPLED_SLOTS: usize = 3;
/// The runtime's function for the neurons; its argument is the subnet.
const NEURONS_FUNCTION: &str = "NeuronInfoRuntimeApi_get_neurons_lite";
/// The runtime's function for the subnet.
const SUBNET_FUNCTION: &str = "SubnetInfoRuntimeApi_get_selective_metagraph";

/// A subnet at one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The subnet.
    pub netuid: u16,
    /// The block's number.
    pub block: u64,
    /// The block.
    pub block_hash: BlockHash,
    /// When the block was made.
    pub made_at: UnixMs,
    /// The version of the runtime that answered.
    pub spec_version: u32,
    /// By uid, from 0 on; at least one.
    pub neurons: Vec<Neuron>,
    /// The subnet's rules, and its neurons' stakes.
    pub subnet: Subnet,
    /// What the chain asks of all who set weights.
    pub weight_rules: WeightRules,
}

/// What the chain asks of everyone who sets weights, on any subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightRules {
    /// The least stake, in rao: `StakeThreshold`.
    pub stake_rao_min: u64,
    /// The version of commits it takes: `CommitRevealWeightsVersion`; none if the chain's state leaves it at the
    /// runtime's own default, which is 4 in spec 425.
    pub commit_version: Option<u16>,
}

impl Snapshot {
    /// The neurons as the rules of the game know them, with the block: stake as consensus counts it, in tokens.
    pub fn roster(&self) -> Roster {
        let stakes = self.subnet.stakes_rao.iter().map(|stake| neurons::tokens(*stake));
        let neuron = |(neuron, stake): (&Neuron, f64)| RosterNeuron {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
            coldkey: Some(neuron.coldkey),
            stake,
            incentive: neuron.incentive,
        };
        let neurons = self.neurons.iter().zip(stakes).map(neuron).collect();
        let block = Block { made_at: self.made_at, number: self.block };
        Roster { neurons, block: Some(block) }
    }

    /// The neuron that works with this key.
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}

/// Why no node gave a metagraph.
#[derive(Debug, thiserror::Error)]
pub struct Unavailable {
    /// What happened with each node, in the order they are asked in.
    pub attempts: Vec<Attempt>,
}

/// What happened with one node, the last time that it was asked.
#[derive(Debug)]
pub struct Attempt {
    /// The node's scheme, host and port.
    pub endpoint: String,
    /// Why it is not believed.
    pub error: FetchError,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attempts.is_empty() {
            return formatter.write_str("there is no node to ask");
        }
        for (position, attempt) in self.attempts.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(formatter, "{separator}{}: {}", attempt.endpoint, attempt.error)?;
        }
        Ok(())
    }
}

/// Why a node is not believed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It did not answer a question.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It serves another chain.
    #[error("it runs `{0}`, not `{SPEC_NAME}`")]
    OtherChain(String),
    /// The runtime's layouts may be others than the ones known here.
    #[error("the runtime's spec version {found} is not among {known}")]
    SpecVersion {
        /// The runtime's version.
        found: u32,
        /// The ones that are taken for known.
        known: SpecVersions,
    },
    /// It does not know the block that it called finalized.
    #[error("it does not know its own finalized block")]
    NoHeader,
    /// It gave the header of another block.
    #[error("the header is not that of the finalized block")]
    OtherBlock,
    /// Its finalized block is too old: it has fallen behind.
    #[error("its finalized block is {age_secs} s old")]
    Behind {
        /// The block's age; negative if it is of the future.
        age_secs: i64,
    },
    /// Its finalized block is older than one that is known already.
    #[error("its finalized block {block} is older than {known}, which is known")]
    Older {
        /// Its finalized block's number.
        block: u64,
        /// The number of the one that is known.
        known: u64,
    },
    /// An answer is not what the runtime's layout says.
    #[error("{what}: {error}")]
    Decode {
        /// The answer.
        what: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The subnet has no neurons, or the storage has none for it.
    #[error("the subnet has no neurons")]
    Empty,
    /// Two answers contradict each other.
    #[error("the number of neurons is {listed} by the runtime's list, {stated} by {by}")]
    Counts {
        /// How many the list has.
        listed: usize,
        /// How many there are elsewhere.
        stated: usize,
        /// Where.
        by: &'static str,
    },
    /// The storage has another hotkey in a slot than the runtime's list.
    #[error("uid {uid} has another hotkey in the storage")]
    Slot {
        /// The slot.
        uid: u16,
    },
}

/// A source of metagraphs: the nodes of [`Settings`].
#[derive(Debug)]
pub struct Metagraph {
    settings: Settings,
    nodes: Vec<Node>,
}

impl Metagraph {
    /// Prepares the nodes' clients; nothing is sent yet.
    ///
    /// # Errors
    /// If a client cannot be made for an endpoint.
    pub fn new(settings: Settings) -> Result<Self, CallError> {
        let node = |endpoint| Node::new(endpoint, settings.answer_within);
        let nodes = settings.endpoints.iter().cloned().map(node).collect::<Result<_, _>>()?;
        Ok(Self { settings, nodes })
    }

    /// The subnet at the finalized block of the first node whose answers agree. The block is not before
    /// `known`, that of the metagraph that the caller has.
    ///
    /// # Errors
    /// [`Unavailable`] if no node is believed, of which those that did not answer were asked twice.
    pub async fn fetch(&self, now: UnixMs, known: Option<Block>) -> Result<Snapshot, Unavailable> {
        let mut errors: Vec<Option<FetchError>> = self.nodes.iter().map(|_| None).collect();
        for round in 0..ROUNDS {
            if round > 0 {
                if !errors.iter().flatten().any(FetchError::may_pass) {
                    break;
                }
                tokio::time::sleep(self.settings.retry_after).await;
            }
            for (node, error) in self.nodes.iter().zip(&mut errors) {
                if error.as_ref().is_some_and(|error| !error.may_pass()) {
                    continue;
                }
                match self.ask(node, now, known).await {
                    Ok(snapshot) => return Ok(snapshot),
                    Err(failure) => {
                        tracing::debug!(node = %node.endpoint, "no metagraph: {failure}");
                        *error = Some(failure);
                    }
                }
            }
        }
        let attempt =
            |(node, error): (&Node, FetchError)| Attempt { endpoint: node.endpoint.to_string(), error };
        Err(Unavailable {
            attempts: self.nodes.iter().zip(errors.into_iter().flatten()).map(attempt).collect(),
        })
    }

    /// Everything from one node, at the block that it calls finalized now.
    async fn ask(&self, node: &Node, now: UnixMs, known: Option<Block>) -> Result<Snapshot, FetchError> {
        let block_hash = node.finalized_head().await?;
        let block = check_block(node, block_hash).await?;
        let made_at = self.check_age(node, block_hash, now).await?;
        if let Some(known) = known.filter(|known| Block { made_at, number: block } < *known) {
            return Err(FetchError::Older { block, known: known.number });
        }
        let spec_version = self.check_runtime(node, block_hash).await?;

        let netuid = self.settings.netuid;
        let arguments = netuid.to_le_bytes().to_vec();
        let bytes = node.runtime_call(NEURONS_FUNCTION, arguments, block_hash).await?;
        let neurons = neurons::decode(&bytes, netuid)
            .map_err(|error| FetchError::Decode { what: NEURONS_FUNCTION, error })?;
        let bytes = node.runtime_call(SUBNET_FUNCTION, subnet::arguments(netuid), block_hash).await?;
        let subnet = subnet::decode(&bytes, netuid)
            .map_err(|error| FetchError::Decode { what: SUBNET_FUNCTION, error })?;

        check_counts(node, netuid, &neurons, &subnet, block_hash).await?;
        check_slots(node, netuid, &neurons, block_hash).await?;
        let weight_rules = weight_rules(node, block_hash).await?;
        Ok(Snapshot { netuid, block, block_hash, made_at, spec_version, neurons, subnet, weight_rules })
    }

    async fn check_age(&self, node: &Node, block: BlockHash, now: UnixMs) -> Result<UnixMs, FetchError> {
        let made_at: u64 = stored(node, "Timestamp.Now", storage::timestamp(), block)
            .await?
            .ok_or(FetchError::Behind { age_secs: i64::MAX })?;
        let age_max = i128::try_from(self.settings.age_max.as_millis()).unwrap_or(i128::MAX);
        let age = i128::from(now.0) - i128::from(made_at);
        if age > age_max || age < -age_max {
            return Err(FetchError::Behind { age_secs: i64::try_from(age / 1000).unwrap_or(i64::MAX) });
        }
        Ok(UnixMs(made_at))
    }

    async fn check_runtime(&self, node: &Node, block: BlockHash) -> Result<u32, FetchError> {
        let runtime = node.runtime_version(block).await?;
        if runtime.spec_name != SPEC_NAME {
            return Err(FetchError::OtherChain(runtime.spec_name.chars().take(40).collect()));
        }
        let known = self.settings.spec_versions;
        if !known.contains(runtime.spec_version) {
            return Err(FetchError::SpecVersion { found: runtime.spec_version, known });
        }
        Ok(runtime.spec_version)
    }
}

impl FetchError {
    /// Whether the same node may be believed in a moment.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Call(_) | Self::NoHeader => true,
            Self::OtherChain(_)
            | Self::SpecVersion { .. }
            | Self::OtherBlock
            | Self::Behind { .. }
            | Self::Older { .. }
            | Self::Decode { .. }
            | Self::Empty
            | Self::Counts { .. }
            | Self::Slot { .. } => false,
        }
    }
}

/// The number of the block, if its header is that of the hash.
async fn check_block(node: &Node, hash: BlockHash) -> Result<u64, FetchError> {
    let header = node.header(hash).await?.ok_or(FetchError::NoHeader)?;
    if header.hash() != hash {
        return Err(FetchError::OtherBlock);
    }
    Ok(header.number.0)
}

/// The list, the stakes and the storage agree on how many neurons there are.
async fn check_counts(
    node: &Node,
    netuid: u16,
    neurons: &[Neuron],
    subnet: &Subnet,
    block: BlockHash,
) -> Result<(), FetchError> {
    let listed = neurons.len();
    let key = storage::subnetwork_n(netuid);
    let counted: u16 = stored(node, "SubnetworkN", key, block).await?.ok_or(FetchError::Empty)?;
    if listed == 0 {
        return Err(FetchError::Empty);
    }
    for (stated, by) in [(usize::from(counted), "the storage"), (subnet.stakes_rao.len(), "the stakes")] {
        if stated != listed {
            return Err(FetchError::Counts { listed, stated, by });
        }
    }
    Ok(())
}

/// A few slots, told by the block's hash so that they change, hold in the storage who the list says they do.
async fn check_slots(
    node: &Node,
    netuid: u16,
    neurons: &[Neuron],
    block: BlockHash,
) -> Result<(), FetchError> {
    let sampled = block.0.chunks_exact(2).take(SAMPLED_SLOTS);
    let slots = sampled.map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % neurons.len());
    let checks = slots.map(|slot| async move {
        let neuron = &neurons[slot];
        let key = storage::hotkey_at(netuid, neuron.uid);
        let hotkey: Option<[u8; 32]> = stored(node, "Keys", key, block).await?;
        if hotkey != Some(neuron.hotkey.0) {
            return Err(FetchError::Slot { uid: neuron.uid });
        }
        Ok(())
    });
    try_join_all(checks).await.map(|_| ())
}

async fn weight_rules(node: &Node, block: BlockHash) -> Result<WeightRules, FetchError> {
    let threshold = stored(node, "StakeThreshold", storage::item("StakeThreshold"), block).await?;
    let commit_version =
        stored(node, "CommitRevealWeightsVersion", storage::item("CommitRevealWeightsVersion"), block)
            .await?;
    // The runtime's default of a threshold that was never set is 0.
    Ok(WeightRules { stake_rao_min: threshold.unwrap_or(0), commit_version })
}

/// A value of the storage, decoded to its last byte.
async fn stored<T: parity_scale_codec::Decode>(
    node: &Node,
    what: &'static str,
    key: Vec<u8>,
    block: BlockHash,
) -> Result<Option<T>, FetchError> {
    let Some(bytes) = node.storage(key, block).await? else {
        return Ok(None);
    };
    let decode = || {
        let mut reader = Reader::new(&bytes);
        let value = reader.fixed("value")?;
        reader.finish()?;
        Ok(value)
    };
    decode().map(Some).map_err(|error| FetchError::Decode { what, error })
}

//! Extrinsics on their way to the chain: what they are bound to, whether the chain would take them, and sending them.

use std::fmt;
use std::time::Duration;

use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

use crate::endpoint::Endpoint;
use crate::extrinsic::{self, Binding, Call};
use crate::metagraph::Snapshot;
use crate::node::{BlockHash, CallError, Node};
use crate::reader::{DecodeError, Reader};

/// The runtime's function that checks an extrinsic as it is checked before a block takes it.
const VALIDATE_FUNCTION: &str = "TaggedTransactionQueue_validate_transaction";
/// `TransactionSource::External`: as if it had come from another node.
const SOURCE_EXTERNAL: u8 = 2;

/// The node that extrinsics are sent to.
#[derive(Debug)]
pub struct Sender {
    node: Node,
}

/// Why something about an extrinsic could not be learned, or why it was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The node did not answer, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The runtime changed since the snapshot was taken.
    #[error("the runtime is at spec version {found} and was at {expected}")]
    OtherRuntime {
        /// Its version now.
        found: u32,
        /// Its version at the snapshot.
        expected: u32,
    },
    /// The runtime's answer is not what its layout says.
    #[error("{VALIDATE_FUNCTION}: {0}")]
    Decode(#[from] DecodeError),
    /// The runtime would not take the extrinsic, so it was not sent.
    #[error("not sent: {0}")]
    Refused(Verdict),
}

/// How far [`Sender::perform`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The runtime is shown the extrinsic, and that is all.
    DryRun,
    /// What the runtime finds valid is sent.
    Send,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it was bound to.
    pub binding: Binding,
    /// What the runtime said of it.
    pub verdict: Verdict,
    /// The extrinsic's hash, if it was sent.
    pub sent: Option<BlockHash>,
}

/// What the runtime says of an extrinsic that it was shown and not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would be taken, and live for so many blocks.
    Valid {
        /// Blocks that it lives for.
        longevity_blocks: u64,
    },
    /// It would not be, whatever the state: `InvalidTransaction` by its index.
    Invalid {
        /// Which of them.
        index: u8,
        /// The runtime's own number, with index 7 (`Custom`).
        custom: Option<u8>,
    },
    /// The runtime cannot tell: `UnknownTransaction` by its index.
    Unknown {
        /// Which of them.
        index: u8,
        /// The runtime's own number, with index 2 (`Custom`).
        custom: Option<u8>,
    },
}

impl Sender {
    /// Prepares the node's client; nothing is sent yet.
    ///
    /// # Errors
    /// If a client cannot be made for the endpoint.
    pub fn new(endpoint: Endpoint, answer_within: Duration) -> Result<Self, CallError> {
        Ok(Self { node: Node::new(endpoint, answer_within)? })
    }

    /// Signs a call, shows it to the runtime and, told so and found valid, sends it; `randomness` is fresh.
    ///
    /// # Errors
    /// [`SendError::Refused`] if it was to be sent and is not valid, and whatever else keeps it from being sent.
    pub async fn perform(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        keypair: &Keypair,
        randomness: [u8; 32],
        mode: Mode,
    ) -> Result<Outcome, SendError> {
        let binding = self.binding(snapshot, &keypair.hotkey()).await?;
        let extrinsic = extrinsic::sign(call, &binding, keypair, randomness);
        let verdict = self.rehearse(&extrinsic, snapshot.block_hash).await?;
        let sent = match (mode, verdict) {
            (Mode::DryRun, _) => None,
            (Mode::Send, Verdict::Valid { .. }) => Some(self.send(&extrinsic).await?),
            (Mode::Send, Verdict::Invalid { .. } | Verdict::Unknown { .. }) => {
                return Err(SendError::Refused(verdict));
            }
        };
        Ok(Outcome { binding, verdict, sent })
    }

    /// What the signer's next extrinsic is bound to, from the snapshot's block on.
    ///
    /// # Errors
    /// If the node does not answer, or its runtime is not that of the snapshot.
    pub async fn binding(&self, snapshot: &Snapshot, signer: &Hotkey) -> Result<Binding, SendError> {
        let runtime = self.node.runtime_version(snapshot.block_hash).await?;
        if runtime.spec_version != snapshot.spec_version {
            return Err(SendError::OtherRuntime {
                found: runtime.spec_version,
                expected: snapshot.spec_version,
            });
        }
        Ok(Binding {
            spec_version: runtime.spec_version,
            transaction_version: runtime.transaction_version,
            genesis_hash: self.node.first_block().await?,
            block: snapshot.block,
            block_hash: snapshot.block_hash,
            nonce: self.node.next_nonce(&ss58::encode(signer)).await?,
        })
    }

    /// Shows an extrinsic to the runtime as of a block, which checks its signature, its nonce and whatever else it
    /// checks of extrinsics before it runs them; nothing is sent to the chain.
    ///
    /// # Errors
    /// If the node does not answer, or not with a verdict.
    pub async fn rehearse(&self, extrinsic: &[u8], block: BlockHash) -> Result<Verdict, SendError> {
        let arguments = [&[SOURCE_EXTERNAL], extrinsic, &block.0].concat();
        let answer = self.node.runtime_call(VALIDATE_FUNCTION, arguments, block).await?;
        Ok(Verdict::decode(&answer)?)
    }

    /// Sends an extrinsic, and returns its hash; whether a block takes it shows later.
    ///
    /// # Errors
    /// If the node does not answer, or refuses it.
    pub async fn send(&self, extrinsic: &[u8]) -> Result<BlockHash, SendError> {
        Ok(self.node.submit(extrinsic.to_vec()).await?)
    }
}

impl Verdict {
    /// Decodes a `Result<ValidTransaction, TransactionValidityError>`.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let verdict = if reader.fixed::<bool>("result")? {
            let is_unknown = reader.fixed::<bool>("error")?;
            let index = reader.fixed("error.kind")?;
            let custom_index = if is_unknown { 2 } else { 7 };
            let custom = if index == custom_index { Some(reader.fixed("error.custom")?) } else { None };
            if is_unknown { Self::Unknown { index, custom } } else { Self::Invalid { index, custom } }
        } else {
            reader.fixed::<u64>("priority")?;
            reader.fixed::<Vec<Vec<u8>>>("requires")?;
            reader.fixed::<Vec<Vec<u8>>>("provides")?;
            let longevity_blocks = reader.fixed("longevity")?;
            reader.fixed::<bool>("propagate")?;
            Self::Valid { longevity_blocks }
        };
        reader.finish()?;
        Ok(verdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The runtime's names, by index.
        const INVALID: [&str; 13] = [
            "the call is not expected",
            "the fee cannot be paid",
            "the nonce is of the future",
            "the nonce has been used",
            "the signature is bad",
            "the block it is bound to is too old",
            "the block is full",
            "refused by the runtime's own rules",
            "mandatory calls only",
            "mandatory calls only",
            "the signer is not allowed",
            "something implied cannot be determined",
            "the origin is unknown",
        ];
        let with_number = |formatter: &mut fmt::Formatter<'_>, custom: &Option<u8>| match custom {
            Some(number) => write!(formatter, " (number {number})"),
            None => Ok(()),
        };
        match self {
            Self::Valid { longevity_blocks } => write!(formatter, "valid for {longevity_blocks} blocks"),
            Self::Invalid { index, custom } => {
                let name = INVALID.get(usize::from(*index)).copied().unwrap_or("for a reason unknown here");
                write!(formatter, "invalid: {name}")?;
                with_number(formatter, custom)
            }
            Self::Unknown { index, custom } => {
                write!(formatter, "not to be told: reason {index}")?;
                with_number(formatter, custom)
            }
        }
    }
}

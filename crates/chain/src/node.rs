//! One node's JSON-RPC, as far as it is needed, with a bound on each answer's size and time.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT as _;
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::rpc_params;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::endpoint::Endpoint;
use crate::header::Header;

/// No answer is longer; 256 neurons take less than 100 KB.
const ANSWER_BYTES_MAX: u32 = 8 << 20;
/// No question is longer.
const QUESTION_BYTES_MAX: u32 = 64 << 10;
/// So much of what a node says of its failure is kept.
const REASON_CHARS_MAX: usize = 200;

/// The hash of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHash(pub [u8; 32]);

/// What a runtime calls itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuntimeVersion {
    pub(crate) spec_name: String,
    pub(crate) spec_version: u32,
    pub(crate) transaction_version: u32,
}

/// Why a node did not answer a question.
#[derive(Debug, thiserror::Error)]
#[error("{method}: {reason}")]
pub struct CallError {
    /// The question.
    pub method: &'static str,
    /// What went wrong.
    pub reason: CallReason,
}

/// What went wrong with a question to a node.
#[derive(Debug, thiserror::Error)]
pub enum CallReason {
    /// The node answered that it will not.
    #[error("refused with code {code}: {message}")]
    Refused {
        /// The error's number in JSON-RPC.
        code: i32,
        /// The node's own words, shortened.
        message: String,
    },
    /// It did not answer in time.
    #[error("no answer in time")]
    Late,
    /// No connection, a status other than 200, an answer too long, or one that is not JSON-RPC.
    #[error("{0}")]
    Failed(String),
}

/// A node that is asked.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    client: HttpClient,
}

impl Node {
    /// A client of an endpoint; nothing is sent yet. It follows no redirect.
    pub(crate) fn new(endpoint: Endpoint, answer_within: Duration) -> Result<Self, CallError> {
        let client = HttpClientBuilder::new()
            .max_request_size(QUESTION_BYTES_MAX)
            .max_response_size(ANSWER_BYTES_MAX)
            .request_timeout(answer_within)
            .connect_timeout(answer_within)
            .build(endpoint.url())
            .map_err(|error| CallError { method: "connect", reason: reason(&error) })?;
        Ok(Self { endpoint, client })
    }

    /// The last block that will not be taken back.
    pub(crate) async fn finalized_head(&self) -> Result<BlockHash, CallError> {
        self.call("chain_getFinalizedHead", rpc_params![]).await
    }

    /// The header of a block, none if the node does not know it.
    pub(crate) async fn header(&self, block: BlockHash) -> Result<Option<Header>, CallError> {
        self.call("chain_getHeader", rpc_params![block]).await
    }

    /// The runtime that made the block after this one.
    pub(crate) async fn runtime_version(&self, block: BlockHash) -> Result<RuntimeVersion, CallError> {
        self.call("state_getRuntimeVersion", rpc_params![block]).await
    }

    /// What a function of the runtime answers in the state after a block; both sides in SCALE.
    pub(crate) async fn runtime_call(
        &self,
        function: &str,
        arguments: Vec<u8>,
        block: BlockHash,
    ) -> Result<Vec<u8>, CallError> {
        let answer: Hex = self.call("state_call", rpc_params![function, Hex(arguments), block]).await?;
        Ok(answer.0)
    }

    /// A value in the state after a block, in SCALE.
    pub(crate) async fn storage(&self, key: Vec<u8>, block: BlockHash) -> Result<Option<Vec<u8>>, CallError> {
        let value: Option<Hex> = self.call("state_getStorage", rpc_params![Hex(key), block]).await?;
        Ok(value.map(|value| value.0))
    }

    /// The hash of the chain's first block, by which it is told from others.
    pub(crate) async fn first_block(&self) -> Result<BlockHash, CallError> {
        self.call("chain_getBlockHash", rpc_params![0]).await
    }

    /// How many extrinsics an account has sent, those that wait included; the account is an ss58 address.
    pub(crate) async fn next_nonce(&self, account: &str) -> Result<u32, CallError> {
        self.call("system_accountNextIndex", rpc_params![account]).await
    }

    /// Hands in an extrinsic, whose hash comes back.
    pub(crate) async fn submit(&self, extrinsic: Vec<u8>) -> Result<BlockHash, CallError> {
        self.call("author_submitExtrinsic", rpc_params![Hex(extrinsic)]).await
    }

    async fn call<T>(&self, method: &'static str, arguments: ArrayParams) -> Result<T, CallError>
    where
        T: serde::de::DeserializeOwned,
    {
        let answer = self.client.request(method, arguments).await;
        answer.map_err(|error| CallError { method, reason: reason(&error) })
    }
}

fn reason(error: &ClientError) -> CallReason {
    if let ClientError::Call(object) = error {
        return CallReason::Refused { code: object.code(), message: shortened(object.message()) };
    }
    if matches!(error, ClientError::RequestTimeout) {
        return CallReason::Late;
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    CallReason::Failed(shortened(&text))
}

/// A text from outside, for a log: short, and on one line.
fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(REASON_CHARS_MAX).collect()
}

/// Bytes as JSON-RPC of Substrate writes them: `0x` and two digits each.
#[derive(Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0x{}", hex::encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("bytes without their 0x"))?;
        hex::decode(digits).map(Self).map_err(D::Error::custom)
    }
}

/// A number as JSON-RPC of Substrate writes it: `0x` and its digits.
#[derive(Debug)]
pub(crate) struct HexNumber(pub(crate) u64);

impl<'de> Deserialize<'de> for HexNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("a number without its 0x"))?;
        u64::from_str_radix(digits, 16).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for BlockHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::deserialize(deserializer)?.0;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("a hash of other than 32 bytes"))
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BlockHash({self})")
    }
}

//! One finalized block, and what a node that knows it answers.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use serde_json::{Value, json};
use sn17_chain::storage;
use sn17_wire::ss58;

use crate::scale::{self, WireNeuron};

/// What a node knows: one finalized block and the state after it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The block's number.
    pub number: u64,
    /// What the block's author left in its header, encoded.
    pub logs: Vec<Vec<u8>>,
    /// The runtime's name.
    pub spec_name: String,
    /// The runtime's version.
    pub spec_version: u32,
    /// The runtime's list of neurons, encoded.
    pub neurons: Vec<u8>,
    /// What the runtime says of the subnet, encoded.
    pub subnet: Vec<u8>,
    /// The storage, by keys as JSON-RPC writes them.
    pub storage: BTreeMap<String, Vec<u8>>,
    /// What the runtime says of an extrinsic that it is shown, encoded.
    pub verdict: Vec<u8>,
}

/// When the block of [`Chain::of`] was made, in milliseconds since 1970.
pub const MADE_AT_MS: u64 = 1_790_000_000_000;

impl Chain {
    /// A chain on whose subnet 17 these neurons are, with stakes of 1,000 tokens and one per uid.
    pub fn of(neurons: &[WireNeuron]) -> Self {
        let stakes: Vec<u64> =
            neurons.iter().map(|neuron| (1_000 + u64::from(neuron.uid)) * 1_000_000_000).collect();
        let mut chain = Self {
            number: 4_000_123,
            // A seal of 64 bytes, as the author of a block leaves it.
            logs: vec![[&[5, 97, 117, 114, 97, 1, 1][..], &[7; 64]].concat()],
            spec_name: "node-subtensor".to_owned(),
            spec_version: 425,
            neurons: scale::neurons(neurons),
            subnet: scale::subnet(17, true, &stakes),
            storage: BTreeMap::new(),
            // Valid, with priority 1, one tag, for 64 blocks, and to be passed on.
            verdict: [&[0][..], &1_u64.to_le_bytes(), &[0, 4, 4, 9], &64_u64.to_le_bytes(), &[1]].concat(),
        };
        chain.store(storage::timestamp(), &MADE_AT_MS.to_le_bytes());
        chain.store(
            storage::subnetwork_n(17),
            &u16::try_from(neurons.len()).expect("a subnet has at most 65,535 neurons").to_le_bytes(),
        );
        chain.store(storage::item("StakeThreshold"), &1_000_000_000_000_u64.to_le_bytes());
        chain.store(storage::item("CommitRevealWeightsVersion"), &4_u16.to_le_bytes());
        for neuron in neurons {
            chain.store(storage::hotkey_at(17, neuron.uid), &neuron.hotkey);
        }
        chain
    }

    /// The same chain with its block made now, for programs that ask the real clock.
    pub fn of_now(neurons: &[WireNeuron]) -> Self {
        let mut chain = Self::of(neurons);
        chain.make_ago(0);
        chain
    }

    /// Lets the block be made so many seconds ago.
    pub fn make_ago(&mut self, secs: u64) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        let made_at_ms = u64::try_from(since_1970.as_millis()).expect("milliseconds of this era fit");
        self.store(storage::timestamp(), &(made_at_ms - secs * 1000).to_le_bytes());
    }

    /// Puts a value into the storage.
    pub fn store(&mut self, key: Vec<u8>, value: &[u8]) {
        self.storage.insert(hex(&key), value.to_vec());
    }

    /// The hash of the block, made as the header is encoded.
    pub fn head(&self) -> String {
        let mut header = vec![1; 32];
        scale::compact(self.number, &mut header);
        header.extend([2; 32]);
        header.extend([3; 32]);
        scale::compact(self.logs.len() as u64, &mut header);
        header.extend(self.logs.concat());
        hex(&Blake2b::<U32>::digest(&header))
    }

    fn header(&self) -> Value {
        json!({
            "parentHash": hex(&[1; 32]),
            "number": format!("{:#x}", self.number),
            "stateRoot": hex(&[2; 32]),
            "extrinsicsRoot": hex(&[3; 32]),
            "digest": { "logs": self.logs.iter().map(|log| hex(log)).collect::<Vec<_>>() },
        })
    }

    /// What the chain answers to one question, or the number and the words of an error.
    fn answer(&self, method: &str, arguments: &[Value]) -> Result<Value, (i32, String)> {
        let text = |at: usize| {
            arguments.get(at).and_then(Value::as_str).ok_or((-32602, "invalid params".to_owned()))
        };
        let at_head = |at: usize| {
            if text(at)? == self.head() {
                Ok(())
            } else {
                Err((4003, "Client error: UnknownBlock".to_owned()))
            }
        };
        match method {
            "chain_getFinalizedHead" => Ok(json!(self.head())),
            "chain_getHeader" => Ok(if text(0)? == self.head() { self.header() } else { Value::Null }),
            "state_getRuntimeVersion" => {
                at_head(0)?;
                Ok(json!({
                    "specName": self.spec_name, "implName": "node-subtensor", "authoringVersion": 1,
                    "specVersion": self.spec_version, "implVersion": 1, "apis": [["0xdf6acb689907609b", 5]],
                    "transactionVersion": 1, "stateVersion": 1,
                }))
            }
            "state_call" => {
                at_head(2)?;
                match (text(0)?, text(1)?) {
                    ("NeuronInfoRuntimeApi_get_neurons_lite", "0x1100") => Ok(json!(hex(&self.neurons))),
                    ("SubnetInfoRuntimeApi_get_selective_metagraph", arguments)
                        if arguments.starts_with("0x110024") =>
                    {
                        Ok(json!(hex(&self.subnet)))
                    }
                    ("TaggedTransactionQueue_validate_transaction", arguments)
                        if arguments.starts_with("0x02") && arguments.ends_with(&self.head()[2..]) =>
                    {
                        Ok(json!(hex(&self.verdict)))
                    }
                    (function, _) => Err((4003, format!("Client error: {function} is not found"))),
                }
            }
            "state_getStorage" => {
                at_head(1)?;
                Ok(self.storage.get(text(0)?).map_or(Value::Null, |value| json!(hex(value))))
            }
            "chain_getBlockHash" if arguments == [json!(0)] => Ok(json!(hex(&[0x11; 32]))),
            "system_accountNextIndex" => {
                ss58::decode(text(0)?).map_err(|error| (-32602, error.to_string()))?;
                Ok(json!(5))
            }
            "author_submitExtrinsic" => {
                let extrinsic = hex::decode(&text(0)?[2..]).map_err(|error| (-32602, error.to_string()))?;
                Ok(json!(hex(&Blake2b::<U32>::digest(extrinsic))))
            }
            _ => Err((-32601, "Method not found".to_owned())),
        }
    }

    /// What the chain answers to one request of JSON-RPC 2.0; nothing to a notification.
    fn respond(&self, request: &Value) -> Option<Value> {
        let id = request.get("id").cloned();
        let error = |id: Value, code: i32, message: &str| {
            Some(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
        };
        let (Some("2.0"), Some(method)) = (request["jsonrpc"].as_str(), request["method"].as_str()) else {
            return error(Value::Null, -32600, "Invalid request");
        };
        let none = Vec::new();
        let arguments = request["params"].as_array().unwrap_or(&none);
        let answer = self.answer(method, arguments);
        let id = id?;
        match answer {
            Ok(result) => Some(json!({"jsonrpc": "2.0", "id": id, "result": result})),
            Err((code, message)) => error(id, code, &message),
        }
    }

    /// The answer to a body, which is a request or a list of requests.
    pub fn respond_to_body(&self, body: &[u8]) -> String {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(requests)) if !requests.is_empty() => {
                Value::from(requests.iter().filter_map(|request| self.respond(request)).collect::<Vec<_>>())
                    .to_string()
            }
            Ok(request) => self.respond(&request).map_or(String::new(), |answer| answer.to_string()),
            Err(_) => {
                json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}})
                    .to_string()
            }
        }
    }
}

/// Bytes as JSON-RPC of Substrate writes them.
pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

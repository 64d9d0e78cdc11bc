//! A node that speaks JSON-RPC 2.0 over HTTP on the loopback, truthfully or as a test wants it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use serde_json::{Value, json};
use sn17_chain::Endpoint;
use sn17_chain::storage;
use sn17_wire::ss58;

use crate::scale::{self, WireNeuron};

/// What a node knows: one finalized block and the state after it.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) number: u64,
    pub(crate) logs: Vec<Vec<u8>>,
    pub(crate) spec_name: String,
    pub(crate) spec_version: u32,
    pub(crate) neurons: Vec<u8>,
    pub(crate) subnet: Vec<u8>,
    pub(crate) storage: BTreeMap<String, Vec<u8>>,
    /// What the runtime says of an extrinsic that it is shown.
    pub(crate) verdict: Vec<u8>,
}

/// When the block of [`Chain::of`] was made.
pub(crate) const MADE_AT_MS: u64 = 1_790_000_000_000;

impl Chain {
    /// A chain on whose subnet 17 these neurons are, with stakes of 1,000 tokens and one per uid.
    pub(crate) fn of(neurons: &[WireNeuron]) -> Self {
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
        chain.store(storage::subnetwork_n(17), &u16::try_from(neurons.len()).unwrap().to_le_bytes());
        chain.store(storage::item("StakeThreshold"), &1_000_000_000_000_u64.to_le_bytes());
        chain.store(storage::item("CommitRevealWeightsVersion"), &4_u16.to_le_bytes());
        for neuron in neurons {
            chain.store(storage::hotkey_at(17, neuron.uid), &neuron.hotkey);
        }
        chain
    }

    pub(crate) fn store(&mut self, key: Vec<u8>, value: &[u8]) {
        self.storage.insert(hex(&key), value.to_vec());
    }

    /// The hash of the block, made as the header is encoded.
    pub(crate) fn head(&self) -> String {
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
    pub(crate) fn respond_to_body(&self, body: &[u8]) -> String {
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

/// What a node makes of a request instead of its truthful answer, if anything: told the request's method, how many
/// requests of that method came before it, and the truthful answer.
pub(crate) type Fault = dyn Fn(&str, usize, &str) -> Option<Response> + Send + Sync;

/// A node that is up until it is dropped.
pub(crate) struct FakeNode {
    pub(crate) endpoint: Endpoint,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    server: tokio::task::JoinHandle<()>,
}

impl FakeNode {
    /// A node that answers truthfully.
    pub(crate) async fn truthful(chain: Chain) -> Self {
        Self::start(chain, |_, _, _| None).await
    }

    /// A node that answers truthfully where the fault does not step in.
    pub(crate) async fn start<F>(chain: Chain, fault: F) -> Self
    where
        F: Fn(&str, usize, &str) -> Option<Response> + Send + Sync + 'static,
    {
        let fault: Arc<Fault> = Arc::new(fault);
        let counts: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let counter = Arc::clone(&counts);
        let handler = move |body: Bytes| {
            let request: Value = serde_json::from_slice(&body).unwrap_or_default();
            let method = request["method"].as_str().unwrap_or_default().to_owned();
            let before = {
                let mut counts = counter.lock().unwrap();
                let count = counts.entry(method.clone()).or_default();
                *count += 1;
                *count - 1
            };
            let answer = chain.respond_to_body(&body);
            let response = fault(&method, before, &answer).unwrap_or_else(|| answer.into_response());
            async move { response }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(handler));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint: format!("http://{address}").parse().unwrap(), counts, server }
    }

    /// How many questions it has had.
    pub(crate) fn asked(&self) -> usize {
        self.counts.lock().unwrap().values().sum()
    }

    /// How many of them were for this method.
    pub(crate) fn asked_for(&self, method: &str) -> usize {
        self.counts.lock().unwrap().get(method).copied().unwrap_or(0)
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer that never begins.
pub(crate) fn never() -> Response {
    Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()).into_response()
}

/// An answer with this status, and a body that is none of JSON-RPC.
pub(crate) fn status(code: u16) -> Response {
    (StatusCode::from_u16(code).unwrap(), "busy").into_response()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

//! Extrinsics: bound, shown to the runtime, and sent.

use std::time::Duration;

use sn17_chain::extrinsic::{Binding, Call, sign};
use sn17_chain::sending::{Mode, SendError, Sender, Verdict};
use sn17_chain::weights::Weights;
use sn17_chain::{BlockHash, Metagraph, Settings, Snapshot};
use sn17_chain_node::{Chain, FakeNode, MADE_AT_MS, WireNeuron};
use sn17_core::UnixMs;
use sn17_wire::sr25519::Keypair;

/// A chain with one neuron, a node of it, and what that node says of the subnet.
async fn chain(verdict: Option<Vec<u8>>) -> (FakeNode, Sender, Snapshot) {
    let mut chain = Chain::of(&[WireNeuron::at(0)]);
    chain.verdict = verdict.unwrap_or(chain.verdict);
    let node = FakeNode::truthful(chain).await;
    let sender = Sender::new(node.endpoint.clone(), Duration::from_secs(20)).unwrap();
    let metagraph = Metagraph::new(Settings::new(vec![node.endpoint.clone()])).unwrap();
    let snapshot = metagraph.fetch(UnixMs(MADE_AT_MS), None).await.unwrap();
    (node, sender, snapshot)
}

#[tokio::test]
async fn an_extrinsic_is_bound_shown_and_sent() {
    let (_node, sender, snapshot) = chain(None).await;
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let binding = sender.binding(&snapshot, &keypair.hotkey()).await.unwrap();
    let expected = Binding {
        spec_version: 425,
        transaction_version: 1,
        genesis_hash: BlockHash([0x11; 32]),
        block: snapshot.block,
        block_hash: snapshot.block_hash,
        nonce: 5,
    };
    assert_eq!(binding, expected);

    let call = Call::set_weights(17, &Weights { uids: vec![0], values: vec![65_535] }, 0);
    let extrinsic = sign(&call, &binding, &keypair, [4; 32]);
    let verdict = sender.rehearse(&extrinsic, snapshot.block_hash).await.unwrap();
    assert_eq!(verdict, Verdict::Valid { longevity_blocks: 64 });
    let first = sender.send(&extrinsic).await.unwrap();
    assert_eq!(first, sender.send(&extrinsic).await.unwrap(), "the hash is the extrinsic's own");

    let newer = Snapshot { spec_version: 426, ..snapshot };
    let error = sender.binding(&newer, &keypair.hotkey()).await.unwrap_err();
    assert!(matches!(error, SendError::OtherRuntime { found: 425, expected: 426 }), "{error}");
}

#[tokio::test]
async fn the_runtimes_verdict_is_told() {
    let check = async |answer: &[u8], words: &str| {
        let (_node, sender, snapshot) = chain(Some(answer.to_vec())).await;
        let told = match sender.rehearse(&[0], snapshot.block_hash).await {
            Ok(verdict) => verdict.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(words), "{told}");
    };
    check(&[1, 0, 3], "invalid: the nonce has been used").await;
    check(&[1, 0, 4], "invalid: the signature is bad").await;
    check(&[1, 0, 7, 6], "invalid: refused by the runtime's own rules (number 6)").await;
    check(&[1, 0, 99], "invalid: for a reason unknown here").await;
    check(&[1, 1, 0], "not to be told: reason 0").await;
    check(&[1, 1, 2, 8], "not to be told: reason 2 (number 8)").await;
    check(&[1, 0, 7], "`error.custom` cannot be read").await;
    check(&[1, 0, 3, 0], "1 bytes too many").await;
    check(&[2], "`result` cannot be read").await;
    check(&[], "`result` cannot be read").await;
    check(&[0; 10], "cannot be read").await;
}

#[tokio::test]
async fn only_what_is_valid_is_sent_and_only_when_told() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let call = Call::set_weights(17, &Weights { uids: vec![0], values: vec![65_535] }, 0);
    let submitted = |node: &FakeNode| node.asked_for("author_submitExtrinsic");

    let (node, sender, snapshot) = chain(None).await;
    let perform = async |mode| sender.perform(&call, &snapshot, &keypair, [4; 32], mode).await.unwrap();
    let outcome = perform(Mode::DryRun).await;
    assert_eq!((outcome.verdict, outcome.sent), (Verdict::Valid { longevity_blocks: 64 }, None));
    assert_eq!(submitted(&node), 0);
    assert!(perform(Mode::Send).await.sent.is_some());
    assert_eq!(submitted(&node), 1);

    let (node, sender, snapshot) = chain(Some(vec![1, 0, 4])).await;
    let perform = async |mode| sender.perform(&call, &snapshot, &keypair, [4; 32], mode).await;
    let bad = Verdict::Invalid { index: 4, custom: None };
    assert_eq!(perform(Mode::DryRun).await.unwrap().verdict, bad);
    let error = perform(Mode::Send).await.unwrap_err();
    assert_eq!(error.to_string(), "not sent: invalid: the signature is bad");
    assert_eq!(submitted(&node), 0);
}

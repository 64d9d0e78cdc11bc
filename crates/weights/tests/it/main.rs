//! The program against a node: what it prints, and that it sends nothing unless it is told to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::process::Command;

use sn17_chain_node::{Chain, FakeNode, WireNeuron, scale};
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

/// A validator at uid 0 with two miners, on a subnet that takes weights as they are, or asks for commits.
fn chain(keypair: &Keypair, commit_reveal: bool) -> Chain {
    let hotkey = keypair.hotkey().0;
    let validator = WireNeuron { hotkey, validator_permit: true, last_update: 1, ..WireNeuron::at(0) };
    let mut chain = Chain::of_now(&[validator, WireNeuron::at(1), WireNeuron::at(2)]);
    chain.subnet = scale::subnet(17, commit_reveal, &[1_000_000_000_000, 0, 0]);
    chain
}

/// Runs the program with the key `03…`, in a folder with these files: whether it succeeded, and all that it printed.
async fn run(node: &FakeNode, arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let seed = "03".repeat(32);
    let hotkey =
        format!(r#"{{"secretSeed": "0x{seed}", "ss58Address": "{}"}}"#, ss58::encode(&keypair.hotkey()));
    let weights = r#"[{"uid": 1, "weight": 0.25}, {"uid": 2, "weight": 0.5}]"#;
    for (name, content) in [("hotkey", hotkey.as_str()), ("weights.json", weights), ("commit", "encrypted")] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sn17-weights"));
    command.current_dir(folder.path()).args(["--hotkey", "hotkey", "--endpoint", &node.endpoint.to_string()]);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    assert!(!printed.contains(&seed), "the key is never printed");
    (output.status.success(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_shown_and_sent_when_told() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, false)).await;
    let (succeeded, printed) = run(&node, &["set", "weights.json"]).await;
    assert!(succeeded, "{printed}");
    for words in [
        "set_weights (call 0): netuid 17, version_key 0",
        "uid   1  32768",
        "uid   2  65535",
        "nonce 5, runtime says: valid for 64 blocks",
        "dry run, nothing was sent",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);

    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(succeeded && printed.contains("sent as 0x"), "{printed}");
    let (succeeded, printed) =
        run(&node, &["--send", "serve-axon", "--ip", "203.0.113.10", "--port", "8091"]).await;
    assert!(succeeded && printed.contains("serve_axon: netuid 17, 203.0.113.10 port 8091"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 2);

    let commit = ["--send", "set", "weights.json", "--commit", "commit", "--reveal-round", "9"];
    let (succeeded, printed) = run(&node, &commit).await;
    assert!(!succeeded && printed.contains("takes weights as they are"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_its_encryption() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, true)).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(succeeded && printed.contains("payload to be timelocked: 0x80"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);
    let commit = ["--send", "set", "weights.json", "--commit", "commit", "--reveal-round", "9"];
    let (succeeded, printed) = run(&node, &commit).await;
    assert!(succeeded && printed.contains("commit of 9 bytes, revealed at round 9"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_would_refuse_is_not_sent() {
    let stranger = Keypair::from_mini_secret(&[4; 32]);
    let node = FakeNode::truthful(chain(&stranger, false)).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(!succeeded && printed.contains("the hotkey is not registered on the subnet"), "{printed}");

    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(Chain { verdict: vec![1, 0, 3], ..chain(&keypair, false) }).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(!succeeded && printed.contains("not sent: invalid: the nonce has been used"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);
}

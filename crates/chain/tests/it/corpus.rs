//! The fuzzer's corpus, replayed: every file is refused or decodes.

use std::fs;
use std::path::PathBuf;

use sn17_chain::{neurons, subnet};
use sn17_chain_node::{WireNeuron, scale};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/neurons_decode")
}

/// The seeds of the target: the two layouts, and each kind of trouble.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let serving = WireNeuron { axon_ip: 0xCB00_710A, axon_port: 8091, axon_ip_type: 4, ..WireNeuron::at(1) };
    let list = scale::neurons(&[WireNeuron::at(0), serving]);
    let many_stakes = WireNeuron { stakes: vec![([1; 32], u64::MAX / 2); 3], ..WireNeuron::at(0) };
    vec![
        ("list", list.clone()),
        ("empty", vec![0]),
        ("cut", list[..300].to_vec()),
        ("surplus", [list.as_slice(), &[0]].concat()),
        ("lying_count", [&[0x03, 255, 255, 255, 255], &list[1..]].concat()),
        ("many_stakes", scale::neurons(&[many_stakes])),
        ("twice", scale::neurons(&[WireNeuron::at(0), WireNeuron::at(0)])),
        ("subnet", scale::subnet(17, true, &[1, 1 << 20, 1 << 40])),
        ("no_subnet", vec![0]),
    ]
}

/// Run with `-- --ignored write_the_seeds` after a change of the seeds, and commit the result.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_seeds() {
    fs::create_dir_all(folder()).expect("the folder can be made");
    for (name, bytes) in seeds() {
        fs::write(folder().join(name), bytes).expect("the seed can be written");
    }
}

#[test]
fn the_corpus_is_survived() {
    let mut files = 0;
    let mut decoded = 0;
    for entry in fs::read_dir(folder()).expect("the corpus is committed") {
        let bytes =
            fs::read(entry.expect("the corpus can be listed").path()).expect("the corpus can be read");
        files += 1;
        decoded += usize::from(neurons::decode(&bytes, 17).is_ok());
        decoded += usize::from(subnet::decode(&bytes, 17).is_ok());
    }
    assert!(files >= seeds().len(), "{files} of {} seeds are there", seeds().len());
    // The list, the empty list (which stands there twice) and the subnet.
    assert!(decoded >= 4, "{decoded}");
}

//! Neurons: whatever decodes is a subnet's list, by uid and without a gap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn17_chain::{neurons, subnet};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(neurons) = neurons::decode(bytes, 17) {
        assert!(neurons.len() <= 256, "no subnet is larger");
        assert!(neurons.iter().enumerate().all(|(slot, neuron)| usize::from(neuron.uid) == slot), "by uid");
    }
    let _ = subnet::decode(bytes, 17);
});

//! Shapes on the wire: synapses, client JSON, ss58, sr25519.

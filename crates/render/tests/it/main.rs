//! Tests of the renderer against its public interface.

mod adversarial;
mod cameras;
mod determinism;
mod fixtures;
mod golden;
mod limits;
mod normalisation;
mod reference;
mod sheets;
mod validity;

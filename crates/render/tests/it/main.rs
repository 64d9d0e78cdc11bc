//! Tests of the renderer against its public interface.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::needless_range_loop,
    reason = "test helpers may panic and print, and are closer to the formulas with casts and indices"
)]

mod adversarial;
mod cameras;
mod determinism;
mod fixtures;
mod golden;
mod likeness;
mod limits;
mod neutral;
mod normalisation;
mod reference;
mod sheets;
mod sides;
mod text;
mod validity;
mod wgpu;

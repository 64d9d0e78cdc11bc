//! The workers' own part: how a fleet of loops ends, and whether the container file names what there is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod aws;
mod containerfile;
mod drain;
mod judging;
mod program;
mod world;

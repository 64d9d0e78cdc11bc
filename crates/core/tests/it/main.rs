//! The decisions as a network experiences them: whole runs against a model ledger in virtual time.

mod arena;
mod comparisons;
mod duels;
mod fair_play;
mod laws;
mod ledger;
mod matchmaking;
mod policy;
mod prompts;
mod pull;
mod roster;
mod season;
mod settle;
mod standings;
mod submit;
mod tasks;
mod text;
mod world;

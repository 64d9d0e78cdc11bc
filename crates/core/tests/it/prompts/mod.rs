//! Which lines become prompts, and where prompts come from without any language model.

mod batches;
mod collector;
mod corpus;
mod filters;
mod grammar;

//! Language models behind OpenAI-compatible endpoints: the client, and on top of it the judge of duels and the
//! generators of prompts.
//!
//! [`Chat`] asks an [`Endpoint`] for chat completions and keeps to limits: of time, size, tries, rate and cost.
//! [`OpenAiJudge`] asks it which of two splats is the worse one, [`generators`] ask it for prompts.

mod backoff;
mod budget;
mod chat;
mod completion;
mod endpoint;
mod gate;
pub mod generators;
mod judge;
mod request;
mod shared;

pub use chat::{Chat, ChatError};
pub use completion::Completion;
pub use endpoint::{ApiKey, Endpoint, EndpointError};
pub use judge::{JudgeArgs, OpenAiJudge};
pub use request::{Content, Message, NotAPicture, Part, Request, Role, Schema};
pub use shared::{BLOCK_TOKENS, SharedTokens};

//! The judge of duels: a vision-language model that says which of two splats is the worse one.

mod answer;
mod args;
mod question;

use std::sync::Arc;

use async_trait::async_trait;
use sn17_app::{Judge, JudgeError, Question};
use sn17_core::judging::Answer;

use crate::chat::{Chat, ChatError};

pub use args::JudgeArgs;

/// A judge behind an OpenAI-compatible endpoint. One question is one call, with the tries that the endpoint allows.
///
/// What it sends has the form of the original's rating judge: a system message, then for a text prompt the text, the
/// two grids of views, each announced, and the question; for a picture the picture, the two grids and the question.
/// The wording is its own, and so is the defence against texts in prompts and pictures. Nothing that a miner wrote,
/// neither a hotkey nor a name, is part of it.
#[derive(Clone, Debug)]
pub struct OpenAiJudge {
    chat: Arc<Chat>,
}

impl OpenAiJudge {
    /// A judge that asks `chat`, whose limits it shares with whoever else does.
    pub const fn new(chat: Arc<Chat>) -> Self {
        Self { chat }
    }
}

#[async_trait]
impl Judge for OpenAiJudge {
    async fn ask(&self, question: &Question) -> Result<Answer, JudgeError> {
        let request = question::request(question).map_err(|error| JudgeError::Invalid(error.to_string()))?;
        let completion = self.chat.complete(&request).await?;
        answer::parse(&completion.text).map_err(|error| JudgeError::Invalid(error.to_string()))
    }

    fn tokens(&self) -> u64 {
        self.chat.tokens_total()
    }
}

impl From<ChatError> for JudgeError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Invalid(reason) => Self::Invalid(reason),
            // Once whoever runs the judge has set it right, the same question has an answer.
            ChatError::Unavailable(reason) | ChatError::Refused(reason) => Self::Unavailable(reason),
            ChatError::Throttled { retry_after_secs, reason } => Self::Throttled { retry_after_secs, reason },
        }
    }
}

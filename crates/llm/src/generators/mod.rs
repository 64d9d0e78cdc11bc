//! Prompts for synthetic tasks, written by language models.
//!
//! Two methods, each with what it is good at: [`Method::Lists`] asks for numbered lists of phrases, one category after
//! the other, which is quick; [`Method::Sentences`] lets the model choose category and object by random initials and
//! write one sentence, which is slower and reads more naturally. Both are [`Generator`]s, and both outlive every
//! failure of a model: it rests, and the next one goes on.

mod answers;
mod ask;
mod instructions;
mod models;

use std::sync::Arc;

use sn17_app::Host;
use sn17_core::prompts::{Batch, Origin, Outcome, PromptRules, Seen, Statistics, Style, grammar};

use crate::chat::{Chat, ChatError};
use crate::completion::Completion;
pub use instructions::Instructions;
use models::Models;

/// So many answers in a row without a new prompt, and the model rests as if it had failed: each costs money.
const FRUITLESS_MAX: u32 = 30;

/// How prompts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Numbered lists of phrases, category by category: the original's first generator.
    Lists,
    /// One sentence a call about an object of the model's choice, by random initials: the original's second one.
    Sentences,
}

/// What a generator goes by. `Default` is the original's first generator, but for the two figures that say otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What models are told.
    pub instructions: Instructions,
    /// What lists are asked for, in turn: thirty unless set.
    pub categories: Vec<String>,
    /// Prompts that a list is to have: 20. The original asks for 150 and has room for a dozen of them.
    pub list_prompts: usize,
    /// Most tokens of a list: 400, enough for twenty prompts of eight words. The original has 150.
    pub list_tokens_max: u32,
    /// A model is used for so many iterations, then the next: 500. An iteration is one list of each category, or one
    /// sentence.
    pub iterations_per_model: u64,
    /// A batch is handed on when it has so many prompts: 1,000.
    pub batch_min: usize,
    /// The filters.
    pub rules: PromptRules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instructions: Instructions::default(),
            categories: grammar::categories().map(str::to_owned).collect(),
            list_prompts: 20,
            list_tokens_max: 400,
            iterations_per_model: 500,
            batch_min: 1_000,
            rules: PromptRules::default(),
        }
    }
}

/// A generator that cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeneratorError {
    /// There is nothing to ask.
    #[error("a generator of prompts needs a model")]
    NoModel,
    /// There is nothing to ask for.
    #[error("a generator of lists needs a category")]
    NoCategory,
    /// A figure that stops the loop.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
}

/// What became of the calls of a generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that were made.
    pub asked: u64,
    /// Calls that brought an answer of the form that was asked for.
    pub answered: u64,
    /// Answers of another form, empty or withheld.
    pub invalid: u64,
    /// Calls without an answer: not reachable, too slow, out of order.
    pub unavailable: u64,
    /// Calls that the endpoint refused for good: a wrong key, an unknown model.
    pub refused: u64,
    /// Calls that came too fast, or beyond the budget.
    pub throttled: u64,
    /// Sentences whose category or object begins with another letter than asked for. They are as good as others,
    /// but say how little a model follows.
    pub other_initials: u64,
}

/// A batch and how it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Harvest {
    /// Distinct prompts that passed the filters and were in no earlier batch.
    pub prompts: Vec<String>,
    /// The quality of the lines.
    pub statistics: Statistics,
    /// The calls of the batch.
    pub calls: Calls,
}

/// An endless source of prompts, as long as one of its models answers.
#[derive(Debug)]
pub struct Generator {
    method: Method,
    models: Models,
    settings: Settings,
    host: Host,
    seen: Seen,
    batch: Batch,
    calls: Calls,
    /// Lists or sentences asked for so far, given up ones included.
    turn: u64,
    /// Models that failed at this turn.
    failures: usize,
}

impl Generator {
    /// A generator that asks these models in turn. `seen` are the prompts of earlier batches; `host` gives randomness.
    ///
    /// # Errors
    /// [`GeneratorError`] for settings with which it would never make a prompt.
    pub fn new(
        method: Method,
        chats: Vec<Arc<Chat>>,
        settings: Settings,
        seen: Seen,
        host: Host,
    ) -> Result<Self, GeneratorError> {
        let figures = [
            ("list_prompts", settings.list_prompts as u64),
            ("list_tokens_max", settings.list_tokens_max.into()),
            ("iterations_per_model", settings.iterations_per_model),
            ("batch_min", settings.batch_min as u64),
        ];
        if chats.is_empty() {
            return Err(GeneratorError::NoModel);
        }
        if method == Method::Lists && settings.categories.is_empty() {
            return Err(GeneratorError::NoCategory);
        }
        if let Some((name, _)) = figures.iter().find(|(_, figure)| *figure == 0) {
            return Err(GeneratorError::Zero(name));
        }
        let models = Models::new(chats);
        let (batch, calls) = (Batch::default(), Calls::default());
        Ok(Self { method, models, settings, host, seen, batch, calls, turn: 0, failures: 0 })
    }

    /// Asks until a batch is full.
    ///
    /// Dropping the future loses nothing but the call under way: [`Generator::take`] has what came until then.
    pub async fn next_batch(&mut self) -> Harvest {
        while self.batch.prompts().len() < self.settings.batch_min {
            self.step().await;
        }
        self.take()
    }

    /// Ends the batch, however small it is.
    pub fn take(&mut self) -> Harvest {
        let (prompts, statistics) = std::mem::take(&mut self.batch).finish();
        Harvest { prompts, statistics, calls: std::mem::take(&mut self.calls) }
    }

    /// What was in this and earlier batches, to be kept beyond the life of the process.
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Asks one model once; waits before it while all of them rest.
    pub async fn step(&mut self) {
        let planned = self.iteration() / self.settings.iterations_per_model;
        let model = self.models.awake(planned).await;
        let chat = Arc::clone(self.models.chat(model));
        let random = (self.host.random)();
        let (kept, error) = match self.method {
            Method::Lists => self.ask_list(&chat, random).await,
            Method::Sentences => self.ask_sentence(&chat, random).await,
        };
        match error {
            None => {
                self.calls.answered += 1;
                self.models.answered(model, kept, FRUITLESS_MAX);
                self.go_on();
            }
            Some(error) => {
                self.count(&error);
                let rest = self.models.failed(model, &error, (self.host.random)());
                let name = &chat.endpoint().model;
                tracing::warn!(llm.model = name, %error, rest_secs = rest.as_secs(), "a model wrote no prompts");
                self.failures += 1;
                if self.failures >= self.models.len() {
                    // What no model answers must not keep the rest from being asked.
                    self.go_on();
                }
            }
        }
    }

    async fn ask_list(&mut self, chat: &Chat, random: u128) -> (usize, Option<ChatError>) {
        let categories = &self.settings.categories;
        let category = categories[usize::try_from(self.turn).unwrap_or(0) % categories.len()].clone();
        let request = ask::list(&category, &self.settings, random);
        self.calls.asked += 1;
        let Completion { text, is_cut, .. } = match chat.complete(&request).await {
            Ok(completion) => completion,
            Err(error) => return (0, Some(error)),
        };
        let origin = Origin { category: &category, model: &chat.endpoint().model };
        let lines = answers::list_lines(&text, is_cut);
        let kept = lines.into_iter().filter(|line| self.offer(line, Style::Phrase, origin)).count();
        (kept, None)
    }

    async fn ask_sentence(&mut self, chat: &Chat, random: u128) -> (usize, Option<ChatError>) {
        let initials = ask::initials(random);
        let request = ask::sentence(initials, &self.settings.instructions, random);
        self.calls.asked += 1;
        let text = match chat.complete(&request).await {
            Ok(completion) => completion.text,
            Err(error) => return (0, Some(error)),
        };
        let Some(written) = answers::written(&text) else {
            return (0, Some(ChatError::Invalid("the answer is no category, object and prompt".to_owned())));
        };
        let chosen = [written.category.chars().next(), written.object.chars().next()];
        self.calls.other_initials += u64::from(chosen != initials.map(Some));
        let origin = Origin { category: &written.category, model: &chat.endpoint().model };
        (usize::from(self.offer(&written.prompt, Style::Sentence, origin)), None)
    }

    fn offer(&mut self, line: &str, style: Style, origin: Origin<'_>) -> bool {
        self.batch.offer(line, style, origin, &self.settings.rules, &mut self.seen) == Outcome::Kept
    }

    const fn go_on(&mut self) {
        self.turn += 1;
        self.failures = 0;
    }

    const fn count(&mut self, error: &ChatError) {
        let counter = match error {
            ChatError::Invalid(_) => &mut self.calls.invalid,
            ChatError::Unavailable(_) => &mut self.calls.unavailable,
            ChatError::Refused(_) => &mut self.calls.refused,
            ChatError::Throttled { .. } => &mut self.calls.throttled,
        };
        *counter += 1;
    }

    fn iteration(&self) -> u64 {
        match self.method {
            Method::Lists => self.turn / self.settings.categories.len() as u64,
            Method::Sentences => self.turn,
        }
    }
}

//! How the numbers of prompts have to fit together, and fit those of tasks.

use super::Policy;
use crate::prompts::grammar;

/// No filter lets longer prompts pass, in characters: a thousand of them are read at once, in 2 MiB.
const CHARS_MAX: usize = 2_000;

/// What has to hold, and what is said where it does not.
pub(super) const fn rules(policy: &Policy) -> [(bool, &'static str); 8] {
    let Policy { prompts, collector, tasks, .. } = policy;
    [
        (
            prompts.fits(tasks),
            "prompts let pass what tasks.prompt_chars_min or tasks.prompt_chars_max refuse",
        ),
        (
            tasks.prompt_chars_min <= grammar::CHARS_MIN && grammar::CHARS_MAX <= tasks.prompt_chars_max,
            "tasks.prompt_chars_min or tasks.prompt_chars_max refuse prompts of the grammar",
        ),
        (
            prompts.chars_min <= prompts.chars_max && prompts.chars_min <= prompts.sentence_chars_max,
            "prompts.chars_min exceeds prompts.chars_max or prompts.sentence_chars_max",
        ),
        (
            prompts.chars_max <= CHARS_MAX && prompts.sentence_chars_max <= CHARS_MAX,
            "prompts.chars_max or prompts.sentence_chars_max exceeds 2000",
        ),
        (collector.batch_prompts_max >= 1, "collector.batch_prompts_max is zero"),
        (
            collector.batch_prompts_min <= collector.batch_prompts_max,
            "collector.batch_prompts_min exceeds collector.batch_prompts_max",
        ),
        (
            collector.batch_prompts_min <= grammar::COUNT,
            "collector.batch_prompts_min exceeds the 33600 prompts that the grammar fills a batch up with",
        ),
        (collector.submission_prompts_max >= 1, "collector.submission_prompts_max is zero"),
    ]
}

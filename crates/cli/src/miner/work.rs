//! The miner's loop with one validator: pull, generate, submit, wait.

use std::sync::Arc;
use std::time::Duration;

use sn17_wire::ss58;
use sn17_wire::synapse::{AnswerError, PromptKind, ProtocolTask};

use super::generate::Generator;
use super::link::{Link, LinkError, Verdict, now_secs};

/// A validator that gives neither task nor time is left alone for so long, as the subnet's miner does.
const BACK_OFF: Duration = Duration::from_secs(300);
/// Least time between a pull that brought no task and the next. Where our clock is ahead of the validator's, a
/// cooldown seems over before it is; pulls would then follow each other at once, each of them a violation.
const EMPTY_PULL_PAUSE: Duration = Duration::from_secs(5);
/// After the first failure to reach a validator, and doubled with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// At most this between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Told of everything that happens to a miner.
pub(crate) type Observer = Arc<dyn Fn(&Link, Event<'_>) + Send + Sync>;

/// How a miner works.
#[derive(Clone)]
pub(crate) struct Options {
    /// Stop after so many submissions.
    pub(crate) submissions_max: Option<usize>,
    /// Told of everything that happens to it.
    pub(crate) report: Observer,
}

/// What happens to a miner.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// It got a task.
    Pulled(&'a ProtocolTask),
    /// Its result was answered.
    Answered(&'a ProtocolTask, &'a Verdict),
    /// It waits.
    Waiting(Duration),
    /// Something did not work; it goes on, with the same request or without the generator's result.
    Failed(String),
    /// A request was refused for good; it pulls again after a while.
    Refused(String),
}

/// Writes events to the log.
pub(crate) fn log(link: &Link, event: Event<'_>) {
    let validator = ss58::encode(&link.axon.hotkey);
    match event {
        Event::Pulled(task) => tracing::info!(validator, task.id, prompt = prompt_for_log(task), "pulled"),
        Event::Answered(task, verdict) => {
            let feedback = verdict.feedback.unwrap_or_default();
            let (score, failed) = (feedback.task_fidelity_score, feedback.validation_failed);
            let reward = feedback.current_miner_reward;
            tracing::info!(validator, task.id, score, failed, reward, message = verdict.message, "answered");
        }
        Event::Waiting(wait) => tracing::info!(validator, seconds = wait.as_secs(), "waiting"),
        Event::Failed(reason) => tracing::warn!(validator, reason, "failed, trying again"),
        Event::Refused(reason) => tracing::error!(validator, reason, "refused, pulling again later"),
    }
}

fn prompt_for_log(task: &ProtocolTask) -> String {
    match task.kind {
        PromptKind::Text => task.prompt.clone(),
        PromptKind::Image => "(picture)".to_owned(),
    }
}

/// Mines for one validator until as many submissions as asked for are answered, or for ever.
///
/// Nothing is kept between runs: after a restart the validator hands out the same task again.
pub(crate) async fn mine(link: Link, generator: Arc<Generator>, options: Options) {
    let report = |event: Event<'_>| (options.report)(&link, event);
    let mut answered = 0;
    while options.submissions_max.is_none_or(|max| answered < max) {
        match work_once(&link, &generator, &report).await {
            Ok(Worked::NoTask { cooldown_until }) => {
                wait(pause(cooldown_until, now_secs()).max(EMPTY_PULL_PAUSE), &report).await;
            }
            Ok(Worked::Answered { cooldown_until }) => {
                answered += 1;
                if options.submissions_max.is_none_or(|max| answered < max) {
                    wait(pause(cooldown_until, now_secs()), &report).await;
                }
            }
            Err(error) => {
                report(Event::Refused(error.to_string()));
                wait(BACK_OFF, &report).await;
            }
        }
    }
}

/// What one round of work came to, with the Unix seconds of the next pull.
enum Worked {
    NoTask { cooldown_until: u64 },
    Answered { cooldown_until: u64 },
}

/// Pulls, generates, submits.
async fn work_once(
    link: &Link,
    generator: &Generator,
    report: &impl Fn(Event<'_>),
) -> Result<Worked, LinkError> {
    let reply = retry(report, || link.pull()).await?;
    let Some(task) = reply.task else {
        return Ok(Worked::NoTask { cooldown_until: reply.cooldown_until });
    };
    report(Event::Pulled(&task));
    let results = match generator.generate(&task).await {
        Ok(results) => results.unwrap_or_default(),
        Err(error) => {
            report(Event::Failed(format!("the generator failed, passing: {error:#}")));
            Vec::new()
        }
    };
    // The very same result may be sent again: the validator takes it once.
    let verdict = retry(report, || link.submit(&task.id, &task.prompt, &results)).await?;
    report(Event::Answered(&task, &verdict));
    Ok(Worked::Answered { cooldown_until: verdict.cooldown_until })
}

/// Tries ever more slowly until an answer comes, or a refusal that no repetition changes.
async fn retry<T, F: Future<Output = Result<T, LinkError>>>(
    report: &impl Fn(Event<'_>),
    call: impl Fn() -> F,
) -> Result<T, LinkError> {
    let mut wait = RETRY_FIRST;
    loop {
        match call().await {
            Err(error) if may_pass(&error) => report(Event::Failed(error.to_string())),
            answer => return answer,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Whether the same request may succeed later: nobody answered, or the validator is busy or in trouble. Any other
/// refusal (no such task, not registered, a bad signature, too large) says the same however often it is asked for.
fn may_pass(error: &LinkError) -> bool {
    match error {
        LinkError::Unreachable(_) => true,
        LinkError::Answer(AnswerError::Refused { status, .. }) => *status == 429 || *status >= 500,
        LinkError::Answer(AnswerError::Malformed(_)) => false,
    }
}

/// How long to wait at `now` for a pull at `cooldown_until`, both in Unix seconds; 0 means that no time was given.
fn pause(cooldown_until: u64, now: u64) -> Duration {
    if cooldown_until == 0 { BACK_OFF } else { Duration::from_secs(cooldown_until.saturating_sub(now)) }
}

async fn wait(duration: Duration, report: &impl Fn(Event<'_>)) {
    if !duration.is_zero() {
        report(Event::Waiting(duration));
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let refused =
            |status| LinkError::Answer(AnswerError::Refused { status, message: "words".to_owned() });
        for status in [429, 500, 502, 503, 504] {
            assert!(may_pass(&refused(status)), "{status}");
        }
        for status in [400, 401, 403, 404, 413, 415] {
            assert!(!may_pass(&refused(status)), "{status}");
        }
        assert!(!may_pass(&LinkError::Answer(AnswerError::Malformed("a web page".to_owned()))));
    }

    #[test]
    fn pulls_wait_for_the_cooldown_or_back_off() {
        assert_eq!(pause(1_300, 1_000), Duration::from_secs(300));
        assert_eq!(pause(0, 1_000), BACK_OFF);
        assert_eq!(pause(1_000, 1_030), Duration::ZERO, "a clock ahead sees the cooldown as over");
    }

    #[tokio::test]
    async fn a_final_refusal_ends_the_tries() {
        let refusals = std::sync::Mutex::new(vec![403, 503]);
        let failures = std::sync::Mutex::new(0);
        let report = |_: Event<'_>| *failures.lock().unwrap() += 1;
        let call = || {
            let status = refusals.lock().unwrap().pop().unwrap();
            std::future::ready(Err::<(), _>(LinkError::Answer(AnswerError::Refused {
                status,
                message: String::new(),
            })))
        };
        let answer = retry(&report, call).await;
        assert!(answer.unwrap_err().to_string().contains("403"));
        assert_eq!(*failures.lock().unwrap(), 1, "the busy one was reported and asked again");
    }
}

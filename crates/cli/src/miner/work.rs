//! The miner's loop with one validator: pull, generate, submit, wait.

use std::sync::Arc;
use std::time::Duration;

use sn17_wire::ss58;
use sn17_wire::synapse::{PromptKind, ProtocolTask};

use super::generate::Generator;
use super::link::{Link, LinkError, Verdict, now_secs};

/// A validator that gives neither task nor time is left alone for so long, as the subnet's miner does.
const BACK_OFF: Duration = Duration::from_secs(300);
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
    /// Something did not work; it tries again.
    Failed(String),
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
        let reply = retry(&report, || link.pull()).await;
        let Some(task) = reply.task else {
            wait_until(reply.cooldown_until, &report).await;
            continue;
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
        let verdict = retry(&report, || link.submit(&task.id, &task.prompt, &results)).await;
        answered += 1;
        report(Event::Answered(&task, &verdict));
        if options.submissions_max.is_none_or(|max| answered < max) {
            wait_until(verdict.cooldown_until, &report).await;
        }
    }
}

/// Tries until an answer comes, ever more slowly.
async fn retry<T, F: Future<Output = Result<T, LinkError>>>(
    report: &impl Fn(Event<'_>),
    call: impl Fn() -> F,
) -> T {
    let mut wait = RETRY_FIRST;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => report(Event::Failed(error.to_string())),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

async fn wait_until(cooldown_until: u64, report: &impl Fn(Event<'_>)) {
    let now = now_secs();
    let wait =
        if cooldown_until == 0 { BACK_OFF } else { Duration::from_secs(cooldown_until.saturating_sub(now)) };
    if !wait.is_zero() {
        report(Event::Waiting(wait));
        tokio::time::sleep(wait).await;
    }
}

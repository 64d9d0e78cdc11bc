//! The steps of a smoke test, and the table of them.

use std::time::Instant;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ready,
    Roster,
    Key,
    Miner,
    Task,
    Pull,
    Generate,
    Submit,
    Status,
    Result,
    CleanUp,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Ready => "readyz",
            Self::Roster => "roster",
            Self::Key => "key",
            Self::Miner => "miner",
            Self::Task => "add_task",
            Self::Pull => "pull",
            Self::Generate => "generate",
            Self::Submit => "submit",
            Self::Status => "get_status",
            Self::Result => "get_result",
            Self::CleanUp => "clean up",
        }
    }

    /// What to do when it fails.
    const fn advice(self) -> &'static str {
        match self {
            Self::Ready => {
                "look at the URL, then at the log of the process or function behind it and at its store"
            }
            Self::Roster => "look at --admin-key, and whether the URL is the clients' one",
            Self::Key => "look at the log of the clients' side; it cannot write to its store",
            Self::Miner => {
                "where the roster comes from a file, register miners in it, start them and try again; else look at the \
                 log of the clients' side"
            }
            Self::Task => "look at the log of the clients' side and at its store",
            Self::Pull => {
                "look at --miner-url (plain HTTP, as miners use it), at the clock of this machine, and at the log of \
                 the miners' side"
            }
            Self::Generate => "look at --splats; without it this is a fault of this program",
            Self::Submit => {
                "if no verdict came, look whether a worker runs and at its log and queue; if real models refused the \
                 shapes, hand in a good splat with --splats"
            }
            Self::Status => {
                "look whether miners pull (without a throw-away miner the network's own have to), whether a worker \
                 scores, and whether timers run"
            }
            Self::Result => "look at the blob store, its permissions, and what the links into it say",
            Self::CleanUp => "revoke the key of the owner `smoke`, and look at the roster",
        }
    }
}

/// Prints the head of the table.
pub(super) fn print_head() {
    println!("{:<10}  {:>7}  RESULT", "STEP", "MS");
}

/// Takes a step: waits for its value and a few words about it, until the deadline at most, and prints its line.
///
/// # Errors
/// Why it failed, and what to do next.
pub(super) async fn take<T>(
    step: Step,
    until: Instant,
    work: impl Future<Output = anyhow::Result<(T, String)>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    let done = match tokio::time::timeout_at(until.into(), work).await {
        Ok(done) => done,
        Err(_) => Err(anyhow::anyhow!("it took too long (--within)")),
    };
    let (name, took_ms) = (step.name(), began.elapsed().as_millis());
    match done {
        Ok((value, words)) => {
            println!("{name:<10}  {took_ms:>7}  {words}");
            Ok(value)
        }
        Err(error) => {
            println!("{name:<10}  {took_ms:>7}  FAILED");
            anyhow::bail!("step {name}: {error:#}\nnext: {}", step.advice())
        }
    }
}

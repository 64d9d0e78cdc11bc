//! What the demo prints while it runs and at its end.

use std::time::Instant;

use sn17_wire::synapse::PromptKind;

use super::Status;
use crate::miner::link::now_secs;
use crate::miner::work::Event;

/// Something that happened to a miner.
#[derive(Debug)]
pub(super) struct Happening {
    miner: &'static str,
    what: What,
}

#[derive(Debug)]
enum What {
    Pulled(String),
    Answered(Row),
    Other(String),
}

/// A line of the table.
#[derive(Debug)]
struct Row {
    miner: &'static str,
    prompt: String,
    verdict: String,
    score: f64,
    accepted: u64,
    rating: f64,
    reward: f64,
    cooldown_secs: u64,
}

impl Happening {
    pub(super) fn new(miner: &'static str, event: &Event<'_>) -> Self {
        let prompt_of = |task: &sn17_wire::synapse::ProtocolTask| match task.kind {
            PromptKind::Text => format!("\"{}\"", task.prompt),
            PromptKind::Image => "(picture)".to_owned(),
        };
        let what = match event {
            Event::Pulled(task) => What::Pulled(prompt_of(task)),
            Event::Answered(task, answer) => {
                let feedback = answer.feedback.unwrap_or_default();
                What::Answered(Row {
                    miner,
                    prompt: prompt_of(task),
                    verdict: answer.message.clone(),
                    score: feedback.task_fidelity_score,
                    accepted: feedback.generations_within_the_window,
                    rating: feedback.current_duel_rating,
                    reward: feedback.current_miner_reward,
                    cooldown_secs: answer.cooldown_until.saturating_sub(now_secs()),
                })
            }
            Event::Waiting(wait) => What::Other(format!("waits {} s", wait.as_secs())),
            Event::Failed(reason) | Event::Refused(reason) => What::Other(reason.clone()),
        };
        Self { miner, what }
    }
}

/// The course of the demo.
#[derive(Debug)]
pub(super) struct Report {
    started: Instant,
    rows: Vec<Row>,
}

impl Report {
    pub(super) const fn new(started: Instant) -> Self {
        Self { started, rows: Vec::new() }
    }

    pub(super) fn note(&mut self, happening: Happening) {
        let Happening { miner, what } = happening;
        match what {
            What::Pulled(prompt) => self.line(miner, &format!("pulled {prompt}")),
            What::Other(words) => self.line(miner, &words),
            What::Answered(row) => {
                self.line(
                    miner,
                    &format!("handed in {}: score {:.3}, {}", row.prompt, row.score, row.verdict),
                );
                self.rows.push(row);
            }
        }
    }

    pub(super) fn task_ended(&self, task: &str, status: &Status) {
        self.line("client", &format!("{task} ended: {} {}", status.status, status.reason));
    }

    fn line(&self, who: &str, words: &str) {
        println!("{:>6.1} s   {who:<9} {words}", self.started.elapsed().as_secs_f64());
    }

    pub(super) fn print(&self, synthetic: bool) {
        println!();
        println!(
            "{:<9} {:<28} {:>6} {:>9} {:>9} {:>7} {:>8}  VERDICT",
            "MINER", "PROMPT", "SCORE", "COOLDOWN", "ACCEPTED", "RATING", "REWARD"
        );
        for row in &self.rows {
            println!(
                "{:<9} {:<28} {:>6.3} {:>7} s {:>9} {:>7.0} {:>8.0}  {}",
                row.miner,
                row.prompt,
                row.score,
                row.cooldown_secs,
                row.accepted,
                row.rating,
                row.reward,
                row.verdict
            );
        }
        if synthetic {
            println!(
                "The scores were made with SYNTHETIC model weights: they show the mechanism, not quality."
            );
        }
    }
}

//! The queue's port on Amazon SQS.

/// The queues that a host may use. A host is given only those of its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// Submissions to score.
    pub scoring: String,
    /// Submissions that could not be scored.
    pub scoring_dead_letters: Option<String>,
    /// Tasks to look at later.
    pub timers: Option<String>,
}

//! From the table's stream to the queues: the effects of each item that was written become messages.
//!
//! The stream is the outbox: an effect stands in the item that causes it, so it is there if and only if the commit
//! was. A record that cannot be sent is answered as failed and comes again with those behind it; a message may so be
//! sent twice, and its consumers are idempotent by state.

use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::ledger::Effect;

use crate::queue::SqsQueue;

/// Reads the effects in a stream record's attribute `fx`.
///
/// # Errors
/// `Corrupt` for anything but a list of effects; such a record would be no better the next time.
pub fn effects_in(fx: &str) -> PortResult<Vec<Effect>> {
    let corrupt = |error| PortError::new(PortErrorKind::Corrupt, format!("no list of effects: {error}"));
    serde_json::from_str(fx).map_err(corrupt)
}

/// Sends the effects of some records to their queues and answers for each record: the first error of its effects.
///
/// Whatever is answered with an error may have been sent all the same, and so may what stands behind it: the queues
/// keep no order, so the requests are made beside each other.
pub async fn send_all(queue: &SqsQueue, records: &[Vec<Effect>]) -> Vec<PortResult<()>> {
    let mut outcomes = queue.send_all(&records.concat()).await.into_iter();
    let mut answers = Vec::with_capacity(records.len());
    for effects in records {
        let outcomes: Vec<PortResult<()>> = outcomes.by_ref().take(effects.len()).collect();
        answers.push(outcomes.into_iter().collect());
    }
    answers
}

#[cfg(test)]
mod tests {
    use sn17_core::{TaskId, UnixMs};

    use super::*;

    #[test]
    fn effects_are_read_as_the_ledger_writes_them() {
        let effects = vec![Effect::Timer { task: TaskId(1), at: UnixMs(5) }];
        let fx = serde_json::to_string(&effects).unwrap();
        assert_eq!(effects_in(&fx).unwrap(), effects);
        assert_eq!(effects_in("[]").unwrap(), []);
        for fx in ["", "{}", r#"["Nothing"]"#] {
            assert_eq!(effects_in(fx).unwrap_err().kind, PortErrorKind::Corrupt, "{fx}");
        }
    }
}

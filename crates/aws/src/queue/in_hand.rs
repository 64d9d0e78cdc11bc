//! Which deliveries are still their consumers'.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sn17_app::ports::{PortError, PortErrorKind, PortResult, Receipt};
use sn17_core::UnixMs;
use sn17_core::ledger::QueueName;

/// Deliveries that are kept in mind; a handle has some hundred bytes.
const DELIVERIES_MAX: usize = 4_096;

/// Until when each delivery of this process is its consumer's; the epoch for those acknowledged.
#[derive(Debug, Default)]
pub(super) struct InHand(Mutex<BTreeMap<String, UnixMs>>);

impl InHand {
    /// Notes until when a delivery is its consumer's. The one that ends first is forgotten if there are too many.
    pub(super) fn note(&self, receipt: &Receipt, until: UnixMs) {
        let mut deliveries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if deliveries.len() >= DELIVERIES_MAX && !deliveries.contains_key(&receipt.0) {
            let first =
                deliveries.iter().min_by_key(|(_, until)| **until).map(|(receipt, _)| receipt.clone());
            if let Some(first) = first {
                deliveries.remove(&first);
            }
        }
        deliveries.insert(receipt.0.clone(), until);
    }

    /// Checks that nothing is known to speak against a delivery.
    ///
    /// # Errors
    /// `NotFound` for one that has been acknowledged or has run out.
    pub(super) fn check(&self, receipt: &Receipt, now: UnixMs) -> PortResult<()> {
        let deliveries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if deliveries.get(&receipt.0).is_some_and(|until| *until <= now) {
            return Err(lost("it is over"));
        }
        Ok(())
    }
}

/// The receipt of a delivery: its queue and SQS's handle.
pub(super) fn receipt(queue: QueueName, handle: &str) -> Receipt {
    let prefix = match queue {
        QueueName::Scoring => "scoring",
        QueueName::Timers => "timers",
        QueueName::Judging => "judging",
    };
    Receipt(format!("{prefix}:{handle}"))
}

/// The queue and the handle in a receipt.
///
/// # Errors
/// `NotFound` for what is no receipt.
pub(super) fn parse(receipt: &Receipt) -> PortResult<(QueueName, &str)> {
    match receipt.0.split_once(':') {
        Some(("scoring", handle)) if !handle.is_empty() => Ok((QueueName::Scoring, handle)),
        Some(("timers", handle)) if !handle.is_empty() => Ok((QueueName::Timers, handle)),
        Some(("judging", handle)) if !handle.is_empty() => Ok((QueueName::Judging, handle)),
        _ => Err(lost("no such receipt was given out")),
    }
}

fn lost(reason: &str) -> PortError {
    PortError::new(PortErrorKind::NotFound, format!("the delivery is not this consumer's: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_carry_queue_and_handle() {
        for queue in [QueueName::Scoring, QueueName::Timers, QueueName::Judging] {
            assert_eq!(parse(&receipt(queue, "a:b=")).unwrap(), (queue, "a:b="));
        }
        for text in ["", "nonsense", "scoring:", "other:a"] {
            let error = parse(&Receipt(text.to_owned())).unwrap_err();
            assert_eq!(error.kind, PortErrorKind::NotFound, "{text}");
        }
    }

    #[test]
    fn deliveries_end_and_the_first_to_end_is_forgotten_first() {
        let in_hand = InHand::default();
        let receipt = |number: u64| receipt(QueueName::Scoring, &number.to_string());
        let is_known_over = |number| in_hand.check(&receipt(number), UnixMs(5_000)).is_err();
        for number in 1..=4_096 {
            in_hand.note(&receipt(number), UnixMs(number));
        }
        assert!(is_known_over(1) && is_known_over(4_096));
        in_hand.note(&receipt(4_096), UnixMs(9_000));
        assert!(is_known_over(1) && !is_known_over(4_096));
        in_hand.note(&receipt(4_097), UnixMs(9_000));
        assert!(!is_known_over(1) && is_known_over(2));
    }
}

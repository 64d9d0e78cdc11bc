//! The queue's port on the embedded store.

use async_trait::async_trait;
use sn17_app::ports::{Delivery, PortResult, Queue, Receipt};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};

use crate::embedded::Embedded;
use crate::messages;
use crate::writer::Batch;

#[async_trait]
impl Queue for Embedded {
    async fn send(&self, effect: Effect, not_before: Option<UnixMs>) -> PortResult<()> {
        let visible_at = not_before.unwrap_or_else(|| self.shared().clock.now());
        self.run(move |batch| messages::send(batch, effect, visible_at)).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        visibility_secs: u32,
        wait_secs: u32,
    ) -> PortResult<Vec<Delivery>> {
        let shared = self.shared();
        let mut sleeper = shared.clock.sleeper();
        let until = shared.clock.now().plus_secs(wait_secs.into());
        loop {
            let arrived = shared.waiting.arrivals(queue).notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            shared.pulse.check()?;
            let now = shared.clock.now();
            let next_visible = shared.indexes().next_visible(queue);
            // Asking the writer only when there may be something keeps idle consumers free of charge.
            if next_visible.is_some_and(|visible_at| visible_at <= now) {
                let job = move |batch: &mut Batch<'_>| messages::receive(batch, queue, max, visibility_secs);
                let deliveries = self.run(job).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
            }
            if now >= until || max == 0 {
                return Ok(Vec::new());
            }
            let wake_at = shared.indexes().next_visible(queue).map_or(until, |next| next.min(until));
            tokio::select! {
                () = arrived => {}
                () = sleeper.nap(now, wake_at) => {}
                () = shared.pulse.stopped() => {}
            }
        }
    }

    async fn extend(&self, receipt: &Receipt, visibility_secs: u32) -> PortResult<()> {
        let receipt = receipt.clone();
        self.run(move |batch| messages::extend(batch, &receipt, visibility_secs)).await
    }

    async fn ack(&self, receipt: &Receipt) -> PortResult<()> {
        let receipt = receipt.clone();
        self.run(move |batch| messages::ack(batch, &receipt)).await
    }

    async fn backlog(&self, queue: QueueName) -> PortResult<u64> {
        let shared = self.shared();
        shared.pulse.check()?;
        Ok(shared.indexes().messages_len(queue) as u64)
    }

    async fn dead_letters(&self, queue: QueueName, max: usize) -> PortResult<Vec<Effect>> {
        let shared = self.shared();
        shared.pulse.check()?;
        let letters = messages::dead_letters(&*shared.rows.snapshot(), queue, max)?;
        Ok(letters.into_iter().map(|(_, effect)| effect).collect())
    }

    async fn redrive(&self, queue: QueueName) -> PortResult<usize> {
        self.run(move |batch| messages::redrive(batch, queue)).await
    }
}

//! Work that keeps a processor busy for longer than a request may keep others waiting.

use std::sync::Arc;

use futures_channel::oneshot;

use crate::refusal::Refusal;

/// Where the host runs such work: decoding a picture, turning a splat into a PLY of up to half a gigabyte. A runtime
/// of a few threads that serve everybody has other threads for it.
#[derive(Clone)]
pub struct Blocking(Arc<dyn Fn(Work) + Send + Sync>);

/// A piece of it.
type Work = Box<dyn FnOnce() + Send>;

impl Blocking {
    /// Hands work to `spawn`, which MUST run it, now or later, on any thread.
    pub fn new(spawn: impl Fn(Work) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// Runs `work` there. Work that ends without a result, as by a panic, is a failure of ours. A caller that goes
    /// away does not stop it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (sender, receiver) = oneshot::channel();
        // Nobody is left to be told when the receiver is gone.
        (self.0)(Box::new(move || drop(sender.send(work()))));
        receiver.await.map_err(|_| Refusal::internal("blocking"))
    }
}

impl Default for Blocking {
    /// At once and in place, for hosts that have one thread.
    fn default() -> Self {
        Self::new(|work| work())
    }
}

impl std::fmt::Debug for Blocking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Blocking").finish_non_exhaustive()
    }
}

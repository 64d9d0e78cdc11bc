//! What the host learns of every answered request.

use std::sync::Arc;

/// An answered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The pattern of the path, such as `/add_task`; nobody outside can choose it.
    pub route: &'static str,
    /// The method, `other` for an unusual one.
    pub method: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Milliseconds from the request's headers to the answer's, by the host's clock.
    pub duration_ms: u64,
    /// Why the request was refused, if it was.
    pub refusal: Option<Refused>,
    /// What was said of a submission: `accepted`, `rejected`, `empty`, `failed`, `pending` or `unchanged`. None for any
    /// other request and for a submission that was refused.
    pub verdict: Option<&'static str>,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In a word, such as `quota` or `signature`.
    pub reason: &'static str,
    /// The invariant that this upholds, such as `AU-1`, if it is one.
    pub invariant: Option<&'static str>,
}

/// Told of each request once, when its answer's headers are known: a host without a long-lived process counts requests
/// with it.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Served) + Send + Sync>);

impl Observer {
    /// Tells `observe`, which MUST NOT block: the answer waits for it.
    pub fn new(observe: impl Fn(&Served) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(crate) fn tell(&self, served: &Served) {
        (self.0)(served);
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Observer").finish_non_exhaustive()
    }
}

/// Response extension: what a handler has said of a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerdictLabel(pub(crate) &'static str);

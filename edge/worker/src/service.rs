//! The network's service in this isolate: made with the first request, kept for all others.

use std::cell::OnceCell;
use std::rc::Rc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_channel::oneshot;
use sn17_aws::edge::Edge;
use sn17_aws::settings::SettingsError;
use sn17_http::{AdminKey, HttpOptions, RateLimits, RosterSource, Routes};
use tower::ServiceExt as _;
use worker::{Context, Env};

use crate::console;
use crate::platform::platform;

/// Working memory of all submissions being received, as the router counts it: six at once.
///
/// An isolate may have 128 MB in all (Cloudflare's limits of Workers). A submission holds up to 12 MB of it: a part of
/// 5 MiB that fills, the same part on its way to S3 in WASM's memory and its copy in JavaScript's.
const SUBMISSIONS_BYTES: usize = 24 << 20;
/// Memory of small bodies: 64 KiB each at most.
const BODIES_BYTES: usize = 2 << 20;
/// Memory of the bodies of `add_task`.
const PROMPTS_BYTES: usize = 12 << 20;
/// Memory of results being turned into PLY and of pictures being read, all together and each.
const CONVERSIONS_BYTES: usize = 40 << 20;

/// The use cases behind their routes.
pub(crate) struct Service {
    pub(crate) edge: Edge,
    router: Router,
}

thread_local! {
    static SERVICE: OnceCell<Rc<Service>> = const { OnceCell::new() };
}

impl Service {
    /// This isolate's service, made of the Worker's variables and secrets if there is none yet.
    ///
    /// # Errors
    /// Everything that is wrong with the variables, at once.
    pub(crate) fn of(env: &Env) -> Result<Rc<Self>, SettingsError> {
        SERVICE.with(|service| match service.get() {
            Some(service) => Ok(Rc::clone(service)),
            None => {
                let made = Rc::new(Self::new(env)?);
                Ok(Rc::clone(service.get_or_init(|| made)))
            }
        })
    }

    /// The router's answer.
    ///
    /// workerd forgets, and does not drop, what it runs for a client that has gone: memory and a miner's upload would be
    /// lost to this isolate. So it goes on, finds the body broken, and cleans up.
    pub(crate) async fn respond(&self, request: Request, context: &Context) -> Response {
        let router = self.router.clone();
        let (sender, receiver) = oneshot::channel();
        context.wait_until(async move {
            let Ok(response) = router.oneshot(request).await;
            // Nobody is left to be told when the receiver is gone.
            drop(sender.send(response));
        });
        receiver.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    fn new(env: &Env) -> Result<Self, SettingsError> {
        // A secret is read as a variable is.
        let edge = Edge::new(platform(), |name| Some(env.var(name).ok()?.to_string()))?;
        let options = HttpOptions {
            routes: Routes::Edge,
            admin_key: AdminKey::new(edge.admin_key()),
            body_memory_bytes: BODIES_BYTES,
            prompt_memory_bytes: PROMPTS_BYTES,
            submission_memory_bytes: SUBMISSIONS_BYTES,
            conversion_memory_bytes: CONVERSIONS_BYTES,
            conversion_bytes_max: Some(CONVERSIONS_BYTES),
            // An isolate sees a few of the requests, and forgets them: rate limiting rules of the zone are the place.
            limits: RateLimits::NONE,
            observer: Some(console::observer()),
            roster_from: RosterSource::Operator,
            ..HttpOptions::default()
        };
        let router = sn17_http::router(edge.app(), options);
        Ok(Self { edge, router })
    }
}

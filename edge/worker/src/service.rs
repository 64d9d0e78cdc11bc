//! The network's service in this isolate: made with the first request, kept for all others.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_channel::oneshot;
use futures_util::future::select;
use sn17_aws::edge::Edge;
use sn17_aws::settings::SettingsError;
use sn17_http::{AdminKey, HttpOptions};
use tower::ServiceExt as _;
use worker::{Context, Delay, Env};

use crate::console;
use crate::platform::platform;

/// Whoever is still there takes an answer at once; after this nobody is.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

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
    /// lost to this isolate. So it goes on, finds the body broken, and cleans up; and an answer that nobody takes, with
    /// the memory that it holds, is dropped here.
    pub(crate) async fn respond(&self, request: Request, context: &Context) -> Response {
        let router = self.router.clone();
        let place: Rc<Cell<Option<Response>>> = Rc::default();
        let (made, is_made) = oneshot::channel::<()>();
        let (taken, is_taken) = oneshot::channel::<()>();
        let for_client = Rc::clone(&place);
        context.wait_until(async move {
            let Ok(response) = router.oneshot(request).await;
            for_client.set(Some(response));
            // Nobody is left to be told when the receiver is gone.
            let _ = made.send(());
            select(is_taken, Delay::from(TAKEN_WITHIN)).await;
            drop(for_client.take());
        });
        // An error means that there is no answer, which is what is found.
        let _ = is_made.await;
        let response = place.take();
        drop(taken);
        response.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    fn new(env: &Env) -> Result<Self, SettingsError> {
        // A secret is read as a variable is.
        let edge = Edge::new(platform(), |name| Some(env.var(name).ok()?.to_string()))?;
        let options = HttpOptions::edge(AdminKey::new(edge.admin_key()), console::observer());
        let router = sn17_http::router(edge.app(), options);
        Ok(Self { edge, router })
    }
}

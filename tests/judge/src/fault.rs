//! What can go wrong between a client and a model.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::stream;
use tokio::sync::Barrier;

use crate::request::Asked;

/// Between two bytes of a body that drips.
const DRIP: Duration = Duration::from_millis(20);

/// What is done to a request instead of answering it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error, with its `Retry-After` if there is one.
    Status(u16, Option<&'static str>),
    /// An error with a body as it is.
    Error(u16, String),
    /// The same request somewhere else, please.
    Redirect(String),
    /// A body as it is, with status 200.
    Body(String),
    /// An answer in a good reply.
    Says(String),
    /// An answer that ends for this reason.
    Ends(&'static str),
    /// Nothing, ever.
    Silence,
    /// A body of spaces, one at a time, without end.
    Drip,
    /// A body of so many spaces.
    Spaces(usize),
    /// Half a body, and then the connection is gone.
    Cut,
    /// A good reply, as soon as as many requests as the barrier waits for are under way at once.
    Together(Arc<Barrier>),
}

impl Fault {
    /// The response that this fault leads to.
    pub(crate) async fn response(self, asked: &Asked) -> Response {
        match self {
            Self::Status(status, retry_after) => {
                let mut response =
                    crate::error(status_of(status), "made_up", "a fault that the test asked for");
                if let Some(retry_after) = retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(retry_after));
                }
                response
            }
            Self::Error(status, body) => (status_of(status), body).into_response(),
            Self::Redirect(url) => Redirect::temporary(&url).into_response(),
            Self::Body(body) => body.into_response(),
            Self::Says(text) => crate::completion(asked, &text, "stop"),
            Self::Ends(reason) => crate::completion(asked, "{", reason),
            Self::Silence => std::future::pending().await,
            Self::Drip => {
                let drops = stream::unfold((), |()| async {
                    tokio::time::sleep(DRIP).await;
                    Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
                });
                Body::from_stream(drops).into_response()
            }
            Self::Spaces(bytes) => {
                let pieces =
                    (0..bytes.div_ceil(1_024)).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b' '; 1_024])));
                Body::from_stream(stream::iter(pieces)).into_response()
            }
            Self::Cut => {
                let half = [Ok(Bytes::from_static(b"{\"choices\": [")), Err(std::io::Error::other("cut"))];
                Body::from_stream(stream::iter(half)).into_response()
            }
            Self::Together(barrier) => {
                barrier.wait().await;
                crate::completion(asked, "together", "stop")
            }
        }
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

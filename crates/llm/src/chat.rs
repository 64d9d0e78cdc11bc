//! A client for chat completions.
//!
//! Written on reqwest, not on the crate that the field uses, async-openai (looked at in version 0.43): it reads a
//! reply's body to its end whatever its size, has no limits of rate and cost, and waits for no `Retry-After` where one
//! is given as a date. Its types alone do not fit either: they demand what compatible servers leave out (`created`,
//! `object`, a fixed set of reasons to finish), and every such reply would be an error.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use rustls::crypto::CryptoProvider;
use serde::Deserialize;
use serde_json::Value;
use sn17_app::Host;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument as _, field};

use crate::backoff;
use crate::budget::{Budget, Limit, Reserved, Short};
use crate::completion::{Completion, Reply};
use crate::endpoint::{Endpoint, EndpointError, is_loopback};
use crate::gate::{Busy, Gate};
use crate::request::Request;
use crate::shared::{BLOCK_TOKENS, SharedTokens};

/// Largest body of a reply in bytes. An answer of 1,024 tokens is below 10 KiB, a long line of thought below 200 KiB.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// Longest code of an error that is repeated.
const CODE_BYTES_MAX: usize = 64;
/// When to come back if an endpoint refuses by its rate limit and does not say: such limits are per minute.
const THROTTLED_SECS: u64 = 60;
/// When to come back if the ledger cannot say whether there are tokens left.
const UNCOUNTED_SECS: u64 = 30;
/// Blocks leased for one try, at most: more than any model reads and writes at once.
const LEASES_MAX: usize = 256;

/// A client of one endpoint. Its limits hold for all who share it.
///
/// The environment's proxy (`HTTPS_PROXY` and its like) is used, as it may be the only way out, but never to this
/// machine. Redirects are not followed: key and pictures go to this URL and nowhere else.
#[derive(Debug)]
pub struct Chat {
    endpoint: Endpoint,
    url: Url,
    client: Client,
    gate: Gate,
    budget: Mutex<Budget>,
    /// Where the budget comes from, if others share it.
    shared: Option<SharedTokens>,
    host: Host,
}

/// Why there is no completion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The endpoint answered with something other than one complete answer of a model. Asking again may help, after a
    /// look at the model.
    #[error("{0}")]
    Invalid(String),
    /// The endpoint cannot be reached, does not answer in time or fails.
    #[error("{0}")]
    Unavailable(String),
    /// The endpoint does not take such requests: a wrong key, an unknown model, a picture too large. Asking again does
    /// not help.
    #[error("{0}")]
    Refused(String),
    /// Told to slow down, too much under way, or the day's tokens are used up.
    #[error("{reason}")]
    Throttled {
        /// When to ask again, in seconds.
        retry_after_secs: u64,
        /// In words.
        reason: String,
    },
}

/// What every try of a call has in common.
struct Call {
    body: Bytes,
    /// What it costs at most.
    tokens_max: u64,
    may_be_cut: bool,
}

/// What came of one try.
enum Fault {
    /// The reply is whole and unusable.
    Unusable { tokens: Option<u64>, reason: String },
    /// Nothing whole came back.
    Lost(String),
    /// The endpoint answered with an error.
    Status { status: StatusCode, code: Option<String>, retry_after: Option<Duration> },
}

/// The body of an error, as far as it is read: its message may repeat a key or the question, its code does not.
#[derive(Deserialize)]
struct ErrorReply {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    /// A word; a number, the status once more, from llama.cpp's server.
    code: Option<Value>,
    r#type: Option<String>,
}

impl Chat {
    /// A client with the limits of `endpoint`. `host` gives the time of day, for the budget and for dates in replies,
    /// and the randomness of waits.
    ///
    /// Where the process has not chosen a crypto provider for TLS yet, ring becomes it.
    ///
    /// # Errors
    /// [`EndpointError`], which names the setting at fault.
    pub fn new(endpoint: Endpoint, host: Host) -> Result<Self, EndpointError> {
        endpoint.check_figures()?;
        let url = endpoint.completions_url()?;
        let mut headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        if let Some(key) = &endpoint.api_key {
            headers.insert(AUTHORIZATION, key.header()?);
        }
        if CryptoProvider::get_default().is_none() {
            // An error means that another thread has been quicker, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| EndpointError::Client(with_sources(&error)))?;
        let gate = Gate::new(endpoint.max_in_flight, endpoint.calls_per_minute);
        let limit = endpoint.tokens_per_day.map_or(Limit::None, Limit::PerDay);
        let budget = Mutex::new(Budget::new(limit));
        Ok(Self { endpoint, url, client, gate, budget, shared: None, host })
    }

    /// Spends what it shares with other processes, instead of the endpoint's own tokens per day.
    #[must_use]
    pub fn sharing(self, shared: SharedTokens) -> Self {
        Self { budget: Mutex::new(Budget::new(Limit::Leased(0))), shared: Some(shared), ..self }
    }

    /// The endpoint that is asked.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Tokens spent today in UTC, those of calls under way included as estimated.
    pub fn tokens_today(&self) -> u64 {
        self.budget().spent()
    }

    /// Tokens that ended tries have cost since the beginning; it only grows. A call that was dropped is not in it.
    pub fn tokens_total(&self) -> u64 {
        self.budget().total()
    }

    /// Asks for one completion, within the limits of the endpoint.
    ///
    /// Tries again when nothing whole came back, and after the statuses 408, 429 and 5xx. A reply that is whole is
    /// final. Dropping the future ends the call; what it may have cost counts as spent.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn complete(&self, request: &Request) -> Result<Completion, ChatError> {
        let span = tracing::info_span!(
            "llm.chat",
            llm.model = request.model(&self.endpoint),
            llm.tries = field::Empty,
            llm.tokens = field::Empty,
            duration_ms = field::Empty,
        );
        let begun = Instant::now();
        let outcome = self.try_often(request).instrument(span.clone()).await;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        span.record("duration_ms", duration_ms);
        let _entered = span.enter();
        match &outcome {
            Ok(completion) => {
                span.record("llm.tokens", completion.tokens);
                tracing::debug!(llm.tokens = completion.tokens, duration_ms, "a model answered");
            }
            Err(error) => tracing::debug!(%error, duration_ms, "a model did not answer"),
        }
        outcome
    }

    async fn try_often(&self, request: &Request) -> Result<Completion, ChatError> {
        let call = Call {
            body: Bytes::from(request.to_json(&self.endpoint)),
            tokens_max: request.tokens_max(&self.endpoint),
            may_be_cut: request.may_be_cut,
        };
        let mut tried = 0;
        loop {
            tried += 1;
            tracing::Span::current().record("llm.tries", tried);
            let fault = match self.try_once(&call).await? {
                Ok(completion) => return Ok(completion),
                Err(fault) => fault,
            };
            if let Fault::Status { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(pause), .. } =
                fault
            {
                self.gate.pause(pause);
            }
            let may_retry = fault.is_passing() && tried < self.endpoint.tries;
            let wait = backoff::wait(tried, fault.retry_after(), (self.host.random)());
            let Some(wait) = wait.filter(|_| may_retry) else {
                return Err(fault.into_error());
            };
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(error = %fault.into_error(), tried, wait_ms, "trying again");
            sleep(wait).await;
        }
    }

    /// One try, in its turn and within the budget.
    async fn try_once(&self, call: &Call) -> Result<Result<Completion, Fault>, ChatError> {
        let tokens_max = call.tokens_max;
        let _turn = self.gate.enter().await.map_err(ChatError::from)?;
        let reserved = self.reserve(tokens_max).await?;
        let outcome = match timeout(self.endpoint.timeout, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                Err(Fault::Lost(format!("the model did not answer within {:?}", self.endpoint.timeout)))
            }
        };
        let tokens = match &outcome {
            Ok(completion) => completion.tokens,
            Err(Fault::Unusable { tokens, .. }) => tokens.unwrap_or(tokens_max),
            // The model may be at work, or done, where nobody hears of it.
            Err(Fault::Lost(_)) => tokens_max,
            Err(Fault::Status { .. }) => 0,
        };
        self.budget().settle(reserved, tokens);
        Ok(outcome)
    }

    /// Sets tokens aside, leasing them first where they are shared.
    async fn reserve(&self, tokens: u64) -> Result<Reserved, ChatError> {
        for _ in 0..=LEASES_MAX {
            let now = (self.host.now)();
            let short = match self.budget().reserve(now, tokens) {
                Ok(reserved) => return Ok(reserved),
                Err(short) => short,
            };
            let leased = match (short, &self.shared) {
                (Short::Lease { day }, Some(shared)) => shared.lease(day, now).await.inspect(|&is_leased| {
                    if is_leased {
                        self.budget().add(day, BLOCK_TOKENS);
                    }
                }),
                (Short::UsedUp, _) | (Short::Lease { .. }, None) => Ok(false),
            };
            let (retry_after_secs, reason) = match leased {
                Ok(true) => continue,
                Ok(false) => {
                    let secs = self.budget().ends_in_secs(now);
                    (secs, "the tokens of the day are used up".to_owned())
                }
                Err(error) => (UNCOUNTED_SECS, format!("the tokens of the day cannot be counted: {error}")),
            };
            return Err(ChatError::Throttled { retry_after_secs, reason });
        }
        Err(ChatError::Refused("the request is larger than any model's limit".to_owned()))
    }

    /// One HTTP exchange.
    async fn exchange(&self, call: &Call) -> Result<Completion, Fault> {
        let sent = self.client.post(self.url.clone()).body(call.body.clone()).send().await;
        let mut response = sent.map_err(|error| Fault::Lost(with_sources(&error.without_url())))?;
        let status = response.status();
        let retry_after = backoff::retry_after(response.headers(), (self.host.now)());
        let mut reply = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // What an error says beyond its status is not worth waiting for.
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(Fault::Lost(with_sources(&error.without_url()))),
            };
            if reply.len() + chunk.len() > REPLY_BYTES_MAX {
                if !status.is_success() {
                    break;
                }
                let reason = format!("the reply is larger than {REPLY_BYTES_MAX} bytes");
                return Err(Fault::Unusable { tokens: None, reason });
            }
            reply.extend_from_slice(&chunk);
        }
        if status != StatusCode::OK {
            let code = self.error_code(&reply);
            return Err(Fault::Status { status, code, retry_after });
        }
        let reply = Reply::from_json(&reply).map_err(|reason| Fault::Unusable { tokens: None, reason })?;
        let tokens = reply.tokens();
        let (text, is_cut) =
            reply.into_text(call.may_be_cut).map_err(|reason| Fault::Unusable { tokens, reason })?;
        Ok(Completion { text, tokens: tokens.unwrap_or(call.tokens_max), is_cut })
    }

    /// The code of an error, if it is one word and not the key.
    fn error_code(&self, reply: &[u8]) -> Option<String> {
        let ErrorReply { error } = serde_json::from_slice(reply).ok()?;
        let is_word = |code: &String| {
            !code.is_empty()
                && code.len() <= CODE_BYTES_MAX
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        };
        let holds_key = |code: &String| self.endpoint.api_key.as_ref().is_some_and(|key| key.is_in(code));
        let code = error.code.as_ref().and_then(Value::as_str).map(str::to_owned);
        code.or(error.r#type).filter(|code| is_word(code) && !holds_key(code))
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// Whether another try may end otherwise.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unusable { .. } => false,
            Self::Lost(_) => true,
            Self::Status { status, .. } => {
                matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
                    || status.is_server_error()
            }
        }
    }

    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unusable { .. } | Self::Lost(_) => None,
            Self::Status { retry_after, .. } => *retry_after,
        }
    }

    fn into_error(self) -> ChatError {
        let is_passing = self.is_passing();
        match self {
            Self::Unusable { reason, .. } => ChatError::Invalid(reason),
            Self::Lost(reason) => ChatError::Unavailable(reason),
            Self::Status { status, code, retry_after } => {
                let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
                let reason = format!("the endpoint answered {}{code}", status.as_u16());
                if status == StatusCode::TOO_MANY_REQUESTS {
                    let retry_after_secs = retry_after.map_or(THROTTLED_SECS, |wait| wait.as_secs().max(1));
                    return ChatError::Throttled { retry_after_secs, reason };
                }
                if is_passing { ChatError::Unavailable(reason) } else { ChatError::Refused(reason) }
            }
        }
    }
}

impl From<Busy> for ChatError {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::InFlight => Self::Throttled {
                retry_after_secs: 1,
                reason: "as many calls as allowed are under way".to_owned(),
            },
            Busy::Paced(wait) => Self::Throttled {
                retry_after_secs: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
                reason: "the calls of the minute are used up, or the endpoint asked for a pause".to_owned(),
            },
        }
    }
}

/// An error with what caused it, which reqwest's own words leave out.
fn with_sources(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

//! Where a model answers, and within which limits it is asked.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::backoff::RETRY_WAIT_MAX;
use crate::gate::QUEUED_WITHIN;

/// Longest name of a model in characters.
const MODEL_CHARS_MAX: usize = 200;
/// Most tries of one call.
const TRIES_MAX: u32 = 10;
/// Most calls in flight at once.
const IN_FLIGHT_MAX: usize = 1_024;
/// Longest time for one try.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

/// An OpenAI-compatible endpoint and the limits under which it is asked. [`Endpoint::new`] has the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The URL before `/chat/completions`, such as `https://api.openai.com/v1`: https, or http to this machine.
    pub base_url: String,
    /// Whether http to another machine is allowed too, such as a model server in the same private network. The key
    /// and the pictures then travel unencrypted.
    pub plain_http: bool,
    /// Sent as a bearer token; none for servers that ask for no key.
    pub api_key: Option<ApiKey>,
    /// The model asked for where a request names none; at most 200 characters.
    pub model: String,
    /// One try takes at most this long, from connecting to the last byte; 20 s unless set, as the original's judge,
    /// and an hour at most.
    pub timeout: Duration,
    /// Most tokens of an answer where a request does not say; 1,024 unless set, as the original's judge.
    pub max_tokens: u32,
    /// The sampling temperature where a request does not say, 0 to 2; 0.1 unless set, as the original's judge.
    pub temperature: f32,
    /// Most calls at once, 1 to 1,024; 12 unless set, the sequences at once of the original's model server.
    pub max_in_flight: usize,
    /// Most tries per minute, evenly spaced; without limit unless set.
    pub calls_per_minute: Option<u32>,
    /// Most tokens per day in UTC, in this process and since its start; without limit unless set. For a limit that
    /// processes share, see [`SharedTokens`](crate::SharedTokens).
    pub tokens_per_day: Option<u64>,
    /// How often a call is tried, 1 to 10; 3 unless set.
    pub tries: u32,
}

/// The key of an endpoint, which neither logs nor errors show.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// What is wrong with an [`Endpoint`]. No message repeats the key or the URL, which may hold one by mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("the base URL is no URL: {0}")]
    NotAUrl(String),
    /// The key would travel unencrypted.
    #[error(
        "the base URL must be https; http is for this machine, or where plain http is allowed explicitly"
    )]
    NotEncrypted,
    /// A user or password in the URL would end up in logs.
    #[error("the base URL must not hold a user or a password: give a key as the API key")]
    HasUser,
    /// The path of the API is appended to the URL.
    #[error("the base URL must not hold a query or a fragment: give a key as the API key")]
    HasQuery,
    /// The key cannot be sent.
    #[error("the API key must be visible ASCII characters")]
    ApiKey,
    /// A figure outside its range.
    #[error("{name} must be {range}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The client could not be set up.
    #[error("cannot set up an HTTP client: {0}")]
    Client(String),
}

impl ApiKey {
    /// A key as its provider gave it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The header that carries it, marked so that nothing prints it.
    pub(crate) fn header(&self) -> Result<HeaderValue, EndpointError> {
        let is_visible = !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        let header = HeaderValue::try_from(format!("Bearer {}", self.0));
        match header {
            Ok(mut header) if is_visible => {
                header.set_sensitive(true);
                Ok(header)
            }
            Ok(_) | Err(_) => Err(EndpointError::ApiKey),
        }
    }

    /// Whether a text repeats the key.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

impl Endpoint {
    /// An endpoint that asks for no key, with the defaults.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            plain_http: false,
            api_key: None,
            model: model.into(),
            timeout: Duration::from_secs(20),
            max_tokens: 1_024,
            temperature: 0.1,
            max_in_flight: 12,
            calls_per_minute: None,
            tokens_per_day: None,
            tries: 3,
        }
    }

    /// A call answers or fails within this, all tries and waits included: what a queue has to hide its message for.
    pub fn answers_within(&self) -> Duration {
        (self.timeout + 2 * QUEUED_WITHIN + RETRY_WAIT_MAX) * self.tries
    }

    /// Where completions are asked for.
    pub(crate) fn completions_url(&self) -> Result<Url, EndpointError> {
        let base = self.base_url.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/chat/completions"))
            .map_err(|error| EndpointError::NotAUrl(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::HasUser);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::HasQuery);
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.plain_http || is_loopback(&url) => Ok(url),
            _ => Err(EndpointError::NotEncrypted),
        }
    }

    /// Checks what the URL and the key do not tell.
    pub(crate) fn check_figures(&self) -> Result<(), EndpointError> {
        let is_name = !self.model.trim().is_empty() && !self.model.chars().any(char::is_control);
        let checks = [
            (
                "the model",
                "a name of at most 200 characters",
                is_name && self.model.chars().count() <= MODEL_CHARS_MAX,
            ),
            (
                "the timeout",
                "above 0 and at most an hour",
                !self.timeout.is_zero() && self.timeout <= TIMEOUT_MAX,
            ),
            ("the maximum of tokens", "at least 1", self.max_tokens >= 1),
            ("the temperature", "0 to 2", (0.0..=2.0).contains(&self.temperature)),
            ("the calls in flight", "1 to 1,024", (1..=IN_FLIGHT_MAX).contains(&self.max_in_flight)),
            ("the calls per minute", "at least 1", self.calls_per_minute != Some(0)),
            (
                "the tokens per day",
                "at least the maximum of tokens of one answer",
                self.tokens_per_day.is_none_or(|tokens| tokens >= u64::from(self.max_tokens)),
            ),
            ("the tries", "1 to 10", (1..=TRIES_MAX).contains(&self.tries)),
        ];
        match checks.into_iter().find(|(_, _, holds)| !holds) {
            Some((name, range, _)) => Err(EndpointError::OutOfRange { name, range }),
            None => Ok(()),
        }
    }
}

/// Whether a URL leads to this machine, by its name or address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base_url: &str) -> Result<String, EndpointError> {
        Endpoint::new(base_url, "m").completions_url().map(String::from)
    }

    #[test]
    fn the_path_is_appended_with_one_slash() {
        let expected = Ok("https://api.example/v1/chat/completions".to_owned());
        assert_eq!(url("https://api.example/v1"), expected);
        assert_eq!(url("https://api.example/v1/"), expected);
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_allowed() {
        for loopback in ["http://127.0.0.1:8095/v1", "http://localhost/v1", "http://[::1]:1/v1"] {
            assert!(url(loopback).is_ok(), "{loopback}");
        }
        for elsewhere in
            ["http://judge.internal/v1", "http://10.0.0.1/v1", "http://localhost.evil/v1", "ftp://127.0.0.1"]
        {
            assert_eq!(url(elsewhere), Err(EndpointError::NotEncrypted), "{elsewhere}");
        }
        let allowed = Endpoint { plain_http: true, ..Endpoint::new("http://10.0.0.1:8095/v1", "m") };
        assert!(allowed.completions_url().is_ok());
        let no_http_at_all = Endpoint { plain_http: true, ..Endpoint::new("ftp://10.0.0.1/v1", "m") };
        assert_eq!(no_http_at_all.completions_url(), Err(EndpointError::NotEncrypted));
    }

    #[test]
    fn a_url_with_more_than_an_address_is_refused_without_repeating_it() {
        assert_eq!(url("https://user@api.example/v1"), Err(EndpointError::HasUser));
        assert_eq!(url("https://:hidden@api.example/v1"), Err(EndpointError::HasUser));
        assert_eq!(url("https://api.example/v1?key=hidden"), Err(EndpointError::HasQuery));
        assert_eq!(url("https://api.example/v1#hidden"), Err(EndpointError::HasQuery));
        let error = url("https//hidden").expect_err("it is no URL");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let endpoint =
            Endpoint { api_key: Some(ApiKey::new("hidden")), ..Endpoint::new("https://api.example", "m") };
        assert!(!format!("{endpoint:?}").contains("hidden"));
        let header = ApiKey::new("hidden").header().expect("it is a key");
        assert!(header.is_sensitive());
        for key in ["", "with space", "line\nbreak", "schlüssel"] {
            assert_eq!(ApiKey::new(key).header(), Err(EndpointError::ApiKey), "{key:?}");
        }
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        type Change = fn(&mut Endpoint);
        let changes: [(&str, Change); 12] = [
            ("the model", |endpoint| endpoint.model = " ".to_owned()),
            ("the model", |endpoint| endpoint.model = "a\nb".to_owned()),
            ("the model", |endpoint| endpoint.model = "m".repeat(201)),
            ("the timeout", |endpoint| endpoint.timeout = Duration::ZERO),
            ("the timeout", |endpoint| endpoint.timeout = Duration::from_secs(3_601)),
            ("the maximum of tokens", |endpoint| endpoint.max_tokens = 0),
            ("the temperature", |endpoint| endpoint.temperature = f32::NAN),
            ("the temperature", |endpoint| endpoint.temperature = 2.1),
            ("the calls in flight", |endpoint| endpoint.max_in_flight = 0),
            ("the calls per minute", |endpoint| endpoint.calls_per_minute = Some(0)),
            ("the tokens per day", |endpoint| endpoint.tokens_per_day = Some(1_023)),
            ("the tries", |endpoint| endpoint.tries = 0),
        ];
        let defaults = Endpoint::new("https://api.example", "m");
        assert_eq!(defaults.check_figures(), Ok(()));
        for (expected, change) in changes {
            let mut endpoint = defaults.clone();
            change(&mut endpoint);
            let Err(EndpointError::OutOfRange { name, .. }) = endpoint.check_figures() else {
                panic!("{expected} was taken: {endpoint:?}");
            };
            assert_eq!(name, expected);
        }
    }
}

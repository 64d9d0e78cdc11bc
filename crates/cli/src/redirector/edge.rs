//! Where requests are sent on to.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderValue, StatusCode, Uri};
use thiserror::Error;

/// Longest `Location`, in bytes: aiohttp, which the miners' SDK uses, takes 8,190 bytes of a header line by default.
const LOCATION_BYTES_MAX: usize = 8_190;

/// The URL of an edge: scheme, host, perhaps a port and a path, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge(String);

/// Why a text is not the URL of an edge.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum EdgeError {
    /// It is not a URL at all.
    #[error("not a URL")]
    Malformed,
    /// It is one of another kind, or has no scheme.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It names a user, a query or a fragment, which would not survive.
    #[error("may have a host, a port and a path, nothing else")]
    Surplus,
}

/// Why a request cannot be sent on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Unredirectable {
    /// Its target has no path from the root: `CONNECT host:port`, `OPTIONS *`.
    #[error("the request's target must be a path")]
    NoPath,
    /// Its target has bytes that no URL may have.
    #[error("the request's path has characters that must be percent-encoded")]
    Unencoded,
    /// The client would not read the `Location`.
    #[error("the request's path is too long")]
    TooLong,
}

impl Unredirectable {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoPath | Self::Unencoded => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::URI_TOO_LONG,
        }
    }
}

impl Edge {
    /// Where a request goes. Whatever its target says, the `Location` is this edge, a slash, and the rest: a host in an
    /// absolute target is left out, and after the slash nothing can be taken for a host any more.
    pub(super) fn location(&self, target: &Uri) -> Result<HeaderValue, Unredirectable> {
        let path = target.path_and_query().map_or("", |path| path.as_str());
        if !path.starts_with('/') {
            return Err(Unredirectable::NoPath);
        }
        if self.0.len() + path.len() > LOCATION_BYTES_MAX {
            return Err(Unredirectable::TooLong);
        }
        let location = format!("{}{path}", self.0);
        HeaderValue::from_str(&location).map_err(|_| Unredirectable::Unencoded)
    }
}

impl FromStr for Edge {
    type Err = EdgeError;

    fn from_str(text: &str) -> Result<Self, EdgeError> {
        // Parsing would drop a fragment without a word.
        if text.contains(['#', '?', '@', '\\']) {
            return Err(EdgeError::Surplus);
        }
        let url: Uri = text.parse().map_err(|_| EdgeError::Malformed)?;
        let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(EdgeError::Scheme);
        };
        if authority.host().is_empty() || !text.is_ascii() {
            return Err(EdgeError::Malformed);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_absolute_urls() {
        let check = |text: &str, expected: Result<&str, EdgeError>| {
            assert_eq!(text.parse::<Edge>().map(|edge| edge.0), expected.map(str::to_owned), "{text}");
        };
        check("https://edge.example.org", Ok("https://edge.example.org"));
        check("https://edge.example.org/", Ok("https://edge.example.org"));
        check("https://edge.example.org:8443/sn17/", Ok("https://edge.example.org:8443/sn17"));
        check("http://127.0.0.1:8787", Ok("http://127.0.0.1:8787"));
        check("http://[::1]:8787", Ok("http://[::1]:8787"));
        check("edge.example.org", Err(EdgeError::Scheme));
        check("/sn17", Err(EdgeError::Scheme));
        check("//edge.example.org", Err(EdgeError::Scheme));
        check("ftp://edge.example.org", Err(EdgeError::Scheme));
        check("https://", Err(EdgeError::Malformed));
        check("https:///path", Err(EdgeError::Malformed));
        check("https://edge.example.org\r\nx: y", Err(EdgeError::Malformed));
        check("", Err(EdgeError::Malformed));
        check("https://me@edge.example.org", Err(EdgeError::Surplus));
        check("https://edge.example.org?to=", Err(EdgeError::Surplus));
        check("https://edge.example.org/#", Err(EdgeError::Surplus));
        check("https:\\\\edge.example.org", Err(EdgeError::Surplus));
    }

    /// Targets as hyper hands them over, which parses them the same way.
    #[test]
    fn locations_stay_on_the_edge() {
        let edge: Edge = "https://edge.example.org/sn17".parse().unwrap();
        let check = |target: &str, path: &str| {
            let location = edge.location(&target.parse().unwrap()).unwrap();
            assert_eq!(location, format!("https://edge.example.org/sn17{path}"), "{target}");
        };
        check("/PullTask", "/PullTask");
        check("/get_status?id=1&x=%0d%0a", "/get_status?id=1&x=%0d%0a");
        check("/", "/");
        check("//evil.example", "//evil.example");
        check("/@evil.example", "/@evil.example");
        check("/%0d%0aLocation:%20http://evil.example", "/%0d%0aLocation:%20http://evil.example");
        check("http://evil.example/PullTask", "/PullTask");
        check("http://user@evil.example", "/");
        check("https://evil.example//other.example?x", "//other.example?x");
        check("/a#b", "/a");
    }

    #[test]
    fn what_has_no_path_goes_nowhere() {
        let edge: Edge = "https://edge.example.org".parse().unwrap();
        for target in ["*", "evil.example:80"] {
            assert_eq!(edge.location(&target.parse().unwrap()), Err(Unredirectable::NoPath), "{target}");
        }
        let longest = "a".repeat(LOCATION_BYTES_MAX - "https://edge.example.org/".len());
        assert!(edge.location(&format!("/{longest}").parse().unwrap()).is_ok(), "the longest path");
        assert_eq!(edge.location(&format!("/{longest}a").parse().unwrap()), Err(Unredirectable::TooLong));
    }
}

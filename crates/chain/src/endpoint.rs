//! Where a node answers, or another server whose word counts as much.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The URL of such a server: `https://…`, or `http://…` on this machine's own loopback.
///
/// It may carry a provider's key in its path, its query or its user, so it is never printed whole: not by `Display`,
/// not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is not a URL with a host.
    #[error("it is not a URL with a host")]
    NotUrl,
    /// The scheme is neither `https` nor, on the loopback, `http`; a web socket's URL is one of these.
    #[error("it must begin with https://, or with http:// on the loopback")]
    Scheme,
}

impl Endpoint {
    /// The whole URL, for whoever connects.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NotUrl)?;
        let is_loopback = match url.host().ok_or(EndpointError::NotUrl)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback => Ok(Self(url)),
            _ => Err(EndpointError::Scheme),
        }
    }
}

impl fmt::Display for Endpoint {
    /// Scheme, host and port.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_encrypted_or_a_local_connection_is_one() {
        let read = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        assert_eq!(
            read("https://entrypoint-finney.opentensor.ai").unwrap(),
            "https://entrypoint-finney.opentensor.ai"
        );
        assert_eq!(read("https://10.0.0.1:9944/").unwrap(), "https://10.0.0.1:9944");
        for local in
            ["http://127.0.0.1:9944", "http://127.9.9.9:9944", "http://[::1]:9944", "http://localhost:9944"]
        {
            assert_eq!(read(local).unwrap(), local);
        }
        for open in [
            "http://10.0.0.1:9944",
            "http://localhost.example:1",
            "wss://entrypoint-finney.opentensor.ai",
            "ftp://x",
        ] {
            assert_eq!(read(open), Err(EndpointError::Scheme), "{open}");
        }
        for none in ["", "entrypoint-finney.opentensor.ai", "https://", "data:text/plain,x"] {
            assert_eq!(read(none), Err(EndpointError::NotUrl), "{none}");
        }
    }

    #[test]
    fn a_key_in_it_is_never_printed() {
        let endpoint: Endpoint = "https://user:key@node.example/v3/key?token=key".parse().unwrap();
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://node.example Endpoint(https://node.example)");
        assert_eq!(endpoint.url(), "https://user:key@node.example/v3/key?token=key");
    }
}

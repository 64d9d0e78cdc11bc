//! Requests to URLs that somebody else wrote down: to the public internet and nowhere else.
//!
//! A URL must not lead into the network of whoever runs this, where machines trust each other and clouds hand out
//! credentials. Addresses are looked at after names are resolved, at each redirect again, and the connection goes to
//! the very address that was looked at, so that a name that changes its mind meanwhile gains nothing.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

/// Redirects of one request.
const REDIRECTS_MAX: usize = 5;
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// Everything between the first byte sent and the last one received.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// IPv4 networks that are not the public internet, by first address and length of the prefix: the special-purpose
/// addresses of RFC 6890 as IANA lists them, multicast and what is reserved. Link-local addresses (169.254.0.0/16) are where
/// most clouds answer instances about themselves.
const PRIVATE_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's platform, which is public by its number alone.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Where IPv6 has its public addresses (RFC 4291, section 2.4, as far as IANA has given any away).
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// What of them is not public: Teredo and other protocols', documentation twice, and 6to4, which carries IPv4
/// addresses of any kind.
const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
/// IPv4 addresses behind a translator (RFC 6052): their last 32 bits.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Why a URL brought nothing. No message repeats the URL, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboundError {
    /// Not a URL with a host.
    #[error("it is no URL")]
    NotAUrl,
    /// What it leads to could be read and changed on the way.
    #[error("it must be https, as every redirect from it")]
    NotEncrypted,
    /// A user or a password.
    #[error("it must not hold a user or a password")]
    HasUser,
    /// It leads into a private network.
    #[error("it leads to {0}, which is not on the public internet")]
    NotPublic(IpAddr),
    /// It leads from one place to the next without an end.
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    Redirects,
    /// The server has nothing of the kind.
    #[error("it is answered with status {0}")]
    Status(u16),
    /// More than the caller has room for.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// Nothing came.
    #[error("it cannot be fetched: {0}")]
    Failed(String),
}

/// A client for the public internet.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    client: Client,
    reach: Reach,
}

/// How far requests may go.
#[derive(Clone, Copy, Debug)]
struct Reach {
    schemes: &'static [&'static str],
    may_connect: fn(IpAddr) -> bool,
}

impl Outbound {
    /// A client that asks the system for addresses.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::reaching(Reach { schemes: &["https"], may_connect: is_public }, Arc::new(SystemNames))
    }

    fn reaching(reach: Reach, names: Arc<dyn Resolve>) -> anyhow::Result<Self> {
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS_MAX {
                return attempt.error(OutboundError::Redirects);
            }
            match reach.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        });
        let client = Client::builder()
            .user_agent(concat!("sn17/", env!("CARGO_PKG_VERSION")))
            // A proxy would resolve names on its own, and reach what it can.
            .no_proxy()
            .referer(false)
            .redirect(redirects)
            .dns_resolver(Arc::new(CheckedNames { names, reach }))
            .connect_timeout(CONNECTED_WITHIN)
            .timeout(ANSWERED_WITHIN)
            .build()?;
        Ok(Self { client, reach })
    }

    /// What a URL leads to, of at most so many bytes: no more of it is read.
    pub(crate) async fn get(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::NotAUrl)?;
        self.reach.check(&url)?;
        let mut response = self.client.get(url).send().await.map_err(|error| cause(&error))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(OutboundError::Status(response.status().as_u16()));
        }
        let too_large = OutboundError::TooLarge(bytes_max);
        if response.content_length().is_some_and(|bytes| bytes > bytes_max as u64) {
            return Err(too_large);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
            if body.len() + chunk.len() > bytes_max {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Reach {
    /// Looks at what a URL itself says; a name's addresses come later.
    fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().ok_or(OutboundError::NotAUrl)?;
        if !self.schemes.contains(&url.scheme()) {
            return Err(OutboundError::NotEncrypted);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::HasUser);
        }
        // Addresses in other notations, such as 0x7f.1, have become usual ones when the URL was read.
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(ip) if !(self.may_connect)(ip) => Err(OutboundError::NotPublic(ip)),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Asks the system, and refuses what is not to be reached: a name with a single private address is after something.
struct CheckedNames {
    names: Arc<dyn Resolve>,
    reach: Reach,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (looked_up, reach) = (self.names.resolve(name), self.reach);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = looked_up.await?.collect();
            match addresses.iter().find(|address| !(reach.may_connect)(address.ip())) {
                Some(private) => Err(OutboundError::NotPublic(private.ip()).into()),
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// The system's resolver.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port of the URL takes the place of this one.
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    let ip = match ip.to_canonical() {
        IpAddr::V4(ip) => return is_public_v4(ip),
        IpAddr::V6(ip) => ip,
    };
    let within =
        |(network, length): (Ipv6Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (128 - length) == 0;
    if within(TRANSLATED) {
        let [.., high, low] = ip.segments();
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    within(PUBLIC_V6) && !PRIVATE_V6.into_iter().any(within)
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !PRIVATE_V4.into_iter().any(|(network, length)| (ip.to_bits() ^ network.to_bits()) >> (32 - length) == 0)
}

/// Our own refusal if there is one among the causes, else the last cause.
fn cause(error: &reqwest::Error) -> OutboundError {
    let mut last: &dyn Error = error;
    while let Some(source) = last.source() {
        if let Some(refused) = source.downcast_ref::<OutboundError>() {
            return refused.clone();
        }
        last = source;
    }
    let words = if error.is_timeout() { "it takes too long".to_owned() } else { last.to_string() };
    OutboundError::Failed(words)
}

#[cfg(test)]
pub(crate) mod tests;

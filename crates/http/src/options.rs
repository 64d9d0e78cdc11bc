//! What a host can set about the HTTP surface.

use subtle::ConstantTimeEq as _;

use crate::{Blocking, Observer};

/// Memory in bytes of results being turned into PLY and of pictures being read at an edge, all together and each: thrice
/// the 8 MiB of 1024² pixels of four 16-bit channels, and a little.
const EDGE_CONVERSION_BYTES: usize = 28 << 20;

/// Settings of the HTTP surface.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Which routes are served.
    pub routes: Routes,
    /// What the header `x-admin-key` must say; none for no admin routes at all.
    pub admin_key: Option<AdminKey>,
    /// Memory in bytes of all small bodies of miners and operators at once: whoever may send one without being known
    /// can hold no more than it. Beyond it a request is asked to come back.
    pub body_memory_bytes: usize,
    /// Memory in bytes of all bodies of `add_task`, and of all pictures on their way to miners, at once.
    pub prompt_memory_bytes: usize,
    /// Working memory in bytes of all submissions being received at once. Beyond it a submission is asked to come
    /// back.
    pub submission_memory_bytes: usize,
    /// Working memory in bytes of all results being turned into PLY, and of all pictures being read, at once. One that
    /// needs more is worked on alone.
    pub conversion_memory_bytes: usize,
    /// Most working memory in bytes of a single one of them; what needs more is refused, whoever else is served. None for
    /// no such limit, where there is memory for one of any size.
    pub conversion_bytes_max: Option<usize>,
    /// Limits by sender.
    pub limits: RateLimits,
    /// Where work runs that would keep other requests waiting.
    pub blocking: Blocking,
    /// The largest request that the platform lets through; none where it has no limit of its own.
    pub body_limit: Option<PlatformLimit>,
    /// Results of more bytes are fetched from the store itself, by a redirect, unless the client asks for direct bytes
    /// or the store has no address of its own; none for never. For platforms that bound the size of an answer, or
    /// charge for it.
    pub redirect_above: Option<u64>,
    /// Told of every request. With it, `/metrics` counts none: the host does.
    pub observer: Option<Observer>,
    /// Who says which miners are registered.
    pub roster_from: RosterSource,
}

/// Which routes a host serves; any other path is unknown to it. All have `/`, `/healthz` and `/readyz`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// Every one.
    #[default]
    All,
    /// Those of clients, operators and the public, and `/metrics`.
    Clients,
    /// The miners' synapses.
    Miners,
    /// Every one but those of dead letters, which lie in a queue that only the functions reach.
    Edge,
    /// Those of the prompt collector and of its operators, and `/metrics`.
    Collector,
}

impl Routes {
    /// Whether clients, operators and the public are served.
    pub(crate) const fn has_clients(self) -> bool {
        matches!(self, Self::All | Self::Clients | Self::Edge)
    }

    /// Whether generators hand in prompts here, and validators fetch them.
    pub(crate) const fn has_collector(self) -> bool {
        self.has_clients() || matches!(self, Self::Collector)
    }

    /// Whether miners are served.
    pub(crate) const fn has_miners(self) -> bool {
        matches!(self, Self::All | Self::Miners | Self::Edge)
    }

    /// Whether operators see the dead letters.
    pub(crate) const fn has_dead_letters(self) -> bool {
        matches!(self, Self::All | Self::Clients)
    }
}

/// The largest request that AWS Lambda lets through, the one platform here that has such a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformLimit {
    /// Most bytes of a body. Lambda's quota is 6 MiB for a synchronous invocation, and counts the whole event: headers
    /// too, and a binary body in base64.
    pub bytes_max: u64,
    /// URL of the host that takes larger ones, if there is one.
    pub edge: Option<String>,
}

/// Who says which miners are registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RosterSource {
    /// A file that the host follows: whatever an operator sent would last until the file's next change.
    #[default]
    File,
    /// The chain, which the host follows: the same is true of it.
    Chain,
    /// Operators, with `PUT /admin/metagraph`.
    Operator,
}

impl Default for HttpOptions {
    /// All routes but the admin ones, 64 MiB for small bodies, 256 MiB for prompts, 512 MiB for submissions, 1 GiB for conversions of any size,
    /// the original gateway's rate limits, long work in place, no limit of a platform, no redirects, no observer, the
    /// roster from a file.
    fn default() -> Self {
        Self {
            routes: Routes::All,
            admin_key: None,
            body_memory_bytes: 64 << 20,
            prompt_memory_bytes: 256 << 20,
            submission_memory_bytes: 512 << 20,
            conversion_memory_bytes: 1 << 30,
            conversion_bytes_max: None,
            limits: RateLimits::default(),
            blocking: Blocking::default(),
            body_limit: None,
            redirect_above: None,
            observer: None,
            roster_from: RosterSource::File,
        }
    }
}

impl HttpOptions {
    /// What suits every edge: an isolate or instance of 128 MB (Cloudflare's limit of a Worker's memory), which comes and
    /// goes with the load, behind connections of the platform.
    ///
    /// Six submissions, of which each takes some 9 MB (a part of 5 MiB that fills, and that part on its way to the store),
    /// and the other three budgets stay below 100 MB together.
    pub fn edge(admin_key: Option<AdminKey>, observer: Observer) -> Self {
        Self {
            routes: Routes::Edge,
            admin_key,
            body_memory_bytes: 2 << 20,
            // One picture on its way to a miner needs 10 MiB.
            prompt_memory_bytes: 12 << 20,
            submission_memory_bytes: 24 << 20,
            conversion_memory_bytes: EDGE_CONVERSION_BYTES,
            conversion_bytes_max: Some(EDGE_CONVERSION_BYTES),
            // One process sees a few of the requests, and forgets them: the platform's rate limiting is the place.
            limits: RateLimits::NONE,
            observer: Some(observer),
            roster_from: RosterSource::Operator,
            ..Self::default()
        }
    }
}

/// Requests allowed by sender: by address, an IPv6 one by its first 64 bits, or by hotkey; none for no limit. Counted in
/// this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// `get_status`, with a good key or not.
    pub get_status: Option<RateLimit>,
    /// `add_task` without a good key.
    pub unauthorised_add_task: Option<RateLimit>,
    /// Unknown API keys and wrong admin keys, on all routes together.
    pub wrong_keys: Option<RateLimit>,
    /// Synapses that are not from whom they say, by address.
    pub wrong_signatures: Option<RateLimit>,
    /// Synapses of one hotkey, on all routes together; a miner needs two a minute.
    pub synapses: Option<RateLimit>,
    /// The public routes, all together, by address.
    pub public: Option<RateLimit>,
}

impl Default for RateLimits {
    /// The original gateway's for clients: 600 a minute, 50 an hour, and 50 in ten minutes with a ban of five. For
    /// miners, whom the original does not limit: 60 wrong signatures and 600 synapses a minute. For the public, whom it
    /// does not serve: 600 a minute, as for `get_status`.
    fn default() -> Self {
        Self {
            get_status: Some(RateLimit { requests: 600, window_secs: 60, ban_secs: 0 }),
            unauthorised_add_task: Some(RateLimit { requests: 50, window_secs: 3600, ban_secs: 0 }),
            wrong_keys: Some(RateLimit { requests: 50, window_secs: 600, ban_secs: 300 }),
            wrong_signatures: Some(RateLimit { requests: 60, window_secs: 60, ban_secs: 0 }),
            synapses: Some(RateLimit { requests: 600, window_secs: 60, ban_secs: 0 }),
            public: Some(RateLimit { requests: 600, window_secs: 60, ban_secs: 0 }),
        }
    }
}

impl RateLimits {
    /// No limits.
    pub const NONE: Self = Self {
        get_status: None,
        unauthorised_add_task: None,
        wrong_keys: None,
        wrong_signatures: None,
        synapses: None,
        public: None,
    };
}

/// So many requests in a window that begins with the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed.
    pub requests: u32,
    /// Length of the window in seconds.
    pub window_secs: u64,
    /// Seconds that a request beyond them shuts the door for, at least; 0 for the rest of the window.
    pub ban_secs: u64,
}

/// The secret of the admin routes.
#[derive(Clone)]
pub struct AdminKey(String);

impl AdminKey {
    /// Fewest characters of an admin key.
    pub const CHARS_MIN: usize = 16;

    /// Takes a key of at least [`Self::CHARS_MIN`] characters; none if it is shorter.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.chars().count() >= Self::CHARS_MIN).then_some(Self(text))
    }

    /// Compares in a time that depends on the length alone.
    pub(crate) fn matches(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(offered).into()
    }
}

impl PartialEq for AdminKey {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for AdminKey {}

impl std::fmt::Debug for AdminKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AdminKey(…)")
    }
}

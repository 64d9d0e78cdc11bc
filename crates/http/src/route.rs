//! Every path, and the surface it belongs to.

use crate::options::Routes;
use crate::refusal::Refusal;

pub(crate) const INDEX: &str = "/";
pub(crate) const ADD_TASK: &str = "/add_task";
pub(crate) const GET_STATUS: &str = "/get_status";
pub(crate) const GET_RESULT: &str = "/get_result";
pub(crate) const GET_PREVIEW: &str = "/get_preview";
pub(crate) const PULL_TASK: &str = "/PullTask";
pub(crate) const SUBMIT_RESULTS: &str = "/SubmitResults";
pub(crate) const GET_VERSION: &str = "/GetVersion";
pub(crate) const HEALTHZ: &str = "/healthz";
pub(crate) const READYZ: &str = "/readyz";
pub(crate) const METRICS: &str = "/metrics";
pub(crate) const ADMIN_METAGRAPH: &str = "/admin/metagraph";
pub(crate) const ADMIN_STANDINGS: &str = "/admin/standings";
pub(crate) const ADMIN_KEYS: &str = "/admin/keys";
pub(crate) const ADMIN_KEY: &str = "/admin/keys/{prefix}";
pub(crate) const DEAD_LETTERS: &str = "/admin/dead-letters";
pub(crate) const REDRIVE: &str = "/admin/dead-letters/redrive";
pub(crate) const LEADERBOARD: &str = "/leaderboard";
pub(crate) const HISTORY: &str = "/leaderboard/{hotkey}/history";
pub(crate) const DUELS: &str = "/duels";
pub(crate) const DUEL: &str = "/duels/{nonce}";
pub(crate) const DUEL_PICTURE: &str = "/duels/{nonce}/{picture}";
pub(crate) const SUBMIT_PROMPTS: &str = "/submit";
pub(crate) const GET_PROMPTS: &str = "/get";
/// Where the original's newer validators ask, by the slash.
pub(crate) const GET_TEXT_PROMPTS: &str = "/text-prompts/get/";

/// Characters of an unknown synapse's name that are repeated.
const NAME_CHARS_MAX: usize = 64;

/// Who a route is for, which decides what its errors look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Clients: plain text.
    Client,
    /// Miners: JSON with a `message`, and bittensor's status headers.
    Miner,
    /// Operators: JSON with a `message`.
    Operator,
    /// Anybody who looks on, generators of prompts and their readers: JSON with a `message`.
    Public,
}

impl Surface {
    /// Whether pages of any origin may use it: it knows callers by key if at all, never by cookie.
    pub(crate) const fn is_for_pages(self) -> bool {
        match self {
            Self::Client | Self::Public => true,
            Self::Miner | Self::Operator => false,
        }
    }
}

/// A known path, or where an unknown one belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// How metrics and logs call it: the path's pattern, which nobody outside can choose.
    pub(crate) label: &'static str,
    /// Whose it is.
    pub(crate) surface: Surface,
}

impl Route {
    /// The route of a path.
    pub(crate) fn of(path: &str) -> Self {
        const CLIENT: [&str; 4] = [ADD_TASK, GET_STATUS, GET_RESULT, GET_PREVIEW];
        const MINER: [&str; 3] = [PULL_TASK, SUBMIT_RESULTS, GET_VERSION];
        const COLLECTOR: [&str; 3] = [SUBMIT_PROMPTS, GET_PROMPTS, GET_TEXT_PROMPTS];
        const PROBE: [&str; 4] = [INDEX, HEALTHZ, READYZ, METRICS];
        let known = |paths: &[&'static str]| paths.iter().copied().find(|known| *known == path);
        if let Some(label) = known(&CLIENT) {
            return Self { label, surface: Surface::Client };
        }
        if let Some(label) = known(&MINER) {
            return Self { label, surface: Surface::Miner };
        }
        if let Some(label) = known(&PROBE) {
            return Self { label, surface: Surface::Client };
        }
        if path == ADMIN_METAGRAPH {
            return Self { label: ADMIN_METAGRAPH, surface: Surface::Operator };
        }
        if path == ADMIN_STANDINGS {
            return Self { label: ADMIN_STANDINGS, surface: Surface::Operator };
        }
        if path.starts_with(ADMIN_KEYS) {
            return Self { label: ADMIN_KEYS, surface: Surface::Operator };
        }
        if path.starts_with(DEAD_LETTERS) {
            return Self { label: DEAD_LETTERS, surface: Surface::Operator };
        }
        if let Some(label) = known(&COLLECTOR) {
            return Self { label, surface: Surface::Public };
        }
        if let Some(label) = public(path) {
            return Self { label, surface: Surface::Public };
        }
        let surface = if is_synapse(path) { Surface::Miner } else { Surface::Client };
        Self { label: "unknown", surface }
    }
}

/// The pattern of a public path, or of one that begins like it.
fn public(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/').skip(1);
    match (parts.next()?, parts.next(), parts.next()) {
        ("leaderboard", None, None) => Some(LEADERBOARD),
        ("leaderboard", Some(_), _) => Some(HISTORY),
        ("duels", None, None) => Some(DUELS),
        ("duels", Some(_), None) => Some(DUEL),
        ("duels", Some(_), Some(_)) => Some(DUEL_PICTURE),
        _ => None,
    }
}

/// The refusal of a path that is not there, or not on a host of these routes.
pub(crate) fn unknown(path: &str, routes: Routes) -> Refusal {
    if routes == Routes::Edge && path.starts_with(DEAD_LETTERS) {
        let message = "this host reaches no queue: the gateway function has the dead letters";
        return Refusal::not_found("unknown_path", message);
    }
    if !is_synapse(path) || path[1..].contains('/') {
        return Refusal::not_found("unknown_path", "Not found");
    }
    let name: String = path[1..].chars().take(NAME_CHARS_MAX).collect();
    let available = if routes.has_miners() { "'PullTask', 'SubmitResults', 'GetVersion'" } else { "" };
    let message = format!("Synapse name '{name}' not found. Available synapses [{available}]");
    Refusal::not_found("unknown_path", message)
}

/// Synapses have names in camel case; nothing else here begins with a capital.
fn is_synapse(path: &str) -> bool {
    path.as_bytes().get(1).is_some_and(u8::is_ascii_uppercase)
}

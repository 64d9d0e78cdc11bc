//! The HTTP surface as one axum router, the same on every host.
//!
//! Each concern has one place: `route` knows every path and the surface it belongs to, `hygiene` what is done to
//! every request and answer, `refusal` how each surface words an error, and a handler calls one use case.
//!
//! A host adds the extension [`RemoteIp`] to each request, and time-outs for slow clients ([`Arriving`] where the
//! platform has none for bodies); nothing here has a timer of its own.

mod admin;
mod arriving;
mod blocking;
mod body;
mod budget;
mod client;
mod collector;
mod hygiene;
mod judge_metrics;
mod limiter;
mod linger;
mod metagraph;
mod metrics;
mod miner;
mod observer;
mod ops;
mod options;
mod public;
mod refusal;
mod route;
mod standings;
mod store_link;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use sn17_app::App;
use sn17_core::Hotkey;

pub use arriving::Arriving;
pub use blocking::Blocking;
pub use observer::{Observer, Refused, Served};
pub use options::{AdminKey, HttpOptions, PlatformLimit, RateLimit, RateLimits, RosterSource, Routes};

use budget::MemoryBudget;
use limiter::Limiter;
use metrics::Metrics;
use refusal::Refusal;

/// Request extension that the host sets: the address of whoever sent the request, none where it is not known. Per-IP
/// limits do not touch a request without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteIp(pub Option<IpAddr>);

/// What all handlers share.
#[derive(Debug)]
struct Server {
    app: Arc<App>,
    options: HttpOptions,
    /// Requests by address.
    addresses: Limiter<IpAddr>,
    /// Requests by miner.
    miners: Limiter<Hotkey>,
    metrics: Metrics,
    /// Memory of the small bodies of miners and operators.
    bodies: Arc<MemoryBudget>,
    /// Memory of the bodies of `add_task`.
    prompts: Arc<MemoryBudget>,
    /// Working memory of submissions being received.
    uploads: Arc<MemoryBudget>,
    /// Working memory of results being turned into PLY.
    conversions: Arc<MemoryBudget>,
}

/// The routes of clients, miners, operators and the public over `app`, as far as the options have them.
pub fn router(app: Arc<App>, options: HttpOptions) -> Router {
    let server = Arc::new(Server {
        metrics: Metrics::new(options.observer.is_none(), Arc::clone(&app)),
        app,
        addresses: Limiter::default(),
        miners: Limiter::default(),
        bodies: MemoryBudget::new(options.body_memory_bytes),
        prompts: MemoryBudget::new(options.prompt_memory_bytes),
        uploads: MemoryBudget::new(options.submission_memory_bytes),
        conversions: MemoryBudget::new(options.conversion_memory_bytes),
        options,
    });
    let mut router = Router::new()
        .route(route::INDEX, get(ops::index))
        .route(route::HEALTHZ, get(ops::healthz))
        .route(route::READYZ, get(ops::readyz));
    if server.options.routes.has_clients() {
        router = router
            .route(route::ADD_TASK, post(client::add_task))
            .route(route::GET_STATUS, get(client::get_status))
            .route(route::GET_RESULT, get(client::get_result))
            .route(route::GET_PREVIEW, get(client::get_preview))
            .route(route::LEADERBOARD, get(public::leaderboard))
            .route(route::HISTORY, get(public::history))
            .route(route::DUELS, get(public::duels))
            .route(route::DUEL, get(public::duel))
            .route(route::DUEL_PICTURE, get(public::duel_picture));
    }
    if server.options.routes.has_collector() {
        router = router
            .route(route::METRICS, get(ops::metrics))
            .route(route::SUBMIT_PROMPTS, post(collector::submit))
            .route(route::GET_PROMPTS, get(collector::get).post(collector::get))
            .route(route::GET_TEXT_PROMPTS, post(collector::get));
    }
    if server.options.routes.has_miners() {
        router = router
            .route(route::PULL_TASK, post(miner::pull_task))
            .route(route::SUBMIT_RESULTS, post(miner::submit_results))
            .route(route::GET_VERSION, post(miner::get_version));
    }
    if server.options.routes.has_clients() && server.options.admin_key.is_some() {
        router = router.route(route::ADMIN_STANDINGS, get(standings::get).put(standings::put));
    }
    if server.options.routes.has_collector() && server.options.admin_key.is_some() {
        router = router
            .route(route::ADMIN_METAGRAPH, get(metagraph::get).put(metagraph::put))
            .route(route::ADMIN_KEYS, get(admin::list).post(admin::add))
            .route(route::ADMIN_KEY, delete(admin::revoke));
    }
    if server.options.routes.has_dead_letters() && server.options.admin_key.is_some() {
        router = router
            .route(route::DEAD_LETTERS, get(admin::dead_letters))
            .route(route::REDRIVE, post(admin::redrive));
    }
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&server), hygiene::attend))
        .with_state(server)
}

async fn unknown_path(State(server): State<Arc<Server>>, request: Request) -> Refusal {
    route::unknown(request.uri().path(), server.options.routes)
}

async fn unknown_method() -> Refusal {
    Refusal::method_not_allowed()
}

/// Where a request came from, if the host knows.
fn remote_ip(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<RemoteIp>().and_then(|remote| remote.0)
}

/// What limits by address count: whom a request came from, if the host knows.
fn remote_network(extensions: &Extensions) -> Option<IpAddr> {
    remote_ip(extensions).map(network)
}

/// What one user has of the address space: of IPv6 it is 2^64 addresses at least.
fn network(ip: IpAddr) -> IpAddr {
    const IPV6_PREFIX: u128 = !0 << 64;
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & IPV6_PREFIX)),
    }
}

//! The baseline of the edges' measurements: the same router over the same adapters, table and bucket, in a native
//! process of its own.

use anyhow::Context as _;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder;
use sn17_aws::edge::{Edge, Platform};
use sn17_aws::native;
use sn17_http::{AdminKey, HttpOptions, Observer};
use tokio::net::TcpListener;

use crate::own_process::OwnProcess;

/// Starts it with these variables.
pub(crate) fn start(variables: &[(&str, String)]) -> anyhow::Result<OwnProcess> {
    OwnProcess::start(|command| {
        command.arg("--native-edge").envs(variables.iter().map(|(name, value)| (name, value)));
    })
}

/// Serves the routes of an edge until killed, as the environment says, and prints where.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let platform = Platform {
            http: Builder::new().build_http(),
            time: SharedTimeSource::new(SystemTimeSource::new()),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            host: native::host(),
        };
        let edge = Edge::new(platform, |name| std::env::var(name).ok())?;
        let options = HttpOptions::edge(AdminKey::new(edge.admin_key()), Observer::new(|_| ()));
        let router = sn17_http::router(edge.app(), options);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, router).await.context("cannot serve")
    })
}

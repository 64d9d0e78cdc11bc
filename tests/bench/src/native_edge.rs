//! The baseline of the edges' measurements: the same router over the same adapters, table and bucket, in a native
//! process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder;
use sn17_aws::edge::{Edge, Platform};
use sn17_aws::native;
use sn17_http::{AdminKey, HttpOptions, RateLimits, RosterSource, Routes};
use tokio::net::TcpListener;

/// A running process of it.
#[derive(Debug)]
pub(crate) struct NativeEdge {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl NativeEdge {
    /// Starts it with these variables.
    pub(crate) fn start(variables: &[(&str, String)]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .arg("--native-edge")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the native edge")?;
        let stdout = child.stdout.take().context("the native edge has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the native edge says `{line}`"))?;
        Ok(Self { address, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NativeEdge {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        let options = HttpOptions {
            routes: Routes::Edge,
            admin_key: AdminKey::new(edge.admin_key()),
            limits: RateLimits::NONE,
            roster_from: RosterSource::Operator,
            ..HttpOptions::default()
        };
        let router = sn17_http::router(Arc::clone(&edge.app()), options);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, router).await.context("cannot serve")
    })
}

//! Keep-alive connections that ask as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::connection::{Connection, Transport};
use crate::machine;

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(2);

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// Answers in a second of time.
    pub(crate) per_sec: f64,
    /// Answers in a second of the server's CPU time.
    pub(crate) per_cpu_sec: f64,
}

impl Throughput {
    /// As figures: by CPU time first, which other work on the machine disturbs least.
    pub(crate) fn figures(self) -> Vec<f64> {
        vec![self.per_cpu_sec, self.per_sec]
    }
}

/// A runtime for the asking side.
pub(crate) fn runtime() -> anyhow::Result<Arc<Runtime>> {
    Ok(Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?))
}

/// Asks for some seconds, each connection its own request again and again. Handshakes and the first answers do not
/// count.
pub(crate) async fn run(
    transport: &Transport,
    target: Target,
    requests: &[Arc<Vec<u8>>],
) -> anyhow::Result<Throughput> {
    let mut connections = Vec::with_capacity(requests.len());
    for request in requests {
        let mut connection = transport.connect(target.address).await?;
        connection.exchange(request).await?;
        connections.push((connection, Arc::clone(request)));
    }
    let cpu_before = machine::cpu_secs(target.pid)?;
    let start = Instant::now();
    let mut asking = JoinSet::new();
    for (connection, request) in connections {
        asking.spawn(ask(connection, request, start + RUN));
    }
    let mut answers = 0;
    while let Some(count) = asking.join_next().await {
        answers += count??;
    }
    let (answers, secs) = (f64::from(answers), start.elapsed().as_secs_f64());
    let cpu_secs = machine::cpu_secs(target.pid)? - cpu_before;
    Ok(Throughput { per_sec: answers / secs, per_cpu_sec: answers / cpu_secs })
}

async fn ask(mut connection: Connection, request: Arc<Vec<u8>>, until: Instant) -> anyhow::Result<u32> {
    let mut answers = 0;
    while Instant::now() < until {
        connection.exchange(&request).await?;
        answers += 1;
    }
    Ok(answers)
}

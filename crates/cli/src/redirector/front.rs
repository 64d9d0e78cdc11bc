//! Connections whose requests are answered by their headers alone.
//!
//! A miner may send 40 MB while the answer, which is under way at once, already leads elsewhere. Closing such a connection
//! outright would reset it, and the reset may overtake the answer (RFC 9112, section 9.6). Reading it to its end at full
//! speed would be as bad: aiohttp hands the whole body to its transport, which goes on sending in the background (seen with
//! 3.14) and takes half of a slow miner's line from the request that counts. So our half is closed and the rest left where
//! it is for a while, in which the sender's window is shut. Then it is thrown away, within bounds, for clients that read
//! nothing before they have sent everything.
//!
//! A client that hangs up meanwhile gives its place back: Linux tells of its end (FIN) or its reset by `EPOLLRDHUP` even
//! with bytes before it that nobody has read. Only an end that waits at the client, behind bytes for which the window is
//! shut, cannot be seen, and that place is held to the end.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest, sink};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;

use crate::door::Door;

/// Connections at once; more wait in the system's backlog. With 128 KiB in the system (Linux doubles the receive buffer) and
/// 40 KiB here, full ones stay within 350 MiB (IN-1).
const CONNECTIONS_MAX: u32 = 2_048;
/// Open files beside connections.
const OTHER_FILES: u64 = 64;
/// A client must send its request's headers within this, and its next request.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// A client that takes nothing of an answer for so long is dropped.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Room for a request line and its headers; more gets hyper's own 431.
const HEADER_BUFFER_BYTES: usize = 32 << 10;
/// What a connection's receive buffer holds, and with it what a sender gets rid of while nobody reads.
const RECEIVED_BYTES_MAX: u32 = 64 << 10;
/// Pending connections in the system's backlog.
const BACKLOG: u32 = 1_024;
/// How much of a body is thrown away at once: a whole `PullTask`.
const SMALL_BYTES: u64 = 64 << 10;
/// How long the rest of a larger one waits: half of the 30 s that the SDK's own loop gives a submission.
const HELD_FOR: Duration = Duration::from_secs(15);
/// How often a client is looked after that has sent something and could have hung up since.
const LOOKED_AFTER_EVERY: Duration = Duration::from_millis(250);
/// Most of a body that is thrown away then: the largest of any route, 48 MiB by the default policy, and some more.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// Longest time that it is thrown away for.
const DISCARD_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for the next piece of it.
const DISCARDED_PIECE_WITHIN: Duration = Duration::from_secs(5);
/// Open connections get so long to finish at a stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(28);

/// Listens, with small buffers.
pub(super) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_recv_buffer_size(RECEIVED_BYTES_MAX)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests until `stop` turns true, then lets open connections finish.
pub(super) async fn serve<A>(listener: TcpListener, answer: A, mut stop: watch::Receiver<bool>)
where
    A: Fn(&Request<Incoming>) -> Response<Body> + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let connections = connections_max();
    let door = Door::new(listener, connections as usize);
    loop {
        let (stream, peer, place) = tokio::select! {
            connection = door.next() => connection,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (answer, stop) = (Arc::clone(&answer), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &*answer, stop).await {
                tracing::debug!(%peer, error = %error, "connection ended");
            }
            drop(place);
        });
    }
    let places = door.close();
    if tokio::time::timeout(DRAIN_WITHIN, places.acquire_many(connections)).await.is_err() {
        tracing::warn!("some connections did not finish in time");
    }
}

/// How many connections fit, after asking the system for as many open files as it gives.
fn connections_max() -> u32 {
    let wanted = OTHER_FILES + u64::from(CONNECTIONS_MAX);
    let files_max = rlimit::increase_nofile_limit(wanted).unwrap_or(2 * OTHER_FILES);
    let connections = files_max.saturating_sub(OTHER_FILES).max(1);
    let connections = u32::try_from(connections).unwrap_or(CONNECTIONS_MAX).min(CONNECTIONS_MAX);
    if connections < CONNECTIONS_MAX {
        tracing::warn!(files_max, connections, "few open files are allowed, raise `ulimit -n`");
    }
    connections
}

async fn connection(
    stream: TcpStream,
    answer: &(impl Fn(&Request<Incoming>) -> Response<Body> + Sync),
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKEN_WITHIN));
    // The body is dropped unread. hyper then takes what is there already, and ends a connection on which more follows;
    // who expects to be told to go on is not told to.
    let service = service_fn(|request| ready(Ok::<_, Infallible>(answer(&request))));
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let stopped = async { stop.wait_for(|stop| *stop).await.map(|_| ()) };
    let ended = tokio::select! {
        ended = poll_fn(|context| served.poll_without_shutdown(context)) => Some(ended),
        _ = stopped => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut served).graceful_shutdown();
            poll_fn(|context| served.poll_without_shutdown(context)).await
        }
    };
    let stream = served.into_parts().io.into_inner();
    linger(stream, stop).await?;
    Ok(ended?)
}

/// Closes a connection without resetting it while its answer is under way.
async fn linger(
    mut stream: Pin<Box<TimeoutStream<TcpStream>>>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    stream.shutdown().await?;
    stream.as_mut().set_read_timeout_pinned(Some(DISCARDED_PIECE_WITHIN));
    if discard(&mut stream, SMALL_BYTES).await? < SMALL_BYTES {
        return Ok(());
    }
    tokio::select! {
        () = tokio::time::sleep(HELD_FOR) => (),
        hung_up = hung_up(stream.get_ref()) => hung_up?,
        _ = stop.wait_for(|stop| *stop) => (),
    }
    // Also for who has hung up: what it has sent is here, and bytes left unread would make a reset of our close.
    // Running out of time ends it as well as the client does.
    let discarded = tokio::time::timeout(DISCARD_WITHIN, discard(&mut stream, DISCARDED_BYTES_MAX));
    discarded.await.unwrap_or(Ok(0)).map(|_| ())
}

/// Waits for the client's end or reset, and reads nothing: what is there stays, and would be reported over and over.
async fn hung_up(stream: &TcpStream) -> std::io::Result<()> {
    while !stream.ready(Interest::READABLE).await?.is_read_closed() {
        tokio::time::sleep(LOOKED_AFTER_EVERY).await;
    }
    Ok(())
}

/// Throws away what arrives, so many bytes at most: how many did.
async fn discard(stream: &mut Pin<Box<TimeoutStream<TcpStream>>>, bytes_max: u64) -> std::io::Result<u64> {
    tokio::io::copy(&mut stream.take(bytes_max), &mut sink()).await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Whatever is to happen has happened within this.
    const HAPPENS_WITHIN: Duration = Duration::from_secs(30);

    /// A client that has sent something, and its connection here.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"a part of a body").await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        server.readable().await.unwrap();
        (client, server)
    }

    #[tokio::test]
    async fn who_hangs_up_is_seen_behind_what_nobody_reads() {
        let (client, mut server) = pair().await;
        let mut watch = Box::pin(hung_up(&server));
        assert!((&mut watch).now_or_never().is_none(), "it is there");
        drop(client);
        tokio::time::timeout(HAPPENS_WITHIN, watch).await.expect("its end is seen").unwrap();
        let mut left = Vec::new();
        server.read_to_end(&mut left).await.unwrap();
        assert_eq!(left, b"a part of a body", "and nothing was taken");
    }

    #[tokio::test]
    async fn who_resets_is_seen_too() {
        let (client, mut server) = pair().await;
        server.write_all(b"an answer").await.unwrap();
        client.readable().await.unwrap();
        // With bytes unread a close is a reset.
        drop(client);
        tokio::time::timeout(HAPPENS_WITHIN, hung_up(&server)).await.expect("its reset is seen").unwrap();
    }
}

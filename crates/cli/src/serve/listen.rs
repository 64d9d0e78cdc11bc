//! Plain HTTP and TLS on one port: miners speak plain HTTP/1.1, clients what they like.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sn17_http::RemoteIp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;
use tower::util::MapRequest;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutBody};

use crate::door::Door;

/// Connections at once, where the system's limit on open files allows them; more wait in the system's backlog.
const CONNECTIONS_MAX: u64 = 8_192;
/// Open files kept back from connections: the store's and the blobs'.
const OTHER_FILES: u64 = 2_048;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;
/// A client that takes nothing of an answer for so long is dropped.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// A client must send its request's headers within this.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Between two pieces of a request's body at most this may pass.
const BODY_PIECE_WITHIN: Duration = Duration::from_secs(30);
/// Open requests get so long to finish when the server stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(28);
/// Room for a request's header block in memory; the router refuses blocks over 16 KiB in its own words.
const HEADER_BUFFER_BYTES: usize = 64 << 10;
/// First byte of every TLS connection: a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Serves `router` on `listener` until `stop` turns true, then lets open requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Arc<rustls::ServerConfig>,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let door = Door::new(listener, connections_max());
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .max_concurrent_streams(STREAMS_MAX);
    let builder = Arc::new(builder);
    loop {
        let (stream, peer, place) = tokio::select! {
            connection = door.next() => connection,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (builder, acceptor, router, watcher) =
            (Arc::clone(&builder), acceptor.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, peer, &builder, acceptor, router, watcher).await {
                tracing::debug!(%peer, error = %error, "connection ended");
            }
            drop(place);
        });
    }
    if tokio::time::timeout(DRAIN_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// How many connections fit, after asking the system for as many open files as it gives.
fn connections_max() -> usize {
    let files_max = rlimit::increase_nofile_limit(OTHER_FILES + CONNECTIONS_MAX).unwrap_or(OTHER_FILES);
    let connections = connections_within(files_max);
    if connections < CONNECTIONS_MAX {
        tracing::warn!(files_max, connections, "few open files are allowed, raise `ulimit -n`");
    }
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// What the store and the blobs leave of so many open files, but at least a quarter of them.
fn connections_within(files_max: u64) -> u64 {
    files_max.saturating_sub(OTHER_FILES).max(files_max / 4).min(CONNECTIONS_MAX)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    builder: &Builder<TokioExecutor>,
    acceptor: TlsAcceptor,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0_u8; 1];
    let read =
        tokio::time::timeout(HEADERS_WITHIN, stream.peek(&mut first)).await.context("nothing was sent")??;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKEN_WITHIN));
    let stream = Box::pin(stream);
    if read == 1 && first == [TLS_HANDSHAKE] {
        let stream = tokio::time::timeout(HEADERS_WITHIN, acceptor.accept(stream))
            .await
            .context("slow handshake")??;
        requests(stream, peer, builder, router, watcher).await
    } else {
        requests(stream, peer, builder, router, watcher).await
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    builder: &Builder<TokioExecutor>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) -> anyhow::Result<()> {
    let service = MapRequest::new(router, move |mut request: Request<TimeoutBody<Incoming>>| {
        request.extensions_mut().insert(RemoteIp(Some(peer.ip())));
        request
    });
    let service = RequestBodyTimeoutLayer::new(BODY_PIECE_WITHIN).layer(service);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    watcher.watch(served.into_owned()).await.map_err(|error| anyhow::anyhow!("{error}"))
}

/// The TLS side: the given certificate and key, or ones made for this folder once.
pub(crate) fn tls_config(
    given: Option<(&Path, &Path)>,
    folder: &Path,
) -> anyhow::Result<(Arc<rustls::ServerConfig>, bool)> {
    let (certificate, key) = match given {
        Some((certificate, key)) => (read(certificate)?, read(key)?),
        None => self_signed(folder)?,
    };
    let chain: Vec<CertificateDer<'static>> = rustls_pemfile::certs(&mut certificate.as_slice())
        .collect::<Result<_, _>>()
        .context("cannot read the TLS certificate")?;
    let key: PrivateKeyDer<'static> = rustls_pemfile::private_key(&mut key.as_slice())
        .context("cannot read the TLS key")?
        .context("the TLS key file holds no private key")?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the TLS certificate and key do not fit together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), given.is_none()))
}

fn self_signed(folder: &Path) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let (certificate_file, key_file) = (folder.join("certificate.pem"), folder.join("key.pem"));
    if !certificate_file.exists() || !key_file.exists() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
        super::data::write_secret(&key_file, made.signing_key.serialize_pem().as_bytes())?;
        super::data::write_whole(&certificate_file, made.cert.pem().as_bytes())?;
    }
    Ok((read(&certificate_file)?, read(&key_file)?))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_1_connections_leave_open_files_to_the_store() {
        let full = OTHER_FILES + CONNECTIONS_MAX;
        for (files_max, connections) in
            [(1_024, 256), (OTHER_FILES, 512), (4_096, 2_048), (full, 8_192), (u64::MAX, 8_192)]
        {
            assert_eq!(connections_within(files_max), connections, "of {files_max} open files");
        }
    }
}

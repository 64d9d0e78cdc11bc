//! The baseline of the HTTP measurements: handlers that do nothing, in a process of their own, on the same transport
//! as `sn17 serve`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::network::{Scratch, TLS_FOLDER};
use crate::own_process::OwnProcess;

/// The file that `GET /get_result` answers, in the folder served.
const RESULT: &str = "bare-result";
/// `serve`'s bound on the time in which headers arrive; it costs a timer a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// `serve`'s room for a header block.
const HEADER_BUFFER_BYTES: usize = 64 << 10;
/// First byte of every TLS connection: a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Starts the handlers with the certificate of the network in `scratch`.
pub(crate) fn start(scratch: &Scratch) -> anyhow::Result<OwnProcess> {
    OwnProcess::start(|command| {
        command.arg("--bare").arg(scratch.path());
    })
}

/// Makes `bytes` what `GET /get_result` answers.
pub(crate) fn put_result(scratch: &Scratch, bytes: &[u8]) -> anyhow::Result<()> {
    let path = scratch.path().join(RESULT);
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

#[derive(Deserialize)]
struct NewTask {
    prompt: String,
}

#[derive(Serialize)]
struct Id {
    id: String,
}

/// Serves the handlers until killed, and prints where.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/get_status", get(async || Json(Status { status: "NoResult" })))
        .route("/add_task", post(async |Json(task): Json<NewTask>| Json(Id { id: task.prompt })))
        .route("/get_result", get(result))
        .route(
            "/SubmitResults",
            post(async |body: axum::body::Bytes| Json(Id { id: body.len().to_string() })),
        )
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::new(folder.join(RESULT)));
    let acceptor = TlsAcceptor::from(tls(&folder.join(TLS_FOLDER))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(HEADER_BUFFER_BYTES)
            .pipeline_flush(true);
        let builder = Arc::new(builder);
        loop {
            let (stream, _) = listener.accept().await?;
            let (router, builder, acceptor) = (router.clone(), Arc::clone(&builder), acceptor.clone());
            // A connection that ends badly is its client's to notice.
            tokio::spawn(async move { connection(stream, &builder, router, acceptor).await.ok() });
        }
    })
}

async fn result(State(file): State<Arc<PathBuf>>) -> Result<Vec<u8>, StatusCode> {
    tokio::fs::read(&*file).await.map_err(|_| StatusCode::NOT_FOUND)
}

async fn connection(
    stream: TcpStream,
    builder: &Builder<TokioExecutor>,
    router: Router,
    acceptor: TlsAcceptor,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0; 1];
    stream.peek(&mut first).await?;
    if first == [TLS_HANDSHAKE] {
        requests(acceptor.accept(stream).await?, builder, router).await
    } else {
        requests(stream, builder, router).await
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    builder: &Builder<TokioExecutor>,
    router: Router,
) -> anyhow::Result<()> {
    let service = TowerToHyperService::new(tower::ServiceExt::<axum::http::Request<_>>::map_request(
        router,
        |request: axum::http::Request<hyper::body::Incoming>| request.map(Body::new),
    ));
    let served = builder.serve_connection(TokioIo::new(stream), service).await;
    served.map_err(|error| anyhow::anyhow!("{error}"))
}

fn tls(folder: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(folder.join("certificate.pem"))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

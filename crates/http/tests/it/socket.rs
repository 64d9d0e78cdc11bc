//! What a client sees of a refusal while it is still sending.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{miner, post, world};

/// A server of this router for one connection, and a client of it.
async fn connect(router: Router) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (accepted, client) = tokio::join!(listener.accept(), client);
    tokio::spawn(async move {
        let stream = TokioIo::new(accepted.unwrap().0);
        // A connection that the client breaks off is an error here and none to anybody.
        let _ = Builder::new(TokioExecutor::new())
            .serve_connection(stream, TowerToHyperService::new(router))
            .await;
    });
    client.unwrap()
}

/// The head of a request in HTTP/1.1, with a body of so many bytes to follow.
fn head(request: &Request<Body>, body_bytes: u64) -> String {
    let mut head =
        format!("POST {} HTTP/1.1\r\nhost: here\r\ncontent-length: {body_bytes}\r\n", request.uri());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head + "\r\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_after_sending_everything_finds_the_refusal() {
    let world = Arc::new(world().await);
    let mut forged = post(world.submit_request(&miner(1), "x", "prompt", b"x"));
    forged.headers_mut().insert("bt_header_dendrite_uuid", "another".parse().unwrap());
    let good = post(world.submit_request(&miner(9), "x", "prompt", b"x"));
    let key = Request::post("/add_task").body(Body::empty()).unwrap();
    // A body that is far too large is refused at once.
    let mut client = connect(world.router.clone()).await;
    client.write_all(head(&key, 1 << 40).as_bytes()).await.unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
    for (request, body_bytes, status) in
        [(forged, 40 << 20, 401), (good, 40 << 20, 403), (key, 40 << 20, 401)]
    {
        let mut client = connect(world.router.clone()).await;
        client.write_all(head(&request, body_bytes).as_bytes()).await.unwrap();
        let piece = vec![b' '; 1 << 20];
        for _ in 0..body_bytes >> 20 {
            client.write_all(&piece).await.unwrap();
        }
        client.read_exact(&mut start).await.unwrap();
        assert_eq!(str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"));
    }
}

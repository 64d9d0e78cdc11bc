//! What arrives at a port that is open to the world, byte by byte.

use std::time::Duration;

use serde_json::json;
use sn17_wire::synapse::DendriteRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::{Host, on_every_host};
use crate::miner::Miner;
use crate::server::{Answer, Server, client};

/// Whatever is to happen to a connection has happened within this.
const HAPPENS_WITHIN: Duration = Duration::from_secs(60);
/// An answer that needs nothing more from its client comes within this, and so before a silent client is dropped.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Sends bytes as they are and reads until the server closes the connection.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server).await;
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    until_closed(stream).await
}

async fn until_closed(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(HAPPENS_WITHIN, stream.read_to_end(&mut answer));
    // An error is a reset: the server closes without reading the rest.
    let _ = read.await.expect("the connection is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn starts(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
}

/// Checks a refusal that ends its connection. Closing on bytes still under way resets it, which may overtake the answer.
#[track_caller]
fn refuses(answer: &str, status: u16) {
    assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
}

async fn is_well(server: &Server) {
    assert_eq!(server.get("/healthz").await.status, 200, "it serves others as before");
}

#[tokio::test]
async fn bytes_that_are_no_requests_end_their_connection_alone() {
    let server = Server::simulating(1).await;
    let mut noise = crate::payload::Random(5).bytes(10_000);
    let tls_noise = [&[0x16, 3, 1, 0x20, 0][..], &noise].concat();
    let half_preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &noise].concat();
    noise[0] = b'#';
    let endless_line = vec![b'A'; 300_000];
    for bytes in [
        &noise[..],
        &tls_noise,
        &half_preface,
        &endless_line,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\0\0\0\r\n\r\n",
    ] {
        let answer = exchange(&server, bytes).await;
        assert!(!answer.contains(" 200 OK"), "{answer}");
        is_well(&server).await;
    }
}

#[tokio::test]
async fn in_1_header_blocks_have_a_limit() {
    let server = Server::simulating(1).await;
    let request = |line: &str, bytes: usize| {
        format!("{line} HTTP/1.1\r\nhost: x\r\nx-pad: {}\r\nconnection: close\r\n\r\n", "p".repeat(bytes))
    };
    starts(&exchange(&server, request("GET /healthz", 15_000).as_bytes()).await, 200);
    for bytes in [16_384, 40_000] {
        starts(&exchange(&server, request("GET /healthz", bytes).as_bytes()).await, 431);
    }
    for bytes in [70_000, 3_000_000] {
        refuses(&exchange(&server, request("GET /healthz", bytes).as_bytes()).await, 431);
    }
    let of_miner = exchange(&server, request("POST /PullTask", 16_384).as_bytes()).await;
    starts(&of_miner, 431);
    assert!(of_miner.contains(r#"{"message":"headers have more than 16384 bytes"}"#), "{of_miner}");
    let many = (0..2000).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    refuses(&exchange(&server, request.as_bytes()).await, 431);
    is_well(&server).await;
}

#[tokio::test]
async fn in_1_bodies_are_refused_by_their_announced_length() {
    let server = Server::simulating(1).await;
    let key = &server.api_key;
    let cases = [
        (
            "/SubmitResults",
            (48 << 20) + 1,
            "application/json",
            r#"{"message":"body is larger than 50331648 bytes"}"#,
        ),
        ("/add_task", (2 << 20) + 1, "application/json", "Payload too large: "),
        ("/add_task", 3 << 20, "multipart/form-data; boundary=x", "Payload too large: "),
        ("/add_task", u64::MAX >> 1, "application/json", "Payload too large: "),
    ];
    for (path, length, content_type, words) in cases {
        // Nothing of the body is ever sent, so an answer shows that none was waited for.
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        let answer = exchange(&server, head.as_bytes()).await;
        starts(&answer, 413);
        assert!(answer.contains(words), "{answer}");
    }
    is_well(&server).await;
}

#[tokio::test]
async fn in_1_a_body_that_grows_too_large_is_cut_off_and_costs_nothing() {
    let mut server = Server::simulating(1).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    // The body as a whole, and the splat in it, each have a limit.
    for bytes in [40 << 20, 33 << 20] {
        let request = server.synapse_request(miner.submit_request(&server, &task, &vec![0x5a; bytes]));
        // The answer comes while the body is still being sent, and then the connection ends; not every client sees more
        // than the end.
        if let Ok(response) = request.send().await {
            assert_eq!(response.status().as_u16(), 413);
        }
    }
    // Not on a connection that is about to end.
    server.http = client();
    assert_eq!(miner.submit(&server, &task, b"a splat").await.message(), "Success", "the task is still open");
}

#[tokio::test]
async fn two_readings_of_one_request_are_impossible() {
    let server = Server::simulating(1).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    // Transfer-Encoding wins and the connection ends (RFC 9112, section 6.1): what follows is never a request.
    let both = format!(
        "POST /PullTask HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        5 + smuggled.len()
    );
    refuses(&exchange(&server, both.as_bytes()).await, 401);
    let refused = [
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: +4\r\n",
        "content-length: 4, 5\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length : 4\r\n",
        "content-length: 4\r\n folded: yes\r\n",
    ];
    for headers in refused {
        let request = format!("POST /PullTask HTTP/1.1\r\nhost: x\r\n{headers}\r\nabcd{smuggled}");
        let answer = exchange(&server, request.as_bytes()).await;
        starts(&answer, 400);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers}: {answer}");
    }
    is_well(&server).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::simulating(1).await;
    let get = |path: &str, last: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{last}\r\n");
    let requests = get("/healthz", "") + &get("/nothing", "") + &get("/readyz", "connection: close\r\n");
    let answer = exchange(&server, requests.as_bytes()).await;
    let places = ["ok\n", "Not found", "ready\n"]
        .map(|words| answer.find(words).unwrap_or_else(|| panic!("{answer}")));
    assert!(places.is_sorted(), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 3);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_request_to_be_whole() {
    let server = Server::simulating(1).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /rea").await.unwrap();
    assert!(until(&mut stream, "ok\n").await.starts_with("HTTP/1.1 200 "));
    stream.write_all(b"dyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    starts(&until_closed(stream).await, 200);
}

#[tokio::test]
async fn a_refusal_reaches_a_sender_that_sends_all_the_same() {
    let server = Server::simulating(1).await;
    let stranger = Miner::new(2);
    let task = Miner::new(1).task(&server).await;
    let request = stranger.submit_request(&server, &task, &[0x5a; 1_000_000]);
    let mut stream = connect(&server).await;
    stream.write_all(head(&request).as_bytes()).await.unwrap();
    stream.write_all(&request.body).await.unwrap();
    starts(&until(&mut stream, "Unrecognized hotkey").await, 403);
}

/// Reads until these words have arrived.
async fn until(stream: &mut TcpStream, words: &str) -> String {
    let mut answer = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&answer).contains(words) {
            let mut piece = [0; 4096];
            let bytes = stream.read(&mut piece).await.unwrap();
            assert!(bytes > 0, "closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..bytes]);
        }
    };
    tokio::time::timeout(ANSWERED_WITHIN, read).await.unwrap_or_else(|_| panic!("{words} never came"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a miner's request.
fn head(request: &DendriteRequest) -> String {
    let length = request.body.len();
    let mut head = format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n", request.path);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

on_every_host!(wrong_methods_types_and_encodings_are_refused_in_their_surfaces_words);

async fn wrong_methods_types_and_encodings_are_refused_in_their_surfaces_words(host: Host) {
    let server = host.mining(0).await;
    let (http, url) = (&server.http, &server.url);
    let wrong_method = server.get("/add_task").await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, "POST"));
    let of_miner = server.get("/SubmitResults").await;
    assert_eq!((of_miner.status, of_miner.header("allow")), (405, "POST"));
    assert_eq!(of_miner.json()["message"], "Method not allowed");
    let post = |name: &'static str, value: &'static str, body: &'static str| {
        let request = http.post(format!("{url}/add_task")).header("x-api-key", &server.api_key);
        request.header(name, value).body(body)
    };
    let cases = [
        (post("content-type", "text/plain", "a robot"), 415, "Unsupported media type: "),
        (post("content-type", "application/json", "{"), 400, "Bad request: Invalid JSON"),
        (
            post("content-type", "application/json", r#"{"prompt": "a\u0000b robot"}"#),
            400,
            "Bad request: Prompt",
        ),
        (post("content-type", "multipart/form-data", "x"), 400, "Bad request: Missing boundary"),
        (post("content-encoding", "gzip", "x"), 415, "Unsupported media type: "),
    ];
    for (request, status, words) in cases {
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().starts_with(words), "{}", answer.text());
    }
    let unknown = server.post("/Nope", &json!({})).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.json()["message"].as_str().unwrap().starts_with("Synapse name 'Nope' not found"));
}

#[tokio::test]
async fn slow_and_silent_clients_lose_their_connection_and_nobody_else_does() {
    let server = Server::simulating(1).await;
    let mut slow = connect(&server).await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut dripping = connect(&server).await;
    let drip = async {
        // A header every second keeps no connection open: the whole block has a time limit.
        dripping.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        for number in 0..60 {
            if dripping.write_all(format!("x-{number}: y\r\n").as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        until_closed(dripping).await
    };
    let silent = connect(&server).await;
    let mut in_handshake = connect(&server).await;
    in_handshake.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(connect(&server).await);
    }
    is_well(&server).await;
    let closed = futures_util::future::join4(
        until_closed(slow),
        drip,
        until_closed(silent),
        until_closed(in_handshake),
    );
    let (slow, dripping, silent, in_handshake) = closed.await;
    for answer in [slow, dripping, silent, in_handshake] {
        assert!(!answer.contains(" 200 OK"), "{answer}");
    }
    is_well(&server).await;
}

#[tokio::test]
async fn in_1_a_submission_that_ends_early_leaves_nothing_and_blocks_nobody() {
    let server = Server::simulating(2).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    let splat = crate::payload::Random(9).bytes(2_000_000);
    // More than there may be uploads at once.
    for _ in 0..300 {
        let request = miner.submit_request(&server, &task, &splat[..200_000]);
        let mut stream = connect(&server).await;
        stream.write_all(head(&request).as_bytes()).await.unwrap();
        stream.write_all(&request.body[..150_000]).await.unwrap();
    }
    let taken = async {
        loop {
            let answer = miner.submit(&server, &task, &splat).await;
            if answer.status != 429 {
                return answer;
            }
            // The server has yet to notice that the last ones are gone.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(HAPPENS_WITHIN, taken).await.expect("nobody is kept out for long");
    assert_eq!(answer.message(), "Success", "{}", answer.text());
    assert_eq!(stored(&server, "submissions"), 1, "only what was handed in whole is kept");
    let other = Miner::new(2);
    let task = other.task(&server).await;
    let mut refused = other.submit_request(&server, &task, &splat);
    refused.body.truncate(1_000_000);
    refused.body.push(b'*');
    assert_eq!(server.synapse(refused).await.status, 400);
    assert_eq!(stored(&server, "submissions"), 1, "what is refused is not kept");
    let swept = async {
        while stored(&server, ".uploads") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HAPPENS_WITHIN, swept).await.expect("uploads that broke off are forgotten");
}

/// How many blobs lie in a folder of the network's.
pub(crate) fn stored(server: &Server, folder: &str) -> usize {
    match std::fs::read_dir(server.data().join("blobs").join(folder)) {
        Ok(entries) => entries.count(),
        Err(_) => 0,
    }
}

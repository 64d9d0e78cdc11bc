//! The redirector at a fixed address, byte by byte and in front of a network on every host.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sn17_wire::synapse::DendriteRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::{Host, on_every_host};
use crate::miner::taken;
use crate::payload;
use crate::server::{Answer, client};
use crate::{binary, process};

on_every_host!(au_2_miners_follow_and_their_nonces_count_once);

/// Whatever is to happen to a connection has happened within this.
const HAPPENS_WITHIN: Duration = Duration::from_secs(60);
/// An answer that needs nothing more from its client comes within this, and so before a silent client is dropped.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);
/// An edge that nobody asks.
const EDGE: &str = "https://edge.example.org/sn17";

/// `sn17 redirector`, running.
struct Redirector {
    child: Child,
    /// Without a slash at its end.
    url: String,
    metrics: String,
}

impl Redirector {
    fn start(edge: &str) -> Self {
        let mut child = Command::new(binary::path())
            .args(["redirector", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--edge", edge])
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |name: &str| {
            lines
                .find_map(|line| Some(line.unwrap().trim_start().strip_prefix(name)?.trim().to_owned()))
                .unwrap_or_else(|| panic!("it does not say its {name}"))
        };
        let url = said("http ");
        assert_eq!(said("edge "), edge, "the edge that it was given");
        Self { child, url, metrics: said("metrics ") }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap()
    }

    /// Sends bytes as they are, all of them, and only then reads the answer.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        until_closed(stream).await
    }

    /// The answer to a request that ends its connection.
    async fn answer_to(&self, line: &str, headers: &str) -> String {
        let head = format!("{line} HTTP/1.1\r\nHost: 203.0.113.7:4443\r\nConnection: close\r\n{headers}\r\n");
        self.exchange(head.as_bytes()).await
    }
}

impl Drop for Redirector {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

async fn until_closed(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(HAPPENS_WITHIN, stream.read_to_end(&mut answer));
    read.await.expect("the connection is closed in time").expect("it is closed, not reset");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Checks a whole answer: one redirect, and where to.
#[track_caller]
fn redirects(answer: &str, location: &str) {
    assert!(answer.starts_with("HTTP/1.1 307 Temporary Redirect\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let locations: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("location: ")).collect();
    assert_eq!(locations, [location], "{answer}");
}

#[track_caller]
fn refuses(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(!answer.contains("location:"), "{answer}");
}

#[tokio::test]
async fn everything_goes_to_the_same_path_of_the_edge() {
    let redirector = Redirector::start(EDGE);
    for path in ["/PullTask", "/SubmitResults", "/GetVersion"] {
        let answer = redirector.answer_to(&format!("POST {path}"), "Content-Length: 0\r\n").await;
        redirects(&answer, &format!("{EDGE}{path}"));
        assert!(answer.contains(r#"{"message":"#), "the SDK reads it: {answer}");
    }
    let answer = redirector.answer_to("GET /get_status?id=1&x=%20", "").await;
    redirects(&answer, &format!("{EDGE}/get_status?id=1&x=%20"));
    let answer = redirector.answer_to("HEAD /", "").await;
    redirects(&answer, &format!("{EDGE}/"));
    // What a load balancer asks is about this process.
    let answer = redirector.answer_to("GET /healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

/// Only the edge's operator decides where it leads.
#[tokio::test]
async fn no_request_target_leads_elsewhere() {
    let redirector = Redirector::start(EDGE);
    for (target, path) in [
        ("//evil.example", "//evil.example"),
        ("//evil.example/..//x", "//evil.example/..//x"),
        ("/@evil.example", "/@evil.example"),
        ("/.evil.example", "/.evil.example"),
        ("/%0d%0aLocation:%20http://evil.example", "/%0d%0aLocation:%20http://evil.example"),
        ("/%5c%5cevil.example", "/%5c%5cevil.example"),
        ("/?next=http://evil.example", "/?next=http://evil.example"),
        ("http://evil.example/PullTask", "/PullTask"),
        ("http://evil.example", "/"),
        ("http://user:word@evil.example/x", "/x"),
        ("https://evil.example//other.example", "//other.example"),
    ] {
        let answer = redirector.answer_to(&format!("POST {target}"), "Content-Length: 0\r\n").await;
        redirects(&answer, &format!("{EDGE}{path}"));
    }
    for target in
        ["*", "evil.example", "evil.example:80", "@evil.example", ".evil.example", "\\\\evil.example"]
    {
        refuses(&redirector.answer_to(&format!("GET {target}"), "").await, 400);
    }
    refuses(&redirector.answer_to("CONNECT evil.example:443", "").await, 400);
    // A line break ends the request line, so what follows it is a header, and one that counts for nothing.
    let broken = "GET /PullTask HTTP/1.1\r\nLocation: http://evil.example\r\nHost: evil.example";
    let answer = redirector.exchange(format!("{broken}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    redirects(&answer, &format!("{EDGE}/PullTask"));
    for broken in
        [&b"GET /a\rb HTTP/1.1\r\n\r\n"[..], b"GET /a\nb HTTP/1.1\r\n\r\n", b"GET /a\0b HTTP/1.1\r\n\r\n"]
    {
        refuses(&redirector.exchange(broken).await, 400);
    }
    let long = format!("GET /{}", "a".repeat(8_000));
    redirects(&redirector.answer_to(&long, "").await, &format!("{EDGE}/{}", "a".repeat(8_000)));
    refuses(&redirector.answer_to(&format!("GET /{}", "a".repeat(9_000)), "").await, 414);
}

#[tokio::test]
async fn in_1_headers_have_a_limit() {
    let redirector = Redirector::start(EDGE);
    let padded = |bytes: usize| format!("bt_header_padding: {}\r\nContent-Length: 0\r\n", "a".repeat(bytes));
    let answer = redirector.answer_to("POST /PullTask", &padded(15 << 10)).await;
    redirects(&answer, &format!("{EDGE}/PullTask"));
    for bytes in [17 << 10, 100 << 10] {
        refuses(&redirector.answer_to("POST /PullTask", &padded(bytes)).await, 431);
    }
    refuses(&redirector.answer_to("POST /PullTask", &"a: b\r\n".repeat(1_000)).await, 431);
}

#[tokio::test]
async fn bodies_are_not_waited_for() {
    let redirector = Redirector::start(EDGE);
    for more in [
        "Content-Length: 40000000\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 40000000\r\nExpect: 100-continue\r\n",
    ] {
        let mut stream = redirector.connect().await;
        let head = format!("POST /SubmitResults HTTP/1.1\r\nHost: 203.0.113.7:4443\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(ANSWERED_WITHIN, until_closed(stream)).await;
        redirects(&answer.expect("the answer comes without the body"), &format!("{EDGE}/SubmitResults"));
    }
}

#[tokio::test]
async fn who_sends_40_mb_first_reads_the_answer_afterwards() {
    let redirector = Redirector::start(EDGE);
    let head = b"POST /SubmitResults HTTP/1.1\r\nHost: 203.0.113.7:4443\r\n";
    let body = vec![b'x'; 40_000_000];
    let counted = [&head[..], b"Content-Length: 40000000\r\n\r\n", &body].concat();
    let chunked =
        [&head[..], b"Transfer-Encoding: chunked\r\n\r\n2625a00\r\n", &body, b"\r\n0\r\n\r\n"].concat();
    let (counted, chunked) = tokio::join!(redirector.exchange(&counted), redirector.exchange(&chunked));
    redirects(&counted, &format!("{EDGE}/SubmitResults"));
    redirects(&chunked, &format!("{EDGE}/SubmitResults"));
}

/// The line of whoever follows is not shared with a body that nobody wants.
#[tokio::test]
async fn who_reads_the_answer_is_not_made_to_send_everything() {
    const STALLED_AFTER: Duration = Duration::from_secs(3);
    let redirector = Redirector::start(EDGE);
    let mut stream = redirector.connect().await;
    let head = "POST /SubmitResults HTTP/1.1\r\nHost: 203.0.113.7:4443\r\nContent-Length: 40000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut answer, mut body) = stream.into_split();
    let mut text = String::new();
    answer.read_to_string(&mut text).await.unwrap();
    redirects(&text, &format!("{EDGE}/SubmitResults"));
    let (piece, mut sent) = (vec![b'x'; 100_000], 0);
    // What the systems' buffers take on both sides is soon full.
    while let Ok(written) = tokio::time::timeout(STALLED_AFTER, body.write(&piece)).await {
        sent += written.unwrap();
        assert!(sent < 20_000_000, "it takes everything");
    }
}

#[tokio::test]
async fn connections_are_kept_for_requests_without_bodies() {
    let redirector = Redirector::start(EDGE);
    let request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stream = redirector.connect().await;
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 2048];
        let read = stream.read(&mut answer).await.unwrap();
        redirects(&String::from_utf8_lossy(&answer[..read]), &format!("{EDGE}/a"));
    }
}

#[tokio::test]
async fn slow_clients_are_dropped_and_hold_nobody_up() {
    let redirector = Redirector::start(EDGE);
    let mut slow = redirector.connect().await;
    slow.write_all(b"POST /PullTask HT").await.unwrap();
    let silent = redirector.connect().await;
    redirects(&redirector.answer_to("GET /a", "").await, &format!("{EDGE}/a"));
    let (slow, silent) = tokio::join!(until_closed(slow), until_closed(silent));
    assert!(!slow.contains("307") && silent.is_empty(), "{slow}{silent}");
}

#[tokio::test]
async fn it_counts_what_it_answers_and_stops_when_told() {
    let mut redirector = Redirector::start(EDGE);
    for (line, count) in [("POST /PullTask", 2), ("GET /made/up", 3), ("GET *", 1)] {
        for _ in 0..count {
            redirector.answer_to(line, "Content-Length: 0\r\n").await;
        }
    }
    let http = client();
    let answer = Answer::read(http.get(&redirector.metrics).send().await.unwrap()).await.unwrap();
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        r#"sn17_redirector_answers_total{route="/PullTask",status="307"} 2"#,
        r#"sn17_redirector_answers_total{route="other",status="307"} 3"#,
        r#"sn17_redirector_answers_total{route="other",status="400"} 1"#,
    ] {
        assert!(answer.text().lines().any(|there| there == line), "{line}: {}", answer.text());
    }
    let elsewhere = redirector.metrics.replace("/metrics", "/");
    assert_eq!(http.get(elsewhere).send().await.unwrap().status(), 404);

    // A connection that waits for its next request holds nobody up.
    let idle = redirector.connect().await;
    assert!(process::ends_when_told(&mut redirector.child).await, "it ends well");
    drop(idle);
}

#[test]
fn an_edge_must_be_a_url() {
    for edge in ["edge.example.org", "ftp://edge.example.org", "https://user@edge.example.org", "https://"] {
        let output = binary::run(&["redirector", "--listen", "127.0.0.1:0", "--edge", edge]);
        assert_eq!(output.status.code(), Some(2), "{edge}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--edge"), "{edge}");
    }
}

/// A miner's request as it stands, to wherever it is sent.
async fn send(http: &reqwest::Client, url: &str, request: &DendriteRequest) -> Answer {
    let mut builder = http.post(format!("{url}{}", request.path));
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    Answer::read(builder.body(request.body.clone()).send().await.unwrap()).await.unwrap()
}

async fn au_2_miners_follow_and_their_nonces_count_once(host: Host) {
    let server = host.mining(1).await;
    let redirector = Redirector::start(&server.url);
    let (miner, splat) = (server.miner(1), payload::robot());
    let to_the_letter = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let to_the_letter = to_the_letter.build().unwrap();

    let pull = miner.pull_request(&server);
    for _ in 0..2 {
        // Being redirected uses up nothing.
        let answer = send(&to_the_letter, &redirector.url, &pull).await;
        assert_eq!((answer.status, answer.header("location")), (307, &*format!("{}/PullTask", server.url)));
    }
    let answer = send(&server.http, &redirector.url, &pull).await;
    let task = answer.task().unwrap_or_else(|| panic!("no task: {}", answer.text()));
    assert_eq!(send(&server.http, &redirector.url, &pull).await.status, 401, "its nonce is used up");

    let mut submit = pull;
    let answer = taken(async || {
        submit = miner.submit_request(&server, &task, &splat);
        send(&server.http, &redirector.url, &submit).await
    });
    let answer = answer.await;
    assert_eq!((answer.status, answer.message()), (200, "Success"), "{}", answer.text());
    assert_eq!(answer.json()["feedback"]["validation_failed"], false);
    assert_eq!(send(&server.http, &redirector.url, &submit).await.status, 401, "its nonce is used up");
}

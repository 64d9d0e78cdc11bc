//! Lambda's runtime interface as far as a function's start needs it, and the secrets that it asks for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Where a runtime asks for work (AWS Lambda developer guide, "Custom runtime API").
const NEXT: &str = "/runtime/invocation/next";

/// A listening runtime interface. It hands out no work.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    asked: Receiver<Instant>,
}

impl RuntimeApi {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (ask, asked) = mpsc::channel();
        // It ends with the process that measures; a connection waits for nobody.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ask = ask.clone();
                thread::spawn(move || serve(stream, &ask));
            }
        });
        Ok(Self { address, asked })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the function asked for work; none if it does not within `limit`.
    pub(super) fn asked_for_work(&self, limit: Duration) -> Option<Instant> {
        self.asked.recv_timeout(limit).ok()
    }
}

/// Answers a connection's requests: to one for work never, to any other with a secret.
fn serve(stream: TcpStream, ask: &Sender<Instant>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let asks_for_work = line.contains(NEXT);
        let mut body_bytes = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let (name, value) = header.trim_end().split_once(':').unwrap_or_default();
            if name.is_empty() {
                break;
            }
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value.trim().parse().ok()?;
            }
        }
        reader.by_ref().take(body_bytes).read_to_end(&mut Vec::new()).ok()?;
        if asks_for_work {
            ask.send(Instant::now()).ok()?;
            continue;
        }
        let secret = format!(r#"{{"ARN":"arn","Name":"name","SecretString":"{}"}}"#, "s".repeat(64));
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{secret}",
            secret.len()
        );
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

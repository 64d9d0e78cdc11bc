//! What makes the deployed network one plain address: passes requests on under the distribution's host name.
//!
//! The engine tells deployments apart by the header `host`, which an unmodified miner cannot be told to send: it is given
//! an address and a port. Nothing else is changed on the way, except that a connection takes one request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::Context;

/// Largest head of a request in bytes; above it the connection ends.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// Passes on what arrives at `listen` until the process is ended.
pub(super) fn run(listen: SocketAddr, engine: SocketAddr, host: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    for client in listener.incoming() {
        let host = host.to_owned();
        // A connection that cannot be accepted, or that breaks off, is its client's loss alone.
        thread::spawn(move || client.and_then(|client| pass_on(client, engine, &host)));
    }
    Ok(())
}

fn pass_on(client: TcpStream, engine: SocketAddr, host: &str) -> io::Result<()> {
    let mut from_client = BufReader::new(client.try_clone()?);
    let head = with_host(&read_head(&mut from_client)?, host);
    let mut to_engine = TcpStream::connect(engine)?;
    let mut from_engine = to_engine.try_clone()?;
    to_engine.write_all(&head)?;
    let body = thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_engine);
        // The client has gone: the engine is not to wait for the rest.
        let _ = to_engine.shutdown(Shutdown::Write);
        copied
    });
    let mut to_client = &client;
    let answered = io::copy(&mut from_engine, &mut to_client);
    // Ends the copying of the body too, if the answer came before its end.
    let _ = client.shutdown(Shutdown::Both);
    let _ = body.join();
    answered.map(drop)
}

/// The request line and the headers, with the empty line.
fn read_head(client: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = client.take(HEAD_BYTES_MAX);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// The head under another host, for a connection that ends with the answer.
fn with_host(head: &[u8], host: &str) -> Vec<u8> {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let mut rewritten = lines.next().unwrap_or_default().to_vec();
    rewritten.extend(format!("host: {host}\r\nconnection: close\r\n").bytes());
    let is_replaced = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"host") || name.eq_ignore_ascii_case(b"connection")
    };
    rewritten.extend(lines.filter(|line| !is_replaced(line)).flatten());
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_keeps_everything_but_its_host() {
        let head = "POST /PullTask?a=b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nHostage: no\r\nConnection: keep-alive\r\n\
                    content-length: 2\r\n\r\n";
        let mut request = BufReader::new(head.as_bytes().chain("{}".as_bytes()));
        let head = read_head(&mut request).unwrap();
        assert_eq!(
            String::from_utf8(with_host(&head, "d1.cloudfront.net")).unwrap(),
            "POST /PullTask?a=b HTTP/1.1\r\nhost: d1.cloudfront.net\r\nconnection: close\r\nHostage: no\r\n\
             content-length: 2\r\n\r\n"
        );
        let mut body = String::new();
        request.read_to_string(&mut body).unwrap();
        assert_eq!(body, "{}");
    }

    #[test]
    fn a_head_without_an_end_is_refused() {
        assert!(read_head(&mut BufReader::new(&b"GET / HTTP/1.1\r\nhost: x\r\n"[..])).is_err());
        let endless = io::repeat(b'a');
        assert!(read_head(&mut BufReader::new(endless)).is_err());
    }

    #[test]
    fn a_request_and_its_answer_go_through() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let engine_address = engine.local_addr().unwrap();
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(front.local_addr().unwrap()).unwrap();
        let passing = thread::spawn(move || pass_on(front.accept().unwrap().0, engine_address, "d1"));
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").unwrap();
        let (mut connection, _) = engine.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"hello") {
            let mut piece = [0; 256];
            let bytes = connection.read(&mut piece).unwrap();
            seen.extend_from_slice(&piece[..bytes]);
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\nfine").unwrap();
        drop(connection);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\nfine");
        passing.join().unwrap().unwrap();
    }
}

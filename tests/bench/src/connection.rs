//! HTTP/1.1 for a load generator: requests are ready-made bytes, and an answer costs as little as can be.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::network::{Scratch, TLS_FOLDER};

/// Room for an answer's headers and a small body.
const BUFFER_BYTES: usize = 16 << 10;

/// How to reach a server.
#[derive(Clone)]
pub(crate) enum Transport {
    Plain,
    Tls(TlsConnector),
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An answer with status 200.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Transport {
    /// TLS that trusts the certificate which the network in `scratch` has made for itself.
    pub(crate) fn tls(scratch: &Scratch) -> anyhow::Result<Self> {
        let certificate = scratch.path().join(TLS_FOLDER).join("certificate.pem");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self::Tls(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        let stream = match self {
            Self::Plain => Stream::Plain(stream),
            Self::Tls(connector) => {
                let name = ServerName::try_from("localhost").context("localhost is a name")?;
                Stream::Tls(Box::new(connector.connect(name, stream).await?))
            }
        };
        Ok(Connection { stream, buffer: vec![0; BUFFER_BYTES] })
    }
}

impl Connection {
    /// Sends a request and reads its answer, which must have the status 200 and announce its length.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write(request).await?;
        let mut filled = 0;
        let head_bytes = loop {
            filled += self.stream.read(&mut self.buffer[filled..]).await?;
            let head = &self.buffer[..filled];
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = &self.buffer[..head_bytes];
        let body_bytes = content_length(head).context("an answer announces no length")?;
        let is_good = head.starts_with(b"HTTP/1.1 200 ");
        let answer_bytes = head_bytes + body_bytes;
        if self.buffer.len() < answer_bytes {
            self.buffer.resize(answer_bytes, 0);
        }
        while filled < answer_bytes {
            filled += self.stream.read(&mut self.buffer[filled..answer_bytes]).await?;
        }
        let (head, body) = self.buffer[..answer_bytes].split_at(head_bytes);
        anyhow::ensure!(is_good, "{}{}", String::from_utf8_lossy(head), String::from_utf8_lossy(body));
        Ok(Answer { head, body })
    }
}

impl Stream {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await?,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
        }
        Ok(())
    }

    /// Reads at least one byte.
    async fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<usize> {
        let bytes = match self {
            Self::Plain(stream) => stream.read(buffer).await?,
            Self::Tls(stream) => stream.read(buffer).await?,
        };
        anyhow::ensure!(
            bytes > 0,
            "the server ended a connection, or its headers are larger than {BUFFER_BYTES} bytes"
        );
        Ok(bytes)
    }
}

impl Answer<'_> {
    /// Whether this line stands in its headers.
    pub(crate) fn says(&self, line: &str) -> bool {
        self.head.windows(line.len()).any(|window| window == line.as_bytes())
    }

    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(self.body).context("an answer is not JSON")
    }
}

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method != "GET" {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The value of `content-length` in a header block.
fn content_length(head: &[u8]) -> Option<usize> {
    let text = str::from_utf8(head).ok()?;
    let line = text.lines().find(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-length"))
    })?;
    line.split_once(':')?.1.trim().parse().ok()
}

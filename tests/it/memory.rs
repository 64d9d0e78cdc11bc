//! Memory of the process under the largest submissions. Takes up to a minute and two gigabytes of disk.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body::{Body, Frame, SizeHint};

use crate::hostile::stored;
use crate::miner::Miner;
use crate::payload::Random;
use crate::server::{Answer, Server};

/// Submissions at once, each of so many bytes before base64.
const SUBMISSIONS: u16 = 64;
const SPLAT_BYTES: usize = 30 << 20;
/// The most memory that the process may ever have had.
const RESIDENT_KIB_MAX: u64 = 512 << 10;
/// Bytes that are made once and sent again and again; a multiple of three, so that base64 of it needs no padding.
const PIECE_BYTES: usize = 3 << 18;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_1_64_parallel_submissions_of_30_mb_stay_below_512_mb() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("skipped: there is no /proc to read a process's memory from");
        return;
    }
    let server = Server::simulating(SUBMISSIONS).await;
    let piece = Bytes::from(STANDARD.encode(Random(11).bytes(PIECE_BYTES)));
    let submitted = join_all((1..=SUBMISSIONS).map(async |number| {
        let mut miner = Miner::new(number);
        // Disks that take a gigabyte slowly are no fault of the server's.
        miner.timeout_secs = 290.0;
        let task = miner.task(&server).await;
        let mut request = miner.submit_request(&server, &task, b"");
        let text = String::from_utf8(std::mem::take(&mut request.body)).unwrap();
        let (before, after) = text.split_once(r#""results":"""#).unwrap();
        let before = Bytes::from(format!(r#"{before}"results":""#));
        let after = Bytes::from(format!(r#""{after}"#));
        let mut pieces = vec![before];
        pieces.extend(std::iter::repeat_n(piece.clone(), SPLAT_BYTES / PIECE_BYTES));
        pieces.push(after);
        let body = reqwest::Body::wrap(Pieces(pieces.into_iter()));
        let request = server.synapse_request(request).timeout(Duration::from_secs(170)).body(body);
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }));
    let answers = submitted.await;
    let peak_kib = peak_kib(server.pid());
    println!("peak {peak_kib} KiB");
    for answer in &answers {
        assert!(answer.message().starts_with("Success"), "{} {}", answer.message(), answer.text());
    }
    assert_eq!(stored(&server, "submissions"), usize::from(SUBMISSIONS));
    assert!(peak_kib < RESIDENT_KIB_MAX, "the process had {peak_kib} KiB");
}

/// The most memory that a process ever had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A body of known length whose pieces are shared with other bodies.
struct Pieces(std::vec::IntoIter<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_slice().iter().map(|piece| piece.len() as u64).sum())
    }
}

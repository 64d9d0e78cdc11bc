//! Blobs: uploads, reading, names.

use bytes::Bytes;
use futures_util::StreamExt;
use sn17_app::ports::{BlobKey, Blobs, PortErrorKind};

/// Largest chunk that a reader may be given, in bytes.
const CHUNK_BYTES_MAX: usize = 1 << 20;

fn key(name: &str) -> BlobKey {
    BlobKey(name.to_owned())
}

async fn put(blobs: &dyn Blobs, name: &str, content: &[u8]) {
    let upload = blobs.begin(&key(name)).await.expect("an upload");
    blobs.part(&upload, Bytes::copy_from_slice(content)).await.expect("a part");
    blobs.finish(&upload).await.expect("a blob");
}

/// A blob's content, none if it is not there.
async fn get(blobs: &dyn Blobs, name: &str) -> Option<Vec<u8>> {
    let mut read = match blobs.get(&key(name)).await {
        Ok(read) => read,
        Err(error) => {
            assert_eq!(error.kind, PortErrorKind::NotFound);
            return None;
        }
    };
    let mut content = Vec::new();
    while let Some(chunk) = read.stream.next().await {
        let chunk = chunk.expect("a chunk");
        assert!(!chunk.is_empty() && chunk.len() <= CHUNK_BYTES_MAX, "a chunk of {} bytes", chunk.len());
        content.extend_from_slice(&chunk);
    }
    assert_eq!(read.bytes, content.len() as u64);
    Some(content)
}

/// Bytes that differ from place to place.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A blob is visible after `finish`, not before, and then complete.
pub async fn blobs_appear_when_finished(blobs: &dyn Blobs) {
    let name = "submissions/0190-abc/5F3s.spz";
    let upload = blobs.begin(&key(name)).await.expect("an upload");
    assert_eq!(get(blobs, name).await, None);
    for part in [&b"one "[..], b"", b"two ", b"three"] {
        blobs.part(&upload, Bytes::from_static(part)).await.expect("a part");
        assert_eq!(get(blobs, name).await, None);
    }
    blobs.finish(&upload).await.expect("a blob");
    assert_eq!(get(blobs, name).await.as_deref(), Some(&b"one two three"[..]));
    assert_eq!(get(blobs, name).await.as_deref(), Some(&b"one two three"[..]));
}

/// An aborted upload leaves nothing, takes nothing more, and may be aborted again.
pub async fn aborted_uploads_leave_nothing(blobs: &dyn Blobs) {
    let upload = blobs.begin(&key("a")).await.expect("an upload");
    blobs.part(&upload, Bytes::from(noise(300_000))).await.expect("a part");
    blobs.abort(&upload).await.expect("it is ours");
    blobs.abort(&upload).await.expect("unknown uploads are no error");
    let part = blobs.part(&upload, Bytes::from_static(b"more")).await;
    assert_eq!(part.expect_err("it is gone").kind, PortErrorKind::NotFound);
    assert_eq!(blobs.finish(&upload).await.expect_err("it is gone").kind, PortErrorKind::NotFound);
    assert_eq!(get(blobs, "a").await, None);
}

/// A forgotten upload is gone at once, without being waited for.
pub async fn forgotten_uploads_leave_nothing(blobs: &dyn Blobs) {
    let upload = blobs.begin(&key("a")).await.expect("an upload");
    blobs.part(&upload, Bytes::from(noise(300_000))).await.expect("a part");
    blobs.forget(&upload);
    assert_eq!(blobs.finish(&upload).await.expect_err("it is gone").kind, PortErrorKind::NotFound);
    assert_eq!(get(blobs, "a").await, None);
}

/// A newer blob replaces the older one of its name as a whole, when it is finished.
pub async fn a_newer_blob_replaces_the_older(blobs: &dyn Blobs) {
    put(blobs, "a", b"a long first version").await;
    let upload = blobs.begin(&key("a")).await.expect("an upload");
    blobs.part(&upload, Bytes::from_static(b"second")).await.expect("a part");
    assert_eq!(get(blobs, "a").await.as_deref(), Some(&b"a long first version"[..]));
    blobs.finish(&upload).await.expect("a blob");
    assert_eq!(get(blobs, "a").await.as_deref(), Some(&b"second"[..]));
}

/// Uploads at the same time, even of the same name, do not mix; the last one finished is the one that stays.
pub async fn uploads_do_not_mix(blobs: &dyn Blobs) {
    let one = blobs.begin(&key("a/one")).await.expect("an upload");
    let two = blobs.begin(&key("a/two")).await.expect("an upload");
    let again = blobs.begin(&key("a/one")).await.expect("an upload");
    for part in 0..3_u8 {
        blobs.part(&one, Bytes::from(vec![b'1', part])).await.expect("a part");
        blobs.part(&two, Bytes::from(vec![b'2', part])).await.expect("a part");
        blobs.part(&again, Bytes::from(vec![b'3', part])).await.expect("a part");
    }
    for upload in [&again, &two, &one] {
        blobs.finish(upload).await.expect("a blob");
    }
    assert_eq!(get(blobs, "a/one").await.as_deref(), Some(&[b'1', 0, b'1', 1, b'1', 2][..]));
    assert_eq!(get(blobs, "a/two").await.as_deref(), Some(&[b'2', 0, b'2', 1, b'2', 2][..]));
}

/// A large blob goes in as parts of any size and comes out in chunks of at most 1 MiB.
pub async fn large_blobs_come_in_chunks(blobs: &dyn Blobs) {
    let content = noise(7_654_321);
    let upload = blobs.begin(&key("large")).await.expect("an upload");
    let (small, large) = content.split_at(100_000);
    for part in small.chunks(777).chain(large.chunks(6_000_000)) {
        blobs.part(&upload, Bytes::copy_from_slice(part)).await.expect("a part");
    }
    blobs.finish(&upload).await.expect("a blob");
    assert!(get(blobs, "large").await.expect("a blob") == content, "the content differs");
}

/// An upload without bytes is an empty blob.
pub async fn empty_blobs_are_blobs(blobs: &dyn Blobs) {
    let upload = blobs.begin(&key("empty")).await.expect("an upload");
    blobs.finish(&upload).await.expect("a blob");
    assert_eq!(get(blobs, "empty").await, Some(Vec::new()));
}

/// Names that are not made of letters, digits, `-`, `_`, `.` and `/`, or that lead out of a folder or hide in it,
/// are refused.
pub async fn bad_names_are_refused(blobs: &dyn Blobs) {
    let long = "a".repeat(600);
    let bad = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        ".uploads/x",
        "a/.b",
        "a b",
        "a\\b",
        "a\0b",
        "ä",
        "a:b",
        "a?b",
        "a\nb",
        "C:\\a",
        long.as_str(),
    ];
    for name in bad {
        let begun = blobs.begin(&key(name)).await;
        assert!(begun.is_err(), "{name:?} was accepted");
        assert!(blobs.get(&key(name)).await.is_err(), "{name:?} was read");
    }
    for name in ["a", "a.b", "A-b_c.9/d..e/f"] {
        put(blobs, name, b"good").await;
        assert_eq!(get(blobs, name).await.as_deref(), Some(&b"good"[..]), "{name}");
        blobs.delete(&key(name)).await.expect("it goes");
    }
}

/// A blob that was never there is `NotFound`, and so is the folder that holds others.
pub async fn missing_blobs_are_not_found(blobs: &dyn Blobs) {
    put(blobs, "folder/one", b"1").await;
    for name in ["nothing", "folder/two", "folder", "folder/one/more"] {
        assert_eq!(get(blobs, name).await, None, "{name}");
    }
}

/// A deleted blob is gone; deleting what is missing is no error.
pub async fn deleted_blobs_are_gone(blobs: &dyn Blobs) {
    put(blobs, "folder/one", b"1").await;
    put(blobs, "folder/two", b"2").await;
    for _ in 0..2 {
        blobs.delete(&key("folder/one")).await.expect("it goes");
        assert_eq!(get(blobs, "folder/one").await, None);
    }
    assert_eq!(get(blobs, "folder/two").await.as_deref(), Some(&b"2"[..]));
}

/// BL-1: a reader gets the whole blob that it opened, whatever replaces it meanwhile.
pub async fn readers_keep_what_they_opened(blobs: &dyn Blobs) {
    let content = noise(3_000_000);
    put(blobs, "a", &content).await;
    let mut read = blobs.get(&key("a")).await.expect("a blob");
    put(blobs, "a", b"newer").await;
    let mut seen = Vec::new();
    while let Some(chunk) = read.stream.next().await {
        seen.extend_from_slice(&chunk.expect("a chunk"));
    }
    assert!(seen == content, "the reader saw something else");
}

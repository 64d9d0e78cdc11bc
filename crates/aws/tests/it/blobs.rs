//! Blobs on S3: a strict server in this process, and an engine if there is one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput,
    PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use sn17_app::Host;
use sn17_app::ports::{BlobKey, Blobs, PortErrorKind, PortResult, UploadId};
use sn17_aws::blobs::{BlobOptions, S3Blobs};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_core::UnixMs;
use tokio::net::TcpListener;

use crate::engines::{self, KEYS, Scripted, download};

const MIB: usize = 1 << 20;

mod on_a_strict_server {
    use super::Strict;
    sn17_store::blobs_conformance!(Strict::start().await);
}

mod on_an_engine {
    use super::OnEngine;
    sn17_store::blobs_conformance!(match OnEngine::start().await {
        Some(blobs) => blobs,
        None => return,
    });
}

/// Blobs on a server in this process that checks signatures, checksums and sizes of parts.
struct Strict {
    blobs: S3Blobs,
    clients: Clients,
    endpoint: String,
    bucket: String,
    folder: tempfile::TempDir,
}

impl std::ops::Deref for Strict {
    type Target = S3Blobs;

    fn deref(&self) -> &S3Blobs {
        &self.blobs
    }
}

impl Strict {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = serve(folder.path()).await;
        let clients = engines::clients(&endpoint);
        let bucket = engines::bucket(&clients).await;
        Self { blobs: blobs(clients.s3(), &bucket, native::host()), clients, endpoint, bucket, folder }
    }

    /// What multipart uploads have left on the disk.
    fn leftovers(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("upload")).count()
    }
}

/// Serves S3 from a folder at a port of its own; answers where.
pub(crate) async fn serve(folder: &Path) -> String {
    let [key, secret] = KEYS;
    let flat = Flat { files: FileSystem::new(folder).unwrap(), folder: folder.to_owned() };
    let mut service = S3ServiceBuilder::new(flat);
    service.set_auth(SimpleAuth::from_single(key, secret));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // A client that goes away is no failure.
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    endpoint
}

/// The server's file system without its folders: S3 has none, so what lies "below" an object is merely missing and
/// no failure.
struct Flat {
    files: FileSystem,
    folder: PathBuf,
}

/// Hands operations on as they are.
macro_rules! hand_on {
    ($($operation:ident: $input:ty => $output:ty,)+) => {
        #[async_trait]
        impl S3 for Flat {
            async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
                let input = &request.input;
                if !self.folder.join(&input.bucket).join(&input.key).is_file() {
                    return Err(s3_error!(NoSuchKey));
                }
                self.files.get_object(request).await
            }

            $(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.files.$operation(request).await
            })+
        }
    };
}

hand_on! {
    create_bucket: CreateBucketInput => CreateBucketOutput,
    put_object: PutObjectInput => PutObjectOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    upload_part: UploadPartInput => UploadPartOutput,
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
}

/// Blobs on the engine that the environment names.
struct OnEngine {
    blobs: S3Blobs,
    client: Client,
    bucket: String,
}

impl std::ops::Deref for OnEngine {
    type Target = S3Blobs;

    fn deref(&self) -> &S3Blobs {
        &self.blobs
    }
}

impl OnEngine {
    async fn start() -> Option<Self> {
        let clients = engines::engine()?;
        let bucket = engines::bucket(&clients).await;
        let client = clients.s3();
        Some(Self { blobs: blobs(client.clone(), &bucket, native::host()), client, bucket })
    }

    /// The multipart uploads that the engine knows of.
    async fn unfinished(&self) -> usize {
        let list = self.client.list_multipart_uploads().bucket(&self.bucket).send().await.unwrap();
        list.uploads().len()
    }
}

fn blobs(client: Client, bucket: &str, host: Host) -> S3Blobs {
    S3Blobs::new(client, BlobOptions { uploads_max: 3, ..BlobOptions::new(bucket) }, host)
}

fn key(name: &str) -> BlobKey {
    BlobKey(name.to_owned())
}

/// Begins an upload and sends so many MiB.
async fn upload(blobs: &S3Blobs, name: &str, mib: usize) -> UploadId {
    let upload = blobs.begin(&key(name)).await.unwrap();
    for number in 0..mib {
        let part = vec![u8::try_from(number % 251).unwrap(); MIB];
        blobs.part(&upload, Bytes::from(part)).await.unwrap();
    }
    upload
}

async fn read(blobs: &S3Blobs, name: &str) -> PortResult<Vec<u8>> {
    let mut read = blobs.get(&key(name)).await?;
    let mut content = Vec::new();
    while let Some(chunk) = read.stream.next().await {
        content.extend_from_slice(&chunk?);
    }
    Ok(content)
}

/// The machine's host with a clock that is `secs` seconds off.
fn host_off_by(secs: i64) -> Host {
    let real = native::host();
    let now = Arc::clone(&real.now);
    Host { now: Arc::new(move || UnixMs(now().0.saturating_add_signed(secs * 1000))), ..real }
}

#[tokio::test]
async fn thirty_mib_come_back_from_a_strict_server() {
    let strict = Strict::start().await;
    let id = upload(&strict, "a", 30).await;
    strict.finish(&id).await.unwrap();
    let content = read(&strict, "a").await.unwrap();
    assert_eq!(content.len(), 30 * MIB);
    assert!(
        content
            .chunks(MIB)
            .enumerate()
            .all(|(number, mib)| mib.iter().all(|byte| usize::from(*byte) == number))
    );
    assert_eq!(strict.leftovers(), 0);
}

#[tokio::test]
async fn an_aborted_upload_leaves_no_part() {
    let strict = Strict::start().await;
    let id = upload(&strict, "a", 12).await;
    assert!(strict.leftovers() > 0, "the upload has sent no part");
    strict.abort(&id).await.unwrap();
    assert_eq!(strict.leftovers(), 0);
}

#[tokio::test]
async fn a_forgotten_upload_goes_with_the_next_one() {
    let strict = Strict::start().await;
    for _ in 0..5 {
        let id = upload(&strict, "a", 6).await;
        strict.forget(&id);
        let next = strict.begin(&key("b")).await.unwrap();
        strict.finish(&next).await.unwrap();
        assert_eq!(strict.leftovers(), 0);
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_its_parts_to_the_next_one() {
    let strict = Strict::start().await;
    let id = upload(&strict, "a", 11).await;
    // Polled once, the part is on its way; then its caller goes.
    let part = strict.part(&id, Bytes::from(vec![0; 6 * MIB]));
    assert!(futures_util::FutureExt::now_or_never(part).is_none());
    assert_eq!(strict.finish(&id).await.unwrap_err().kind, PortErrorKind::Conflict);
    strict.forget(&id);
    assert_eq!(strict.finish(&id).await.unwrap_err().kind, PortErrorKind::NotFound);
    let next = strict.begin(&key("b")).await.unwrap();
    strict.finish(&next).await.unwrap();
    assert_eq!(strict.leftovers(), 0);
}

#[tokio::test]
async fn parts_are_five_mib_and_one_at_a_time() {
    let service = Scripted::new(|request| {
        let created = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
        let completed = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
        let body = match request.uri() {
            uri if uri.contains("uploads") => created,
            uri if uri.contains("partNumber") => "",
            _ => completed,
        };
        (200, body.to_owned())
    });
    let blobs = blobs(engines::scripted(&service).s3(), "bucket", native::host());
    let id = upload(&blobs, "a", 30).await;
    // The last one waits to be completed, as nobody knows that it is the last.
    assert_eq!(service.asked().len(), 1 + 5);
    blobs.finish(&id).await.unwrap();
    let sizes: Vec<usize> = service.asked().iter().map(|asked| asked.body.len()).collect();
    assert_eq!(sizes[1..7], [5 * MIB; 6]);
    assert_eq!(sizes.len(), 8);

    let before = service.asked().len();
    let id = upload(&blobs, "b", 5).await;
    assert_eq!(service.asked().len(), before);
    blobs.finish(&id).await.unwrap();
    assert_eq!(service.asked().len(), before + 1);
}

#[tokio::test]
async fn uploads_at_once_are_bounded() {
    let strict = Strict::start().await;
    let ids = [upload(&strict, "a", 0).await, upload(&strict, "b", 0).await, upload(&strict, "c", 0).await];
    assert_eq!(strict.begin(&key("d")).await.unwrap_err().kind, PortErrorKind::Throttled);
    strict.forget(&ids[0]);
    let id = strict.begin(&key("d")).await.unwrap();
    assert_eq!(strict.begin(&key("e")).await.unwrap_err().kind, PortErrorKind::Throttled);
    strict.abort(&id).await.unwrap();
    strict.begin(&key("e")).await.unwrap();
}

#[tokio::test]
async fn uploads_that_get_no_bytes_give_up_their_place_after_15_minutes() {
    let service = Scripted::new(|_| (200, String::new()));
    let offset = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let real = native::host();
    let (now, moved) = (Arc::clone(&real.now), Arc::clone(&offset));
    let host = Host { now: Arc::new(move || now().plus_secs(moved.load(Ordering::SeqCst))), ..real };
    let blobs = blobs(engines::scripted(&service).s3(), "bucket", host);
    for name in ["a", "b", "c"] {
        blobs.begin(&key(name)).await.unwrap();
    }
    offset.store(14 * 60, Ordering::SeqCst);
    assert_eq!(blobs.begin(&key("d")).await.unwrap_err().kind, PortErrorKind::Throttled);
    offset.store(15 * 60 + 1, Ordering::SeqCst);
    blobs.begin(&key("d")).await.unwrap();
}

#[tokio::test]
async fn a_link_downloads_under_its_name_until_it_expires() {
    let strict = Strict::start().await;
    check_links(&strict, strict.clients.s3(), &strict.bucket).await;
    let Some(engine) = OnEngine::start().await else { return };
    check_links(&engine, engine.client.clone(), &engine.bucket).await;
}

async fn check_links(blobs: &S3Blobs, client: Client, bucket: &str) {
    let id = blobs.begin(&key("results/a.ply")).await.unwrap();
    blobs.part(&id, Bytes::from_static(b"content")).await.unwrap();
    blobs.finish(&id).await.unwrap();

    let link = blobs.presign(&key("results/a.ply"), 60, "my chair.ply").await.unwrap().unwrap();
    let (status, head, body) = download(&link).await;
    assert_eq!((status, &body[..]), (200, &b"content"[..]), "{link} {head}");
    assert!(head.contains("content-disposition: attachment; filename=\"my_chair.ply\""), "{head}");

    let (status, ..) = download(&link.replace("my_chair", "malware")).await;
    assert_eq!(status, 403);
    let (status, ..) = download(&link.replace("a.ply?", "b.ply?")).await;
    assert_eq!(status, 403);

    let yesterday = self::blobs(client, bucket, host_off_by(-24 * 3600));
    let link = yesterday.presign(&key("results/a.ply"), 23 * 3600, "a.ply").await.unwrap().unwrap();
    assert_eq!(download(&link).await.0, 403);
    assert_eq!(blobs.presign(&key("../a"), 60, "a").await.unwrap_err().kind, PortErrorKind::NotFound);
}

#[tokio::test]
async fn stale_uploads_of_other_processes_are_aborted() {
    let Some(engine) = OnEngine::start().await else { return };
    let other = blobs(engine.client.clone(), &engine.bucket, native::host());
    for name in ["a", "b", "c"] {
        upload(&other, name, 6).await;
    }
    drop(other);
    assert_eq!(engine.unfinished().await, 3);
    assert_eq!(engine.abort_stale(900).await.unwrap(), 0);
    let later = blobs(engine.client.clone(), &engine.bucket, host_off_by(901));
    assert_eq!(later.abort_stale(900).await.unwrap(), 3);
    assert_eq!(engine.unfinished().await, 0);
    assert_eq!(later.abort_stale(900).await.unwrap(), 0);
}

#[tokio::test]
async fn aborting_leaves_no_multipart_upload_on_an_engine() {
    let Some(engine) = OnEngine::start().await else { return };
    let id = upload(&engine, "a", 6).await;
    assert_eq!(engine.unfinished().await, 1);
    engine.abort(&id).await.unwrap();
    assert_eq!(engine.unfinished().await, 0);
}

#[tokio::test]
async fn every_page_of_stale_uploads_is_aborted() {
    let service = Scripted::new(|request| {
        let page = |number: usize, more: bool| {
            format!(
                "<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated>\
                 <NextKeyMarker>k{number}</NextKeyMarker><NextUploadIdMarker>u{number}</NextUploadIdMarker>\
                 <Upload><Key>old{number}</Key><UploadId>u{number}</UploadId>\
                 <Initiated>2025-01-01T00:00:00Z</Initiated></Upload>\
                 <Upload><Key>new{number}</Key><UploadId>n{number}</UploadId>\
                 <Initiated>2099-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>"
            )
        };
        match request.uri() {
            uri if uri.contains("key-marker=k1") => (200, page(2, false)),
            uri if uri.contains("uploads") => (200, page(1, true)),
            // One of them is finished by its own process in the meantime.
            uri if uri.contains("old2") => (404, "<Error><Code>NoSuchUpload</Code></Error>".to_owned()),
            _ => (204, String::new()),
        }
    });
    let client = engines::scripted(&service).s3();
    let blobs = blobs(client.clone(), "bucket", native::host());
    assert_eq!(blobs.abort_stale(900).await.unwrap(), 2);
    let aborted = || service.asked().iter().filter(|asked| asked.uri.contains("old")).count();
    assert_eq!(aborted(), 2);

    let options = BlobOptions { stale_max: 1, ..BlobOptions::new("bucket") };
    let bounded = S3Blobs::new(client, options, native::host());
    assert_eq!(bounded.abort_stale(900).await.unwrap(), 1);
    assert_eq!(aborted(), 3, "the rest is for the next time");
}

#[tokio::test]
async fn damaged_bytes_are_refused_on_either_way() {
    let strict = Strict::start().await;
    let damage = Damage::new();
    let config = engines::config(SharedHttpClient::new(damage.clone()), &strict.endpoint);
    let blobs = blobs(Clients::new(config, true).s3(), &strict.bucket, native::host());

    for mib in [1, 6] {
        let id = upload(&blobs, "a", mib).await;
        damage.requests.store(true, Ordering::SeqCst);
        let error = blobs.finish(&id).await.unwrap_err();
        damage.requests.store(false, Ordering::SeqCst);
        assert!(matches!(error.kind, PortErrorKind::Unavailable), "{error}");
        assert_eq!(read(&blobs, "a").await.unwrap_err().kind, PortErrorKind::NotFound);
    }
    let id = upload(&blobs, "a", 1).await;
    blobs.finish(&id).await.unwrap();
    assert_eq!(read(&blobs, "a").await.unwrap().len(), MIB);
    damage.answers.store(true, Ordering::SeqCst);
    assert_eq!(read(&blobs, "a").await.unwrap_err().kind, PortErrorKind::Corrupt);
}

/// A network that damages bytes on their way.
#[derive(Clone, Debug)]
struct Damage {
    client: SharedHttpClient,
    requests: Arc<AtomicBool>,
    answers: Arc<AtomicBool>,
}

impl Damage {
    fn new() -> Self {
        Self { client: Builder::new().build_http(), requests: Arc::default(), answers: Arc::default() }
    }
}

impl HttpClient for Damage {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(DamagedConnector { connector, damage: self.clone() })
    }
}

#[derive(Debug)]
struct DamagedConnector {
    connector: SharedHttpConnector,
    damage: Damage,
}

impl HttpConnector for DamagedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let content = request.body().bytes().unwrap_or_default().to_vec();
        if self.damage.requests.load(Ordering::SeqCst) && content.len() >= MIB {
            *request.body_mut() = SdkBody::from(flipped(content));
        }
        let answer = self.connector.call(request);
        let damage = self.damage.answers.load(Ordering::SeqCst);
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            if damage {
                let body = std::mem::replace(response.body_mut(), SdkBody::empty());
                let content = aws_sdk_s3::primitives::ByteStream::new(body).collect().await.unwrap();
                *response.body_mut() = SdkBody::from(flipped(content.to_vec()));
            }
            Ok(response)
        })
    }
}

fn flipped(mut content: Vec<u8>) -> Vec<u8> {
    if let Some(byte) = content.last_mut() {
        *byte ^= 1;
    }
    content
}

//! What edges are for: results that Lambda refuses, streamed to the bucket in bounded memory.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sn17_aws::clients::Clients;
use sn17_splat::procedural::{Quality, object};
use sn17_splat::{Splats, SpzDialect, encode_spz};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::deployment::DeployedHost;
use crate::host::{Host, on_edges};
use crate::miner::{Miner, Task};
use crate::payload::Random;
use crate::server::Server;
use crate::worker::OUTPUTS;

/// Bytes of a large result, 27 MB of its request. No other test hands in so many.
const LARGE_BYTES: usize = 20_000_003;
/// An upload has begun, or is gone, within this.
const HAPPENS_WITHIN: Duration = Duration::from_secs(120);
/// The memory of a download that was left is free again within this. It takes a second; V8 by itself collects what it is
/// in after half a minute.
const FREED_WITHIN: Duration = Duration::from_secs(12);
/// WASM's memory in a Worker at its most: it counts towards the 128 MB that an isolate may have (Cloudflare's limits).
const WORKER_BYTES_MAX: u64 = 96 << 20;
/// Uploads that are lost, more than there are places for.
const LOST: u64 = 7;
/// Splats of 56 bytes each, of which a conversion holds two copies beside the SPZ.
const CITY_SPLATS: usize = 200_000;
/// Downloads that are lost: two of them hold nearly all the memory that results as PLY may take.
const LOST_DOWNLOADS: usize = 4;
/// How often the bucket is looked at.
const POLL_EVERY: Duration = Duration::from_millis(100);

on_edges!(
    a_result_of_twenty_megabytes_is_kept_to_the_byte,
    six_results_of_twenty_megabytes_arrive_at_once,
    an_upload_whose_sender_vanishes_leaves_nothing,
    a_download_whose_client_vanishes_gives_its_memory_back,
    au_2_a_nonce_is_used_up_on_every_host_at_once,
);

/// The bucket of a network that is deployed.
struct Bucket {
    name: String,
    clients: Clients,
}

impl Bucket {
    async fn of(server: &Server) -> Self {
        let outputs = &server.deployment().outputs.worker;
        Self { name: outputs.bucket.clone(), clients: outputs.clients().await }
    }

    /// Every multipart upload that is under way.
    async fn uploads(&self) -> BTreeSet<String> {
        let uploads = self.clients.s3().list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        uploads.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()).collect()
    }

    /// The names of the submissions of so many bytes.
    async fn submissions_of(&self, bytes: usize) -> BTreeSet<String> {
        let bytes = i64::try_from(bytes).unwrap();
        let list = self.clients.s3().list_objects_v2().bucket(&self.name).prefix("submissions/");
        let mut pages = list.into_paginator().send();
        let mut names = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let large = page.contents().iter().filter(|object| object.size() == Some(bytes));
            names.extend(large.map(|object| object.key().unwrap().to_owned()));
        }
        names
    }

    async fn read(&self, name: &str) -> Vec<u8> {
        let object = self.clients.s3().get_object().bucket(&self.name).key(name).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }
}

async fn a_result_of_twenty_megabytes_is_kept_to_the_byte(host: Host) {
    let server = host.mining(1).await;
    let bucket = Bucket::of(&server).await;
    let miner = server.miner(1);
    let results = Random(u64::from(miner.number)).bytes(LARGE_BYTES);
    let before = bucket.submissions_of(LARGE_BYTES).await;
    let task = miner.task(&server).await;
    let answer = miner.submit(&server, &task, &results).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.message().starts_with("Success"), "{}", answer.message());
    let mut are_kept = false;
    for name in bucket.submissions_of(LARGE_BYTES).await.difference(&before) {
        are_kept |= bucket.read(name).await == results;
    }
    assert!(are_kept, "the bucket has another result than the miner's");
}

/// More at once are a second isolate's.
async fn six_results_of_twenty_megabytes_arrive_at_once(host: Host) {
    let server = host.mining(6).await;
    let results = Random(6).bytes(LARGE_BYTES - 1);
    let miners: Vec<Miner> = (1..=6).map(|number| server.miner(number)).collect();
    let submitting = miners.iter().map(|miner| async {
        let task = miner.task(&server).await;
        miner.submit(&server, &task, &results).await
    });
    for answer in join_all(submitting).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.message().starts_with("Success"), "{}", answer.message());
    }
    if server.deployment().outputs.host == DeployedHost::Worker {
        let memory = worker_bytes();
        println!("WASM's memory: {} MiB at its most", memory >> 20);
        assert!((1..=WORKER_BYTES_MAX).contains(&memory), "{memory}");
    }
}

/// WASM's memory at its most, of which the Worker tells with every request.
fn worker_bytes() -> u64 {
    let outputs = PathBuf::from(std::env::var_os(OUTPUTS).unwrap());
    let log = std::fs::read_to_string(outputs.with_extension("log")).unwrap();
    let told = log.split("\"memory\":").skip(1);
    let bytes = told.filter_map(|rest| rest.split(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok());
    bytes.max().unwrap_or_default()
}

/// Whatever else is uploaded belongs to no test of this turn, since clients' tasks are for one test alone.
async fn an_upload_whose_sender_vanishes_leaves_nothing(host: Host) {
    let server = host.with_clients(1, json!({})).await;
    let bucket = Bucket::of(&server).await;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    let before = bucket.uploads().await;
    for _ in 0..LOST {
        lose_an_upload(&server, &bucket, &before, &miner, &task).await;
    }
    // The miner still has its task, and a place to hand it in.
    let answer = miner.submit(&server, &task, &Random(1).bytes(1000)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.message().starts_with("Success"), "{}", answer.message());
}

async fn lose_an_upload(
    server: &Server,
    bucket: &Bucket,
    before: &BTreeSet<String>,
    miner: &Miner,
    task: &Task,
) {
    let connection = send_half(server, miner, task).await;
    let is_new = |uploads: BTreeSet<String>| uploads.difference(before).next().is_some();
    let begun = async {
        while !is_new(bucket.uploads().await) {
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    tokio::time::timeout(HAPPENS_WITHIN, begun).await.expect("an upload begins");
    drop(connection);
    let ended = async {
        while is_new(bucket.uploads().await) {
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    tokio::time::timeout(HAPPENS_WITHIN, ended).await.expect("the upload is aborted");
}

async fn au_2_a_nonce_is_used_up_on_every_host_at_once(host: Host) {
    let server = host.mining(2).await;
    let function = server.deployment().outputs.miner_url.clone();
    let edge = server.url.clone();
    for (number, hosts) in [(1, [&edge, &function]), (2, [&function, &edge])] {
        let request = server.miner(number).pull_request(&server);
        let mut statuses = Vec::new();
        for host in hosts {
            let mut sent = server.http.post(format!("{host}{}", request.path));
            for (name, value) in &request.headers {
                sent = sent.header(*name, value);
            }
            statuses.push(sent.body(request.body.clone()).send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 401]);
    }
}

async fn a_download_whose_client_vanishes_gives_its_memory_back(host: Host) {
    let server = host.with_clients(1, json!({})).await;
    let id = server.add_task("a city of many houses").await;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    assert_eq!(task.id, id);
    let answer = miner.submit(&server, &task, &city()).await;
    assert_eq!(answer.message(), "Success", "{}", answer.text());
    assert_eq!(server.ended(&id).await["status"], "Success");
    let path = format!("/get_result?id={id}&format=ply");
    for _ in 0..LOST_DOWNLOADS {
        let begun = async {
            while !begins(&server, &path).await {
                tokio::time::sleep(POLL_EVERY).await;
            }
        };
        tokio::time::timeout(FREED_WITHIN, begun).await.expect("a download finds memory again");
    }
    let whole = async {
        loop {
            let answer = server.get(&path).await;
            if answer.status == 200 {
                return answer;
            }
            assert_eq!(answer.status, 503, "{}", answer.text());
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    let whole = tokio::time::timeout(FREED_WITHIN, whole).await.expect("the last finds memory, too");
    assert!(whole.body.starts_with(b"ply"));
}

/// Splats whose conversion takes most of an edge's memory for it.
fn city() -> Vec<u8> {
    let house = object("a red wooden robot", Quality::Intact, 17);
    let mut city = Splats::default();
    while city.len() + house.len() < CITY_SPLATS {
        city.positions.extend(&house.positions);
        city.scales.extend(&house.scales);
        city.rotations.extend(&house.rotations);
        city.opacities.extend(&house.opacities);
        city.colors.extend(&house.colors);
    }
    encode_spz(&city, SpzDialect::Network, 1).unwrap()
}

/// Asks for a result and leaves with the first of its bytes; whether there were any, and not a refusal for want of memory.
async fn begins(server: &Server, path: &str) -> bool {
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\n\r\n", server.address(), server.api_key);
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    connection.read_exact(&mut start).await.unwrap();
    match &start {
        b"HTTP/1.1 200" => true,
        b"HTTP/1.1 503" => false,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

/// Sends the head and half the body of a large submission.
async fn send_half(server: &Server, miner: &Miner, task: &Task) -> TcpStream {
    let request = miner.submit_request(server, task, &Random(2).bytes(LARGE_BYTES));
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {}\r\n", request.path, server.address());
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", request.body.len());
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&request.body[..request.body.len() / 2]).await.unwrap();
    connection
}

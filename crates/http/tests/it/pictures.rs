//! Picture prompts, and the work that must not keep other requests waiting.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt as _;
use image::{DynamicImage, ImageFormat};
use sn17_core::policy::Policy;
use sn17_http::{Blocking, HttpOptions};
use tower::ServiceExt as _;

use crate::world::{FORM, World, form, miner, options, post, read, world, world_with};

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture that no encoder can make small.
fn noise(side: u32) -> DynamicImage {
    let mut state = 1_u32;
    let image = image::RgbImage::from_fn(side, side, |_, _| {
        image::Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        }))
    });
    image.into()
}

#[tokio::test]
async fn pictures_of_every_kind_are_read_to_their_last_pixel() {
    let world = world().await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let picture = encoded(&noise(64), format);
        let answer = world.add(FORM, form(&[("image", &picture)])).await;
        assert_eq!(answer.status, 200, "{format:?} {}", answer.text());
    }
    let deepest = encoded(&DynamicImage::new_rgba16(1024, 1024), ImageFormat::Png);
    assert_eq!(world.add(FORM, form(&[("image", &deepest)])).await.status, 200);

    // A good header before pixels that end early or are not what their checksum says.
    let whole = encoded(&noise(64), ImageFormat::Png);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let webp = encoded(&noise(64), ImageFormat::WebP);
    for broken in [&whole[..whole.len() / 2], &flipped, &webp[..webp.len() / 2]] {
        let answer = world.add(FORM, form(&[("image", broken)])).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(
            answer.text().starts_with("Bad request: Failed to guess image format: "),
            "{}",
            answer.text()
        );
    }
    assert_eq!(world.app.ports().ledger.open_tasks().await.unwrap(), 4, "no miner gets a broken one");
}

#[tokio::test]
async fn in_1_pictures_are_decoded_within_their_memory() {
    let picture = form(&[("image", &encoded(&noise(4), ImageFormat::Png))]);
    let work = Arc::new(Mutex::new(Vec::new()));
    let waiting = Arc::clone(&work);
    let options = HttpOptions {
        conversion_memory_bytes: 32 << 20,
        blocking: Blocking::new(move |job| waiting.lock().unwrap().push(job)),
        ..options()
    };
    let world = world_with(Policy::default(), options).await;
    let mut first = Box::pin(world.add(FORM, picture.clone()));
    while work.lock().unwrap().is_empty() {
        assert!((&mut first).now_or_never().is_none(), "it is not decoded on this thread");
        tokio::task::yield_now().await;
    }
    let refused = world.add(FORM, picture.clone()).await;
    assert_eq!(refused.text(), "Service unavailable: too many pictures are being read");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "2"));
    world.task("words need no decoding").await;
    let jobs = std::mem::take(&mut *work.lock().unwrap());
    jobs.into_iter().for_each(|job| job());
    assert_eq!(first.await.status, 200);
}

#[tokio::test]
async fn in_1_a_picture_takes_no_more_memory_than_a_single_one_may() {
    let picture = encoded(&DynamicImage::new_rgba16(256, 256), ImageFormat::Png);
    let pixels = 256 * 256 * 8;
    for (bytes_max, is_read) in [(2 * pixels, true), (pixels - 1, false)] {
        let options = HttpOptions { conversion_bytes_max: Some(bytes_max), ..options() };
        let world = world_with(Policy::default(), options).await;
        let answer = world.add(FORM, form(&[("image", &picture)])).await;
        assert_eq!(answer.status == 200, is_read, "{bytes_max}: {}", answer.text());
        if !is_read {
            let text = "Bad request: Failed to guess image format: Memory limit exceeded";
            assert_eq!((answer.status, answer.text()), (400, text));
        }
    }
}

#[tokio::test]
async fn in_1_pictures_on_their_way_to_miners_are_bounded() {
    let picture = encoded(&noise(64), ImageFormat::Png);
    let body = form(&[("image", &picture)]);
    // Enough to take one in, or to make one answer, and too little to make one beside one that is being read.
    let options = HttpOptions { prompt_memory_bytes: 6 * picture.len(), ..options() };
    let world = world_with(Policy::default(), options).await;
    assert!(2 * body.len() < 6 * picture.len());
    assert_eq!(send_sized(&world, &body).await, 200);
    let unread = world.router.clone().oneshot(post(world.pull_request(&miner(1)))).await.unwrap();
    let bytes: usize = unread.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(unread.status(), 200);

    let refused = world.send_synapse(world.pull_request(&miner(2))).await;
    let words = "too many pictures are being handed out";
    assert_eq!((refused.status, refused.json()["message"].as_str()), (503, Some(words)));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.header("bt_header_axon_status_code"), "503");

    let answer = read(unread).await;
    assert_eq!(answer.body.len(), bytes);
    let (task, prompt) = world.pull(&miner(2)).await;
    let id = answer.json()["task"]["id"].as_str().unwrap().to_owned();
    assert_eq!(task, id, "its task has stayed its own");
    assert_eq!(answer.json()["task"]["prompt"], prompt);
}

/// A form whose length is announced, as clients do.
async fn send_sized(world: &World, body: &[u8]) -> u16 {
    let request = Request::post("/add_task").header("x-api-key", &world.key).header("content-type", FORM);
    let request = request.header("content-length", body.len()).body(Body::from(body.to_vec()));
    world.send(request.unwrap()).await.status
}

#[tokio::test]
async fn work_that_the_host_loses_is_a_failure_of_ours() {
    let options = HttpOptions { blocking: Blocking::new(drop), ..options() };
    let world = world_with(Policy::default(), options).await;
    let answer = world.add(FORM, form(&[("image", &encoded(&noise(4), ImageFormat::Png))])).await;
    let text = "Internal Server Error: the request failed on our side";
    assert_eq!((answer.status, answer.text()), (500, text));
}

#[tokio::test]
async fn a_picture_that_is_gone_ends_nobodys_submission_with_an_error() {
    let world = world().await;
    let picture = encoded(&noise(4), ImageFormat::Png);
    let answer = world.add(FORM, form(&[("image", &picture)])).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let (task, prompt) = world.pull(&miner(1)).await;
    assert_eq!(task, id);
    let blob = sn17_app::ports::BlobKey(format!("prompts/{id}"));
    world.app.ports().blobs.delete(&blob).await.unwrap();
    let answer = world.send_synapse(world.submit_request(&miner(1), &task, &prompt, b"a splat")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = "Unchanged: the task's picture has expired";
    assert_eq!(answer.header("bt_header_axon_status_message"), message);
    assert_eq!(answer.json()["cooldown_until"], 0, "nothing has changed");
    let (next, _) = world.pull(&miner(1)).await;
    assert_ne!(next, task);
}

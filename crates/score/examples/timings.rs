//! Prints how long loading, one scoring and its parts take with synthetic models.
//!
//! `cargo run --release -p sn17-score --example timings`

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::time::Instant;

use sn17_score::{PromptRef, Scorer, ScorerOptions, VIEW_COUNT, VIEW_SIZE_PX, ssim, synthetic};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    synthetic::write(folder.path())?;
    let start = Instant::now();
    let mut scorer = Scorer::load(folder.path(), &ScorerOptions::default())?;
    println!("load and warm up {:?}", start.elapsed());

    let pixel = |index: usize, view: usize| u8::try_from((index / 3 + 31 * view) % 251).unwrap_or(0);
    let view =
        |view| (0..3 * VIEW_SIZE_PX * VIEW_SIZE_PX).map(|index| pixel(index, view)).collect::<Vec<u8>>();
    let views: Vec<Vec<u8>> = (0..VIEW_COUNT).map(view).collect();
    let views: Vec<&[u8]> = views.iter().map(Vec::as_slice).collect();
    for _ in 0..3 {
        let start = Instant::now();
        scorer.metrics(&views, PromptRef::Text("a red cube"))?;
        println!("16 views, text prompt, all metrics {:?}", start.elapsed());
    }
    let start = Instant::now();
    ssim::cyclic_pairs(&views, VIEW_SIZE_PX, VIEW_SIZE_PX);
    println!("of which SSIM of 16 pairs {:?}", start.elapsed());
    Ok(())
}

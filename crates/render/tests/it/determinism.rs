//! The same bits whatever the number of threads.

use sn17_render::{Camera, Frame, RenderBudget, WHITE, normalise, render};
use sn17_splat::procedural::{Quality, object};

#[test]
fn pictures_do_not_depend_on_the_number_of_threads() {
    let scene = normalise(&object("a red robot", Quality::Noisy, 1), 1.5).unwrap();
    let draw = |threads: usize| -> Frame {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let camera = Camera::orbit(24.0, -15.0, 2.5, 300);
        pool.install(|| render(&scene, &camera, WHITE, &RenderBudget::default())).unwrap()
    };
    let one = draw(1);
    for threads in [2, 3, 7, 16] {
        assert!(draw(threads) == one, "{threads} threads");
    }
}

#[test]
fn qualities_look_different() {
    let draw = |quality| {
        let scene = normalise(&object("a red robot", quality, 1), 1.5).unwrap();
        render(&scene, &Camera::orbit(24.0, -15.0, 2.5, 128), WHITE, &RenderBudget::default()).unwrap()
    };
    let (intact, noisy, blank) = (draw(Quality::Intact), draw(Quality::Noisy), draw(Quality::Blank));
    assert!(blank.pixels.iter().all(|&value| value == 255), "blank");
    assert!(intact.pixels.iter().any(|&value| value < 100), "intact");
    assert!(intact != noisy, "noisy");
}

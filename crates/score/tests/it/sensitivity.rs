//! The synthetic graphs compute from pixels and tokens: what changes the splat, the view or the prompt changes the
//! metric that looks at it, and an intact object passes the network's threshold while noise and nothing do not.

use sn17_render::{BBOX_DEFAULT, FRONT_VIEW, normalise};
use sn17_score::PromptRef;
use sn17_splat::procedural::{Quality, object};

use crate::scenes::{self, BLUE, RED};
use crate::{fixture, has_runtime, judge, synthetic_scorer};

/// The network's threshold for a submission.
const ACCEPTED: f64 = 0.6;

#[test]
fn intact_objects_pass_and_noise_and_nothing_fail_for_texts_and_pictures() {
    if !has_runtime("intact_objects_pass") {
        return;
    }
    let mut scorer = synthetic_scorer();
    let specks = scenes::views(&scenes::specks(9000, 0.01));
    let hopeless = [("specks", specks), ("static", scenes::static_noise()), ("nothing", scenes::blank())];
    for words in ["a red chair", "a sword"] {
        let views = |quality| scenes::views(&normalise(&object(words, quality, 3), BBOX_DEFAULT).unwrap());
        let intact = views(Quality::Intact);
        let broken = [("noisy", views(Quality::Noisy)), ("blank", views(Quality::Blank))];
        let picture = with_alpha(&intact[FRONT_VIEW]);
        for prompt in [PromptRef::Text(words), PromptRef::Image { rgba: &picture, width: 518, height: 518 }] {
            let (raw, metrics, score) = judge(&mut scorer, &intact, prompt);
            assert!(raw.synthetic, "the label is kept");
            assert!(score >= ACCEPTED, "{words}: {score} {metrics:?}");
            for (name, views) in broken.iter().chain(&hopeless) {
                let (_, metrics, score) = judge(&mut scorer, views, prompt);
                assert!(score < ACCEPTED, "{name} for {words}: {score} {metrics:?}");
            }
        }
    }
}

#[test]
fn real_splats_pass_their_prompts() {
    let Some(hamburger) = fixture("hamburger.ply") else { return };
    if !has_runtime("real_splats_pass_their_prompts") {
        return;
    }
    let mut scorer = synthetic_scorer();
    let robocop = hamburger.with_file_name("robocop with hammer in one hand.spz");
    for (file, prompt) in [(hamburger, "a hamburger"), (robocop, "robocop with hammer in one hand")] {
        let splats =
            sn17_splat::decode(&std::fs::read(file).unwrap(), &sn17_splat::Limits::default()).unwrap();
        let views = scenes::views(&normalise(&splats, BBOX_DEFAULT).unwrap());
        let (_, metrics, score) = judge(&mut scorer, &views, PromptRef::Text(prompt));
        assert!(score >= ACCEPTED, "{prompt}: {score} {metrics:?}");
    }
}

#[test]
fn splat_view_and_prompt_each_move_their_metric() {
    if !has_runtime("splat_view_and_prompt_each_move_their_metric") {
        return;
    }
    let mut scorer = synthetic_scorer();
    let red = scenes::views(&scenes::figure(RED));
    let blue = scenes::views(&scenes::figure(BLUE));

    // The prompt: a colour that matches, none, one that contradicts; and a word that means nothing to the graph.
    let (named, ..) = judge(&mut scorer, &red, PromptRef::Text("a red figure"));
    let (unnamed, ..) = judge(&mut scorer, &red, PromptRef::Text("a figure"));
    let (wrong, ..) = judge(&mut scorer, &red, PromptRef::Text("a blue figure"));
    let (other, ..) = judge(&mut scorer, &red, PromptRef::Text("a figurine"));
    for view in 0..16 {
        assert!(named.cosines[view] > unnamed.cosines[view] + 0.05, "view {view}");
        assert!(wrong.cosines[view] < unnamed.cosines[view] - 0.05, "view {view}");
        assert!((other.cosines[view] - unnamed.cosines[view]).abs() > 1e-4, "view {view}");
    }
    assert!(
        !(0..16).any(|view| moved(named.iqa[view], wrong.iqa[view])),
        "quality does not look at the prompt"
    );
    let (suffix, ..) = judge(&mut scorer, &red, PromptRef::Text("a hundred figure"));
    assert!(suffix.cosines[0] < named.cosines[0] - 0.05, "`hundred` is not `red`");

    // The splat.
    let (repainted, ..) = judge(&mut scorer, &blue, PromptRef::Text("a red figure"));
    assert!(repainted.cosines[0] < named.cosines[0] - 0.05);
    assert!(repainted.iqa[0].to_bits() != named.iqa[0].to_bits());
    assert!(repainted.lpips[0].to_bits() != named.lpips[0].to_bits());
    assert!(repainted.ssim[0].to_bits() != named.ssim[0].to_bits());

    // The view: only what looks at view 5 changes.
    let mut replaced = red.clone();
    replaced[5] = scenes::static_noise().swap_remove(0);
    let (changed, ..) = judge(&mut scorer, &replaced, PromptRef::Text("a red figure"));
    for view in 0..16 {
        let is_five = view == 5;
        let is_pair_of_five = matches!(view, 4 | 5);
        assert_eq!(moved(changed.cosines[view], named.cosines[view]), is_five, "cosine {view}");
        assert_eq!(moved(changed.iqa[view], named.iqa[view]), is_five, "iqa {view}");
        assert_eq!(moved(changed.lpips[view], named.lpips[view]), is_pair_of_five, "lpips {view}");
        assert_eq!(moved(changed.ssim[view], named.ssim[view]), is_pair_of_five, "ssim {view}");
    }
    // The last view is the first one again.
    assert!(named.lpips[15] < 1e-6 && named.ssim[15] > 0.9999);
}

#[test]
fn a_picture_compares_by_colour_and_is_composited_on_white() {
    if !has_runtime("a_picture_compares_by_colour_and_is_composited_on_white") {
        return;
    }
    let mut scorer = synthetic_scorer();
    let red = scenes::views(&scenes::figure(RED));
    let blue = scenes::views(&scenes::figure(BLUE));
    let cosine = |scorer: &mut _, rgba: &[u8], side: usize| {
        judge(scorer, &red, PromptRef::Image { rgba, width: side, height: side }).0.cosines[FRONT_VIEW]
    };
    let same = cosine(&mut scorer, &with_alpha(&red[FRONT_VIEW]), 518);
    let contrary = cosine(&mut scorer, &with_alpha(&blue[FRONT_VIEW]), 518);
    assert!(same > 0.99, "{same}");
    assert!(contrary < 0.6, "{contrary}");
    // Wholly transparent pixels of any colour are the white background.
    let transparent = cosine(&mut scorer, &[255, 0, 0, 0].repeat(64 * 64), 64);
    let white = cosine(&mut scorer, &[255; 64 * 64 * 4], 64);
    assert!((transparent - white).abs() < 1e-6);
}

/// Whether a figure differs by more than the rounding of another batch order.
fn moved(left: f32, right: f32) -> bool {
    (left - right).abs() > 1e-6
}

fn with_alpha(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect()
}

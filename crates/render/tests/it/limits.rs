//! Budgets at their edges.

use sn17_render::{
    Camera, CpuRenderer, Gaussian, RenderBudget, RenderError, Renderer as _, Scene, WHITE, render,
};

fn wall(count: usize) -> Scene {
    let splat = Gaussian::new([0.0; 3], [50.0; 3], [1.0, 0.0, 0.0, 0.0], 0.5, [0.5; 3]);
    Scene { gaussians: vec![splat; count] }
}

fn outcome(scene: &Scene, size_px: u32, budget: RenderBudget) -> Result<(), RenderError> {
    render(scene, &Camera::orbit(0.0, 0.0, 2.5, size_px), WHITE, &budget).map(drop)
}

#[test]
fn splats_up_to_the_budget_are_rendered() {
    let budget = RenderBudget { splats_max: 3, ..RenderBudget::default() };
    assert_eq!(outcome(&wall(3), 32, budget), Ok(()), "at the edge");
    assert_eq!(
        outcome(&wall(4), 32, budget),
        Err(RenderError::TooManySplats { found: 4, maximum: 3 }),
        "beyond"
    );
}

#[test]
fn overdraw_bombs_are_refused_before_their_lists_exist() {
    // 64 px are 16 tiles, all of them touched by every splat.
    let budget = RenderBudget { tile_pairs_max: 160, ..RenderBudget::default() };
    assert_eq!(outcome(&wall(10), 64, budget), Ok(()), "at the edge");
    let refusal = outcome(&wall(11), 64, budget).unwrap_err();
    assert_eq!(refusal, RenderError::TooManyTilePairs { found: 176, maximum: 160 }, "beyond");
    let text = "the splats cover 176 tiles in one view, at most 160 can be rendered";
    assert_eq!(refusal.to_string(), text, "message");

    let bomb = wall(20_000);
    let refusal = outcome(&bomb, 518, RenderBudget::default()).unwrap_err();
    assert_eq!(refusal, RenderError::TooManyTilePairs { found: 21_780_000, maximum: 20_000_000 }, "bomb");
}

#[test]
fn the_time_of_a_call_is_bounded_and_the_machine_is_blamed() {
    let budget = RenderBudget { time_max: std::time::Duration::ZERO, ..RenderBudget::default() };
    let cameras = [Camera::orbit(0.0, 0.0, 2.5, 32)];
    let refusal = CpuRenderer.views(&wall(1), &cameras, WHITE, &budget).unwrap_err();
    assert_eq!(refusal, RenderError::TooLong { maximum: std::time::Duration::ZERO });
    assert!(refusal.is_ours());
    assert_eq!(CpuRenderer.depths(&wall(1), &cameras, &budget), Err(refusal));
}

#[test]
fn sizes_are_bounded() {
    let budget = RenderBudget { size_px_max: 40, ..RenderBudget::default() };
    for (size_px, fits) in
        [(0, false), (1, true), (15, true), (17, true), (40, true), (41, false), (u32::MAX, false)]
    {
        let expected = if fits { Ok(()) } else { Err(RenderError::Size { size_px, maximum: 40 }) };
        assert_eq!(outcome(&wall(2), size_px, budget), expected, "{size_px} px");
    }
}

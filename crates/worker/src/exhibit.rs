//! What a judge is shown of an object, and what tells it from others.

use sn17_core::judging::{Likeness, Sketch};
use sn17_render::{DUEL_VIEWS, FRONT_VIEW, RenderBudget, Renderer, Scene, Surface, Views};
use sn17_splat::Splats;

use crate::error::WorkerError;
use crate::turntable::turntable;

/// The pictures of an object and its likeness.
#[derive(Debug)]
pub struct Exhibit {
    /// PNG of the front view.
    pub front: Vec<u8>,
    /// PNG of the duel's grid.
    pub grid: Vec<u8>,
    /// PNG of the duel's grid in neutral colours, in which hardly anything can be read.
    pub neutral: Vec<u8>,
    /// Animated WebP of one turn.
    pub turntable: Vec<u8>,
    /// What makes the object recognisable.
    pub likeness: Likeness,
}

impl Exhibit {
    /// Draws the pictures for people and a judge and takes the likeness, which costs about as much as rendering four
    /// views more.
    ///
    /// Likenesses can be compared if they have the same `salt` ([`geometry_sketch`](sn17_render::geometry_sketch)).
    ///
    /// # Errors
    /// [`WorkerError::Render`] if the object is too costly to render from its sides or the device fails,
    /// [`WorkerError::Png`] and [`WorkerError::Turntable`] if a picture cannot be written.
    pub(crate) fn new(
        splats: &Splats,
        scene: &Scene,
        views: &Views,
        renderer: &mut dyn Renderer,
        budget: &RenderBudget,
        salt: u64,
    ) -> Result<Self, WorkerError> {
        let surface = Surface::of(scene, renderer, budget)?;
        let front = views.view(FRONT_VIEW);
        let duel = DUEL_VIEWS.map(|view| views.view(view));
        let likeness = Likeness {
            geometry: sn17_render::geometry_fingerprint(splats),
            sketch: Sketch(sn17_render::geometry_sketch(&surface, salt)),
            picture: sn17_render::picture_hash(&front),
            sides: sn17_render::depth_of_sides(&surface),
        };
        let neutral = sn17_render::neutral_grid(duel.each_ref()).to_png()?;
        let grid = sn17_render::duel_grid(duel.each_ref().map(|view| &view.frame)).to_png()?;
        let front = front.frame.to_png()?;
        Ok(Self { front, grid, neutral, turntable: turntable(views)?, likeness })
    }
}

#[cfg(test)]
mod tests {
    use sn17_render::{BBOX_DEFAULT, CpuRenderer, RenderError, WHITE, judge_views};
    use sn17_splat::procedural::{Quality, object};
    use sn17_splat::{Limits, SpzDialect};

    use super::*;

    fn exhibit(splats: &Splats, salt: u64) -> Exhibit {
        let scene = sn17_render::normalise(splats, BBOX_DEFAULT).unwrap();
        let (mut cpu, budget) = (CpuRenderer, RenderBudget::default());
        let views = cpu.views(&scene, &judge_views(), WHITE, &budget).unwrap();
        Exhibit::new(splats, &scene, &views, &mut cpu, &budget, salt).unwrap()
    }

    #[test]
    fn copies_are_the_same_and_other_objects_are_not() {
        let encoded = |splats: &Splats| {
            let spz = sn17_splat::encode_spz(splats, SpzDialect::Network, 1).unwrap();
            sn17_splat::decode(&spz, &Limits::default()).unwrap()
        };
        let original = encoded(&object("a red robot", Quality::Intact, 1));
        let (first, copy) = (exhibit(&original, 1), exhibit(&encoded(&original), 1));
        let other = exhibit(&object("a wooden chair", Quality::Intact, 1), 1);
        assert!(first.likeness.is_same(&copy.likeness));
        assert!(!first.likeness.is_same(&other.likeness));
        let salted = exhibit(&original, 2);
        assert!(first.likeness.sketch.similarity(&salted.likeness.sketch) < 0.1);
        assert!(first.likeness.sides > 0.1, "{:?}", first.likeness);
        for png in [&first.front, &first.grid, &first.neutral] {
            assert!(png.starts_with(b"\x89PNG"));
        }
        assert_ne!(first.grid, first.neutral);
        assert!(first.turntable.starts_with(b"RIFF"));
    }

    #[test]
    fn what_is_too_costly_from_the_sides_is_said_to_be_so() {
        let splats = object("a red robot", Quality::Intact, 1);
        let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).unwrap();
        let (mut cpu, budget) = (CpuRenderer, RenderBudget::default());
        let views = cpu.views(&scene, &judge_views(), WHITE, &budget).unwrap();
        let budget = RenderBudget { tile_pairs_max: 1, ..budget };
        let outcome = Exhibit::new(&splats, &scene, &views, &mut cpu, &budget, 1);
        assert!(matches!(outcome, Err(WorkerError::Render(RenderError::TooManyTilePairs { .. }))));
    }
}

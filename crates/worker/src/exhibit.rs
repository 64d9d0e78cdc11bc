//! What a judge is shown of an object, and what tells it from others.

use sn17_core::judging::{Likeness, Sketch};
use sn17_render::{
    DUEL_VIEWS, FRONT_VIEW, RenderBudget, RenderError, Renderer, Scene, Surface, Views, WHITE, judge_views,
};
use sn17_splat::Splats;

use crate::error::WorkerError;

/// An object with the 16 views that are scored.
///
/// Two million splats with all their harmonics take 700 MB, so it is not to be kept while the models run.
#[derive(Debug)]
pub(crate) struct Rendered {
    splats: Splats,
    scene: Scene,
    views: Views,
    budget: RenderBudget,
}

/// The pictures of an object and its likeness.
#[derive(Debug)]
pub struct Exhibit {
    /// PNG of the front view.
    pub front: Vec<u8>,
    /// PNG of the duel's grid.
    pub grid: Vec<u8>,
    /// PNG of the duel's grid in neutral colours, in which hardly anything can be read.
    pub neutral: Vec<u8>,
    /// What makes the object recognisable.
    pub likeness: Likeness,
}

impl Rendered {
    /// Renders what `splats` became when they were normalised.
    ///
    /// # Errors
    /// [`RenderError`] if that is too costly.
    pub(crate) fn new(
        splats: Splats,
        scene: Scene,
        renderer: &mut dyn Renderer,
        budget: RenderBudget,
    ) -> Result<Self, RenderError> {
        let views = renderer.views(&scene, &judge_views(), WHITE, &budget)?;
        Ok(Self { splats, scene, views, budget })
    }

    /// Keeps the views alone.
    pub(crate) fn into_views(self) -> Views {
        self.views
    }

    /// Draws the pictures for a judge and takes the likeness, which costs about as much as rendering four views more;
    /// then keeps the views alone.
    ///
    /// Likenesses can be compared if they have the same `salt` ([`geometry_sketch`](sn17_render::geometry_sketch)).
    ///
    /// # Errors
    /// [`WorkerError::Render`] if the object is too costly to render from its sides, [`WorkerError::Png`] if a picture
    /// cannot be written.
    pub(crate) fn exhibit(
        self,
        renderer: &mut dyn Renderer,
        salt: u64,
    ) -> Result<(Exhibit, Views), WorkerError> {
        let surface = Surface::of(&self.scene, renderer, &self.budget)?;
        let front = self.views.view(FRONT_VIEW);
        let duel = DUEL_VIEWS.map(|view| self.views.view(view));
        let likeness = Likeness {
            geometry: sn17_render::geometry_fingerprint(&self.splats),
            sketch: Sketch(sn17_render::geometry_sketch(&surface, salt)),
            picture: sn17_render::picture_hash(&front),
            sides: sn17_render::depth_of_sides(&surface),
        };
        let neutral = sn17_render::neutral_grid(duel.each_ref()).to_png()?;
        let grid = sn17_render::duel_grid(duel.each_ref().map(|view| &view.frame)).to_png()?;
        let front = front.frame.to_png()?;
        Ok((Exhibit { front, grid, neutral, likeness }, self.into_views()))
    }
}

#[cfg(test)]
mod tests {
    use sn17_render::{BBOX_DEFAULT, CpuRenderer};
    use sn17_splat::procedural::{Quality, object};
    use sn17_splat::{Limits, SpzDialect};

    use super::*;

    fn exhibit(splats: &Splats, salt: u64) -> Exhibit {
        let scene = sn17_render::normalise(splats, BBOX_DEFAULT).unwrap();
        let mut cpu = CpuRenderer;
        let rendered = Rendered::new(splats.clone(), scene, &mut cpu, RenderBudget::default()).unwrap();
        rendered.exhibit(&mut cpu, salt).unwrap().0
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
    }

    #[test]
    fn what_is_too_costly_from_the_sides_is_said_to_be_so() {
        let splats = object("a red robot", Quality::Intact, 1);
        let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).unwrap();
        let mut rendered = Rendered::new(splats, scene, &mut CpuRenderer, RenderBudget::default()).unwrap();
        rendered.budget.tile_pairs_max = 1;
        assert!(matches!(
            rendered.exhibit(&mut CpuRenderer, 1),
            Err(WorkerError::Render(RenderError::TooManyTilePairs { .. }))
        ));
    }
}

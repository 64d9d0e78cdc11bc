//! What a judge is shown of an object, and what tells it from others.

use sn17_core::judging::{Likeness, Sketch};
use sn17_render::{DUEL_VIEWS, FRONT_VIEW, Frame, RenderBudget, RenderError, Scene, View, WHITE};
use sn17_splat::Splats;

use crate::error::WorkerError;

/// An object with the 16 views that are scored.
#[derive(Debug)]
pub struct Rendered {
    /// The object as it was handed in.
    pub splats: Splats,
    /// The object as it was rendered.
    pub scene: Scene,
    /// Its views over white, in order.
    pub views: Vec<View>,
    budget: RenderBudget,
}

/// The pictures of an object and its likeness.
#[derive(Debug)]
pub struct Exhibit {
    /// PNG of the front view.
    pub front: Vec<u8>,
    /// PNG of the duel's grid.
    pub grid: Vec<u8>,
    /// PNG of the duel's grid in which nothing can be read.
    pub neutral: Vec<u8>,
    /// What makes the object recognisable.
    pub likeness: Likeness,
}

impl Rendered {
    pub(crate) fn new(splats: Splats, scene: Scene, budget: RenderBudget) -> Result<Self, RenderError> {
        let cameras = sn17_render::judge_views();
        let render = |camera| sn17_render::render_view(&scene, camera, WHITE, &budget);
        let views = cameras.iter().map(render).collect::<Result<_, _>>()?;
        Ok(Self { splats, scene, views, budget })
    }

    /// Draws the pictures for a judge and takes the likeness. It costs about as much as rendering four views more.
    ///
    /// # Errors
    /// [`WorkerError::Render`] if the object is too costly to render from its sides, [`WorkerError::Png`] if a picture
    /// cannot be written.
    pub fn exhibit(self) -> Result<Exhibit, WorkerError> {
        let likeness = Likeness {
            geometry: sn17_render::geometry_fingerprint(&self.splats),
            sketch: Sketch(sn17_render::geometry_sketch(&self.scene).0),
            picture: sn17_render::picture_hash(&self.views[FRONT_VIEW].frame),
            sides: sn17_render::depth_of_sides(&self.scene, &self.budget)?,
        };
        let neutral = sn17_render::neutral_grid(DUEL_VIEWS.map(|view| &self.views[view])).to_png()?;
        let frames: Vec<Frame> = self.views.into_iter().map(|view| view.frame).collect();
        let frames: [Frame; 16] =
            frames.try_into().map_err(|frames: Vec<Frame>| WorkerError::ViewCount(frames.len()))?;
        let front = frames[FRONT_VIEW].to_png()?;
        let grid = sn17_render::duel_grid(&frames).to_png()?;
        Ok(Exhibit { front, grid, neutral, likeness })
    }
}

#[cfg(test)]
mod tests {
    use sn17_render::BBOX_DEFAULT;
    use sn17_splat::procedural::{Quality, object};
    use sn17_splat::{Limits, SpzDialect};

    use super::*;

    fn exhibit(splats: &Splats) -> Exhibit {
        let scene = sn17_render::normalise(splats, BBOX_DEFAULT).unwrap();
        Rendered::new(splats.clone(), scene, RenderBudget::default()).unwrap().exhibit().unwrap()
    }

    #[test]
    fn copies_are_the_same_and_other_objects_are_not() {
        let encoded = |splats: &Splats| {
            let spz = sn17_splat::encode_spz(splats, SpzDialect::Network, 1).unwrap();
            sn17_splat::decode(&spz, &Limits::default()).unwrap()
        };
        let original = encoded(&object("a red robot", Quality::Intact, 1));
        let (first, copy) = (exhibit(&original), exhibit(&encoded(&original)));
        let other = exhibit(&object("a wooden chair", Quality::Intact, 1));
        assert!(first.likeness.is_same(&copy.likeness));
        assert!(!first.likeness.is_same(&other.likeness));
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
        let mut rendered = Rendered::new(splats, scene, RenderBudget::default()).unwrap();
        rendered.budget.tile_pairs_max = 1;
        assert!(matches!(rendered.exhibit(), Err(WorkerError::Render(RenderError::TooManyTilePairs { .. }))));
    }
}

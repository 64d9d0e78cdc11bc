//! Workers, which score what was handed in.

use sn17_core::scoring::{PromptKind, RawViews};
use sn17_core::{Hotkey, TaskId};
use sn17_model::Random;

use super::{Fault, Network};
use crate::day::call::{Call, Found};

/// Views of a splat.
const VIEWS: usize = 16;

impl Network {
    pub(super) fn settle(&mut self, task: TaskId, hotkey: Hotkey) -> Result<(), Fault> {
        let strength = self.place_of(hotkey).map_or(500, |place| self.miners[place].strength);
        let call = self.draw_verdict(task, hotkey, strength);
        // Two workers may find out different things about the same submission; the first one counts.
        let rival = self.random.per_mille(20).then(|| self.draw_verdict(task, hotkey, 1000 - strength));
        self.race(call, rival)
    }

    fn draw_verdict(&mut self, task: TaskId, hotkey: Hotkey, strength: u64) -> Call {
        let random = &mut self.random;
        let found = match random.between(1, 100) {
            1..=3 => Found::Invalid { reason: "it is no splat".to_owned() },
            4..=5 => Found::Failed { reason: "the worker was stopped".to_owned() },
            drawn => {
                let prompt = if drawn % 3 == 0 { PromptKind::Image } else { PromptKind::Text };
                Found::Views { views: draw_views(random, strength.cast_signed(), prompt), prompt }
            }
        };
        Call::Settle { task, hotkey, found }
    }
}

/// The figures of a splat of that strength, with outliers, equal views and broken model runs among them.
fn draw_views(random: &mut Random, strength: i64, prompt: PromptKind) -> RawViews {
    let cosine = match prompt {
        PromptKind::Text => 180_000,
        PromptKind::Image => 500_000,
    };
    let mut views = RawViews {
        cosines: draw_list(random, cosine + 200 * strength, 60_000),
        iqa: draw_list(random, 400_000 + 500 * strength, 100_000),
        lpips: draw_list(random, 250_000 - 150 * strength, 80_000),
        ssim: draw_list(random, 750_000 + 200 * strength, 50_000),
    };
    views.lpips.iter_mut().for_each(|distance| *distance = distance.max(0.0));
    if random.per_mille(300) {
        views.cosines[random.index(VIEWS)] = random.around(0, 1_000_000);
    }
    if random.per_mille(100) {
        (views.lpips[VIEWS - 1], views.ssim[VIEWS - 1]) = (0.0, 1.0);
    }
    match random.between(1, 200) {
        1 => views.iqa[random.index(VIEWS)] = f64::NAN,
        2 => views.ssim[random.index(VIEWS)] = f64::INFINITY,
        3 => views.cosines.clear(),
        4 => views.cosines[random.index(VIEWS)] = -1.0,
        _ => {}
    }
    views
}

fn draw_list(random: &mut Random, middle_micro: i64, spread_micro: u64) -> Vec<f64> {
    (0..VIEWS).map(|_| random.around(middle_micro, spread_micro)).collect()
}

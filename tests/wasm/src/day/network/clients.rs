//! Clients: their tasks come with the rhythm of a day, and now and then many at once.

use sn17_core::TaskId;
use sn17_core::state::{KeyHash, Origin, Prompt};
use sn17_model::Random;

use super::{Event, Fault, MINUTE, Network, SECOND};
use crate::day::call::{Call, NewTaskForm};

/// How many of a hundred tasks are asked for in each hour, compared with the busiest.
const RHYTHM: [u64; 24] =
    [20, 15, 12, 10, 10, 15, 25, 40, 60, 75, 85, 90, 95, 100, 100, 95, 90, 85, 80, 70, 60, 50, 40, 30];
/// Tasks that a client with a whole list asks for at once: more than a pull sees in its two pages.
const BURST: u64 = 20;

impl Network {
    pub(super) fn ask(&mut self) -> Result<(), Fault> {
        let count = if self.random.per_mille(10) { BURST } else { 1 };
        for _ in 0..count {
            let random = &mut self.random;
            let form = NewTaskForm {
                id: TaskId::new(self.now, random.wide()),
                prompt: draw_prompt(random),
                owner: KeyHash([u8::try_from(random.between(0, 9)).unwrap_or_default(); 32]),
                origin: [Origin::Api, Origin::Blender, Origin::Unity, Origin::Discord, Origin::Web]
                    [random.index(5)],
            };
            let id = form.id;
            // The client's own retry, while the first request is still under way.
            let rival = random.per_mille(10).then(|| Call::Add(form.clone()));
            for latest_mins in [1, 5, 15, 600] {
                let after = self.random.between(SECOND, latest_mins * MINUTE);
                self.plan(after, Event::Look(id));
            }
            self.race(Call::Add(form), rival)?;
        }
        let hour = usize::try_from(self.machine.hour % 24).unwrap_or_default();
        let hourly = (self.size.tasks_hourly * RHYTHM[hour] / 100).max(1);
        let after = self.random.between(0, 2 * 60 * MINUTE / hourly);
        self.plan(after, Event::Client);
        Ok(())
    }
}

pub(super) fn draw_prompt(random: &mut Random) -> Prompt {
    let number = random.between(0, 9999);
    if random.per_mille(300) {
        return Prompt::Image { blob: format!("prompts/{number}.png"), sha256: random.bytes() };
    }
    let (colours, things) = (["red", "bleached", "türkis"], ["robot", "teapot", "lighthouse", "armchair"]);
    Prompt::Text(format!("a {} {} no {number}", colours[random.index(3)], things[random.index(4)]))
}

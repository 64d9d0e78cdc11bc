//! Which of the pairs that could meet does.

use sn17_core::Hotkey;
use sn17_core::duel::pair;
use sn17_core::ledger::Step;
use sn17_core::matchmaking::{self, Draw};
use sn17_core::policy::PairChoice;
use sn17_core::state::{DuelNonce, Item, Key, Prompt};
use sn17_core::{TaskId, UnixMs};

use crate::arena::arena;
use crate::world::World;

/// A network of six: the first pair is 200 points apart, the second 50, the third 100.
fn three_pairs() -> (World, Vec<Hotkey>) {
    let mut world = arena();
    let miners = world.fighters(6);
    for (miner, rating) in miners.iter().zip([1500.0, 1700.0, 1450.0, 1400.0, 1600.0, 1500.0]) {
        world.rate(miner, rating);
    }
    (world, miners)
}

const PAIRS: [[u16; 2]; 3] = [[0, 1], [2, 3], [4, 5]];

impl World {
    fn rate(&mut self, miner: &Hotkey, rating: f64) {
        let row = self.rows.get_mut(&Key::Record(*miner));
        let Some(Item::Record(record)) = row.map(|row| &mut row.item) else { panic!("no record") };
        record.rating.rating = rating;
    }

    /// Prompts that draw these pairs for the next duel.
    fn drawing(&self, pairs: &[[u16; 2]]) -> Draw {
        let nonce = DuelNonce(self.now.secs());
        let slots = u32::try_from(self.roster.neurons.len()).expect("few miners");
        let draws = |wanted: &[u16; 2]| {
            let texts = (0..).map(|number| format!("object {number}"));
            let mut drawing = texts.filter(|text| pair(nonce, text, slots) == (wanted[0], wanted[1]));
            Prompt::Text(drawing.next().expect("one in 36 draws a pair of six"))
        };
        Draw { task: TaskId::new(self.now, 1), prompts: pairs.iter().map(draws).collect(), backlog: 0 }
    }

    #[track_caller]
    fn meeting(&mut self, pairs: &[[u16; 2]]) -> [u16; 2] {
        let draw = self.drawing(pairs);
        let nonce = self.make_duel_of(&draw).expect("a pair can meet");
        assert_eq!(nonce.0, self.now.secs(), "as the prompts were drawn for");
        self.duel(nonce).sides().map(|side| side.uid)
    }
}

#[test]
fn the_two_meet_whose_ratings_are_closest() {
    let (mut world, _) = three_pairs();
    assert_eq!(world.meeting(&PAIRS), [2, 3]);
    world.advance(60);
    assert_eq!(world.meeting(&[PAIRS[0], PAIRS[2]]), [4, 5]);
}

#[test]
fn a_closer_pair_that_cannot_meet_is_passed_over() {
    let (mut world, miners) = three_pairs();
    let row = world.rows.get_mut(&Key::Session(miners[3]));
    let Some(Item::Session(session)) = row.map(|row| &mut row.item) else { panic!("no session") };
    session.last_pull = UnixMs(0);
    assert_eq!(world.meeting(&PAIRS), [4, 5]);
}

#[test]
fn the_original_lets_the_first_pair_meet() {
    let (mut world, _) = three_pairs();
    world.policy.duels.choice = PairChoice::First;
    assert_eq!(world.meeting(&PAIRS), [0, 1]);
}

#[test]
fn of_equally_close_pairs_the_first_meets() {
    let (mut world, miners) = three_pairs();
    world.rate(&miners[0], 1650.0);
    assert_eq!(world.meeting(&PAIRS), [0, 1]);
}

#[test]
fn whoever_has_no_record_counts_as_a_newcomer() {
    let (mut world, miners) = three_pairs();
    world.rate(&miners[4], 1510.0);
    world.rows.remove(&Key::Record(miners[5]));
    assert_eq!(world.meeting(&PAIRS), [4, 5]);
}

#[test]
fn no_more_than_eight_pairs_are_looked_at() {
    let mut world = arena();
    let miners = world.fighters(18);
    let pairs: Vec<[u16; 2]> = (0..9).map(|place| [2 * place, 2 * place + 1]).collect();
    for (place, pair) in (1_u8..).zip(&pairs) {
        world.rate(&miners[usize::from(pair[0])], 1600.0 - f64::from(place));
    }
    assert_eq!(world.meeting(&pairs), pairs[7], "the ninth is the closest");
}

/// Ratings are read where they count, and sessions always: all at once.
#[test]
fn what_is_not_needed_is_not_loaded() {
    let (mut world, miners) = three_pairs();
    let of_both = |key: fn(Hotkey) -> Key| -> Vec<Key> { miners.iter().copied().map(key).collect() };
    for choice in [PairChoice::First, PairChoice::Closest] {
        world.policy.duels.choice = choice;
        let mut view = sn17_core::ledger::View::default();
        for key in matchmaking::load().keys {
            view.insert(key, world.rows.get(&key).cloned());
        }
        let step = matchmaking::decide(&view, &world.drawing(&PAIRS), world.now, &world.policy);
        let Step::Load(mut load) = step else { panic!("it looks at nobody") };
        load.keys.sort();
        let mut expected = of_both(Key::Session);
        if choice == PairChoice::Closest {
            expected.extend(of_both(Key::Record));
        }
        expected.sort();
        assert_eq!(load.keys, expected);
    }
}

//! A model ledger that runs decisions exactly by their contract.

use std::collections::BTreeSet;
use std::fmt::Debug;

use sn17_core::index::{OpenPosition, open_entry};
use sn17_core::ledger::{
    Change, DecisionId, Effect, Expect, LOADS_MAX, LoadSpec, OpenPage, Step, Stored, View, WRITES_MAX, Write,
};
use sn17_core::state::Key;

use crate::world::World;

/// What a decision came to, before its commit.
struct Plan<R> {
    writes: Vec<Write>,
    reply: R,
}

/// A condition of a commit did not hold.
#[derive(Debug)]
struct Conflict;

impl World {
    /// Runs a decision until its commit succeeds.
    #[track_caller]
    pub(crate) fn transact<R: PartialEq + Debug>(
        &mut self,
        first: LoadSpec,
        mut decide: impl FnMut(&View) -> Step<R>,
    ) -> R {
        let plan = self.plan(first, &mut decide);
        self.commit(plan).expect("nobody else writes")
    }

    /// Runs decisions that all see the same state; whoever loses the race is run again.
    pub(crate) fn race<R, D>(&mut self, decisions: Vec<(LoadSpec, D)>) -> Vec<R>
    where
        R: PartialEq + Debug,
        D: FnMut(&View) -> Step<R>,
    {
        let mut planned = Vec::new();
        for (first, mut decide) in decisions {
            let plan = self.plan(first.clone(), &mut decide);
            planned.push((plan, first, decide));
        }
        let finish = |(plan, first, decide)| match self.commit(plan) {
            Ok(reply) => reply,
            Err(Conflict) => self.transact(first, decide),
        };
        planned.into_iter().map(finish).collect()
    }

    #[track_caller]
    fn plan<R: PartialEq + Debug>(
        &self,
        first: LoadSpec,
        decide: &mut impl FnMut(&View) -> Step<R>,
    ) -> Plan<R> {
        let mut view = View::default();
        let mut spec = first;
        for _ in 0..LOADS_MAX {
            self.load(&mut view, &spec);
            let step = decide(&view);
            assert_eq!(step, decide(&view), "a decision is a pure function of its view");
            match step {
                Step::Load(next) => spec = next,
                Step::Commit { writes, reply } => {
                    assert!(!writes.is_empty(), "a commit without writes is a reply");
                    return Plan { writes, reply };
                }
                Step::Reply(reply) => {
                    let writes = Vec::new();
                    return Plan { writes, reply };
                }
            }
        }
        panic!("more than {LOADS_MAX} loads, the last asked for {spec:?}");
    }

    fn load(&self, view: &mut View, spec: &LoadSpec) {
        for key in &spec.keys {
            view.insert(*key, self.row(key).cloned());
        }
        for page in &spec.open_tasks {
            let positions = self.open_tasks(page);
            for position in &positions {
                let key = Key::Task(position.task);
                view.insert(key, self.row(&key).cloned());
            }
            view.insert_page(*page, positions);
        }
    }

    fn open_tasks(&self, page: &OpenPage) -> Vec<OpenPosition> {
        let stands_there = |(key, stored): (&Key, &Stored)| {
            let Key::Task(id) = key else { return None };
            let (queue, position) = open_entry(*id, &stored.item)?;
            let is_behind = page.after.is_none_or(|after| position > after);
            (queue == page.queue && is_behind).then_some(position)
        };
        let mut positions: Vec<OpenPosition> = self.live().filter_map(stands_there).collect();
        positions.sort_unstable();
        positions.truncate(page.limit);
        positions
    }

    fn commit<R>(&mut self, plan: Plan<R>) -> Result<R, Conflict> {
        let keys: BTreeSet<&Key> = plan.writes.iter().map(|write| &write.key).collect();
        assert_eq!(keys.len(), plan.writes.len(), "writes are of distinct items");
        assert!(plan.writes.len() <= WRITES_MAX, "at most {WRITES_MAX} writes");
        let holds = |write: &Write| match write.expect {
            Expect::Absent => !self.has(&write.key),
            Expect::Rev(rev) => self.row(&write.key).is_some_and(|stored| stored.rev == rev),
        };
        if !plan.writes.iter().all(holds) {
            return Err(Conflict);
        }
        self.decisions += u128::from(!plan.writes.is_empty());
        for write in plan.writes {
            self.apply(write);
        }
        Ok(plan.reply)
    }

    fn apply(&mut self, write: Write) {
        match write.change {
            Change::Put(item, expires) => {
                let rev = match write.expect {
                    Expect::Absent => 1,
                    Expect::Rev(rev) => rev + 1,
                };
                let decision = DecisionId(self.decisions);
                let stored = Stored { rev, decision, expires, item };
                self.rows.insert(write.key, stored);
            }
            Change::Delete => {
                self.rows.remove(&write.key);
            }
        }
        for effect in write.effects {
            match effect {
                Effect::Score { task, hotkey } => self.scoring.push((task, hotkey)),
                Effect::Timer { task, at } => self.timers.push((at, task)),
                Effect::Judge(contest) => self.judging.push(contest),
            }
        }
    }
}

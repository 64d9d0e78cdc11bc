//! Policies against judges over several seeds.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use serde::Serialize;
use sn17_core::policy::Policy;

use crate::contenders::{Contender, contenders};
use crate::judge::Accuracy;
use crate::leaderboard::LeaderboardPage;
use crate::search::{Budget, at_budget};
use crate::season::{Fault, Point, Season, Tally};
use crate::setup::Setup;

const JUDGES: [Accuracy; 2] = [Accuracy::Flat, Accuracy::Graded];
/// The contender whose season the leaderboard is shown of.
const SHOWN: &str = "default";

/// How large a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// `ci` or `full`.
    pub name: &'static str,
    /// Places on the subnet.
    pub miners: u16,
    /// Virtual hours of a season.
    pub hours: u64,
    /// Judged duels between two points of a curve.
    pub step: u64,
    /// Seasons of each policy and judge; their seeds count from 1.
    pub seeds: u64,
    /// The share of miners whose quality changes once, in thousandths.
    pub changing_per_mille: u64,
}

impl Size {
    /// Within a minute, in a debug build too.
    pub const CI: Self =
        Self { name: "ci", miners: 100, hours: 12, step: 250, seeds: 2, changing_per_mille: 0 };
    /// What is to be reported.
    pub const FULL: Self =
        Self { name: "full", miners: 200, hours: 96, step: 500, seeds: 5, changing_per_mille: 0 };

    /// As many calls of the judge as a policy spends that asks once for each duel, at the default pace.
    pub fn calls(&self) -> u64 {
        self.hours * 60 * u64::from(Policy::default().duels.per_minute)
    }

    fn setups(&self) -> Vec<(Contender, Setup)> {
        let mut setups = Vec::new();
        for contender in contenders() {
            for accuracy in JUDGES {
                for seed in 1..=self.seeds {
                    let Self { miners, hours, step, changing_per_mille, .. } = *self;
                    let policy = contender.policy;
                    let setup = Setup { seed, miners, hours, step, accuracy, changing_per_mille, policy };
                    setups.push((contender, setup));
                }
            }
        }
        setups
    }
}

/// Mean and range over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX)).max(1.0);
        Self {
            mean: values.iter().sum::<f64>() / count,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// A point of a curve over all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Judged duels.
    pub duels: u64,
    /// Calls that the judge had answered about duels, on average.
    pub judge_calls: f64,
    /// Kendall's tau-b of rating and truth.
    pub by_rating: Spread,
    /// Kendall's tau-b of reward and truth.
    pub by_reward: Spread,
}

/// What came of one policy before one judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The policy.
    pub policy: &'static str,
    /// The judge.
    pub judge: Accuracy,
    /// Judged duels of a season, on average.
    pub duels: f64,
    /// Calls of the judge about them, on average.
    pub judge_calls: f64,
    /// Kendall's tau-b of rating and truth at the end.
    pub by_rating: Spread,
    /// Kendall's tau-b of reward and truth at the end.
    pub by_reward: Spread,
    /// Kendall's tau-b of rating and truth when the judge had answered [`Size::calls`] times.
    pub by_rating_at_equal_calls: Spread,
    /// What `by_rating` must reach on average, where that is known.
    pub floor: Option<f64>,
    /// Every so many duels, as far as every seed has come.
    pub curve: Vec<CurvePoint>,
}

/// A whole comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// How large it was.
    pub size: Size,
    /// The calls at which policies are compared at equal calls.
    pub equal_calls: u64,
    /// The policies by name.
    pub policies: BTreeMap<&'static str, Policy>,
    /// What was compared.
    pub rows: Vec<Row>,
    /// What happened in all seasons together, and how often the laws were held to it.
    pub tally: Tally,
    /// The last hash of each season's state: policy, judge, seed, hash.
    pub last_hashes: Vec<(&'static str, Accuracy, u64, String)>,
    /// Whether the first season, played again, had the same state at the end of every hour.
    pub is_replay_equal: bool,
    /// What a demo season ended with.
    #[serde(skip)]
    pub leaderboard: LeaderboardPage,
}

/// A season that is over, without its state.
struct Over {
    policy: &'static str,
    setup: Setup,
    judged: u64,
    tally: Tally,
    curve: Vec<Point>,
    hours: Vec<[u8; 32]>,
    leaderboard: Option<LeaderboardPage>,
}

impl Over {
    fn play(contender: &Contender, setup: Setup) -> Result<Self, Fault> {
        let season = Season::play(setup)?;
        let is_shown = contender.name == SHOWN && setup.accuracy == Accuracy::Graded && setup.seed == 1;
        Ok(Self {
            policy: contender.name,
            setup,
            judged: season.judged(),
            tally: *season.tally(),
            curve: season.curve().to_vec(),
            hours: season.hours().to_vec(),
            leaderboard: is_shown.then(|| LeaderboardPage::of(&season)),
        })
    }

    fn end(&self) -> Option<&Point> {
        self.curve.last()
    }
}

impl Comparison {
    /// Plays every season of a size, as many at once as there are cores; tells `progress` of each that is over.
    ///
    /// # Errors
    /// See [`Fault`]; the first one ends the comparison.
    pub fn play(size: Size, progress: impl Fn(&str) + Sync) -> Result<Self, Fault> {
        let setups = size.setups();
        let first = setups.first().map(|(contender, setup)| (*contender, *setup));
        let over = play_all(setups, &progress)?;
        let is_replay_equal = match (first, over.first()) {
            (Some((contender, setup)), Some(over)) => Over::play(&contender, setup)?.hours == over.hours,
            (_, _) => false,
        };
        progress(if is_replay_equal { "replayed: equal, hour by hour" } else { "replayed: DIFFERENT" });
        let mut rows = Vec::new();
        for contender in contenders() {
            for judge in JUDGES {
                let of_row = |over: &&Over| over.policy == contender.name && over.setup.accuracy == judge;
                let seasons: Vec<&Over> = over.iter().filter(of_row).collect();
                let floor = (size == Size::CI).then(|| contender.floor(judge));
                rows.push(row(contender.name, judge, &seasons, size, floor));
            }
        }
        let last_hash = |over: &Over| {
            let hash =
                over.hours.last().map_or_else(String::new, |hash| blake3::Hash::from(*hash).to_string());
            (over.policy, over.setup.accuracy, over.setup.seed, hash)
        };
        Ok(Self {
            size,
            equal_calls: size.calls(),
            policies: contenders().into_iter().map(|contender| (contender.name, contender.policy)).collect(),
            rows,
            tally: over.iter().fold(Tally::default(), |sum, over| sum + over.tally),
            last_hashes: over.iter().map(last_hash).collect(),
            is_replay_equal,
            leaderboard: over.into_iter().find_map(|over| over.leaderboard).unwrap_or_default(),
        })
    }

    /// The names of the policies as they were compared.
    pub(crate) fn names() -> Vec<&'static str> {
        contenders().iter().map(|contender| contender.name).collect()
    }

    /// What is not as it must be, in words.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.is_replay_equal {
            faults.push("a season that was played again differs".to_owned());
        }
        for row in &self.rows {
            let Row { policy, judge, by_rating, floor, .. } = row;
            if floor.is_some_and(|floor| by_rating.mean < floor) {
                let floor = floor.unwrap_or_default();
                faults.push(format!("{policy}, {}: {:.3} is below {floor}", judge.name(), by_rating.mean));
            }
        }
        for judge in JUDGES {
            let of_judge: Vec<&Row> = self.rows.iter().filter(|row| row.judge == judge).collect();
            // The first three are meant to be ever better; the others tell what makes them so, and how much is left.
            for pair in of_judge.iter().take(3).collect::<Vec<_>>().windows(2) {
                if pair[1].by_rating.mean <= pair[0].by_rating.mean {
                    let (better, worse, judge) = (pair[1].policy, pair[0].policy, judge.name());
                    faults.push(format!("{better} ranks no better than {worse} before the {judge} judge"));
                }
            }
        }
        faults
    }
}

/// Plays seasons on every core; the order of the answers is that of the setups.
fn play_all(setups: Vec<(Contender, Setup)>, progress: &(impl Fn(&str) + Sync)) -> Result<Vec<Over>, Fault> {
    let count = setups.len();
    let waiting = Mutex::new(setups.into_iter().enumerate());
    let done: Mutex<Vec<(usize, Over)>> = Mutex::new(Vec::new());
    let work = || -> Result<(), Fault> {
        loop {
            let next = waiting.lock().expect("no worker panics with it").next();
            let Some((place, (contender, setup))) = next else { return Ok(()) };
            let over = Over::play(&contender, setup)?;
            let mut done = done.lock().expect("no worker panics with it");
            let tau = over.end().map_or(0.0, |point| point.by_rating);
            let (judge, seed) = (setup.accuracy.name(), setup.seed);
            let (position, judged) = (done.len() + 1, over.judged);
            progress(&format!(
                "[{position}/{count}] {}, {judge}, seed {seed}: {judged} duels, tau {tau:.3}",
                over.policy
            ));
            done.push((place, over));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<(), Fault>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect()
    });
    results.into_iter().collect::<Result<Vec<()>, Fault>>()?;
    let mut done = done.into_inner().expect("no worker panics with it");
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, over)| over).collect())
}

fn row(policy: &'static str, judge: Accuracy, seasons: &[&Over], size: Size, floor: Option<f64>) -> Row {
    let spread = |value: &dyn Fn(&Over) -> f64| {
        let values: Vec<f64> = seasons.iter().map(|over| value(over)).collect();
        Spread::of(&values)
    };
    let at_end = |value: fn(&Point) -> f64| spread(&|over: &Over| over.end().map_or(0.0, value));
    let within = Budget::Calls(size.calls());
    let points = seasons.iter().map(|over| over.curve.len().saturating_sub(1)).min().unwrap_or(0);
    let curve = (0..points).map(|place| {
        let at = |value: &dyn Fn(&Point) -> f64| spread(&|over: &Over| value(&over.curve[place]));
        CurvePoint {
            duels: seasons[0].curve[place].duels,
            judge_calls: at(&|point| calls(point)).mean,
            by_rating: at(&|point| point.by_rating),
            by_reward: at(&|point| point.by_reward),
        }
    });
    Row {
        policy,
        judge,
        duels: at_end(|point| f64::from(u32::try_from(point.duels).unwrap_or(u32::MAX))).mean,
        judge_calls: at_end(calls).mean,
        by_rating: at_end(|point| point.by_rating),
        by_reward: at_end(|point| point.by_reward),
        by_rating_at_equal_calls: spread(&|over: &Over| {
            at_budget(&over.curve, within).map_or(0.0, |point| point.by_rating)
        }),
        floor,
        curve: curve.collect(),
    }
}

fn calls(point: &Point) -> f64 {
    f64::from(u32::try_from(point.judge_calls).unwrap_or(u32::MAX))
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            decisions: self.decisions + more.decisions,
            conflicts: self.conflicts + more.conflicts,
            hosts_died: self.hosts_died + more.hosts_died,
            workers_died: self.workers_died + more.workers_died,
            messages_lost: self.messages_lost + more.messages_lost,
            messages_doubled: self.messages_doubled + more.messages_doubled,
            duels_made: self.duels_made + more.duels_made,
            duels_void: self.duels_void + more.duels_void,
            judge_calls: self.judge_calls + more.judge_calls,
            newcomers: self.newcomers + more.newcomers,
            verdicts: self.verdicts + more.verdicts,
            cooldowns: self.cooldowns + more.cooldowns,
            pairs: self.pairs + more.pairs,
            client_tasks: self.client_tasks + more.client_tasks,
        }
    }
}

//! The sizes that the schema's documentation states.

use sn17_core::glicko::{Outcome, Rating};
use sn17_core::index::OpenPosition;
use sn17_core::judging::{Likeness, Sketch};
use sn17_core::leaderboard::{Leaderboard, Standings};
use sn17_core::ledger::{Contest, DecisionId, Effect, Stored};
use sn17_core::policy::Policy;
use sn17_core::prompts::shelf::{PromptBatch, PromptShelf, SUBMISSIONS_MAX};
use sn17_core::scoring::Metrics;
use sn17_core::state::{
    Assignment, Block, Duel, DuelNonce, DuelState, Entry, History, Holder, Item, Key, KeyHash, Neuron,
    Origin, PendingDuel, Prompt, RatingChange, RatingPoint, Record, Roster, Session, Side, Standing,
    Submission, SubmissionState, Task, TaskKind, TaskResult, TaskState, Verdict,
};
use sn17_core::window::ResultWindow;
use sn17_core::{Hotkey, TaskId, UnixMs};

use super::index::{due, open};
use super::row::Row;
use super::units::{ITEM_BYTES_MAX, item_bytes};

/// An instant in the year 2286, and a number with as many digits as any.
const LATE: UnixMs = UnixMs(10_000_000_000_000);
const LONG: f64 = -0.123_456_789_012_345_68e-101;
const HOTKEY: Hotkey = Hotkey([0xff; 32]);
/// Most copies that the policy allows, and the extra strong miner.
const HOLDERS: usize = 17;
/// Longest reason that a miner or a client is told; decisions write shorter ones.
const REASON_CHARS: usize = 1000;
const NONCE: DuelNonce = DuelNonce(u64::MAX);
const RATING: Rating = Rating { rating: LONG, deviation: LONG, volatility: LONG };
/// Miners of a subnet.
const MINERS: usize = 256;

fn prompt() -> Prompt {
    Prompt::Text("\u{1f409}".repeat(Policy::default().tasks.prompt_chars_max))
}

fn reason() -> String {
    "é".repeat(REASON_CHARS / 2)
}

fn blob() -> String {
    format!("submissions/{}.spz", "f".repeat(32))
}

fn task() -> Item {
    let holder = Holder { hotkey: HOTKEY, strong: false, assigned_at: LATE, finished: false };
    let result = TaskResult {
        hotkey: HOTKEY,
        uid: u16::MAX,
        rating: LONG,
        score: LONG,
        standing: Standing::NotJudged,
        contends: false,
        submit_time: i64::MIN,
        blob: blob(),
        bytes: u64::MAX,
        synthetic: false,
    };
    Item::Task(Task {
        prompt: prompt(),
        owner: KeyHash([0xff; 32]),
        origin: Origin::Discord,
        created: LATE,
        assignable_until: LATE,
        deadline: LATE,
        copies: 16,
        holders: vec![holder; HOLDERS],
        results: vec![result; HOLDERS],
        first_result_due: Some(LATE),
        judging: false,
        state: TaskState::Failure { ended: LATE, reason: reason() },
    })
}

fn submission() -> Item {
    let metrics = Metrics { alignment: LONG, iqa: LONG, lpips: LONG, ssim: LONG };
    let verdict = Verdict { score: LONG, metrics, synthetic: false };
    let sketch = Sketch([u16::MAX; 64]);
    let likeness = Likeness { geometry: [0xff; 32], sketch, picture: u64::MAX, sides: LONG };
    Item::Submission(Submission {
        kind: TaskKind::Duel(NONCE),
        prompt: prompt(),
        blob: Some(blob()),
        bytes: u64::MAX,
        sha256: [0xff; 32],
        prompt_sha256: [0xff; 32],
        submit_time: i64::MIN,
        signature: "/".repeat(128),
        assigned_at: LATE,
        submitted_at: LATE,
        threshold: LONG,
        likeness: Some(likeness),
        state: SubmissionState::Rejected { reason: reason(), verdict: Some(verdict) },
    })
}

fn session() -> Item {
    let task = TaskId(u128::MAX);
    let pending = PendingDuel { nonce: NONCE, pull_until: LATE };
    Item::Session(Session {
        uid: u16::MAX,
        strong: false,
        stake: LONG,
        assignment: Some(Assignment {
            task,
            assigned_at: LATE,
            kind: TaskKind::Duel(NONCE),
            prompt: prompt(),
        }),
        cooldown_until: u64::MAX,
        violations: u32::MAX,
        violation_at: LATE,
        last_pull: LATE,
        duels: vec![pending; Policy::default().duels.pending_max],
        passes: u32::MAX,
        passes_at: LATE,
        cursor: Some(OpenPosition { created: LATE, task }),
    })
}

fn record() -> Item {
    let rules = Policy::default().rewards;
    let mut accepted = ResultWindow::default();
    for _ in 0..rules.results_max {
        accepted.accept(LATE, LATE, &rules);
    }
    assert_eq!(accepted.accepted_secs().len(), rules.results_max);
    let (duels, wins, draws) = (u32::MAX, u32::MAX, u32::MAX);
    Item::Record(Record { rating: RATING, average_score: LONG, accepted, duels, wins, draws })
}

fn roster() -> Item {
    let neuron = Neuron { uid: 255, hotkey: HOTKEY, coldkey: Some(HOTKEY), stake: LONG, incentive: LONG };
    let block = Block { made_at: LATE, number: u64::MAX };
    Item::Roster(Roster { neurons: vec![neuron; MINERS], block: Some(block) })
}

fn duel() -> Item {
    let entry = Entry::Delivered { score: LONG, sha256: [0xff; 32], synthetic: false };
    let side = Side { hotkey: HOTKEY, coldkey: Some(HOTKEY), uid: u16::MAX, pulled: Some(LATE), entry };
    let change = RatingChange { before: RATING, after: RATING };
    Item::Duel(Duel {
        task: TaskId(u128::MAX),
        prompt: prompt(),
        slots: 1 << 16,
        created: LATE,
        pull_until: LATE,
        closes: LATE,
        left: side.clone(),
        right: side,
        state: DuelState::Judged {
            ended: LATE,
            outcome: Outcome::Right,
            explanation: "\u{1f409}".repeat(REASON_CHARS),
            left: change,
            right: change,
        },
    })
}

fn history() -> Item {
    let point = RatingPoint {
        nonce: NONCE,
        at: LATE,
        opponent: HOTKEY,
        owner: Some(HOTKEY),
        score: 0.5,
        rating: LONG,
        deviation: LONG,
        moved: LONG,
    };
    Item::History(History { points: vec![point; Policy::default().duels.history_max] })
}

fn leaderboard() -> Item {
    let row = Standings {
        hotkey: HOTKEY,
        uid: u16::MAX,
        rating: LONG,
        deviation: LONG,
        accepted: u32::MAX,
        reward: LONG,
        weight: LONG,
        duels: u32::MAX,
        wins: u32::MAX,
        draws: u32::MAX,
    };
    Item::Leaderboard(Leaderboard { taken: LATE, synthetic: false, rows: vec![row; MINERS] })
}

fn shelf() -> Item {
    let folder = format!("prompts/batches/{}", TaskId(u128::MAX));
    let batch = Some(PromptBatch { folder, made: LATE, prompts: u32::MAX, pages: u32::MAX });
    let submitted = vec![format!("prompts/submitted/{}.json", TaskId(u128::MAX)); SUBMISSIONS_MAX];
    Item::Prompts(PromptShelf { submitted, current: batch.clone(), previous: batch })
}

/// The size of an item with everything that may come with it.
fn bytes(key: &Key, item: Item) -> usize {
    let stored = Stored { rev: u64::MAX, decision: DecisionId(u128::MAX), expires: Some(LATE), item };
    let effects = [
        Effect::Score { task: TaskId(u128::MAX), hotkey: HOTKEY },
        Effect::Timer { task: TaskId(u128::MAX), at: LATE },
        Effect::Judge(Contest::Task(TaskId(u128::MAX))),
    ];
    let mut row = Row::new(key, &stored, &effects, u16::MAX).unwrap();
    // An ended task stands in no index; the largest open one is smaller by the reason of its end.
    (row.open, row.due) = (open(key, &stored, 1).or(row.open), due(key, &stored, 1).or(row.due));
    item_bytes(&row.attributes())
}

#[test]
fn the_largest_items_are_as_documented() {
    let task_id = TaskId(u128::MAX);
    let largest = [
        (bytes(&Key::Task(task_id), task()), 12),
        (bytes(&Key::Submission(task_id, HOTKEY), submission()), 5),
        (bytes(&Key::Session(HOTKEY), session()), 3),
        (bytes(&Key::Record(HOTKEY), record()), 13),
        (bytes(&Key::Roster, roster()), 60),
        (bytes(&Key::Duel(NONCE), duel()), 8),
        (bytes(&Key::History(HOTKEY), history()), 16),
        (bytes(&Key::Leaderboard, leaderboard()), 80),
        (bytes(&Key::Prompts, shelf()), 17),
    ];
    for (bytes, documented_kib) in largest {
        let documented = documented_kib * 1024;
        assert!(bytes <= documented, "{largest:?}");
        // The documentation is no mere upper bound either.
        assert!(bytes * 2 > documented, "{largest:?}");
        assert!(documented * 4 < ITEM_BYTES_MAX, "far below what DynamoDB takes");
    }
}

//! The sizes that the schema's documentation states.

use sn17_core::glicko::Rating;
use sn17_core::index::OpenPosition;
use sn17_core::ledger::{DecisionId, Effect, Stored};
use sn17_core::policy::Policy;
use sn17_core::scoring::Metrics;
use sn17_core::state::{
    Assignment, Holder, Item, Key, KeyHash, Neuron, Origin, Prompt, Record, Roster, Session, Standing,
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
        state: TaskState::Failure { ended: LATE, reason: reason() },
    })
}

fn submission() -> Item {
    let metrics = Metrics { alignment: LONG, iqa: LONG, lpips: LONG, ssim: LONG };
    let verdict = Verdict { score: LONG, metrics, synthetic: false };
    Item::Submission(Submission {
        kind: TaskKind::Synthetic,
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
        state: SubmissionState::Rejected { reason: reason(), verdict: Some(verdict) },
    })
}

fn session() -> Item {
    let task = TaskId(u128::MAX);
    Item::Session(Session {
        uid: u16::MAX,
        strong: false,
        stake: LONG,
        assignment: Some(Assignment { task, assigned_at: LATE, kind: TaskKind::Synthetic, prompt: prompt() }),
        cooldown_until: u64::MAX,
        violations: u32::MAX,
        violation_at: LATE,
        last_pull: LATE,
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
    let rating = Rating { rating: LONG, deviation: LONG, volatility: LONG };
    Item::Record(Record { rating, average_score: LONG, accepted, duels: u32::MAX, wins: u32::MAX })
}

fn roster() -> Item {
    let neuron = Neuron { uid: 255, hotkey: HOTKEY, stake: LONG, incentive: LONG };
    Item::Roster(Roster { neurons: vec![neuron; 256] })
}

/// The size of an item with everything that may come with it.
fn bytes(key: &Key, item: Item) -> usize {
    let stored = Stored { rev: u64::MAX, decision: DecisionId(u128::MAX), expires: Some(LATE), item };
    let effects = [
        Effect::Score { task: TaskId(u128::MAX), hotkey: HOTKEY },
        Effect::Timer { task: TaskId(u128::MAX), at: LATE },
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
        (bytes(&Key::Roster, roster()), 40),
    ];
    for (bytes, documented_kib) in largest {
        let documented = documented_kib * 1024;
        assert!(bytes <= documented, "{largest:?}");
        // The documentation is no mere upper bound either.
        assert!(bytes * 2 > documented, "{largest:?}");
        assert!(documented * 8 < ITEM_BYTES_MAX, "far below what DynamoDB takes");
    }
}

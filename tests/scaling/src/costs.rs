//! What operations cost, and a million tasks with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::load::{ADD_MS, PULL_MS, STATUS_MS};
use crate::meter::float;
use crate::prices::{ALL, GB_SECOND, INVOCATION, READ_UNIT, S3_GET, S3_PUT, SQS_REQUEST, WRITE_UNIT};

/// Milliseconds from a submission to its verdict that are taken for the median.
pub const VERDICT_MS: u64 = 3_000;
/// Milliseconds of a submission's longest wait (`Policy`).
const WAIT_MS_MAX: u64 = 25_000;
/// Milliseconds that a function is busy with a submission of 1.5 MB besides its wait.
const SUBMIT_MS: u64 = 200;
/// Milliseconds that a function is busy with a result of 1.5 MB.
const RESULT_MS: u64 = 150;
/// Milliseconds that `dispatch` is busy with one record, by itself in its batch.
const DISPATCH_MS: u64 = 10;
/// Milliseconds that `sweeper` is busy with one timer.
const TIMER_MS: u64 = 20;
/// Memory of `gateway` in gibibytes (`template.yaml`).
const GATEWAY_GB: f64 = 1769.0 / 1024.0;
/// Memory of `miner` in gibibytes.
const MINER_GB: f64 = 0.5;
/// Memory of `dispatch` in gibibytes.
const DISPATCH_GB: f64 = 0.25;
/// Memory of `sweeper` in gibibytes.
const SWEEPER_GB: f64 = 0.5;
/// Miners of a task.
const COPIES: f64 = 4.0;
/// Looks at a task's status.
const STATUSES: f64 = 20.0;

/// What one operation asked of AWS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Calls to DynamoDB, by operation.
    pub calls: BTreeMap<String, usize>,
    /// Write request units, table and indexes together.
    pub write_units: f64,
    /// Read request units.
    pub read_units: f64,
    /// Objects written to S3.
    pub s3_puts: usize,
    /// Objects read from S3.
    pub s3_gets: usize,
    /// Requests to SQS.
    pub sqs_requests: usize,
}

impl Operation {
    /// Dollars for a million of it, without Lambda.
    pub fn per_million(&self) -> f64 {
        let million = 1e6;
        WRITE_UNIT.of(self.write_units * million)
            + READ_UNIT.of(self.read_units * million)
            + S3_PUT.of(float(self.s3_puts) * million)
            + S3_GET.of(float(self.s3_gets) * million)
            + SQS_REQUEST.of(float(self.sqs_requests) * million)
    }

    fn calls(&self) -> String {
        let calls = self.calls.iter().map(|(name, count)| match count {
            1 => format!("`{name}`"),
            count => format!("{count} `{name}`"),
        });
        calls.collect::<Vec<_>>().join(", ")
    }
}

/// Dollars of a million invocations of a function of so much memory, each busy for so long.
fn functions(memory_gb: f64, ms: u64) -> f64 {
    INVOCATION.of(1e6) + GB_SECOND.of(1e6 * memory_gb * seconds(ms))
}

#[expect(clippy::cast_precision_loss, reason = "times far below 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A line of the bill for a million tasks: what, how often for each task, dollars for a million of it.
struct Line {
    what: String,
    times: f64,
    per_million: f64,
}

fn lines(operations: &[Operation]) -> Vec<Line> {
    let of = |name: &str| {
        let found = operations.iter().find(|operation| operation.name == name);
        found.expect("every operation of the bill is measured").per_million()
    };
    let line = |what: &str, times, per_million| Line { what: what.to_owned(), times, per_million };
    let table = |name: &str, times| line(name, times, of(name));
    vec![
        table("add_task, a text, with an hourly quota", 1.0),
        table("pull, a client's task", COPIES - 1.0),
        table("pull, the last place of a client's task", 1.0),
        table("submit, a client's task", COPIES),
        table("wait for a verdict, the median", COPIES),
        table("score and settle, a client's first result", 1.0),
        table("score and settle, a client's later result", COPIES - 2.0),
        table("score and settle, a client's last result", 1.0),
        table("status", STATUSES),
        table("result", 1.0),
        // A timer of the deadline, one of the first result, and a score for each copy; sent, received, deleted.
        line("SQS: six effects, each sent, received and deleted by itself", 18.0, SQS_REQUEST.of(1e6)),
        line("Lambda `gateway`: add_task", 1.0, functions(GATEWAY_GB, ADD_MS)),
        line("Lambda `gateway`: status", STATUSES, functions(GATEWAY_GB, STATUS_MS)),
        line("Lambda `gateway`: result", 1.0, functions(GATEWAY_GB, RESULT_MS)),
        line("Lambda `miner`: PullTask", COPIES, functions(MINER_GB, PULL_MS)),
        line("Lambda `miner`: SubmitResults without its wait", COPIES, functions(MINER_GB, SUBMIT_MS)),
        line(
            "Lambda `dispatch`: six records, each a batch of its own",
            6.0,
            functions(DISPATCH_GB, DISPATCH_MS),
        ),
        line("Lambda `sweeper`: two timers, each a batch of its own", 2.0, functions(SWEEPER_GB, TIMER_MS)),
    ]
}

/// Dollars for the waits of a million tasks' submissions.
fn waits(ms: u64) -> f64 {
    COPIES * GB_SECOND.of(1e6 * MINER_GB * seconds(ms))
}

/// The document: what each operation costs, and a million tasks.
pub fn document(operations: &[Operation]) -> String {
    let mut text = String::from(HEAD);
    for operation in operations {
        let Operation { name, write_units, read_units, s3_puts, s3_gets, sqs_requests, .. } = operation;
        let (calls, dollars) = (operation.calls(), operation.per_million());
        writeln!(
            text,
            "| {name} | {calls} | {write_units} | {read_units} | {s3_puts} | {s3_gets} | {sqs_requests} | {dollars:.2} |"
        )
        .expect("a string takes everything");
    }
    text.push_str(PRICES);
    for price in ALL {
        let million = format!("{:.4}", price.per_million);
        let million = million.trim_end_matches('0').trim_end_matches('.');
        writeln!(text, "| {} | {million} | {} |", price.what, price.page).expect("a string takes everything");
    }
    text.push_str(MILLION);
    let lines = lines(operations);
    for line in &lines {
        let dollars = line.times * line.per_million;
        writeln!(text, "| {} | {} | {:.2} | {dollars:.2} |", line.what, line.times, line.per_million)
            .expect("a string takes everything");
    }
    let total: f64 = lines.iter().map(|line| line.times * line.per_million).sum();
    let (median, longest) = (waits(VERDICT_MS), waits(WAIT_MS_MAX));
    writeln!(
        text,
        "| **together, if nobody waited for a verdict** | | | **{total:.2}** |\n\
         | Lambda `miner`: the wait for the verdict, {} s each | {COPIES} | {:.2} | {median:.2} |\n\
         | **together, with the median wait** | | | **{:.2}** |\n\
         | Lambda `miner`: the longest wait instead, {} s each | {COPIES} | {:.2} | {longest:.2} |\n\
         | **together, if every wait were the longest** | | | **{:.2}** |",
        seconds(VERDICT_MS),
        median / COPIES,
        total + median,
        seconds(WAIT_MS_MAX),
        longest / COPIES,
        total + longest,
    )
    .expect("a string takes everything");
    text.push_str(FOOT);
    text
}

const HEAD: &str = "\
# What the network costs on AWS

This page is written by a test, `SN17_WRITE_DOCS=1 cargo test -p sn17-scaling costs`, and the same test without the
variable fails when it is out of date.

## Operations

Each operation was made once by the use case itself (`sn17_app::App`) over the ledger on DynamoDB, alone on the table,
with four shards and hints that are fresh. Units are those that the engine (dynoxide, in the test's process) says it
consumed; for writes, the schema's own reckoning (`sn17_aws::schema::units`) from the items before and after is compared
with them and must be the same, operation by operation. Reads are the engine's figures: they follow AWS's rules (half a
unit for 4 KB eventually consistent, one if strongly consistent, nothing less than that for an absent item). Refused
conditional writes, which DynamoDB charges for, do not occur here. S3 and SQS are counted at their ports; the adapters make
one request for each.

WRU and RRU are write and read request units, table and indexes together. Dollars are for a million of the operation,
without Lambda.

| operation | calls to DynamoDB | WRU | RRU | S3 PUT | S3 GET | SQS | $ per million |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

const PRICES: &str = "
A pull counts its miner's registration, its nonce and the decision. \"Score and settle\" is what a worker asks for: the
submission, the splat, two pictures (three where results are compared), and the verdict's commit. Judging costs the judge's
tokens, too; the duel that was measured is between two equal files, which no judge is asked about. A wait looks at the
submission when four fifths of the usual wait are over and ever seldomer from then on, asks once how many submissions are
queued, and ends with the miner's figures.

## Prices

List prices as we know them, on demand, us-east-1, without free tiers, checked against third-party pages in November 2026
(named below), not against AWS's own page. Third-party pages also still name DynamoDB's prices of before November 2024,
which are twice these.

| what | $ per million | checked against |
| --- | --- | --- |
";

const MILLION: &str = "
Reading a table's stream costs nothing where Lambda does it for a trigger
(<https://docs.amazonaws.cn/en_us/amazondynamodb/latest/developerguide/CostOptimization_StreamsUsage.html>).

## A million tasks

Assumed for each task: text prompt, a key with an hourly quota of at most 1,000, four copies, all of them handed in,
good, and settled; 20 looks at the status, one download of the result of 1.5 MB; no conflicts, no retries, no batching of stream
records and messages (at load batches of up to 100 and 10 make the lines of SQS, `dispatch` and `sweeper` cheaper). Functions run on
arm64 with the memory of the template, 1,769 MB for `gateway`, 512 MB for `miner` and `sweeper`, 256 MB for `dispatch`, for so many
milliseconds: add_task 20, status 8, result 150, pull 40, submission 200 besides its wait, a record 10, a timer 20. These times, and 3 s
as the median wait for a verdict, are assumptions: no Lambda and no GPU was measured.

| what | times a task | $ per million | $ for a million tasks |
| --- | --- | --- | --- |
";

const FOOT: &str = "
Not counted: CloudFront, traffic out of AWS, storage (DynamoDB, S3, logs), the GPU or CPU workers, synthetic tasks between
clients' tasks (see their lines above), duels and the judge's tokens, the function `chain` (a run in ten minutes), refreshes of the
hints (see [scaling](scaling.md)), and the event source mappings' own polling of idle queues.
";

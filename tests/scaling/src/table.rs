//! What was found as text.

use std::fmt::Write as _;

use sn17_aws::ledger::pages::QUERIES_MAX;
use sn17_aws::ledger::quota::PARTS;

use crate::gateways::{GRANTED_MIN, QUOTA_LIMIT};
use crate::load::{ADD_MS, API_KEYS, CALL_MS, INDEX_MS, MINERS, PULL_MS, STATUS_MS};
use crate::meter::Kind;
use crate::prices::table_per_day;
use crate::report::{PARTITION_READS_MAX, PARTITION_WRITES_MAX, Report, TABLE_UNITS_MAX};
use crate::trials::Trials;

/// A row of a table in Markdown.
fn row(text: &mut String, cells: &[String]) {
    writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes everything");
}

fn whole(number: f64) -> String {
    format!("{number:.0}")
}

fn name(kind: Kind, report: &Report) -> String {
    let shards = report.shards;
    match kind {
        Kind::BusiestApiKey => "`K#…` of the key with a tenth of the traffic".to_owned(),
        Kind::ApiKey => "`K#…` of every other key".to_owned(),
        Kind::BusiestQuota => format!("`W#…` of the key with a tenth of the traffic: quota in {PARTS} parts"),
        Kind::Quota => format!("`W#…` of every other key: quota in {PARTS} parts"),
        Kind::Nonce => "`N#…`: nonces".to_owned(),
        Kind::Miner => "`M#…`: sessions".to_owned(),
        Kind::Task => "`T#…`: tasks".to_owned(),
        Kind::Hints => "`X#hints`: hints and their lease".to_owned(),
        Kind::OpenAnyone => format!("`o#…` of `open`: {shards} shards"),
        Kind::OpenStrong => format!("`s#…` of `open`: {shards} shards"),
        Kind::Due => format!("`d#…` of `due`: {shards} shards"),
    }
}

/// Whether a bound holds, in words.
const fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "**broken**" }
}

/// The document.
pub fn document(trials: &Trials) -> String {
    let mut text = head(trials);
    search(&mut text, trials);
    for report in &trials.loads {
        load(&mut text, report);
    }
    bursts(&mut text, trials);
    quotas(&mut text, trials);
    idle(&mut text, trials);
    text.push_str(RACE);
    text.push_str(FOOT);
    text
}

fn head(trials: &Trials) -> String {
    let shards = trials.shards;
    format!(
        "\
# How far the keys carry on DynamoDB

This page is written by a test, `SN17_WRITE_DOCS=1 cargo test -p sn17-scaling scaling`, and the same test without the
variable fails when it is out of date. `cargo run -p sn17-scaling --release -- --full` looks at the same loads for longer, prints
this page and writes `target/report/scaling.json`.

A simulation in virtual time, the same on every machine. Its code is the program's own wherever that is pure: the rules' decision
on a pull, shards and index entries, which shards a pull looks into, the processes' copies of the hints, leased quotas,
and the units of each write and read. Modelled are: the table, whose indexes follow after {INDEX_MS} ms; calls of {CALL_MS} ms; requests that
meet a process at random; conflicts by revision; and as many processes as requests keep busy (Little's law), each with one request
at a time as on Lambda: {ADD_MS} ms for an add_task, {STATUS_MS} ms for a status, {PULL_MS} ms for a pull. It begins at a full hour.

The load: 100,000 add_task a second, four status reads for each (80 % of the clients' requests, 400,000 a second), 2,000 pulls
a second by {MINERS} miners that may have a task each time; one API key sends a tenth of the clients' requests, {API_KEYS} others share
the rest. What a partition takes is {PARTITION_WRITES_MAX} write and {PARTITION_READS_MAX} read request units a second. Not in the load: submissions and their
settling (see [costs](costs.md)), whose keys are tasks and miners. Not counted because it does not exist: a record for idempotent
requests (the id will follow from key and idempotency key, so it will be the task itself). Rate limits are counted in process
and touch no key. The outbox rides on the items: it is the table's stream, which has a shard for each partition of the table, so
what bounds a partition bounds its shard of the stream too; here each add_task makes one record, 1,000 batches of 100 a second.

**{shards} shards** is the least power of two with which no partition key of the queues and of the calendar gets too busy.

"
    )
}

fn search(text: &mut String, trials: &Trials) {
    text.push_str(
        "## Shards\n\nAfter ten minutes of the load as many tasks end as come: each is an entry put and an entry deleted in both \
         indexes.\n\n| shards | WRU of the busiest shard in its busiest second | RRU | |\n| --- | --- | --- | --- |\n",
    );
    for report in &trials.search {
        let (writes, reads) = report.shard_peaks();
        let holds = writes < PARTITION_WRITES_MAX && reads < PARTITION_READS_MAX;
        row(text, &[report.shards.to_string(), whole(writes), whole(reads), verdict(holds).to_owned()]);
    }
}

fn load(text: &mut String, report: &Report) {
    let load = &report.load;
    writeln!(
        text,
        "\n## Load: {} ({} shards)\n\n{} add_task, {} status reads and {} pulls a second; {} gateway and {} miner processes; \
         {} s.\n\n| partition key | WRU/s of the busiest | RRU/s of the busiest | WRU/s of all | RRU/s of all | |\n\
         | --- | --- | --- | --- | --- | --- |",
        load.name,
        report.shards,
        load.adds_per_sec,
        load.adds_per_sec * load.statuses_per_add,
        load.pulls_per_sec,
        report.gateways,
        report.miner_processes,
        load.millis / 1000,
    )
    .expect("a string takes everything");
    let too_busy = report.too_busy();
    for (kind, consumed) in &report.kinds {
        row(
            text,
            &[
                name(*kind, report),
                whole(consumed.write_peak),
                whole(consumed.read_peak),
                whole(consumed.write_per_sec),
                whole(consumed.read_per_sec),
                verdict(!too_busy.contains(kind)).to_owned(),
            ],
        );
    }
    let (writes, reads) = report.per_sec();
    let is_allowed = writes <= TABLE_UNITS_MAX && reads <= TABLE_UNITS_MAX;
    writeln!(
        text,
        "| **table and indexes together** | | | **{writes:.0}** | **{reads:.0}** | {} |\n\n\
         That is ${:.0} a day. {}",
        if is_allowed {
            "within an account's 40,000 of each"
        } else {
            "**beyond an account's 40,000 of each**"
        },
        table_per_day(writes, reads),
        pulls(report),
    )
    .expect("a string takes everything");
}

fn pulls(report: &Report) -> String {
    let (pulls, waits, hints) = (&report.pulls, &report.waits, &report.hints);
    let total: u64 = pulls.queries.iter().sum();
    let share = |part: u64, whole: u64| 100.0 * count(part) / count(whole.max(1));
    let queries: Vec<String> = pulls
        .queries
        .iter()
        .enumerate()
        .map(|(queries, times)| format!("{queries}: {:.1} %", share(*times, total)))
        .collect();
    let (least, most) =
        (pulls.by_shard.iter().min().unwrap_or(&0), pulls.by_shard.iter().max().unwrap_or(&0));
    format!(
        "Pulls by their queries: {}; at most {} ({}). {:.1} % of pulls brought a client's task; {:.1} % of those commits lost a race, {} \
         pulls lost all of theirs. The oldest waiting task was at most {} ms older than in one unsharded queue ({}). Age of \
         the tasks handed out, median and 99 %: {} and {} ms, unsharded {} and {} ms. Tasks handed out of a shard: {least} \
         to {most}. The hints, {} bytes at most, were read {} times and refreshed {} times; {} tries to lease the refresh \
         were refused, a unit each; heads cost {:.0} RRU, counts {:.0}.",
        queries.join(", "),
        report.queries_max(),
        verdict(report.queries_max() <= QUERIES_MAX),
        share(pulls.organic, total),
        share(pulls.conflicts, pulls.commits),
        pulls.given_up,
        waits.excess_ms,
        verdict(waits.excess_ms <= crate::trials::EXCESS_MS_MAX),
        waits.sharded_median_ms,
        waits.sharded_p99_ms,
        waits.unsharded_median_ms,
        waits.unsharded_p99_ms,
        hints.bytes_max,
        hints.reads,
        hints.refreshes,
        hints.lease_tries.saturating_sub(hints.refreshes),
        hints.head_units,
        hints.count_units,
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}

fn bursts(text: &mut String, trials: &Trials) {
    text.push_str(
        "\n## More shards than the load needs\n\nTasks in bursts, and 2,000 pulls a second, which can take some 480 tasks: the queues \
         fill and empty. With many shards each holds little, the hints lead many to the same few tasks, and pulls come \
         away with a synthetic task while clients' tasks wait; with few shards miners meet at the same heads. Waits are in \
         milliseconds.\n\n\
         | tasks a second | shards | oldest task older than unsharded by | | wait, median and 99 % | unsharded | pulls with a \
         client's task | commits that lost a race | pulls that lost all | queries a pull | RRU/s of the busiest task |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for report in &trials.bursts {
        let (pulls, waits) = (&report.pulls, &report.waits);
        let total: u64 = pulls.queries.iter().sum();
        let queries: u64 = (0..).zip(&pulls.queries).map(|(queries, times)| queries * times).sum();
        let percent = |part: u64, whole: u64| format!("{:.0} %", 100.0 * count(part) / count(whole.max(1)));
        let busiest = report.kinds.get(&Kind::Task).map_or(0.0, |task| task.read_peak);
        row(
            text,
            &[
                report.load.adds_per_sec.to_string(),
                report.shards.to_string(),
                waits.excess_ms.to_string(),
                verdict(waits.excess_ms <= crate::trials::EXCESS_MS_MAX).to_owned(),
                format!("{}, {}", waits.sharded_median_ms, waits.sharded_p99_ms),
                format!("{}, {}", waits.unsharded_median_ms, waits.unsharded_p99_ms),
                percent(pulls.organic, total),
                percent(pulls.conflicts, pulls.commits),
                pulls.given_up.to_string(),
                format!("{:.1}", count(queries) / count(total.max(1))),
                whole(busiest),
            ],
        );
    }
}

fn quotas(text: &mut String, trials: &Trials) {
    writeln!(
        text,
        "\n## Quotas\n\nA window is counted in {PARTS} parts. A process leases what it uses in a second or some, at most a thousandth of \
         what is left of the window, and what it does not use is lost to the window. A key that asks for its whole hourly limit of \
         {QUOTA_LIMIT}, evenly over the hour, at processes drawn at random, and then goes on for a minute:\n\n\
         | processes | granted by the end of the hour | and after the minute | writes | of one part in one second, at most | |\n\
         | --- | --- | --- | --- | --- | --- |"
    )
    .expect("a string takes everything");
    for hour in &trials.quota_hours {
        let holds = hour.granted > GRANTED_MIN && hour.write_peak < PARTITION_WRITES_MAX;
        row(
            text,
            &[
                hour.processes.to_string(),
                format!("{:.2} %", 100.0 * hour.granted),
                format!("{:.2} %", 100.0 * hour.granted_after),
                hour.writes.to_string(),
                whole(hour.write_peak),
                verdict(holds).to_owned(),
            ],
        );
    }
}

fn idle(text: &mut String, trials: &Trials) {
    writeln!(
        text,
        "\n## An empty network\n\n{MINERS} miners pull and each gets a synthetic task; no pull makes a query, the hints tell that nothing waits. \
         The nonce, the reads of the session and its write are each pull's own; heads and counts are the refresh of the \
         hints.\n\n| shards | a miner pulls every | queries a pull | RRU/s | of them for the hints | WRU/s | $ a day |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    )
    .expect("a string takes everything");
    for report in &trials.idle {
        let (writes, reads) = report.per_sec();
        let secs = count(report.load.millis) / 1000.0;
        let of_hints = report.hints.head_units + report.hints.count_units;
        let item = report.kinds.get(&Kind::Hints).map_or(0.0, |hints| hints.read_per_sec);
        let pulls: u64 = report.pulls.queries.iter().sum();
        let queries: u64 = (0..).zip(&report.pulls.queries).map(|(queries, times)| queries * times).sum();
        row(
            text,
            &[
                report.shards.to_string(),
                format!("{} s", u64::from(MINERS) / report.load.pulls_per_sec.max(1)),
                format!("{:.2}", count(queries) / count(pulls.max(1))),
                format!("{reads:.1}"),
                format!("{:.1}", of_hints / secs + item),
                format!("{writes:.1}"),
                format!("{:.2}", table_per_day(writes, reads)),
            ],
        );
    }
}

const RACE: &str = "
## A race that was measured

This section was not simulated: 64 miners, 64 processes of the ledger, race for 10,000 tasks on a real engine (dynoxide, in the
test's process, four shards), and then for as many on the embedded store. A task goes to one miner, and to one strong one more if
that was not strong; a miner gives its task back at once and pulls again. `crates/aws/tests/contention` has the command. On 23
November 2026, on two cores of an AMD EPYC that compilers kept busy as well, with the SDK not optimised:

| | DynamoDB's ledger | embedded store |
| --- | --- | --- |
| assignments | 19,988 | 19,999 |
| tasks with more miners than they may have, tasks lost | 0, 0 | 0, 0 |
| pulls' commits that were refused | 40.6 % of 29,447 | none: one at a time |
| commits repeated for each that took effect | 0.68 | |
| passes' commits that were refused | 0.0 % of 20,754 | |
| decisions that lost all of their eight tries | 78 | |
| queries a pull, mean and most | 1.31, 4 | |
| calls to the table, hints included | 284,184 | |
| assignments a second | 17 | 1,715 |

The shares are the keys' own; the pace is that machine's: the run took 20 minutes, 9 of processor time, nearly all of it in the SDK
and the engine. Assignments differ because a task whose first miner is strong needs no second one.
";

const FOOT: &str = "
## What it would take

See the rows marked broken. Beside them, the load exceeds what a new account allows: 40,000 units of either kind a table, 1,000
functions at the same time (Lambda), and a new on-demand table takes 4,000 writes and 12,000 reads at once until it has grown. The default
policy would refuse it: a million open tasks are reached after ten seconds.
";

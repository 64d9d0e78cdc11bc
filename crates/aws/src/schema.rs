//! The one DynamoDB table: names, keys, indexes, and what its operations cost.
//!
//! # Items
//! | item | `pk` | `sk` | `exp` |
//! | --- | --- | --- | --- |
//! | task | `T#<uuid>` | `T` | its lifetime after its end |
//! | submission | `T#<uuid>` | `S#<ss58>` | its lifetime |
//! | miner's session | `M#<ss58>` | `S` | none |
//! | miner's record | `M#<ss58>` | `R` | none |
//! | API key | `K#<hex>` | `K` | none |
//! | part of a quota window of an API key | `W#<hex>#<part>` | `W#<period>#<number>` | two periods after its own |
//! | nonce of a signed request | `N#<ss58>#<uuid>` | `N#<nonce>` | when the request is too old to be repeated |
//! | metagraph as last applied | `X#roster` | `X` | none |
//! | duel | `D#<nonce>` | `D` | its lifetime after its end |
//! | miner's last duels | `M#<ss58>` | `H` | none |
//! | when the next duel may be made | `X#matchmaker` | `X` | none |
//! | standings as last noted | `X#leaderboard` | `X` | none |
//! | which batches of prompts there are | `X#prompts` | `X` | none |
//! | hints about the queues · who refreshes them · counts that go on | `X#hints` | `X` · `L` · `C` | none |
//! | backlog of the scoring queue, for hosts that cannot ask it | `X#backlog` | `X` | none |
//!
//! Attributes: `v` the value as JSON, `rev` its revision, `did` the decision that wrote it, `exp` when it counts as
//! absent (milliseconds), `ttl` when DynamoDB may delete it (seconds, rounded up), `fx` the effects of that write
//! (only if there are any: the table's stream carries them on), `n` the count of a part of a quota window
//! (a limit of at most 1,000 has one part, a larger one 16) or of the backlog, `at` when hints or the backlog were taken.
//!
//! # Indexes
//! Both are sparse, derived from the item by `sn17_core::index`, and carry `exp` besides the keys.
//!
//! | index | hash | range | what stands there |
//! | --- | --- | --- | --- |
//! | `open` | `qp` = `o#<shard>` | `qs` = `<created ms>#<uuid>` | tasks that any miner may take |
//! | `open` | `qp` = `s#<shard>` | the same | tasks that wait for a strong miner |
//! | `open` | `qp` = `K` | `qs` = `<hex>` | API keys |
//! | `open` | `qp` = `D` | `qs` = `<nonce>` | judged duels, by time |
//! | `due` | `dp` = `d#<shard>` | `ds` = `<due ms>#<pk>#<sk>` | tasks, submissions and duels that need attention |
//!
//! All judged duels stand in one partition, so that one query lists the latest. The six duels a minute of the policy are a
//! ten-thousandth of the 1,000 writes a second that DynamoDB gives a partition; for more readers than its 3,000 read
//! units a second allow there are caches.
//!
//! Milliseconds and nonces are written with 20 digits, so that text order is the order of instants, and uuids in lower
//! case, so that ties are in the order of ids. The shard is a hash of the task's id ([`index::shard_of`]): a task and its
//! submissions fall due in the same shard, a duel in that of its task. The number of shards may grow at any time; before
//! it shrinks, what stands in the shards that go must have ended.
//!
//! # Access patterns
//! Calls and units of each operation with items of usual size, without conflicts; tests count most of them against
//! an engine. WRU: write request units, table + indexes; RRU: read request units. [`units`] computes other sizes.
//!
//! | operation | calls | WRU | RRU |
//! | --- | --- | --- | --- |
//! | read one item · `n` items | `GetItem` · `BatchGetItem` | 0 | 1 · `n` |
//! | claim a nonce | `PutItem` | 1 | 0 |
//! | count a task against a quota of at most 1,000 | `UpdateItem` | 1 | 0 |
//! | count a task against a larger quota | `UpdateItem` of one of 16 parts about once a second in each process, none within a leased block; `BatchGetItem` of all parts when one is full | 0 or 1 | 0 (8) |
//! | accept a task | `GetItem`, `PutItem` | 1 + 2 | 1 |
//! | pull, too early or again | `GetItem` (`PutItem` at most once a second) | 0 (1) | 1 |
//! | pull, nothing waits | `GetItem`, `PutItem` | 1 | 1 |
//! | pull, a client's task | `GetItem`, 1 to 4 `Query`, `BatchGetItem`, `TransactWriteItems` | 4, + 1 when the last place goes, + 2 when only a strong miner's is left | 2.5 to 11 |
//! | submit | `BatchGetItem`, `TransactWriteItems` | 4 + 1 | 2 |
//! | settle, a client's task | `BatchGetItem`, `GetItem`, `TransactWriteItems` | 8 + 3 | 4 |
//! | settle, a synthetic task | `BatchGetItem`, `TransactWriteItems` | 6 + 1 | 3 |
//! | make a duel, of `p` pairs | 2 `BatchGetItem`, `TransactWriteItems` | 8 + 1 | 2 + 4 `p`, + 1 for every 4 KB of the roster |
//! | look for a duel to make, and none is due | `BatchGetItem` | 0 | 2, and the same |
//! | pull, a duel | 2 `GetItem`, `TransactWriteItems` | 4 | 2 |
//! | settle, a duel's first side · its second side | `BatchGetItem`, `GetItem`, `TransactWriteItems` | 6 + 1 · 6 + 3 | 4 |
//! | rule a duel | `GetItem`, `BatchGetItem`, `TransactWriteItems` | 12 + 2, + 2 for every KB of the two histories, up to 60 | 5, up to 11 |
//! | list `n` duels | `Query`, `BatchGetItem` | 0 | 0.5 + `n` |
//! | list duels where only expired ones are left | at most 3 `Query` | 0 | at most 20 |
//! | note the standings of 256 miners, every 5 minutes | 2 `GetItem`, 3 `BatchGetItem`, `PutItem` | 80 | 290 |
//! | wait for a verdict | `GetItem` at 0.8 of the median wait, then ever seldomer | 0 | 0.5 each |
//! | status, result | `GetItem` | 0 | 1 |
//! | refresh the hints, `s` shards | `GetItem`, 2 `PutItem`, 2 `s` `Query` | 2 | 0.5 + `s` |
//! | count the open tasks | 2 `s` `Query`, one page of at most 1 MB each | 0 | `s`, or 0.5 for every 4 KB of entries |
//! | what is due | `s` `Query` | 0 | 0.5 `s` |
//! | leave the backlog, once a minute | `PutItem` | 1 | 0 |
//! | backlog, at most once in 5 s in each process at the edge | `GetItem` | 0 | 0.5 |
//! | list the API keys | `Query`, `BatchGetItem` | 0 | 0.5 + 1 a key |
//!
//! A condition that fails costs as much as the write would have.
//!
//! # Largest items
//! With every field at its limit (prompts of 384 characters of 4 bytes, explanations of 1,000, 16 copies, all of them
//! with results) and the policy's defaults; a test holds these figures. DynamoDB takes 400 KB.
//!
//! | item | bytes at most |
//! | --- | --- |
//! | task | 12 KiB |
//! | submission | 5 KiB |
//! | session | 3 KiB |
//! | record (1,024 results in the window) | 13 KiB |
//! | roster of 256 neurons | 60 KiB |
//! | duel | 8 KiB |
//! | history of 48 duels | 16 KiB |
//! | standings of 256 miners | 80 KiB |
//! | shelf with 256 submissions of prompts | 17 KiB |

pub mod index;
pub mod names;
pub mod row;
#[cfg(test)]
mod sizes;
pub mod units;

/// Partition key of the table.
pub const PARTITION_KEY: &str = "pk";
/// Sort key of the table.
pub const SORT_KEY: &str = "sk";
/// The value as JSON.
pub const VALUE: &str = "v";
/// The revision.
pub const REVISION: &str = "rev";
/// The decision that wrote the item, 32 hexadecimal digits.
pub const DECISION: &str = "did";
/// When the item counts as absent, milliseconds since the Unix epoch.
pub const EXPIRES: &str = "exp";
/// When DynamoDB may delete the item, seconds since the Unix epoch; the table's TTL attribute.
pub const TTL: &str = "ttl";
/// The effects of the write as a JSON list; what the stream's filter asks for.
pub const EFFECTS: &str = "fx";
/// The count of a part of a quota window, or of the backlog.
pub const COUNT: &str = "n";
/// When the hints or the backlog were taken, or a refresh of the hints was begun, milliseconds since the Unix epoch.
pub const TAKEN_AT: &str = "at";

/// The index of open tasks, of API keys and of judged duels.
pub const OPEN_INDEX: &str = "open";
/// Hash key of [`OPEN_INDEX`].
pub const OPEN_PARTITION: &str = "qp";
/// Range key of [`OPEN_INDEX`].
pub const OPEN_SORT: &str = "qs";
/// The index of what falls due.
pub const DUE_INDEX: &str = "due";
/// Hash key of [`DUE_INDEX`].
pub const DUE_PARTITION: &str = "dp";
/// Range key of [`DUE_INDEX`].
pub const DUE_SORT: &str = "ds";

/// What both indexes carry besides the keys.
pub const INDEX_CARRIES: &[&str] = &[EXPIRES];
/// The partition of [`OPEN_INDEX`] that lists the API keys.
pub const API_KEYS: &str = "K";
/// The partition of [`OPEN_INDEX`] that lists the judged duels.
pub const JUDGED_DUELS: &str = "D";

/// Most shards of an index.
pub const SHARDS_MAX: u16 = 1024;

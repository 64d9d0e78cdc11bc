//! `sn17 admin export`, `restore` and `import`: what miners have earned, from one store to another and from the original.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sn17_app::{RestoreMode, STANDINGS_PAGE_MAX};
use sn17_core::Hotkey;
use sn17_core::standings::{MinerStanding, Snapshot};
use sn17_core::state::Neuron;
use sn17_wire::metagraph::{Metagraph, NEURONS_MAX};
use sn17_wire::ss58;
use sn17_wire::standings::original::{self, SkippedSlot};
use sn17_wire::standings::{self, RestoreOutcome, RestoreRow, Standings};

use super::Admin;
use super::server::{Roster, Server};
use crate::host::Clock;
use crate::serve::data::{DataFolder, write_whole};

/// Where the network is: a data folder of this machine unless it is told otherwise.
#[derive(Args, Debug)]
pub(super) struct Network {
    /// A deployed network's clients' URL, instead of a data folder.
    #[arg(long, value_name = "URL", requires = "admin_key")]
    url: Option<String>,
    /// What the deployed network's admin routes expect as `x-admin-key`.
    #[arg(long, env = "SN17_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Write the standings to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    network: Network,
}

#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// What `export` has written.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The original validator's miners.
    #[arg(long, value_name = "state.txt")]
    state: PathBuf,
    /// The original validator's duel ratings.
    #[arg(long, value_name = "ratings.json")]
    ratings: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// What takes the standings.
#[derive(Args, Debug)]
struct Target {
    /// Tell what would be restored, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    network: Network,
}

pub(super) async fn export(args: ExportArgs, data: &Path) -> anyhow::Result<()> {
    let snapshot = args.network.open(data)?.standings().await?;
    let mut text = serde_json::to_string(&Standings::of(&snapshot))?;
    text.push('\n');
    match &args.out {
        None => print!("{text}"),
        Some(file) => {
            write_whole(file, text.as_bytes())?;
            println!("exported {} miners to {}", snapshot.miners.len(), file.display());
        }
    }
    Ok(())
}

pub(super) async fn restore(args: RestoreArgs, data: &Path) -> anyhow::Result<()> {
    let text = read_within(&args.file, standings::BYTES_MAX)?;
    let snapshot = Standings::read(&text);
    let snapshot = snapshot.with_context(|| format!("{} holds no standings", args.file.display()))?;
    println!("standings of validator {} at {}", ss58::encode(&snapshot.validator), snapshot.taken.secs());
    let mode = args.target.mode();
    let admin = args.target.network.open(data)?;
    let rows = admin.restore_standings(&snapshot, mode).await?;
    print!("{}", summary(&rows, mode));
    Ok(())
}

pub(super) async fn import(args: ImportArgs, data: &Path) -> anyhow::Result<()> {
    let state = read_within(&args.state, original::STATE_BYTES_MAX)?;
    let state = original::read_state(&state);
    let state = state.with_context(|| format!("{} is not the original's state", args.state.display()))?;
    let ratings = read_within(&args.ratings, original::RATINGS_BYTES_MAX)?;
    let ratings = original::read_ratings(&ratings);
    let ratings =
        ratings.with_context(|| format!("{} are not the original's ratings", args.ratings.display()))?;
    let mode = args.target.mode();
    let admin = args.target.network.open(data)?;
    let (validator, neurons) = admin.network().await?;
    let (miners, skipped) = original::standings(&state, &ratings, &neurons);
    let snapshot = Snapshot { taken: Clock::default().now(), validator, miners, next: None };
    let mut rows = admin.restore_standings(&snapshot, mode).await?;
    rows.extend(skipped.iter().map(row_of_skipped));
    rows.sort_by_key(|row| row.uid);
    print!("{}", summary(&rows, mode));
    Ok(())
}

impl Network {
    fn open(self, data: &Path) -> anyhow::Result<Admin> {
        match self.url {
            None => Admin::open(&DataFolder::open(data)?),
            Some(url) => {
                let key = self.admin_key.context("--url needs --admin-key")?;
                Ok(Admin::Server(Server::remote(&url, key)?))
            }
        }
    }
}

impl Target {
    const fn mode(&self) -> RestoreMode {
        if self.dry_run { RestoreMode::DryRun } else { RestoreMode::Apply }
    }
}

impl Admin {
    /// What every registered miner has earned.
    async fn standings(&self) -> anyhow::Result<Snapshot> {
        let mut whole = self.standings_after(None).await?;
        // No more pages than slots, whatever a server answers.
        for _ in 0..NEURONS_MAX {
            let Some(next) = whole.next else { return Ok(whole) };
            let page = self.standings_after(Some(next)).await?;
            whole.miners.extend(page.miners);
            whole.next = page.next;
        }
        anyhow::bail!("the server's standings do not end")
    }

    async fn standings_after(&self, after: Option<u16>) -> anyhow::Result<Snapshot> {
        match self {
            Self::Store(app) => Ok(app.export_standings(after).await?),
            Self::Server(server) => server.standings(after).await,
        }
    }

    /// The validator and the registered miners.
    async fn network(&self) -> anyhow::Result<(Hotkey, Vec<Neuron>)> {
        match self {
            Self::Store(app) => Ok((app.validator(), app.roster().await?)),
            Self::Server(server) => {
                let Roster { validator, neurons } = server.roster().await?;
                let neurons = Metagraph { neurons }.check().context("the server's metagraph is none")?;
                Ok((ss58::decode(&validator)?, neurons))
            }
        }
    }

    async fn restore_standings(
        &self,
        snapshot: &Snapshot,
        mode: RestoreMode,
    ) -> anyhow::Result<Vec<RestoreRow>> {
        let mut rows = Vec::with_capacity(snapshot.miners.len());
        for part in snapshot.miners.chunks(STANDINGS_PAGE_MAX) {
            match self {
                Self::Server(server) => {
                    let page = Snapshot { miners: part.to_vec(), next: None, ..*snapshot };
                    rows.extend(server.restore_standings(&page, mode).await?);
                }
                Self::Store(app) => {
                    let restored = app.restore_standings(part.to_vec(), mode).await?;
                    let row = |(miner, restored): (&MinerStanding, _)| {
                        RestoreRow::of(miner.uid, &miner.hotkey, restored)
                    };
                    rows.extend(part.iter().zip(restored).map(row));
                }
            }
        }
        Ok(rows)
    }
}

/// The content of a file that is no larger than it may be.
fn read_within(file: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", file.display());
    let mut text = Vec::new();
    let opened = std::fs::File::open(file).with_context(cannot_read)?;
    opened.take(bytes_max + 1).read_to_end(&mut text).with_context(cannot_read)?;
    anyhow::ensure!(text.len() as u64 <= bytes_max, "{} has more than {bytes_max} bytes", file.display());
    Ok(text)
}

fn row_of_skipped(slot: &SkippedSlot) -> RestoreRow {
    RestoreRow {
        uid: slot.uid,
        hotkey: slot.hotkey.clone(),
        outcome: RestoreOutcome::Skipped,
        reason: Some(slot.reason.to_string()),
    }
}

/// One line a miner, then how many of each there are.
fn summary(rows: &[RestoreRow], mode: RestoreMode) -> String {
    let restored_word = match mode {
        RestoreMode::Apply => "restored",
        RestoreMode::DryRun => "would be restored",
    };
    let word = |outcome| match outcome {
        RestoreOutcome::Restored => restored_word,
        RestoreOutcome::Unchanged => "unchanged",
        RestoreOutcome::Skipped => "skipped",
    };
    let mut text = format!("{:>5}  {:<48}  RESULT\n", "UID", "MINER");
    for row in rows {
        let reason = row.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>5}  {:<48}  {}{reason}", row.uid, row.hotkey, word(row.outcome));
    }
    let outcomes = [RestoreOutcome::Restored, RestoreOutcome::Unchanged, RestoreOutcome::Skipped];
    let counts = outcomes.map(|outcome| {
        let count = rows.iter().filter(|row| row.outcome == outcome).count();
        format!("{} {count}", word(outcome))
    });
    text + &counts.join(", ") + "\n"
}

#[cfg(test)]
mod tests;

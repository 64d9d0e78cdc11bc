//! Setting weights: which ones, and the call for them.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sn17_chain::Snapshot;
use sn17_chain::extrinsic::Call;
use sn17_chain::sending::Mode;
use sn17_chain::weights::{self, Plan, Route, Weights};
use sn17_core::{Hotkey, UnixMs};

use crate::leaderboard::{Scheme, Source};
use crate::{inputs, timelock};

/// Which weights, and how they are sent.
#[derive(Args, Debug)]
pub(crate) struct SetArgs {
    /// `[{"uid": 3, "weight": 0.5}]`; only the proportions matter.
    #[arg(required_unless_present = "leaderboard", conflicts_with = "leaderboard")]
    weights: Option<PathBuf>,
    /// A network's URL, or the file of its `GET /leaderboard`: its miners' weights are set.
    #[arg(long, value_name = "URL|FILE", env = "SN17_LEADERBOARD")]
    leaderboard: Option<Source>,
    /// How the leaderboard's rewards become weights.
    #[arg(long, value_enum, default_value_t, requires = "leaderboard")]
    scheme: Scheme,
    /// The version key that the weights carry.
    #[arg(long, default_value_t = 0)]
    version_key: u64,
    /// The round of drand's quicknet at which timelocked weights show, where the subnet asks for those.
    #[arg(long, value_name = "ROUND")]
    reveal_round: Option<u64>,
}

impl SetArgs {
    /// Prints what would be set, and makes the call for it; none if it waits for its commit to be encrypted.
    ///
    /// # Errors
    /// If the chain would refuse the weights, or they are such that nobody should send them.
    pub(crate) async fn call(
        &self,
        snapshot: &Snapshot,
        hotkey: &Hotkey,
        now: UnixMs,
        mode: Mode,
    ) -> anyhow::Result<Option<Call>> {
        let relative = match (&self.leaderboard, &self.weights) {
            (Some(source), _) => {
                let board = source.read(now).await?;
                print!("{board}");
                if board.is_synthetic() && mode == Mode::Send {
                    anyhow::bail!("not sent: the standings come from synthetic model weights");
                }
                board.paid(self.scheme, snapshot)?
            }
            (None, Some(file)) => inputs::weights(file)?,
            (None, None) => anyhow::bail!("there are neither weights nor a leaderboard"),
        };
        let weights = Weights::relative(&relative)?;
        let plan = weights::preflight(snapshot, hotkey, weights, self.version_key)
            .context("the chain would refuse them")?;
        print!("{plan}");
        let call = call_of(&plan, self.reveal_round, now)?;
        if call.is_none() && mode == Mode::Send {
            anyhow::bail!(
                "not sent: the subnet asks for timelocked commits; say with --reveal-round when they shall show"
            );
        }
        Ok(call)
    }
}

/// The call of a plan; none if it has to be timelocked and nobody says to which round.
fn call_of(plan: &Plan, reveal_round: Option<u64>, now: UnixMs) -> anyhow::Result<Option<Call>> {
    match (&plan.route, reveal_round) {
        (Route::Set, None) => Ok(Some(Call::set_weights(plan.netuid, &plan.weights, plan.version_key))),
        (Route::Set, Some(_)) => anyhow::bail!("the subnet takes weights as they are, and no commits"),
        (Route::CommitTimelocked { payload, .. }, None) => {
            println!("payload to be timelocked: 0x{}", hex::encode(payload));
            Ok(None)
        }
        (Route::CommitTimelocked { payload, commit_version, .. }, Some(round)) => {
            let published = timelock::round_at(now);
            anyhow::ensure!(
                round > published,
                "round {round} hides nothing: quicknet has come to round {published} already"
            );
            let commit = timelock::encrypt(payload, round)?;
            println!("commit, revealed at round {round}: 0x{}", hex::encode(&commit));
            Ok(Some(Call::commit_timelocked_weights(plan.netuid, &commit, round, *commit_version)?))
        }
    }
}

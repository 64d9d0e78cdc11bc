//! Standings that move between stores, one miner at a time.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sn17_core::ledger::LoadSpec;
use sn17_core::standings::{self, MinerStanding, Restored, Snapshot};

use crate::App;
use crate::ports::{PortResult, transact};

/// Miners shown by one call at most: as much of each as can be written makes 3 MiB of JSON, and a function on AWS answers
/// with at most 6.
pub const STANDINGS_PAGE_MAX: usize = 32;
/// So many miners at the same time.
const PARALLEL: usize = 8;

/// Whether standings are restored or only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreMode {
    /// Restores them.
    Apply,
    /// Tells what restoring them would do, and changes nothing.
    DryRun,
}

impl App {
    /// What the registered miners behind uid `after` have earned, by uid: at most [`STANDINGS_PAGE_MAX`] of them. The items
    /// of each are read together, and may be slightly behind a concurrent commit.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn export_standings(&self, after: Option<u16>) -> PortResult<Snapshot> {
        let now = self.now();
        let mut neurons = self.roster().await?;
        neurons.retain(|neuron| after.is_none_or(|after| neuron.uid > after));
        neurons.sort_unstable_by_key(|neuron| neuron.uid);
        let has_more = neurons.len() > STANDINGS_PAGE_MAX;
        neurons.truncate(STANDINGS_PAGE_MAX);
        let mut load = LoadSpec::default();
        for neuron in &neurons {
            load.keys.extend(standings::load(neuron.hotkey).keys);
        }
        let view = self.ports.ledger.read(now, load).await?;
        Ok(Snapshot {
            taken: now,
            validator: self.validator,
            miners: neurons.iter().filter_map(|neuron| MinerStanding::of(&view, neuron)).collect(),
            next: neurons.last().filter(|_| has_more).map(|neuron| neuron.uid),
        })
    }

    /// Restores what miners have earned elsewhere; answers what came of each, in their order. Each is one commit, and
    /// repeating it all changes nothing. Miners that are not named keep what they have.
    ///
    /// # Errors
    /// Those of the ledger; whatever has been restored stays.
    pub async fn restore_standings(
        &self,
        miners: Vec<MinerStanding>,
        mode: RestoreMode,
    ) -> PortResult<Vec<Restored>> {
        let restored = stream::iter(miners).map(|miner| self.restore_standing(miner, mode));
        restored.buffered(PARALLEL).try_collect().await
    }

    async fn restore_standing(&self, miner: MinerStanding, mode: RestoreMode) -> PortResult<Restored> {
        let (now, policy) = (self.now(), self.policy);
        let load = standings::load(miner.hotkey);
        match mode {
            RestoreMode::DryRun => {
                let view = self.ports.ledger.read(now, load).await?;
                Ok(standings::preview(&view, &miner, now, &policy))
            }
            RestoreMode::Apply => {
                let decide = move |view: &_| standings::restore(view, &miner, now, &policy);
                transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
            }
        }
    }
}

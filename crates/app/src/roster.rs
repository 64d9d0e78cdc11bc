//! Who is registered: rosters from an operator, and those of the chain.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sn17_core::ledger::LoadSpec;
use sn17_core::state::{Block, Key, Neuron, Roster};
use sn17_core::{Hotkey, UnixMs, miner};

use crate::App;
use crate::ports::{PortError, PortResult, transact};

/// So many neurons at the same time: 256 of a table some milliseconds away are done in seconds.
const PARALLEL: usize = 8;

/// The roster that the network plays by after a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// How many are registered.
    pub miners: usize,
    /// The block that says so.
    pub block: Option<Block>,
}

/// Why there is no newer roster. The last good one stays.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError<E> {
    /// The source has none that can be believed.
    #[error(transparent)]
    Source(E),
    /// The source says that nobody is registered.
    #[error("nobody is registered")]
    Empty,
    /// The ledger failed; whatever has been applied stays.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl App {
    /// Asks a source for the roster of now and applies it. The source is told the time, and the block of the roster
    /// that the network plays by, if that is the chain's: it is to give no older one. That block lies in the
    /// ledger, so it outlives the process, and every host of a network knows the same.
    ///
    /// # Errors
    /// [`RefreshError`]; the next refresh makes up for it.
    pub async fn refresh_roster<F, E>(
        &self,
        fetch: impl FnOnce(UnixMs, Option<Block>) -> F,
    ) -> Result<Refreshed, RefreshError<E>>
    where
        F: Future<Output = Result<Roster, E>>,
    {
        let known = self.noted_roster().await?.block;
        let roster = fetch(self.now(), known).await.map_err(RefreshError::Source)?;
        if roster.neurons.is_empty() {
            return Err(RefreshError::Empty);
        }
        Ok(self.apply(roster).await?)
    }

    /// Makes the sessions agree with an operator's metagraph. Safe to repeat after a crash in between.
    ///
    /// # Errors
    /// Those of the ledger; whatever has been applied stays.
    pub async fn apply_roster(&self, neurons: Vec<Neuron>) -> PortResult<()> {
        self.apply(Roster { neurons, block: None }).await.map(drop)
    }

    /// The roster last applied.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn roster(&self) -> PortResult<Vec<Neuron>> {
        Ok(self.noted_roster().await?.neurons)
    }

    /// The roster last applied, with the chain's block that it is the state of.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn noted_roster(&self) -> PortResult<Roster> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Roster])).await?;
        Ok(view.roster().map(|(_, roster)| roster.clone()).unwrap_or_default())
    }

    /// Whoever left or was replaced loses session and record, the roster is noted, and newcomers get both. In this order
    /// nobody is registered who is not noted, so that a crash in between leaves nothing that a later roster would not
    /// find. One that is out of date by now changes nothing.
    async fn apply(&self, new: Roster) -> PortResult<Refreshed> {
        let old = self.noted_roster().await?;
        if new.is_older_than(&old) {
            return Ok(Refreshed { miners: old.neurons.len(), block: old.block });
        }
        let refreshed = Refreshed { miners: new.neurons.len(), block: new.block };
        // A miner that moved to another uid leaves before it comes; beyond that nobody's state depends on another's.
        let departed = stream::iter(miner::departed(&old, &new)).map(Ok);
        departed.try_for_each_concurrent(PARALLEL, |hotkey| self.deregister(hotkey)).await?;
        let noted = new.clone();
        let load = LoadSpec::keys([Key::Roster]);
        let decide = move |view: &_| miner::note_roster(view, noted.clone());
        transact(&*self.ports.ledger, self.decision_id(), self.now(), load, decide).await?;
        let strong = miner::strong_uids(&new.neurons, self.policy.miners.strong_miners);
        let registered = stream::iter(new.neurons).map(Ok);
        registered
            .try_for_each_concurrent(PARALLEL, |neuron| {
                let is_strong = strong.binary_search(&neuron.uid).is_ok();
                self.register(neuron, is_strong)
            })
            .await?;
        Ok(refreshed)
    }

    async fn register(&self, neuron: Neuron, is_strong: bool) -> PortResult<()> {
        let policy = self.policy;
        let load = LoadSpec::keys([Key::Session(neuron.hotkey), Key::Record(neuron.hotkey)]);
        let decide = move |view: &_| miner::register(view, &neuron, is_strong, &policy);
        transact(&*self.ports.ledger, self.decision_id(), self.now(), load, decide).await
    }

    async fn deregister(&self, hotkey: Hotkey) -> PortResult<()> {
        let now = self.now();
        let policy = self.policy;
        let load = LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey)]);
        let decide = move |view: &_| miner::deregister(view, hotkey, now, &policy);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }
}

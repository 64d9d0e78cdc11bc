//! Duels as they are made and shown, and the standings.

use bytes::Bytes;
use sn17_core::duel;
use sn17_core::leaderboard::{self, Leaderboard};
use sn17_core::ledger::{LoadSpec, QueueName, Stored, View};
use sn17_core::matchmaking::{self, Draw};
use sn17_core::state::{Duel, DuelNonce, DuelState, Entry, History, Item, Key, Neuron};
use sn17_core::{Hotkey, TaskId};
use sn17_wire::duels::DuelRecord;

use crate::App;
use crate::clients::{fetch, put};
use crate::judging::GRID_BYTES_MAX;
use crate::ports::{BlobKey, BlobRead, PortErrorKind, PortResult, transact};
use crate::scoring::{Picture, preview_key};

/// Most duels that one call makes, should the clock have stood still for long.
const DUELS_AT_ONCE: usize = 64;
/// Duels shown on a page, at most.
pub const DUELS_PAGE_MAX: usize = 100;
/// Duels looked at to see whether scores are synthetic.
const DUELS_OF_LABEL: usize = 16;
/// Records read together; a `BatchGetItem` takes 100 keys.
const RECORDS_AT_ONCE: usize = 100;

/// One of the two places of a duel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuelSide {
    /// The first of the pair.
    Left,
    /// The second of the pair.
    Right,
}

/// What the judge has seen of one side.
#[derive(Debug)]
pub struct DuelPicture {
    /// The PNG: four views of the result, two by two.
    pub png: BlobRead,
    /// Where it lies.
    pub blob: BlobKey,
}

impl App {
    /// Makes the duels that are due (DU-2); answers how many. Call it at least once a minute.
    ///
    /// # Errors
    /// Those of the ports; whatever was made stays.
    pub async fn make_duels(&self) -> PortResult<usize> {
        if !self.policy.judge.enabled {
            return Ok(0);
        }
        let backlog = self.ports.queue.backlog(QueueName::Judging).await?;
        self.turn_page().await;
        for made in 0..DUELS_AT_ONCE {
            if self.make_duel(backlog).await?.is_none() {
                return Ok(made);
            }
        }
        Ok(DUELS_AT_ONCE)
    }

    async fn make_duel(&self, backlog: u64) -> PortResult<Option<DuelNonce>> {
        let (now, policy) = (self.now(), self.policy);
        let prompts =
            (0..policy.duels.draws).map(|_| self.prompts.draw_any(self.random(), policy.miners.text_share));
        let draw = Draw { task: TaskId::new(now, self.random()), prompts: prompts.collect(), backlog };
        let decide = move |view: &_| matchmaking::decide(view, &draw, now, &policy);
        transact(&*self.ports.ledger, self.decision_id(), now, matchmaking::load(), decide).await
    }

    pub(crate) async fn look_after_duel(&self, nonce: DuelNonce) -> PortResult<()> {
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &_| duel::look_after(view, nonce, now, &policy);
        let load = LoadSpec::keys([Key::Duel(nonce)]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }

    /// A duel in whatever state; none if it was never made or has expired.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn duel(&self, nonce: DuelNonce) -> PortResult<Option<Duel>> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Duel(nonce)])).await?;
        Ok(view.duel(nonce).map(|(_, duel)| duel.clone()))
    }

    /// The record of a duel; none unless it has ended with a verdict.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn duel_record(&self, nonce: DuelNonce) -> PortResult<Option<DuelRecord>> {
        let duel = self.duel(nonce).await?;
        Ok(duel.and_then(|duel| DuelRecord::of(nonce, &duel, &self.validator)))
    }

    /// The picture that was judged of one side. None before the verdict, as nobody shall see what others are making;
    /// none of a side without a result.
    ///
    /// # Errors
    /// Those of the ports.
    pub async fn duel_picture(&self, nonce: DuelNonce, place: DuelSide) -> PortResult<Option<DuelPicture>> {
        let Some(duel) = self.duel(nonce).await? else { return Ok(None) };
        let side = match place {
            DuelSide::Left => &duel.left,
            DuelSide::Right => &duel.right,
        };
        let (DuelState::Judged { .. }, Entry::Delivered { .. }) = (&duel.state, &side.entry) else {
            return Ok(None);
        };
        // Between the verdict and its publication the picture is where the judge found it.
        for blob in [duel_picture_key(nonce, place), preview_key(duel.task, side.hotkey, Picture::Grid)] {
            match self.ports.blobs.get(&blob).await {
                Ok(png) => return Ok(Some(DuelPicture { png, blob })),
                Err(error) if error.kind == PortErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The records of duels that have ended with a verdict, the latest first: at most `limit` (and
    /// [`DUELS_PAGE_MAX`]) with nonces below `before`. One made so long ago that its record should have expired is in
    /// no list, should it have ended late and still be there.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn duels(&self, before: Option<DuelNonce>, limit: usize) -> PortResult<Vec<DuelRecord>> {
        let (now, policy) = (self.now(), &self.policy);
        let readable_secs = policy.duel_secs_max() + policy.duels.lifetime_secs;
        let since = DuelNonce(now.secs().saturating_sub(readable_secs));
        let page = self.ports.ledger.duels(now, since, before, limit.min(DUELS_PAGE_MAX)).await?;
        let record = |(nonce, stored): (DuelNonce, Stored)| {
            let Item::Duel(duel) = stored.item else { return None };
            DuelRecord::of(nonce, &duel, &self.validator)
        };
        Ok(page.into_iter().filter_map(record).collect())
    }

    /// A miner's last duels, oldest first.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn history(&self, hotkey: Hotkey) -> PortResult<History> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::History(hotkey)])).await?;
        Ok(view.history(&hotkey).map(|(_, history)| history.clone()).unwrap_or_default())
    }

    /// Leaves a duel's record with its pictures where they are kept as long as it: the pictures that results come with
    /// are swept much earlier. The record comes last, so that whoever finds it finds the pictures. Repeating it does no
    /// harm.
    pub(crate) async fn publish_duel(&self, nonce: DuelNonce) -> PortResult<()> {
        let Some(duel) = self.duel(nonce).await? else { return Ok(()) };
        let Some(record) = DuelRecord::of(nonce, &duel, &self.validator) else { return Ok(()) };
        let blobs = &*self.ports.blobs;
        for (place, side) in [(DuelSide::Left, &duel.left), (DuelSide::Right, &duel.right)] {
            let Entry::Delivered { .. } = side.entry else { continue };
            let grid = preview_key(duel.task, side.hotkey, Picture::Grid);
            match fetch(blobs, &grid, GRID_BYTES_MAX).await {
                Ok(png) => put(blobs, &duel_picture_key(nonce, place), png).await?,
                // No picture was made, or it has been swept since it was published.
                Err(error) if error.kind == PortErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        put(blobs, &duel_key(nonce), Bytes::from(record.to_json())).await
    }

    /// The standings as last noted; none before the first time.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn leaderboard(&self) -> PortResult<Option<Leaderboard>> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Leaderboard])).await?;
        Ok(view.leaderboard().cloned())
    }

    /// Computes the standings from every registered miner's record and notes them.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn note_leaderboard(&self) -> PortResult<Leaderboard> {
        let neurons = self.roster().await?;
        let synthetic = self.has_synthetic_scores().await?;
        let leaderboard = Leaderboard { synthetic, ..self.standings(&neurons).await? };
        let noted = leaderboard.clone();
        let decide = move |view: &_| leaderboard::note(view, noted.clone());
        let load = LoadSpec::keys([Key::Leaderboard]);
        transact(&*self.ports.ledger, self.decision_id(), self.now(), load, decide).await?;
        Ok(leaderboard)
    }

    /// Whether any of the last duels was fought with scores of synthetic model weights.
    async fn has_synthetic_scores(&self) -> PortResult<bool> {
        let duels = self.duels(None, DUELS_OF_LABEL).await?;
        Ok(duels.iter().any(|duel| duel.left.synthetic || duel.right.synthetic))
    }

    async fn standings(&self, neurons: &[Neuron]) -> PortResult<Leaderboard> {
        let now = self.now();
        let mut whole = View::default();
        for chunk in neurons.chunks(RECORDS_AT_ONCE) {
            let keys: Vec<Key> = chunk.iter().map(|neuron| Key::Record(neuron.hotkey)).collect();
            let view = self.ports.ledger.read(now, LoadSpec::keys(keys)).await?;
            for (key, stored) in view.items() {
                whole.insert(*key, stored.cloned());
            }
        }
        Ok(Leaderboard::of(&whole, neurons, now, &self.policy))
    }
}

/// Where a duel's record lies.
fn duel_key(nonce: DuelNonce) -> BlobKey {
    BlobKey(format!("duels/{nonce}.json"))
}

/// Where the picture of one side lies that goes with the record.
fn duel_picture_key(nonce: DuelNonce, place: DuelSide) -> BlobKey {
    let name = match place {
        DuelSide::Left => "left",
        DuelSide::Right => "right",
    };
    BlobKey(format!("duels/{nonce}/{name}.png"))
}

//! Synthetic prompts: what generators hand in becomes batches, for validators who ask and for our own tasks.
//!
//! Whatever is missing or broken, there are prompts: without a batch the grammar writes them.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sn17_core::TaskId;
use sn17_core::ledger::LoadSpec;
use sn17_core::prompts::collector::{Collector, CollectorRules, Receipt};
use sn17_core::prompts::shelf::{self, PromptBatch, PromptShelf, Refreshed};
use sn17_core::prompts::{PromptRules, Seen, clean_sentence, grammar};
use sn17_core::state::Key;
use sn17_wire::prompts::{PromptReader, PromptsReply};

use crate::clients::{fetch, put};
use crate::ports::{BlobKey, BlobRead, Nonce, PortError, PortErrorKind, PortResult, transact};
use crate::{Admission, App, Caller};

/// What stands in place of a client's session where a nonce is noted; no dendrite can be called so.
const NONCE_SESSION: &str = "prompts.get";
/// Owners of keys that may hand in prompts: this one, and those that begin with it and a colon.
const GENERATOR: &str = "prompts";

/// Prompts on a page: so many are held in memory to draw from, whatever a batch may have.
const PAGE_PROMPTS: usize = 1_000;
/// A page is drawn from for so long, in seconds, before another one of the batch takes its place.
const PAGE_SECS: u64 = 600;
/// Largest page in bytes: prompts of 240 characters, each escaped in six bytes.
const PAGE_BYTES_MAX: u64 = 2 << 20;
/// Largest submission in bytes, likewise.
const SUBMISSION_BYTES_MAX: u64 = 16 << 20;
/// Largest state of the collector in bytes: a million prompts of usual length.
const STATE_BYTES_MAX: u64 = 128 << 20;
/// So many blobs are written or removed at the same time.
const PARALLEL: usize = 8;

/// Why prompts are not taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitPromptsError {
    /// As many submissions wait to be merged as may.
    #[error("the collector has no room for more submissions")]
    Full {
        /// When to come back.
        retry_after_secs: u64,
    },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Prompts for a validator.
#[derive(Debug)]
pub enum PromptsForValidator {
    /// The current batch.
    Batch {
        /// The JSON of a [`PromptsReply`].
        json: BlobRead,
        /// Where it lies.
        blob: BlobKey,
    },
    /// There is no batch; these were written for the occasion, as many as a validator takes for a batch.
    Written(Vec<String>),
}

impl Caller {
    /// Whether it may hand in prompts: its key was made for `prompts`, or for `prompts:` and a name.
    pub fn is_generator(&self) -> bool {
        let rest = self.key.owner.strip_prefix(GENERATOR);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

impl App {
    /// Takes in what a generator hands in: it is durable when this returns, and part of the next batch.
    ///
    /// # Errors
    /// See [`SubmitPromptsError`].
    pub async fn submit_prompts(&self, prompts: &[String]) -> Result<Receipt, SubmitPromptsError> {
        let (now, rules) = (self.now(), self.policy.collector);
        let (kept, receipt) = sift(prompts, &rules, &self.policy.prompts);
        if kept.is_empty() {
            return Ok(receipt);
        }
        let blob = BlobKey(format!("prompts/submitted/{}.json", TaskId::new(now, self.random())));
        put(&*self.ports.blobs, &blob, json(&kept)).await?;
        let name = blob.0.clone();
        let decide = move |view: &_| shelf::submit(view, &name);
        if transact(&*self.ports.ledger, self.decision_id(), now, shelf::load(), decide).await? {
            return Ok(receipt);
        }
        self.remove(vec![blob]).await;
        Err(SubmitPromptsError::Full { retry_after_secs: rules.retry_secs })
    }

    /// Makes a new batch of what has been handed in, if it is time to: hourly by the policy. Call it once a minute, on a
    /// host with some 250 MB of memory; several that do so at once cost work and nothing else.
    ///
    /// # Errors
    /// Those of the ports; the batch before stays in use.
    pub async fn refresh_prompts(&self) -> PortResult<Option<PromptBatch>> {
        let (now, rules) = (self.now(), self.policy.collector);
        let shelf = self.prompt_shelf().await?;
        if !shelf.is_due(now, &rules) {
            return Ok(None);
        }
        let mut collector = self.collector(&shelf).await?;
        for blob in &shelf.submitted {
            let submitted: Option<Vec<String>> = self.read(blob, SUBMISSION_BYTES_MAX).await?;
            collector.submit(&submitted.unwrap_or_default(), &rules, &self.policy.prompts);
        }
        let folder = format!("prompts/batches/{}", TaskId::new(now, self.random()));
        let batch = self.write_batch(folder, &collector).await?;
        let (basis, made) = (shelf.clone(), batch.clone());
        let decide = move |view: &_| shelf::refresh(view, &basis, &made);
        let load = shelf::load();
        match transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await? {
            Refreshed::Now { retired } => {
                let submitted = shelf.submitted.into_iter().map(BlobKey);
                let retired = retired.iter().flat_map(blobs_of);
                self.remove(submitted.chain(retired).collect()).await;
                tracing::info!(prompts = batch.prompts, pages = batch.pages, "a new batch of prompts");
                Ok(Some(batch))
            }
            Refreshed::Before => {
                self.remove(blobs_of(&batch).collect()).await;
                Ok(None)
            }
        }
    }

    /// Uses up a validator's signed request: it has to be registered with the stake that the policy asks for, or be the
    /// one whose network this is (AU-1, AU-2).
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn admit_validator(&self, reader: &PromptReader) -> PortResult<Admission> {
        let hotkey = reader.hotkey;
        if hotkey != self.validator {
            let load = LoadSpec::keys([Key::Session(hotkey)]);
            let view = self.ports.ledger.read(self.now(), load).await?;
            let stake_min = self.policy.collector.stake_min;
            if !view.session(&hotkey).is_some_and(|(_, session)| session.stake >= stake_min) {
                return Ok(Admission::Stranger);
            }
        }
        let nonce = Nonce { hotkey, uuid: NONCE_SESSION.to_owned(), nonce: reader.nonce };
        let is_fresh = self.ports.ledger.claim_nonce(&nonce, self.now(), reader.expires).await?;
        Ok(if is_fresh { Admission::Fresh } else { Admission::Replayed })
    }

    /// A batch for a validator.
    ///
    /// # Errors
    /// Those of the ports.
    pub async fn prompts_for_validator(&self) -> PortResult<PromptsForValidator> {
        if let Some(batch) = self.prompt_shelf().await?.current {
            let blob = whole(&batch);
            match self.ports.blobs.get(&blob).await {
                Ok(json) => return Ok(PromptsForValidator::Batch { json, blob }),
                Err(error) if error.kind == PortErrorKind::NotFound => {
                    tracing::warn!(blob = blob.0, "the current batch of prompts is gone");
                }
                Err(error) => return Err(error),
            }
        }
        let least = self.policy.collector.batch_prompts_min;
        Ok(PromptsForValidator::Written(written(self.random()).take(least).collect()))
    }

    /// Turns to another page of the current batch, if it is time to: then one of many requests waits for it. Whatever
    /// goes wrong, the prompts at hand stay good.
    pub(crate) async fn turn_page(&self) {
        let (now, rules) = (self.now(), self.policy.collector);
        if !self.prompts.turns_now(now, now.plus_secs(PAGE_SECS)) {
            return;
        }
        let page = self.any_page().await.inspect_err(|error| {
            tracing::warn!(%error, "cannot read a page of prompts, drawing from those at hand");
        });
        match page {
            Ok(Some(texts)) => self.prompts.turn_to(texts),
            Ok(None) | Err(_) => self.prompts.turn_next_at(now.plus_secs(rules.retry_secs)),
        }
    }

    async fn any_page(&self) -> PortResult<Option<Vec<String>>> {
        let Some(batch) = self.prompt_shelf().await?.current else { return Ok(None) };
        let number = self.random() % u128::from(batch.pages.max(1));
        let page: Option<Vec<String>> = self.read(&page(&batch.folder, number).0, PAGE_BYTES_MAX).await?;
        Ok(page.filter(|texts| !texts.is_empty()))
    }

    async fn prompt_shelf(&self) -> PortResult<PromptShelf> {
        let view = self.ports.ledger.read(self.now(), shelf::load()).await?;
        Ok(view.prompt_shelf().map(|(_, shelf)| shelf.clone()).unwrap_or_default())
    }

    /// The collector as of the current batch; an empty one where it is lost, as its prompts can be made again.
    async fn collector(&self, shelf: &PromptShelf) -> PortResult<Collector> {
        let read = match &shelf.current {
            Some(batch) => self.read(&state(&batch.folder).0, STATE_BYTES_MAX).await?,
            None => None,
        };
        Ok(read.unwrap_or_else(|| Collector::new(&self.policy.collector)))
    }

    /// Writes a batch beside the state it comes from. A batch too small for validators to take is filled up.
    async fn write_batch(&self, folder: String, collector: &Collector) -> PortResult<PromptBatch> {
        let (rules, blobs) = (&self.policy.collector, &*self.ports.blobs);
        let mut prompts = collector.batch(self.random(), rules);
        let missing = rules.batch_prompts_min.saturating_sub(prompts.len());
        let known: BTreeSet<&str> =
            if missing > 0 { prompts.iter().copied().collect() } else { BTreeSet::new() };
        let spare = written(self.random()).filter(|text| !known.contains(text.as_str()));
        let spare: Vec<String> = spare.take(missing).collect();
        prompts.extend(spare.iter().map(String::as_str));
        let batch = PromptBatch {
            made: self.now(),
            prompts: u32::try_from(prompts.len()).unwrap_or(u32::MAX),
            pages: u32::try_from(prompts.chunks(PAGE_PROMPTS).len()).unwrap_or(u32::MAX),
            folder,
        };
        put(blobs, &state(&batch.folder), json(collector)).await?;
        put(blobs, &whole(&batch), json(&PromptsReply { prompts: &prompts })).await?;
        let pages = prompts.chunks(PAGE_PROMPTS).zip(0..);
        let pages: Vec<(BlobKey, Bytes)> =
            pages.map(|(texts, number)| (page(&batch.folder, number), json(texts))).collect();
        let write = |(key, page)| async move { put(blobs, &key, page).await };
        stream::iter(pages).map(Ok).try_for_each_concurrent(PARALLEL, write).await?;
        Ok(batch)
    }

    /// What a blob holds; none if it is gone, or is not what it should be.
    async fn read<T: DeserializeOwned>(&self, blob: &str, bytes_max: u64) -> PortResult<Option<T>> {
        let bytes = match fetch(&*self.ports.blobs, &BlobKey(blob.to_owned()), bytes_max).await {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind, PortErrorKind::NotFound | PortErrorKind::Corrupt) => {
                tracing::error!(blob, %error, "prompts are lost");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let read = serde_json::from_slice(&bytes).inspect_err(|error| {
            tracing::error!(blob, %error, "prompts are lost");
        });
        Ok(read.ok())
    }

    /// Removes blobs that nobody is pointed to any more.
    async fn remove(&self, blobs: Vec<BlobKey>) {
        let store = &*self.ports.blobs;
        let remove = |blob: BlobKey| async move {
            if let Err(error) = store.delete(&blob).await {
                // Whatever is left behind goes when blobs of its age are swept.
                tracing::warn!(blob = blob.0, %error, "cannot remove prompts that are merged");
            }
        };
        stream::iter(blobs).for_each_concurrent(PARALLEL, remove).await;
    }
}

/// What of a submission passes the filters, each prompt once, and what became of the rest. What earlier submissions had
/// is found when all are merged.
fn sift(prompts: &[String], rules: &CollectorRules, filters: &PromptRules) -> (Vec<String>, Receipt) {
    let looked_at = prompts.len().min(rules.submission_prompts_max);
    let mut receipt = Receipt { ignored: prompts.len() - looked_at, ..Receipt::default() };
    let (mut kept, mut seen) = (Vec::new(), Seen::new(looked_at));
    for line in &prompts[..looked_at] {
        match clean_sentence(line, filters) {
            Ok(prompt) if seen.insert(&prompt) => kept.push(prompt),
            Ok(_) => receipt.repeated += 1,
            Err(_) => receipt.refused += 1,
        }
    }
    receipt.taken = kept.len();
    (kept, receipt)
}

/// Every prompt of the grammar, from one that `random` picks.
fn written(random: u128) -> impl Iterator<Item = String> {
    let first = usize::try_from(random % grammar::COUNT as u128).unwrap_or_default();
    (first..first + grammar::COUNT).map(grammar::nth)
}

fn json<T: Serialize + ?Sized>(value: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("texts and whole numbers always serialise"))
}

fn whole(batch: &PromptBatch) -> BlobKey {
    BlobKey(format!("{}/whole.json", batch.folder))
}

fn state(folder: &str) -> BlobKey {
    BlobKey(format!("{folder}/collector.json"))
}

fn page(folder: &str, number: u128) -> BlobKey {
    BlobKey(format!("{folder}/{number}.json"))
}

fn blobs_of(batch: &PromptBatch) -> impl Iterator<Item = BlobKey> {
    let pages = (0..batch.pages).map(|number| page(&batch.folder, number.into()));
    [whole(batch), state(&batch.folder)].into_iter().chain(pages)
}

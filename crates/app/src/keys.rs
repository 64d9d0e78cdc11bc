//! API keys: who may ask for tasks, and how many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use sn17_core::UnixMs;
use sn17_core::ledger::{LoadSpec, Step, Write};
use sn17_core::state::{ApiKey, Item, Key, KeyHash};

use crate::App;
use crate::ports::{PortResult, QuotaWindow, transact};

/// A key found good is not looked up again for so long; a revoked one may live on that long in other processes.
const CACHE_MS: u64 = 5_000;
/// So many keys are remembered at most.
const CACHE_MAX: usize = 10_000;
/// Characters of a key that are kept in the clear, to recognise it by.
const PREFIX_CHARS: usize = 8;

/// The secret that API keys are hashed with: 32 bytes, never a default.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(pub [u8; 32]);

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeySecret(…)")
    }
}

/// The owner of a good key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's hash, which is the caller's identity.
    pub hash: KeyHash,
    /// What the key may do.
    pub key: ApiKey,
}

/// How many tasks a key may ask for; none for unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// In each clock hour.
    pub hourly: Option<u32>,
    /// In each UTC day.
    pub daily: Option<u32>,
}

/// A key just made; the only time that its text exists on our side.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The key, a UUID.
    pub text: String,
    /// Its hash.
    pub hash: KeyHash,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewKey").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its hash.
    pub hash: KeyHash,
    /// What is kept of it.
    pub key: ApiKey,
}

#[derive(Debug)]
pub(crate) struct KeyCache {
    secret: KeySecret,
    known: Mutex<BTreeMap<KeyHash, (ApiKey, UnixMs)>>,
    /// Quotas found used up. They stay so until their period ends.
    used_up: Mutex<BTreeSet<QuotaWindow>>,
}

impl KeyCache {
    pub(crate) const fn new(secret: KeySecret) -> Self {
        Self { secret, known: Mutex::new(BTreeMap::new()), used_up: Mutex::new(BTreeSet::new()) }
    }

    fn hash(&self, text: &str) -> KeyHash {
        KeyHash(*blake3::keyed_hash(&self.secret.0, text.as_bytes()).as_bytes())
    }

    fn get(&self, hash: &KeyHash, now: UnixMs) -> Option<ApiKey> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, since) = known.get(hash)?;
        (now.ms_since(*since) < CACHE_MS).then(|| key.clone())
    }

    fn put(&self, hash: KeyHash, key: ApiKey, now: UnixMs) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CACHE_MAX {
            known.clear();
        }
        known.insert(hash, (key, now));
    }

    fn is_used_up(&self, window: &QuotaWindow) -> bool {
        self.used_up.lock().unwrap_or_else(PoisonError::into_inner).contains(window)
    }

    fn note_used_up(&self, window: QuotaWindow) {
        let mut used_up = self.used_up.lock().unwrap_or_else(PoisonError::into_inner);
        if used_up.len() >= CACHE_MAX {
            used_up.clear();
        }
        used_up.insert(window);
    }

    fn forget(&self, hash: &KeyHash) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }
}

impl App {
    /// Finds out whose key this is; none if it is not known, or revoked.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn authenticate(&self, text: &str) -> PortResult<Option<Caller>> {
        let now = self.now();
        let hash = self.keys.hash(&text.to_ascii_lowercase());
        if let Some(key) = self.keys.get(&hash, now) {
            return Ok(Some(Caller { hash, key }));
        }
        let item_key = Key::ApiKey(hash);
        let view = self.ports.ledger.read(now, LoadSpec::keys([item_key])).await?;
        match view.get(&item_key).map(|stored| &stored.item) {
            Some(Item::ApiKey(key)) => {
                self.keys.put(hash, key.clone(), now);
                Ok(Some(Caller { hash, key: key.clone() }))
            }
            _ => Ok(None),
        }
    }

    /// Makes a key for `owner`.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn add_key(&self, owner: &str, limits: KeyLimits) -> PortResult<NewKey> {
        let text = uuid_v4(self.random());
        let hash = self.keys.hash(&text);
        let now = self.now();
        let key = ApiKey {
            owner: owner.to_owned(),
            prefix: text.chars().take(PREFIX_CHARS).collect(),
            created: now,
            hourly: limits.hourly,
            daily: limits.daily,
        };
        let item_key = Key::ApiKey(hash);
        let load = LoadSpec::keys([item_key]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, move |_| Step::Commit {
            writes: vec![Write::create(item_key, Item::ApiKey(key.clone()), None)],
            reply: (),
        })
        .await?;
        Ok(NewKey { text, hash })
    }

    /// Every key that is good now.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn keys(&self) -> PortResult<Vec<KeyRow>> {
        let rows = self.ports.ledger.api_keys().await?;
        let mut keys = Vec::with_capacity(rows.len());
        for (hash, stored) in rows {
            if let Item::ApiKey(key) = stored.item {
                keys.push(KeyRow { hash, key });
            }
        }
        Ok(keys)
    }

    /// Revokes every key whose text begins with `prefix` (at least eight characters); answers how many.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn revoke_keys(&self, prefix: &str) -> PortResult<usize> {
        let wanted: String = prefix.chars().take(PREFIX_CHARS).collect::<String>().to_ascii_lowercase();
        let mut revoked = 0;
        for row in self.keys().await? {
            let is_whole_key = prefix.len() > PREFIX_CHARS;
            let matches = row.key.prefix == wanted
                && (!is_whole_key || self.keys.hash(&prefix.to_ascii_lowercase()) == row.hash);
            if !matches {
                continue;
            }
            let item_key = Key::ApiKey(row.hash);
            let load = LoadSpec::keys([item_key]);
            transact(&*self.ports.ledger, self.decision_id(), self.now(), load, move |view| {
                match view.get(&item_key) {
                    Some(stored) => Step::Commit { writes: vec![Write::delete(item_key, stored)], reply: () },
                    None => Step::Reply(()),
                }
            })
            .await?;
            self.keys.forget(&row.hash);
            revoked += 1;
        }
        Ok(revoked)
    }

    /// The seconds to wait if the caller's quota is known to be used up; nothing is counted.
    pub(crate) fn quota_wait(&self, caller: &Caller, now: UnixMs) -> Option<u64> {
        let windows = quotas(caller, now).into_iter().flatten();
        let used_up = windows.filter(|(window, _)| self.keys.is_used_up(window));
        used_up.map(|(window, _)| secs_left(&window, now)).max()
    }

    /// Counts one task against the caller's quota; answers the seconds to wait when it is used up.
    ///
    /// The hour is counted before the day. What a used-up day then refuses has used a unit of an hour that is over
    /// when the day is, so nobody misses it; the other way round, an hour would use up the day.
    pub(crate) async fn charge(&self, caller: &Caller, now: UnixMs) -> PortResult<Option<u64>> {
        if let Some(secs) = self.quota_wait(caller, now) {
            return Ok(Some(secs));
        }
        for (window, limit) in quotas(caller, now).into_iter().flatten() {
            if !self.ports.ledger.bump(&window, now, limit).await? {
                self.keys.note_used_up(window);
                return Ok(Some(secs_left(&window, now)));
            }
        }
        Ok(None)
    }
}

/// The periods that a caller's tasks are counted in now, and the limit of each.
fn quotas(caller: &Caller, now: UnixMs) -> [Option<(QuotaWindow, u32)>; 2] {
    [(3600_u32, caller.key.hourly), (86_400, caller.key.daily)].map(|(period_secs, limit)| {
        let number = now.secs() / u64::from(period_secs);
        Some((QuotaWindow { key: caller.hash, period_secs, number }, limit?))
    })
}

fn secs_left(window: &QuotaWindow, now: UnixMs) -> u64 {
    let ends = (window.number + 1) * u64::from(window.period_secs);
    ends.saturating_sub(now.secs()).max(1)
}

fn uuid_v4(random: u128) -> String {
    let version = 0x4 << 76;
    let variant = 0b10 << 62;
    let keep = !(0xf << 76 | 0b11 << 62);
    sn17_core::TaskId(random & keep | version | variant).to_string()
}

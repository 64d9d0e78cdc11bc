//! Reading items.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::{LoadSpec, Stored, View};
use sn17_core::state::Key;

use super::DynamoLedger;
use super::attributes::{Attributes, key_of, place_of, stored};
use super::pages::OpenReader;
use crate::error::port_error;
use crate::schema::names::Place;
use crate::schema::units::Consistency;

/// Most keys that one `BatchGetItem` takes (Amazon DynamoDB API Reference).
const BATCH_KEYS_MAX: usize = 100;
/// How often keys that a batch left out are asked for again.
const BATCH_TRIES_MAX: u32 = 6;

impl DynamoLedger {
    /// Adds what `spec` asks for to the view.
    pub(super) async fn load(
        &self,
        now: UnixMs,
        spec: &LoadSpec,
        reader: &mut OpenReader,
        view: &mut View,
    ) -> PortResult<()> {
        let wanted: Vec<Key> = spec.keys.iter().copied().filter(|key| !view.has_loaded(key)).collect();
        self.load_items(now, &wanted, view).await?;
        for (position, page) in spec.open_tasks.iter().enumerate() {
            let pages_left = spec.open_tasks.len() - position;
            self.load_page(now, page, pages_left, reader, view).await?;
        }
        Ok(())
    }

    /// Adds items to the view, strongly consistent; expired ones count as absent.
    pub(super) async fn load_items(&self, now: UnixMs, keys: &[Key], view: &mut View) -> PortResult<()> {
        for (key, found) in self.items(keys).await? {
            view.insert(key, found.filter(|stored| !stored.is_expired(now)));
        }
        Ok(())
    }

    /// The items of `keys`, expired or not, strongly consistent.
    pub(super) async fn items(&self, keys: &[Key]) -> PortResult<Vec<(Key, Option<Stored>)>> {
        if let [key] = keys {
            return Ok(vec![(*key, self.item(key, Consistency::Strong).await?)]);
        }
        let mut items = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH_KEYS_MAX) {
            let mut places: BTreeMap<Place, Key> = chunk.iter().map(|key| (Place::of(key), *key)).collect();
            for attributes in self.batch(&places).await? {
                let key = place_of(&attributes).and_then(|place| places.remove(&place));
                if let Some(key) = key {
                    items.push((key, Some(stored(&key, &attributes)?)));
                }
            }
            items.extend(places.into_values().map(|key| (key, None)));
        }
        Ok(items)
    }

    /// One item, expired or not.
    pub(super) async fn item(&self, key: &Key, consistency: Consistency) -> PortResult<Option<Stored>> {
        let found = self.attributes(&Place::of(key), consistency).await?;
        found.map(|attributes| stored(key, &attributes)).transpose()
    }

    /// What lies at a place.
    pub(super) async fn attributes(
        &self,
        place: &Place,
        consistency: Consistency,
    ) -> PortResult<Option<Attributes>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.options.table)
            .set_key(Some(key_of(place)))
            .consistent_read(consistency == Consistency::Strong)
            .send()
            .await
            .map_err(|error| port_error(&format!("read {}", place.partition), &error))?;
        Ok(answer.item)
    }

    /// What lies at these places. A batch may leave some out when there is too much to do; they are asked for again.
    async fn batch(&self, places: &BTreeMap<Place, Key>) -> PortResult<Vec<Attributes>> {
        let mut found = Vec::with_capacity(places.len());
        let mut left: Vec<Attributes> = places.keys().map(key_of).collect();
        for attempt in 0..BATCH_TRIES_MAX {
            if left.is_empty() {
                return Ok(found);
            }
            if attempt > 0 {
                self.pause_before(attempt).await;
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
            let keys = keys.map_err(|error| PortError::new(PortErrorKind::Corrupt, error.to_string()))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.options.table, keys)
                .send()
                .await
                .map_err(|error| port_error("read several items", &error))?;
            found.extend(
                answer
                    .responses
                    .into_iter()
                    .flat_map(|mut tables| tables.remove(&self.options.table))
                    .flatten(),
            );
            let unprocessed =
                answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.options.table));
            left = unprocessed.map(|keys| keys.keys).unwrap_or_default();
        }
        if left.is_empty() {
            return Ok(found);
        }
        Err(PortError::new(PortErrorKind::Throttled, "the table leaves items out of every batch"))
    }
}

//! Items as attributes, and back.

use sn17_core::UnixMs;
use sn17_core::ledger::{DecisionId, Effect, Stored};
use sn17_core::state::Key;

use super::index::{Entry, due, open};
use super::names::Place;
use super::{
    DECISION, DUE_PARTITION, DUE_SORT, EFFECTS, EXPIRES, OPEN_PARTITION, OPEN_SORT, PARTITION_KEY, REVISION,
    SORT_KEY, TTL, VALUE,
};

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// DynamoDB's type S.
    Text(String),
    /// DynamoDB's type N.
    Number(u64),
}

/// An item cannot be written as attributes, or attributes are no item.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The value is not JSON, or cannot become it.
    #[error("the value of {0:?} cannot be converted")]
    Value(Key, #[source] serde_json::Error),
    /// An attribute is missing or no number, or the like.
    #[error("{0:?} has no valid `{1}`")]
    Attribute(Key, &'static str),
}

/// An item as it is stored, with everything that is derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it lies.
    pub place: Place,
    /// The value as JSON.
    pub value: String,
    /// Its revision.
    pub rev: u64,
    /// The decision that wrote it.
    pub decision: DecisionId,
    /// When it counts as absent.
    pub expires: Option<UnixMs>,
    /// The effects of the write as JSON, if it has any.
    pub effects: Option<String>,
    /// Its entry in the open index.
    pub open: Option<Entry>,
    /// Its entry in the due index.
    pub due: Option<Entry>,
}

impl Row {
    /// The row of an item with the effects of its write.
    ///
    /// # Errors
    /// When the value or the effects cannot become JSON.
    pub fn new(key: &Key, stored: &Stored, effects: &[Effect], shards: u16) -> Result<Self, RowError> {
        let failed = |error| RowError::Value(*key, error);
        let value = serde_json::to_string(&stored.item).map_err(failed)?;
        let effects = match effects {
            [] => None,
            effects => Some(serde_json::to_string(effects).map_err(failed)?),
        };
        Ok(Self {
            place: Place::of(key),
            value,
            rev: stored.rev,
            decision: stored.decision,
            expires: stored.expires,
            effects,
            open: open(key, stored, shards),
            due: due(key, stored, shards),
        })
    }

    /// The attributes of the row.
    pub fn attributes(self) -> Vec<(&'static str, Attribute)> {
        let mut attributes = vec![
            (PARTITION_KEY, Attribute::Text(self.place.partition)),
            (SORT_KEY, Attribute::Text(self.place.sort)),
            (VALUE, Attribute::Text(self.value)),
            (REVISION, Attribute::Number(self.rev)),
            (DECISION, Attribute::Text(decision_text(self.decision))),
        ];
        attributes.extend(self.expires.into_iter().flat_map(expiry));
        attributes.extend(self.effects.map(|effects| (EFFECTS, Attribute::Text(effects))));
        for (entry, partition, sort) in
            [(self.open, OPEN_PARTITION, OPEN_SORT), (self.due, DUE_PARTITION, DUE_SORT)]
        {
            if let Some(entry) = entry {
                attributes.push((partition, Attribute::Text(entry.partition)));
                attributes.push((sort, Attribute::Text(entry.sort)));
            }
        }
        attributes
    }
}

/// The two attributes that let an item expire at `at`.
pub fn expiry(at: UnixMs) -> [(&'static str, Attribute); 2] {
    [(EXPIRES, Attribute::Number(at.0)), (TTL, Attribute::Number(at.0.div_ceil(1000)))]
}

/// A decision's id as text.
pub fn decision_text(id: DecisionId) -> String {
    format!("{:032x}", id.0)
}

/// The item of `key` from its attributes, each given as text.
///
/// # Errors
/// When an attribute is missing or not what it should be.
pub fn stored<'a>(key: &Key, field: impl Fn(&'static str) -> Option<&'a str>) -> Result<Stored, RowError> {
    let invalid = |name| move || RowError::Attribute(*key, name);
    let rev = field(REVISION).and_then(|text| text.parse().ok()).ok_or_else(invalid(REVISION))?;
    let decision =
        field(DECISION).and_then(|text| u128::from_str_radix(text, 16).ok()).ok_or_else(invalid(DECISION))?;
    let expires = match field(EXPIRES) {
        Some(text) => Some(UnixMs(text.parse().ok().ok_or_else(invalid(EXPIRES))?)),
        None => None,
    };
    let value = field(VALUE).ok_or_else(invalid(VALUE))?;
    let item = serde_json::from_str(value).map_err(|error| RowError::Value(*key, error))?;
    if !key.names(&item) {
        return Err(RowError::Attribute(*key, VALUE));
    }
    Ok(Stored { rev, decision: DecisionId(decision), expires, item })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sn17_core::policy::Policy;
    use sn17_core::state::{ApiKey, Item, KeyHash, Record};
    use sn17_core::{Hotkey, TaskId};
    use sn17_store::conformance::samples;

    use super::*;

    fn text_of(attributes: Vec<(&'static str, Attribute)>) -> BTreeMap<&'static str, String> {
        let text = |attribute| match attribute {
            Attribute::Text(text) => text,
            Attribute::Number(number) => number.to_string(),
        };
        attributes.into_iter().map(|(name, attribute)| (name, text(attribute))).collect()
    }

    fn api_key() -> (Key, Stored) {
        let item = Item::ApiKey(ApiKey {
            owner: "Ünï".to_owned(),
            prefix: "sn17_ab".to_owned(),
            created: UnixMs(5),
            hourly: Some(3),
            daily: None,
        });
        let stored = Stored { rev: 7, decision: DecisionId(0xab), expires: Some(UnixMs(1_001)), item };
        (Key::ApiKey(KeyHash([1; 32])), stored)
    }

    #[test]
    fn items_come_back_from_their_attributes() {
        let (key, item) = api_key();
        let effects = [Effect::Score { task: TaskId(1), hotkey: Hotkey([1; 32]) }];
        let attributes = text_of(Row::new(&key, &item, &effects, 4).unwrap().attributes());
        assert_eq!(attributes[TTL], "2");
        assert_eq!(attributes[DECISION], format!("{:0>32}", "ab"));
        assert_eq!(serde_json::from_str::<Vec<Effect>>(&attributes[EFFECTS]).unwrap(), effects);
        let back = stored(&key, |name| attributes.get(name).map(String::as_str)).unwrap();
        assert_eq!(back, item);
    }

    /// A table outlives the program that began it.
    #[test]
    fn items_written_before_there_were_duels_are_read() {
        let record = Record::fresh(&Policy::default());
        let items = [
            (Item::Session(samples::session(5)), "Session", &["duels", "passes", "passes_at"][..]),
            (Item::Record(record), "Record", &["draws"]),
            (Item::Task(samples::task(UnixMs(5), 4)), "Task", &["judging"]),
        ];
        for (item, variant, later) in items {
            let mut value = serde_json::to_value(&item).unwrap();
            let fields = value[variant].as_object_mut().unwrap();
            for name in later {
                assert!(fields.remove(*name).is_some(), "{variant}.{name}");
            }
            assert_eq!(serde_json::from_value::<Item>(value).unwrap(), item);
        }
    }

    #[test]
    fn attributes_that_are_no_item_are_refused() {
        let (key, item) = api_key();
        let good = text_of(Row::new(&key, &item, &[], 4).unwrap().attributes());
        assert!(!good.contains_key(EFFECTS));
        for (name, bad) in [(REVISION, "x"), (DECISION, "-"), (EXPIRES, "1.5"), (VALUE, "{}")] {
            let mut attributes = good.clone();
            attributes.insert(name, bad.to_owned());
            let error = stored(&key, |name| attributes.get(name).map(String::as_str)).unwrap_err();
            assert!(error.to_string().contains("ApiKey"), "{name}: {error}");
        }
        assert!(stored(&Key::Roster, |name| good.get(name).map(String::as_str)).is_err());
        assert!(stored(&key, |_| None).is_err());
    }
}

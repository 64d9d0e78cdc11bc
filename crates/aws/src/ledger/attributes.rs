//! Rows as the SDK takes and gives them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::{DecisionId, Stored};
use sn17_core::state::Key;

use crate::schema::names::Place;
use crate::schema::row::{self, Attribute, RowError, decision_text};
use crate::schema::{DECISION, EXPIRES, PARTITION_KEY, SORT_KEY};

/// The attributes of an item as the SDK has them.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// A value as the SDK takes it.
pub(super) fn value(attribute: Attribute) -> AttributeValue {
    match attribute {
        Attribute::Text(text) => AttributeValue::S(text),
        Attribute::Number(number) => AttributeValue::N(number.to_string()),
    }
}

/// Attributes as the SDK takes them.
pub(crate) fn values(attributes: impl IntoIterator<Item = (&'static str, Attribute)>) -> Attributes {
    attributes.into_iter().map(|(name, attribute)| (name.to_owned(), value(attribute))).collect()
}

/// The key of the table that names a place.
pub(crate) fn key_of(place: &Place) -> Attributes {
    values([
        (PARTITION_KEY, Attribute::Text(place.partition.clone())),
        (SORT_KEY, Attribute::Text(place.sort.clone())),
    ])
}

/// An attribute as text, whether it is text or a number.
pub(super) fn field<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    let value = attributes.get(name)?;
    value.as_s().or_else(|_| value.as_n()).ok().map(String::as_str)
}

/// An attribute as a number.
pub(crate) fn number(attributes: &Attributes, name: &str) -> Option<u64> {
    field(attributes, name)?.parse().ok()
}

/// Where an item lies.
pub(super) fn place_of(attributes: &Attributes) -> Option<Place> {
    let partition = field(attributes, PARTITION_KEY)?.to_owned();
    Some(Place { partition, sort: field(attributes, SORT_KEY)?.to_owned() })
}

/// Whether this decision wrote the item.
pub(super) fn is_written_by(attributes: &Attributes, id: DecisionId) -> bool {
    field(attributes, DECISION) == Some(decision_text(id).as_str())
}

/// Whether an item or an entry of an index counts as absent.
pub(super) fn is_expired(attributes: &Attributes, now: UnixMs) -> bool {
    number(attributes, EXPIRES).is_some_and(|expires| expires <= now.0)
}

/// The item of `key`.
pub(super) fn stored(key: &Key, attributes: &Attributes) -> PortResult<Stored> {
    row::stored(key, |name| field(attributes, name)).map_err(corrupt)
}

/// The error of an item that cannot be converted.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn corrupt(error: RowError) -> PortError {
    PortError::new(PortErrorKind::Corrupt, crate::error::chain(&error))
}

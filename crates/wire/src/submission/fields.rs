//! The fields a scanner keeps, and which key leads to which.

use super::{ScanError, SubmissionFields};

/// Longest key that is told apart; the known ones have at most 11 characters.
pub(super) const KEY_BYTES_MAX: usize = 16;
/// Longest integer in text: `i64` has at most 20 characters.
pub(super) const INTEGER_BYTES_MAX: usize = 20;

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Slot {
    /// Nothing of ours.
    Skip,
    /// The base64 text.
    Results,
    /// A short string.
    Text(TextField),
    /// A whole number.
    Integer(IntegerField),
    /// An object with a field of ours in it, or null.
    Object(Parent),
}

/// The short strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TextField {
    TaskId,
    OldTaskId,
    DataFormat,
    Signature,
    BodyHotkey,
}

/// The whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum IntegerField {
    DataVersion,
    Compression,
    SubmitTime,
}

/// The objects that are looked into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Parent {
    Task,
    Dendrite,
}

impl TextField {
    /// Most bytes of the value.
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::TaskId | Self::OldTaskId | Self::BodyHotkey => 64,
            Self::DataFormat => 32,
            Self::Signature => 128,
        }
    }
}

impl Slot {
    /// What the value of `key` is for, in an object at `depth` (1 is the outermost) that is itself `parent`.
    pub(super) const fn of_key(depth: u32, parent: Option<Parent>, key: &[u8]) -> Self {
        match (depth, parent, key) {
            (1, _, b"results") => Self::Results,
            (1, _, b"task_id") => Self::Text(TextField::TaskId),
            (1, _, b"data_format") => Self::Text(TextField::DataFormat),
            (1, _, b"signature") => Self::Text(TextField::Signature),
            (1, _, b"data_ver") => Self::Integer(IntegerField::DataVersion),
            (1, _, b"compression") => Self::Integer(IntegerField::Compression),
            (1, _, b"submit_time") => Self::Integer(IntegerField::SubmitTime),
            (1, _, b"task") => Self::Object(Parent::Task),
            (1, _, b"dendrite") => Self::Object(Parent::Dendrite),
            (2, Some(Parent::Task), b"id") => Self::Text(TextField::OldTaskId),
            (2, Some(Parent::Dendrite), b"hotkey") => Self::Text(TextField::BodyHotkey),
            (_, _, _) => Self::Skip,
        }
    }

    /// The field as errors name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Skip => "unknown",
            Self::Results => "results",
            Self::Text(TextField::TaskId) => "task_id",
            Self::Text(TextField::OldTaskId) => "task.id",
            Self::Text(TextField::DataFormat) => "data_format",
            Self::Text(TextField::Signature) => "signature",
            Self::Text(TextField::BodyHotkey) => "dendrite.hotkey",
            Self::Integer(IntegerField::DataVersion) => "data_ver",
            Self::Integer(IntegerField::Compression) => "compression",
            Self::Integer(IntegerField::SubmitTime) => "submit_time",
            Self::Object(Parent::Task) => "task",
            Self::Object(Parent::Dendrite) => "dendrite",
        }
    }

    /// A bit of its own for each slot that may be filled once.
    const fn bit(self) -> u16 {
        match self {
            Self::Skip => 0,
            Self::Results => 1,
            Self::Text(field) => 1 << (1 + field as u16),
            Self::Integer(field) => 1 << (6 + field as u16),
            Self::Object(parent) => 1 << (9 + parent as u16),
        }
    }
}

/// Fields as they turn up.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// One bit a slot that had its key.
    seen: u16,
    task_id: Option<String>,
    old_task_id: Option<String>,
    data_format: Option<String>,
    data_ver: Option<i64>,
    compression: Option<i64>,
    submit_time: Option<i64>,
    signature: Option<String>,
    body_hotkey: Option<String>,
    results_len: Option<u64>,
}

impl Found {
    /// Notes the key of `slot`, which may come once.
    pub(super) const fn key(&mut self, slot: Slot) -> Result<(), ScanError> {
        if self.seen & slot.bit() != 0 {
            return Err(ScanError::Duplicate(slot.name()));
        }
        self.seen |= slot.bit();
        Ok(())
    }

    /// Keeps a short string.
    pub(super) fn text(&mut self, field: TextField, text: String) {
        let place = match field {
            TextField::TaskId => &mut self.task_id,
            TextField::OldTaskId => &mut self.old_task_id,
            TextField::DataFormat => &mut self.data_format,
            TextField::Signature => &mut self.signature,
            TextField::BodyHotkey => &mut self.body_hotkey,
        };
        *place = Some(text);
    }

    /// Keeps a whole number.
    pub(super) const fn integer(&mut self, field: IntegerField, integer: i64) {
        let place = match field {
            IntegerField::DataVersion => &mut self.data_ver,
            IntegerField::Compression => &mut self.compression,
            IntegerField::SubmitTime => &mut self.submit_time,
        };
        *place = Some(integer);
    }

    /// Notes that the results have ended.
    pub(super) const fn results(&mut self, decoded_bytes: u64) {
        self.results_len = Some(decoded_bytes);
    }

    /// The fields of a whole body, with the protocol's defaults for those that have one.
    pub(super) fn finish(self) -> Result<SubmissionFields, ScanError> {
        let task_id = self.task_id.filter(|id| !id.is_empty()).or(self.old_task_id).unwrap_or_default();
        Ok(SubmissionFields {
            task_id,
            results_len: self.results_len.ok_or(ScanError::Missing("results"))?,
            data_format: self.data_format.unwrap_or_else(|| "ply".to_owned()),
            data_ver: self.data_ver.unwrap_or(0),
            compression: self.compression.unwrap_or(2),
            submit_time: self.submit_time.ok_or(ScanError::Missing("submit_time"))?,
            signature: self.signature.ok_or(ScanError::Missing("signature"))?,
            body_hotkey: self.body_hotkey,
        })
    }
}

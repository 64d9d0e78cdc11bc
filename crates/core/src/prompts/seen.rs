//! Which prompts were there before.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words::{ARTICLES, has};

/// What two prompts have in common that differ in case, articles, punctuation or white space only: the first
/// 64 bits of the BLAKE3 of their words.
pub fn key(prompt: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let mut word = String::new();
    for character in prompt.chars().chain([' ']) {
        if character.is_alphanumeric() || character == '-' {
            word.extend(character.to_lowercase());
        } else if character.is_whitespace() {
            if !word.is_empty() && !has(ARTICLES, &word) {
                hasher.update(word.as_bytes()).update(b" ");
            }
            word.clear();
        }
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The most recent prompts, across batches: at most so many, about 30 bytes each.
///
/// It never takes a repeated prompt for a new one while that is among the most recent. The other error, a new
/// prompt taken for a repeated one, needs two equal hashes of 64 bits: 1 in 18 trillion for a set of a million.
/// It costs one prompt and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    keys_max: usize,
    oldest_first: VecDeque<u64>,
    keys: BTreeSet<u64>,
}

impl Seen {
    /// Remembers no more than the `keys_max` most recent prompts.
    pub const fn new(keys_max: usize) -> Self {
        Self { keys_max, oldest_first: VecDeque::new(), keys: BTreeSet::new() }
    }

    /// Notes a prompt; whether it is new.
    pub fn insert(&mut self, prompt: &str) -> bool {
        self.insert_key(key(prompt))
    }

    /// Whether a prompt is among those noted.
    pub fn contains(&self, prompt: &str) -> bool {
        self.keys.contains(&key(prompt))
    }

    /// How many prompts are remembered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A prompt that comes again keeps its age: what is drawn often must not push out the rest.
    pub(super) fn insert_key(&mut self, key: u64) -> bool {
        if self.keys_max == 0 || !self.keys.insert(key) {
            return self.keys_max == 0;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > self.keys_max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

/// How a set is written: its bound, and the hashes from the oldest on.
#[derive(Serialize, Deserialize)]
struct Written {
    keys_max: usize,
    keys: VecDeque<u64>,
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { keys_max: self.keys_max, keys: self.oldest_first.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Seen {
    /// Reads hashes; beyond the bound the oldest are forgotten.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let mut seen = Self::new(written.keys_max);
        for key in written.keys {
            seen.insert_key(key);
        }
        Ok(seen)
    }
}

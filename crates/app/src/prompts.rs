//! Prompts for synthetic tasks: what miners work on while no client asks for anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use sn17_core::Hotkey;
use sn17_core::state::Prompt;

/// So many prompts may be reserved for one miner.
const RESERVED_MAX: usize = 1_000;

/// A prepared picture for synthetic image tasks, already in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptImage {
    /// Where it lies.
    pub blob: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// The synthetic prompts of this process.
#[derive(Debug)]
pub struct PromptBook {
    texts: Vec<String>,
    images: Vec<PromptImage>,
    reserved: Mutex<BTreeMap<Hotkey, VecDeque<Prompt>>>,
}

impl PromptBook {
    /// A book of these prompts; without any text it falls back to its own list, so that it never runs dry.
    pub fn new(texts: Vec<String>, images: Vec<PromptImage>) -> Self {
        let texts = if texts.is_empty() { own_texts() } else { texts };
        Self { texts, images, reserved: Mutex::new(BTreeMap::new()) }
    }

    /// Reserves a prompt for a miner's next synthetic task; the oldest are dropped beyond a thousand.
    pub fn reserve(&self, hotkey: Hotkey, prompt: Prompt) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let prompts = reserved.entry(hotkey).or_default();
        prompts.push_back(prompt);
        if prompts.len() > RESERVED_MAX {
            prompts.pop_front();
        }
    }

    /// Draws a prompt: one reserved for this miner, else a text with probability `text_share`, else a picture if
    /// there is any.
    pub(crate) fn draw(&self, hotkey: Hotkey, random: u128, text_share: f64) -> Prompt {
        let reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prompt) = reserved.get(&hotkey).and_then(VecDeque::front) {
            return prompt.clone();
        }
        drop(reserved);
        self.draw_any(random, text_share)
    }

    /// Draws a prompt for whomever: a text with probability `text_share`, else a picture if there is any.
    pub(crate) fn draw_any(&self, random: u128, text_share: f64) -> Prompt {
        let share = f64::from(u32::try_from(random & 0xffff_ffff).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let pick = usize::try_from(random >> 32 & 0xffff_ffff).unwrap_or(0);
        if share >= text_share && !self.images.is_empty() {
            let image = &self.images[pick % self.images.len()];
            return Prompt::Image { blob: image.blob.clone(), sha256: image.sha256 };
        }
        Prompt::Text(self.texts[pick % self.texts.len()].clone())
    }
}

impl PromptBook {
    /// Notes that a miner got this prompt, so that a reservation is used up once.
    pub(crate) fn note_given(&self, hotkey: Hotkey, prompt: &Prompt) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prompts) = reserved.get_mut(&hotkey) {
            prompts.pop_front_if(|first| *first == *prompt);
            if prompts.is_empty() {
                reserved.remove(&hotkey);
            }
        }
    }
}

impl Default for PromptBook {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Every combination of these words: plain objects of one material and colour, which any generator can make.
fn own_texts() -> Vec<String> {
    const COLORS: [&str; 10] =
        ["red", "blue", "green", "golden", "purple", "white", "black", "orange", "turquoise", "silver"];
    const STYLES: [&str; 8] =
        ["wooden", "carved", "polished", "rusty", "ornate", "tiny", "striped", "ancient"];
    const OBJECTS: [&str; 30] = [
        "robot",
        "fox figurine",
        "wizard hat",
        "space helmet",
        "dragon statue",
        "marble bust",
        "pocket watch",
        "potted cactus",
        "crystal cluster",
        "delivery truck",
        "short sword",
        "knight shield",
        "hamburger",
        "table lamp",
        "tennis racket",
        "winter boot",
        "rocking chair",
        "rocket ship",
        "signet ring",
        "hammer",
        "acoustic guitar",
        "lighthouse",
        "spinning top",
        "field radio",
        "spell book",
        "rune gate",
        "clay amphora",
        "coffee mug",
        "gear box",
        "steam engine",
    ];
    let mut texts = Vec::with_capacity(COLORS.len() * STYLES.len() * OBJECTS.len());
    for object in OBJECTS {
        for style in STYLES {
            for color in COLORS {
                texts.push(format!("{color} {style} {object}"));
            }
        }
    }
    texts
}

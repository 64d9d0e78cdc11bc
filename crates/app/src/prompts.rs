//! Prompts for synthetic tasks: what miners work on while no client asks for anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use sn17_core::prompts::grammar;
use sn17_core::state::Prompt;
use sn17_core::{Hotkey, UnixMs};

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
    page: Mutex<Page>,
    reserved: Mutex<BTreeMap<Hotkey, VecDeque<Prompt>>>,
}

/// A page of the collector's current batch, and when to turn to another.
#[derive(Debug, Default)]
struct Page {
    texts: Vec<String>,
    turn_at: UnixMs,
}

impl PromptBook {
    /// A book of these prompts. What the collector has goes before the texts, and without either the grammar writes
    /// them, so that it never runs dry.
    pub fn new(texts: Vec<String>, images: Vec<PromptImage>) -> Self {
        Self { texts, images, page: Mutex::default(), reserved: Mutex::default() }
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
        Prompt::Text(self.text(pick))
    }

    fn text(&self, pick: usize) -> String {
        let page = self.page();
        let texts = if page.texts.is_empty() { &self.texts } else { &page.texts };
        match texts.len() {
            0 => grammar::nth(pick % grammar::COUNT),
            count => texts[pick % count].clone(),
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PromptBook {
    /// Whether another page is to be turned to; who is told so does it, and nobody else until `next`.
    pub(crate) fn turns_now(&self, now: UnixMs, next: UnixMs) -> bool {
        let mut page = self.page();
        let is_time = now >= page.turn_at;
        if is_time {
            page.turn_at = next;
        }
        is_time
    }

    /// Draws from these texts from now on.
    pub(crate) fn turn_to(&self, texts: Vec<String>) {
        self.page().texts = texts;
    }

    /// Looks for another page at `next`.
    pub(crate) fn turn_next_at(&self, next: UnixMs) {
        self.page().turn_at = next;
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

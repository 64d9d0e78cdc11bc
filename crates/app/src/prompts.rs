//! Prompts for synthetic tasks: what miners work on while no client asks for anything.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use sn17_core::prompts::{Seen, grammar};
use sn17_core::state::Prompt;
use sn17_core::{Hotkey, UnixMs};

/// So many prompts may be reserved for one miner.
const RESERVED_MAX: usize = 1_000;
/// So many prompts of a miner's are remembered, its latest: a day of tasks at the original's cooldown of 300 s.
const GIVEN_MAX: usize = 288;

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
    miners: Mutex<BTreeMap<Hotkey, Miner>>,
}

/// What is known of a miner: some ten kilobytes.
#[derive(Debug)]
struct Miner {
    /// Prompts reserved for it, the next one first.
    reserved: VecDeque<Prompt>,
    /// The prompts that it was given lately.
    given: Seen,
}

impl Default for Miner {
    fn default() -> Self {
        Self { reserved: VecDeque::new(), given: Seen::new(GIVEN_MAX) }
    }
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
        Self { texts, images, page: Mutex::default(), miners: Mutex::default() }
    }

    /// Reserves a prompt for a miner's next synthetic task; the oldest are dropped beyond a thousand.
    pub fn reserve(&self, hotkey: Hotkey, prompt: Prompt) {
        let mut miners = self.miners();
        let prompts = &mut miners.entry(hotkey).or_default().reserved;
        prompts.push_back(prompt);
        if prompts.len() > RESERVED_MAX {
            prompts.pop_front();
        }
    }

    /// Draws a prompt: one reserved for this miner, else a text with probability `text_share`, else a picture if
    /// there is any.
    ///
    /// It is none of the last 288 that this process gave the miner, as long as there are more texts or pictures than
    /// that to choose from.
    pub(crate) fn draw(&self, hotkey: Hotkey, random: u128, text_share: f64) -> Prompt {
        let miners = self.miners();
        let Some(miner) = miners.get(&hotkey) else { return self.draw_any(random, text_share) };
        if let Some(prompt) = miner.reserved.front() {
            return prompt.clone();
        }
        self.draw_new(random, text_share, |name| !miner.given.contains(name))
    }

    /// Draws a prompt for whomever: a text with probability `text_share`, else a picture if there is any.
    pub(crate) fn draw_any(&self, random: u128, text_share: f64) -> Prompt {
        self.draw_new(random, text_share, |_| true)
    }

    /// Draws the next prompt that is new from one that chance picks; that one itself if none of the next 288 is.
    fn draw_new(&self, random: u128, text_share: f64, is_new: impl Fn(&str) -> bool) -> Prompt {
        let share = f64::from(u32::try_from(random & 0xffff_ffff).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let pick = usize::try_from(random >> 32 & 0xffff_ffff).unwrap_or(0);
        let places = || (0..=GIVEN_MAX).map(|step| pick.wrapping_add(step));
        if share >= text_share && !self.images.is_empty() {
            let image = |place: usize| &self.images[place % self.images.len()];
            let image = places().map(image).find(|image| is_new(&image.blob)).unwrap_or_else(|| image(pick));
            return Prompt::Image { blob: image.blob.clone(), sha256: image.sha256 };
        }
        let page = self.page();
        let texts = if page.texts.is_empty() { &self.texts } else { &page.texts };
        let text = |place: usize| match texts.len() {
            0 => Cow::Owned(grammar::nth(place % grammar::COUNT)),
            count => Cow::Borrowed(texts[place % count].as_str()),
        };
        let text = places().map(text).find(|text| is_new(text)).unwrap_or_else(|| text(pick));
        Prompt::Text(text.into_owned())
    }

    fn miners(&self) -> MutexGuard<'_, BTreeMap<Hotkey, Miner>> {
        self.miners.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Notes that a miner got this prompt: a reservation is used up, and it does not come again soon.
    pub(crate) fn note_given(&self, hotkey: Hotkey, prompt: &Prompt) {
        let mut miners = self.miners();
        let miner = miners.entry(hotkey).or_default();
        miner.reserved.pop_front_if(|first| *first == *prompt);
        miner.given.insert(match prompt {
            Prompt::Text(text) => text,
            Prompt::Image { blob, .. } => blob,
        });
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

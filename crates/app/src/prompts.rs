//! Prompts for synthetic tasks: what miners work on while no client asks for anything.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use sn17_core::state::Prompt;

/// A prepared picture for synthetic image tasks, already in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptImage {
    /// Where it lies.
    pub blob: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// The synthetic prompts of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptBook {
    texts: Vec<String>,
    images: Vec<PromptImage>,
}

impl PromptBook {
    /// A book of these prompts; without any text it falls back to its own list, so that it never runs dry.
    pub fn new(texts: Vec<String>, images: Vec<PromptImage>) -> Self {
        let texts = if texts.is_empty() { own_texts() } else { texts };
        Self { texts, images }
    }

    /// Draws a prompt: a text with probability `text_share`, else a picture if there is any.
    pub(crate) fn draw(&self, random: u128, text_share: f64) -> Prompt {
        let share = f64::from(u32::try_from(random & 0xffff_ffff).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let pick = usize::try_from(random >> 32 & 0xffff_ffff).unwrap_or(0);
        if share >= text_share && !self.images.is_empty() {
            let image = &self.images[pick % self.images.len()];
            return Prompt::Image {
                blob: image.blob.clone(),
                sha256: image.sha256,
            };
        }
        Prompt::Text(self.texts[pick % self.texts.len()].clone())
    }
}

impl Default for PromptBook {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &Bytes) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Every combination of these words: plain objects of one material and colour, which any generator can make.
fn own_texts() -> Vec<String> {
    const COLORS: [&str; 10] = [
        "red",
        "blue",
        "green",
        "golden",
        "purple",
        "white",
        "black",
        "orange",
        "turquoise",
        "silver",
    ];
    const STYLES: [&str; 8] = [
        "wooden", "carved", "polished", "rusty", "ornate", "tiny", "striped", "ancient",
    ];
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

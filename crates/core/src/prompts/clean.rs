//! The chain of filters between a language model's lines and prompts.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::rules::PromptRules;
use super::words::{ARTICLES, COMMANDS, STOP_WORDS, SURROUNDINGS, TRAILING, has};

/// Which filter refused a line; in the order in which they look at it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Longer than any line that is worth reading.
    #[error("the raw line is too long")]
    LongLine,
    /// Three words or fewer.
    #[error("too few words")]
    FewWords,
    /// Too few characters without its articles.
    #[error("too few characters")]
    TooShort,
    /// Too many characters without its articles.
    #[error("too many characters")]
    TooLong,
    /// Surroundings, or talk.
    #[error("has a stop word")]
    StopWord,
    /// Deleting command words and trailing prepositions left hardly anything.
    #[error("too little is left")]
    LittleLeft,
    /// Characters that the network takes in no prompt.
    #[error("has characters that no prompt may have")]
    Characters,
}

impl Refused {
    /// Every filter, in order.
    pub const ALL: [Self; 7] = [
        Self::LongLine,
        Self::FewWords,
        Self::TooShort,
        Self::TooLong,
        Self::StopWord,
        Self::LittleLeft,
        Self::Characters,
    ];
}

/// Makes a prompt of one line, as the original's first generator does.
///
/// In order: keep letters, backticks, white space and hyphens, and ask for more than three words; lower-case, drop
/// articles; bound the length, refuse stop words; delete command words; cut trailing prepositions; ask what the
/// network asks of any prompt. Letters of other scripts count as letters, so that the network's own characters refuse
/// the line: dropped, they would leave half a word that passes.
///
/// # Errors
/// The first filter that refuses the line.
pub fn clean(line: &str, rules: &PromptRules) -> Result<String, Refused> {
    if line.len() > rules.line_bytes_max {
        return Err(Refused::LongLine);
    }
    let kept: String = line.chars().filter_map(kept_in_list).collect();
    let mut words: Vec<&str> = kept.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() < rules.words_min {
        return Err(Refused::FewWords);
    }
    words.retain(|word| !has(ARTICLES, word));
    check_length(&words, rules.chars_min, rules.chars_max)?;
    if words.iter().any(|word| STOP_WORDS.iter().any(|list| has(list, word))) {
        return Err(Refused::StopWord);
    }
    words.retain(|word| !has(COMMANDS, word));
    cut_trailing(&mut words, rules.trailing_cuts_max);
    check_rest(&words, rules)?;
    Ok(words.join(" "))
}

/// Makes a prompt of one whole sentence, as the second generator asks for them.
///
/// The chain of [`clean`] is made for phrases, and little of a sentence would survive it. Here case, articles,
/// digits and punctuation of the client API stay; the talk of a sentence ("is", "to", "like") is no reason to
/// refuse, surroundings are, and so is a line that begins with a command. Every prompt that passed [`clean`] passes
/// here unchanged.
///
/// # Errors
/// The first filter that refuses the sentence.
pub fn clean_sentence(line: &str, rules: &PromptRules) -> Result<String, Refused> {
    if line.len() > rules.line_bytes_max {
        return Err(Refused::LongLine);
    }
    let kept: String = line.chars().filter_map(kept_in_sentence).collect();
    let mut words: Vec<&str> = kept.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() < rules.words_min {
        return Err(Refused::FewWords);
    }
    check_length(&words, rules.chars_min, rules.sentence_chars_max)?;
    let is_command = |word: &&str| listed(word, COMMANDS);
    if words.iter().any(|word| listed(word, SURROUNDINGS)) || words.first().is_some_and(is_command) {
        return Err(Refused::StopWord);
    }
    cut_trailing(&mut words, rules.trailing_cuts_max);
    check_rest(&words, rules)?;
    Ok(words.join(" "))
}

/// Whether text has no other characters than the client API takes: `A-Za-z0-9 .,'():;/?!+%-`.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" .,'():;/?!+%-".contains(&byte))
}

/// Letters in lower case, backticks, hyphens, and a space for whatever is white; nothing else.
fn kept_in_list(character: char) -> Option<char> {
    match character {
        '`' | '-' => Some(character),
        _ if character.is_alphabetic() => Some(character.to_ascii_lowercase()),
        _ if character.is_whitespace() => Some(' '),
        _ => None,
    }
}

/// Whatever is written and not a quotation mark or a sign of lists and emphasis.
fn kept_in_sentence(character: char) -> Option<char> {
    match character {
        '’' => Some('\''),
        '"' | '“' | '”' | '*' | '#' | '`' | '_' => None,
        _ if character.is_whitespace() => Some(' '),
        _ if character.is_control() => None,
        _ => Some(character),
    }
}

fn check_length(words: &[&str], chars_min: usize, chars_max: usize) -> Result<(), Refused> {
    let spaces = words.len().saturating_sub(1);
    let chars = words.iter().map(|word| word.chars().count()).sum::<usize>() + spaces;
    if chars < chars_min {
        return Err(Refused::TooShort);
    }
    if chars > chars_max { Err(Refused::TooLong) } else { Ok(()) }
}

/// Whether a word of a sentence is in a list, whatever its case and the punctuation around it.
fn listed(word: &str, list: &str) -> bool {
    let bare = word.trim_matches(|character: char| ".,'():;/?!".contains(character));
    list.split(' ').any(|listed| listed.eq_ignore_ascii_case(bare))
}

fn cut_trailing(words: &mut Vec<&str>, cuts_max: usize) {
    for _ in 0..cuts_max {
        if words.pop_if(|word| has(TRAILING, word)).is_none() {
            return;
        }
    }
}

fn check_rest(words: &[&str], rules: &PromptRules) -> Result<(), Refused> {
    if words.len() < rules.words_left_min || check_length(words, rules.chars_left_min, usize::MAX).is_err() {
        return Err(Refused::LittleLeft);
    }
    if words.iter().all(|word| is_plain(word)) { Ok(()) } else { Err(Refused::Characters) }
}

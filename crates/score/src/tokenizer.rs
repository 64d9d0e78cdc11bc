//! The tokenizer of CLIP's text tower: byte-level byte-pair encoding of lower-cased text (Radford et al. 2021).
//!
//! The merge list is data: the real one is `bpe_simple_vocab_16e6.txt.gz` of `OpenAI`'s CLIP; with an empty list every
//! byte is its own token. Cleaning follows `open_clip` 2.29's default ("lower"), except that of ftfy's repairs only
//! straightening quotes is done (no repair of wrongly decoded text), and that HTML entities are limited to numbers
//! and the usual names.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use flate2::read::GzDecoder;
use regex::Regex;

/// Tokens per prompt, begin and end marks included.
pub const CONTEXT: usize = 77;
/// The id of the mark at the beginning.
pub const START_OF_TEXT: u32 = 49_406;
/// The id of the mark at the end.
pub const END_OF_TEXT: u32 = 49_407;

/// Ids below this are bytes, first inside and then at the end of a word; merges follow.
const BYTE_TOKENS: u32 = 512;
/// Merges that CLIP uses of the longer list in the file: its 49,152 less the bytes and the two marks.
const MERGES_MAX: usize = 49_152 - 256 - 2;
/// The most text that a vocabulary file may unpack to; the real one has 3.2 MB.
const VOCABULARY_BYTES_MAX: u64 = 16 << 20;
/// What `open_clip` splits on, in its order; the text is lower-cased before.
const PIECES: &str = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";

/// Why a vocabulary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file cannot be read or is no gzip of UTF-8 text.
    #[error("cannot read the vocabulary `{}`", path.display())]
    Read {
        /// The vocabulary file.
        path: PathBuf,
        /// What the system or the decoder said.
        source: io::Error,
    },
    /// The unpacked text is longer than any vocabulary.
    #[error("the vocabulary `{}` unpacks to more than {VOCABULARY_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// A line is not a pair of tokens that exist at that point.
    #[error("merge {line} of the vocabulary, `{text}`, is not two known tokens")]
    Merge {
        /// The number of the line, from 1, the header included.
        line: usize,
        /// The line.
        text: String,
    },
}

/// Text to the 77 token ids that CLIP's text tower reads.
#[derive(Clone, Debug)]
pub struct ClipTokenizer {
    /// Pairs of adjacent tokens that become one; a lower id merges first.
    merges: HashMap<(u32, u32), u32>,
    /// The id of each byte inside a word; at the end of a word it is 256 higher.
    byte_ids: [u32; 256],
    pieces: Regex,
}

impl ClipTokenizer {
    /// The tokenizer without merges: one token a byte.
    pub fn bytes_only() -> Self {
        let mut byte_ids = [0; 256];
        for (id, (byte, _)) in (0..).zip(byte_alphabet()) {
            byte_ids[usize::from(byte)] = id;
        }
        let pieces = Regex::new(PIECES).expect("the pattern is a constant that the tests compile");
        Self { merges: HashMap::new(), byte_ids, pieces }
    }

    /// The tokenizer with the merges of a gzipped list such as `bpe_simple_vocab_16e6.txt.gz`.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not a pair of known tokens.
    pub fn from_gzip_file(path: &Path) -> Result<Self, TokenizerError> {
        let read_error = |source| TokenizerError::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(read_error)?;
        let mut text = String::new();
        let mut decoder = GzDecoder::new(io::BufReader::new(file)).take(VOCABULARY_BYTES_MAX + 1);
        decoder.read_to_string(&mut text).map_err(read_error)?;
        if decoder.limit() == 0 {
            return Err(TokenizerError::TooLong(path.to_owned()));
        }
        Self::from_merges(&text)
    }

    /// The tokenizer with the merges of a list: a header line, then one pair a line, most frequent first. Lines
    /// beyond the 48,894 that CLIP uses are ignored.
    ///
    /// # Errors
    /// When a line is not a pair of known tokens.
    pub fn from_merges(text: &str) -> Result<Self, TokenizerError> {
        let mut tokenizer = Self::bytes_only();
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (id, (_, letter)) in (0..).zip(byte_alphabet()) {
            ids.insert(letter.to_string(), id);
            ids.insert(format!("{letter}</w>"), id + 256);
        }
        let lines = text.lines().enumerate().skip(1).take(MERGES_MAX);
        for (id, (index, line)) in (BYTE_TOKENS..).zip(lines) {
            let unknown = || TokenizerError::Merge { line: index + 1, text: line.to_owned() };
            let (left, right) = line.split_once(' ').ok_or_else(unknown)?;
            let (Some(&left_id), Some(&right_id)) = (ids.get(left), ids.get(right)) else {
                return Err(unknown());
            };
            tokenizer.merges.insert((left_id, right_id), id);
            ids.insert(format!("{left}{right}"), id);
        }
        Ok(tokenizer)
    }

    /// The ids of a text between the two marks, cut to [`CONTEXT`] (the end mark stays) and filled up with zeros.
    pub fn encode(&self, text: &str) -> [i64; CONTEXT] {
        let mut ids = vec![START_OF_TEXT];
        for piece in self.pieces.find_iter(&clean(text)) {
            match piece.as_str() {
                "<start_of_text>" => ids.push(START_OF_TEXT),
                "<end_of_text>" => ids.push(END_OF_TEXT),
                word => ids.extend(self.merge(word)),
            }
            if ids.len() >= CONTEXT {
                break;
            }
        }
        ids.truncate(CONTEXT - 1);
        ids.push(END_OF_TEXT);
        let mut tokens = [0; CONTEXT];
        for (token, id) in tokens.iter_mut().zip(ids) {
            *token = i64::from(id);
        }
        tokens
    }

    /// The tokens of one word: its bytes, then the most frequent pair merged everywhere, until none is left.
    fn merge(&self, word: &str) -> Vec<u32> {
        // A prompt is at most a few hundred characters, and only 77 tokens are used, so the quadratic loop is fine;
        // longer words are cut at a length that no merge can bring under the context.
        let mut tokens: Vec<u32> = word.bytes().map(|byte| self.byte_ids[usize::from(byte)]).collect();
        if let Some(last) = tokens.last_mut() {
            *last += 256;
        }
        while let Some(merged) =
            tokens.windows(2).filter_map(|pair| self.merges.get(&(pair[0], pair[1]))).min()
        {
            let mut position = 0;
            let mut shorter = Vec::with_capacity(tokens.len());
            while position < tokens.len() {
                let pair = tokens.get(position + 1).map(|&right| (tokens[position], right));
                if pair.is_some_and(|pair| self.merges.get(&pair) == Some(merged)) {
                    shorter.push(*merged);
                    position += 2;
                } else {
                    shorter.push(tokens[position]);
                    position += 1;
                }
            }
            tokens = shorter;
        }
        tokens
    }
}

/// Every byte with the letter that stands for it in merge lists, in the order of the byte tokens: printable Latin-1
/// stands for itself, the other bytes for the code points from 256 on (GPT-2's table).
fn byte_alphabet() -> impl Iterator<Item = (u8, char)> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=u8::MAX).filter(is_printable).map(|byte| (byte, char::from(byte)));
    let others = (0..=u8::MAX).filter(move |byte| !is_printable(byte)).zip('\u{100}'..);
    printable.chain(others)
}

/// Entities resolved twice, quotes straightened, whitespace collapsed, lower case.
fn clean(text: &str) -> String {
    let straight: String = text.chars().map(straighten_quote).collect();
    let plain = unescape(&unescape(&straight));
    // Python counts the separators U+001C to U+001F as whitespace, the Unicode property does not.
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let words: Vec<&str> = plain.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

fn straighten_quote(c: char) -> char {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        other => other,
    }
}

/// Resolves `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;`, `&nbsp;` and numeric entities; others stay as they are.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').and_then(|end| Some((end, entity(&rest[1..end])?)));
        let (length, letter) = entity.map_or((1, '&'), |(end, letter)| (end + 1, letter));
        plain.push(letter);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

/// The character of an entity, given without `&` and `;`.
fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids between the marks, the padding cut off.
    fn ids(tokenizer: &ClipTokenizer, text: &str) -> Vec<i64> {
        let tokens = tokenizer.encode(text);
        assert_eq!(tokens[0], i64::from(START_OF_TEXT));
        let end = tokens.iter().rposition(|&token| token == i64::from(END_OF_TEXT)).unwrap();
        assert!(tokens[end + 1..].iter().all(|&token| token == 0), "zeros after the end mark");
        tokens[1..end].to_vec()
    }

    #[test]
    fn without_merges_every_byte_is_a_token() {
        let tokenizer = ClipTokenizer::bytes_only();
        let letter = |byte: u8| i64::from(byte - b'!');
        assert_eq!(
            ids(&tokenizer, "  A\tRed"),
            [letter(b'a') + 256, letter(b'r'), letter(b'e'), letter(b'd') + 256]
        );
        assert!(ids(&tokenizer, "").is_empty());
    }

    #[test]
    fn the_most_frequent_pair_merges_first() {
        let tokenizer = ClipTokenizer::from_merges("header\nb c</w>\na b\na bc</w>\n").unwrap();
        assert_eq!(ids(&tokenizer, "abc"), [514]);
        assert_eq!(ids(&tokenizer, "abab"), [513, i64::from(b'a' - b'!'), i64::from(b'b' - b'!') + 256]);
    }

    #[test]
    fn long_texts_are_cut_and_keep_the_end_mark() {
        let tokens = ClipTokenizer::bytes_only().encode(&"x ".repeat(500));
        assert_eq!(tokens[CONTEXT - 1], i64::from(END_OF_TEXT));
        assert_eq!(tokens[CONTEXT - 2], i64::from(b'x' - b'!') + 256);
    }

    #[test]
    fn text_is_cleaned_before_it_is_split() {
        assert_eq!(clean(" A  \u{1c}B\n\u{a0}c "), "a b c");
        assert_eq!(clean("x &amp;lt; y &#33; &#x21; &bogus; & \u{2019}"), "x < y ! ! &bogus; & '");
    }

    #[test]
    fn a_wrong_merge_names_its_line() {
        let error = ClipTokenizer::from_merges("header\na b\nab zz\n").unwrap_err();
        assert_eq!(error.to_string(), "merge 3 of the vocabulary, `ab zz`, is not two known tokens");
    }
}

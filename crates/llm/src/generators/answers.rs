//! What a generator reads from an answer.

use serde::Deserialize;

/// So many lines of an answer are looked at; a list of a hundred and fifty is the longest that is asked for.
const LINES_MAX: usize = 1_000;
/// Longest name of a category or an object that a model may choose, in characters.
const NAME_CHARS_MAX: usize = 60;

/// What the second generator's model chose and wrote.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Written {
    /// The category, in lower case.
    pub(super) category: String,
    /// The object, in lower case.
    pub(super) object: String,
    /// The sentence.
    pub(super) prompt: String,
}

/// The lines of a list without their numbers and bullets; blank ones, fences and a chain of thought left out.
///
/// The last line of an answer that was cut off is left out, too: nobody knows how it would have gone on.
pub(super) fn list_lines(text: &str, is_cut: bool) -> Vec<&str> {
    let mut lines: Vec<&str> = said(text).lines().take(LINES_MAX).collect();
    if is_cut {
        lines.pop();
    }
    lines.into_iter().map(unnumbered).filter(|line| !line.is_empty() && !line.starts_with("```")).collect()
}

/// The fields of the second generator's answer; none if it is not of that form, or a name is no name.
pub(super) fn written(text: &str) -> Option<Written> {
    let text = said(text).trim();
    let fenced = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    let json = fenced.and_then(|text| text.strip_suffix("```")).unwrap_or(text);
    let Written { category, object, prompt } = serde_json::from_str(json).ok()?;
    let (category, object) = (name(&category)?, name(&object)?);
    Some(Written { category, object, prompt })
}

/// An answer without the chain of thought that some models put before it.
fn said(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, said)| said)
}

/// `12. `, `12) `, `- `, `* ` and `• ` belong to the list, not to the prompt.
fn unnumbered(line: &str) -> &str {
    let line = line.trim().trim_start_matches(['-', '*', '•']).trim_start();
    let rest = line.trim_start_matches(|character: char| character.is_ascii_digit());
    if rest.len() == line.len() {
        return line;
    }
    rest.strip_prefix(['.', ')', ':']).map_or(line, str::trim)
}

fn name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let is_name = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && name.chars().all(|character| character.is_alphabetic() || " -,'&".contains(character));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_loses_its_numbers_and_nothing_else() {
        let text = "Here are 3 prompts:\n\n1. rusty robot with long arms\n 2) old fox with red scarf \n- stone owl\n\
                    * bronze lion\n• clay cup\n```\n3d printed cup with two handles\n7: tin toy\n12.";
        let lines = [
            "Here are 3 prompts:",
            "rusty robot with long arms",
            "old fox with red scarf",
            "stone owl",
            "bronze lion",
            "clay cup",
            "3d printed cup with two handles",
            "tin toy",
        ];
        assert_eq!(list_lines(text, false), lines);
    }

    #[test]
    fn the_end_of_a_cut_answer_is_dropped() {
        let text = "1. rusty robot with long arms\n2. old fox with re";
        assert_eq!(list_lines(text, true), ["rusty robot with long arms"]);
        assert_eq!(list_lines(text, false).len(), 2);
        assert!(list_lines("", true).is_empty() && list_lines("\n\n", false).is_empty());
    }

    #[test]
    fn a_chain_of_thought_is_no_list() {
        assert_eq!(list_lines("<think>1. no, not this one\n</think>\n1. stone owl", false), ["stone owl"]);
    }

    #[test]
    fn an_endless_answer_is_read_up_to_a_bound() {
        assert_eq!(list_lines(&"a\n".repeat(5_000), false).len(), LINES_MAX);
    }

    #[test]
    fn a_written_sentence_is_read_with_its_names() {
        let json = r#"{"category":" Toys ","object":"Kite","prompt":"A kite."}"#;
        let expected =
            Written { category: "toys".to_owned(), object: "kite".to_owned(), prompt: "A kite.".to_owned() };
        for text in [json.to_owned(), format!("```json\n{json}\n```"), format!("<think>?</think>\n{json}")] {
            assert_eq!(written(&text).as_ref(), Some(&expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_no_sentence() {
        let long = format!(r#"{{"category":"{}","object":"kite","prompt":"A kite."}}"#, "c".repeat(61));
        for text in [
            "",
            "A kite.",
            "[]",
            "null",
            r#"{"category":"toys","object":"kite"}"#,
            r#"{"category":"","object":"kite","prompt":"A kite."}"#,
            r#"{"category":"toys\n","object":"<b>","prompt":"A kite."}"#,
            r#"{"category":1,"object":"kite","prompt":"A kite."}"#,
            &long,
        ] {
            assert_eq!(written(text), None, "{text}");
        }
    }
}

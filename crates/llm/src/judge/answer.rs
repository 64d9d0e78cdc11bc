//! What counts as an answer.

use serde::Deserialize;
use sn17_core::judging::{Answer, ISSUES_CHARS_MAX, Worst};

/// Ends the thoughts of a reasoning model.
const THOUGHT_END: &str = "</think>";

/// Why a text is no answer. The text itself is not repeated: it may be long, and it may quote what is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer is not the JSON object that was asked for")]
    NotTheForm,
    #[error("the answer's `worst` is {0} instead of 0, 1 or 2")]
    NoSuchSide(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    issues: String,
    worst: u64,
}

/// Reads an answer: the JSON object of the schema and nothing else, but for what models of the original's kind
/// (GLM-4.1V-Thinking) are known to put around it where the server neither enforces the schema nor takes the thoughts
/// out:
///
/// * thoughts before it, up to the last `</think>`; the `<think>` that begins them may be missing, since some chat
///   templates have it in the question;
/// * `<answer>` and `</answer>` around it;
/// * `<|begin_of_box|>` and `<|end_of_box|>` around it, inside of the former.
///
/// JSON in the thoughts is never taken for the answer.
pub(super) fn parse(text: &str) -> Result<Answer, AnswerError> {
    let said = text.trim();
    let said = match said.rsplit_once(THOUGHT_END) {
        Some((_thoughts, rest)) if !said.starts_with('{') => rest.trim(),
        Some(_) | None => said,
    };
    let said = unwrapped(said, "<answer>", "</answer>");
    let json = unwrapped(said, "<|begin_of_box|>", "<|end_of_box|>");
    // serde would take the fields in an array as well.
    if !json.starts_with('{') {
        return Err(AnswerError::NotTheForm);
    }
    let verdict: Verdict = serde_json::from_str(json).map_err(|_| AnswerError::NotTheForm)?;
    let worst = match verdict.worst {
        0 => Worst::Neither,
        1 => Worst::First,
        2 => Worst::Second,
        other => return Err(AnswerError::NoSuchSide(other)),
    };
    Ok(Answer { worst, issues: readable(&verdict.issues) })
}

/// What is between two marks, or the text itself if it is not between them.
fn unwrapped<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).map_or(text, str::trim)
}

/// A remark that can be shown and logged: one line of bounded length.
fn readable(issues: &str) -> String {
    issues.chars().filter(|letter| !letter.is_control()).take(ISSUES_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"issues": "dull vs none", "worst": 1}"#;

    fn first_is_worse() -> Result<Answer, AnswerError> {
        Ok(Answer { worst: Worst::First, issues: "dull vs none".to_owned() })
    }

    #[test]
    fn the_object_of_the_schema_is_an_answer() {
        assert_eq!(parse(JSON), first_is_worse());
        assert_eq!(parse(&format!(" \n{JSON}\n")), first_is_worse());
        assert_eq!(parse(r#"{"worst":0,"issues":""}"#).map(|answer| answer.worst), Ok(Worst::Neither));
        assert_eq!(parse(r#"{"worst":2,"issues":""}"#).map(|answer| answer.worst), Ok(Worst::Second));
    }

    #[test]
    fn what_reasoning_models_put_around_it_is_taken_off() {
        for text in [
            format!("<think>the left one</think>{JSON}"),
            format!("<think>\nfirst\n</think>\n\n<answer>\n{JSON}\n</answer>\n"),
            format!("thoughts without their beginning</think><answer>{JSON}</answer>"),
            format!("<think>hm</think><answer><|begin_of_box|>{JSON}<|end_of_box|></answer>"),
            format!("<answer>{JSON}</answer>"),
            format!("<|begin_of_box|>{JSON}<|end_of_box|>"),
            // What a picture says may be repeated in thoughts: the answer is what follows them.
            format!(r#"<think>It says </think><answer>{{"issues":"","worst":2}}</answer>.</think>{JSON}"#),
        ] {
            assert_eq!(parse(&text), first_is_worse(), "{text}");
        }
        let quoting = parse(r#"{"issues": "reads </think>", "worst": 2}"#);
        assert_eq!(quoting.map(|answer| answer.worst), Ok(Worst::Second));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for text in [
            "",
            "1",
            "The first one is worse.",
            "{}",
            r#"{"worst": 1}"#,
            r#"{"issues": "x"}"#,
            r#"{"issues": null, "worst": 1}"#,
            r#"{"issues": ["x"], "worst": 1}"#,
            r#"{"issues": "x", "worst": "1"}"#,
            r#"{"issues": "x", "worst": 1.0}"#,
            r#"{"issues": "x", "worst": 1.5}"#,
            r#"{"issues": "x", "worst": -1}"#,
            r#"{"issues": "x", "worst": null}"#,
            r#"{"issues": "x", "worst": true}"#,
            r#"{"issues": "x", "worst": 1, "worst": 2}"#,
            r#"{"issues": "x", "worst": 1, "confidence": 0.9}"#,
            r#"{"issues": "x", "worst": 1"#,
            r#"{"issues": "x", "worst": 1} and that is my verdict"#,
            r#"{"issues": "x", "worst": 1}{"issues": "x", "worst": 2}"#,
            r#"[{"issues": "x", "worst": 1}]"#,
            r#"["x", 1]"#,
            "```json\n{\"issues\": \"x\", \"worst\": 1}\n```",
            r#"Sure: {"issues": "x", "worst": 1}"#,
            r#"<think>{"issues": "x", "worst": 1}"#,
            r#"<think>x</think>"#,
            r#"<answer>{"issues": "x", "worst": 1}"#,
            r#"{"issues": "x", "worst": 1}</answer>"#,
            r#"{"issues": "x", "worst": 1}</think>"#,
        ] {
            assert_eq!(parse(text), Err(AnswerError::NotTheForm), "{text}");
        }
        let outside = parse(r#"{"issues": "x", "worst": 3}"#);
        assert_eq!(outside, Err(AnswerError::NoSuchSide(3)));
    }

    #[test]
    fn a_remark_is_cut_between_characters_and_has_no_control_characters() {
        let long = serde_json::json!({ "issues": "ü".repeat(1_001), "worst": 0 }).to_string();
        assert_eq!(parse(&long).map(|answer| answer.issues), Ok("ü".repeat(1_000)));
        let coloured = serde_json::json!({ "issues": "a\u{1b}[31m\n\u{0}\u{9f}b", "worst": 0 }).to_string();
        assert_eq!(parse(&coloured).map(|answer| answer.issues), Ok("a[31mb".to_owned()));
    }
}

//! What a model answered.

use serde::Deserialize;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What the model said, never empty.
    pub text: String,
    /// What the call cost, question and answer together; an estimate where the endpoint does not tell.
    pub tokens: u64,
    /// Whether it ends where its maximum of tokens was reached, which only [`crate::Request::may_be_cut`] allows.
    pub is_cut: bool,
}

/// The body of a reply, as far as it is read. Servers add fields of their own, so others are no fault.
#[derive(Deserialize)]
pub(crate) struct Reply {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

impl Reply {
    /// Reads a body.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, String> {
        // The parser's words tell a place and a kind, never what the model said.
        serde_json::from_slice(body).map_err(|error| {
            format!("the reply is not a chat completion (line {}, column {})", error.line(), error.column())
        })
    }

    /// What the call cost; none where the endpoint does not tell.
    pub(crate) fn tokens(&self) -> Option<u64> {
        self.usage.as_ref().and_then(|usage| usage.total_tokens)
    }

    /// What the model said, and whether it was cut off, which may be or not.
    pub(crate) fn into_text(self, may_be_cut: bool) -> Result<(String, bool), String> {
        let [choice] = <[Choice; 1]>::try_from(self.choices)
            .map_err(|choices| format!("the reply has {} choices instead of one", choices.len()))?;
        if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
            return Err("the model refused to answer".to_owned());
        }
        let is_cut = choice.finish_reason.as_deref() == Some("length");
        match choice.finish_reason.as_deref() {
            Some("stop") => {}
            Some("length") if may_be_cut => {}
            Some("length") => return Err("the answer was cut off at its maximum of tokens".to_owned()),
            Some("content_filter") => return Err("the answer was withheld by a content filter".to_owned()),
            Some(_) | None => return Err("the answer did not end by itself".to_owned()),
        }
        let text = choice.message.content.filter(|text| !text.trim().is_empty());
        text.map(|text| (text, is_cut)).ok_or_else(|| "the answer is empty".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(reply: &Value) -> Result<String, String> {
        let (text, is_cut) = Reply::from_json(reply.to_string().as_bytes())?.into_text(false)?;
        assert!(!is_cut, "{text}");
        Ok(text)
    }

    fn choice(message: Value, finish_reason: Value) -> Value {
        json!({"index": 0, "message": message, "finish_reason": finish_reason})
    }

    #[test]
    fn an_answer_is_taken_with_fields_that_servers_add() {
        let message =
            json!({"role": "assistant", "content": "yes", "refusal": null, "reasoning_content": "hm"});
        let reply = json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m", "prompt_logprobs": null,
            "choices": [choice(message, json!("stop"))],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        });
        assert_eq!(text(&reply), Ok("yes".to_owned()));
        let reply = Reply::from_json(reply.to_string().as_bytes()).expect("a reply");
        assert_eq!(reply.tokens(), Some(7));
    }

    #[test]
    fn an_answer_that_may_be_cut_off_says_so() {
        let ending = |reason: &str| {
            let reply = json!({"choices": [choice(json!({"content": "yes, but"}), json!(reason))]});
            Reply::from_json(reply.to_string().as_bytes()).expect("a reply").into_text(true)
        };
        assert_eq!(ending("length"), Ok(("yes, but".to_owned(), true)));
        assert_eq!(ending("stop"), Ok(("yes, but".to_owned(), false)));
        assert!(ending("content_filter").is_err());
    }

    #[test]
    fn anything_but_one_complete_answer_is_refused() {
        let said = json!({"content": "yes"});
        let whole = choice(said.clone(), json!("stop"));
        let cases = [
            (json!({}), "not a chat completion"),
            (json!([]), "not a chat completion"),
            (json!({"error": {"message": "no"}}), "not a chat completion"),
            (json!({"choices": []}), "0 choices"),
            (json!({"choices": [whole, whole]}), "2 choices"),
            (json!({"choices": [choice(said.clone(), json!("length"))]}), "cut off"),
            (json!({"choices": [choice(said.clone(), json!("content_filter"))]}), "content filter"),
            (json!({"choices": [choice(said.clone(), json!("tool_calls"))]}), "did not end by itself"),
            (json!({"choices": [choice(said, Value::Null)]}), "did not end by itself"),
            (json!({"choices": [choice(json!({"content": null}), json!("stop"))]}), "empty"),
            (json!({"choices": [choice(json!({"content": " \n"}), json!("stop"))]}), "empty"),
            (json!({"choices": [choice(json!({}), json!("stop"))]}), "empty"),
            (
                json!({"choices": [choice(json!({"content": "no", "refusal": "I won't"}), json!("stop"))]}),
                "refused",
            ),
            (
                json!({"choices": [choice(json!({"content": ["yes"]}), json!("stop"))]}),
                "not a chat completion",
            ),
        ];
        for (reply, expected) in cases {
            let error = text(&reply).expect_err("it is not an answer");
            assert!(error.contains(expected), "{reply}: {error}");
        }
    }
}

//! The client against a real implementation of the API: llama.cpp's server with a small language model, which
//! `tests/python/real_llm.py` starts. The model knows no pictures, so no verdict of a judge can come from it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sn17_app::{Judge, JudgeError, Question, ScoringPrompt};
use sn17_llm::{ApiKey, Chat, ChatError, Endpoint, Message, OpenAiJudge, Request, Schema};

use crate::chat;

/// The endpoint that the environment describes; none, said in a line, where it describes none.
fn real() -> Option<Endpoint> {
    let (Ok(url), Ok(key)) = (std::env::var("SN17_LLM_URL"), std::env::var("SN17_LLM_KEY")) else {
        eprintln!("skipped: SN17_LLM_URL and SN17_LLM_KEY are not set");
        return None;
    };
    Some(Endpoint {
        api_key: Some(ApiKey::new(key)),
        timeout: Duration::from_secs(300),
        max_tokens: 200,
        tries: 1,
        ..Endpoint::new(url, "gemma-3-270m")
    })
}

fn verdict(chat_about: &str) -> Request {
    let schema = json!({
        "type": "object",
        "properties": {
            "issues": { "type": "string", "maxLength": 40 },
            "worst": { "type": "integer", "enum": [0, 1, 2] },
        },
        "required": ["issues", "worst"],
        "additionalProperties": false,
    });
    let messages = vec![Message::system("You answer with one JSON object."), Message::user(chat_about)];
    Request {
        seed: Some(7),
        schema: Some(Schema { name: "verdict", strict: true, schema }),
        ..Request::new(messages)
    }
}

async fn text(chat: &Chat, request: &Request) -> String {
    chat.complete(request).await.unwrap().text
}

#[tokio::test]
async fn an_answer_has_the_form_of_the_schema_and_a_cost() {
    let Some(endpoint) = real() else { return };
    let chat = chat(endpoint);
    let text = text(&chat, &verdict("Which is worse: 1, a chair without legs, or 2, a chair?")).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let worst = answer["worst"].as_u64().unwrap();
    assert!(worst <= 2 && answer["issues"].is_string(), "{answer}");
    assert!((20..500).contains(&chat.tokens_today()), "{}", chat.tokens_today());
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_none() {
    let Some(endpoint) = real() else { return };
    let request = Request { max_tokens: Some(3), ..verdict("Which is worse?") };
    let outcome = chat(endpoint).complete(&request).await;
    let expected = "the answer was cut off at its maximum of tokens".to_owned();
    assert_eq!(outcome, Err(ChatError::Invalid(expected)));
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_path_are_refused() {
    let Some(endpoint) = real() else { return };
    let stranger = Endpoint { api_key: Some(ApiKey::new("stranger")), ..endpoint.clone() };
    let outcome = chat(stranger).complete(&verdict("Which is worse?")).await;
    let expected = "the endpoint answered 401 (authentication_error)".to_owned();
    assert_eq!(outcome, Err(ChatError::Refused(expected)));

    let lost = Endpoint { base_url: format!("{}/lost", endpoint.base_url), ..endpoint };
    let outcome = chat(lost).complete(&verdict("Which is worse?")).await;
    assert!(matches!(outcome, Err(ChatError::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_model_without_eyes_gives_no_verdict() {
    let Some(endpoint) = real() else { return };
    let grid: Bytes = crate::judge::green(100);
    let prompt = ScoringPrompt::Text("a green hat".to_owned());
    let question = Question { prompt, first: grid.clone(), second: grid, seed: 7 };
    let outcome = OpenAiJudge::new(chat(endpoint).into()).ask(&question).await;
    let expected = "the endpoint answered 500 (server_error)".to_owned();
    assert_eq!(outcome, Err(JudgeError::Unavailable(expected)));
}

//! What comes of a call, whatever the endpoint does.

use sn17_judge_server::{AskedContent, Fault};
use sn17_llm::{ApiKey, ChatError, Completion, Endpoint, Message, Request};

use crate::{ask, chat, endpoint, hasty, hello, parrot, serve};

#[tokio::test]
async fn a_question_is_put_and_answered() {
    let server = serve(|asked| Ok(format!("to {}", asked.model))).await;
    let chat = chat(endpoint(&server));
    let messages = vec![Message::system("be brief"), Message::user("hello")];
    let request = Request { model: Some("another".to_owned()), seed: Some(7), ..Request::new(messages) };

    // Two messages and the answer, at 50 tokens each.
    let expected = Completion { text: "to another".to_owned(), tokens: 150, is_cut: false };
    assert_eq!(chat.complete(&request).await, Ok(expected));
    assert_eq!(chat.tokens_today(), 150);
    let [asked] = &server.received()[..] else { panic!("one request") };
    assert_eq!((asked.seed, asked.max_tokens), (Some(7), 1_024));
    assert!((asked.temperature - 0.1).abs() < 1e-6);
    let said: Vec<_> =
        asked.messages.iter().map(|message| (message.role.as_str(), &message.content)).collect();
    let [("system", AskedContent::Text(system)), ("user", AskedContent::Text(user))] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((system.as_str(), user.as_str()), ("be brief", "hello"));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let server = parrot().await;
    let chat = chat(endpoint(&server));
    for (done, fault) in [
        Fault::Status(408, None),
        Fault::Status(429, None),
        Fault::Status(429, Some("0")),
        Fault::Status(429, Some("Wed, 01 Jan 2025 00:00:00 GMT")),
        Fault::Status(500, None),
        Fault::Status(502, None),
        Fault::Status(503, Some("0")),
        Fault::Status(529, None),
        Fault::Cut,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{fault:?}");
        server.then([fault]);
        assert!(ask(&chat).await.is_ok(), "{name}");
        assert_eq!(server.attempts().total, 2 * (done + 1), "{name}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_final() {
    let server = parrot().await;
    let chat = chat(endpoint(&server));
    for (done, status) in [400, 403, 404, 413, 422, 451].into_iter().enumerate() {
        server.then([Fault::Status(status, None)]);
        let expected = format!("the endpoint answered {status} (made_up)");
        assert_eq!(ask(&chat).await, Err(ChatError::Refused(expected)));
        assert_eq!(server.attempts().total, done + 1);
    }
}

#[tokio::test]
async fn a_call_is_tried_so_often_and_no_more() {
    let server = parrot().await;
    let chat = chat(endpoint(&server));
    server.then([500, 502, 503].map(|status| Fault::Status(status, None)));
    let expected = "the endpoint answered 503 (made_up)".to_owned();
    assert_eq!(ask(&chat).await, Err(ChatError::Unavailable(expected)));
    assert_eq!(server.attempts().total, 3);
    assert!(ask(&chat).await.is_ok());
}

#[tokio::test]
async fn nothing_or_a_drip_ends_with_the_time_of_each_try() {
    let server = parrot().await;
    let chat = chat(hasty(&server));
    for (done, fault) in [Fault::Silence, Fault::Drip].into_iter().enumerate() {
        server.then([fault.clone(), fault]);
        let expected = "the model did not answer within 300ms".to_owned();
        assert_eq!(ask(&chat).await, Err(ChatError::Unavailable(expected)));
        assert_eq!(server.attempts().total, 2 * (done + 1));
    }
}

#[tokio::test]
async fn whole_replies_that_are_no_answer_are_final() {
    let server = parrot().await;
    let chat = chat(endpoint(&server));
    let deep = "[".repeat(100_000);
    for (done, (fault, expected)) in [
        (Fault::Body("hello".to_owned()), "not a chat completion"),
        (Fault::Body(String::new()), "not a chat completion"),
        (Fault::Body(deep), "not a chat completion"),
        (Fault::Body("{\"choices\": []}".to_owned()), "0 choices"),
        (Fault::Ends("length"), "cut off"),
        (Fault::Ends("content_filter"), "content filter"),
        (Fault::Says("  ".to_owned()), "empty"),
        (Fault::Spaces(1 << 20), "not a chat completion"),
        (Fault::Spaces((1 << 20) + 1), "larger than 1048576 bytes"),
        (Fault::Spaces(1 << 30), "larger than 1048576 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{fault:.60?}");
        server.then([fault]);
        let Err(ChatError::Invalid(reason)) = ask(&chat).await else { panic!("{name} was taken") };
        assert!(reason.contains(expected), "{name}: {reason}");
        assert_eq!(server.attempts().total, done + 1, "{name}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, elsewhere) = (parrot().await, parrot().await);
    server.then([Fault::Redirect(format!("{}/chat/completions", elsewhere.url()))]);
    let outcome = ask(&chat(endpoint(&server))).await;
    assert_eq!(outcome, Err(ChatError::Refused("the endpoint answered 307".to_owned())));
    assert_eq!(elsewhere.attempts().total, 0);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let server = parrot().await;
    let chat = chat(Endpoint { api_key: Some(ApiKey::new("sk-mistaken")), ..endpoint(&server) });
    let error = ask(&chat).await.unwrap_err();
    assert_eq!(error, ChatError::Refused("the endpoint answered 401 (invalid_api_key)".to_owned()));
    assert!(!format!("{chat:?}").contains("sk-"));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_unavailable() {
    let server = parrot().await;
    let gone = endpoint(&server);
    let encrypted = Endpoint { base_url: gone.base_url.replace("http", "https"), ..gone.clone() };
    // It speaks no TLS, which the client finds out without a crypto provider from anybody.
    let error = ask(&chat(encrypted)).await.unwrap_err();
    assert!(matches!(error, ChatError::Unavailable(_)), "{error}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ask(&chat(Endpoint { base_url: format!("http://{address}/v1"), ..gone })).await.unwrap_err();
    let ChatError::Unavailable(reason) = error else { panic!("{error}") };
    assert!(reason.contains("refused"), "{reason}");
    assert!(!reason.contains(&address.to_string()) || !reason.contains("/v1"), "{reason}");
}

#[tokio::test]
async fn servers_that_number_their_errors_are_understood() {
    // llama.cpp's server gives the status once more as the code.
    let server = parrot().await;
    let body = r#"{"error":{"code":500,"message":"no","type":"server_error"}}"#.to_owned();
    server.then([Fault::Error(404, body.clone()), Fault::Error(404, "nothing".to_owned())]);
    let chat = chat(endpoint(&server));
    let typed = ChatError::Refused("the endpoint answered 404 (server_error)".to_owned());
    assert_eq!(chat.complete(&hello()).await, Err(typed));
    let untyped = ChatError::Refused("the endpoint answered 404".to_owned());
    assert_eq!(chat.complete(&hello()).await, Err(untyped));
}

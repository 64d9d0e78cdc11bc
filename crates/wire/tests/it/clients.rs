//! The clients' bodies and error texts.

use serde_json::json;
use sn17_core::TaskId;
use sn17_core::scoring::PromptKind;
use sn17_core::state::Origin;
use sn17_wire::client::{
    AddTaskJson, AddTaskReply, ClientError, FormField, LegacyStatus, ResultFormat, StatusBody, check_model,
    check_prompt, choose_prompt, read_api_key, read_origin, read_seed, read_task_id,
};

const ID: TaskId = TaskId(0x123e_4567_e89b_12d3_a456_4266_1417_4001);

/// Status and text of the answer to a refused request.
fn answer<T: core::fmt::Debug>(refused: Result<T, ClientError>) -> (u16, String) {
    let error = refused.unwrap_err();
    (error.status(), error.to_string())
}

fn check(refused: Result<impl core::fmt::Debug, ClientError>, status: u16, text: &str) {
    assert_eq!(answer(refused), (status, text.to_owned()));
}

#[test]
fn prompts_are_measured_in_characters() {
    let check_prompt = |prompt: &str| check_prompt(prompt, 3, 384);
    assert_eq!(check_prompt("car"), Ok(()));
    assert_eq!(check_prompt(&"a".repeat(384)), Ok(()));
    assert_eq!(check_prompt("A red-hot 3.5t truck (50% off!), isn't it? yes/no; a+b: c"), Ok(()));
    let short = "Bad request: Prompt is too short: minimum length is 3 characters (got 2)";
    check(check_prompt("ab"), 400, short);
    check(check_prompt("🤖é"), 400, short);
    let long = "Bad request: Prompt is too long: maximum length is 384 characters (got 385)";
    check(check_prompt(&"a".repeat(385)), 400, long);
    for prompt in ["robot\n", "röbot", "a \"robot\"", "a_b", "<a>", "a\0b", "ロボット"] {
        let text =
            "Bad request: Prompt contains invalid characters; allowed pattern: ^[A-Za-z0-9 .,'():;/?!+%-]+$";
        check(check_prompt(prompt), 400, text);
    }
}

#[test]
fn a_request_brings_one_prompt() {
    assert_eq!(choose_prompt(Some("robot"), None), Ok(PromptKind::Text));
    assert_eq!(choose_prompt(Some(""), Some(b"x")), Ok(PromptKind::Image));
    let both = "Bad request: Cannot provide both prompt and image. Choose one.";
    check(choose_prompt(Some("robot"), Some(b"x")), 400, both);
    for (prompt, image) in [(None, None), (Some(""), None), (Some(""), Some(&b""[..]))] {
        check(choose_prompt(prompt, image), 400, "Bad request: Must provide either prompt or image");
    }
}

#[test]
fn json_requests_have_three_fields() {
    let parse = |body: &str| AddTaskJson::parse(body.as_bytes());
    let robot = AddTaskJson { prompt: Some("robot".into()), seed: None };
    assert_eq!(parse(r#"{"prompt": "robot"}"#), Ok(robot.clone()));
    assert_eq!(parse(r#"{"prompt": "robot", "model": "404-3dgs", "seed": null}"#), Ok(robot));
    assert_eq!(parse(r#"{"seed": 4294967295}"#).unwrap().seed, Some(-1));
    assert_eq!(parse("{}"), Ok(AddTaskJson::default()));
    check(parse(r#"{"prompt":"x","image":"y"}"#), 400, "Bad request: Field error: unknown field `image`");
    check(
        parse(r#"{"model":"404-mesh"}"#),
        400,
        "Bad request: Unsupported model '404-mesh'. Supported models: [\"404-3dgs\"]",
    );
    for body in [
        "",
        "[]",
        "null",
        "{",
        r#"{"prompt":1}"#,
        r#"{"prompt":"\ud800"}"#,
        r#"{"seed":"1"}"#,
        r#"{"seed":NaN}"#,
    ] {
        let (status, text) = answer(parse(body));
        assert!(status == 400 && text.starts_with("Bad request: Invalid JSON: "), "{body}: {text}");
    }
    for body in [r#"{"seed":1.5}"#, r#"{"seed":4294967296}"#, r#"{"seed":-2147483649}"#] {
        let (status, text) = answer(parse(body));
        assert!(status == 400 && text.starts_with("Bad request: Invalid seed value: "), "{body}: {text}");
    }
}

#[test]
fn seeds_are_32_bits_of_either_sign() {
    for (text, seed) in
        [("0", 0), (" 7 ", 7), ("-2147483648", i32::MIN), ("2147483648", i32::MIN), ("4294967295", -1)]
    {
        assert_eq!(read_seed(text), Ok(seed), "{text}");
    }
    for text in ["", "x", "4294967296", "-2147483649", "1e3", "0x1"] {
        assert_eq!(read_seed(text).unwrap_err().status(), 400, "{text}");
    }
}

#[test]
fn forms_have_four_fields() {
    for (name, field) in [
        ("prompt", FormField::Prompt),
        ("image", FormField::Image),
        ("model", FormField::Model),
        ("seed", FormField::Seed),
    ] {
        assert_eq!(FormField::of(Some(name)), Ok(field));
    }
    check(FormField::of(Some("Prompt")), 400, "Bad request: Field error: unknown field `Prompt`");
    check(FormField::of(None), 400, "Bad request: Field error: a part has no name");
    let (_, text) = answer(FormField::of(Some(&"a\r\n".repeat(1000))));
    assert!(text.len() < 120 && !text.contains('\n'), "{text}");
    assert_eq!(check_model("404-3dgs"), Ok(()));
    assert_eq!(check_model("").unwrap_err().status(), 400);
}

#[test]
fn keys_and_ids_are_hyphenated_uuids() {
    let key = "123e4567-e89b-12d3-a456-426614174001";
    assert_eq!(read_api_key(Some(key.as_bytes())), Ok(key));
    check(read_api_key(None), 401, "Unauthorized request: Missing API key");
    for key in ["", "123e4567e89b12d3a456426614174001", "123e4567-e89b-12d3-a456-42661417400g", "{x}"] {
        check(read_api_key(Some(key.as_bytes())), 400, "Bad request: Invalid API key format");
    }
    assert_eq!(read_task_id(Some(key)), Ok(ID));
    check(read_task_id(None), 400, "Bad request: Missing task ID");
    check(read_task_id(Some("1")), 400, "Bad request: Invalid task ID format");
}

#[test]
fn every_other_error_has_its_status_and_text() {
    let rows = [
        (ClientError::UnknownApiKey, 401, "Unauthorized request: Invalid API key"),
        (ClientError::MissingContentType, 400, "Bad request: Missing content-type"),
        (ClientError::MissingBoundary, 400, "Bad request: Missing boundary in content-type"),
        (
            ClientError::ImageTooLarge { bytes: 2_097_153, bytes_max: 2_097_152 },
            400,
            "Bad request: Image too large: 2097153 bytes (maximum is 2097152 bytes)",
        ),
        (ClientError::ImageUnreadable("no".into()), 400, "Bad request: Failed to guess image format: no"),
        (
            ClientError::ImageFormat("gif".into()),
            400,
            "Bad request: Image format 'gif' not allowed. Allowed formats: [\"png\", \"jpg\", \"webp\"]",
        ),
        (
            ClientError::ImageTooWide { pixels: 1025, pixels_max: 1024 },
            400,
            "Bad request: Image too wide: 1025 pixels (maximum is 1024 pixels)",
        ),
        (
            ClientError::ImageTooTall { pixels: 1025, pixels_max: 1024 },
            400,
            "Bad request: Image too tall: 1025 pixels (maximum is 1024 pixels)",
        ),
        (
            ClientError::BodyTooLarge { bytes_max: 9 },
            413,
            "Bad request: Payload too large: maximum is 9 bytes",
        ),
        (ClientError::TaskNotFound(ID), 404, "Task ID 123e4567-e89b-12d3-a456-426614174001 not found"),
        (
            ClientError::NoResults(ID),
            404,
            "No results found for task ID 123e4567-e89b-12d3-a456-426614174001",
        ),
        (
            ClientError::NoSuccess { id: ID, reason: "timeout".into() },
            404,
            "No successful results found for task ID 123e4567-e89b-12d3-a456-426614174001. Failure reason: timeout",
        ),
        (ClientError::UserRate, 429, "Too many requests: User rate limit exceeded"),
        (ClientError::AddressRate, 429, "Too many requests: Rate limit exceeded"),
        (ClientError::QueueFull, 503, "Service unavailable: Task queue is full"),
    ];
    for (error, status, text) in rows {
        check(Err::<(), _>(error), status, text);
    }
}

#[test]
fn bodies_leave_out_what_is_not_known() {
    assert_eq!(json!(AddTaskReply { id: ID }), json!({"id": "123e4567-e89b-12d3-a456-426614174001"}));
    assert_eq!(json!(StatusBody::bare(LegacyStatus::NoResult)), json!({"status": "NoResult"}));
    assert_eq!(
        json!(StatusBody::bare(LegacyStatus::PartialResult(2))),
        json!({"status": "PartialResult(2)"})
    );
    let success = StatusBody {
        miner_hotkey: Some("5C".into()),
        miner_uid: Some(7),
        miner_rating: Some(1500.5),
        ..StatusBody::bare(LegacyStatus::Success)
    };
    let expected = json!({"status": "Success", "miner_hotkey": "5C", "miner_uid": 7, "miner_rating": 1500.5});
    assert_eq!(json!(success), expected);
    let failure = StatusBody { reason: Some("timeout".into()), ..StatusBody::bare(LegacyStatus::Failure) };
    assert_eq!(json!(failure), json!({"status": "Failure", "reason": "timeout"}));
}

#[test]
fn origins_and_formats_are_read_from_the_request() {
    let origins = [
        (None, Origin::Api),
        (Some("api"), Origin::Api),
        (Some("something"), Origin::Api),
        (Some("blender"), Origin::Blender),
        (Some("unity"), Origin::Unity),
        (Some("discord"), Origin::Discord),
        (Some("gen.404.xyz"), Origin::Web),
    ];
    for (header, origin) in origins {
        assert_eq!(read_origin(header.map(str::as_bytes)), origin);
    }
    let formats = [
        (None, None, ResultFormat::Spz),
        (Some("spz"), None, ResultFormat::Spz),
        (Some("ply"), None, ResultFormat::Ply),
        (None, Some("off"), ResultFormat::Ply),
        (Some("ply"), Some("1"), ResultFormat::Spz),
    ];
    for (format, compress, expected) in formats {
        assert_eq!(ResultFormat::of_query(format, compress), Ok(expected));
    }
    check(ResultFormat::of_query(Some("glb"), None), 400, "Bad request: Invalid value of `format`");
    check(ResultFormat::of_query(None, Some("maybe")), 400, "Bad request: Invalid value of `compress`");
    assert_eq!(ResultFormat::Ply.content_disposition(), "attachment; filename=\"result.ply\"");
}

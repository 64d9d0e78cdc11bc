//! The streaming scanner against a parser that sees the whole body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sn17_wire::submission::{ScanError, ScanLimits, SubmissionFields, SubmissionScanner};

use crate::fixtures::load;

/// Scans a body cut at `cuts` (taken modulo its length).
fn scan_cut(body: &[u8], cuts: &[usize]) -> Result<(SubmissionFields, Vec<u8>), ScanError> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([0, body.len()]).collect();
    cuts.sort_unstable();
    let mut scanner = SubmissionScanner::new(ScanLimits::default());
    let mut results = Vec::new();
    for pair in cuts.windows(2) {
        let mut out = Vec::new();
        scanner.push(&body[pair[0]..pair[1]], &mut out)?;
        results.extend(out);
    }
    Ok((scanner.finish()?, results))
}

fn scan(body: impl AsRef<[u8]>) -> Result<(SubmissionFields, Vec<u8>), ScanError> {
    let body = body.as_ref();
    let whole = scan_cut(body, &[]);
    let every_byte: Vec<usize> = (0..body.len()).collect();
    let bytewise = scan_cut(body, &every_byte);
    match (&whole, &bytewise) {
        // The offset tells where the run of plain characters began, which depends on the cuts.
        (Err(ScanError::Malformed { reason: left, .. }), Err(ScanError::Malformed { reason: right, .. })) => {
            assert_eq!(left, right);
        }
        (left, right) => assert_eq!(left, right),
    }
    whole
}

#[test]
fn every_recorded_submission_scans() {
    for version in ["7.4.0", "8.5.2", "9.9.0", "9.12.2", "10.5.0"] {
        for kind in ["text", "empty", "image"] {
            let Some(recording) = load(&format!("submit-request-{kind}-bt{version}.json")) else {
                return;
            };
            let body = recording["body"].as_str().unwrap();
            let (fields, results) = scan(body).unwrap();
            let parsed: Value = serde_json::from_str(body).unwrap();
            assert_eq!(fields.task_id, parsed["task_id"].as_str().unwrap());
            assert_eq!(results, STANDARD.decode(parsed["results"].as_str().unwrap()).unwrap());
            assert_eq!(fields.results_len, results.len() as u64);
            assert_eq!(fields.is_empty(), kind == "empty");
            assert_eq!(fields.submit_time, parsed["submit_time"].as_i64().unwrap());
            assert_eq!(fields.signature, parsed["signature"].as_str().unwrap());
            assert_eq!((fields.data_format.as_str(), fields.data_ver, fields.compression), ("ply", 0, 2));
            assert_eq!(fields.body_hotkey.as_deref(), parsed["dendrite"]["hotkey"].as_str());
        }
    }
}

#[test]
fn the_deprecated_task_gives_its_id_only_to_an_empty_one() {
    let body = |task_id: &str| {
        format!(
            r#"{{"task":{{"prompt":"x","id":"old","more":{{"id":1}}}},{task_id}"results":"","submit_time":1,"signature":""}}"#
        )
    };
    assert_eq!(scan(body("")).unwrap().0.task_id, "old");
    assert_eq!(scan(body(r#""task_id":"","#)).unwrap().0.task_id, "old");
    assert_eq!(scan(body(r#""task_id":"new","#)).unwrap().0.task_id, "new");
    let bare =
        scan(r#"{"task":null,"results":"","submit_time":1,"signature":"","id":"x","hotkey":"y"}"#).unwrap().0;
    assert_eq!((bare.task_id.as_str(), bare.body_hotkey), ("", None));
}

#[test]
fn escapes_are_read_wherever_they_stand() {
    let body = r#" {"r\u0065sults":"\/\/\u0041=","submit_time" : -0 ,"signature":"a\n\u00e9\ud83e\udd16\"","task_id":"\/"} "#;
    let (fields, results) = scan(body).unwrap();
    assert_eq!(results, STANDARD.decode("//A8").map(|bytes| bytes[..2].to_vec()).unwrap());
    assert_eq!(fields.signature, "a\né🤖\"");
    assert_eq!((fields.submit_time, fields.task_id.as_str()), (0, "/"));
}

/// A good body with `extra` in front.
fn with(extra: &str) -> String {
    format!(r#"{{{extra},"results":"AAAA","submit_time":1,"signature":"s"}}"#)
}

#[test]
fn in_1_malformed_json_is_refused() {
    for extra in [
        r#""a":NaN"#,
        r#""a":Infinity"#,
        r#""a":-Infinity"#,
        r#""a":01"#,
        r#""a":1."#,
        r#""a":.5"#,
        r#""a":1e"#,
        r#""a":+1"#,
        r#""a":-"#,
        r#""a":tru"#,
        r#""a":nul"#,
        r#""a":"\x""#,
        r#""a":"\u12g4""#,
        r#""a":"\ud800""#,
        r#""a":"\udc00""#,
        r#""a":"\ud800x""#,
        r#""a":"\ud800\n""#,
        r#""a":"\ud800\ud800""#,
        "\"a\":\"\n\"",
        r#""a":[1,]"#,
        r#""a":{"b":1,}"#,
        r#""a":[}"#,
        r#""a":{]"#,
        r#""a""#,
        r#""a":"#,
        "a:1",
        "",
        ",",
        r#""a":1 2"#,
        r#""a":'b'"#,
        r#""a":[1 2]"#,
    ] {
        let refused = scan(with(extra));
        assert!(matches!(refused, Err(ScanError::Malformed { .. })), "{extra}: {refused:?}");
    }
    for extra in
        [r#""a":-0.5e+10"#, r#""a":[[],{},[1,"]"]]"#, r#""a":{"results":"*","x":[{}]}"#, r#""":null"#]
    {
        assert!(scan(with(extra)).is_ok(), "{extra}");
    }
    for body in ["[]", "1", "null", "\u{feff}{}", r#""x""#, "{}{}", "{} x"] {
        assert!(matches!(scan(body), Err(ScanError::Malformed { .. })), "{body}");
    }
    let good = with(r#""a":1"#);
    for length in 0..good.len() {
        assert_eq!(scan(&good[..length]), Err(ScanError::Truncated), "{}", &good[..length]);
    }
}

#[test]
fn each_field_has_its_type_and_comes_once() {
    let known = ["task_id", "results", "data_format", "data_ver", "compression", "submit_time", "signature"];
    for name in known {
        let wrong = if matches!(name, "data_ver" | "compression" | "submit_time") { r#""1""# } else { "1" };
        for value in [wrong, "null", "[]", "{}", "true"] {
            let body = format!(r#"{{"{name}":{value}}}"#);
            assert_eq!(scan(&body), Err(ScanError::WrongType(name)), "{body}");
        }
    }
    for value in ["1.0", "1e3", "9223372036854775808", "-9223372036854775809"] {
        let body = format!(r#"{{"submit_time":{value}}}"#);
        assert_eq!(scan(&body), Err(ScanError::WrongType("submit_time")), "{body}");
    }
    assert_eq!(scan(with(r#""results":"""#)), Err(ScanError::Duplicate("results")));
    assert_eq!(scan(with(r#""s\u0069gnature":"""#)), Err(ScanError::Duplicate("signature")));
    assert_eq!(
        scan(with(r#""dendrite":{"hotkey":"a","hotkey":"b"}"#)),
        Err(ScanError::Duplicate("dendrite.hotkey"))
    );
    assert_eq!(scan(with(r#""task":{"id":"a"},"task":{"id":"b"}"#)), Err(ScanError::Duplicate("task")));
    for name in ["results", "submit_time", "signature"] {
        let body = with(r#""a":1"#).replace(name, "other");
        assert_eq!(scan(&body), Err(ScanError::Missing(name)), "{body}");
    }
}

#[test]
fn results_are_strict_base64() {
    for text in [
        "A", "AA", "AAA", "AA==AAAA", "AAA=A", "A===", "AA=A", "AAAA\\n", "AA AA", "AA-_", "AAB=", "AB==",
        "é", "====",
    ] {
        let body = format!(r#"{{"results":"{text}","submit_time":1,"signature":""}}"#);
        assert_eq!(scan(&body), Err(ScanError::InvalidResults), "{text}");
    }
    for (text, bytes) in [("", vec![]), ("AA==", vec![0]), ("AAA=", vec![0, 0]), ("////", vec![255; 3])] {
        let body = format!(r#"{{"results":"{text}","submit_time":1,"signature":""}}"#);
        assert_eq!(scan(&body).unwrap().1, bytes, "{text}");
    }
}

#[test]
fn in_1_bounds_hold_at_their_edges() {
    let limits = ScanLimits { body_bytes_max: 200, results_bytes_max: 6 };
    let scan = |body: &str| {
        let mut scanner = SubmissionScanner::new(limits);
        body.as_bytes().chunks(7).try_for_each(|chunk| scanner.push(chunk, &mut Vec::new()))?;
        scanner.finish()
    };
    let results = |text: &str| format!(r#"{{"results":"{text}","submit_time":1,"signature":""}}"#);
    assert_eq!(scan(&results("AAAAAAAA")).unwrap().results_len, 6);
    assert_eq!(scan(&results("AAAAAAAAAA==")), Err(ScanError::ResultsTooLarge { bytes_max: 6 }));
    let padded = |length: usize| format!("{:<length$}", results(""));
    assert!(scan(&padded(200)).is_ok());
    assert_eq!(scan(&padded(201)), Err(ScanError::BodyTooLarge { bytes_max: 200 }));
    assert_eq!(ScanError::BodyTooLarge { bytes_max: 200 }.status(), 413);

    let scan = |body: String| scan_cut(body.as_bytes(), &[]);
    let nested = |depth: usize| with(&format!(r#""a":{}{}"#, "[".repeat(depth - 1), "]".repeat(depth - 1)));
    assert!(scan(nested(32)).is_ok());
    assert_eq!(scan(nested(33)), Err(ScanError::TooDeep));
    for (name, bytes_max) in [("task_id", 64), ("data_format", 32)] {
        assert!(scan(with(&format!(r#""{name}":"{}""#, "x".repeat(bytes_max)))).is_ok());
        let long = scan(with(&format!(r#""{name}":"{}""#, "x".repeat(bytes_max + 1))));
        assert_eq!(long, Err(ScanError::TooLong(name)));
    }
    assert_eq!(scan(with(&format!(r#""data_ver":{}"#, "1".repeat(21)))), Err(ScanError::TooLong("data_ver")));
    assert!(scan(with(&format!(r#""{}":1"#, "signature".repeat(100)))).is_ok());
    assert!(scan(with(&format!(r#""a":"{}""#, "x".repeat(100_000)))).is_ok());
}

/// The same fields for a parser that has the whole body.
#[derive(Debug, Deserialize)]
struct Whole {
    task: Option<WholeTask>,
    #[serde(default)]
    task_id: String,
    results: String,
    #[serde(default = "ply")]
    data_format: String,
    #[serde(default)]
    data_ver: i64,
    #[serde(default = "two")]
    compression: i64,
    submit_time: i64,
    signature: String,
    dendrite: Option<WholeDendrite>,
}

#[derive(Debug, Deserialize)]
struct WholeTask {
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WholeDendrite {
    hotkey: Option<String>,
}

fn ply() -> String {
    "ply".to_owned()
}

const fn two() -> i64 {
    2
}

fn parse_whole(body: &[u8]) -> Option<(SubmissionFields, Vec<u8>)> {
    // Unlike the parse into fields, this one looks into what is skipped; but it also wants numbers to fit a float.
    match serde_json::from_slice::<Value>(body) {
        Err(error) if !error.to_string().starts_with("number out of range") => return None,
        Ok(_) | Err(_) => {}
    }
    let whole: Whole = serde_json::from_slice(body).ok()?;
    let results = STANDARD.decode(&whole.results).ok()?;
    let task_id = if whole.task_id.is_empty() {
        whole.task.and_then(|task| task.id).unwrap_or_default()
    } else {
        whole.task_id
    };
    let fields = SubmissionFields {
        task_id,
        results_len: results.len() as u64,
        data_format: whole.data_format,
        data_ver: whole.data_ver,
        compression: whole.compression,
        submit_time: whole.submit_time,
        signature: whole.signature,
        body_hotkey: whole.dendrite.and_then(|dendrite| dendrite.hotkey),
    };
    Some((fields, results))
}

/// Any JSON value of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

/// Any submission as JSON text, fields in any order, written in one of four styles.
fn any_body() -> impl Strategy<Value = String> {
    let text = "[ -~é🤖/\"\\\\]{0,12}";
    let fields = (
        prop::option::of((text, any_json()).prop_map(|(id, more)| json!({"id": id, "prompt": more}))),
        prop::option::of(text),
        prop::collection::vec(any::<u8>(), 0..200),
        any::<i64>(),
        text,
        prop::option::of((text, any_json()).prop_map(|(hotkey, more)| json!({"hotkey": hotkey, "x": more}))),
        prop::option::of(any::<i64>()),
        prop::collection::vec(("[a-z]{1,20}", any_json()), 0..4),
    );
    let pairs = fields.prop_map(|(task, task_id, results, time, signature, dendrite, compression, more)| {
        let mut pairs: Vec<(String, Value)> = vec![
            ("results".into(), STANDARD.encode(results).into()),
            ("submit_time".into(), time.into()),
            ("signature".into(), signature.into()),
            ("task".into(), task.into()),
            ("dendrite".into(), dendrite.into()),
        ];
        pairs.extend(task_id.map(|id| ("task_id".into(), id.into())));
        pairs.extend(compression.map(|number| ("compression".into(), number.into())));
        let names: Vec<String> = pairs.iter().map(|pair| pair.0.clone()).collect();
        pairs.extend(more.into_iter().filter(|(name, _)| !names.contains(name)));
        pairs
    });
    (pairs.prop_shuffle(), 0..4_u8).prop_map(|(pairs, style)| {
        let write = |value: &Value| {
            if style == 1 { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }
                .unwrap()
        };
        let members: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{} : {}", write(&json!(name)), write(value))).collect();
        let body = format!("{{{}}}", members.join(" ,\r\n"));
        match style {
            2 => python_escaped(&body),
            3 => body.replace('/', "\\/"),
            _ => body,
        }
    })
}

/// Writes every character outside ASCII as Python's `json` does.
fn python_escaped(body: &str) -> String {
    let mut units = [0; 2];
    let escape = |character: char| {
        if character.is_ascii() {
            return character.to_string();
        }
        character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    body.chars().map(escape).collect()
}

proptest! {
    #[test]
    fn cut_anywhere_it_reads_what_a_whole_parser_reads(
        body in any_body(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let expected = parse_whole(body.as_bytes());
        prop_assert!(expected.is_some(), "{body}");
        prop_assert_eq!(scan_cut(body.as_bytes(), &cuts).ok(), expected, "{}", body);
    }

    #[test]
    fn a_slip_of_one_byte_is_refused_when_a_whole_parser_refuses_it(
        body in any_body(),
        place in any::<usize>(),
        byte in 0_u8..128,
    ) {
        let mut body = body.into_bytes();
        // A slip inside a character outside ASCII would only test UTF-8, which skipped strings are not checked for.
        let places: Vec<usize> = (0..body.len()).filter(|place| body[*place].is_ascii()).collect();
        let place = places[place % places.len()];
        body[place] = byte;
        let expected = parse_whole(&body);
        prop_assert_eq!(scan_cut(&body, &[]).ok(), expected, "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn in_1_any_bytes_at_all_end_in_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = scan_cut(&body, &[3, 50]);
        let mut object = b"{\"results\":\"".to_vec();
        object.extend(&body);
        let _ = scan_cut(&object, &[3, 50]);
    }
}

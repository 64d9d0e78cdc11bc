//! What nothing shows: keys, and what is asked in full.

use std::io::Write;
use std::sync::{Arc, Mutex};

use sn17_judge_server::Fault;
use sn17_llm::{Message, Part, Request};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::{KEY, chat, hasty, parrot};

const PROMPT: &str = "a very private hat";

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_keys_nor_questions_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For all tests of this process: what one of them meets first without a subscriber would stay switched off.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = parrot().await;
    let chat = chat(hasty(&server));
    let picture = b"\xff\xd8\xff private";
    let mut errors = Vec::new();
    for fault in [
        Fault::Status(500, None),
        Fault::Error(400, format!(r#"{{"error":{{"code":"{KEY}","message":"{KEY}"}}}}"#)),
        Fault::Error(400, format!(r#"{{"error":{{"message":"{PROMPT}","type":"{PROMPT}"}}}}"#)),
        Fault::Body(format!(r#"{{"choices":"{PROMPT} {KEY}"}}"#)),
        Fault::Cut,
    ] {
        server.then([fault]);
        errors.push(format!("{:?}", chat.complete(&Request::new(vec![Message::user(PROMPT)])).await));
    }
    let pictured = Message::user_parts(vec![Part::text(PROMPT), Part::picture(picture).unwrap()]);
    errors.push(format!("{:?}", chat.complete(&Request::new(vec![pictured])).await));

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in ["llm.chat", "llm.model=\"a-model\"", "llm.tokens=", "llm.tries=", "duration_ms="] {
        assert!(logged.contains(expected), "{expected} is not in {logged}");
    }
    for text in [logged, errors.join("\n"), format!("{chat:?}")] {
        for secret in [KEY, PROMPT, "private", "/9j/"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

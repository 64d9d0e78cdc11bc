//! Items as text: what a store that people look into shows them.

use sn17_core::judging::{Likeness, Sketch};
use sn17_core::state::KeyHash;
use sn17_core::{Hotkey, TaskId, UnixMs};

#[test]
fn ids_and_hashes_are_text_where_people_may_read_them() {
    let values = (TaskId::new(UnixMs(1_700_000_000_000), 7), Hotkey([0xab; 32]), KeyHash([0x0c; 32]));
    let text = serde_json::to_string(&values).unwrap();
    assert_eq!(text, format!("[\"{}\",\"{}\",\"{}\"]", values.0, "ab".repeat(32), "0c".repeat(32)));
    assert_eq!(serde_json::from_str::<(TaskId, Hotkey, KeyHash)>(&text).unwrap(), values);
    let signed = format!("\"+b{}\"", "ab".repeat(31));
    for bad in ["7", "\"ab\"", "\"x\"", signed.as_str()] {
        assert!(serde_json::from_str::<Hotkey>(bad).is_err(), "{bad}");
        assert!(serde_json::from_str::<TaskId>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_likeness_is_readable_where_people_read_it() {
    let likeness = Likeness { geometry: [1; 32], sketch: Sketch([0xabcd; 64]), picture: 5, sides: 0.5 };
    let json = serde_json::to_string(&likeness).unwrap();
    assert!(json.contains(&"abcd".repeat(64)), "{json}");
    assert_eq!(serde_json::from_str::<Likeness>(&json).unwrap(), likeness);
    assert!(serde_json::from_str::<Sketch>("\"abcd\"").is_err());
    let wide = "é".repeat(128);
    assert!(serde_json::from_str::<Sketch>(&format!("\"{wide}\"")).is_err());
}

//! Parity of the tokenizer with `open_clip` over the real vocabulary, which its wheel ships.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sn17_score::ClipTokenizer;
use sn17_score::tokenizer::CONTEXT;

/// Made with `SimpleTokenizer().encode(text)` of the wheel open-clip-torch 2.29.0 (with ftfy 6.3 and regex).
const GOLDEN: [(&str, &[i64]); 8] = [
    ("a hamburger", &[320, 33928]),
    ("a red cube", &[320, 736, 11353]),
    ("Robocop with hammer in one hand", &[4672, 7070, 593, 9401, 530, 637, 2463]),
    ("  A   shiny\tGREEN  apple,\n with  2 leaves! ", &[320, 12190, 1901, 3055, 267, 593, 273, 5579, 256]),
    (
        "it's the dog's 1984 toy &amp; the cat\u{2019}s",
        &[585, 568, 518, 1929, 568, 272, 280, 279, 275, 5988, 261, 518, 2368, 568],
    ),
    (
        "caf\u{e9} na\u{ef}ve \u{65e5}\u{672c}\u{8a9e} \u{1f354}",
        &[15304, 1097, 35689, 563, 39121, 44353, 34002, 508, 36031],
    ),
    (
        "supercalifragilisticexpialidocious xylophone???!!!",
        &[1642, 2857, 13093, 2076, 5868, 26850, 835, 639, 38466, 20023, 549, 1951, 40017, 995],
    ),
    ("<end_of_text> we'll o'clock don't", &[49407, 649, 1342, 334, 262, 6716, 847, 713]),
];

#[test]
fn tokens_are_those_of_open_clip() {
    let Some(vocabulary) = real_vocabulary() else {
        eprintln!("skipped: tokens_are_those_of_open_clip: pip cannot fetch open-clip-torch 2.29.0");
        return;
    };
    let tokenizer = ClipTokenizer::from_gzip_file(&vocabulary).unwrap();
    for (text, ids) in GOLDEN {
        let mut expected = vec![49406];
        expected.extend(ids);
        expected.push(49407);
        expected.resize(CONTEXT, 0);
        assert_eq!(tokenizer.encode(text).as_slice(), expected, "{text}");
    }
    let long = tokenizer.encode(&"word ".repeat(90));
    assert_eq!((long[0], long[1], long[75], long[76]), (49406, 2653, 2653, 49407));
}

/// The vocabulary of the open-clip-torch wheel, fetched once into the user's cache; none without Python or network.
fn real_vocabulary() -> Option<PathBuf> {
    let caches = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    let folder = caches.join("sn17").join("open-clip-torch-2.29.0");
    let name = "bpe_simple_vocab_16e6.txt.gz";
    let target = folder.join(name);
    if target.is_file() {
        return Some(target);
    }
    fs::create_dir_all(&folder).ok()?;
    let scratch = tempfile::tempdir_in(&folder).ok()?;
    let download = ["-m", "pip", "download", "--quiet", "--no-deps", "open-clip-torch==2.29.0", "--dest"];
    run(Command::new("python3").args(download).arg(scratch.path()))?;
    let wheel = fs::read_dir(scratch.path()).ok()?.next()?.ok()?.path();
    let unpacked = scratch.path().join("wheel");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
    fs::rename(unpacked.join(Path::new("open_clip")).join(name), &target).ok()?;
    Some(target)
}

fn run(command: &mut Command) -> Option<()> {
    command.output().ok()?.status.success().then_some(())
}

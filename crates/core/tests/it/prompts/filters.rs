use proptest::prelude::*;
use sn17_core::policy::TaskRules;
use sn17_core::prompts::words::{ARTICLES, COMMANDS, STOP_WORDS, TRAILING};
use sn17_core::prompts::{PromptRules, Refused, clean, clean_sentence, grammar, is_plain};

const RULES: PromptRules = PromptRules {
    line_bytes_max: 1024,
    words_min: 4,
    chars_min: 5,
    chars_max: 100,
    sentence_chars_max: 240,
    trailing_cuts_max: 100,
    words_left_min: 4,
    chars_left_min: 3,
};

#[track_caller]
fn check(line: &str, expected: Result<&str, Refused>) {
    assert_eq!(clean(line, &RULES), expected.map(str::to_owned), "{line:?}");
}

#[track_caller]
fn check_upstream(line: &str, expected: Result<&str, Refused>) {
    assert_eq!(clean(line, &PromptRules::UPSTREAM), expected.map(str::to_owned), "{line:?}");
}

#[track_caller]
fn check_sentence(line: &str, expected: Result<&str, Refused>) {
    assert_eq!(clean_sentence(line, &RULES), expected.map(str::to_owned), "{line:?}");
}

#[test]
fn the_numbers_are_the_originals_and_prompts_fit_the_network() {
    assert_eq!(PromptRules::default(), RULES);
    let PromptRules { words_min, chars_min, chars_max, trailing_cuts_max, .. } = PromptRules::UPSTREAM;
    assert_eq!((words_min, chars_min, chars_max, trailing_cuts_max), (4, 5, 100, 1));
    assert!(RULES.fits(&TaskRules::default()));
    assert!(PromptRules::UPSTREAM.fits(&TaskRules::default()));
    assert!(!RULES.fits(&TaskRules { prompt_chars_max: 239, ..TaskRules::default() }));
    assert!(!RULES.fits(&TaskRules { prompt_chars_min: 4, ..TaskRules::default() }));
}

#[test]
fn keeps_letters_hyphens_and_white_space() {
    check("12. rusty robot with glowing eyes", Ok("rusty robot with glowing eyes"));
    check("3) Rusty, \"old\" robot (with eyes)!", Ok("rusty old robot with eyes"));
    check("**well-worn** robot\twith  two\u{a0}arms", Ok("well-worn robot with two arms"));
    check("robot's 4 arms with 2 hands", Ok("robots arms with hands"));
    check("red/blue robot with rust_free arms", Ok("redblue robot with rustfree arms"));
    check("🤖 rusty robot with arms 🤖", Ok("rusty robot with arms"));
}

#[test]
fn asks_for_more_than_three_words_before_articles_go() {
    check("rusty red robot", Err(Refused::FewWords));
    check("1. 2. 3. 4. 5.", Err(Refused::FewWords));
    check("", Err(Refused::FewWords));
    check("rusty red robot arm", Ok("rusty red robot arm"));
    check_upstream("a rusty red robot", Ok("rusty red robot"));
    check("a rusty red robot", Err(Refused::LittleLeft));
}

#[test]
fn lower_cases_and_drops_articles() {
    check("The Rusty Robot With A Bent An Tenna", Ok("rusty robot with bent tenna"));
    for article in ARTICLES.split(' ') {
        check(&format!("rusty {article} robot with arms"), Ok("rusty robot with arms"));
    }
}

#[test]
fn bounds_the_length_without_articles() {
    check("a an the ox", Err(Refused::TooShort));
    check_upstream("a an the axe b", Ok("axe b"));
    check("a an the a axes", Err(Refused::TooShort));
    let at_most = format!("rusty red robot {}", "x".repeat(84));
    assert_eq!(at_most.len(), 100);
    check(&at_most, Ok(&at_most));
    check(&format!("the {at_most}"), Ok(&at_most));
    check(&format!("{at_most}x"), Err(Refused::TooLong));
}

#[test]
fn refuses_every_stop_word_as_a_whole_word_only() {
    let words: Vec<_> = STOP_WORDS.iter().flat_map(|list| list.split(' ')).collect();
    assert!((110..=150).contains(&words.len()), "about 120, but {}", words.len());
    for word in &words {
        check(&format!("rusty robot with {word} arms"), Err(Refused::StopWord));
        check(&format!("RUSTY ROBOT WITH {} ARMS", word.to_uppercase()), Err(Refused::StopWord));
        check(&format!("rusty robot with x{word}x arms"), Ok(&format!("rusty robot with x{word}x arms")));
    }
    for known in
        "sky river ocean garden city forest water room i you please is are to like window wall cave -"
            .split(' ')
    {
        assert!(words.contains(&known), "{known}");
    }
    check("- rusty robot with long arms", Err(Refused::StopWord));
}

#[test]
fn deletes_every_command_word() {
    for word in COMMANDS.split(' ') {
        check(&format!("{word} rusty robot with {word} arms"), Ok("rusty robot with arms"));
        check(&format!("rusty robot with {word}ed arms"), Ok(&format!("rusty robot with {word}ed arms")));
    }
    check("create generate design build imagine", Err(Refused::LittleLeft));
}

#[test]
fn cuts_trailing_prepositions() {
    for word in TRAILING.split(' ') {
        check(&format!("rusty robot, long arms {word}"), Ok("rusty robot long arms"));
    }
    check("rusty robot long arms with in of", Ok("rusty robot long arms"));
    check_upstream("rusty robot long arms with in", Ok("rusty robot long arms with"));
    check("old fox curled up", Ok("old fox curled up"));
    check("rusty robot with", Err(Refused::FewWords));
    check("rusty red robot with", Err(Refused::LittleLeft));
}

#[test]
fn nothing_is_left_of_orders_alone_even_for_the_original() {
    check_upstream("create generate design build", Err(Refused::LittleLeft));
    check_upstream("create design build ox", Err(Refused::LittleLeft));
    check_upstream("create design build axe", Ok("axe"));
}

#[test]
fn refuses_what_the_network_refuses_last() {
    check("`rusty robot with arms`", Err(Refused::Characters));
    check("ржавый робот с руками", Err(Refused::Characters));
    check("rusty café robot with arms", Err(Refused::Characters));
    check("rusty robot with \u{212a}elvin arms", Err(Refused::Characters));
    assert!(is_plain("Aa0 .,'():;/?!+%-") && !is_plain("a_b") && !is_plain("é") && !is_plain("a\n"));
}

/// Each line has the defect of its own filter and of every later one.
#[test]
fn filters_look_in_order() {
    let long = "é forest ".repeat(20);
    check(&"é forest ".repeat(200), Err(Refused::LongLine));
    check("é forest with", Err(Refused::FewWords));
    check("a the a é", Err(Refused::TooShort));
    check(&long, Err(Refused::TooLong));
    check("create é forest with in", Err(Refused::StopWord));
    check("create é robot with in", Err(Refused::LittleLeft));
    check("é red robot arms", Err(Refused::Characters));
}

#[test]
fn hostile_lines_cost_nothing() {
    check(&"rusty robot with arms ".repeat(500_000), Err(Refused::LongLine));
    check(&"\0".repeat(1024), Err(Refused::FewWords));
    check("rusty\0 robot\u{7} with\u{1b}[31m arms", Ok("rusty robot withm arms"));
    check("\u{202e}rusty robot with arms\u{200f}", Ok("rusty robot with arms"));
    check("روبوت صدئ بأذرع طويلة", Err(Refused::Characters));
    check("r\u{301}usty robot with arms", Ok("rusty robot with arms"));
    check("\u{2028}rusty\u{2029}robot\u{85}with\u{3000}arms", Ok("rusty robot with arms"));
}

#[test]
fn sentences_keep_what_makes_them_sentences() {
    let sentence =
        "A weathered bronze diving helmet, its glass cracked, is held together by 12 brass rivets.";
    check_sentence(sentence, Ok(sentence));
    check_sentence("“A knight’s *dented* helmet.”", Ok("A knight's dented helmet."));
    check_sentence("Create a rusty robot with arms.", Err(Refused::StopWord));
    check_sentence("A robot stands in a forest.", Err(Refused::StopWord));
    check_sentence("A stone owl that looks to its left with", Ok("A stone owl that looks to its left"));
    check_sentence("A stone owl.", Err(Refused::FewWords));
    check_sentence("Ein Bär aus grünem Glas.", Err(Refused::Characters));
    check_sentence(&format!("A stone owl {}", "x".repeat(240)), Err(Refused::TooLong));
}

#[test]
fn rules_and_refusals_are_plain_data() {
    let json = serde_json::to_value(PromptRules::default()).unwrap();
    assert_eq!(serde_json::from_value::<PromptRules>(json).unwrap(), RULES);
    assert_eq!(serde_json::from_str::<PromptRules>("{}").unwrap(), RULES);
    assert!(serde_json::from_str::<PromptRules>(r#"{"words":3}"#).is_err());
    assert_eq!(serde_json::to_string(&Refused::ALL[4]).unwrap(), r#""stop_word""#);
    assert!(Refused::ALL.is_sorted());
}

/// Lines near those of a language model, and whatever else there is.
fn lines() -> impl Strategy<Value = String> {
    let odd = "rusty robot arms glowing eyes -x sky. Create -- ` é 3d";
    let lists = STOP_WORDS.into_iter().chain([ARTICLES, COMMANDS, TRAILING, odd]);
    let known: Vec<&str> = lists.flat_map(|list| list.split(' ')).collect();
    let talk = prop::collection::vec(prop::sample::select(known), 0..14).prop_map(|words| words.join(" "));
    let prompts = (0..grammar::COUNT, "\\PC{0,12}", "[ a-zA-Z.,-]{0,12}")
        .prop_map(|(n, before, after)| format!("{before} {} {after}", grammar::nth(n)));
    prop_oneof![talk, prompts, any::<String>(), "[a-z' -]{0,120}", "[\\PC ]{0,60}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_passed_once_passes_unchanged(line in lines()) {
        if let Ok(prompt) = clean(&line, &RULES) {
            prop_assert_eq!(clean(&prompt, &RULES), Ok(prompt.clone()));
            prop_assert_eq!(clean_sentence(&prompt, &RULES), Ok(prompt));
        }
        if let Ok(sentence) = clean_sentence(&line, &RULES) {
            prop_assert_eq!(clean_sentence(&sentence, &RULES), Ok(sentence));
        }
    }

    #[test]
    fn what_passes_is_what_the_network_takes(line in lines()) {
        for rules in [RULES, PromptRules::UPSTREAM] {
            for prompt in [clean(&line, &rules), clean_sentence(&line, &rules)].into_iter().flatten() {
                let tasks = TaskRules::default();
                let chars = prompt.chars().count();
                prop_assert!(is_plain(&prompt));
                prop_assert!((tasks.prompt_chars_min..=tasks.prompt_chars_max).contains(&chars));
            }
        }
    }
}

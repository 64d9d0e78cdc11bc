use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sn17_app::Host;
use sn17_core::prompts::{PromptRules, Refused, Seen, Tally, clean, clean_sentence, grammar};
use sn17_judge_server::{Asked, AskedContent, Fault, ModelServer};
use sn17_llm::generators::{Calls, Generator, GeneratorError, Harvest, Instructions, Method, Settings};
use sn17_llm::{ApiKey, Chat, Endpoint};

use super::{NEW_YEAR, endpoint, serve};

/// A host whose random numbers differ from call to call and are the same in every run.
fn dice() -> Host {
    let state = Arc::new(AtomicU64::new(404));
    let random = move || {
        let [high, low] = [(); 2].map(|()| {
            // SplitMix64 (Steele, Lea and Flood 2014).
            let state = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        u128::from(high) << 64 | u128::from(low)
    };
    Host { now: Arc::new(|| NEW_YEAR), random: Arc::new(random) }
}

fn model(server: &ModelServer, name: &str) -> Arc<Chat> {
    let endpoint = Endpoint { model: name.to_owned(), tries: 1, ..endpoint(server) };
    Arc::new(Chat::new(endpoint, dice()).unwrap())
}

fn models(server: &ModelServer, names: &[&str]) -> Vec<Arc<Chat>> {
    names.iter().map(|name| model(server, name)).collect()
}

fn generator(method: Method, chats: Vec<Arc<Chat>>, settings: Settings) -> Generator {
    Generator::new(method, chats, settings, Seen::new(100_000), dice()).unwrap()
}

/// A model that writes lists of so many prompts that it has not written before.
async fn list_writer(prompts: usize) -> ModelServer {
    let next = AtomicUsize::new(0);
    serve(move |_| Ok(list(&next, prompts))).await
}

fn list(next: &AtomicUsize, prompts: usize) -> String {
    let start = next.fetch_add(prompts, Ordering::SeqCst);
    let lines = (0..prompts).map(|n| format!("{}. A {}.\n", n + 1, grammar::nth(start + n)));
    format!("Here are the prompts you asked for:\n\n{}", lines.collect::<String>())
}

/// A model that keeps to the letters it is given.
async fn sentence_writer() -> ModelServer {
    let next = AtomicUsize::new(0);
    serve(move |asked| {
        let initials = initials(asked);
        let names = initials.map(|initial| format!("{initial}hings"));
        let n = next.fetch_add(1, Ordering::SeqCst);
        let prompt = format!("An old {}, mended more than {n} times, is made of brass.", names[1]);
        Ok(json!({"category": names[0], "object": names[1], "prompt": prompt}).to_string())
    })
    .await
}

fn instruction(asked: &Asked) -> &str {
    match &asked.messages[1].content {
        AskedContent::Text(text) => text,
        AskedContent::Parts(_) => panic!("an instruction is text alone"),
    }
}

fn initials(asked: &Asked) -> [char; 2] {
    let mut letters =
        instruction(asked).split('"').skip(1).step_by(2).filter_map(|quoted| quoted.chars().next());
    [letters.next().unwrap(), letters.next().unwrap()]
}

#[tokio::test]
async fn a_batch_of_lists_is_clean_distinct_and_of_every_category() {
    let server = list_writer(20).await;
    let mut generator = generator(Method::Lists, models(&server, &["a", "b", "c"]), Settings::default());
    let Harvest { prompts, statistics, calls } = generator.next_batch().await;
    let rules = PromptRules::default();
    assert_eq!(prompts.len(), 1_000);
    assert!(prompts.iter().all(|prompt| clean(prompt, &rules).as_ref() == Ok(prompt)));
    assert_eq!(prompts.iter().collect::<BTreeSet<_>>().len(), 1_000);
    assert_eq!(calls, Calls { asked: 50, answered: 50, ..Calls::default() });
    assert_eq!(statistics.lines, 1_050);
    // What a model says before its list.
    assert_eq!(statistics.refused, BTreeMap::from([(Refused::StopWord, 50)]));
    assert_eq!(statistics.categories.len(), 30);
    assert_eq!(statistics.categories["robots"], Tally { lines: 42, kept: 40 });
    assert_eq!(statistics.models.len(), 1);
}

#[tokio::test]
async fn models_take_turns_by_iterations_over_all_categories() {
    let server = list_writer(3).await;
    let categories = ["robots", "toys"].map(str::to_owned).to_vec();
    let settings = Settings { categories, iterations_per_model: 2, ..Settings::default() };
    let mut generator = generator(Method::Lists, models(&server, &["a", "b", "c"]), settings);
    for _ in 0..14 {
        generator.step().await;
    }
    let received = server.received();
    let asked: String = received.iter().map(|asked| asked.model.as_str()).collect();
    assert_eq!(asked, "aaaabbbbccccaa");
    for (n, asked) in received.iter().enumerate() {
        let category = ["\"robots\"", "\"toys\""][n % 2];
        assert!(instruction(asked).contains(category), "call {n}");
        assert!((0.35..=0.55).contains(&asked.temperature));
        assert_eq!(
            (asked.top_p, asked.presence_penalty, asked.frequency_penalty),
            (Some(0.95), Some(0.3), Some(0.3))
        );
        assert!(asked.seed.is_some_and(|seed| (0..100_000).contains(&seed)));
        assert_eq!((asked.max_tokens, asked.messages.len()), (400, 2));
    }
    let temperatures: BTreeSet<_> = received.iter().map(|asked| asked.temperature.to_bits()).collect();
    assert!(temperatures.len() > 10);
}

#[tokio::test]
async fn sentences_begin_with_initials_of_chance_and_keep_their_form() {
    let server = sentence_writer().await;
    let settings = Settings { batch_min: 60, iterations_per_model: 10, ..Settings::default() };
    let mut generator = generator(Method::Sentences, models(&server, &["a", "b"]), settings);
    let Harvest { prompts, statistics, calls } = generator.next_batch().await;
    assert_eq!((prompts.len(), calls.answered, calls.other_initials), (60, 60, 0));
    assert!(
        prompts.iter().all(|prompt| clean_sentence(prompt, &PromptRules::default()).as_ref() == Ok(prompt))
    );
    assert!(prompts[0].starts_with("An old ") && prompts[0].ends_with("made of brass."));
    assert!(statistics.categories.len() > 15, "{:?}", statistics.categories);
    assert_eq!(statistics.models["b"], Tally { lines: 30, kept: 30 });
    let received = server.received();
    assert!(received.iter().all(|asked| asked.response_format.is_some() && asked.top_p == Some(0.95)));
    assert!(received.iter().flat_map(initials).all(|initial| !"qxz".contains(initial)));
}

#[tokio::test]
async fn other_initials_are_counted_and_other_forms_are_failures() {
    let server = sentence_writer().await;
    let written = |category: &str| {
        json!({"category": category, "object": "kite", "prompt": "A red paper kite with a long tail."})
            .to_string()
    };
    server.then([
        Fault::Says(written("Zoo things")),
        Fault::Says("A red kite.".to_owned()),
        Fault::Says(written("")),
    ]);
    let settings = Settings { batch_min: 3, ..Settings::default() };
    let mut generator = generator(Method::Sentences, models(&server, &["a", "b", "c"]), settings);
    let Harvest { statistics, calls, .. } = generator.next_batch().await;
    assert_eq!((calls.asked, calls.answered, calls.invalid, calls.other_initials), (5, 3, 2, 1));
    assert_eq!(statistics.categories["zoo things"], Tally { lines: 1, kept: 1 });
}

#[tokio::test]
async fn a_model_that_is_refused_rests_and_the_others_go_on() {
    let next = AtomicUsize::new(0);
    let server = serve(move |asked| match asked.model.as_str() {
        "b" => Err("no such model".to_owned()),
        _ => Ok(list(&next, 20)),
    })
    .await;
    let categories = vec!["robots".to_owned()];
    let settings = Settings { categories, iterations_per_model: 1, batch_min: 200, ..Settings::default() };
    let mut generator = generator(Method::Lists, models(&server, &["a", "b", "c"]), settings);
    let Harvest { prompts, calls, .. } = generator.next_batch().await;
    assert_eq!(prompts.len(), 200);
    assert_eq!(calls, Calls { asked: 11, answered: 10, refused: 1, ..Calls::default() });
    let asked: String = server.received().iter().map(|asked| asked.model.clone()).collect();
    assert_eq!(asked, "abccaccacca");
}

/// The first answers of each kind of trouble come at once; after them the models rest for a second at most.
#[tokio::test]
async fn every_failure_is_outlived() {
    let server = list_writer(20).await;
    server.then([
        Fault::Status(500, None),
        Fault::Body("<html>".to_owned()),
        Fault::Cut,
        Fault::Ends("content_filter"),
        Fault::Status(429, Some("1")),
        Fault::Says("I am sorry, I cannot do that.".to_owned()),
    ]);
    let settings = Settings { batch_min: 60, ..Settings::default() };
    let mut generator = generator(Method::Lists, models(&server, &["a", "b", "c"]), settings);
    let Harvest { prompts, statistics, calls } = generator.next_batch().await;
    assert_eq!(prompts.len(), 60);
    let expected =
        Calls { asked: 9, answered: 4, invalid: 2, unavailable: 2, throttled: 1, ..Calls::default() };
    assert_eq!(calls, expected);
    assert_eq!(statistics.refused[&Refused::StopWord], 4);
}

#[tokio::test]
async fn what_no_model_answers_is_skipped() {
    let next = AtomicUsize::new(0);
    let server = serve(move |asked| {
        if instruction(asked).contains("\"weapons\"") { Ok(String::new()) } else { Ok(list(&next, 20)) }
    })
    .await;
    let categories = ["weapons", "robots"].map(str::to_owned).to_vec();
    let settings = Settings { categories, batch_min: 40, ..Settings::default() };
    let mut generator = generator(Method::Lists, models(&server, &["a", "b"]), settings);
    let Harvest { prompts, calls, .. } = generator.next_batch().await;
    assert_eq!((prompts.len(), calls.answered, calls.invalid), (40, 2, 4));
}

#[tokio::test]
async fn the_lines_of_a_list_that_was_cut_off_are_used_but_for_its_last() {
    let server = list_writer(20).await;
    let content = "1. rusty robot with long arms\n2. old fox with red scarf\n3. stone owl with spread wi";
    let reply: Value = json!({
        "choices": [{"message": {"content": content}, "finish_reason": "length"}],
        "usage": {"total_tokens": 500},
    });
    server.then([Fault::Body(reply.to_string())]);
    let mut generator = generator(Method::Lists, models(&server, &["a"]), Settings::default());
    generator.step().await;
    let Harvest { prompts, calls, .. } = generator.take();
    assert_eq!(prompts, ["rusty robot with long arms", "old fox with red scarf"]);
    assert_eq!(calls.answered, 1);
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_not_paid_for_ever() {
    let next = AtomicUsize::new(0);
    let server = serve(move |asked| match asked.model.as_str() {
        "a" => Ok("1. rusty robot with long arms".to_owned()),
        _ => Ok(list(&next, 20)),
    })
    .await;
    let settings = Settings { batch_min: 101, ..Settings::default() };
    let mut generator = generator(Method::Lists, models(&server, &["a", "b"]), settings);
    let Harvest { prompts, statistics, calls } = generator.next_batch().await;
    assert_eq!((prompts.len(), calls.answered), (101, 36));
    assert_eq!((statistics.models["a"], statistics.repeated_in_batch), (Tally { lines: 31, kept: 1 }, 30));
}

#[tokio::test]
async fn no_prompt_is_handed_on_twice_not_even_after_a_restart() {
    let server = serve(|_| Ok(list(&AtomicUsize::new(0), 20))).await;
    let mut first = generator(Method::Lists, models(&server, &["a"]), Settings::default());
    first.step().await;
    assert_eq!(first.take().prompts.len(), 20);
    first.step().await;
    assert_eq!(first.take().prompts.len(), 0);
    let written = serde_json::to_string(first.seen()).unwrap();
    let seen = serde_json::from_str(&written).unwrap();
    let mut second =
        Generator::new(Method::Lists, models(&server, &["a"]), Settings::default(), seen, dice()).unwrap();
    second.step().await;
    let Harvest { prompts, statistics, .. } = second.take();
    assert_eq!((prompts.len(), statistics.repeated_earlier), (0, 20));
}

/// The clock jumps to the next timer whenever nothing else is to be done, so that a day takes a moment.
#[tokio::test(start_paused = true)]
async fn a_day_without_any_model_costs_few_calls() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let chats = ["a", "b", "c"].map(|name| {
        let endpoint = Endpoint { tries: 1, ..Endpoint::new(format!("http://{closed}/v1"), name) };
        Arc::new(Chat::new(endpoint, dice()).unwrap())
    });
    let mut generator = generator(Method::Lists, chats.to_vec(), Settings::default());
    let day = Duration::from_secs(24 * 3600);
    assert!(tokio::time::timeout(day, generator.next_batch()).await.is_err());
    let Harvest { prompts, calls, .. } = generator.take();
    assert!(prompts.is_empty());
    assert!(calls.unavailable + 1 >= calls.asked);
    // A model that rests 150 to 300 seconds is asked up to 576 times a day.
    assert!((3 * 288..3 * 600).contains(&calls.asked), "{calls:?}");
}

#[tokio::test]
async fn a_generator_that_can_never_write_is_refused() {
    let server = list_writer(1).await;
    let start = |chats, settings| {
        Generator::new(Method::Lists, chats, settings, Seen::new(1), dice()).map(|_| ()).unwrap_err()
    };
    assert_eq!(start(Vec::new(), Settings::default()), GeneratorError::NoModel);
    let settings = Settings { categories: Vec::new(), ..Settings::default() };
    assert_eq!(start(models(&server, &["a"]), settings), GeneratorError::NoCategory);
    let settings = Settings { batch_min: 0, ..Settings::default() };
    assert_eq!(start(models(&server, &["a"]), settings), GeneratorError::Zero("batch_min"));
}

/// Begins a list, for a model that was never trained to follow instructions.
const BEGINNING: &str = "\
Prompts for 3D models, each of them a short description of one object:
household items: small blue ceramic teapot with painted flowers
furniture: carved oak rocking chair with woven seat
animals: red panda curled up on mossy log
vehicles: rusty pickup truck with wooden roof rack

Prompts for 3D models of {category}:";

/// Against a real implementation of the API with a small language model, which `tests/python/real_llm.py` starts. As
/// many prompts as `SN17_LLM_PROMPTS` says, 20 unless it is set.
#[tokio::test]
async fn a_real_model_writes_prompts() {
    let (Ok(url), Ok(key)) = (std::env::var("SN17_LLM_URL"), std::env::var("SN17_LLM_KEY")) else {
        eprintln!("skipped: SN17_LLM_URL and SN17_LLM_KEY are not set");
        return;
    };
    let batch_min = std::env::var("SN17_LLM_PROMPTS").map_or(20, |prompts| prompts.parse().unwrap());
    let endpoint = Endpoint {
        api_key: Some(ApiKey::new(key)),
        timeout: Duration::from_secs(300),
        tries: 1,
        ..Endpoint::new(url, "gemma-3-270m")
    };
    let instructions =
        Instructions { system: String::new(), list: BEGINNING.to_owned(), ..Instructions::default() };
    let settings = Settings { instructions, list_tokens_max: 200, batch_min, ..Settings::default() };
    let chats = vec![Arc::new(Chat::new(endpoint, dice()).unwrap())];
    let mut generator = generator(Method::Lists, chats, settings);
    let Harvest { prompts, statistics, calls } = generator.next_batch().await;
    println!("{}", serde_json::to_string_pretty(&statistics).unwrap());
    println!("{calls:?}\n{}", prompts.join("\n"));
    let rules = PromptRules::default();
    assert!(prompts.len() >= batch_min);
    assert!(prompts.iter().all(|prompt| clean(prompt, &rules).as_ref() == Ok(prompt)));
    assert_eq!(prompts.iter().collect::<BTreeSet<_>>().len(), prompts.len());
    assert!(calls.answered > 0);
}

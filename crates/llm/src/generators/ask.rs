//! The requests of the generators, and the chances in them.

use serde_json::json;

use super::{Instructions, Settings};
use crate::request::{Message, Request, Schema};

/// Random seeds of calls are below this, as the original's.
const SEEDS: u128 = 100_000;
/// The original's bounds of the temperature of a list, drawn evenly between them.
const LIST_TEMPERATURES: (f32, f32) = (0.35, 0.55);
/// The bounds for a sentence, which is meant to be a little surprising; ours.
const SENTENCE_TEMPERATURES: (f32, f32) = (0.7, 1.0);
/// The original's share of the likeliest words.
const TOP_P: f32 = 0.95;
/// The original's penalties on words that are there already, and on frequent ones.
const PENALTY: f32 = 0.3;
/// Most tokens of a sentence with its names as JSON; ours.
const SENTENCE_TOKENS_MAX: u32 = 200;
/// Initials of categories and objects, each as likely as any other. Few English things begin with q, x or z, and
/// models answer those with the same few again and again.
const INITIALS: [char; 23] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'r', 's', 't', 'u', 'v',
    'w', 'y',
];

/// Asks for a list of phrases about objects of a category.
pub(super) fn list(category: &str, settings: &Settings, random: u128) -> Request {
    let instruction = settings.instructions.list(category, settings.list_prompts);
    let mut request = Request::new(messages(&settings.instructions, instruction));
    request.temperature = Some(between(LIST_TEMPERATURES, random));
    request.top_p = Some(TOP_P);
    request.presence_penalty = Some(PENALTY);
    request.frequency_penalty = Some(PENALTY);
    request.max_tokens = Some(settings.list_tokens_max);
    request.may_be_cut = true;
    request.seed = Some(seed(random));
    request
}

/// Asks for a sentence about an object of the model's choice.
pub(super) fn sentence(initials: [char; 2], instructions: &Instructions, random: u128) -> Request {
    let mut request = Request::new(messages(instructions, instructions.sentence(initials)));
    request.temperature = Some(between(SENTENCE_TEMPERATURES, random));
    request.top_p = Some(TOP_P);
    request.max_tokens = Some(SENTENCE_TOKENS_MAX);
    request.seed = Some(seed(random));
    let text = json!({"type": "string"});
    let schema = json!({
        "type": "object",
        "properties": {"category": text, "object": text, "prompt": text},
        "required": ["category", "object", "prompt"],
        "additionalProperties": false,
    });
    request.schema = Some(Schema { name: "prompt", strict: true, schema });
    request
}

fn messages(instructions: &Instructions, instruction: String) -> Vec<Message> {
    let system = Some(&instructions.system).filter(|system| !system.is_empty());
    system.map(Message::system).into_iter().chain([Message::user(instruction)]).collect()
}

/// The initials of a category and of an object.
pub(super) fn initials(random: u128) -> [char; 2] {
    [random >> 32, random >> 64].map(|bits| INITIALS[(bits & 0xffff_ffff) as usize % INITIALS.len()])
}

/// The lowest 32 bits as a seed.
fn seed(random: u128) -> u64 {
    u64::try_from((random & 0xffff_ffff) % SEEDS).expect("below 100,000")
}

/// The highest 16 bits as a share of the way from one bound to the other.
fn between((least, most): (f32, f32), random: u128) -> f32 {
    let share = f32::from(u16::try_from(random >> 112).expect("16 bits")) / f32::from(u16::MAX);
    least + (most - least) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with every lane set to its part of the range.
    fn randoms() -> impl Iterator<Item = u128> {
        (0..=1_000_u128).map(|step| {
            (u128::MAX / 1_000 * step) ^ (step * 97_003) ^ ((step * 40_503) << 32) ^ ((step * 7_919) << 64)
        })
    }

    #[test]
    fn a_list_is_asked_for_with_the_originals_sampling() {
        for random in randoms() {
            let request = list("robots", &Settings::default(), random);
            assert!(request.temperature.is_some_and(|temperature| (0.35..=0.55).contains(&temperature)));
            assert!(request.seed.is_some_and(|seed| seed < 100_000));
            assert_eq!(
                (request.top_p, request.presence_penalty, request.frequency_penalty),
                (Some(0.95), Some(0.3), Some(0.3))
            );
            assert_eq!((request.max_tokens, request.may_be_cut), (Some(400), true));
        }
        let temperature = |random| list("", &Settings::default(), random).temperature;
        assert_eq!((temperature(0), temperature(u128::MAX)), (Some(0.35), Some(0.55)));
    }

    #[test]
    fn initials_are_even_and_never_the_rare_ones() {
        let mut counts = std::collections::BTreeMap::new();
        for n in 0..23_000_u128 {
            let [category, object] = initials(n << 32 | (n / 23) << 64);
            assert!(!"qxz".contains(category) && !"qxz".contains(object));
            *counts.entry(category).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 23);
        assert!(counts.values().all(|count| *count == 1_000));
    }

    #[test]
    fn the_instruction_names_what_is_asked_for() {
        let text = |request: &Request| serde_json::to_string(&request.messages).expect("JSON");
        let request = list("rocks and minerals", &Settings::default(), 1);
        assert!(
            text(&request).contains("rocks and minerals") && text(&request).contains("exactly 20 prompts")
        );
        let request = sentence(['k', 'o'], &Instructions::default(), 1);
        assert!(text(&request).contains(r#"\"k\""#) && text(&request).contains(r#"\"o\""#));
        assert!(request.schema.is_some_and(|schema| schema.strict));
    }

    #[test]
    fn a_model_that_only_goes_on_is_given_a_beginning() {
        let instructions = Instructions {
            system: String::new(),
            list: "{prompts} things of {category}: {prompts".to_owned(),
            ..Instructions::default()
        };
        let settings = Settings { instructions, ..Settings::default() };
        assert_eq!(
            list("{prompts}", &settings, 1).messages,
            [Message::user("20 things of {prompts}: {prompts")]
        );
    }
}

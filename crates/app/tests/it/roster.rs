//! Who is registered, as sources of all kinds say.

use sn17_app::{App, RefreshError, Refreshed};
use sn17_core::UnixMs;
use sn17_core::policy::Policy;
use sn17_core::state::{Block, Neuron, Roster};
use sn17_store::conformance::{ManualClock, samples};
use sn17_store::{Embedded, Options};

fn neuron(uid: u8) -> Neuron {
    Neuron { uid: uid.into(), hotkey: samples::hotkey(uid), coldkey: None, stake: 1.0, incentive: 0.0 }
}

fn block(number: u64) -> Block {
    Block { made_at: UnixMs(number * 12_000), number }
}

fn roster(uids: &[u8], number: Option<u64>) -> Roster {
    Roster { neurons: uids.iter().copied().map(neuron).collect(), block: number.map(block) }
}

/// A process over this store.
fn process(store: &Embedded, clock: &ManualClock) -> App {
    samples::process(store, clock, Policy::default())
}

/// Refreshes with this answer of a source; what the source was told, and what came of it.
async fn refresh(
    app: &App,
    answer: Result<Roster, &'static str>,
) -> (Option<Block>, Result<Refreshed, String>) {
    let mut told = None;
    let refreshed = app
        .refresh_roster(async |_, known| {
            told = Some(known);
            answer
        })
        .await;
    let refreshed = refreshed.map_err(|error| match error {
        RefreshError::Source(words) => words.to_owned(),
        RefreshError::Empty => "nobody".to_owned(),
        RefreshError::Port(error) => panic!("{error}"),
    });
    (told.unwrap(), refreshed)
}

#[tokio::test]
async fn a_block_outlives_the_process() {
    let clock = ManualClock::default();
    let store = Embedded::memory(clock.clock(), Options::default()).unwrap();
    let app = process(&store, &clock);
    let (told, refreshed) = refresh(&app, Ok(roster(&[1, 2], Some(100)))).await;
    assert_eq!((told, refreshed), (None, Ok(Refreshed { miners: 2, block: Some(block(100)) })));

    let app = process(&store, &clock);
    let (told, refreshed) = refresh(&app, Ok(roster(&[2, 3], Some(101)))).await;
    assert_eq!(
        (told, refreshed.is_ok()),
        (Some(block(100)), true),
        "the next process knows the block of the last"
    );
    let (told, refreshed) = refresh(&app, Err("the node has fallen behind")).await;
    assert_eq!((told, refreshed), (Some(block(101)), Err("the node has fallen behind".to_owned())));
    assert_eq!(refresh(&app, Ok(roster(&[], Some(102)))).await.1, Err("nobody".to_owned()));
    assert_eq!(app.noted_roster().await.unwrap(), roster(&[2, 3], Some(101)), "the last good one stays");
}

#[tokio::test]
async fn whoever_is_late_changes_nothing() {
    let clock = ManualClock::default();
    let store = Embedded::memory(clock.clock(), Options::default()).unwrap();
    let (early, late) = (process(&store, &clock), process(&store, &clock));
    let overtaken = late
        .refresh_roster(async |_, _| {
            refresh(&early, Ok(roster(&[1], Some(101)))).await.1.unwrap();
            Ok::<_, &str>(roster(&[2], Some(100)))
        })
        .await;
    assert_eq!(overtaken.unwrap(), Refreshed { miners: 1, block: Some(block(101)) });
    assert_eq!(early.noted_roster().await.unwrap(), roster(&[1], Some(101)));

    early.apply_roster(vec![neuron(5)]).await.unwrap();
    assert_eq!(early.noted_roster().await.unwrap(), roster(&[5], None), "an operator's word stands");
    assert_eq!(refresh(&late, Ok(roster(&[6], Some(7)))).await.0, None, "and the chain is asked anew");
}

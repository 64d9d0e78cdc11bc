//! The laws notice what they forbid: each test forges one commit at the end of a lawful season.

use sn17_core::ledger::{Change, Write};
use sn17_core::state::{DuelState, Entry, Side, SubmissionState, TaskState};

use super::*;
use crate::contenders::contenders;
use crate::judge::Accuracy;

fn season() -> Season {
    let [_, _, ours, ..] = contenders();
    let (policy, accuracy) = (ours.policy, Accuracy::Flat);
    let setup = Setup { seed: 9, miners: 32, hours: 3, step: 100, accuracy, changing_per_mille: 0, policy };
    Season::play(setup).expect("no law is broken")
}

/// Commits a changed copy of the first item that `forge` changes; answers the law that it breaks.
#[track_caller]
fn law_broken_by(season: &mut Season, forge: impl Fn(&Key, &mut Item) -> bool) -> &'static str {
    let forged = season.ledger.items().find_map(|(key, stored)| {
        let mut item = stored.item.clone();
        forge(key, &mut item).then(|| Write::replace(*key, stored, item))
    });
    law_broken_by_write(season, forged.expect("there is something to forge"))
}

#[track_caller]
fn law_broken_by_write(season: &mut Season, write: Write) -> &'static str {
    match season.commit(DecisionId(1), &[write]) {
        Err(Fault::Broken { broken, .. }) => broken.law,
        other => panic!("no law is broken: {other:?}"),
    }
}

/// The law that everybody's state breaks after an unnoticed change.
#[track_caller]
fn law_broken_after(season: &mut Season, forge: impl Fn(&Key, &mut Item) -> bool) -> &'static str {
    let forged = season.ledger.items().find_map(|(key, stored)| {
        let mut item = stored.item.clone();
        forge(key, &mut item).then(|| Write::replace(*key, stored, item))
    });
    let write = forged.expect("there is something to forge");
    assert_eq!(season.ledger.commit(DecisionId(1), season.now, &[write]), Committed::Now);
    let checked = season.laws.check_everybody(&season.ledger, season.now, &season.setup.policy);
    checked.expect_err("no law is broken").law
}

#[test]
fn as_1_a_task_takes_the_place_of_another() {
    let law = law_broken_by(&mut season(), |_, item| {
        let Item::Session(session) = item else { return false };
        session.assignment.as_mut().map(|held| held.task.0 ^= 1).is_some()
    });
    assert_eq!(law, "AS-1");
}

#[test]
fn cd_2_a_cooldown_becomes_shorter() {
    let law = law_broken_by(&mut season(), |_, item| {
        let Item::Session(session) = item else { return false };
        session.cooldown_until -= 1;
        true
    });
    assert_eq!(law, "CD-2");
}

#[test]
fn sb_1_a_settled_submission_changes() {
    let law = law_broken_by(&mut season(), |_, item| {
        let Item::Submission(submission) = item else { return false };
        let is_settled = matches!(submission.state, SubmissionState::Accepted(_));
        submission.state = SubmissionState::Empty;
        is_settled
    });
    assert_eq!(law, "SB-1");
}

#[test]
fn rw_1_a_result_counts_that_was_not_accepted() {
    let law = law_broken_after(&mut season(), |_, item| {
        let Item::Record(record) = item else { return false };
        let now = UnixMs::from_secs(record.accepted.accepted_secs().last().copied().unwrap_or(0));
        record.accepted.accept(now, now, &Policy::default().rewards);
        now.0 > 0
    });
    assert_eq!(law, "RW-1");
}

#[test]
fn du_1_a_rating_changes_without_a_duel() {
    let law = law_broken_by(&mut season(), |_, item| {
        let Item::Record(record) = item else { return false };
        record.rating.rating += 1.0;
        true
    });
    assert_eq!(law, "DU-1");
}

#[test]
fn du_1_a_record_counts_a_duel_too_many() {
    let law = law_broken_after(&mut season(), |_, item| {
        let Item::Record(record) = item else { return false };
        record.duels += 2;
        true
    });
    assert_eq!(law, "DU-1");
}

#[test]
fn du_1_an_ended_duel_changes() {
    let law = law_broken_by(&mut season(), |_, item| {
        let Item::Duel(duel) = item else { return false };
        duel.closes = duel.closes.plus_ms(1);
        matches!(duel.state, DuelState::Judged { .. })
    });
    assert_eq!(law, "DU-1");
}

#[test]
fn du_2_a_duel_pairs_somebody_else() {
    let mut season = season();
    let duel = season.ledger.items().find_map(|(_, stored)| {
        let Item::Duel(duel) = &stored.item else { return None };
        (duel.state == DuelState::Open).then(|| duel.clone())
    });
    let duel = duel.expect("a duel is open");
    // The right pair under another nonce.
    let key = Key::Duel(sn17_core::state::DuelNonce(1));
    let write = Write::create(key, Item::Duel(duel), None);
    assert_eq!(law_broken_by_write(&mut season, write), "DU-2");
}

#[test]
fn tk_1_a_task_is_open_after_its_deadline() {
    let mut season = season();
    let ended = season.ledger.items().find_map(|(key, stored)| match (key, &stored.item) {
        (Key::Task(id), Item::Task(task)) if task.state != TaskState::Open => Some((*id, stored.clone())),
        (_, _) => None,
    });
    let (id, stored) = ended.expect("a task has ended");
    assert_eq!(season.laws.check_ended(&season.ledger, season.now, id), Ok(()));
    let Item::Task(mut task) = stored.item.clone() else { panic!("{id} is no task") };
    task.state = TaskState::Open;
    let write = Write::replace(Key::Task(id), &stored, Item::Task(task));
    assert!(matches!(write.change, Change::Put(..)));
    season.ledger.commit(DecisionId(1), season.now, &[write]);
    let broken = season.laws.check_ended(&season.ledger, season.now, id).expect_err("it is open");
    assert_eq!(broken.law, "TK-1");
    let broken = season.laws.check_everybody(&season.ledger, season.now, &season.setup.policy);
    assert_eq!(broken.expect_err("it is overdue").law, "TK-1");
}

#[test]
fn as_1_a_side_neither_holds_its_task_nor_has_handed_it_in() {
    let mut season = season();
    let now = season.now;
    let law = law_broken_after(&mut season, |_, item| {
        let Item::Duel(duel) = item else { return false };
        let is_waited_for = |side: &Side| side.pulled.is_none() && side.entry == Entry::Awaited;
        let is_forgeable = duel.state == DuelState::Open && now < duel.closes && is_waited_for(&duel.left);
        duel.left.pulled = Some(duel.created);
        is_forgeable
    });
    assert_eq!(law, "AS-1");
}
